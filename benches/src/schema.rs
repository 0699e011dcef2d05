//! Two schemas of many tables, read and compared, beside what the engine takes to build each in one database.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::measure::{Contender, Cost, rounds};
use crate::table;

/// A database's tables as SQL: eight columns, two indexes, a UNIQUE and a foreign key each.
fn schema(count: usize, changed: usize) -> String {
    let mut out = String::new();
    for i in 0..count {
        let parent = i / 2;
        let more = if i % 100 == 7 && i / 100 < changed {
            ",\n    more TEXT"
        } else {
            ""
        };
        let _ = write!(
            out,
            "CREATE TABLE table_{i} (\n    id INTEGER PRIMARY KEY,\n    parent_id INTEGER REFERENCES table_{parent} (id) ON \
             DELETE CASCADE,\n    code TEXT NOT NULL,\n    name VARCHAR(200) NOT NULL DEFAULT '',\n    amount NUMERIC(10, 2),\n    \
             note TEXT,\n    created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,\n    state INTEGER NOT NULL DEFAULT 0{more},\n    \
             UNIQUE (code, state)\n);\nCREATE INDEX table_{i}_name ON table_{i} (name);\nCREATE INDEX table_{i}_created ON table_{i} \
             (created_at, state);\n"
        );
    }
    out
}

/// Compares, and says what it took beside the engine.
pub fn diff(
    root: &Path,
    factor: f64,
    sqlrev: &dyn Fn(&Path, &str) -> Command,
    limit: &dyn Fn(&Path, &Path) -> Command,
) {
    fs::create_dir_all(root.join("migrations")).expect("a folder");
    fs::write(root.join("migrations.yaml"), "url: sqlite:app.db\n").expect("a file");
    let mut small = 0.0;
    for count in [1000, 10_000] {
        let write = |name: &str, text: &str| -> PathBuf {
            let path = root.join(name);
            fs::write(&path, text).expect("a file");
            path
        };
        write("one.sql", &schema(count, 0));
        write("other.sql", &schema(count, 0));
        write("changed.sql", &schema(count, 10));
        // In one database, as somebody would run it by hand.
        let one = write("engine.sql", &format!("BEGIN;\n{}COMMIT;\n", schema(count, 0)));
        let contender = |command: Box<dyn Fn() -> Command>| Contender {
            before: Box::new(|| {}),
            command,
        };
        let costs: Vec<Cost> = {
            // What is read and compared alone: the engine built both before.
            for name in ["one.db", "other.db"] {
                let _ = fs::remove_file(root.join(name));
                let built = limit(&root.join(name), &one).status();
                assert!(built.is_ok_and(|status| status.success()), "{name} is built");
            }
            let read = sqlrev(root, "diff sqlite:one.db sqlite:other.db");
            let same = sqlrev(root, "diff one.sql other.sql");
            let changed = sqlrev(root, "diff one.sql changed.sql");
            let engine = limit(Path::new(":memory:"), &one);
            let again = |command: &Command| {
                let mut copy = Command::new(command.get_program());
                copy.args(command.get_args());
                if let Some(folder) = command.get_current_dir() {
                    copy.current_dir(folder);
                }
                copy
            };
            rounds(
                if count > 1000 { 1 } else { 5 },
                &[
                    contender(Box::new(move || again(&read))),
                    contender(Box::new(move || again(&same))),
                    contender(Box::new(move || again(&changed))),
                    contender(Box::new(move || again(&engine))),
                ],
            )
        };
        let [read, same, changed, engine] = costs[..] else {
            panic!("four were measured")
        };
        if count == 1000 {
            // The engine has to build both sides.
            let engine = engine.cpu * 2.0;
            table::time("1000 tables read from two databases, no difference", read.cpu, None, 150.0, factor);
            table::figure("  memory", read.memory, None, "MB", 60.0);
            table::ratio("  from two files, beside what the engine takes to build", same.cpu, engine, "ms", 1.0);
            table::figure("  memory", same.memory, None, "MB", 60.0);
            table::time(
                "  10 columns more, generated and proved",
                changed.cpu,
                Some(engine),
                300.0,
                factor,
            );
            revision(root, factor, sqlrev, engine);
            small = read.cpu;
            alembic(root, same.cpu);
        } else {
            table::ratio("10,000 tables in times of 1000", read.cpu, small, "ms", 12.0);
        }
    }
}

/// A revision of ten columns more for a history that builds the tables, tried both ways.
fn revision(root: &Path, factor: f64, sqlrev: &dyn Fn(&Path, &str) -> Command, engine: f64) {
    let root = root.join("revision");
    let migrations = root.join("migrations");
    let base = migrations.join("base");
    fs::create_dir_all(&base).expect("a folder");
    let header = "-- ---\n-- revision: 000000000001\n-- message: base\n-- ---\n";
    fs::write(base.join("upgrade.sql"), format!("{header}{}", schema(1000, 0))).expect("a file");
    fs::write(root.join("schema.sql"), schema(1000, 10)).expect("a file");
    fs::write(root.join("migrations.yaml"), "url: sqlite:app.db\n").expect("a file");
    let contender = Contender {
        before: Box::new(|| {
            let folders = fs::read_dir(&migrations)
                .expect("a folder")
                .map(|entry| entry.expect("an entry").path());
            for folder in folders.filter(|folder| *folder != base) {
                fs::remove_dir_all(folder).expect("a folder");
            }
        }),
        command: Box::new(|| sqlrev(&root, "revision --autogenerate -m more")),
    };
    let cost = rounds(5, &[contender])[0];
    table::time(
        "  the same as a revision, both ways",
        cost.cpu,
        Some(engine),
        500.0,
        factor,
    );
    table::figure("  memory", cost.memory, None, "MB", 60.0);
}

const ALEMBIC: &str = "
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.autogenerate import compare_metadata
meta = sa.MetaData()
for i in range(1000):
    sa.Table(f'table_{i}', meta, sa.Column('id', sa.Integer, primary_key=True),
        sa.Column('parent_id', sa.Integer, sa.ForeignKey(f'table_{i // 2}.id', ondelete='CASCADE')),
        sa.Column('code', sa.Text, nullable=False), sa.Column('name', sa.String(200), nullable=False, server_default=''),
        sa.Column('amount', sa.Numeric(10, 2)), sa.Column('note', sa.Text),
        sa.Column('created_at', sa.Text, nullable=False, server_default=sa.text('CURRENT_TIMESTAMP')),
        sa.Column('state', sa.Integer, nullable=False, server_default='0'), sa.UniqueConstraint('code', 'state'),
        sa.Index(f'table_{i}_name', 'name'), sa.Index(f'table_{i}_created', 'created_at', 'state'))
with sa.create_engine('sqlite:///peer.db').begin() as connection:
    compare_metadata(MigrationContext.configure(connection), meta)
";

fn alembic(root: &Path, ours: f64) {
    let python = |text: &str| {
        let mut python = Command::new("python3");
        python.args(["-c", text]).current_dir(root).stderr(Stdio::null());
        python
    };
    if !python("import alembic").status().is_ok_and(|status| status.success()) {
        println!("  alembic check: left out, python3 does not have it");
        return;
    }
    let made = Command::new("sh")
        .args(["-c", "sqlite3 peer.db < one.sql"])
        .current_dir(root)
        .status();
    if made.is_ok_and(|status| status.success()) {
        let contender = Contender {
            before: Box::new(|| {}),
            command: Box::new(|| python(ALEMBIC)),
        };
        table::peer("alembic compare_metadata", rounds(1, &[contender])[0].cpu, ours);
    }
}
