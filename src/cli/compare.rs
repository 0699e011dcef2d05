//! The schemas that commands compare: what revisions build, what is declared, what a database holds.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::cli::scratch::{self, Scratch};
use crate::cli::session::{History, Session};
use crate::cli::ui::Ui;
use crate::code::Code;
use crate::driver::{Driver, DriverError};
use crate::error::{Error, Result};
use crate::execute::autogenerate::Autogenerate;
use crate::execute::declared;
use crate::execute::lock::Patience;
use crate::execute::made::Made;
use crate::execute::piece::Piece;
use crate::execute::round::Back;
use crate::execute::undone::Kept;
use crate::project::Rule;
use crate::revision::Script;
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::{Node, NodeSet};
use crate::schema::diff::Rename;
use crate::schema::{self, Model};

/// Goes on with a scratch database that was made before another one.
type Resumed<'a> = Box<dyn Fn(&mut dyn Driver) -> Result<(), DriverError> + 'a>;

/// What a command compares schemas with.
pub(crate) struct Compare<'a> {
    pub(crate) history: &'a History,
    graph: &'a RevisionGraph,
    scratch: Scratch<'a>,
    resume: Resumed<'a>,
    kept: Kept,
    patience: Patience<'a>,
}

impl<'a> Compare<'a> {
    /// For the project's kind of database.
    ///
    /// # Errors
    /// `connect::unsupported` where schemas of the kind are not compared.
    pub(crate) fn new(session: &'a Session<'_>, history: &'a History, graph: &'a RevisionGraph) -> Result<Self> {
        if !history.dialect.compares_schemas() {
            return Err(declared::not_compared(history.dialect.name()));
        }
        Ok(Self {
            history,
            graph,
            resume: Box::new(|driver| scratch::resumed(session, driver)),
            scratch: scratch::maker(session, history),
            kept: Kept::default(),
            patience: session.patience(history.project.config.lock_timeout),
        })
    }

    /// What revisions and all they come after build; what fails in the replay is told.
    pub(crate) fn built(&self, nodes: &NodeSet, ui: &mut Ui<'_>) -> Result<Model> {
        let mut made = self.built_as_made(nodes, ui)?;
        self.settle(&mut made)?;
        Ok(made.into_model())
    }

    /// Likewise, as it was made.
    fn built_as_made(&self, nodes: &NodeSet, ui: &mut Ui<'_>) -> Result<Made> {
        let (sources, table) = (&self.history.project, &self.history.table);
        let (made, trouble) = declared::built(&*self.scratch, self.graph, nodes, sources, table)?;
        if let Some(trouble) = trouble {
            ui.say(&format!("note: in the replay of the history this failed: {trouble}"));
        }
        Ok(made)
    }

    /// What all revisions build and what scripts declare, in words that stay where the two differ.
    pub(crate) fn both(&self, scripts: &[Script], ui: &mut Ui<'_>) -> Result<(Made, Made)> {
        let mut wanted = self.declared_as_made(scripts)?;
        let mut built = self.built_as_made(&self.everything(), ui)?;
        if self.differ(built.model(), wanted.model()) {
            self.settle(&mut wanted)?;
            self.settle(&mut built)?;
        }
        Ok((built, wanted))
    }

    /// Whether two schemas differ in what is compared.
    fn differ(&self, one: &Model, other: &Model) -> bool {
        !schema::diff::compare(&self.seen(one), &self.seen(other)).is_empty()
    }

    /// Gives the expressions of a schema the words that stay.
    fn settle(&self, made: &mut Made) -> Result<()> {
        made.settle(&self.history.table, &*self.resume)
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
    pub(crate) fn scripts(&self, session: &Session<'_>) -> Result<Vec<Script>> {
        let declared = self.history.project.declared(&|| session.cancel.is_fired())?;
        declared.ok_or_else(nothing_declared)
    }

    /// What scripts declare.
    pub(crate) fn declared(&self, scripts: &[Script]) -> Result<Model> {
        let mut made = self.declared_as_made(scripts)?;
        self.settle(&mut made)?;
        Ok(made.into_model())
    }

    /// Likewise, as it was made.
    fn declared_as_made(&self, scripts: &[Script]) -> Result<Made> {
        let made = declared::declared(&*self.scratch, scripts, &self.history.table)?;
        let included = self.included(made.model());
        for script in scripts {
            declared::refuse_fixed(script, &included, self.history.dialect)?;
        }
        drop(included);
        Ok(made)
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
        declared::held(driver, &self.history.table, self.patience)?.ok_or_else(|| declared::not_compared(dialect))
    }

    /// A model with only what is compared.
    pub(crate) fn seen<'m>(&self, model: &'m Model) -> Cow<'m, Model> {
        self.with(|autogenerate| autogenerate.seen(model))
    }

    /// A model without the objects that are left out.
    pub(crate) fn included<'m>(&self, model: &'m Model) -> Cow<'m, Model> {
        let config = &self.history.project.config.autogenerate;
        if config.looks_at_all() {
            return Cow::Borrowed(model);
        }
        let mut included = model.clone();
        included
            .objects
            .retain(|key, object| config.wants(key, object.on.as_ref()));
        Cow::Owned(included)
    }

    /// A schema in the words of another one, which scratch made.
    pub(crate) fn settled<'m>(&self, model: &'m Model, other: &Model) -> Result<Cow<'m, Model>> {
        self.with(|autogenerate| autogenerate.settled(model, other))
    }

    /// The changes that lead from one schema to the other.
    pub(crate) fn lead(&self, from: &Model, to: &Model, renames: &[Rename]) -> Result<Vec<Piece>> {
        self.with(|autogenerate| autogenerate.lead(from, to, renames))
    }

    /// The way back, for a way from one schema to the other.
    pub(crate) fn back<'m>(
        &self,
        up: &[Piece],
        models: (&Model, &'m Model),
        renames: (&[Rename], &[Rename]),
    ) -> Result<Back<'m>> {
        self.with(|autogenerate| autogenerate.back(up, models, renames))
    }

    /// How the two differ, whether or not statements are found for it.
    pub(crate) fn differences(&self, from: &Model, to: &Model, renames: &[Rename]) -> Result<Vec<Piece>> {
        self.with(|autogenerate| autogenerate.differences(from, to, renames))
    }

    /// What a script that somebody else wrote makes of a schema, as a revision.
    pub(crate) fn ran(&self, from: &Model, script: &str) -> Result<Model> {
        self.with(|autogenerate| autogenerate.ran(from, script))
    }

    /// Says what goes along and is left out of the comparison.
    pub(crate) fn say_what_goes_along(&self, now: &Model, renames: &[Rename], up: &mut [Piece]) {
        self.with(|autogenerate| autogenerate.say_what_goes_along(now, renames, up));
    }

    /// Whether scripts, each in a transaction or alone, lead from one schema to the other.
    pub(crate) fn in_parts(&self, from: &Model, to: &Model, parts: &[(String, bool)]) -> Result<()> {
        self.with(|autogenerate| autogenerate.in_parts(from, to, parts))
    }

    fn with<T>(&self, act: impl FnOnce(&Autogenerate<'_>) -> T) -> T {
        let config = &self.history.project.config.autogenerate;
        act(&Autogenerate {
            dialect: self.history.dialect,
            scratch: &*self.scratch,
            resume: &*self.resume,
            kept: &self.kept,
            table: &self.history.table,
            lens: (!config.looks_at_all()).then_some(&|model| config.look_at(model)),
            not_null_in_steps: config.rules.contains(&Rule::NotNullInSteps),
        })
    }
}

/// The error where a declared schema is needed and there is none.
pub(crate) fn nothing_declared() -> Error {
    Error::new(Code::SchemaMissing, "nothing says what the schema should be")
        .help("write it to schema.sql beside migrations.yaml, or name it there: `schema: FILE`")
        .help("what there is now: sqlrev dump > schema.sql")
}

/// A change, as `check` and `diff` give it to programs.
pub(crate) fn difference(piece: &Piece) -> Value {
    let mut value = json!({
        "kind": piece.change.name(),
        "table": piece.table.as_ref().unwrap_or(&piece.object),
        "object": piece.object,
        "sql": joined(&piece.statements),
    });
    let schema = &piece.change.key().schema;
    if !schema.is_empty() {
        value["schema"] = json!(schema);
    }
    if let Some(loses) = &piece.loses {
        value["loses"] = json!(loses);
    }
    value
}

/// Statements as one text, which ends as `without_end` has it.
fn joined(statements: &[String]) -> String {
    let mut script = String::new();
    for statement in statements {
        crate::schema::append(&mut script, statement);
    }
    without_end(&script).to_owned()
}

/// A text without the semicolon at its end, but for the line that brings a client's delimiter back.
pub(crate) fn without_end(sql: &str) -> &str {
    let sql = sql.trim();
    match sql.lines().next_back() {
        Some(last) if last.starts_with("DELIMITER ") => sql,
        _ => sql.trim_end_matches(';').trim_end(),
    }
}

/// A schema with the dot behind it, unless it is the one that names without a schema mean.
pub(crate) fn schema_shown(history: &History, schema: &str) -> String {
    let usual = history
        .schemas
        .first()
        .map_or(history.dialect.usual_schema(), String::as_str);
    if schema.is_empty() || schema == usual {
        String::new()
    } else {
        format!("{schema}.")
    }
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
    pub(crate) fn words(&self, history: &History) -> String {
        let piece = &self.piece;
        let name = piece.change.name().replace('_', " ");
        let schema = schema_shown(history, &piece.change.key().schema);
        let of = match &piece.table {
            Some(table) if *table != piece.object => format!(" of {schema}{table}"),
            _ => String::new(),
        };
        let schema = if of.is_empty() { schema } else { String::new() };
        let alone = if self.in_revisions {
            ""
        } else {
            "  in the database alone"
        };
        format!("{name} {schema}{}{of}{alone}", piece.object)
    }

    /// What to do about these differences.
    pub(crate) fn advice(found: &[Self]) -> Option<&'static str> {
        let lacking = found.iter().any(|found| found.in_revisions);
        let wordless = found.iter().any(|found| found.piece.statements.is_empty());
        match (lacking, found.is_empty()) {
            (_, true) => None,
            _ if wordless => {
                Some("no statements are found for this difference; write them by hand: sqlrev revision -m TEXT")
            }
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
    let Some(scripts) = history.project.declared(&|| session.cancel.is_fired())? else {
        return Ok(Vec::new());
    };
    let compare = Compare::new(session, history, graph)?;
    let (built, mut wanted) = compare.both(&scripts, ui)?;
    let renames = compare.renames(&[], &scripts, built.model(), wanted.model())?;
    let lacking = compare.differences(built.model(), wanted.model(), &renames)?;
    // Three large schemas at once would be one too many.
    drop(built);
    let mut found: Vec<Found> = lacking
        .into_iter()
        .map(|piece| Found {
            in_revisions: true,
            piece,
        })
        .collect();
    let live = if is_up_to_date { compare.live(session)? } else { None };
    if let Some(live) = live {
        if compare.differ(&live, wanted.model()) {
            compare.settle(&mut wanted)?;
        }
        let wanted = wanted.model();
        let renames = compare.renames(&[], &scripts, &live, wanted)?;
        for piece in compare.differences(&live, wanted, &renames)? {
            if found.iter().all(|known| known.piece.change != piece.change) {
                found.push(Found {
                    in_revisions: false,
                    piece,
                });
            }
        }
        // The command ends here, and to give large schemas back piece by piece takes time.
        std::mem::forget(live);
    }
    std::mem::forget(wanted.into_model());
    Ok(found)
}

/// Writes the database's schema into the file that `schema_dump` names.
pub(crate) fn keep_dump(history: &History, driver: &mut dyn Driver, path: &std::path::Path) -> Result<()> {
    let model = declared::model(driver, &history.table)?;
    let dialect = driver.dialect();
    let model = model.ok_or_else(|| declared::not_compared(dialect.name()))?;
    history.project.keep_dump(path, &declared::text(&model, dialect))
}
