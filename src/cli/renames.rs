//! Which tables and columns have other names now: what schema files and the command line say, and what looks like it.

use std::io::IsTerminal as _;

use crate::cli::answer;
use crate::cli::asked;
use crate::cli::compare::Compare;
use crate::cli::ui::Ui;
use crate::code::Code;
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::execute::Cancel;
use crate::revision::Script;
use crate::schema::diff::{self, Rename};
use crate::schema::{Column, Key, Kind, Model, Object, Table};
use crate::shell;
use crate::sorted;
use crate::source::Span;
use crate::sql::parse::renamed::{self, Called, Renamed};
use crate::sql::split::Piece as Part;

impl Compare<'_> {
    /// The renames that the schema files and the command line ask for, and that are still to be done.
    pub(crate) fn renames(
        &self,
        words: &[String],
        scripts: &[Script],
        from: &Model,
        to: &Model,
    ) -> Result<Vec<Rename>> {
        let mut all = Vec::new();
        for script in scripts {
            all.extend(self.written(script, from, to)?);
        }
        for word in words {
            all.push(asked::read(word, &Names(self.history.dialect), from, to)?);
        }
        // Tables first: a column is then found in the table under its new name. The order is kept otherwise.
        sorted::sort_by_key(&mut all, |rename| rename.column.is_some());
        all.dedup();
        Ok(all)
    }

    /// Those in a schema file. One that was done stays in the file and does no harm: its new name is there already, and
    /// its old one is not, or is something else's now.
    fn written(&self, script: &Script, from: &Model, to: &Model) -> Result<Vec<Rename>> {
        let names = Names(self.history.dialect);
        let mut found: Vec<(Rename, Span)> = Vec::new();
        // A column is looked for under the table's old name only where that one is still to be renamed.
        let (tables, columns): (Vec<_>, Vec<_>) = self
            .directives(script)?
            .into_iter()
            .partition(|(renamed, _)| renamed.column.is_none());
        let count = tables.len();
        let mut open = Vec::new();
        for (at, (renamed, place)) in tables.into_iter().chain(columns).enumerate() {
            if at == count {
                open = open_ones(found.clone(), script, from, to)?;
            }
            let wrong =
                |what: String, label: &str| Error::new(Code::SchemaRename, what).at(&script.file, place.clone(), label);
            let table = &renamed.table.text;
            let wanted = names
                .wanted(&renamed, from, to)
                .map_err(|label| wrong(format!("nobody can tell which table `{table}` is"), label))?;
            let rename = match &renamed.column {
                None => names.table(&renamed.from, &wanted, from, to),
                Some(column) => names.column(&renamed.from, column, &wanted, open.iter(), from, to),
            };
            let rename = rename.map_err(|what| {
                let (old, meant) = (&renamed.from.text, names.meant(&renamed.from));
                let error = wrong(what, "not there");
                if *old == meant {
                    error
                } else {
                    error.help(format!("`{old}` in quotes keeps its capital letters: from=\"{old}\""))
                }
            })?;
            found.extend(rename.map(|rename| (rename, place)));
        }
        open_ones(found, script, from, to)
    }

    /// The directives in a schema file, tables before the columns in them.
    fn directives(&self, script: &Script) -> Result<Vec<(Renamed, Span)>> {
        let rules = self.history.dialect.rules();
        let mut found = Vec::new();
        let mut statements = script.statements(rules)?;
        while let Some(part) = statements.next().map_err(|fault| script.fault(&fault))? {
            let Part::Statement(statement) = part else { continue };
            let start = usize::try_from(statement.offset).unwrap_or(usize::MAX);
            let place = |inside: bool, span: &Span| {
                let base = if inside {
                    start
                } else {
                    start - statement.gap_before.len()
                };
                base + span.start..base + span.end
            };
            let all = renamed::read(statement.gap_before, statement.text, rules).map_err(|wrong| {
                Error::new(
                    Code::SchemaRename,
                    "a `renamed` directive is not where or what it should be",
                )
                .at(&script.file, place(wrong.inside, &wrong.span), wrong.label)
            })?;
            found.extend(all.into_iter().map(|renamed| {
                let span = place(renamed.column.is_some(), &renamed.span);
                (renamed, span)
            }));
        }
        let rest = statements.rest();
        let start = script.file.text.len().saturating_sub(rest.len());
        if let Err(wrong) = renamed::read(rest, "", rules) {
            let place = start + wrong.span.start..start + wrong.span.end;
            return Err(Error::new(
                Code::SchemaRename,
                "a `renamed` directive is not where or what it should be",
            )
            .at(&script.file, place, wrong.label));
        }
        Ok(found)
    }
}

/// Names as a database compares them.
pub(super) struct Names(&'static dyn Dialect);

impl Names {
    fn is(&self, called: &Called, spelled: &str) -> bool {
        match self.0.spelled(&called.text, called.is_quoted) {
            Some(meant) => meant == spelled,
            None => called.text.eq_ignore_ascii_case(spelled),
        }
    }

    /// The name as it is looked for.
    fn meant(&self, called: &Called) -> String {
        let meant = self.0.spelled(&called.text, called.is_quoted);
        meant.unwrap_or_else(|| called.text.clone())
    }

    /// The tables of a name, the one that is spelled like it first and alone.
    pub(super) fn tables(&self, model: &Model, schema: Option<&dyn Fn(&str) -> bool>, called: &Called) -> Vec<Key> {
        let tables = model.objects.iter().filter(|(key, _)| {
            let is_there = |is: &dyn Fn(&str) -> bool| key.schema.is_empty() || is(&key.schema);
            key.kind == Kind::Table && schema.is_none_or(is_there)
        });
        let all: Vec<(&Key, &Object)> = tables.filter(|(_, object)| self.is(called, &object.name)).collect();
        let is_exact = |(_, object): &&(&Key, &Object)| object.name == called.text;
        let exact: Vec<Key> = all.iter().filter(is_exact).map(|(key, _)| (*key).clone()).collect();
        if exact.is_empty() {
            all.into_iter().map(|(key, _)| key.clone()).collect()
        } else {
            exact
        }
    }

    /// A column of a name.
    pub(super) fn of<'t>(&self, table: &'t Table, called: &Called) -> Option<&'t Column> {
        let mut columns = table.columns.iter();
        let exact = columns.find(|column| column.name == called.text && self.is(called, &column.name));
        exact.or_else(|| table.columns.iter().find(|column| self.is(called, &column.name)))
    }

    /// The table above or in which a directive stands.
    fn wanted(&self, renamed: &Renamed, from: &Model, to: &Model) -> std::result::Result<Key, &'static str> {
        let is_named = |schema: &str| renamed.schema.as_ref().is_some_and(|named| self.is(named, schema));
        let schema: Option<&dyn Fn(&str) -> bool> = renamed.schema.as_ref().map(|_| &is_named as _);
        let mut all = self.tables(to, schema, &renamed.table);
        if all.len() > 1 {
            // What is to be renamed tells which of them is meant.
            let fits = |key: &Key| match &renamed.column {
                None => !self
                    .tables(from, Some(&|schema| schema == key.schema), &renamed.from)
                    .is_empty(),
                Some(column) => to.table(key).is_some_and(|table| self.of(table, column).is_some()),
            };
            if all.iter().any(fits) {
                all.retain(fits);
            } else {
                // It was renamed before.
                sorted::sort_by_key(&mut all, |key| !from.objects.contains_key(key));
                all.truncate(1);
            }
        }
        match (all.pop(), all.is_empty()) {
            (Some(key), true) => Ok(key),
            (Some(_), false) => Err("there are several tables of this name: write its schema before it"),
            (None, _) => Err("the schema has no such table when all of it has run"),
        }
    }

    /// The rename of a table to its wanted name; none where it was done before.
    fn table(
        &self,
        old: &Called,
        wanted: &Key,
        from: &Model,
        to: &Model,
    ) -> std::result::Result<Option<Rename>, String> {
        let spelled = &to.objects[wanted].name;
        let mut tables = self.tables(from, Some(&|schema| schema == wanted.schema), old);
        if tables.is_empty() && !from.objects.contains_key(wanted) && !from.objects.is_empty() {
            let old = self.meant(old);
            let schema = &wanted.schema;
            return Err(if schema.is_empty() {
                format!("there is no table `{old}` that could have become `{spelled}`")
            } else {
                // A rename leaves a table where it is.
                format!("there is no table `{old}` in schema `{schema}` that could have become `{spelled}`")
            });
        }
        Ok(tables.pop().map(|table| Rename {
            table,
            column: None,
            to: spelled.clone(),
            folded: wanted.name.clone(),
        }))
    }

    /// The rename of a column to its wanted name; none where it was done before, and where the table is a new one.
    fn column<'r>(
        &self,
        old: &Called,
        new: &Called,
        wanted: &Key,
        mut found: impl Iterator<Item = &'r Rename>,
        from: &Model,
        to: &Model,
    ) -> std::result::Result<Option<Rename>, String> {
        // The table may have its old name still.
        let earlier = found.find(|rename| rename.column.is_none() && rename.becomes() == *wanted);
        let now = from.table(earlier.map_or(wanted, |rename| &rename.table));
        let Some(now) = now.or_else(|| from.table(wanted)) else {
            return Ok(None);
        };
        let Some(then) = to.table(wanted).and_then(|table| self.of(table, new)) else {
            let (table, new) = (&wanted.name, self.meant(new));
            return Err(format!(
                "`{table}` has no column `{new}` when all of the schema has run"
            ));
        };
        let old_one = self.of(now, old);
        if old_one.is_none() && now.column(&then.folded).is_none() {
            let (table, old, new) = (&wanted.name, self.meant(old), &then.name);
            return Err(format!(
                "`{table}` has no column `{old}` that could have become `{new}`"
            ));
        }
        Ok(old_one.map(|old| Rename {
            table: wanted.clone(),
            column: Some(old.folded.clone()),
            to: then.name.clone(),
            folded: then.folded.clone(),
        }))
    }
}

/// The renames that are still to be done, in an order in which every new name is free when it is given.
fn open_ones(mut all: Vec<(Rename, Span)>, script: &Script, from: &Model, to: &Model) -> Result<Vec<Rename>> {
    let is_taken = |rename: &Rename, done: &[Rename]| {
        let freed = done.iter().any(|other| match (&rename.column, &other.column) {
            (Some(_), Some(column)) => other.table == rename.table && *column == rename.folded,
            (None, None) => other.table == rename.becomes(),
            _ => false,
        });
        let there = match &rename.column {
            None => from.objects.contains_key(&rename.becomes()),
            Some(_) => {
                let earlier = done
                    .iter()
                    .find(|other| other.column.is_none() && other.becomes() == rename.table);
                let table = earlier.map_or(&rename.table, |other| &other.table);
                from.table(table)
                    .is_some_and(|table| table.column(&rename.folded).is_some())
            }
        };
        there && !freed
    };
    // Tables first: columns are then found in them.
    sorted::sort_by_key(&mut all, |(rename, _)| rename.column.is_some());
    let mut done: Vec<Rename> = Vec::new();
    while let Some(at) = all.iter().position(|(rename, _)| !is_taken(rename, &done)) {
        done.push(all.remove(at).0);
    }
    let old = |rename: &Rename| rename.column.clone().unwrap_or_else(|| rename.table.name.clone());
    let swapped = |one: &Rename, other: &Rename| {
        let same_kind = one.column.is_some() == other.column.is_some();
        let same_table = one.column.is_none() || one.table == other.table;
        same_kind && same_table && one.folded == old(other) && other.folded == old(one)
    };
    for (index, (one, place)) in all.iter().enumerate() {
        if let Some((other, _)) = all[index + 1..].iter().find(|(other, _)| swapped(one, other)) {
            let message = format!("two names are exchanged: {} and {}", one.shown(), other.shown());
            return Err(Error::new(Code::SchemaRename, message)
                .help("nobody can tell whether that was done already: exchange them in a revision of your own")
                .help("then take the `renamed` comments away"));
        }
        let stays = match &one.column {
            None => to.objects.contains_key(&one.table),
            Some(column) => to.table(&one.table).is_some_and(|table| table.column(column).is_some()),
        };
        if !stays {
            let message = format!("`{}` cannot become `{}`, which is there as well", old(one), one.to);
            return Err(Error::new(Code::SchemaRename, message)
                .at(&script.file, place.clone(), "both names are there now")
                .help("take this comment away; then the old one is dropped, with what is in it"));
        }
    }
    Ok(done)
}

/// The renames that undo these.
pub(crate) fn undone(renames: &[Rename], from: &Model) -> Vec<Rename> {
    let mut out = Vec::new();
    // The last one is undone first, so that every name is free again when it is needed.
    for rename in renames.iter().rev() {
        match &rename.column {
            None => {
                let old = from.objects.get(&rename.table);
                out.push(Rename {
                    table: rename.becomes(),
                    column: None,
                    to: old.map_or_else(|| rename.table.name.clone(), |object| object.name.clone()),
                    folded: rename.table.name.clone(),
                });
            }
            Some(column) => {
                // The table may be renamed as well, and has its old name again when its columns are renamed.
                let before = renames
                    .iter()
                    .find(|other| other.column.is_none() && other.becomes() == rename.table);
                let table = before.map_or(&rename.table, |before| &before.table);
                let spelled = from.table(table).and_then(|table| table.column(column));
                out.push(Rename {
                    table: table.clone(),
                    column: Some(rename.folded.clone()),
                    to: spelled.map_or_else(|| column.clone(), |column| column.name.clone()),
                    folded: column.clone(),
                });
            }
        }
    }
    sorted::sort_by_key(&mut out, |rename| rename.column.is_some());
    out
}

/// Asks on a terminal whether what looks like a rename is one; the answers that say so are added. Elsewhere nothing is
/// asked and nothing guessed.
pub(crate) fn ask_renames(
    from: &Model,
    to: &Model,
    renames: &mut Vec<Rename>,
    cancel: &Cancel,
    ui: &mut Ui<'_>,
) -> Result<()> {
    if !ui.live || !std::io::stdin().is_terminal() {
        return Ok(());
    }
    let mut open = diff::likely_renames(from, to, renames);
    while !open.is_empty() {
        let guess = open.remove(0);
        let (old, new) = guess.names();
        let question = format!("{old} goes and {new} comes: is it one thing with another name? [y/N]");
        if answer::is_yes(&question, &mut || answer::line(cancel), ui)? {
            open.retain(|other| other.column.is_some() != guess.column.is_some() || other.becomes() != guess.becomes());
            renames.push(guess);
        } else if guess.column.is_none() {
            // Its columns are then those of a new table.
            let still = open
                .iter()
                .any(|other| other.becomes() == guess.becomes() && other.column.is_none());
            open.retain(|other| still || other.column.is_none() || other.table != guess.becomes());
        }
    }
    sorted::sort_by_key(renames, |rename| rename.column.is_some());
    Ok(())
}

/// Tells of what looks like a rename and was not said to be one.
pub(crate) fn tell_guesses(from: &Model, to: &Model, renames: &[Rename], ui: &mut Ui<'_>) {
    for guess in diff::likely_renames(from, to, renames) {
        let (old, new) = guess.names();
        let typed = shell::word(guess.shown());
        ui.say(&format!(
            "note: {old} goes and {new} comes; if that is one thing with another name: --rename {typed}"
        ));
    }
    for (old, new) in diff::likely_moves(from, to, renames) {
        let (moved, old, new) = (diff::moved(old, &new.schema), old.shown(), new.shown());
        ui.say(&format!(
            "note: {old} goes with its rows and {new} comes; if that is one table, move it before, in a revision of its own: \
             {moved}"
        ));
    }
}
