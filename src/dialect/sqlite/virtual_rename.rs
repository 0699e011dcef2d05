//! A virtual table gets another name: SQLite follows it into views and triggers, but not into what goes by the name in
//! another way.

use crate::dialect::sqlite::dependents::refuse as refuse_in;
use crate::dialect::sqlite::inspect::{Object, objects, views_and_triggers, words};
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::{oracle, uncompiled};
use crate::dialect::{Ask, Scratch};
use crate::error::Result;
use crate::sql::parse::alter::{ActionKind, Alter};
use crate::sql::write::{quoted, sqlite_literal};

/// Refuses to rename one whose name others go by: virtual tables that read it (FTS5's and FTS4's lists of words), and
/// triggers that write to the hidden column which has its name, by which FTS takes commands.
///
/// # Errors
/// `batch::in_use`, and what the database says to the questions.
pub(super) fn refuse(object: &Object, alter: &Alter, site: &Site<'_>, ask: &mut dyn Ask) -> Result<()> {
    let rows = ask.query(&format!(
        "SELECT type, name, tbl_name, sql FROM {}.sqlite_schema WHERE lower(substr(sql, 1, 20)) = 'create virtual table' \
         AND name <> {} COLLATE NOCASE ORDER BY rowid",
        quoted(&object.schema, '"'),
        sqlite_literal(&object.name)
    ))?;
    let name = object.name.to_ascii_lowercase();
    if let Some(other) = objects(&object.schema, rows)
        .iter()
        .find(|other| words(&other.sql).contains(&name))
    {
        let what = format!("virtual table `{}`", other.name);
        return Err(refuse_in(
            site,
            &what,
            "goes by the old name, and SQLite leaves it there",
        ));
    }
    let mut triggers = views_and_triggers(ask, &object.schema)?;
    if object.schema != "temp" {
        triggers.extend(views_and_triggers(ask, "temp")?);
    }
    triggers.retain(|trigger| trigger.kind == "trigger" && words(&trigger.sql).contains(&name));
    let [ActionKind::RenameTable(to)] = alter.actions.iter().map(|action| &action.kind).collect::<Vec<_>>()[..] else {
        return Ok(());
    };
    if triggers.is_empty() {
        return Ok(());
    }
    let mut scratch = ask.scratch()?;
    uncompiled::build(scratch.as_mut(), &object.schema, ask)?;
    let sound = |scratch: &mut dyn Scratch, trigger: &Object| oracle::refused(scratch, trigger).is_none();
    for trigger in &triggers {
        // One at a time: a statement that fires a trigger compiles all of its table.
        if scratch.execute(&trigger.sql).is_err() || !sound(scratch.as_mut(), trigger) {
            let _ = scratch.execute(&oracle::dropped(trigger));
            continue;
        }
        let [from, to] = [&object.name, &to.text].map(|name| quoted(name, '"'));
        if scratch.execute(&format!("ALTER TABLE {from} RENAME TO {to}")).is_err() {
            return Ok(());
        }
        if !sound(scratch.as_mut(), trigger) {
            let what = format!("trigger `{}`", trigger.name);
            let why = "writes to the column that has the name of the table, and SQLite leaves that name in it";
            return Err(refuse_in(site, &what, why));
        }
        let back = scratch.execute(&oracle::dropped(trigger));
        if back.is_err() || scratch.execute(&format!("ALTER TABLE {to} RENAME TO {from}")).is_err() {
            return Ok(());
        }
    }
    Ok(())
}
