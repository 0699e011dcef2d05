//! `revision --autogenerate`: the difference between two schemas becomes a revision.

mod hook;

use serde_json::Value;

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
use crate::project::Rule;
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
    /// Whether it is what the database holds.
    pub held: bool,
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
        let schemas = (Model::default(), Vec::new(), live);
        let generated = between(session, history, &compare, schemas, args, ui)?;
        return Ok(generated.map(|generated| Generated {
            held: true,
            ..generated
        }));
    };
    one_for_all(history)?;
    if !args.from_database {
        let (now, wanted) = compare.both(&scripts, ui)?;
        let schemas = (now.into_model(), scripts, wanted.into_model());
        return between(session, history, &compare, schemas, args, ui);
    }
    let wanted = compare.declared(&scripts)?;
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
    compare.say_what_goes_along(&now, &renames, &mut up);
    renames::tell_guesses(&seen.0, &seen.1, &renames, ui);
    let no_drop = no_drop(args, history);
    if let Some(by) = no_drop {
        refuse_drops(by, &up, compare, &now, &wanted, &renames)?;
    }
    let undone = renames::undone(&renames, &now);
    let back = compare.back(&up, (&now, &wanted), (&renames, &undone))?;
    let reached = back.left;
    let (mut down, mut not_undone) = or_why(back.down, ui);
    let hook = &history.project.config.autogenerate.process_revision;
    let has_hook = !hook.words.is_empty();
    let later = if has_hook {
        None
    } else {
        divide(history, compare, (&now, &reached), (&mut up, down.as_mut()), ui)?
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
    if has_hook {
        let given = hook::Given {
            history,
            compare,
            now: &now,
            wanted: &wanted,
            renames: &renames,
            no_drop,
            up: &up,
            down: down.as_deref().unwrap_or_default(),
            stopped: &|| session.cancel.is_fired(),
        };
        let was_irreversible = generated.irreversible;
        hook::processed(&given, hook, &mut generated, ui)?;
        if generated.irreversible && !was_irreversible {
            "it cannot be undone, as `process_revision` has it".clone_into(&mut not_undone);
            ui.say(&format!("note: {not_undone}"));
        }
    }
    if generated.irreversible && !generated.upgrade.trim().is_empty() {
        // Whoever reads the file later did not see the note.
        let why = not_undone.replacen("it", "-- It", 1);
        generated.upgrade.insert_str(0, &format!("\n{why}\n"));
    }
    Ok(Some(generated))
}

/// The way back, or why there is none.
fn or_why(down: Result<Vec<Piece>>, ui: &mut Ui<'_>) -> (Option<Vec<Piece>>, String) {
    match down {
        Err(error) => {
            let causes = error.causes().iter().map(|cause| format!("; {cause}"));
            let why: String = std::iter::once(error.message().to_owned()).chain(causes).collect();
            let why = format!("it cannot be undone: {}", why.replace('\n', "; "));
            ui.say(&format!("note: {why}"));
            (None, why)
        }
        Ok(down) => (Some(down), String::new()),
    }
}

/// What says that nothing may be dropped.
fn no_drop(args: &NewRevision, history: &History) -> Option<&'static str> {
    if args.no_drop {
        Some("--no-drop")
    } else if history.project.config.autogenerate.no_drop {
        Some("`no_drop: true` in migrations.yaml")
    } else {
        None
    }
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
    let Some(later) = gentle::divide(history.dialect, ways, reached, &mut first_up, &mut first_down) else {
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
