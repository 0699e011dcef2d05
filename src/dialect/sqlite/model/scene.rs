//! A random schema with rows, as a state and as the script that sets up the database to be altered.

use rusqlite::Connection;

use crate::dialect::sqlite::model::compare::VALUES;
use crate::dialect::sqlite::model::random::Random;
use crate::dialect::sqlite::model::schema::{Check, Column, Foreign, Id, Key, Piece, Schema, Table, Unique};
use crate::dialect::sqlite::model::state::State;
use crate::dialect::sqlite::model::{hanging, setup};
use crate::sql::write::quoted;

/// Where the work begins.
pub(super) struct Scene {
    pub(super) state: State,
    pub(super) setup: String,
    /// The stored definition of each column, of each index, view and trigger.
    pub(super) columns: Vec<(Id, String)>,
    pub(super) hanging: Vec<String>,
}

const TABLES: &[&str] = &["t", "p q", "Child"];
pub(super) const NAMES: &[&str] = &["a", "b", "c d", "E", "select", "f\"g", "naïve"];
const TYPES: &[&str] = &[
    "INT",
    "TEXT",
    "VARCHAR(10)",
    "REAL",
    "BLOB",
    "NUMERIC",
    "",
    "UNSIGNED BIG INT",
    "INTEGER",
];
const STRICT_TYPES: &[&str] = &["ANY", "ANY", "TEXT", "INTEGER", "REAL"];
pub(super) const DEFAULTS: &[&str] = &["7", "'x, y)'", "-1.5", "x'00ff'", "(1 + 1)", "NULL", "'it''s'", "'12'"];
pub(super) const ACTIONS: &[&str] = &[
    "",
    "",
    "CASCADE",
    "CASCADE",
    "SET NULL",
    "SET DEFAULT",
    "RESTRICT",
    "NO ACTION",
];

/// The sets of columns of a table that a foreign key may refer to; the primary key also without naming it.
pub(super) fn keys(table: &Table) -> Vec<Option<Vec<Id>>> {
    let mut keys: Vec<Option<Vec<Id>>> = Vec::new();
    if let Some(key) = &table.key {
        keys.push(None);
        keys.push(Some(key.columns.clone()));
    }
    keys.extend(table.uniques.iter().map(|unique| Some(unique.columns.clone())));
    let indexes = table
        .indexes
        .iter()
        .filter(|index| index.unique && !index.columns.is_empty());
    keys.extend(indexes.map(|index| Some(index.columns.clone())));
    keys
}

/// Different columns of a table that are not generated; `None` when there are too few.
pub(super) fn some_columns(random: &mut Random, table: &Table, count: usize) -> Option<Vec<Id>> {
    let stored = table.columns.iter().filter(|column| column.generated.is_none());
    let mut ids: Vec<Id> = stored.map(|column| column.id).collect();
    random.shuffle(&mut ids);
    ids.truncate(count);
    (ids.len() == count).then_some(ids)
}

/// A foreign key of a table to any table that can be referred to.
pub(super) fn foreign(random: &mut Random, schema: &Schema, child: Id, name: Option<String>) -> Option<Foreign> {
    let parent = random.pick(&schema.tables);
    let keys = keys(parent);
    if keys.is_empty() {
        return None;
    }
    let to = random.pick(&keys).clone();
    let count = match (&to, &parent.key) {
        (Some(columns), _) => columns.len(),
        (None, Some(key)) => key.columns.len(),
        (None, None) => return None,
    };
    let columns = some_columns(random, schema.table(child), count)?;
    let referred = to.as_ref().or(parent.key.as_ref().map(|key| &key.columns));
    // SQLite itself trips over a table whose key refers to columns of the key: when they get another name, and when a
    // row changes while it is changed.
    if parent.id == child && referred.is_some_and(|to| to.iter().any(|id| columns.contains(id))) {
        return None;
    }
    let actions: &[&'static str] = if parent.id == child { &ACTIONS[..1] } else { ACTIONS };
    let (on_delete, on_update) = (*random.pick(actions), *random.pick(actions));
    Some(Foreign {
        name,
        columns,
        parent: parent.id,
        to,
        on_delete,
        on_update,
        deferred: random.chance(30),
        inline: false,
    })
}

fn column(random: &mut Random, schema: &mut Schema, name: &str, strict: bool) -> Column {
    let data_type = *random.pick(if strict { STRICT_TYPES } else { TYPES });
    let not_null = random.chance(20);
    let default = random.chance(40).then(|| (*random.pick(DEFAULTS)).to_owned());
    Column {
        id: schema.fresh(),
        name: name.to_owned(),
        data_type: data_type.to_owned(),
        not_null,
        default: default.filter(|value| !not_null || value != "NULL"),
        collation: random.chance(12).then_some("NOCASE"),
        generated: None,
    }
}

fn table(random: &mut Random, schema: &mut Schema, name: &str) -> Table {
    let strict = random.chance(15);
    let mut table = Table {
        id: schema.fresh(),
        name: name.to_owned(),
        columns: Vec::new(),
        key: None,
        uniques: Vec::new(),
        checks: Vec::new(),
        foreigns: Vec::new(),
        indexes: Vec::new(),
        strict,
        without_rowid: false,
    };
    let kind = random.below(6);
    if kind < 3 {
        let id = Column {
            id: schema.fresh(),
            name: "id".to_owned(),
            data_type: "INTEGER".to_owned(),
            ..Column::default()
        };
        table.key = Some(Key {
            name: None,
            columns: vec![id.id],
            autoincrement: random.chance(40),
        });
        table.columns.push(id);
    }
    for name in &NAMES[..2 + random.below(NAMES.len() - 2)] {
        let column = column(random, schema, name, strict);
        table.columns.push(column);
    }
    if kind == 3 || kind == 4 {
        let count = kind - 2;
        table.key = some_columns(random, &table, count).map(|columns| Key {
            name: random.chance(30).then(|| format!("key of {name}")),
            columns,
            autoincrement: false,
        });
        table.without_rowid = random.chance(40);
    }
    constraints(random, schema, &mut table);
    table
}

fn constraints(random: &mut Random, schema: &mut Schema, table: &mut Table) {
    let name = &table.name.clone();
    for at in 0..random.below(3) {
        let count = 1 + random.below(2);
        if let Some(columns) = some_columns(random, table, count) {
            let name = random.chance(50).then(|| format!("uq {at} {name}"));
            table.uniques.push(Unique { name, columns });
        }
    }
    for at in 0..random.below(3) {
        let Some(columns) = some_columns(random, table, 2) else {
            continue;
        };
        let (one, other) = (Piece::Column(columns[0]), Piece::Column(columns[1]));
        let conditions = [
            vec![one.clone(), Piece::Words(" IS NOT 'never'")],
            vec![
                Piece::Words("length("),
                one.clone(),
                Piece::Words(") < 100 AND "),
                other,
                Piece::Words(" IS NOT 'b, ('"),
            ],
            vec![
                Piece::Table(table.id),
                Piece::Words("."),
                one,
                Piece::Words(" IS NOT 'K'"),
            ],
        ];
        let name = random.chance(60).then(|| format!("ck_{at}_{}", table.id));
        let condition = random.pick(&conditions).clone();
        table.checks.push(Check { name, condition });
    }
    if random.chance(25) {
        let of = random.pick(&table.columns).id;
        let generated = Column {
            id: schema.fresh(),
            name: "gen".to_owned(),
            data_type: if table.strict { "ANY" } else { "INT" }.to_owned(),
            generated: Some((
                vec![Piece::Words("length("), Piece::Column(of), Piece::Words(")")],
                random.chance(50),
            )),
            ..Column::default()
        };
        let at = random.below(table.columns.len() + 1);
        table.columns.insert(at, generated);
    }
}

/// A scene; `None` where the schema that came out is one that SQLite refuses.
pub(super) fn scene(random: &mut Random) -> Option<Scene> {
    let mut schema = Schema::default();
    let count = 1 + random.below(TABLES.len());
    for name in &TABLES[..count] {
        let table = table(random, &mut schema, name);
        schema.tables.push(table);
    }
    for at in 0..count {
        for number in 0..random.below(3) {
            let name = random.chance(50).then(|| format!("fk_{number}_{at}"));
            let child = schema.tables[at].id;
            let Some(mut foreign) = foreign(random, &schema, child, name) else {
                continue;
            };
            let others = &schema.tables[at].foreigns;
            let second = others
                .iter()
                .any(|other| other.inline && other.columns == foreign.columns);
            foreign.inline = foreign.columns.len() == 1 && !second && random.chance(60);
            schema.tables[at].foreigns.push(foreign);
        }
    }
    let (log, column) = (schema.fresh(), schema.fresh());
    schema.tables.push(Table {
        id: log,
        name: "log".to_owned(),
        columns: vec![Column {
            id: column,
            name: "x".to_owned(),
            ..Column::default()
        }],
        key: None,
        uniques: Vec::new(),
        checks: Vec::new(),
        foreigns: Vec::new(),
        indexes: Vec::new(),
        strict: false,
        without_rowid: false,
    });
    hanging::hang(random, &mut schema, (log, column));
    let empty = State {
        schema,
        ..State::default()
    };
    let (_, db) = empty.settle().ok()?;
    // Rows that point at nothing are there already, where nobody has switched foreign keys on.
    if random.chance(20) {
        db.execute_batch("PRAGMA foreign_keys = OFF").expect("a pragma");
    }
    fill(random, &db, &empty.schema);
    Some(setup::written(random, empty.read(&db)))
}

fn fill(random: &mut Random, db: &Connection, schema: &Schema) {
    let mut statements = Vec::new();
    for table in schema.tables.iter().filter(|table| table.name != "log") {
        let stored: Vec<&Column> = table
            .columns
            .iter()
            .filter(|column| column.generated.is_none())
            .collect();
        let names: Vec<String> = stored.iter().map(|column| quoted(&column.name, '"')).collect();
        for _ in 0..random.below(14) {
            let values: Vec<&str> = stored
                .iter()
                .map(|column| {
                    let numbered = table.alias() == Some(column.id) && random.chance(60);
                    if numbered { "NULL" } else { *random.pick(VALUES) }
                })
                .collect();
            statements.push(format!(
                "INSERT OR IGNORE INTO {} ({}) VALUES ({})",
                quoted(&table.name, '"'),
                names.join(", "),
                values.join(", ")
            ));
        }
        if !table.without_rowid && random.chance(40) {
            let name = quoted(&table.name, '"');
            statements.push(format!("DELETE FROM {name} WHERE _rowid_ % 3 = 0"));
            statements.push(format!("UPDATE {name} SET _rowid_ = _rowid_ + 40 WHERE _rowid_ = 2"));
        }
    }
    random.shuffle(&mut statements);
    // Parents may come after their children, so a second round finds more of them.
    for sql in statements.iter().chain(&statements) {
        let _ = db.execute_batch(sql);
    }
}
