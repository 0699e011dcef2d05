//! Which tables and columns have other names now: what schema files and the command line say, and what looks like it.

use std::io::IsTerminal as _;

use crate::cli::compare::Compare;
use crate::cli::ui::Ui;
use crate::code::Code;
use crate::error::{Error, Result};
use crate::revision::Script;
use crate::schema::diff::{self, Rename};
use crate::schema::{Key, Kind, Model};
use crate::source::Span;
use crate::sql::parse::renamed::{self, Renamed};
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
            all.push(asked(word, from, to)?);
        }
        // Tables first: a column is then found in the table under its new name. The order is kept otherwise.
        all.sort_by_key(|rename| rename.column.is_some());
        all.dedup();
        Ok(all)
    }

    /// Those in a schema file. One that was done stays in the file and does no harm: its new name is there already, and
    /// is not itself to become another one.
    fn written(&self, script: &Script, from: &Model, to: &Model) -> Result<Vec<Rename>> {
        let mut found = Vec::new();
        for (renamed, place) in self.directives(script)? {
            let wrong =
                |what: String| Error::new(Code::SchemaRename, what).at(&script.file, place.clone(), "not there");
            let Some(wanted) = find(to, renamed.schema.as_deref(), &renamed.table) else {
                continue;
            };
            match &renamed.column {
                None => {
                    let old = find(from, renamed.schema.as_deref(), &renamed.from);
                    if old.is_none() && !from.objects.contains_key(&wanted) && !from.objects.is_empty() {
                        let what = format!(
                            "there is no table `{}` that could have become `{}`",
                            renamed.from, renamed.table
                        );
                        return Err(wrong(what));
                    }
                    found.extend(old.map(|table| Rename {
                        table,
                        column: None,
                        to: to.objects[&wanted].name.clone(),
                    }));
                }
                Some(column) => {
                    // The table may have its old name still.
                    let earlier = found.iter().find(|rename: &&Rename| {
                        rename.column.is_none() && fold_like(&rename.to, &rename.table.name) == wanted.name
                    });
                    let table_now = earlier.map_or_else(|| wanted.clone(), |rename| rename.table.clone());
                    let Some(now) = from.table(&table_now) else { continue };
                    let old = folded(now, &renamed.from);
                    if old.is_none() && folded(now, column).is_none() {
                        let table = &renamed.table;
                        let what = format!(
                            "`{table}` has no column `{}` that could have become `{column}`",
                            renamed.from
                        );
                        return Err(wrong(what));
                    }
                    found.extend(old.map(|old| Rename {
                        table: wanted.clone(),
                        column: Some(old),
                        to: column.clone(),
                    }));
                }
            }
        }
        open_ones(found, from)
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

/// The renames that are still to be done, in an order in which every new name is free when it is given.
fn open_ones(mut all: Vec<Rename>, from: &Model) -> Result<Vec<Rename>> {
    let new_name = |rename: &Rename| match &rename.column {
        Some(column) => fold_like(&rename.to, column),
        None => fold_like(&rename.to, &rename.table.name),
    };
    let is_taken = |rename: &Rename, done: &[Rename]| {
        let name = new_name(rename);
        let freed = done.iter().any(|other| match (&rename.column, &other.column) {
            (Some(_), Some(column)) => other.table == rename.table && *column == name,
            (None, None) => other.table.schema == rename.table.schema && other.table.name == name,
            _ => false,
        });
        let there = match &rename.column {
            None => from.objects.contains_key(&Key {
                name,
                ..rename.table.clone()
            }),
            Some(_) => {
                let earlier = done.iter().find(|other| {
                    other.column.is_none() && fold_like(&other.to, &other.table.name) == rename.table.name
                });
                let table = earlier.map_or(&rename.table, |other| &other.table);
                from.table(table).is_some_and(|table| table.column(&name).is_some())
            }
        };
        there && !freed
    };
    // Tables first: columns are then found in them.
    all.sort_by_key(|rename| rename.column.is_some());
    let mut done: Vec<Rename> = Vec::new();
    while let Some(at) = all.iter().position(|rename| !is_taken(rename, &done)) {
        done.push(all.remove(at));
    }
    let swapped = |one: &Rename, other: &Rename| {
        let same_kind = one.column.is_some() == other.column.is_some();
        let old = |rename: &Rename| rename.column.clone().unwrap_or_else(|| rename.table.name.clone());
        let same_table = one.column.is_none() || one.table == other.table;
        same_kind && same_table && new_name(one) == old(other) && new_name(other) == old(one)
    };
    for (index, one) in all.iter().enumerate() {
        if let Some(other) = all[index + 1..].iter().find(|other| swapped(one, other)) {
            let message = format!("two names are exchanged: {} and {}", one.shown(), other.shown());
            return Err(Error::new(Code::SchemaRename, message)
                .help("nobody can tell whether that was done already: exchange them in a revision of your own")
                .help("then take the `renamed` comments away"));
        }
    }
    Ok(done)
}

/// A column's name as it is compared.
fn folded(table: &crate::schema::Table, name: &str) -> Option<String> {
    let mut columns = table.columns.iter();
    let exact = columns
        .find(|column| column.name == name)
        .map(|column| column.folded.clone());
    exact.or_else(|| {
        let mut columns = table.columns.iter();
        columns
            .find(|column| column.name.eq_ignore_ascii_case(name))
            .map(|column| column.folded.clone())
    })
}

/// The table of a name.
fn find(model: &Model, schema: Option<&str>, name: &str) -> Option<Key> {
    let tables = || {
        model.objects.iter().filter(|(key, _)| {
            key.kind == Kind::Table && schema.is_none_or(|schema| key.schema.is_empty() || key.schema == schema)
        })
    };
    let exact = tables().find(|(_, object)| object.name == name);
    exact
        .or_else(|| tables().find(|(_, object)| object.name.eq_ignore_ascii_case(name)))
        .map(|(key, _)| key.clone())
}

/// A rename of the command line: `table.column=new` or `table=new`.
fn asked(word: &str, from: &Model, to: &Model) -> Result<Rename> {
    let wrong = |what: &str| {
        Error::new(Code::SchemaRename, format!("`--rename {word}`: {what}"))
            .help("it is written TABLE.COLUMN=NEW_NAME or TABLE=NEW_NAME")
    };
    let (old, new) = word.split_once('=').ok_or_else(|| wrong("there is no `=` in it"))?;
    let named = |model: &Model, name: &str| {
        let within = name
            .split_once('.')
            .and_then(|(schema, table)| find(model, Some(schema), table));
        let known = within.filter(|key| !key.schema.is_empty());
        find(model, None, name).or(known)
    };
    if let Some(table) = named(from, old) {
        if named(to, old).is_some() {
            return Err(wrong(&format!("the table `{old}` is in the wanted schema as well")));
        }
        let schema = Some(table.schema.as_str()).filter(|schema| !schema.is_empty());
        let wanted = find(to, schema, new).ok_or_else(|| wrong(&format!("the wanted schema has no table `{new}`")))?;
        if from.objects.contains_key(&wanted) {
            return Err(wrong(&format!("there is a table `{new}` already")));
        }
        return Ok(Rename {
            table,
            column: None,
            to: to.objects[&wanted].name.clone(),
        });
    }
    let (table, column) = old
        .rsplit_once('.')
        .ok_or_else(|| wrong(&format!("there is no table `{old}`")))?;
    let key = named(from, table).or_else(|| named(to, table));
    let key = key.ok_or_else(|| wrong(&format!("there is no table `{table}`")))?;
    let then = to
        .table(&key)
        .ok_or_else(|| wrong(&format!("the wanted schema has no table `{table}`")))?;
    let old = match from.table(&key) {
        Some(now) => folded(now, column).ok_or_else(|| wrong(&format!("the table has no column `{column}`")))?,
        // The table has its new name only afterwards.
        None => column.to_owned(),
    };
    let new_column = folded(then, new).and_then(|folded| then.column(&folded));
    let new_column = new_column.ok_or_else(|| wrong(&format!("the wanted table has no column `{new}`")))?;
    if then.column(&old).is_some() {
        return Err(wrong(&format!("the column `{column}` is in the wanted table as well")));
    }
    if from
        .table(&key)
        .is_some_and(|now| now.column(&new_column.folded).is_some())
    {
        return Err(wrong(&format!("the table has a column `{new}` already")));
    }
    Ok(Rename {
        table: key,
        column: Some(old),
        to: new_column.name.clone(),
    })
}

/// The renames that undo these.
pub(crate) fn undone(renames: &[Rename], from: &Model) -> Vec<Rename> {
    let mut out = Vec::new();
    // The last one is undone first, so that every name is free again when it is needed.
    for rename in renames.iter().rev() {
        let mut key = rename.table.clone();
        match &rename.column {
            None => {
                let old = from
                    .objects
                    .get(&key)
                    .map_or_else(|| key.name.clone(), |object| object.name.clone());
                key.name = fold_like(&rename.to, &rename.table.name);
                out.push(Rename {
                    table: key,
                    column: None,
                    to: old,
                });
            }
            Some(column) => {
                // The table may be renamed as well, and has its old name again when its columns are renamed.
                let before = renames
                    .iter()
                    .find(|other| other.column.is_none() && fold_like(&other.to, &other.table.name) == key.name);
                if let Some(before) = before {
                    key = before.table.clone();
                }
                let spelled = from.table(&key).and_then(|table| table.column(column));
                out.push(Rename {
                    column: Some(fold_like(&rename.to, column)),
                    to: spelled.map_or_else(|| column.clone(), |column| column.name.clone()),
                    table: key,
                });
            }
        }
    }
    out.sort_by_key(|rename| rename.column.is_some());
    out
}

/// A name as names like the other one are compared: where that has no capital letters, they may not count.
fn fold_like(name: &str, other: &str) -> String {
    if other.chars().any(char::is_uppercase) {
        name.to_owned()
    } else {
        name.to_ascii_lowercase()
    }
}

/// Asks on a terminal whether what looks like a rename is one; the answers that say so are added. Elsewhere nothing is
/// asked and nothing guessed.
pub(crate) fn ask_renames(from: &Model, to: &Model, renames: &mut Vec<Rename>, ui: &mut Ui<'_>) {
    if !ui.live || !std::io::stdin().is_terminal() {
        return;
    }
    for guess in guesses(from, to, renames) {
        let shown = guess.shown();
        let (old, new) = shown.split_once('=').unwrap_or((&shown, ""));
        ui.tell(&format!(
            "{old} goes and {new} comes: is it one thing with another name? [y/N]"
        ));
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
            renames.push(guess);
        }
    }
    renames.sort_by_key(|rename| rename.column.is_some());
}

/// Tells of what looks like a rename and was not said to be one.
pub(crate) fn tell_guesses(from: &Model, to: &Model, renames: &[Rename], ui: &mut Ui<'_>) {
    for guess in guesses(from, to, renames) {
        let shown = guess.shown();
        let (old, new) = shown.split_once('=').unwrap_or((&shown, ""));
        ui.say(&format!(
            "note: {old} goes and {new} comes; if that is one thing with another name: --rename {shown}"
        ));
    }
}

/// What looks like a rename and was not said to be one.
pub(crate) fn guesses(from: &Model, to: &Model, renames: &[Rename]) -> Vec<Rename> {
    let mut all = diff::likely_renames(from, to);
    all.retain(|guess| renames.iter().all(|rename| rename.table != guess.table));
    all
}
