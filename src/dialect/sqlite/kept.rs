//! What has to be kept while a table changes: the planner's statistics, and references between rows.

use crate::code::Code;
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::inspect::Object;
use crate::dialect::sqlite::keyed::Keyed;
use crate::dialect::sqlite::table::Table;
use crate::dialect::sqlite::{names, readers};
use crate::dialect::{Ask, Op, Scratch};
use crate::error::Result;
use crate::sql::parse::define::ClauseKind;
use crate::sql::write::{quoted, sqlite_literal};

/// The planner's statistics in a script, which does not know whether the database has any: by its name alone, which stands
/// for the one of `main` where there is one, and else for an empty one that the head of the script attaches. Histograms
/// (`sqlite_stat4`) are made by special builds alone.
const IN_SCRIPTS: &str = "sqlite_stat1";

/// The tables of statistics that there are in the schema; in a script the one that there may be.
pub(super) fn statistics(schema: &str, ask: &mut dyn Ask) -> Result<Vec<String>> {
    if ask.offline() {
        let main = schema.eq_ignore_ascii_case("main");
        return Ok(main.then(|| IN_SCRIPTS.to_owned()).into_iter().collect());
    }
    let schema = quoted(schema, '"');
    let rows = ask.query(&format!(
        "SELECT name FROM {schema}.sqlite_schema WHERE name IN ('sqlite_stat1', 'sqlite_stat4') ORDER BY name"
    ))?;
    let names = rows.into_iter().flatten().flatten();
    Ok(names.map(|name| format!("{schema}.{name}")).collect())
}

/// A statement on statistics.
pub(super) fn of_statistics(offline: bool, sql: String, at: usize) -> Op {
    if offline {
        Op::Statistics { sql, at }
    } else {
        Op::sql(sql, at)
    }
}

/// What becomes of the statistics of the indexes that constraints make, whose names are numbers.
#[derive(Debug, Default)]
pub(super) struct Renumbered {
    /// The names of those that describe nothing any more.
    gone: Vec<String>,
    /// The old and the new name of those that are kept and have another number.
    moved: Vec<(String, String)>,
}

impl Renumbered {
    /// Whether some row of statistics would describe another index than its own, or none.
    pub(super) fn any(&self) -> bool {
        !self.gone.is_empty() || !self.moved.is_empty()
    }
}

/// Compares the indexes that the constraints of the old table make with those of the new one, column by column.
pub(super) fn renumbered(draft: &Draft<'_>, ask: &mut dyn Ask) -> Result<Renumbered> {
    let mut scratch = ask.scratch()?;
    // To drop a table with keys on is to delete its rows, for which its parents would have to be there.
    let _ = scratch.execute("PRAGMA foreign_keys = OFF");
    let name = draft.name();
    let Some(before) = made(scratch.as_mut(), &draft.state.table, name) else {
        return Ok(all_gone(name));
    };
    if before.is_empty() {
        return Ok(Renumbered::default());
    }
    let dropped = scratch.execute(&format!("DROP TABLE {}", quoted(name, '"')));
    let after = dropped.ok().and_then(|()| made(scratch.as_mut(), &draft.table, name));
    let Some(mut after) = after else {
        return Ok(all_gone(name));
    };
    // A column that was dropped and came again is another one.
    for column in after.iter_mut().flat_map(|index| &mut index.columns) {
        let known = draft
            .columns
            .iter()
            .find(|known| known.name.eq_ignore_ascii_case(&column[0]));
        column[0] = match known.and_then(|known| known.origin.as_ref()) {
            Some(origin) => origin.to_ascii_lowercase(),
            None => String::new(),
        };
    }
    let mut renumbered = Renumbered::default();
    for old in before {
        match after.iter().position(|new| new.columns == old.columns) {
            Some(at) => {
                let new = after.remove(at);
                if new.name != old.name {
                    renumbered.moved.push((old.name, new.name));
                }
            }
            None => renumbered.gone.push(old.name),
        }
    }
    Ok(renumbered)
}

/// Where the indexes cannot be compared: the names that there may be.
fn all_gone(name: &str) -> Renumbered {
    let numbers = (1..=64).map(|number| format!("sqlite_autoindex_{name}_{number}"));
    Renumbered {
        gone: numbers.chain([name.to_owned()]).collect(),
        moved: Vec::new(),
    }
}

/// An index that a constraint makes.
struct Made {
    /// As statistics name it: that of a table without rowids is the table's own.
    name: String,
    /// Name, order and collation of each column.
    columns: Vec<[String; 3]>,
}

fn made(scratch: &mut dyn Scratch, table: &Table, name: &str) -> Option<Vec<Made>> {
    scratch.execute(table.text()).ok()?;
    let indexes = scratch.query(&format!(
        "SELECT name, origin FROM pragma_index_list({}) WHERE origin IN ('pk', 'u') ORDER BY seq DESC",
        sqlite_literal(name)
    ));
    let mut found = Vec::new();
    for row in indexes.ok()? {
        let [Some(index), Some(origin)] = row.as_slice() else {
            continue;
        };
        let columns = scratch.query(&format!(
            "SELECT lower(name), \"desc\", lower(coll) FROM pragma_index_xinfo({}) WHERE key ORDER BY seqno",
            sqlite_literal(index)
        ));
        let text = |value: Option<String>| value.unwrap_or_default();
        let columns = columns.ok()?.into_iter().map(|row| {
            let mut values = row.into_iter().map(text);
            [(); 3].map(|()| values.next().unwrap_or_default())
        });
        found.push(Made {
            name: if table.without_rowid() && origin == "pk" {
                name.to_owned()
            } else {
                index.clone()
            },
            columns: columns.collect(),
        });
    }
    Some(found)
}

/// Takes the statistics of indexes away that are gone, and gives those of indexes with another number their new names.
pub(super) fn forget_statistics(
    draft: &Draft<'_>,
    tables: &[String],
    renumbered: &Renumbered,
    offline: bool,
    last: usize,
    ops: &mut Vec<Op>,
) {
    let dropped = draft.indexes.iter().filter(|index| index.old && !index.kept);
    let dropped = dropped.map(|index| &index.object.name).chain(&renumbered.gone);
    let gone: Vec<String> = dropped.map(|name| sqlite_literal(name)).collect();
    let moved: Vec<String> = renumbered.moved.iter().map(|(old, _)| sqlite_literal(old)).collect();
    let cases: Vec<String> = renumbered
        .moved
        .iter()
        .map(|(old, new)| format!("WHEN {} THEN {}", sqlite_literal(old), sqlite_literal(new)))
        .collect();
    let of_table = format!("tbl = {}", sqlite_literal(draft.name()));
    let stored_alike = draft.state.table.without_rowid() == draft.table.without_rowid();
    for table in tables {
        if table.ends_with("sqlite_stat4") && !stored_alike {
            // Its samples end with what tells rows apart in an index.
            ops.push(of_statistics(
                offline,
                format!("DELETE FROM {table} WHERE {of_table}"),
                last,
            ));
            continue;
        }
        if !gone.is_empty() {
            let gone = gone.join(", ");
            let delete = format!("DELETE FROM {table} WHERE {of_table} AND idx IN ({gone})");
            ops.push(of_statistics(offline, delete, last));
        }
        if !moved.is_empty() {
            let (cases, moved) = (cases.join(" "), moved.join(", "));
            let update = format!("UPDATE {table} SET idx = CASE idx {cases} END WHERE {of_table} AND idx IN ({moved})");
            ops.push(of_statistics(offline, update, last));
        }
    }
}

/// Takes away all statistics under the name of a table that is not there, whether or not the database has any: DROP TABLE
/// does, and plain SQL cannot name a table that may not be there.
pub(super) fn forget_all(schema: &str, name: &str, at: usize) -> [Op; 2] {
    let table = format!("{}.{}", quoted(schema, '"'), quoted(name, '"'));
    [
        Op::sql(format!("CREATE TABLE {table} (statistics)"), at),
        Op::sql(format!("DROP TABLE {table}"), at),
    ]
}

/// What is done before and after a change that converts keys or what refers to them, so that rows that referred to a
/// row still do; those that did not are remembered and do not count.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) before: Vec<Op>,
    pub(super) after: Vec<Op>,
}

pub(super) fn keys(draft: &Draft<'_>, ask: &mut dyn Ask) -> Result<Keys> {
    let mut keys = Keys::default();
    let Some(at) = &draft.keys_converted else {
        return Ok(keys);
    };
    let name = draft.name();
    let others =
        draft.state.related.iter().filter(|object| {
            object.kind == "table" && object.schema == draft.state.schema && refers(&object.sql, name)
        });
    let others: Vec<&Object> = others.collect();
    let mut tables: Vec<&str> = others.iter().map(|object| object.name.as_str()).collect();
    if names::constraints(draft)
        .iter()
        .any(|named| matches!(named.clause.kind, ClauseKind::References(_)))
    {
        tables.push(name);
    }
    for (number, table) in tables.into_iter().enumerate() {
        let memory = format!("temp.sqlrev_orphans_{number}");
        // The numbers of the keys change where one comes or goes; what they are made of does not.
        let place = format!("{}, {}", sqlite_literal(table), sqlite_literal(&draft.state.schema));
        if fits_nothing(&place, ask)? {
            continue;
        }
        // Rows that get other rowids can only be counted.
        let moved = table == name && readers::moves_rowids(draft);
        let id = if moved { "NULL" } else { "k.\"rowid\"" };
        let numbered = format!(
            "SELECT {id} AS id, (SELECT group_concat(f.\"from\", ', ') || ' of ' || f.\"table\" \
             FROM pragma_foreign_key_list({place}) f WHERE f.id = k.fkid) AS made_of \
             FROM pragma_foreign_key_check({place}) k"
        );
        let run = |sql: String| Op::sql(sql, at.0);
        let keyed = match others.get(number).and_then(|object| Table::read(&object.sql)) {
            Some(other) if other.without_rowid() => Keyed::other(draft, &other),
            Some(_) => None,
            None => Keyed::own(draft, ask)?,
        };
        let [before, violations] = match &keyed {
            Some(keyed) => [keyed.before.clone(), keyed.after.clone()],
            None => [numbered.clone(), numbered],
        };
        let label = if keyed.is_some() { "" } else { "rowid " };
        keys.before.push(run(format!("CREATE TABLE {memory} AS {before}")));
        keys.after.push(Op::Check {
            sql: format!(
                "SELECT {} || id FROM (SELECT * FROM ({violations}) EXCEPT SELECT * FROM {memory}) WHERE id IS NOT NULL \
                 UNION ALL SELECT 'more rows than before' \
                 WHERE (SELECT count(*) FROM ({violations}) WHERE id IS NULL) > \
                 (SELECT count(*) FROM {memory} WHERE id IS NULL) LIMIT 10",
                sqlite_literal(&format!("{table}: {label}"))
            ),
            code: Code::BatchForeignKey,
            message: format!("rows of `{table}` would no longer refer to a row that is there"),
            help: "drop the foreign key first, change both columns in the same way, and add the key again".to_owned(),
            at: at.clone(),
        });
        keys.after.push(run(format!("DROP TABLE {memory}")));
    }
    Ok(keys)
}

/// Whether the only foreign key of a table fits no key of its parent: no row refers by it, whatever it holds.
fn fits_nothing(place: &str, ask: &mut dyn Ask) -> Result<bool> {
    let Err(error) = ask.query(&format!("SELECT 1 FROM pragma_foreign_key_check({place}) LIMIT 1")) else {
        return Ok(false);
    };
    let says = |words: &str| words.contains("foreign key mismatch");
    if !says(error.message()) && !error.causes().iter().any(|words| says(words)) {
        return Err(error);
    }
    let keys = ask.query(&format!("SELECT DISTINCT id FROM pragma_foreign_key_list({place})"))?;
    Ok(keys.len() == 1)
}

fn refers(sql: &str, table: &str) -> bool {
    Table::read(sql).is_some_and(|other| {
        other
            .constraints()
            .any(|(_, clause)| matches!(&clause.kind, ClauseKind::References(key) if key.table.is(table)))
    })
}
