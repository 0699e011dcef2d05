//! The planner: reads a run of ALTERs into a draft, proves the draft on scratch, and takes the cheapest safe way.

use crate::code::Code;
use crate::dialect::sqlite::alter;
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::inspect::{self, Found, Sort, State};
use crate::dialect::sqlite::prove::{self, Proof};
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::{bytes, captures, defaults, dependents, readers, rename, steps, virtual_rename, ways};
use crate::dialect::{AlterStatement, Ask, Op, Rewrite};
use crate::error::{Error, Result, nearest};
use crate::revision::Recreate;
use crate::sql::parse::alter::{self as parse, ActionKind, Alter, Unreadable};
use crate::sql::parse::elsewhere;
use crate::sql::write::{quoted, sqlite_literal};

/// Turns the first statements of a run into what SQLite can run.
pub(super) fn rewrite(run: &[AlterStatement], recreate: Recreate, ask: &mut dyn Ask) -> Result<Rewrite> {
    let Some(first) = run.first() else {
        return Err(Error::new(Code::BatchInternal, "there is no statement to rewrite"));
    };
    let site = Site::whole(first, 0);
    let (alter, unreadable) = match parse::read(&first.text) {
        Ok(alter) => (alter, None),
        Err(unreadable) => match parse::table(&first.text) {
            Some((schema, table)) => {
                let alter = Alter {
                    if_exists: false,
                    schema,
                    table,
                    actions: Vec::new(),
                };
                (alter, Some(unreadable))
            }
            None => return Err(refuse_unreadable(&site, &unreadable)),
        },
    };
    let Some(found) = inspect::find(ask, alter.schema.as_ref(), &alter.table)? else {
        return no_table(&site, &alter, ask);
    };
    let rename_table = matches!(&alter.actions[..], [only] if matches!(only.kind, ActionKind::RenameTable(_)));
    refuse_sort(&site, &alter, &found, rename_table)?;
    if found.sort == Sort::Virtual {
        virtual_rename::refuse(&found.object, &alter, &site, ask)?;
        return Ok(native(&site, &found, Vec::new()));
    }
    let Some(state) = State::read(ask, &found.object)? else {
        return unknown_definition(&site, &found, ask);
    };
    if let Some(unreadable) = unreadable {
        return pass_or_refuse(&site, &state, &found, &unreadable, ask);
    }
    refuse_renames(run, &state, ask)?;
    if let [only] = &alter.actions[..]
        && let ActionKind::RenameTable(_) | ActionKind::RenameColumn { .. } = &only.kind
    {
        return rename::rewrite(
            &Site {
                span: only.span.clone(),
                ..site
            },
            &state,
            &only.kind,
            ask,
        );
    }
    let early = rename::early(run);
    if let Some(renamed) = rename::renamed(&state, &early, ask)? {
        let done: Vec<(usize, usize)> = early
            .iter()
            .filter(|rename| rename.whole)
            .map(|rename| (rename.at, rename.action))
            .collect();
        let (draft, consumed) = read_run(run, &renamed, &done, recreate, ask)?;
        if early.iter().all(|rename| rename.at < consumed) {
            let mut rewrite = finish(run, draft, consumed, recreate, ask)?;
            rename::first(&mut rewrite, &early, &site, &state, ask)?;
            return Ok(rewrite);
        }
    }
    let (draft, consumed) = read_run(run, &state, &[], recreate, ask)?;
    finish(run, draft, consumed, recreate, ask)
}

/// Refuses renames that something else would not follow, each as those before it leave the table.
fn refuse_renames(run: &[AlterStatement], state: &State, ask: &mut dyn Ask) -> Result<()> {
    let early = rename::early(run);
    for (index, statement) in run.iter().enumerate() {
        let actions = parse::read(&statement.text).map_or_else(|_| Vec::new(), |alter| alter.actions);
        for (at, action) in actions.iter().enumerate() {
            let comes = early
                .iter()
                .position(|rename| (rename.at, rename.action) == (index, at));
            let alone = actions.len() == 1 && matches!(action.kind, ActionKind::RenameColumn { .. });
            if comes.is_none() && index > 0 && alone {
                // It has a plan of its own, when what stands before it is done.
                continue;
            }
            let now = rename::renamed(state, &early[..comes.unwrap_or(0)], ask)?;
            let now = now.as_ref().unwrap_or(state);
            let site = Site::whole(statement, index);
            readers::refuse_rename(now, &site, action)?;
            captures::refuse_rename(now, &site, action, ask)?;
        }
    }
    Ok(())
}

/// Reads as many statements into one draft as belong together; the actions at `done`, each a statement and its place
/// in it, have their own steps before.
fn read_run<'s>(
    run: &[AlterStatement],
    state: &'s State,
    done: &[(usize, usize)],
    recreate: Recreate,
    ask: &mut dyn Ask,
) -> Result<(Draft<'s>, usize)> {
    let mut draft = Draft::new(state, recreate == Recreate::Always);
    for (index, statement) in run.iter().enumerate() {
        let Ok(alter) = parse::read(&statement.text) else {
            return Ok((draft, index));
        };
        let stands_alone =
            |kind: &ActionKind| matches!(kind, ActionKind::RenameTable(_) | ActionKind::RenameColumn { .. });
        let same_table =
            alter.table.is(draft.name()) && alter.schema.as_ref().is_none_or(|schema| schema.is(&state.schema));
        let alone = matches!(&alter.actions[..], [only] if stands_alone(&only.kind)) && !done.contains(&(index, 0));
        if index > 0 && (!same_table || alone) {
            return Ok((draft, index));
        }
        let before = draft.clone();
        draft.settled.clone_from(&draft.columns);
        let single = alter.actions.len() == 1 && index == 0;
        let verbatim = single && prove::takes(ask, state, &statement.text)?;
        for (at, action) in alter.actions.iter().enumerate() {
            if done.contains(&(index, at)) {
                continue;
            }
            let site = Site {
                statement,
                index,
                span: action.span.clone(),
            };
            let text = draft.table.text().to_owned();
            alter::apply(&mut draft, &site, &action.kind, verbatim, ask)?;
            if draft.split {
                break;
            }
            if draft.table.text() != text {
                prove::definition(ask, &draft, &site)?;
            }
        }
        if draft.split {
            if index == 0 {
                let site = Site::whole(statement, index);
                let message = "two actions of the statement give one column other values";
                return Err(site
                    .refuse(Code::BatchUnsupported, message, "")
                    .help("write the actions as ALTERs of their own"));
            }
            return Ok((before, index));
        }
    }
    Ok((draft, run.len()))
}

/// Proves the draft and turns it into things to do.
fn finish(
    run: &[AlterStatement],
    mut draft: Draft<'_>,
    consumed: usize,
    recreate: Recreate,
    ask: &mut dyn Ask,
) -> Result<Rewrite> {
    let last = consumed.saturating_sub(1);
    let site = Site::whole(&run[last], last);
    let changed = draft.table.text() != draft.state.table.text() || !draft.natives.is_empty();
    if recreate == Recreate::Always && changed {
        draft.must_copy("the header says `recreate: always`");
    }
    defaults::fit(ask, &draft, run)?;
    dependents::keep_their_meaning(&draft, &site, ask)?;
    captures::keep(&draft, &site, ask)?;
    let told = readers::told(&draft);
    draft.notices.extend(told);
    ways::settle_rowid(&mut draft, &site);
    let way = ways::choose(&mut draft, ask)?;
    if way.writes() {
        bytes::refuse(draft.state, &site, ask)?;
    }
    let proof: Proof = prove::outcome(ask, &draft, run, consumed)?;
    if way.copies() && recreate == Recreate::Never {
        let reason = draft.copy.clone().unwrap_or_else(|| way.reason(&draft));
        let message = format!("the change needs a copy of `{}`: {reason}", draft.name());
        let refused = Site::whole(&run[0], 0).refuse(Code::BatchNever, message, "cannot be done in place");
        let refused = if ask.offline() && draft.copy.is_none() {
            refused.help("a run without --sql can edit it where it stands: sqlrev upgrade")
        } else {
            refused
        };
        return Err(refused.help("take `recreate: never` out of the header, or change it to `recreate: auto`"));
    }
    let ops = steps::ops(&draft, &way, &proof, last, ask)?;
    Ok(Rewrite {
        table: draft.name().to_owned(),
        consumed,
        strategy: way.name(&draft),
        reason: way.reason(&draft),
        ops,
        notices: draft.notices,
        broken: Vec::new(),
    })
}

fn no_table(site: &Site<'_>, alter: &Alter, ask: &mut dyn Ask) -> Result<Rewrite> {
    let name = &alter.table.text;
    if alter.if_exists {
        return Ok(Rewrite {
            table: name.clone(),
            consumed: 1,
            strategy: "native",
            reason: "there is nothing to do".to_owned(),
            ops: absent(site, alter, ask).into_iter().collect(),
            notices: vec![format!("there is no table `{name}`: skipped")],
            broken: Vec::new(),
        });
    }
    let known = inspect::table_names(ask)?;
    if let Some(schema) = &alter.schema
        && known.iter().any(|known| alter.table.is(known))
    {
        let message = format!("there is no table `{name}` in a database called `{}`", schema.text);
        return Err(site
            .error(
                Code::BatchNoTable,
                message,
                &schema.span,
                "no database of this connection, or without it",
            )
            .help("SQLite's schemas are main, temp and what is attached: leave the name out for main"));
    }
    let message = format!("there is no table `{name}`");
    let mut error = site.error(
        Code::BatchNoTable,
        message,
        &alter.table.span,
        "does not exist at this point",
    );
    if let Some(near) = nearest(name, known.iter().map(String::as_str)) {
        error = error.help(format!("perhaps `{near}`"));
    }
    Err(error.help("ALTER TABLE IF EXISTS passes over a table that is not there"))
}

/// What a script asks where it takes a table for one that is not there, in a database that it knows.
fn absent(site: &Site<'_>, alter: &Alter, ask: &mut dyn Ask) -> Option<Op> {
    let name = &alter.table.text;
    let schema = alter.schema.as_ref().map_or("main", |schema| schema.text.as_str());
    let sql = format!(
        "SELECT type || ' ' || name FROM {}.sqlite_schema WHERE type = 'table' AND lower(name) = {}",
        quoted(schema, '"'),
        sqlite_literal(&name.to_ascii_lowercase())
    );
    let asks = ask.offline() && ask.query(&sql).is_ok();
    asks.then(|| Op::Check {
        sql,
        code: Code::BatchInUse,
        message: format!("there is a table `{name}` here, which no revision makes: run it online"),
        help: "run the upgrade online, which changes the table as it is".to_owned(),
        at: (site.index, 0..0),
    })
}

fn refuse_sort(site: &Site<'_>, alter: &Alter, found: &Found, rename_table: bool) -> Result<()> {
    let what = match found.sort {
        Sort::Table => return Ok(()),
        Sort::Virtual if rename_table => return Ok(()),
        Sort::View => "a view",
        Sort::Virtual => "a virtual table",
        Sort::Shadow => "part of a virtual table",
        Sort::System => "one of SQLite's own tables",
    };
    let message = format!("`{}` is {what}, which cannot be altered", found.object.name);
    let error = site.error(Code::BatchUnsupported, message, &alter.table.span, what);
    Err(match found.sort {
        Sort::View | Sort::Virtual => error.help("drop it and create it anew"),
        _ => error,
    })
}

fn refuse_unreadable(site: &Site<'_>, unreadable: &Unreadable) -> Error {
    let at_end = unreadable.span.is_empty();
    let label = format!(
        "expected {} {}",
        unreadable.expected,
        if at_end { "before the end" } else { "here" }
    );
    let elsewhere = unreadable
        .unknown_action
        .then(|| elsewhere::meant_for(&site.statement.text, unreadable.span.start))
        .flatten();
    match elsewhere {
        Some(database) => site
            .error(
                Code::BatchUnsupported,
                format!("this ALTER TABLE is {database}'s and has no meaning on SQLite"),
                &unreadable.span,
                label,
            )
            .help("keep it for that database in an upgrade file of its own, such as upgrade.postgresql.sql"),
        None => site.error(
            Code::BatchUnreadable,
            "this ALTER TABLE cannot be read",
            &unreadable.span,
            label,
        ),
    }
}

/// An ALTER that we cannot read goes to SQLite as it is where SQLite takes it.
fn pass_or_refuse(
    site: &Site<'_>,
    state: &State,
    found: &Found,
    unreadable: &Unreadable,
    ask: &mut dyn Ask,
) -> Result<Rewrite> {
    if prove::takes(ask, state, &site.statement.text)? {
        let probes = prove::live_probes(ask, state, &|_, _| true)?;
        return Ok(native(site, found, prove::compiles(&probes, &site.at())));
    }
    Err(refuse_unreadable(site, unreadable))
}

/// A table whose definition we cannot read: SQLite may still know what to do.
fn unknown_definition(site: &Site<'_>, found: &Found, ask: &mut dyn Ask) -> Result<Rewrite> {
    let mut scratch = ask.scratch()?;
    let takes = scratch.execute(&found.object.sql).is_ok() && scratch.execute(&site.statement.text).is_ok();
    if takes {
        return Ok(native(site, found, Vec::new()));
    }
    let message = format!("the definition of `{}` cannot be read", found.object.name);
    Err(site
        .refuse(Code::BatchUnsupported, message, "")
        .cause(found.object.sql.clone()))
}

/// The statement as it is written, and what has to be so afterwards.
fn native(site: &Site<'_>, found: &Found, guards: Vec<Op>) -> Rewrite {
    let mut ops = vec![Op::sql(site.statement.text.clone(), site.index)];
    ops.extend(guards);
    if found.sort == Sort::Table {
        ops.push(prove::table_compiles(
            &found.object.schema,
            &found.object.name,
            site.at(),
        ));
    }
    Rewrite {
        table: found.object.name.clone(),
        consumed: 1,
        strategy: "native",
        reason: "SQLite runs it as it is written".to_owned(),
        ops,
        notices: Vec::new(),
        broken: Vec::new(),
    }
}
