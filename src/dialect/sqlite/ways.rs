//! The ways from the stored table to the draft, the cheapest first: SQLite's own ALTERs, an edit of the stored
//! definition, an index, a copy.

use std::collections::BTreeMap;

use crate::code::Code;
use crate::dialect::sqlite::copy::{self, Copy};
use crate::dialect::sqlite::draft::{Demand, Draft, Source};
use crate::dialect::sqlite::inspect::Object;
use crate::dialect::sqlite::oracle::Model;
use crate::dialect::sqlite::prove::{self, Proof};
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::{expr, names};
use crate::dialect::{Ask, Op, Setting};
use crate::error::Result;
use crate::sql::parse::define::ClauseKind;
use crate::sql::write::{quoted, sqlite_literal};

/// A way.
#[derive(Debug)]
pub(super) enum Way {
    /// SQLite's own ALTERs, then, where the definition still differs, an edit of it.
    Native {
        /// The stored definition has to be edited.
        edit: bool,
        /// The column to write back to itself first, so that no row reads a default from the definition.
        materialise: Option<String>,
    },
    /// Copy and recreate.
    Copy,
}

impl Way {
    /// Whether the table is copied.
    pub(super) fn copies(&self) -> bool {
        matches!(self, Way::Copy)
    }

    /// The strategy as plans show it.
    pub(super) fn name(&self, draft: &Draft<'_>) -> &'static str {
        match self {
            Way::Copy => "copy",
            Way::Native { edit: true, .. } => "in_place",
            Way::Native { .. }
                if draft.natives.is_empty() && draft.indexes.iter().any(|index| index.old != index.kept) =>
            {
                "index"
            }
            Way::Native { .. } => "native",
        }
    }

    /// Why this way.
    pub(super) fn reason(&self, draft: &Draft<'_>) -> String {
        match (self, &draft.copy) {
            (Way::Copy, Some(reason)) => reason.clone(),
            (Way::Copy, None) => "a script for any SQLite cannot edit the stored definition".to_owned(),
            (Way::Native { .. }, _) => {
                let mut reasons = draft.reasons.clone();
                reasons.dedup();
                if reasons.is_empty() {
                    "there is nothing to do".to_owned()
                } else {
                    reasons.join("; ")
                }
            }
        }
    }
}

/// Where a column becomes another name for the rowid, or stops being one, the rows have to be copied and its values
/// have to be whole numbers.
pub(super) fn settle_rowid(draft: &mut Draft<'_>, site: &Site<'_>) {
    let old = draft.state.table.rowid_alias().map(|alias| alias.name.text.clone());
    let new = draft.table.rowid_alias().map(|alias| alias.name.text.clone());
    let source = new
        .as_ref()
        .and_then(|new| draft.position(new))
        .map(|at| draft.columns[at].source.clone());
    let same = match (&old, &source) {
        (Some(old), Some(Source::Same(from))) => old.eq_ignore_ascii_case(from),
        (None, None) => true,
        _ => false,
    };
    if same {
        return;
    }
    draft.must_copy("the primary key is part of how the table is stored");
    if let (Some(new), Some(Source::Same(_) | Source::Converted(..))) = (new, source) {
        let message = format!("a value of `{new}` in `{}` is no whole number", draft.name());
        let demand = Demand {
            code: Code::BatchValueLost,
            message: &message,
            help: "an INTEGER PRIMARY KEY holds whole numbers and nothing else",
        };
        let name = quoted(&new, '"');
        draft.demand(
            site,
            demand,
            &format!("typeof({name}) NOT IN ('integer', 'null')"),
            &[&new],
        );
        let message = format!("column `{new}` of `{}` holds NULL", draft.name());
        let demand = Demand {
            code: Code::BatchNullValues,
            message: &message,
            help: "give these rows a key first",
        };
        draft.demand(site, demand, &format!("{name} IS NULL"), &[]);
    }
}

/// Chooses the way, and writes the definition so that it comes out the same on every one.
pub(super) fn choose(draft: &mut Draft<'_>, ask: &mut dyn Ask) -> Result<Way> {
    let only_adds = draft.natives.iter().all(|(sql, _)| sql.contains(" ADD COLUMN "));
    let natively = prove::natively(ask, draft)?;
    let text_fits = natively.as_ref().is_some_and(|(text, _)| text == draft.table.text());
    if draft.copy.is_none() && only_adds && text_fits {
        return Ok(Way::Native {
            edit: false,
            materialise: None,
        });
    }
    strip_self(draft);
    if draft.copy.is_some() {
        return Ok(Way::Copy);
    }
    if ask.offline() || !writable(ask)? {
        return Ok(Way::Copy);
    }
    let model = prove::model(ask, draft)?;
    let Some(edit) = fits(draft, natively.as_ref(), model.as_ref()) else {
        draft.must_copy("SQLite's own ALTERs refuse the change");
        return Ok(Way::Copy);
    };
    let materialise = if draft.default_changed && draft.state.rows == Some(true) {
        let column = writable_column(draft);
        if column.is_none() {
            draft.must_copy("older rows read the default from the definition");
            return Ok(Way::Copy);
        }
        column
    } else {
        None
    };
    Ok(Way::Native { edit, materialise })
}

/// Whether SQLite's own ALTERs lead to a table that is stored as the draft is, and if so whether its text still
/// differs.
fn fits(draft: &Draft<'_>, natively: Option<&(String, Model)>, model: Option<&Model>) -> Option<bool> {
    match (natively, model) {
        (Some((text, native)), Some(model)) => {
            (native.layout() == model.layout()).then_some(text != draft.table.text())
        }
        // Scratch cannot build the table, for want of a function say: only the definition may change.
        (None, None) if draft.natives.is_empty() => Some(draft.table.text() != draft.state.table.text()),
        _ => None,
    }
}

/// A definition that names its own table cannot be copied by plain SQL, so on every way of changing it the name
/// before its columns goes.
fn strip_self(draft: &mut Draft<'_>) {
    let changed = draft.table.text() != draft.state.table.text();
    if !changed && draft.copy.is_none() || !copy::names_itself(draft.state.table.text(), draft.name()) {
        return;
    }
    let text = expr::without_table(draft.table.text(), draft.name());
    let all = 0..draft.table.text().len();
    if draft.table.edit(&all, &text).is_ok() {
        let name = draft.table.name().span.clone();
        let words = quoted(draft.name(), '"');
        // The copy ends with a RENAME, which quotes the name.
        let _ = draft.table.edit(&name, &words);
    }
}

/// A column that can be written back to itself without touching an index or a constraint.
fn writable_column(draft: &Draft<'_>) -> Option<String> {
    let table = &draft.state.table;
    if table.without_rowid() {
        return None;
    }
    let free = |name: &str| {
        let in_index = draft.state.indexes.iter().any(|index| expr::mentions(&index.sql, name));
        let in_constraint = table.constraints().any(|(owner, clause)| {
            let own = owner.is_some_and(|owner| owner.name.is(name));
            let among = |columns: &[crate::sql::parse::cursor::Name]| columns.iter().any(|column| column.is(name));
            match &clause.kind {
                ClauseKind::PrimaryKey { columns, .. } | ClauseKind::Unique { columns, .. } => own || among(columns),
                ClauseKind::References(key) => own || among(&key.columns) || among(&key.parent),
                ClauseKind::Generated { expression, .. } => own || expr::mentions(table.at(expression), name),
                _ => false,
            }
        });
        !in_index && !in_constraint
    };
    table
        .columns()
        .map(|column| column.name.text.clone())
        .find(|name| free(name))
}

/// Whether the schema table can be written to: a defensive connection ignores the switch.
fn writable(ask: &mut dyn Ask) -> Result<bool> {
    let read = |ask: &mut dyn Ask| -> Result<bool> {
        let rows = ask.query("PRAGMA writable_schema")?;
        Ok(rows
            .into_iter()
            .flatten()
            .flatten()
            .next()
            .is_some_and(|value| value != "0"))
    };
    if read(ask)? {
        return Ok(true);
    }
    ask.query("PRAGMA writable_schema = ON")?;
    let took = read(ask)?;
    ask.query("PRAGMA writable_schema = OFF")?;
    Ok(took)
}

/// What to do, in order.
pub(super) fn ops(draft: &Draft<'_>, way: &Way, proof: &Proof, last: usize, ask: &mut dyn Ask) -> Result<Vec<Op>> {
    let (mut ops, diagnoses) = checks(draft, way);
    let stored = stored_before(draft);
    let expected = expected(draft);
    let keys = keys(draft);
    if stored == expected && !way.copies() {
        return Ok(ops);
    }
    ops.extend(keys.before);
    match way {
        Way::Copy => copied(draft, last, ask, &mut ops)?,
        Way::Native { edit, materialise } => {
            natively(draft, *edit, materialise.as_deref(), last, ask, &mut ops)?;
            for index in draft.indexes.iter().filter(|index| !index.old && index.kept) {
                ops.push(Op::Sql {
                    sql: index.object.statement(),
                    at: index.at,
                    diagnosis: index
                        .check
                        .and_then(|check| diagnoses.get(&check).cloned())
                        .map(Box::new),
                });
            }
        }
    }
    ops.push(stored_as(draft, &expected, last));
    ops.push(Op::Compiles {
        sql: format!("EXPLAIN SELECT * FROM {}", draft.state.qualified()),
        object: format!("table `{}`", draft.name()),
        at: (last, 0..0),
    });
    ops.extend(prove::compiles(&proof.probes, (last, 0..0)));
    ops.extend(keys.after);
    Ok(ops)
}

/// The checks that come first, and those that are only asked when an index cannot be built: building it finds equal
/// rows as well, and sorting them twice takes twice the time. A check that others follow stays in its place, and so
/// does one over rows whose columns change before the index is built.
fn checks(draft: &Draft<'_>, way: &Way) -> (Vec<Op>, BTreeMap<usize, Op>) {
    let mut first = draft.checks.clone();
    let mut later = BTreeMap::new();
    let by_index = |check: usize| {
        draft
            .indexes
            .iter()
            .any(|index| index.kept && index.check == Some(check))
    };
    while let Some(last) = first
        .len()
        .checked_sub(1)
        .filter(|&last| draft.natives.is_empty() && !way.copies() && by_index(last))
    {
        if let Some(check) = first.pop() {
            later.insert(last, check);
        }
    }
    (first, later)
}

fn copied(draft: &Draft<'_>, last: usize, ask: &mut dyn Ask, ops: &mut Vec<Op>) -> Result<()> {
    let statistics = if ask.offline() {
        Vec::new()
    } else {
        statistics(draft, ask)?
    };
    let statistics: Vec<&str> = statistics.iter().map(String::as_str).collect();
    let aside = free_name(draft, ask)?;
    let copy = Copy {
        aside: &aside,
        at: last,
        offline: ask.offline(),
        statistics: &statistics,
    };
    ops.extend(copy.ops(draft));
    for index in draft.indexes.iter().filter(|index| index.kept) {
        ops.push(Op::sql(
            index.object.statement(),
            if index.old { last } else { index.at },
        ));
    }
    for trigger in &draft.state.triggers {
        ops.push(Op::sql(trigger.statement(), last));
    }
    forget_statistics(draft, &statistics, last, ops);
    for setting in [
        Setting::IgnoreCheckConstraints,
        Setting::LegacyAlterTable,
        Setting::ForeignKeys,
    ] {
        ops.push(Op::Set(setting, None));
    }
    Ok(())
}

fn natively(
    draft: &Draft<'_>,
    edit: bool,
    materialise: Option<&str>,
    last: usize,
    ask: &mut dyn Ask,
    ops: &mut Vec<Op>,
) -> Result<()> {
    let table = draft.state.qualified();
    if let Some(column) = materialise {
        let column = quoted(column, '"');
        ops.push(Op::Set(Setting::Triggers, Some(false)));
        ops.push(Op::Set(Setting::ForeignKeys, Some(false)));
        ops.push(Op::Set(Setting::IgnoreCheckConstraints, Some(true)));
        ops.push(Op::sql(format!("UPDATE {table} SET {column} = {column}"), last));
        for setting in [Setting::IgnoreCheckConstraints, Setting::ForeignKeys, Setting::Triggers] {
            ops.push(Op::Set(setting, None));
        }
    }
    let schema = quoted(&draft.state.schema, '"');
    for index in draft.indexes.iter().filter(|index| index.old && !index.kept) {
        ops.push(Op::sql(
            format!("DROP INDEX {schema}.{}", quoted(&index.object.name, '"')),
            index.at,
        ));
    }
    if draft.refers_by_default {
        ops.push(Op::Set(Setting::ForeignKeys, Some(false)));
    }
    for (sql, at) in &draft.natives {
        ops.push(Op::sql(sql.clone(), *at));
    }
    if draft.refers_by_default {
        ops.push(Op::Set(Setting::ForeignKeys, None));
    }
    if edit {
        edit_definition(draft, last, ask, ops)?;
    }
    Ok(())
}

/// Exchanges the stored text. The schema's version has to grow, or other connections would go on with what they
/// know; RESET makes this one read the schema anew.
fn edit_definition(draft: &Draft<'_>, last: usize, ask: &mut dyn Ask, ops: &mut Vec<Op>) -> Result<()> {
    let schema = quoted(&draft.state.schema, '"');
    let version = ask.query(&format!("PRAGMA {schema}.schema_version"))?;
    let version: i64 = version
        .into_iter()
        .flatten()
        .flatten()
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    // Each statement before this one adds one at most.
    let version = (version + i64::try_from(ops.len()).unwrap_or(0) + 1) % i64::from(i32::MAX);
    ops.push(Op::Set(Setting::WritableSchema, Some(true)));
    let name = sqlite_literal(draft.name());
    let text = sqlite_literal(draft.table.text());
    for sql in [
        format!("UPDATE {schema}.sqlite_schema SET sql = {text} WHERE type = 'table' AND name = {name}"),
        format!("PRAGMA {schema}.schema_version = {version}"),
        "PRAGMA writable_schema = RESET".to_owned(),
    ] {
        ops.push(Op::sql(sql, last));
    }
    ops.push(Op::Set(Setting::WritableSchema, None));
    Ok(())
}

fn stored_before(draft: &Draft<'_>) -> Vec<(String, String, String)> {
    let mut rows = vec![(
        "table".to_owned(),
        draft.name().to_owned(),
        draft.state.table.text().to_owned(),
    )];
    let indexes = draft.state.indexes.iter().chain(own_triggers(draft));
    rows.extend(indexes.map(|object| (object.kind.clone(), object.name.clone(), object.sql.clone())));
    rows
}

fn own_triggers<'d>(draft: &'d Draft<'_>) -> impl Iterator<Item = &'d Object> {
    draft
        .state
        .triggers
        .iter()
        .filter(|object| object.schema == draft.state.schema)
}

fn expected(draft: &Draft<'_>) -> Vec<(String, String, String)> {
    let mut rows = vec![(
        "table".to_owned(),
        draft.name().to_owned(),
        draft.table.text().to_owned(),
    )];
    let indexes = draft
        .indexes
        .iter()
        .filter(|index| index.kept)
        .map(|index| &index.object);
    rows.extend(
        indexes
            .chain(own_triggers(draft))
            .map(|object| (object.kind.clone(), object.name.clone(), object.sql.clone())),
    );
    rows
}

/// A check that exactly these definitions are stored for the table.
fn stored_as(draft: &Draft<'_>, expected: &[(String, String, String)], last: usize) -> Op {
    let values: Vec<String> = expected
        .iter()
        .map(|(kind, name, sql)| {
            format!(
                "({}, {}, {})",
                sqlite_literal(kind),
                sqlite_literal(name),
                sqlite_literal(sql)
            )
        })
        .collect();
    let sql = format!(
        "WITH expected(type, name, sql) AS (VALUES {}), stored AS (SELECT type, name, sql FROM {}.sqlite_schema \
         WHERE tbl_name = {} COLLATE NOCASE AND sql IS NOT NULL) \
         SELECT 'missing: ' || type || ' ' || name FROM (SELECT * FROM expected EXCEPT SELECT * FROM stored) \
         UNION ALL SELECT 'unexpected: ' || type || ' ' || name FROM (SELECT * FROM stored EXCEPT SELECT * FROM expected)",
        values.join(", "),
        quoted(&draft.state.schema, '"'),
        sqlite_literal(draft.name())
    );
    Op::Check {
        sql,
        code: Code::BatchInternal,
        message: format!("`{}` is not stored as the plan meant it to be", draft.name()),
        help: "please report this".to_owned(),
        at: (last, 0..0),
    }
}

/// The tables of statistics that there are.
fn statistics(draft: &Draft<'_>, ask: &mut dyn Ask) -> Result<Vec<String>> {
    let rows = ask.query(&format!(
        "SELECT name FROM {}.sqlite_schema WHERE name IN ('sqlite_stat1', 'sqlite_stat4') ORDER BY name",
        quoted(&draft.state.schema, '"')
    ))?;
    Ok(rows.into_iter().flatten().flatten().collect())
}

/// Takes the statistics of indexes away that are gone, or that a constraint now makes for other columns.
fn forget_statistics(draft: &Draft<'_>, tables: &[&str], last: usize, ops: &mut Vec<Op>) {
    let dropped = draft.indexes.iter().filter(|index| index.old && !index.kept);
    let mut gone: Vec<String> = dropped.map(|index| sqlite_literal(&index.object.name)).collect();
    let made = |text: &str| {
        let table = crate::dialect::sqlite::table::Table::read(text);
        table.map(|table| {
            let keys = table
                .constraints()
                .filter(|(_, clause)| matches!(clause.kind, ClauseKind::Unique { .. } | ClauseKind::PrimaryKey { .. }));
            keys.map(|(column, clause)| {
                (
                    column.map(|column| column.name.text.clone()),
                    table.at(&clause.body).to_owned(),
                )
            })
            .collect::<Vec<_>>()
        })
    };
    if made(draft.state.table.text()) != made(draft.table.text()) {
        gone.extend((1..=64).map(|number| sqlite_literal(&format!("sqlite_autoindex_{}_{number}", draft.name()))));
    }
    if gone.is_empty() {
        return;
    }
    for table in tables {
        ops.push(Op::sql(
            format!(
                "DELETE FROM {}.{table} WHERE tbl = {} AND idx IN ({})",
                quoted(&draft.state.schema, '"'),
                sqlite_literal(draft.name()),
                gone.join(", ")
            ),
            last,
        ));
    }
}

/// A name that nothing in the schema has.
fn free_name(draft: &Draft<'_>, ask: &mut dyn Ask) -> Result<String> {
    let mut name = format!("sqlrev_{}", draft.name());
    loop {
        let rows = ask.query(&format!(
            "SELECT 1 FROM {}.sqlite_schema WHERE name = {} COLLATE NOCASE",
            quoted(&draft.state.schema, '"'),
            sqlite_literal(&name)
        ))?;
        if rows.is_empty() {
            return Ok(name);
        }
        name.push('_');
    }
}

/// What is done before and after a change that converts keys or what refers to them, so that rows that referred to a
/// row still do; those that did not are remembered and do not count.
#[derive(Debug, Default)]
struct Keys {
    before: Vec<Op>,
    after: Vec<Op>,
}

fn keys(draft: &Draft<'_>) -> Keys {
    let mut keys = Keys::default();
    let Some(at) = &draft.keys_converted else { return keys };
    let name = draft.name();
    let others =
        draft.state.related.iter().filter(|object| {
            object.kind == "table" && object.schema == draft.state.schema && refers(&object.sql, name)
        });
    let mut tables: Vec<&str> = others.map(|object| object.name.as_str()).collect();
    if names::constraints(draft)
        .iter()
        .any(|named| matches!(named.clause.kind, ClauseKind::References(_)))
    {
        tables.push(name);
    }
    for (number, table) in tables.into_iter().enumerate() {
        let memory = format!("temp.sqlrev_orphans_{number}");
        let violations = format!(
            "SELECT \"rowid\" AS id, fkid FROM pragma_foreign_key_check({}, {})",
            sqlite_literal(table),
            sqlite_literal(&draft.state.schema)
        );
        let run = |sql: String| Op::sql(sql, at.0);
        keys.before.push(run(format!("CREATE TABLE {memory} AS {violations}")));
        keys.after.push(Op::Check {
            sql: format!(
                "SELECT {} || id FROM (SELECT id, fkid FROM ({violations}) EXCEPT SELECT id, fkid FROM {memory}) \
                 UNION ALL SELECT 'rows of a table without rowids' \
                 WHERE (SELECT count(*) FROM ({violations})) > (SELECT count(*) FROM {memory}) LIMIT 10",
                sqlite_literal(&format!("{table}: rowid "))
            ),
            code: Code::BatchForeignKey,
            message: format!("rows of `{table}` would no longer refer to a row that is there"),
            help: "change the referring column in the same way".to_owned(),
            at: at.clone(),
        });
        keys.after.push(run(format!("DROP TABLE {memory}")));
    }
    keys
}

fn refers(sql: &str, table: &str) -> bool {
    crate::dialect::sqlite::table::Table::read(sql).is_some_and(|other| {
        other
            .constraints()
            .any(|(_, clause)| matches!(&clause.kind, ClauseKind::References(key) if key.table.is(table)))
    })
}
