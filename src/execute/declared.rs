//! Schemas that are written down: the files of a project, as the database itself understands them.

use crate::code::Code;
use crate::dialect::{AlterStatement, Ask, Dialect, Rewrite, Scratch};
use crate::driver::{Driver, DriverError, Failure};
use crate::error::{Error, Result};
use crate::execute::fault;
use crate::execute::lock::{self, Patience};
use crate::execute::made::Made;
use crate::execute::online::OnDriver;
use crate::execute::replay::{MakeScratch, Replay};
use crate::execute::scripts::Sources;
use crate::execute::walk::{Place, Runner, Walk};
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::NodeSet;
use crate::revision::{Recreate, Script};
use crate::schema::{Key, Kind, Model, Object};
use crate::sql::split::Piece;
use crate::version::VersionTable;

/// What is left out of a comparison, as a function that takes it out of a model.
pub type Lens<'a> = &'a dyn Fn(&mut Model);

/// The model of what a database holds, sqlrev's own tables aside; none where schemas of its kind are not compared.
///
/// # Errors
/// What the database refuses.
pub fn model(driver: &mut dyn Driver, table: &VersionTable) -> Result<Option<Model>> {
    read(driver, table, &mut None, true)
}

/// Likewise of a database that others may be writing to: waits for them.
///
/// # Errors
/// `lock::timeout`, `execute::interrupted`, and what the database refuses.
pub fn held(driver: &mut dyn Driver, table: &VersionTable, patience: Patience<'_>) -> Result<Option<Model>> {
    lock::retry(driver, patience, &mut |_| {}, |driver| {
        let mut failed = None;
        let model = read(driver, table, &mut failed, true);
        match failed {
            Some(error) if error.failure == Failure::Busy => Err(error),
            // It was asked for what this version does not know, or whoever asked says what is lacking.
            _ => Ok(model),
        }
    })?
}

/// The model of a scratch database before expressions have the words that stay.
pub(super) fn as_made(driver: &mut dyn Driver, table: &VersionTable) -> Result<Model> {
    Ok(read(driver, table, &mut None, false)?.unwrap_or_default())
}

fn read(
    driver: &mut dyn Driver,
    table: &VersionTable,
    failed: &mut Option<DriverError>,
    settles: bool,
) -> Result<Option<Model>> {
    let dialect = driver.dialect();
    let within = dialect.replays_transactions() && driver.in_transaction() == Some(true);
    let mut query = |sql: &str| {
        driver.query(sql).map_err(|error| {
            let words = fault::database(&error);
            failed.get_or_insert(error);
            words
        })
    };
    let model = if within {
        dialect.model_within(&mut query)
    } else if !settles {
        dialect.model_as_made(&mut query)
    } else {
        dialect.model(&mut query)
    };
    let Some(model) = model else {
        return Ok(None);
    };
    Ok(Some(own(model?, table)))
}

/// Of a model what belongs to it: sqlrev's own tables do not.
fn own(mut model: Model, table: &VersionTable) -> Model {
    model.keep(&|key| table.compares(key.kind) && !table.is_own(&key.name) && !table.is_own(&key.shown()));
    if let Some(schema) = table.schema() {
        // What the others hold is not this one's.
        model.keep(&|key| key.schema == schema);
    }
    model
}

/// A schema as a script that loads.
pub fn text(model: &Model, dialect: &dyn Dialect) -> String {
    let script = model.script(&|statement| dialect.script().terminated(statement));
    // A body may name what comes later.
    match dialect.bodies_unread().filter(|_| has_bodies(model)) {
        Some([unread, _]) => format!("{unread};\n\n{script}"),
        None => script,
    }
}

/// Whether there are functions or procedures.
pub(crate) fn has_bodies(model: &Model) -> bool {
    model.objects.keys().any(has_body)
}

/// Whether it is a function or procedure.
pub(crate) fn has_body(key: &Key) -> bool {
    matches!(key.kind, Kind::Function | Kind::Procedure)
}

/// The schema that revisions build, replayed on scratch, and what failed in that, if something did.
///
/// # Errors
/// Those of reading and rewriting the scripts, and what the database refuses of the revisions.
pub fn built(
    scratch: MakeScratch<'_>,
    graph: &RevisionGraph,
    nodes: &NodeSet,
    sources: &dyn Sources,
    table: &VersionTable,
) -> Result<(Made, Option<String>)> {
    let mut replay = Replay::new(scratch, false)?.exactly();
    if let Some(model) = built_apart(&mut replay, graph, nodes, table) {
        return Ok((Made::apart(model), None));
    }
    // A revision may name it. Its schema may not be there yet, and then no revision does.
    for statement in table.create() {
        let _ = replay.driver().execute(&statement);
    }
    let ran = replay.all(graph, nodes, sources);
    ran.map_err(|error| replay.explain(error))
        .map_err(|error| match error.code() {
            Code::StatementFailed => error
                .state("the revisions were replayed on a scratch database: nothing has changed")
                .help("the schema that revisions build is known only where all of them run on an empty database"),
            _ => error,
        })?;
    let trouble = replay.trouble();
    Ok((Made::on(replay, table)?, trouble))
}

/// The model that revisions build which only define what stands for itself, and do not name the version table.
fn built_apart(replay: &mut Replay, graph: &RevisionGraph, nodes: &NodeSet, table: &VersionTable) -> Option<Model> {
    // Where transactions are replayed, more than the statements decides what comes of them.
    if replay.driver().dialect().replays_transactions() {
        return None;
    }
    let order = graph.order().iter().filter(|node| nodes.contains(**node));
    let scripts: Vec<&Script> = order
        .filter_map(|node| graph.revision(*node).upgrade.as_ref())
        .collect();
    let model = apart(replay, &scripts)?;
    // The log's name begins likewise.
    let own_name = table.name().to_ascii_lowercase();
    let own_name = own_name.strip_suffix("_revisions").unwrap_or(&own_name);
    let names_own = |object: &Object| {
        let mut texts = object.create.iter();
        texts.any(|sql| sql.to_ascii_lowercase().contains(own_name))
    };
    if model.objects.values().any(names_own) {
        return None;
    }
    Some(own(model, table))
}

/// The schema that scripts declare.
///
/// # Errors
/// What the database refuses, labelled in the file.
pub fn declared(scratch: MakeScratch<'_>, scripts: &[Script], table: &VersionTable) -> Result<Made> {
    let mut replay = Replay::new(scratch, false)?;
    let dialect = replay.driver().dialect();
    let scripts: Vec<Script> = scripts
        .iter()
        .map(|script| without_internal(script, dialect))
        .collect::<Result<_>>()?;
    if let Some(model) = apart(&mut replay, &scripts.iter().collect::<Vec<_>>()) {
        return Ok(Made::apart(own(model, table)));
    }
    for script in &scripts {
        run(&mut replay, script)
            .map_err(|error| error.state("it was tried on a scratch database: nothing has changed"))?;
    }
    Made::on(replay, table)
}

/// Refuses a default that no two builds of the schema have the same: it would differ for ever.
///
/// # Errors
/// `schema::scratch`, labelled in the file.
pub fn refuse_fixed(script: &Script, made: &Model, dialect: &'static dyn Dialect) -> Result<()> {
    let mut statements = script.statements(dialect.rules())?;
    while let Ok(Some(piece)) = statements.next() {
        let Piece::Statement(statement) = piece else { continue };
        let Some((span, instead)) = dialect.fixed(statement.text, made) else {
            continue;
        };
        let start = usize::try_from(statement.offset).unwrap_or_default();
        let span = start + span.start..start + span.end;
        return Err(Error::new(
            Code::SchemaScratch,
            "this default is another one each time the schema is built",
        )
        .at(
            &script.file,
            span,
            "the database keeps the moment at which the statement ran",
        )
        .help(format!("for the moment at which a row comes: DEFAULT {instead}"))
        .help("a moment that stays is written out: DEFAULT '2001-02-03'"));
    }
    Ok(())
}

/// A script with blanks where it makes what the database makes by itself. Everything else stays where it stands.
fn without_internal(script: &Script, dialect: &'static dyn Dialect) -> Result<Script> {
    // Where none of these is named there is nothing to look for.
    let names = dialect.internal();
    let is_said = |text: &str| names.iter().any(|name| text.contains(name));
    if names.is_empty() || script.large.is_none() && !is_said(&script.file.text.to_ascii_lowercase()) {
        return Ok(script.clone());
    }
    let mut text = String::new();
    let mut statements = script.statements(dialect.rules())?;
    // What cannot be read is told when it is run.
    while let Ok(Some(piece)) = statements.next() {
        let Piece::Statement(statement) = piece else { continue };
        if !dialect.makes_by_itself(statement.text) {
            continue;
        }
        if text.is_empty() {
            text = script.file.text.to_string();
        }
        let start = usize::try_from(statement.offset).unwrap_or(usize::MAX);
        let blanks = statement
            .text
            .bytes()
            .map(|byte| if byte == b'\n' { '\n' } else { ' ' });
        text.replace_range(start..start + statement.text.len(), &blanks.collect::<String>());
    }
    let mut script = script.clone();
    if !text.is_empty() {
        script.file.text = text.into();
    }
    Ok(script)
}

/// The model of scripts that a dialect need not run on one database to know what comes of them.
fn apart(replay: &mut Replay, scripts: &[&Script]) -> Option<Model> {
    let db = replay.driver();
    let dialect = db.dialect();
    let mut gathered = Gathered::default();
    for script in scripts {
        let walk = Walk {
            dialect,
            script,
            recreate: Recreate::Auto,
            skip: 0,
        };
        walk.run(&mut gathered).ok()?;
    }
    let mut scratch = || Some(Box::new(OnDriver(db.scratch().ok()?)) as Box<dyn Scratch>);
    dialect.model_apart(&gathered.statements, &mut scratch)
}

/// The statements of scripts in which each is sent as it is written; others end the walk.
#[derive(Default)]
struct Gathered {
    statements: Vec<String>,
}

impl Runner for Gathered {
    fn statement(&mut self, place: &Place<'_>) -> Result<()> {
        self.statements.push(place.sql().to_owned());
        Ok(())
    }

    fn rewrite(&mut self, _run: &[AlterStatement], rewrite: &Rewrite, _done: u64) -> Result<()> {
        Err(Error::new(Code::BatchInternal, rewrite.table.clone()))
    }

    fn ask(&mut self) -> Result<Box<dyn Ask + '_>> {
        Err(Error::new(Code::BatchInternal, "an ALTER needs the database as it is"))
    }
}

/// Runs a script on scratch; what fails is an error.
pub(crate) fn run(replay: &mut Replay, script: &Script) -> Result<()> {
    replay.apart(script)
}

/// The error for a database whose schemas cannot be compared.
pub fn not_compared(dialect: &str) -> Error {
    Error::new(
        Code::UnsupportedDatabase,
        format!("schemas of {dialect} are not compared by this build"),
    )
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;
    use crate::driver::sqlite;
    use crate::source::SourceFile;

    fn check(text: &str, is_apart: bool) {
        let script = Script {
            file: SourceFile::new("schema.sql", text),
            body: 0,
            large: None,
            known: None,
        };
        let scratch = || sqlite::memory().map(|db| Box::new(db) as Box<dyn Driver>);
        let mut replay = Replay::new(&scratch, false).expect("it runs");
        let found = apart(&mut replay, &[&script]);
        assert_eq!(found.is_some(), is_apart, "{text}");
        let ran = run(&mut replay, &script);
        if let Some(found) = found {
            ran.expect("it runs");
            let table = VersionTable::new(replay.driver().dialect(), "sqlrev_version");
            let whole = model(replay.driver(), &table).expect("it runs");
            assert_eq!(
                format!("{:?}", Some(own(found, &table))),
                format!("{whole:?}"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_stands_for_itself_is_made_apart() {
        let mut many = String::new();
        for i in 0..70 {
            many += &format!(
                "CREATE TABLE t{i} (a INTEGER PRIMARY KEY AUTOINCREMENT, b REFERENCES t{} UNIQUE);",
                69 - i
            );
        }
        for i in 0..70 {
            many += &format!(
                "CREATE UNIQUE INDEX \"i{i}\" ON [T{i}] (b DESC); CREATE VIEW v{i} AS SELECT \"t1\" FROM t{i}, t1;"
            );
            many +=
                &format!("CREATE TRIGGER t{i} AFTER UPDATE OF a ON t{i} BEGIN INSERT INTO t1 SELECT * FROM v3; END;");
        }
        check(&many, true);
        check(
            "CREATE TABLE IF NOT EXISTS a (b); INSERT INTO a VALUES (1); CREATE VIEW c (d) AS SELECT 1;",
            true,
        );
        check(
            "CREATE VIEW c AS SELECT 1 x; CREATE TRIGGER d INSTEAD OF INSERT ON c BEGIN SELECT 1; END;",
            true,
        );
    }

    #[test]
    fn what_may_need_the_others_is_not() {
        for text in [
            "CREATE TABLE a (b); CREATE TABLE c AS SELECT * FROM a",
            "CREATE TABLE a (b); CREATE TABLE IF NOT EXISTS A (c)",
            "CREATE TABLE a (b); CREATE VIEW a AS SELECT 1",
            "CREATE TABLE a (b); CREATE INDEX a ON a (b)",
            "CREATE INDEX i ON a (b); CREATE TABLE a (b)",
            "CREATE TABLE a (b); CREATE INDEX i ON a (c)",
            "CREATE TABLE main.a (b)",
            "CREATE TEMP TABLE a (b)",
            "CREATE TABLE a (b); ALTER TABLE a ADD COLUMN c",
            "CREATE TABLE a (b); DROP TABLE a",
            "BEGIN; CREATE TABLE a (b); ROLLBACK",
            "CREATE VIRTUAL TABLE f USING fts5(a)",
            "CREATE TABLE a (b); CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END; CREATE TRIGGER T AFTER DELETE ON a BEGIN SELECT 1; END",
        ] {
            check(text, false);
        }
    }
}
