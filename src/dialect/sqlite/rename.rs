//! RENAME TO and RENAME COLUMN: SQLite does them itself, and follows the name into views, triggers and references.

use crate::code::Code;
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::inspect::{Object, State};
use crate::dialect::sqlite::program::Change;
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::stepping::Aside;
use crate::dialect::sqlite::table::Table;
use crate::dialect::sqlite::{aside, captures, expr, kept, oracle, prove, strangers, uncompiled};
use crate::dialect::{AlterStatement, Ask, Op, Rewrite, Scratch, ScratchError, Setting};
use crate::error::Result;
use crate::sql::parse::alter::{self as parse, ActionKind};
use crate::sql::parse::cursor::Name;
use crate::sql::split::SQLITE;
use crate::sql::token::{significant, unquoted};
use crate::sql::write::{quoted, sqlite_literal};

/// A rename that runs before the other statements of a run.
#[derive(Debug)]
pub(super) struct Early {
    /// Which of the run's statements says it.
    pub(super) at: usize,
    /// Which of the statement's actions.
    pub(super) action: usize,
    /// The action says nothing else.
    pub(super) whole: bool,
    /// The old name.
    from: String,
    /// The new name.
    to: String,
    /// The rename where there is only one schema.
    on_scratch: String,
    /// The rename as SQLite runs it.
    sql: String,
}

/// The renames of a run that may as well come first, because nothing before them uses either name: then everything
/// around them needs only one copy. The rename that MySQL's CHANGE says along is one of them.
pub(super) fn early(run: &[AlterStatement]) -> Vec<Early> {
    let mut early = Vec::new();
    let mut before: Vec<&str> = Vec::new();
    for (at, statement) in run.iter().enumerate() {
        let Ok(alter) = parse::read(&statement.text) else { break };
        for (index, action) in alter.actions.iter().enumerate() {
            let said = &statement.text[action.span.clone()];
            let renames = match &action.kind {
                ActionKind::RenameTable(_) => return early,
                ActionKind::RenameColumn { from, to } => Some((from, to, true)),
                ActionKind::ChangeColumn { from, column, .. } => Some((from, &column.name, false)),
                _ => None,
            };
            let renames = renames.filter(|(from, to, whole)| *whole || !to.is(&from.text));
            let Some((from, to, whole)) = renames else {
                before.push(said);
                continue;
            };
            let used = |name: &Name| before.iter().any(|before| uses(before, &name.text));
            if used(from) || used(to) {
                return early;
            }
            let words = |name: &Name| &statement.text[name.span.clone()];
            let schema = alter.schema.as_ref().map(|schema| format!("{}.", words(schema)));
            let table = words(&alter.table);
            let sql = |schema: &str| {
                let (from, to) = (words(from), words(to));
                format!("ALTER TABLE {schema}{table} RENAME COLUMN {from} TO {to}")
            };
            let (on_scratch, sql) = (sql(""), sql(&schema.unwrap_or_default()));
            early.push(Early {
                at,
                action: index,
                whole,
                from: from.text.clone(),
                to: to.text.clone(),
                on_scratch,
                sql,
            });
            // Renames keep their order among themselves; what a CHANGE says besides comes after all of them.
            if !whole {
                before.push(said);
            }
        }
    }
    early
}

/// Whether a statement uses a column, or may speak of a constraint whose default name is made of the column's.
fn uses(statement: &str, column: &str) -> bool {
    // A directive is a comment, whose words are read all the same.
    let statement = statement.strip_prefix("--").unwrap_or(statement);
    let part = format!("_{}", column.to_ascii_lowercase());
    let by_default = |name: &str| {
        let ends = ["_key", "_fkey", "_check", "_not_null", "_idx"];
        name.contains(&part)
            && ends
                .iter()
                .any(|end| name.trim_end_matches(char::is_numeric).ends_with(end))
    };
    expr::mentions(statement, column)
        || significant(statement, &SQLITE)
            .any(|token| by_default(&unquoted(&statement[token.span]).to_ascii_lowercase()))
}

/// The table with everything that hangs on it after some of a run's statements, as SQLite does them on scratch;
/// `None` when there are none or scratch cannot say.
pub(super) fn renamed(state: &State, early: &[Early], ask: &mut dyn Ask) -> Result<Option<State>> {
    if early.is_empty() {
        return Ok(None);
    }
    let related: Vec<&Object> = state.related.iter().collect();
    let hanging: Vec<&Object> = state.indexes.iter().chain(&state.triggers).collect();
    let all = || related.iter().chain(&hanging);
    let is_same = |one: &Object, other: &Object| {
        one.kind == other.kind && one.name.eq_ignore_ascii_case(&other.name) && one.schema != other.schema
    };
    if all().any(|one| all().any(|other| is_same(one, other))) {
        // Scratch has one schema, where a temporary namesake would get the other one's text.
        return Ok(None);
    }
    // SQLite leads along what it can read, also where it does not compile; beside what it cannot read, which steps aside,
    // nothing.
    let (mut others, mut own) = (related.clone(), hanging.clone());
    let mut scratch = renamed_in(early, state, [&others, &own], oracle::build, ask)?;
    if scratch.is_none() {
        let broken = uncompiled::broken_anyway(ask, state)?;
        others.retain(|object| !broken.contains(object));
        own.retain(|object| !broken.contains(object));
        scratch = renamed_in(early, state, [&others, &own], oracle::build, ask)?;
    }
    if scratch.is_none() {
        scratch = renamed_in(early, state, [&related, &hanging], oracle::build_sound, ask)?;
    }
    let Some(mut scratch) = scratch else {
        return Ok(None);
    };
    let Ok(rows) = scratch.query("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL") else {
        return Ok(None);
    };
    let now = |kind: &str, name: &str| {
        let row = rows
            .iter()
            .find(|row| row[0].as_deref() == Some(kind) && row[1].as_deref() == Some(name));
        row.and_then(|row| row[2].clone())
    };
    let mut state = state.clone();
    let Some(table) = now("table", &state.table.name().text).and_then(|text| Table::read(&text)) else {
        return Ok(None);
    };
    state.table = table;
    for object in state
        .indexes
        .iter_mut()
        .chain(&mut state.triggers)
        .chain(&mut state.related)
    {
        // One that does not compile stays as it is.
        if let Some(sql) = now(&object.kind, &object.name) {
            object.sql = sql;
        } else if !matches!(object.kind.as_str(), "view" | "trigger") {
            return Ok(None);
        }
    }
    Ok(Some(state))
}

/// How a table and what hangs on it are made on scratch.
type Build = fn(&mut dyn Scratch, &[&Object], &str, &[&Object]) -> std::result::Result<(), ScratchError>;

/// Scratch with a table and these objects, after some renames; none where it cannot be.
fn renamed_in(
    early: &[Early],
    state: &State,
    [related, hanging]: [&[&Object]; 2],
    build: Build,
    ask: &mut dyn Ask,
) -> Result<Option<Box<dyn Scratch>>> {
    let mut scratch = ask.scratch()?;
    let _ = scratch.execute("PRAGMA foreign_keys = OFF");
    uncompiled::make_own(scratch.as_mut(), "sqlrev_own", &state.schema, ask)?;
    let built = build(scratch.as_mut(), related, state.table.text(), hanging).is_ok();
    let renames = built && early.iter().all(|rename| scratch.execute(&rename.on_scratch).is_ok());
    Ok(renames.then_some(scratch))
}

/// The steps of the renames that come first, before the others of the rewrite.
pub(super) fn first(
    rewrite: &mut Rewrite,
    early: &[Early],
    site: &Site<'_>,
    state: &State,
    ask: &mut dyn Ask,
) -> Result<()> {
    let broken = uncompiled::broken_anyway(ask, state)?;
    let renamed: Vec<&str> = early.iter().map(|rename| rename.from.as_str()).collect();
    let aside = Aside::of(&broken, &renamed, state, site, ask)?;
    let mut ops = Vec::new();
    if ask.offline() {
        ops.extend(aside.checks(&broken, state, site, ask)?);
        ops.push(strangers::none_virtual(state, site.index, ask)?);
        for rename in early {
            ops.push(strangers::none_takes(state, &rename.to, rename.at, ask)?);
        }
    }
    ops.extend(aside.goes(site));
    if ask.offline() {
        ops.push(strangers::none_uncompiled(state, site.index, ask)?);
    }
    ops.push(Op::Set(Setting::LegacyAlterTable, Some(false)));
    ops.extend(early.iter().map(|rename| Op::sql(rename.sql.clone(), rename.at)));
    ops.push(Op::Set(Setting::LegacyAlterTable, None));
    ops.extend(aside.comes_back(site));
    rewrite.ops.splice(0..0, ops);
    rewrite.broken.extend(named(&broken));
    Ok(())
}

/// Plans a RENAME that stands alone.
pub(super) fn rewrite(site: &Site<'_>, state: &State, kind: &ActionKind, ask: &mut dyn Ask) -> Result<Rewrite> {
    if let ActionKind::RenameTable(to) = kind
        && is_legacy(ask)?
    {
        return Ok(legacy(site, state, to));
    }
    let broken = uncompiled::broken_anyway(ask, state)?;
    if matches!(kind, ActionKind::RenameTable(_)) {
        refuse_own(site, state, &broken)?;
    }
    if let ActionKind::RenameTable(to) = kind {
        captures::programs(state, &Change::RenameTable(&to.text), site, ask)?;
    }
    let renamed = match kind {
        ActionKind::RenameColumn { from, .. } => &from.text,
        _ => &state.table.name().text,
    };
    let aside = Aside::of(&broken, &[renamed], state, site, ask)?;
    let mut ops = Vec::new();
    if ask.offline() {
        ops.extend(match kind {
            ActionKind::RenameColumn { to, .. } => Some(strangers::none_takes(state, &to.text, site.index, ask)?),
            ActionKind::RenameTable(to) => Some(strangers::none_calls(state, &to.text, site.index, ask)?),
            _ => None,
        });
        ops.push(strangers::none_virtual(state, site.index, ask)?);
        ops.extend(aside.checks(&broken, state, site, ask)?);
    }
    ops.extend(aside.goes(site));
    if ask.offline() {
        // SQLite looks at no view behind one that it cannot read, so those that are known step aside first.
        ops.push(strangers::none_uncompiled(state, site.index, ask)?);
    }
    ops.push(Op::Set(Setting::LegacyAlterTable, Some(false)));
    match kind {
        ActionKind::RenameTable(to) => rename_table(site, state, to, ask, &mut ops)?,
        ActionKind::RenameColumn { from, to } => {
            rename_column(site, state, from, to, &mut ops)?;
            tried(site, state, &broken, &ops, ask)?;
        }
        _ => return Err(site.refuse(Code::BatchInternal, "not a rename", "")),
    }
    ops.push(Op::Set(Setting::LegacyAlterTable, None));
    ops.extend(aside.comes_back(site));
    let probes: Vec<_> = prove::live_probes(ask, state, &|_, _| true)?
        .into_iter()
        .filter(|probe| probe.object.starts_with("view"))
        .collect();
    ops.extend(prove::compiles(&probes, &site.at()));
    Ok(Rewrite {
        table: state.table.name().text.clone(),
        consumed: 1,
        strategy: "native",
        reason: "SQLite follows the new name into views, triggers and references".to_owned(),
        ops,
        notices: Vec::new(),
        broken: named(&broken),
    })
}

/// Whether the author has said `PRAGMA legacy_alter_table = ON`.
pub(super) fn is_legacy(ask: &mut dyn Ask) -> Result<bool> {
    let rows = ask.query("PRAGMA legacy_alter_table")?;
    Ok(rows.into_iter().flatten().flatten().any(|value| value == "1"))
}

/// A RENAME that is meant to leave views, triggers and, with foreign keys off, references alone.
fn legacy(site: &Site<'_>, state: &State, to: &Name) -> Rewrite {
    let sql = plainly(site, &format!("RENAME TO {}", site.words(&to.span)));
    Rewrite {
        table: state.table.name().text.clone(),
        consumed: 1,
        strategy: "native",
        reason: "SQLite runs it as it is written".to_owned(),
        ops: vec![Op::sql(sql, site.index)],
        notices: Vec::new(),
        broken: Vec::new(),
    }
}

/// Refuses to rename a table that something hangs on which does not compile.
fn refuse_own(site: &Site<'_>, state: &State, broken: &[Object]) -> Result<()> {
    let own = |object: &&Object| object.table.eq_ignore_ascii_case(&state.table.name().text);
    let Some(object) = broken.iter().find(own) else {
        return Ok(());
    };
    let message = format!(
        "{} `{}` does not compile, so it cannot follow the table to its new name",
        object.kind, object.name
    );
    Err(site
        .refuse(Code::BatchInUse, message, "")
        .help("drop it, or repair it, first"))
}

fn named(broken: &[Object]) -> Vec<[String; 2]> {
    let all = broken.iter();
    all.map(|object| [object.kind.clone(), object.name.clone()]).collect()
}

fn rename_column(site: &Site<'_>, state: &State, from: &Name, to: &Name, ops: &mut Vec<Op>) -> Result<()> {
    let draft = Draft::new(state, false);
    draft.column(site, from)?;
    if !from.is(&to.text) && draft.position(&to.text).is_some() {
        let message = format!("table `{}` already has a column `{}`", draft.name(), to.text);
        return Err(site.error(Code::BatchDuplicate, message, &to.span, "taken"));
    }
    ops.push(Op::sql(
        plainly(
            site,
            &format!("RENAME COLUMN {} TO {}", site.words(&from.span), site.words(&to.span)),
        ),
        site.index,
    ));
    Ok(())
}

/// Refuses a rename that SQLite will refuse because of a view or a trigger that it does not know how to follow into.
fn tried(site: &Site<'_>, state: &State, broken: &[Object], ops: &[Op], ask: &mut dyn Ask) -> Result<()> {
    let Some(Op::Sql { sql, .. }) = ops.last().filter(|_| state.schema == "main") else {
        return Ok(());
    };
    let whole = |objects: &'_ [Object]| -> Vec<Object> {
        let all = objects.iter().filter(|object| !broken.contains(object));
        all.cloned().collect()
    };
    let (related, indexes, triggers) = (whole(&state.related), whole(&state.indexes), whole(&state.triggers));
    let mut scratch = ask.scratch()?;
    uncompiled::make_own(scratch.as_mut(), "sqlrev_own", &state.schema, ask)?;
    let related: Vec<&Object> = related.iter().collect();
    let hanging: Vec<&Object> = indexes.iter().chain(&triggers).collect();
    if oracle::build(scratch.as_mut(), &related, state.table.text(), &hanging).is_err() {
        return Ok(());
    }
    match scratch.execute(sql) {
        Err(error) if error.message.starts_with("error in view") || error.message.starts_with("error in trigger") => {
            let message = "SQLite does not follow the new name of the column everywhere";
            Err(site
                .refuse(Code::BatchInUse, message, "")
                .cause(error.message)
                .help("drop the view or trigger first and create it anew afterwards, in the same revision"))
        }
        _ => Ok(()),
    }
}

/// The statement as it is written, or in SQLite's words where it says IF EXISTS or ONLY, which SQLite does not know.
fn plainly(site: &Site<'_>, action: &str) -> String {
    let text = &site.statement.text;
    let Some((schema, table)) = parse::table(text) else {
        return text.clone();
    };
    let first = schema.as_ref().unwrap_or(&table).span.start;
    if significant(&text[..first], &SQLITE).count() == 2 {
        return text.clone();
    }
    let name = &text[first..table.span.end];
    format!("ALTER TABLE {name} {action}")
}

fn rename_table(site: &Site<'_>, state: &State, to: &Name, ask: &mut dyn Ask, ops: &mut Vec<Op>) -> Result<()> {
    let from = &state.table.name().text;
    let taken = |ask: &mut dyn Ask, name: &str| -> Result<bool> {
        let rows = ask.query(&format!(
            "SELECT 1 FROM {}.sqlite_schema WHERE name = {} COLLATE NOCASE AND type <> 'trigger'",
            quoted(&state.schema, '"'),
            sqlite_literal(name)
        ))?;
        Ok(!rows.is_empty())
    };
    let same = to.is(from);
    if !same && taken(ask, &to.text)? {
        let message = format!("there is already a table, view or index named `{}`", to.text);
        return Err(site.error(Code::BatchDuplicate, message, &to.span, "taken"));
    }
    if same {
        // SQLite refuses a change of capital letters alone, so the table goes by way of another name.
        let mut between = format!("sqlrev_{from}");
        while taken(ask, &between)? {
            between.push('_');
        }
        let hop = format!("{}.{}", quoted(&state.schema, '"'), quoted(&between, '"'));
        if ask.offline() {
            ops.push(aside::is_free(state, &between, site.index));
        }
        for sql in [
            format!("ALTER TABLE {} RENAME TO {}", state.qualified(), quoted(&between, '"')),
            format!("ALTER TABLE {hop} RENAME TO {}", site.words(&to.span)),
        ] {
            ops.push(Op::sql(sql, site.index));
        }
    } else {
        ops.push(Op::sql(
            plainly(site, &format!("RENAME TO {}", site.words(&to.span))),
            site.index,
        ));
    }
    carry_statistics(site, state, to, ask, ops)?;
    if ask.offline() && !same {
        // What cannot be carried: those of a later table of the old name would be others.
        ops.extend(kept::forget_all(&state.schema, from, site.index));
    }
    Ok(())
}

/// SQLite leaves the statistics under the old name. The primary key of a table without rowids goes by the table's own.
fn carry_statistics(site: &Site<'_>, state: &State, to: &Name, ask: &mut dyn Ask, ops: &mut Vec<Op>) -> Result<()> {
    let from = &state.table.name().text;
    let prefix = format!("sqlite_autoindex_{from}_");
    for table in kept::statistics(&state.schema, ask)? {
        ops.push(kept::of_statistics(ask.offline(), format!(
                "UPDATE {table} SET tbl = {to}, idx = CASE WHEN substr(idx, 1, {length}) = {prefix} COLLATE NOCASE \
                 THEN {new_prefix} || substr(idx, {length} + 1) WHEN idx = {from} COLLATE NOCASE THEN {to} ELSE idx END \
                 WHERE tbl = {from} COLLATE NOCASE",
                to = sqlite_literal(&to.text),
                length = prefix.chars().count(),
                prefix = sqlite_literal(&prefix),
                new_prefix = sqlite_literal(&format!("sqlite_autoindex_{}_", to.text)),
                from = sqlite_literal(from),
            ), site.index));
    }
    Ok(())
}
