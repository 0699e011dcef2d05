//! Names that get another meaning because a column comes or is renamed: texts in double quotes, which SQLite takes for
//! the column as soon as there is one (<https://www.sqlite.org/quirks.html>, section 8), and joins by shared names.

use crate::code::Code;
use crate::dialect::sqlite::dependents::refuse;
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::inspect::{Object, State, objects, words};
use crate::dialect::sqlite::places::has_star;
use crate::dialect::sqlite::program::{self, Change, Found};
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::table::Table;
use crate::dialect::sqlite::{meaning, oracle, stars};
use crate::dialect::{Ask, Rows, Scratch};
use crate::error::{Error, Result};
use crate::sql::parse::alter::{Action, ActionKind};
use crate::sql::parse::define::is_reserved;
use crate::sql::split::SQLITE;
use crate::sql::token::{Kind, significant, unquoted};
use crate::sql::write::{quoted, sqlite_literal};

/// What to do where a table's own expressions would take a new name for theirs.
pub(super) const ANOTHER_NAME: &str = "choose another name, or take away first what says that name";

/// Refuses a draft with a new name for a column that something else would take for its own.
pub(super) fn keep(draft: &Draft<'_>, site: &Site<'_>, ask: &mut dyn Ask) -> Result<()> {
    let had = |name: &str| draft.state.table.column(name).is_some();
    for column in draft.columns.iter().filter(|column| !had(&column.name)) {
        texts(draft.state, &column.name, site, ask)?;
        let add = |name: &str| {
            let table = quoted(draft.name(), '"');
            format!("ALTER TABLE {table} ADD COLUMN {}", quoted(name, '"'))
        };
        names(draft.state, &column.name, &add, site, ask)?;
        for object in joining(draft.state) {
            if is_joined(draft.state, &object, &column.name, ask) {
                return Err(more_shared(&object, &column.name, draft.name(), site));
            }
        }
    }
    Ok(())
}

/// What gets another program because columns come or go, and the name that it means something else by.
pub(super) fn in_programs(draft: &Draft<'_>, ask: &mut dyn Ask) -> Result<Option<(String, String)>> {
    let kept = |name: &str| {
        let mut origins = draft.columns.iter().filter_map(|column| column.origin.as_deref());
        origins.any(|origin| origin.eq_ignore_ascii_case(name))
    };
    let had = |name: &str| draft.state.table.column(name).is_some();
    let come = draft.columns.iter().filter(|column| !had(&column.name));
    let come = come.map(|column| Change::Add(&column.name));
    let columns = draft.state.table.columns().map(|column| column.name.text.as_str());
    // One that comes under the name of one that goes is what is meant from then on.
    let goes = |name: &&str| !kept(name) && draft.position(name).is_none();
    let go = columns.filter(goes).map(Change::Drop);
    for change in come.chain(go) {
        if let Some(Found { object, broken }) = program::changed(draft.state, &change, ask)? {
            let (Change::Add(name) | Change::Drop(name)) = change else {
                continue;
            };
            let words = broken.unwrap_or_else(|| format!("a name in it would mean something else: {name}"));
            return Ok(Some((object, words)));
        }
    }
    Ok(None)
}

/// Refuses a new name that makes another program of a view or trigger, or of what the table computes and checks.
pub(super) fn programs(state: &State, change: &Change<'_>, site: &Site<'_>, ask: &mut dyn Ask) -> Result<()> {
    let Some(Found { object, broken }) = program::changed(state, change, ask)? else {
        return Ok(());
    };
    let table = &state.table.name().text;
    let when = match change {
        Change::RenameColumn(from, to) => format!("once `{from}` of `{table}` is called `{to}`"),
        Change::RenameTable(name) => format!("once `{table}` is called `{name}`"),
        Change::Add(name) | Change::Drop(name) => format!("once `{name}` of `{table}` comes or goes"),
    };
    let why = match broken {
        None => format!("would mean something else {when}"),
        Some(_) => format!("would no longer work {when}"),
    };
    let mut error = refuse(site, &object, &why);
    if object.starts_with(program::OWN) {
        error = error.help_in(|_| ANOTHER_NAME.to_owned());
    }
    Err(match broken {
        None => error,
        Some(words) => error.cause(words),
    })
}

/// Refuses a rename of a column that joins by names, or would from then on.
pub(super) fn refuse_rename(state: &State, site: &Site<'_>, action: &Action, ask: &mut dyn Ask) -> Result<()> {
    let (from, to) = match &action.kind {
        ActionKind::RenameColumn { from, to } => (from, to),
        ActionKind::ChangeColumn { from, column, .. } if !column.name.is(&from.text) => (from, &column.name),
        _ => return Ok(()),
    };
    let site = Site {
        span: action.span.clone(),
        ..site.clone()
    };
    for object in joining(state) {
        let table = &state.table.name().text;
        if is_joined(state, &object, &from.text, ask) {
            let what = format!("{} `{}`", object.kind, object.name);
            let why = format!("joins by the names that tables share, and `{table}` would share fewer");
            return Err(refuse(&site, &what, &why));
        }
        if is_joined(state, &object, &to.text, ask) {
            return Err(more_shared(&object, &to.text, table, &site));
        }
    }
    let table = &state.table.name().text;
    let rename = |name: &str| meaning::rename(table, &from.text, name);
    if from.is(&to.text) {
        return Ok(());
    }
    names(state, &to.text, &rename, &site, ask)?;
    let reads = |object: &Object| matches!(object.kind.as_str(), "view" | "trigger");
    let by_programs = Change::RenameColumn(&from.text, &to.text);
    if !state.related.iter().chain(&state.triggers).any(reads) {
        return programs(state, &by_programs, &site, ask);
    }
    let (mut before, mut after) = (ask.scratch()?, ask.scratch()?);
    let related: Vec<&Object> = state.related.iter().collect();
    let hanging: Vec<&Object> = state.indexes.iter().chain(&state.triggers).collect();
    for scratch in [&mut before, &mut after] {
        if oracle::build_sound(scratch.as_mut(), &related, state.table.text(), &hanging).is_err() {
            return Ok(());
        }
    }
    if after.execute(&rename(&to.text)).is_err() {
        return Ok(());
    }
    let change = meaning::renamed(table, &from.text, &to.text);
    match meaning::changed(before.as_mut(), after.as_mut(), &change) {
        Some((object, words)) => {
            let why = format!("would mean something else: {words}");
            Err(refuse(&site, &object, &why))
        }
        None => programs(state, &by_programs, &site, ask),
    }
}

/// Whether every result of a query that is called by this name is the column itself, so that it means the same whichever
/// of both the name is taken for. The column is called otherwise meanwhile.
fn is_own_name(sql: &str, name: &str, column: &str) -> bool {
    let tokens: Vec<_> = significant(sql, &SQLITE).collect();
    let word = |at: usize| unquoted(&sql[tokens[at].span.clone()]);
    let is = |at: usize, what: &str| word(at).eq_ignore_ascii_case(what);
    let value = |at: usize| match tokens[at].kind {
        Kind::Word => !is_reserved(&word(at)),
        Kind::Symbol => &sql[tokens[at].span.clone()] == ")",
        _ => true,
    };
    let said = (1..tokens.len()).filter(|&at| is(at, name) && tokens[at].kind != Kind::Text);
    let names = |at: &usize| is(at - 1, "AS") && tokens[at - 1].kind == Kind::Word;
    let (named, others): (Vec<usize>, Vec<usize>) = said.partition(names);
    let own = named.iter().all(|&at| at > 1 && is(at - 2, column));
    own && !named.is_empty() && !others.iter().any(|&at| value(at - 1))
}

/// Refuses a name for a column that a view or trigger gives to something else, which SQLite would take for the column
/// from then on: `SELECT a * b AS total FROM t WHERE total > 1`. What SQLite itself follows to yet another name is what
/// has become the column.
fn names(state: &State, name: &str, change: &dyn Fn(&str) -> String, site: &Site<'_>, ask: &mut dyn Ask) -> Result<()> {
    let says = |object: &&Object| words(&object.sql).contains(&name.to_ascii_lowercase());
    let all = state.related.iter().chain(&state.triggers);
    let all = all.filter(|object| matches!(object.kind.as_str(), "view" | "trigger"));
    let readers: Vec<&Object> = all.filter(|object| says(object) || has_star(&object.sql)).collect();
    if readers.is_empty() {
        return Ok(());
    }
    let other = "sqlrev_another_name";
    let table = quoted(&state.table.name().text, '"');
    let follow = format!("ALTER TABLE {table} RENAME COLUMN {} TO {other}", quoted(name, '"'));
    // Where SQLite stops, something breaks, and is told of as such.
    let Some(mut meant) = changed(state, &[&change(other)], ask)? else {
        return Ok(());
    };
    let mut hidden = readers
        .iter()
        .filter(|object| stars::comes_before(&object.sql, name, state));
    let hidden = hidden.next().map(|object| format!("{} `{}`", object.kind, object.name));
    let shadowed = || stars::shadowed(meant.as_mut(), name, other).map(|view| format!("view `{view}`"));
    if let Some(object) = hidden.or_else(shadowed) {
        let why = format!(
            "has a result `{name}` already, before which the column of `{}` would come in by a star",
            state.table.name().text
        );
        return Err(refuse(site, &object, &why));
    }
    if !readers.iter().any(says) || changed(state, &[&change(name)], ask)?.is_none() {
        return Ok(());
    }
    let meant = texts_of(meant.as_mut());
    let own = |text: &str| is_own_name(text, name, other);
    let taken = match changed(state, &[&change(name), &follow], ask)? {
        Some(mut found) => texts_of(found.as_mut()).into_iter().find(|row| {
            let before = meant.iter().find(|before| before[..2] == row[..2]);
            before.is_none_or(|before| before != row && !before[2].as_deref().is_some_and(own))
        }),
        None => readers.iter().find(|object| says(object)).map(|object| {
            let row = [&object.kind, &object.name];
            row.map(|word| Some(word.clone())).to_vec()
        }),
    };
    let Some(row) = taken else { return Ok(()) };
    let of = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
    let why = format!(
        "says `{name}` and means something else, which would be the column of `{}` from then on",
        state.table.name().text
    );
    Err(refuse(site, &format!("{} `{}`", of(0), of(1)), &why))
}

/// Scratch with everything around the table that compiles, after some statements; `None` where one is refused.
fn changed(state: &State, statements: &[&str], ask: &mut dyn Ask) -> Result<Option<Box<dyn Scratch>>> {
    let mut scratch = ask.scratch()?;
    let related: Vec<&Object> = state.related.iter().collect();
    let hanging: Vec<&Object> = state.indexes.iter().chain(&state.triggers).collect();
    let mut done = oracle::build_sound(scratch.as_mut(), &related, state.table.text(), &hanging);
    // A rename puts texts into single quotes everywhere.
    let settled = [
        "CREATE TABLE sqlrev_quotes (a)",
        "ALTER TABLE sqlrev_quotes RENAME COLUMN a TO b",
    ];
    for statement in statements.iter().chain(&settled) {
        done = done.and_then(|()| scratch.execute(statement));
    }
    Ok(done.is_ok().then_some(scratch))
}

fn texts_of(scratch: &mut dyn Scratch) -> Rows {
    let sql = "SELECT type, name, sql FROM sqlite_schema WHERE type IN ('view', 'trigger') ORDER BY 1, 2";
    scratch.query(sql).unwrap_or_default()
}

fn more_shared(object: &Object, name: &str, table: &str, site: &Site<'_>) -> Error {
    let what = format!("{} `{}`", object.kind, object.name);
    let why = format!("joins by the names that tables share, and `{table}` would share `{name}` as well");
    refuse(site, &what, &why)
}

/// The views and triggers that say NATURAL JOIN.
fn joining(state: &State) -> Vec<Object> {
    let all = state.related.iter().chain(&state.triggers);
    all.filter(|object| matches!(object.kind.as_str(), "view" | "trigger") && words(&object.sql).contains("natural"))
        .cloned()
        .collect()
}

/// Whether another table or view that a view or trigger names may have a column of this name, or a query in it.
pub(super) fn is_joined(state: &State, object: &Object, name: &str, ask: &mut dyn Ask) -> bool {
    if has_query_inside(&object.sql) && words(&object.sql).contains(&name.to_ascii_lowercase()) {
        return true;
    }
    let said: Vec<String> = words(&object.sql).iter().map(|word| sqlite_literal(word)).collect();
    let rows = ask.query(&format!(
        "SELECT 1 FROM {schema}.sqlite_schema m JOIN pragma_table_xinfo(m.name, {literal}) c \
         WHERE m.type IN ('table', 'view') AND lower(m.name) IN ({said}) AND m.name <> {table} COLLATE NOCASE \
         AND m.name <> {object} COLLATE NOCASE AND c.name = {name} COLLATE NOCASE LIMIT 1",
        schema = quoted(&state.schema, '"'),
        literal = sqlite_literal(&state.schema),
        said = said.join(", "),
        table = sqlite_literal(&state.table.name().text),
        object = sqlite_literal(&object.name),
        name = sqlite_literal(name),
    ));
    // A view that does not compile has no columns to ask for.
    rows.map_or(true, |rows| !rows.is_empty())
}

/// Whether a query may stand where a table can, whose columns no table tells.
fn has_query_inside(sql: &str) -> bool {
    let is = |token: &str, words: &[&str]| words.iter().any(|word| token.eq_ignore_ascii_case(word));
    let tokens: Vec<_> = significant(sql, &SQLITE).map(|token| &sql[token.span]).collect();
    let inside = |three: &[&str]| {
        is(three[0], &["FROM", "JOIN", ",", "("]) && three[1] == "(" && is(three[2], &["SELECT", "VALUES", "WITH"])
    };
    tokens.windows(3).any(inside) || tokens.iter().any(|token| is(token, &["WITH"]))
}

/// How often a text says `"name"` where it may be a column or a text: not behind a point, which makes it a column, and
/// not behind DEFAULT, where no column can stand.
fn mentions(sql: &str, name: &str) -> usize {
    let tokens: Vec<_> = significant(sql, &SQLITE).collect();
    let found = tokens.iter().enumerate().filter(|(at, token)| {
        let words = &sql[token.span.clone()];
        let before = at.checked_sub(1).map_or("", |before| &sql[tokens[before].span.clone()]);
        token.kind == Kind::Quoted
            && words.starts_with('"')
            && unquoted(words).eq_ignore_ascii_case(name)
            && before != "."
            && !before.eq_ignore_ascii_case("DEFAULT")
    });
    found.count()
}

/// What may mean a new column of this name by what it says now, as far as words tell.
pub(super) fn may_change(name: &str, ask: &mut dyn Ask) -> Result<Option<Object>> {
    let mut all = Vec::new();
    for schema in ["main", "temp"] {
        let rows = ask.query(&format!(
            "SELECT type, name, tbl_name, sql FROM {schema}.sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid"
        ))?;
        all.extend(objects(schema, rows));
    }
    let joins =
        |object: &Object| matches!(object.kind.as_str(), "view" | "trigger") && words(&object.sql).contains("natural");
    Ok(all
        .into_iter()
        .find(|object| mentions(&object.sql, name) > usize::from(declares(object, name)) || joins(object)))
}

/// Whether a table has a column that it declares by this name in double quotes.
fn declares(object: &Object, name: &str) -> bool {
    let table = Table::read(&object.sql).filter(|_| object.kind == "table");
    table.is_some_and(|table| table.column(name).is_some())
}

/// Refuses a name for a column that is a text in double quotes somewhere.
fn texts(state: &State, name: &str, site: &Site<'_>, ask: &mut dyn Ask) -> Result<()> {
    let own = Object {
        schema: state.schema.clone(),
        kind: "table".to_owned(),
        name: state.table.name().text.clone(),
        table: state.table.name().text.clone(),
        sql: state.table.text().to_owned(),
    };
    let reads = |object: &&Object| matches!(object.kind.as_str(), "view" | "trigger");
    let all = state.indexes.iter().chain(&state.triggers);
    let all = all.chain(state.related.iter().filter(reads)).chain([&own]);
    let may: Vec<&Object> = all.filter(|object| mentions(&object.sql, name) > 0).collect();
    if may.is_empty() {
        return Ok(());
    }
    let plain = in_single_quotes(state, ask)?;
    let is_text = |object: &&&Object| {
        let now = plain
            .iter()
            .find(|[kind, other, _]| *kind == object.kind && *other == object.name);
        now.is_none_or(|[.., sql]| mentions(sql, name) < mentions(&object.sql, name))
    };
    let Some(object) = may.iter().find(is_text) else {
        return Ok(());
    };
    let message = format!(
        "{} `{}` says {} for a text, which SQLite takes for the column `{name}` as soon as `{}` has one",
        object.kind,
        object.name,
        quoted(name, '"'),
        own.name
    );
    let again = match object.kind.as_str() {
        "table" => "take the constraint away that says it, and add it again",
        _ => "drop it first and create it anew",
    };
    Err(site.refuse(Code::BatchInUse, message, "").help(format!(
        "a text stands in single quotes: {again} with {}",
        sqlite_literal(name)
    )))
}

/// Kind, name and definition of everything around the table, as SQLite itself writes texts: its RENAME COLUMN puts those
/// in double quotes into single ones, in the whole schema. Nothing where scratch cannot say, or is of a version that does
/// not do so yet.
fn in_single_quotes(state: &State, ask: &mut dyn Ask) -> Result<Vec<[String; 3]>> {
    let mut scratch = ask.scratch()?;
    let related: Vec<&Object> = state.related.iter().collect();
    let hanging: Vec<&Object> = state.indexes.iter().chain(&state.triggers).collect();
    let built = oracle::build_sound(scratch.as_mut(), &related, state.table.text(), &hanging);
    let built = built.and_then(|()| scratch.execute("CREATE TABLE sqlrev_quotes (a)"));
    // Where no text may stand in double quotes this is refused, and there is nothing to see whether it is rewritten.
    let probed = scratch
        .execute("CREATE INDEX sqlrev_probe ON sqlrev_quotes (a || \"sqlrev_text\")")
        .is_ok();
    let renamed = built.and_then(|()| scratch.execute("ALTER TABLE sqlrev_quotes RENAME COLUMN a TO b"));
    let rows = renamed.and_then(|()| scratch.query("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL"));
    let all = rows.unwrap_or_default().into_iter();
    let all: Vec<[String; 3]> = all
        .filter_map(|row| row.into_iter().collect::<Option<Vec<String>>>()?.try_into().ok())
        .collect();
    let rewrites = |[_, name, sql]: &[String; 3]| name == "sqlrev_probe" && sql.contains("'sqlrev_text'");
    Ok(if probed && !all.iter().any(rewrites) {
        Vec::new()
    } else {
        all
    })
}

#[cfg(test)]
mod tests {
    use super::mentions;

    #[test]
    fn what_may_be_a_text_is_counted() {
        assert_eq!(mentions("CREATE INDEX i ON t (a || \"E\", \"e\")", "e"), 2);
        assert_eq!(
            mentions("CREATE VIEW v AS SELECT t.\"e\", 'e', [e], e, \"f\" FROM t", "e"),
            0
        );
        assert_eq!(
            mentions("CREATE TABLE t (a DEFAULT \"e\", b CHECK (b <> \"e\"))", "e"),
            1
        );
    }
}
