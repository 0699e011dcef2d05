//! `revision --autogenerate`: the difference between two schemas becomes a revision.

use serde_json::{Value, json};

use crate::cli::args::NewRevision;
use crate::cli::compare::{self, Compare};
use crate::cli::renames;
use crate::cli::run::all_heads;
use crate::cli::session::{History, Session};
use crate::cli::ui::Ui;
use crate::code::Code;
use crate::error::{Error, Result};
use crate::execute::event::Event;
use crate::execute::gentle::{self, Ways};
use crate::execute::piece::{self, Piece};
use crate::execute::schema;
use crate::project::{Command, Rule};
use crate::revision::Script;
use crate::revision::applied::Applied;
use crate::revision::graph::RevisionGraph;
use crate::revision::plan::Plan;
use crate::schema::Model;
use crate::schema::diff::{self, Rename};
use crate::shell;

/// The two scripts of a revision.
#[derive(Default)]
pub(crate) struct Generated {
    pub upgrade: String,
    pub downgrade: String,
    /// No statements were found for the way back.
    pub irreversible: bool,
    /// Whether it has no transaction.
    pub alone: bool,
    /// What comes in a revision after it.
    pub later: Option<Box<Generated>>,
    /// What it changes, for programs.
    pub differences: Vec<Value>,
}

/// What leads from the schema now to the schema as it should be; none when they are equal.
pub(crate) fn generate(
    session: &Session<'_>,
    history: &History,
    graph: &RevisionGraph,
    args: &NewRevision,
    ui: &mut Ui<'_>,
) -> Result<Option<Generated>> {
    let compare = Compare::new(session, history, graph)?;
    let scripts = history.project.declared(&|| session.cancel.is_fired())?;
    let Some(scripts) = scripts else {
        // The first revision of a project without a declared schema is what the database holds.
        let live = if graph.is_empty() { compare.live(session)? } else { None };
        let live = live.filter(|live| !live.objects.is_empty());
        let live = live.ok_or_else(compare::nothing_declared)?;
        return between(
            session,
            history,
            &compare,
            (Model::default(), Vec::new(), live),
            args,
            ui,
        );
    };
    one_for_all(history)?;
    let wanted = compare.declared(&scripts)?;
    if !args.from_database {
        let now = compare.built(&compare.everything(), ui)?;
        return between(session, history, &compare, (now, scripts, wanted), args, ui);
    }
    up_to_date(session, history, graph)?;
    let now = compare.live(session)?.unwrap_or_default();
    let generated = between(session, history, &compare, (now, scripts, wanted.clone()), args, ui)?;
    if let Some(generated) = &generated {
        let built = compare.built(&compare.everything(), ui)?;
        fits_all(&compare, (&built, &wanted), generated, graph.is_empty())?;
    }
    Ok(generated)
}

/// Refuses what leads from the database to the declared schema, and not from what the revisions build: no other database
/// would come there.
fn fits_all(
    compare: &Compare<'_>,
    (built, wanted): (&Model, &Model),
    generated: &Generated,
    is_first: bool,
) -> Result<()> {
    let all = std::iter::successors(Some(generated), |generated| generated.later.as_deref());
    let parts: Vec<(String, bool)> = all
        .map(|generated| (generated.upgrade.clone(), generated.alone))
        .collect();
    let Err(error) = compare.in_parts(built, wanted, &parts) else {
        return Ok(());
    };
    let how = match error.code() {
        Code::Interrupted => return Err(error),
        Code::SchemaNoWords => "leads elsewhere than to the declared schema",
        _ => "fails",
    };
    let labels = error.labels().iter().map(|label| label.text.as_str());
    let words: Vec<&str> = std::iter::once(error.message()).chain(labels).collect();
    if is_first {
        let message = format!("the first revision would be for this database alone: in an empty one it {how}");
        return Err(Error::new(Code::SchemaNoWords, message)
            .cause(words.join(": "))
            .help("begin with what the database holds: take the declared schema away, run this command again, then: sqlrev stamp head --verify")
            .help("or with all that is declared, for empty databases: leave out --from-database"));
    }
    let message = format!("the revision would be for this database alone: after the other revisions it {how}");
    Err(Error::new(Code::SchemaNoWords, message)
        .cause(words.join(": "))
        .help("what the database has beside its revisions: sqlrev check --drift")
        .help("write that into a revision by hand and mark it as applied here: sqlrev revision -m TEXT, sqlrev stamp head")
        .help("or take it out of the database; what leads on from the revisions is written without --from-database"))
}

/// Refuses to write down names of one tenant's schema in a revision that is for all of them.
fn one_for_all(history: &History) -> Result<()> {
    let Some(schema) = history.schemas.first() else {
        return Ok(());
    };
    let message = format!("the URL names the schema `{schema}`, and the revision would be for that one alone");
    Err(Error::new(Code::Usage, message).help(
        "generated statements name each table with its schema: generate without `schema` in the URL, and take the \
         names of schemas out; `sqlrev diff` shows the difference in this one",
    ))
}

/// What leads from one schema to the other that scripts declare.
fn between(
    session: &Session<'_>,
    history: &History,
    compare: &Compare<'_>,
    (now, scripts, wanted): (Model, Vec<Script>, Model),
    args: &NewRevision,
    ui: &mut Ui<'_>,
) -> Result<Option<Generated>> {
    let mut renames = compare.renames(&args.rename, &scripts, &now, &wanted)?;
    let seen = (compare.seen(&now), compare.seen(&wanted));
    renames::ask_renames(&seen.0, &seen.1, &mut renames, &session.cancel, ui)?;
    let mut up = compare.lead(&now, &wanted, &renames)?;
    if up.is_empty() {
        return Ok(None);
    }
    renames::tell_guesses(&seen.0, &seen.1, &renames, ui);
    let refused_by = [
        (args.no_drop, "--no-drop"),
        (
            history.project.config.autogenerate.no_drop,
            "`no_drop: true` in migrations.yaml",
        ),
    ];
    if let Some((_, by)) = refused_by.iter().find(|(on, _)| *on) {
        refuse_drops(by, &up, compare, &now, &wanted, &renames)?;
    }
    let undone = renames::undone(&renames, &now);
    let back = compare.back(&up, (&now, &wanted), (&renames, &undone))?;
    let reached = back.left;
    let (mut down, not_undone) = match back.down {
        Err(error) => {
            let causes = error.causes().iter().map(|cause| format!("; {cause}"));
            let why: String = std::iter::once(error.message().to_owned()).chain(causes).collect();
            let why = format!("it cannot be undone: {}", why.replace('\n', "; "));
            ui.say(&format!("note: {why}"));
            (None, why)
        }
        Ok(down) => (Some(down), String::new()),
    };
    let hook = &history.project.config.autogenerate.process_revision;
    let later = if hook.words.is_empty() {
        divide(history, compare, (&now, &reached), (&mut up, down.as_mut()), ui)?
    } else {
        None
    };
    let dialect = history.dialect;
    let mut generated = Generated {
        upgrade: format!("\n{}", piece::script(&up, dialect)),
        downgrade: lost_text(&up) + &piece::script(down.as_deref().unwrap_or_default(), dialect),
        irreversible: down.is_none(),
        differences: up.iter().map(compare::difference).collect(),
        later,
        ..Generated::default()
    };
    if up.is_empty()
        && down.as_ref().is_some_and(Vec::is_empty)
        && let Some(only) = generated.later.take()
    {
        generated = *only;
    }
    if !hook.words.is_empty() {
        let given = Given {
            history,
            compare,
            now: &now,
            wanted: &wanted,
            up: &up,
            down: down.as_deref().unwrap_or_default(),
            stopped: &|| session.cancel.is_fired(),
        };
        processed(&given, hook, &mut generated, ui)?;
    }
    if generated.irreversible && !generated.upgrade.trim().is_empty() {
        // Whoever reads the file later did not see the note.
        let why = not_undone.replacen("it", "-- It", 1);
        generated.upgrade.insert_str(0, &format!("\n{why}\n"));
    }
    Ok(Some(generated))
}

/// Refuses a database that is not where the new revision begins.
fn up_to_date(session: &Session<'_>, history: &History, graph: &RevisionGraph) -> Result<()> {
    let Some(mut driver) = session.open_to_read(history)? else {
        return Err(Error::new(Code::Connect, "there is no database yet").help("sqlrev upgrade"));
    };
    let mut silent = |_: Event<'_>| {};
    let patience = session.patience(history.project.config.lock_timeout);
    let mut executor = session.executor(history, graph, &mut *driver, patience, &mut silent);
    let seen = executor.look()?;
    let (applied, missing) = Applied::known(graph, seen.applied());
    let plan = Plan::upgrade(graph, &applied, &[all_heads()])?;
    match plan.steps.first().map(|step| &step.revision).or(missing.first()) {
        None => Ok(()),
        Some(revision) => {
            let message = format!("the database is not at the heads: `{revision}` is pending or missing");
            Err(Error::new(Code::MultipleHeads, message)
                .help("bring it there first: sqlrev upgrade")
                .help("without --from-database the schema now is what the revisions build"))
        }
    }
}

/// Takes what comes in a second revision out of the changes, as the rules have it. It is proved again; where it would lead
/// elsewhere, nothing is taken out.
fn divide(
    history: &History,
    compare: &Compare<'_>,
    (now, reached): (&Model, &Model),
    (up, down): (&mut Vec<Piece>, Option<&mut Vec<Piece>>),
    ui: &mut Ui<'_>,
) -> Result<Option<Box<Generated>>> {
    let rules = &history.project.config.autogenerate.rules;
    let ways = Ways {
        indexes: rules.contains(&Rule::IndexConcurrently),
        constraints: rules.contains(&Rule::ConstraintNotValid),
    };
    let (mut first_up, mut first_down) = (up.clone(), down.as_deref().cloned().unwrap_or_default());
    let models = (now, reached);
    let Some(later) = gentle::divide(history.dialect, ways, models, &mut first_up, &mut first_down) else {
        return Ok(None);
    };
    let first = |pieces: &[Piece]| (piece::script(pieces, history.dialect), false);
    let second = |statements: &[String]| (gentle::script(statements), later.alone);
    let there = compare.in_parts(now, reached, &[first(&first_up), second(&later.upgrade)]);
    let back = || match &down {
        Some(_) => compare.in_parts(reached, now, &[second(&later.downgrade), first(&first_down)]),
        None => Ok(()),
    };
    match there.and_then(|()| back()) {
        Err(error) if error.code() == Code::Interrupted => return Err(error),
        Err(error) => {
            ui.say(&format!(
                "note: all in one revision, since in two it fails: {}",
                error.message()
            ));
            return Ok(None);
        }
        Ok(()) => {}
    }
    let differences = up
        .iter()
        .filter(|piece| first_up.iter().all(|other| other.change != piece.change));
    let differences = differences.map(compare::difference).collect();
    *up = first_up;
    if let Some(down) = down {
        *down = first_down;
    }
    let undo = gentle::script(&later.downgrade);
    Ok(Some(Box::new(Generated {
        upgrade: format!("\n{}", gentle::script(&later.upgrade)),
        downgrade: if undo.is_empty() {
            "-- Nothing to undo.\n".to_owned()
        } else {
            undo
        },
        alone: later.alone,
        differences,
        ..Generated::default()
    })))
}

/// What the downgrade does not bring back.
fn lost_text(up: &[Piece]) -> String {
    let lost = |piece: &Piece| {
        let whole = piece.loses.as_ref().map(|loses| loses.replace('\n', " "));
        let of_values = |statement: &String| piece::changes_values(statement).map(str::to_owned);
        let changed = piece.statements.iter().filter_map(of_values);
        let lost = whole
            .into_iter()
            .chain(changed.map(|values| format!("{values} as they were")));
        lost.map(|lost| format!("-- Not brought back: {lost}.\n"))
            .collect::<String>()
    };
    up.iter().map(lost).collect()
}

fn refuse_drops(
    by: &str,
    up: &[Piece],
    compare: &Compare<'_>,
    now: &Model,
    wanted: &Model,
    renames: &[Rename],
) -> Result<()> {
    let lost: Vec<&str> = up.iter().filter_map(|piece| piece.loses.as_deref()).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let mut error = Error::new(
        Code::SchemaDrops,
        format!("the difference would drop {}", lost.join(", ")),
    );
    for guess in diff::likely_renames(&compare.seen(now), &compare.seen(wanted), renames) {
        error = error.help(format!("if that is a rename: --rename {}", shell::word(guess.shown())));
    }
    Err(error.help(format!(
        "without {by} it is written, with a comment where something is lost"
    )))
}

/// Lets the project's command change the operations. What it gives back must run; where it leads elsewhere than to the
/// wanted schema, or not back, that is told and not refused: it may be what the command is for.
fn processed(given: &Given<'_>, hook: &Command, out: &mut Generated, ui: &mut Ui<'_>) -> Result<()> {
    let all = |pieces: &[Piece]| pieces.iter().map(compare::difference).collect::<Vec<_>>();
    let document = json!({
        "dialect": given.history.dialect.name(),
        "upgrade": all(given.up),
        "downgrade": all(given.down),
    });
    let text = given
        .history
        .project
        .output("process_revision", hook, &document.to_string(), given.stopped)?;
    let wrong = |what: &str| {
        Error::new(Code::SchemaCommand, format!("the command under `process_revision` printed {what}")).help(
            "it gets {\"upgrade\": [{\"kind\", \"table\", \"object\", \"sql\"}], \"downgrade\": […]} on standard input and prints the same",
        )
    };
    let value: Value = serde_json::from_str(&text).map_err(|error| wrong("no JSON").cause(error.to_string()))?;
    let script = |key: &str| -> Result<String> {
        let list = value
            .get(key)
            .and_then(Value::as_array)
            .ok_or_else(|| wrong(&format!("no list `{key}`")))?;
        let mut script = String::new();
        for operation in list {
            let text = |name: &str| operation.get(name).and_then(Value::as_str);
            let sql = text("sql").ok_or_else(|| wrong(&format!("an operation of `{key}` without `sql`")))?;
            let sql = compare::without_end(sql);
            if !sql.is_empty() {
                piece::append(&mut script, text("loses"), &[sql.to_owned()]);
            }
        }
        Ok(script)
    };
    let (up, down) = (script("upgrade")?, script("downgrade")?);
    let ran = |from: &Model, script: &str, which: &str| {
        given.compare.tried(from, script).map_err(|error| {
            let words = error
                .labels()
                .first()
                .map_or(error.message(), |label| &label.text)
                .to_owned();
            wrong(&format!("{which} that does not run")).cause(words)
        })
    };
    let reached = ran(given.now, &up, "an upgrade")?;
    let differ = |meant: &Model, got: &Model| {
        let (meant, got) = (given.compare.seen(meant), given.compare.seen(got));
        !up.is_empty() && !schema::differences(&meant, &got).is_empty()
    };
    if differ(given.wanted, &reached) {
        ui.say("note: what `process_revision` printed leads elsewhere than to the declared schema");
    }
    let back = ran(&reached, &down, "a downgrade")?;
    out.irreversible &= down.is_empty();
    if !out.irreversible && differ(given.now, &back) {
        ui.say("note: the downgrade that `process_revision` printed does not lead back to the schema as it is now");
    }
    out.upgrade = format!("\n{up}");
    out.downgrade = lost_text(given.up) + &down;
    if let Some(list) = value.get("upgrade").and_then(Value::as_array) {
        out.differences.clone_from(list);
    }
    Ok(())
}

/// What the command of the project is given.
struct Given<'a> {
    history: &'a History,
    compare: &'a Compare<'a>,
    now: &'a Model,
    wanted: &'a Model,
    up: &'a [Piece],
    down: &'a [Piece],
    stopped: &'a dyn Fn() -> bool,
}
