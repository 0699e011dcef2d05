//! The programs that SQLite compiles from views, triggers and a table's own expressions (opcode.html). They go by what a name
//! is taken for, and not by the name: where nothing but a name changes, another program means something else. This sees
//! what no reading of words does, such as a name that falls to a column which a view brings with a star.

use std::collections::BTreeMap;

use crate::dialect::sqlite::inspect::{Object, State, words};
use crate::dialect::sqlite::meaning::probes;
use crate::dialect::sqlite::oracle::{self, Probe};
use crate::dialect::sqlite::session;
use crate::dialect::{Ask, Rows, Scratch};
use crate::error::Result;
use crate::sorted::Gather as _;
use crate::sql::write::{quoted, sqlite_literal};

/// A name that nothing has.
const OTHER: &str = "sqlrev_another_name";

/// How what a table does by itself is called.
pub(super) const OWN: &str = "a check, an index or a computed column of";

/// What changes.
pub(super) enum Change<'c> {
    /// A column comes.
    Add(&'c str),
    /// A column goes.
    Drop(&'c str),
    /// A column gets another name.
    RenameColumn(&'c str, &'c str),
    /// The table gets another name.
    RenameTable(&'c str),
}

/// What has another program afterwards.
pub(super) struct Found {
    /// The view or trigger, or a statement for the table itself.
    pub(super) object: String,
    /// SQLite's words, where it has no program any more.
    pub(super) broken: Option<String>,
}

/// The first view or trigger that a change gives another meaning, or the table itself; nothing where scratch cannot say.
///
/// # Errors
/// Those of scratch.
pub(super) fn changed(state: &State, change: &Change<'_>, ask: &mut dyn Ask) -> Result<Option<Found>> {
    let names: Vec<&str> = match change {
        Change::Add(name) | Change::Drop(name) | Change::RenameTable(name) => vec![name],
        Change::RenameColumn(from, to) => vec![from, to],
    };
    let says = |sql: &str| {
        let words = words(sql);
        names.iter().any(|name| words.contains(&name.to_ascii_lowercase()))
    };
    let readers = state.related.iter().chain(&state.triggers);
    let mut readers = readers.filter(|object| matches!(object.kind.as_str(), "view" | "trigger"));
    // What is no name until a column has it: `true`.
    let own = match change {
        Change::Add(name) | Change::RenameColumn(_, name) => {
            let texts = state.indexes.iter().map(|index| index.sql.as_str());
            let mut texts = texts.chain([state.table.text()]);
            texts.any(|sql| words(sql).contains(&name.to_ascii_lowercase()))
        }
        _ => false,
    };
    // SQLite writes a new name of the table into some triggers that do not say it: `excluded.a`.
    let any = matches!(change, Change::RenameTable(_));
    if !own && !readers.any(|object| any || says(&object.sql)) {
        return Ok(None);
    }
    let table = state.table.name().text.as_str();
    let alter = |action: String| format!("ALTER TABLE {} {action}", quoted(table, '"'));
    let rename = |from: &str, to: &str| alter(format!("RENAME COLUMN {} TO {}", quoted(from, '"'), quoted(to, '"')));
    let add = |name: &str| alter(format!("ADD COLUMN {}", quoted(name, '"')));
    let (mut before, mut after) = (ask.scratch()?, ask.scratch()?);
    let built = match change {
        Change::Add(name) => {
            built(before.as_mut(), state, Some(&add(OTHER))) && built(after.as_mut(), state, Some(&add(name)))
        }
        Change::RenameColumn(from, to) => {
            built(before.as_mut(), state, None) && built(after.as_mut(), state, Some(&rename(from, to)))
        }
        Change::RenameTable(to) => {
            let rename = alter(format!("RENAME TO {}", quoted(to, '"')));
            built(before.as_mut(), state, None) && built(after.as_mut(), state, Some(&rename))
        }
        Change::Drop(name) => match unfollowed(state, &rename(name, OTHER), ask)? {
            Some(other) => {
                // What says the column breaks without it, and is told of as such.
                built(after.as_mut(), &other, None) && built(before.as_mut(), &left(state, after.as_mut()), None)
            }
            None => false,
        },
    };
    if !built {
        return Ok(None);
    }
    Ok(differs(before.as_mut(), after.as_mut(), table, change))
}

/// Builds everything around the table that compiles, and runs a statement.
fn built(scratch: &mut dyn Scratch, state: &State, statement: Option<&str>) -> bool {
    let related: Vec<&Object> = state.related.iter().collect();
    let hanging: Vec<&Object> = state.indexes.iter().chain(&state.triggers).collect();
    let done = oracle::build_sound(scratch, &related, state.table.text(), &hanging);
    let done = done.and_then(|()| statement.map_or(Ok(()), |statement| scratch.execute(statement)));
    done.is_ok()
}

/// The table with its indexes after a rename that views and triggers do not follow.
fn unfollowed(state: &State, rename: &str, ask: &mut dyn Ask) -> Result<Option<State>> {
    let reads = |object: &&Object| !matches!(object.kind.as_str(), "view" | "trigger");
    let alone = State {
        related: state.related.iter().filter(reads).cloned().collect(),
        triggers: Vec::new(),
        ..state.clone()
    };
    let mut scratch = ask.scratch()?;
    if !built(scratch.as_mut(), &alone, Some(rename)) {
        return Ok(None);
    }
    let mut now = |kind: &str, name: &str| {
        let sql = format!(
            "SELECT sql FROM sqlite_schema WHERE type = {} AND name = {}",
            sqlite_literal(kind),
            sqlite_literal(name)
        );
        let rows = scratch.query(&sql).unwrap_or_default();
        rows.into_iter().flatten().flatten().next()
    };
    let text = now("table", &state.table.name().text);
    let Some(table) = text.and_then(|text| crate::dialect::sqlite::table::Table::read(&text)) else {
        return Ok(None);
    };
    let mut other = State { table, ..state.clone() };
    for index in &mut other.indexes {
        if let Some(sql) = now("index", &index.name) {
            index.sql = sql;
        }
    }
    Ok(Some(other))
}

/// A table with those views and triggers alone that scratch has.
fn left(state: &State, scratch: &mut dyn Scratch) -> State {
    let rows =
        scratch.query("SELECT type, name FROM sqlite_schema UNION ALL SELECT type, name FROM sqlite_temp_schema");
    let there: Vec<Vec<Option<String>>> = rows.unwrap_or_default();
    let stays = |object: &&Object| {
        !matches!(object.kind.as_str(), "view" | "trigger")
            || there
                .iter()
                .any(|row| row[0].as_deref() == Some(&object.kind) && row[1].as_deref() == Some(&object.name))
    };
    State {
        related: state.related.iter().filter(stays).cloned().collect(),
        triggers: state.triggers.iter().filter(stays).cloned().collect(),
        ..state.clone()
    }
}

/// The first thing whose program is another one, or that has none any more.
fn differs(before: &mut dyn Scratch, after: &mut dyn Scratch, table: &str, change: &Change<'_>) -> Option<Found> {
    let to = match change {
        Change::RenameTable(to) => Some(*to),
        _ => None,
    };
    // What says a column that goes breaks, and is told of as such.
    let goes = matches!(change, Change::Drop(_));
    let mut pairs: Vec<(Vec<String>, String, String)> = Vec::new();
    let now: BTreeMap<String, String> = all(after, to.unwrap_or(table))
        .into_iter()
        .map(|probe| (probe.object, probe.sql))
        .into_map();
    for Probe { object, sql } in all(before, table) {
        // Many triggers stand for one statement.
        let Some(other) = now.get(&object) else { continue };
        let pair = pairs.iter_mut().find(|(_, known, same)| *known == sql && same == other);
        match pair {
            Some((objects, ..)) => objects.push(object),
            None => pairs.push((vec![object], sql, other.clone())),
        }
    }
    let (roots, new_roots) = (Known::of(before), Known::of(after));
    let names = to.map(|to| [table, to]);
    pairs.into_iter().find_map(|(objects, sql, other)| {
        let object = one_of(&objects);
        let old = program(before.query(&format!("EXPLAIN {sql}")).ok()?, &roots, names);
        match after.query(&format!("EXPLAIN {other}")) {
            Ok(rows) => (old != program(rows, &new_roots, names)).then_some(Found { object, broken: None }),
            Err(error) => (!goes).then_some(Found {
                object,
                broken: Some(error.message),
            }),
        }
    })
}

/// Which of them it is, as far as one statement tells.
fn one_of(objects: &[String]) -> String {
    match objects {
        [object] => object.clone(),
        [one, other] => format!("{one} or {other}"),
        [first, rest @ ..] => format!("{first} or one of {} others like it", rest.len()),
        [] => String::new(),
    }
}

/// The statements for all views and triggers, and for the table itself.
fn all(scratch: &mut dyn Scratch, table: &str) -> Vec<Probe> {
    let mut all = probes(scratch);
    let name = quoted(table, '"');
    let column = scratch.query(&oracle::settable(table)).unwrap_or_default();
    let column = column.into_iter().flatten().flatten().next();
    let update = column.map(|column| format!("UPDATE {name} SET {0} = {0}", quoted(&column, '"')));
    let own = [Some(format!("INSERT INTO {name} DEFAULT VALUES")), update];
    let objects = [
        format!("{OWN} `{table}` at an INSERT"),
        format!("{OWN} `{table}` at an UPDATE"),
    ];
    all.extend(
        objects
            .into_iter()
            .zip(own)
            .filter_map(|(object, sql)| Some(Probe { object, sql: sql? })),
    );
    all
}

/// What the programs of a database say that those of another one like it say otherwise.
struct Known {
    /// The first pages of tables and indexes, in the order in which they were made.
    roots: Vec<String>,
    /// What stands for functions of an application: EXPLAIN takes `unknown()` for them, where it is built so.
    lent: Vec<String>,
}

impl Known {
    fn of(scratch: &mut dyn Scratch) -> Self {
        let mut texts = |sql| {
            let rows = scratch.query(sql).unwrap_or_default();
            rows.into_iter().flatten().flatten().collect()
        };
        Self {
            roots: texts("SELECT rootpage FROM sqlite_schema WHERE rootpage > 0 ORDER BY rowid"),
            lent: texts(session::LENT),
        }
    }
}

impl Known {
    /// Whether a function, with the number of its arguments, is lent.
    fn lends(&self, function: &str) -> bool {
        function
            .strip_suffix("(-1)")
            .is_some_and(|name| self.lent.iter().any(|lent| lent == name))
    }
}

/// A program without what goes by names and by the place in the file: messages, the first pages, and both `names` of the
/// table, by which AUTOINCREMENT looks for its counter.
fn program(rows: Rows, known: &Known, names: Option<[&str; 2]>) -> Vec<Vec<String>> {
    let of = |row: Vec<Option<String>>| {
        let mut row: Vec<String> = row.into_iter().map(Option::unwrap_or_default).collect();
        // addr, opcode, p1 to p5, comment
        row.truncate(7);
        let opcode = row.get(1).cloned().unwrap_or_default();
        if row.len() < 7 {
            return row;
        }
        match opcode.as_str() {
            "Explain" => row.truncate(2),
            "Transaction" => row.truncate(4),
            "Halt" | "HaltIfNull" | "IdxDelete" | "Init" | "Insert" | "Delete" | "Trace" | "TypeCheck" => {
                row[5].clear();
            }
            "OpenRead" | "OpenWrite" | "ReopenIdx" => {
                if let Some(at) = known.roots.iter().position(|page| *page == row[3]) {
                    row[3] = at.to_string();
                }
            }
            "Function" | "PureFunc" if known.lends(&row[5]) => "unknown(-1)".clone_into(&mut row[5]),
            _ if row[5].starts_with("vtab:") => row[5].clear(),
            "String8" if names.is_some_and(|names| names.contains(&row[5].as_str())) => row[5].clear(),
            _ => {}
        }
        row
    };
    rows.into_iter().map(of).collect()
}
