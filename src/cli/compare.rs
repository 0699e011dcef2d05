//! The schemas that commands compare: what revisions build, what is declared, what a database holds.

use std::io::IsTerminal as _;

use serde_json::{Value, json};

use crate::cli::session::{History, Session};
use crate::cli::ui::Ui;
use crate::code::Code;
use crate::driver::{self, Driver, DriverError};
use crate::error::{Error, Result};
use crate::execute::autogenerate::{Autogenerate, Piece};
use crate::execute::declared;
use crate::project::Rule;
use crate::revision::Script;
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::{Node, NodeSet};
use crate::schema::diff::{self, Rename};
use crate::schema::{Key, Kind, Model};
use crate::sql::parse::renamed;
use crate::sql::split::Piece as Part;

/// Makes scratch databases.
type Scratch = Box<dyn Fn() -> Result<Box<dyn Driver>, DriverError>>;

/// What a command compares schemas with.
pub(crate) struct Compare<'a> {
    history: &'a History,
    graph: &'a RevisionGraph,
    scratch: Scratch,
}

impl<'a> Compare<'a> {
    /// For the project's kind of database.
    ///
    /// # Errors
    /// `connect::unsupported` where there are no scratch databases of the kind.
    pub(crate) fn new(history: &'a History, graph: &'a RevisionGraph) -> Result<Self> {
        let memory = || driver::sqlite::memory().map(|db| Box::new(db) as Box<dyn Driver>);
        let dialect = history.dialect.name();
        if memory()
            .map_err(|error| Error::new(Code::Connect, error.message))?
            .dialect()
            .name()
            != dialect
        {
            return Err(declared::not_compared(dialect));
        }
        Ok(Self {
            history,
            graph,
            scratch: Box::new(memory),
        })
    }

    /// What revisions and all they come after build; what fails in the replay is told.
    pub(crate) fn built(&self, nodes: &NodeSet, ui: &mut Ui<'_>) -> Result<Model> {
        let (sources, table) = (&self.history.project, &self.history.table);
        let (model, trouble) = declared::built(&*self.scratch, self.graph, nodes, sources, table)?;
        if let Some(trouble) = trouble {
            ui.say(&format!("note: in the replay of the history this failed: {trouble}"));
        }
        Ok(model)
    }

    /// All revisions.
    pub(crate) fn everything(&self) -> NodeSet {
        let nodes: Vec<Node> = self.graph.nodes().collect();
        self.graph.ancestors(nodes)
    }

    /// The scripts that declare the schema.
    ///
    /// # Errors
    /// `schema::not_configured` when there are none.
    pub(crate) fn scripts(&self) -> Result<Vec<Script>> {
        self.history.project.declared()?.ok_or_else(|| {
            Error::new(Code::SchemaMissing, "nothing says what the schema should be")
                .help("write it to schema.sql beside migrations.yaml, or name it there: `schema: FILE`")
                .help("what there is now: sqlrev dump > schema.sql")
        })
    }

    /// What scripts declare.
    pub(crate) fn declared(&self, scripts: &[Script]) -> Result<Model> {
        declared::declared(&*self.scratch, scripts, &self.history.table)
    }

    /// What the database holds; nothing when it is not there.
    pub(crate) fn live(&self, session: &Session<'_>) -> Result<Option<Model>> {
        let Some(mut driver) = session.open_to_read(self.history)? else {
            return Ok(None);
        };
        self.held(&mut *driver).map(Some)
    }

    /// What a database holds.
    pub(crate) fn held(&self, driver: &mut dyn Driver) -> Result<Model> {
        let dialect = driver.dialect().name();
        declared::model(driver, &self.history.table)?.ok_or_else(|| declared::not_compared(dialect))
    }

    /// A model with only what is compared.
    pub(crate) fn seen(&self, mut model: Model) -> Model {
        self.history.project.config.autogenerate.look_at(&mut model);
        model
    }

    /// The changes that lead from one schema to the other.
    pub(crate) fn lead(&self, from: &Model, to: &Model, renames: &[Rename]) -> Result<Vec<Piece>> {
        self.with(|autogenerate| autogenerate.lead(from, to, renames))
    }

    /// How the two differ, whether or not statements are found for it.
    fn differences(&self, from: &Model, to: &Model, renames: &[Rename]) -> Result<Vec<Piece>> {
        self.with(|autogenerate| autogenerate.differences(from, to, renames))
    }

    fn with<T>(&self, act: impl FnOnce(&Autogenerate<'_>) -> T) -> T {
        let config = &self.history.project.config.autogenerate;
        act(&Autogenerate {
            scratch: &*self.scratch,
            table: &self.history.table,
            lens: &|model| config.look_at(model),
            not_null_in_steps: config.rules.contains(&Rule::NotNullInSteps),
        })
    }

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
        // Tables first: a column is then found in the table under its new name.
        all.sort_by_key(|rename| rename.column.is_some());
        all.dedup();
        Ok(all)
    }

    /// Those in a schema file. One that was done stays in the file and does no harm.
    fn written(&self, script: &Script, from: &Model, to: &Model) -> Result<Vec<Rename>> {
        let rules = self.history.dialect.rules();
        let mut found = Vec::new();
        let mut statements = script.statements(rules)?;
        while let Some(part) = statements.next().map_err(|fault| script.fault(&fault))? {
            let Part::Statement(statement) = part else { continue };
            let start = usize::try_from(statement.offset).unwrap_or(usize::MAX);
            let all = renamed::read(statement.gap_before, statement.text, rules).map_err(|(inside, span)| {
                let base = if inside {
                    start
                } else {
                    start - statement.gap_before.len()
                };
                Error::new(
                    Code::SchemaRename,
                    "a `renamed` directive is not written as it should be",
                )
                .at(&script.file, base + span.start..base + span.end, "takes `from=NAME`")
            })?;
            let mut all: Vec<_> = all.into_iter().collect();
            all.sort_by_key(|renamed| renamed.column.is_some());
            // The table's name in the present schema, for its columns.
            let mut table_now = None;
            for renamed in all {
                let named = |name: &str| find(from, renamed.schema.as_deref(), name);
                let wanted = find(to, renamed.schema.as_deref(), &renamed.table);
                let Some(wanted) = wanted else { continue };
                match &renamed.column {
                    None => {
                        if let Some(old) = named(&renamed.from).filter(|old| !to.objects.contains_key(old))
                            && !from.objects.contains_key(&wanted)
                        {
                            table_now = Some(old.clone());
                            found.push(Rename {
                                table: old,
                                column: None,
                                to: to.objects[&wanted].name.clone(),
                            });
                        }
                    }
                    Some(column) => {
                        let old_table = table_now.clone().unwrap_or_else(|| wanted.clone());
                        let (Some(now), Some(then)) = (from.table(&old_table), to.table(&wanted)) else {
                            continue;
                        };
                        let (old, new) = (folded(now, &renamed.from), folded(then, column));
                        if let (Some(old), Some(new)) = (old, new)
                            && then.column(&old).is_none()
                            && now.column(&new).is_none()
                        {
                            found.push(Rename {
                                table: wanted.clone(),
                                column: Some(old),
                                to: column.clone(),
                            });
                        }
                    }
                }
            }
        }
        Ok(found)
    }
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
    if let Some(table) = find(from, None, old) {
        if find(to, None, old).is_some() {
            return Err(wrong(&format!("the table `{old}` is in the wanted schema as well")));
        }
        let wanted = find(to, None, new).ok_or_else(|| wrong(&format!("the wanted schema has no table `{new}`")))?;
        return Ok(Rename {
            table,
            column: None,
            to: to.objects[&wanted].name.clone(),
        });
    }
    let (table, column) = old
        .rsplit_once('.')
        .ok_or_else(|| wrong(&format!("there is no table `{old}`")))?;
    let key = find(from, None, table).or_else(|| find(to, None, table));
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
    Ok(Rename {
        table: key,
        column: Some(old),
        to: new_column.name.clone(),
    })
}

/// The renames that undo these.
pub(crate) fn undone(renames: &[Rename], from: &Model) -> Vec<Rename> {
    let mut out = Vec::new();
    for rename in renames {
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

/// A change, as `check` and `diff` give it to programs.
pub(crate) fn difference(piece: &Piece) -> Value {
    let mut value = json!({
        "kind": piece.change.name(),
        "object": piece.object,
        "sql": piece.statements.join(";\n"),
    });
    if let Some(table) = &piece.table {
        value["table"] = json!(table);
    }
    if let Some(loses) = &piece.loses {
        value["loses"] = json!(loses);
    }
    value
}

/// A difference from the declared schema.
pub(crate) struct Found {
    /// Whether the revisions differ; otherwise it is the database alone.
    in_revisions: bool,
    piece: Piece,
}

impl Found {
    /// For programs.
    pub(crate) fn value(&self) -> Value {
        let mut value = difference(&self.piece);
        value["of"] = json!(if self.in_revisions { "revisions" } else { "database" });
        value
    }

    /// For people.
    pub(crate) fn words(&self) -> String {
        let piece = &self.piece;
        let name = piece.change.name().replace('_', " ");
        let of = match &piece.table {
            Some(table) if *table != piece.object => format!(" of {table}"),
            _ => String::new(),
        };
        let alone = if self.in_revisions {
            ""
        } else {
            "  in the database alone"
        };
        format!("{name} {}{of}{alone}", piece.object)
    }

    /// What to do about these differences.
    pub(crate) fn advice(found: &[Self]) -> Option<&'static str> {
        let lacking = found.iter().any(|found| found.in_revisions);
        match (lacking, found.is_empty()) {
            (_, true) => None,
            (true, _) => Some(
                "this leads from what the revisions build to the declared schema: sqlrev revision --autogenerate -m TEXT",
            ),
            (false, _) => {
                Some("this leads from the database to the declared schema, which the revisions build: sqlrev diff")
            }
        }
    }
}

/// How the revisions, and a database that is up to date, differ from the declared schema; nothing where none is
/// declared.
pub(crate) fn against_declared(
    session: &Session<'_>,
    history: &History,
    graph: &RevisionGraph,
    is_up_to_date: bool,
    ui: &mut Ui<'_>,
) -> Result<Vec<Found>> {
    let Some(scripts) = history.project.declared()? else {
        return Ok(Vec::new());
    };
    let compare = Compare::new(history, graph)?;
    let wanted = compare.declared(&scripts)?;
    let built = compare.built(&compare.everything(), ui)?;
    let renames = compare.renames(&[], &scripts, &built, &wanted)?;
    let lacking = compare.differences(&built, &wanted, &renames)?;
    let mut found: Vec<Found> = lacking
        .into_iter()
        .map(|piece| Found {
            in_revisions: true,
            piece,
        })
        .collect();
    let live = if is_up_to_date { compare.live(session)? } else { None };
    if let Some(live) = live {
        let renames = compare.renames(&[], &scripts, &live, &wanted)?;
        for piece in compare.differences(&live, &wanted, &renames)? {
            if found.iter().all(|known| known.piece.change != piece.change) {
                found.push(Found {
                    in_revisions: false,
                    piece,
                });
            }
        }
    }
    Ok(found)
}

/// Writes the database's schema into the file that `schema_dump` names, where one is named.
pub(crate) fn keep_dump(history: &History, driver: &mut dyn Driver) -> Result<()> {
    let Some(name) = &history.project.config.schema_dump else {
        return Ok(());
    };
    let model = declared::model(driver, &history.table)?;
    let dialect = driver.dialect().name();
    let model = model.ok_or_else(|| declared::not_compared(dialect))?;
    history.project.keep_dump(name, &model.script())
}
