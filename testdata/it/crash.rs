//! A failure at every call that the driver gets: what is left is a state that the undisturbed run commits as well, and
//! the next run ends as that one does.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rusqlite::Connection;
use sqlrev::driver::Driver;
use sqlrev::driver::sqlite::{Access, open};
use sqlrev::error::Result;
use sqlrev::execute::event::Clock;
use sqlrev::execute::{Executor, Lent, Patience};
use sqlrev::project::{Environment, Load, Options, Project};
use sqlrev::revision::graph::RevisionGraph;
use sqlrev::revision::target::Target;
use sqlrev::version::VersionTable;

use crate::failing::{FailAt, How, Watched};
use crate::picture::Picture;
use crate::place::Place;

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> String {
        "2026-11-22T21:14:00Z".to_owned()
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

/// A command, as the executor takes it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    Up(&'static str),
    Down(&'static str),
    Stamp(&'static str, bool),
}

/// A project that is read once and run many times.
pub(crate) struct History {
    project: Project,
    graph: RevisionGraph,
}

impl History {
    pub(crate) fn of(place: &Place) -> Self {
        let environment = Environment {
            directory: place.folder().to_owned(),
            ..Environment::default()
        };
        let project = Project::open(&environment, &Options::default()).expect("a project");
        let revisions = project
            .revisions(&["sqlite"], Load { downgrades: true })
            .expect("revisions");
        let graph = RevisionGraph::build(revisions).expect("a graph");
        Self { project, graph }
    }

    pub(crate) fn act(&self, driver: &mut dyn Driver, act: Act, single: bool) -> Result<()> {
        let target = |word: &str| word.parse::<Target>().expect("a target");
        let cancelled = AtomicBool::new(false);
        let dialect = driver.dialect();
        let mut executor = Executor {
            graph: &self.graph,
            sources: &self.project,
            table: VersionTable::new(dialect, "sqlrev_revisions"),
            driver,
            by: "tester",
            clock: &Stopped,
            patience: Patience {
                timeout: Duration::from_secs(5),
                cancelled: &cancelled,
            },
            events: &mut |_| {},
            single_transaction: single,
            clean_invalid: false,
            keep_statements: false,
            lent: Lent::default(),
            watch: false,
            only: None,
        };
        match act {
            Act::Up(to) => executor.upgrade(&[target(to)]),
            Act::Down(to) => executor.downgrade(&target(to)),
            Act::Stamp(to, purge) => executor.stamp_to(&[target(to)], purge),
        }
        .map(drop)
    }
}

/// Writes a history with a branch and a merge, batch plans, and foreign keys; with `alone` also a revision that has
/// no transaction.
fn history(alone: bool) -> Place {
    let place = Place::new();
    place.revision(
        "aaaa",
        &[],
        &[],
        "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT, born TEXT);\n\
         CREATE UNIQUE INDEX users_email ON users (email);\n\
         CREATE TABLE changes (what TEXT);\n\
         CREATE TRIGGER users_change AFTER UPDATE ON users BEGIN INSERT INTO changes VALUES (NEW.email); END;\n\
         INSERT INTO users (email, born) VALUES ('ann@x', '1990'), ('ben@x', '1991'), ('eve@x', NULL);",
        "DROP TABLE users;\nDROP TABLE changes;",
    );
    place.revision(
        "bbbb",
        &["aaaa"],
        &["recreate: always"],
        "ALTER TABLE users ALTER COLUMN email SET NOT NULL;\n\
         ALTER TABLE users ALTER COLUMN born TYPE integer USING born + 0;\n\
         UPDATE users SET born = 1992 WHERE born IS NULL;\n\
         ALTER TABLE users ADD CONSTRAINT users_born CHECK (born > 1900);",
        "ALTER TABLE users DROP CONSTRAINT users_born;\nALTER TABLE users ALTER COLUMN born TYPE text;",
    );
    let (options, statements): (&[&str], &str) = if alone {
        // A table replaced by hand is replaced at once or not at all.
        let statements = "PRAGMA user_version = 7;\nVACUUM;\nPRAGMA foreign_keys = OFF;\n\
                          CREATE TABLE changes_new (what TEXT NOT NULL);\n\
                          INSERT INTO changes_new SELECT what FROM changes;\n\
                          DROP TABLE changes;\nALTER TABLE changes_new RENAME TO changes;\n\
                          PRAGMA foreign_keys = ON;\nVACUUM;\n";
        (&["transaction: none"], statements)
    } else {
        (&[], "")
    };
    place.revision(
        "cccc",
        &["bbbb"],
        options,
        &format!(
            "INSERT INTO users (email, born) VALUES ('joe@x', 1950);\n{statements}\
             ALTER TABLE users ADD COLUMN note varchar(5) DEFAULT 'none';\n\
             UPDATE users SET note = note || id WHERE id < 3;"
        ),
        "ALTER TABLE users DROP COLUMN note;\nDELETE FROM users WHERE email = 'joe@x';",
    );
    place.revision(
        "dddd",
        &["bbbb"],
        &["branch_labels: [posts]"],
        "CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER REFERENCES users (id) ON DELETE CASCADE);\n\
         INSERT INTO posts SELECT id * 10, id FROM users WHERE id < 4;\n\
         CREATE VIEW authors AS SELECT u.email, count(*) AS posts FROM users u JOIN posts p ON p.author = u.id;",
        "DROP VIEW authors;\nDROP TABLE posts;",
    );
    place.revision(
        "eeee",
        &["cccc", "dddd"],
        &[],
        "ALTER TABLE posts ADD CONSTRAINT posts_author_key UNIQUE (author);\nDELETE FROM posts WHERE id = 30;",
        "ALTER TABLE posts DROP CONSTRAINT posts_author_key;",
    );
    place
}

/// What a test does: `before` undisturbed, then `act` with a failure at every call.
struct Flow<'a> {
    before: &'a [Act],
    act: Act,
    single: bool,
    /// A database that holds something of its own before anything runs.
    existing: bool,
}

fn connect(path: &Path) -> Connection {
    let db = open(path, Access::Create).expect("it can be opened");
    // What survives a power cut is not what is tested here.
    db.pragma_update(None, "synchronous", "OFF").expect("a pragma");
    db
}

fn check(place: &Place, flow: &Flow<'_>) {
    let history = History::of(place);
    let (start, path) = (place.path("start.db"), place.database());
    if flow.existing {
        let sql = "CREATE TABLE old (a); INSERT INTO old VALUES (1)";
        connect(&start).execute_batch(sql).expect("a table");
    }
    for act in flow.before {
        history.act(&mut connect(&start), *act, false).expect("it runs");
    }
    let again = || {
        let _ = std::fs::remove_file(&path);
        if start.exists() {
            std::fs::copy(&start, &path).expect("a copy");
        }
    };
    again();
    let mut watched = Watched::new(connect(&path));
    history
        .act(&mut watched, flow.act, flow.single)
        .expect("it runs undisturbed");
    let Watched { calls, states, .. } = watched;
    let end = Picture::of_file(&path);
    assert_eq!(states.last(), Some(&end));
    let mut gone_on = Vec::new();
    for at in 1..=calls {
        for how in [How::Refused, How::Busy, How::Unheard] {
            again();
            let mut driver = FailAt {
                db: connect(&path),
                at,
                how,
                calls: 0,
            };
            let ran = history.act(&mut driver, flow.act, flow.single);
            assert!(driver.calls >= at, "call {at} was never made");
            drop(driver);
            let now = Picture::of_file(&path);
            match ran {
                Ok(()) => assert_eq!(now, end, "{how:?} at call {at} of {:?} was not told", flow.act),
                Err(error) => assert!(
                    states.contains(&now),
                    "{how:?} at call {at} of {:?} ({error:?}) leaves\n{now:#?}\nwhich is none of\n{states:#?}",
                    flow.act
                ),
            }
            if flow.single {
                assert!(now == states[0] || now == end, "{how:?} at call {at} leaves a part");
            }
            // The same beginning leads to the same end: each is gone on from once.
            if gone_on.contains(&now) {
                continue;
            }
            gone_on.push(now);
            let next = history.act(&mut connect(&path), flow.act, flow.single);
            next.unwrap_or_else(|error| panic!("after {how:?} at call {at} of {:?}: {error:?}", flow.act));
            assert_eq!(Picture::of_file(&path), end, "{how:?} at call {at} of {:?}", flow.act);
        }
    }
    let left: Vec<_> = place
        .folder()
        .read_dir()
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .filter(|name| name.to_string_lossy().starts_with("app.db-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn any_call_of_an_upgrade_may_fail() {
    for existing in [false, true] {
        let flow = Flow {
            before: &[],
            act: Act::Up("heads"),
            single: false,
            existing,
        };
        check(&history(true), &flow);
    }
}

#[test]
fn any_call_of_an_upgrade_in_one_transaction_may_fail() {
    for existing in [false, true] {
        let flow = Flow {
            before: &[],
            act: Act::Up("heads"),
            single: true,
            existing,
        };
        check(&history(false), &flow);
    }
}

#[test]
fn any_call_of_a_downgrade_may_fail() {
    for single in [false, true] {
        let flow = Flow {
            before: &[Act::Up("heads")],
            act: Act::Down("base"),
            single,
            existing: true,
        };
        check(&history(!single), &flow);
    }
}

#[test]
fn any_call_of_a_stamp_may_fail() {
    let stamps: [(&[Act], Act); 4] = [
        (&[], Act::Stamp("heads", false)),
        (&[Act::Up("heads")], Act::Stamp("base", false)),
        (&[Act::Up("heads")], Act::Stamp("bbbb", true)),
        (&[Act::Up("bbbb")], Act::Stamp("eeee", false)),
    ];
    for (before, act) in stamps {
        let flow = Flow {
            before,
            act,
            single: false,
            existing: true,
        };
        check(&history(true), &flow);
    }
}
