//! The views and triggers that do not compile in the database as it is.

use crate::code::Code;
use crate::dialect::sqlite::inspect::{self, Object, State};
use crate::dialect::sqlite::oracle::{self, Probe};
use crate::dialect::sqlite::session;
use crate::dialect::{Ask, Scratch};
use crate::error::Result;
use crate::sql::write::{quoted, sqlite_literal};

/// The views and triggers of the table's schema that SQLite's own RENAME and DROP COLUMN cannot read in the database as
/// it is. They refuse while there is one, whatever it has to do with the table, and lead every other one along.
pub(super) fn broken_anyway(ask: &mut dyn Ask, state: &State) -> Result<Vec<Object>> {
    let refused = refused_in(ask, &state.schema)?;
    let suspects = refused.iter().filter(|(_, words)| !session::is_registered(words));
    let mut broken: Vec<Object> = suspects.map(|(object, _)| object.clone()).collect();
    if !broken.is_empty() {
        leave_readable(ask, &state.schema, &refused, &mut broken)?;
    }
    Ok(broken)
}

/// What cannot be compiled may be read all the same: a statement that fires a trigger needs the parents of foreign keys, and
/// columns that it may set. So RENAME itself is asked about each, beside what it can read.
fn leave_readable(
    ask: &mut dyn Ask,
    schema: &str,
    refused: &[(Object, String)],
    broken: &mut Vec<Object>,
) -> Result<()> {
    let mut scratch = ask.scratch()?;
    let made = made(ask, schema)?;
    let is_refused = |kind: &str, name: &str| {
        let mut refused = refused.iter();
        refused.any(|(object, _)| object.kind == kind && object.name == name)
    };
    let mut name = "sqlrev_tried".to_owned();
    while made.iter().any(|(_, taken, _)| taken.eq_ignore_ascii_case(&name)) {
        name.push('_');
    }
    let tried = Tried(quoted(&name, '"'));
    let mut ready = scratch.execute(&format!("CREATE TABLE {} (x)", tried.0)).is_ok();
    make_own(scratch.as_mut(), &name, schema, ask)?;
    let views: Vec<&(String, String, String)> = made.iter().filter(|(kind, ..)| kind == "view").collect();
    for (.., sql) in made.iter().filter(|(kind, ..)| kind != "view") {
        // What is not made there is missed by what needs it.
        let _ = scratch.execute(sql);
    }
    for (kind, name, sql) in &views {
        if !is_refused(kind, name) {
            let _ = scratch.execute(sql);
        }
    }
    if !tried.renames(scratch.as_mut()) {
        // Something in scratch itself is in the way of some view.
        for (.., name, _) in &views {
            let _ = scratch.execute(&format!("DROP VIEW {}", quoted(name, '"')));
        }
        ready &= tried.renames(scratch.as_mut());
        for (kind, name, sql) in &views {
            if !is_refused(kind, name) && scratch.execute(sql).is_ok() && !tried.renames(scratch.as_mut()) {
                let _ = scratch.execute(&format!("DROP VIEW {}", quoted(name, '"')));
            }
        }
    }
    if ready {
        let suspects = std::mem::take(broken);
        tried.unreadable(scratch.as_mut(), &suspects, broken);
    }
    Ok(())
}

/// Makes the tables of SQLite's own that a schema has, which views may read; by way of one of this name.
///
/// # Errors
/// What the database says to the question.
pub(super) fn make_own(scratch: &mut dyn Scratch, name: &str, schema: &str, ask: &mut dyn Ask) -> Result<()> {
    let own = ask.query(&format!(
        "SELECT CASE name WHEN 'sqlite_stat1' THEN 'ANALYZE' ELSE {} END \
         FROM {}.sqlite_schema WHERE name IN ('sqlite_stat1', 'sqlite_sequence')",
        sqlite_literal(&format!(
            "CREATE TABLE {} (x INTEGER PRIMARY KEY AUTOINCREMENT)",
            quoted(&format!("{name}_counted"), '"')
        )),
        quoted(schema, '"')
    ))?;
    for sql in own.iter().flatten().flatten() {
        let _ = scratch.execute(sql);
    }
    Ok(())
}

/// A table of scratch that nothing reads.
struct Tried(String);

impl Tried {
    /// Whether SQLite renames anything there.
    fn renames(&self, scratch: &mut dyn Scratch) -> bool {
        let sql = format!("ALTER TABLE {} RENAME COLUMN x TO x", self.0);
        scratch.execute(&sql).is_ok()
    }

    /// Makes those that SQLite can read there, and gives the others. All at once if that goes, else half by half: each RENAME
    /// reads everything.
    fn unreadable(&self, scratch: &mut dyn Scratch, suspects: &[Object], broken: &mut Vec<Object>) {
        let made: Vec<bool> = suspects
            .iter()
            .map(|object| scratch.execute(&object.sql).is_ok())
            .collect();
        if made.iter().all(|made| *made) && self.renames(scratch) {
            return;
        }
        let there = suspects.iter().zip(made).rev().filter(|(_, made)| *made);
        for (object, _) in there {
            let _ = scratch.execute(&oracle::dropped(object));
        }
        match suspects {
            [] => {}
            [one] => broken.push(one.clone()),
            _ => {
                let (first, rest) = suspects.split_at(suspects.len() / 2);
                self.unreadable(scratch, first, broken);
                self.unreadable(scratch, rest, broken);
            }
        }
    }
}

/// Makes the tables, indexes and views of a schema on scratch, as far as they can be made there, with foreign keys off.
///
/// # Errors
/// What the database says to the question.
pub(super) fn build(scratch: &mut dyn Scratch, schema: &str, ask: &mut dyn Ask) -> Result<()> {
    for (.., sql) in made(ask, schema)? {
        // What is not made there is missed by what needs it.
        let _ = scratch.execute(&sql);
    }
    let _ = scratch.execute("PRAGMA foreign_keys = OFF");
    Ok(())
}

/// The tables, indexes and views of a schema as they were made: kind, name and definition. What may be a part of a virtual
/// table comes last: such a table makes its parts itself, and after VACUUM they stand first and would be in the way. By the
/// name alone it may also be a table that the virtual one needs, so virtual tables come once more behind them.
fn made(ask: &mut dyn Ask, schema: &str) -> Result<Vec<(String, String, String)>> {
    let rows = |condition: &str| {
        format!(
            "SELECT type, name, sql FROM {}.sqlite_schema WHERE type <> 'trigger' AND sql IS NOT NULL AND {condition} \
             ORDER BY rowid",
            quoted(schema, '"')
        )
    };
    let part = format!(
        "tbl_name IN (SELECT name FROM pragma_table_list WHERE schema = {} AND type = 'shadow')",
        sqlite_literal(schema)
    );
    let virtual_ones = ask.query(&rows("lower(substr(sql, 1, 20)) = 'create virtual table'"))?;
    // SQLite tells the parts from 3.37 on.
    let whole = (!virtual_ones.is_empty())
        .then(|| ask.query(&rows(&format!("NOT {part}"))))
        .and_then(Result::ok);
    let found = match whole {
        Some(mut whole) => {
            whole.extend(ask.query(&rows(&part))?);
            whole.extend(virtual_ones);
            whole
        }
        None => ask.query(&rows("1"))?,
    };
    let made = found.into_iter().map(|row| {
        let mut values = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || values.next().unwrap_or_default();
        (next(), next(), next())
    });
    Ok(made.collect())
}

/// Those of some views and triggers of one schema that do not compile, each with what SQLite says of it alone.
///
/// # Errors
/// What the database says to the questions.
pub(super) fn among(ask: &mut dyn Ask, schema: &str, objects: &[&Object]) -> Result<Vec<(Object, String)>> {
    let mut broken = Vec::new();
    for object in objects {
        let mut columns = |table: &str| ask.query(&oracle::settable(table)).unwrap_or_default();
        let probes = oracle::probes(&mut columns, &[], &[object]);
        if let Some(words) = first_refused(ask, &probes)?
            && !session::is_registered(&words)
        {
            broken.push(((*object).clone(), words));
        }
    }
    if broken.iter().all(|(object, _)| object.kind == "view") {
        return Ok(broken);
    }
    // A statement that fires a trigger compiles all of its table.
    let mut scratch = ask.scratch()?;
    build(scratch.as_mut(), schema, ask)?;
    for (object, words) in broken.iter_mut().filter(|(object, _)| object.kind == "trigger") {
        if scratch.execute(&object.sql).is_ok() {
            if let Some(alone) = oracle::refused(scratch.as_mut(), object) {
                *words = alone;
            }
            let _ = scratch.execute(&oracle::dropped(object));
        }
    }
    Ok(broken)
}

/// The views and triggers of a schema that do not compile, whatever RENAME makes of them, and what SQLite says of each.
pub(super) fn of(ask: &mut dyn Ask, schema: &str) -> Result<Vec<(Object, String)>> {
    let refused = refused_in(ask, schema)?.into_iter();
    let (unknown, mut refused): (Vec<_>, Vec<_>) = refused.partition(|(_, words)| session::is_registered(words));
    if unknown.is_empty() {
        return Ok(refused);
    }
    // What an application gives to its connections has something in its place on scratch.
    let mut scratch = ask.scratch()?;
    build(scratch.as_mut(), schema, ask)?;
    for (object, _) in unknown {
        if scratch.execute(&object.sql).is_ok() {
            let words = oracle::refused(scratch.as_mut(), &object);
            let _ = scratch.execute(&oracle::dropped(&object));
            refused.extend(
                words
                    .filter(|words| !session::is_registered(words))
                    .map(|words| (object, words)),
            );
        }
    }
    Ok(refused)
}

fn refused_in(ask: &mut dyn Ask, schema: &str) -> Result<Vec<(Object, String)>> {
    let all = inspect::views_and_triggers(ask, schema)?;
    let mut broken: Vec<(Object, String)> = Vec::new();
    // Many triggers stand for one statement, which compiles all of them.
    let mut known: Vec<(Vec<Probe>, Option<String>)> = Vec::new();
    // Views stand before triggers: the trigger of a broken view is broken as well.
    for object in &all {
        let mut columns = |table: &str| ask.query(&oracle::settable(table)).unwrap_or_default();
        let mut probes = oracle::probes(&mut columns, &[], &[object]);
        for probe in &mut probes {
            probe.object.clear();
        }
        let on_broken = (object.kind == "trigger")
            .then(|| {
                let mut others = broken.iter();
                others.find(|(other, _)| other.name.eq_ignore_ascii_case(&object.table))
            })
            .flatten();
        let words = match on_broken {
            Some((_, words)) => Some(words.clone()),
            None => match known.iter().find(|(same, _)| *same == probes) {
                Some((_, words)) => words.clone(),
                None => {
                    let words = first_refused(ask, &probes)?;
                    known.push((probes, words.clone()));
                    words
                }
            },
        };
        broken.extend(words.map(|words| (object.clone(), words)));
    }
    leave_sound(ask, schema, &mut broken)?;
    Ok(broken)
}

/// Leaves those triggers out that compile where the broken ones are not: a statement that fires one compiles all of them,
/// and SQLite leads the sound ones along.
fn leave_sound(ask: &mut dyn Ask, schema: &str, broken: &mut Vec<(Object, String)>) -> Result<()> {
    // A trigger of a broken view goes with it.
    let views: Vec<String> = broken
        .iter()
        .filter(|(object, _)| object.kind == "view")
        .map(|(object, _)| object.name.to_ascii_lowercase())
        .collect();
    let tainted = |(object, words): &(Object, String)| {
        let on_view = || views.contains(&object.table.to_ascii_lowercase());
        object.kind == "trigger" && !session::is_registered(words) && !on_view()
    };
    if broken.iter().filter(|one| tainted(one)).count() < 2 {
        return Ok(());
    }
    let lacks_column = |one: &(Object, String)| tainted(one) && one.1.contains("no such column: ");
    if broken.iter().any(lacks_column) && ask.query("SELECT \"sqlrev\"").is_err() {
        // No name in double quotes is a text here, and scratch takes one for it: those that say the name are to blame.
        let says = |(object, words): &(Object, String)| {
            let name = words.rsplit("no such column: ").next().unwrap_or_default();
            let name = name.trim_start_matches('"').split('"').next().unwrap_or_default();
            object
                .sql
                .to_ascii_lowercase()
                .contains(&format!("\"{}\"", name.to_ascii_lowercase()))
        };
        let said: Vec<bool> = broken.iter().map(|one| tainted(one) && says(one)).collect();
        if said.contains(&true) {
            let mut said = said.into_iter();
            broken.retain(|one| said.next().unwrap_or(true) || !tainted(one));
        }
        return Ok(());
    }
    let mut scratch = ask.scratch()?;
    build(scratch.as_mut(), schema, ask)?;
    broken.retain(|one| {
        let (object, _) = one;
        if !tainted(one) || scratch.execute(&object.sql).is_err() {
            return true;
        }
        let sound = oracle::compile(scratch.as_mut(), &[object]);
        !sound && scratch.execute(&oracle::dropped(object)).is_ok()
    });
    Ok(())
}

/// What SQLite says of the first probe that it does not take; rather of one that nothing registered would mend.
fn first_refused(ask: &mut dyn Ask, probes: &[Probe]) -> Result<Option<String>> {
    let mut first = None;
    for probe in probes {
        match ask.query(&probe.compiled()) {
            Ok(_) => {}
            Err(error) if error.code() == Code::Interrupted => return Err(error),
            Err(error) => {
                let words = error.causes().first().map_or(error.message(), String::as_str);
                if !session::is_registered(words) {
                    return Ok(Some(words.to_owned()));
                }
                first = first.or_else(|| Some(words.to_owned()));
            }
        }
    }
    Ok(first)
}
