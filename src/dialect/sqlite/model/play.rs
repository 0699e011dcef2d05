//! One seed: a scene, a script of ALTERs and other statements, and what has to come out on every way.

use std::collections::BTreeSet;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::code::Code;
use crate::dialect::Rewrite;
use crate::dialect::sqlite::harness::{dump, plan, rows, run_offline, run_online};
use crate::dialect::sqlite::model::compare;
use crate::dialect::sqlite::model::random::Random;
use crate::dialect::sqlite::model::scene::{Scene, scene};
use crate::dialect::sqlite::model::script::Script;
use crate::error::Error;
use crate::revision::Recreate;
use crate::sql::write::sqlite_literal;

/// How the script is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Auto,
    Always,
    Never,
    Offline,
}

impl Mode {
    pub(super) fn of(seed: u64) -> Self {
        match seed / 4 % 8 {
            0..=3 => Mode::Auto,
            4 | 5 => Mode::Always,
            6 => Mode::Never,
            _ => Mode::Offline,
        }
    }
}

/// Where the tables are that the script alters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Site {
    Main,
    Temporary,
    Attached,
}

impl Site {
    /// A script for later knows no other schemas.
    fn of(seed: u64, mode: Mode) -> Self {
        match (mode, seed / 32 % 4) {
            (Mode::Auto | Mode::Always, 2) => Site::Temporary,
            (Mode::Auto | Mode::Always, 3) => Site::Attached,
            _ => Site::Main,
        }
    }

    fn schema(self) -> &'static str {
        match self {
            Site::Main => "main",
            Site::Temporary => "temp",
            Site::Attached => "aux",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Site::Main => "",
            Site::Temporary => "temp.",
            Site::Attached => "aux.",
        }
    }

    /// The database that the script is run on; in `main` stands the same, unless it is the one to be altered.
    fn open(self, setup: &str) -> Result<Connection, String> {
        let mut db = open(setup)?;
        if self == Site::Attached {
            db.execute_batch("ATTACH ':memory:' AS aux").expect("a database");
        }
        if self != Site::Main {
            copy(&open(setup)?, "main", &mut db, self.schema());
        }
        Ok(db)
    }

    /// What it alters, as a database of its own.
    fn taken(self, db: Connection) -> Connection {
        if self == Site::Main {
            return db;
        }
        let taken = copied(&db, self.schema());
        taken.execute_batch("PRAGMA foreign_keys = ON").expect("a pragma");
        taken
    }

    /// Every stored definition and every row of what it alters.
    fn dump(self, db: &Connection) -> Vec<String> {
        if self == Site::Main {
            return dump(db);
        }
        dump(&copied(db, self.schema()))
    }

    /// The same of what stands beside it.
    fn beside(self, db: &Connection) -> Vec<String> {
        if self == Site::Main {
            return Vec::new();
        }
        dump(&copied(db, "main"))
    }
}

fn copied(db: &Connection, schema: &str) -> Connection {
    let mut copied = Connection::open_in_memory().expect("a database");
    copy(db, schema, &mut copied, "main");
    copied
}

fn copy(from: &Connection, schema: &str, to: &mut Connection, other: &str) {
    let all = Backup::new_with_names(from, schema, to, other).expect("a copy");
    assert_eq!(all.step(-1).expect("a copy"), StepResult::Done);
}

/// What a seed led to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Played {
    pub(super) altered: bool,
    pub(super) refused: bool,
}

pub(super) fn play(seed: u64, mode: Mode) -> Result<Played, String> {
    let mut random = Random(seed);
    let found = (0..30).find_map(|_| {
        let scene = scene(&mut random)?;
        let (state, db) = scene.state.settle().ok()?;
        open(&scene.setup).ok()?;
        Some((scene, state, db))
    });
    let Some((scene, state, db)) = found else {
        return Err("no scene".to_owned());
    };
    let site = Site::of(seed, mode);
    let mut script = Script {
        text: String::new(),
        prefix: site.prefix(),
        state,
        db,
        refused: None,
        renamed: false,
        wrote: false,
        fresh: 0,
        touched: BTreeSet::new(),
        retyped: BTreeSet::new(),
    };
    for _ in 0..=random.below(5) {
        script.statement(&mut random, mode);
        if script.refused.is_some() {
            break;
        }
    }
    judge(&scene, &script, mode, site, &mut random)
        .map_err(|what| format!("{mode:?} {site:?}: {what}\n{}{}", scene.setup, script.text))
}

fn open(setup: &str) -> Result<Connection, String> {
    let db = Connection::open_in_memory().expect("a database");
    db.execute_batch("PRAGMA foreign_keys = OFF").expect("a pragma");
    db.execute_batch(setup)
        .map_err(|error| format!("the set-up: {error}"))?;
    db.execute_batch("PRAGMA foreign_keys = ON").expect("a pragma");
    Ok(db)
}

/// The engine says so where one statement would have to be two.
fn two_statements(error: &Error) -> bool {
    error.message().starts_with("two actions of the statement")
}

/// Plans the script and runs it.
fn online(
    db: &Connection,
    script: &Script,
    (mode, site): (Mode, Site),
    ways: &mut Vec<String>,
) -> Result<Result<(), Error>, String> {
    let recreate = match mode {
        Mode::Always => Recreate::Always,
        Mode::Never => Recreate::Never,
        _ => Recreate::Auto,
    };
    // A plan sees of other schemas what the script puts there.
    let planned = (site == Site::Main).then(|| plan(db, &script.text, recreate));
    let mut rewrites = Vec::new();
    let outcome = run_online(db, &script.text, recreate, &mut |rewrite| {
        ways.push(format!("{} ({})", rewrite.strategy, rewrite.reason));
        rewrites.push(format!("{rewrite:?}"));
    });
    // Whether statements on rows have left any is the run's to tell.
    if let (Some(planned), false) = (&planned, script.wrote) {
        as_planned(planned, &rewrites, outcome.is_ok())?;
    }
    Ok(outcome)
}

/// Whether what ran is what was planned, as far as it came.
fn as_planned(planned: &(Vec<Rewrite>, Result<(), Error>), ran: &[String], whole: bool) -> Result<(), String> {
    let (planned, end) = planned;
    let planned: Vec<String> = planned.iter().map(|rewrite| format!("{rewrite:?}")).collect();
    let as_far = planned.len().min(ran.len());
    if planned[..as_far] == ran[..as_far] && (!whole || planned.len() == ran.len()) {
        return Ok(());
    }
    Err(format!("planned otherwise: {planned:#?}\n{end:?}\nand ran: {ran:#?}"))
}

fn judge(scene: &Scene, script: &Script, mode: Mode, site: Site, random: &mut Random) -> Result<Played, String> {
    let before = site.open(&scene.setup)?;
    let (state, built) = scene.state.settle()?;
    if let Some(what) = compare::differs(&open(&scene.setup)?, &built, &state.schema) {
        return Err(format!("the model itself is wrong, the set-up {what}"));
    }
    let (untouched, beside) = (site.dump(&before), site.beside(&before));
    let mut ways = Vec::new();
    let outcome = match mode {
        // A script looks at them by the place of their key in the table.
        Mode::Offline if script.wrote || !scene.state.orphans.is_empty() => return Ok(Played::default()),
        Mode::Offline => run_offline(&before, &script.text),
        Mode::Auto | Mode::Always | Mode::Never => online(&before, script, (mode, site), &mut ways)?,
    };
    let after = before;
    if site.beside(&after) != beside {
        return Err("the tables of the same names have changed".to_owned());
    }
    let kept = || site.dump(&after) == untouched;
    let never = |name: &str| mode == Mode::Never && name.ends_with("recreate_never");
    match (&outcome, &script.refused) {
        (Err(error), why) if never(error.code().name()) || why.is_none() && two_statements(error) => {
            return if kept() {
                Ok(Played::default())
            } else {
                Err("a refusal left traces".to_owned())
            };
        }
        // SQLite's own RENAME does not get on with every definition, nor with temporary views and triggers.
        (Err(error), None) if format!("{error:?}").contains("after rename: ") => return Ok(Played::default()),
        (Err(error), None) if site == Site::Temporary && renames_in_vain(error) => return Ok(Played::default()),
        (Err(error), None) => return Err(format!("refused: {error:?}\n{ways:?}")),
        (Ok(()), Some(why)) => return Err(format!("must be refused, for {why}\n{ways:?}")),
        (Err(error), Some(_)) => {
            let late = late(error, script) && !(site == Site::Temporary && renames_in_vain(error));
            if mode != Mode::Offline && late {
                return Err(format!("refused late: {error:?}\n{ways:?}"));
            }
            let refused = Played {
                refused: true,
                ..Played::default()
            };
            return if kept() {
                Ok(refused)
            } else {
                Err("a refusal left traces".to_owned())
            };
        }
        (Ok(()), None) => {}
    }
    let fail = |what: String| Err(format!("{what}\n{ways:?}"));
    let after = site.taken(after);
    if let Some(what) = compare::differs(&after, &script.db, &script.state.schema) {
        return fail(what);
    }
    if let Some(what) = bytes(scene, script, &after) {
        return fail(what);
    }
    // Whether SQLite sees a new violation beside old ones depends on the order of the keys.
    if script.state.orphans.is_empty()
        && let Some(what) = compare::behaves(&after, &script.db, &script.state.schema, random)
    {
        return fail(what);
    }
    Ok(Played {
        altered: !script.text.is_empty(),
        refused: false,
    })
}

/// Whether SQLite's RENAME COLUMN has left a reader of the column as it was, and so has stopped.
fn renames_in_vain(error: &Error) -> bool {
    let said = format!("{error:?}");
    said.contains(" RENAME ") && said.contains("no such column: ") && error.code() == Code::StatementFailed
}

/// Whether it is SQLite that refuses, in the middle of the work, what should have been seen before.
fn late(error: &crate::error::Error, script: &Script) -> bool {
    let code = error.code().name();
    let late = ["statement_failed", "verification", "internal"];
    // Nobody asks beforehand for the rows that an index of expressions or other collations finds equal, nor whether a
    // STRICT table takes a default.
    let known = script.text.contains("ADD UNIQUE INDEX")
        || ["cannot store", "type mismatch on DEFAULT", "after rename: "]
            .iter()
            .any(|words| format!("{error:?}").contains(words));
    late.iter().any(|late| code.contains(late)) && !known
}

/// A text that nobody meant to change and that is not stored as it was.
fn bytes(scene: &Scene, script: &Script, after: &Connection) -> Option<String> {
    if script.renamed {
        return None;
    }
    for table in &script.state.schema.tables {
        let sql = format!(
            "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = {}",
            sqlite_literal(&table.name)
        );
        let text = rows(after, &sql).expect("a schema")[0][0]
            .clone()
            .expect("a definition");
        for (id, definition) in &scene.columns {
            if table.column(*id).is_some() && !script.touched.contains(id) && !text.contains(definition) {
                return Some(format!("`{definition}` has become\n{text}"));
            }
        }
    }
    let stored = rows(
        after,
        "SELECT sql FROM sqlite_schema WHERE type <> 'table' AND sql IS NOT NULL",
    )
    .expect("a schema");
    let kept = |text: &String| stored.iter().any(|row| row[0].as_ref() == Some(text));
    let lost = scene.hanging.iter().find(|text| {
        let index = text.starts_with("CREATE INDEX") || text.starts_with("CREATE UNIQUE");
        // An index may have been dropped; the comparison has seen to that.
        !kept(text) && !index
    });
    lost.map(|text| format!("`{text}` is not stored any more"))
}
