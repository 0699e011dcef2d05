//! The workloads, their goals, and the peers that are installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::batch;
use crate::make::{self, Layout, Shape};
use crate::measure::{Contender, flushes, rounds, run};
use crate::table;

/// How often contenders take turns.
const ROUNDS: usize = 7;
/// How many revisions are traced.
const TRACED: usize = 100;

/// A name to choose it by, and what it measures.
type Workload = (&'static str, fn(&Bench));

struct Bench {
    sqlrev: PathBuf,
    /// Where nothing waits for a disk.
    memory: PathBuf,
    /// A real disk.
    disk: PathBuf,
    alembic: bool,
    /// How many times as fast the machine is that the goals in milliseconds come from.
    factor: f64,
}

/// Runs the workloads whose names contain one of the words, or all of them.
pub fn all(sqlrev: &Path, only: &[&str]) {
    let here = std::process::id();
    let shm = Path::new("/dev/shm");
    let temporary = std::env::temp_dir();
    let mut bench = Bench {
        sqlrev: fs::canonicalize(sqlrev).expect("the program is there"),
        memory: if shm.is_dir() { shm } else { &temporary }.join(format!("sqlrev-bench-{here}")),
        disk: temporary.join(format!("sqlrev-bench-{here}")),
        alembic: has_alembic(),
        factor: 1.0,
    };
    bench.factor = bench.calibrate();
    if !bench.alembic {
        println!("peers: python3 has no alembic, so it is left out");
    }
    table::head();
    let work: [Workload; 10] = [
        ("start", start),
        ("upgrade", upgrade),
        ("flushes", count_flushes),
        ("nothing", nothing_to_do),
        ("read", read),
        ("inserts", inserts),
        ("offline", offline),
        ("batch", batch),
        ("schema", schemas),
        ("size", size),
    ];
    for (name, work) in work {
        if only.is_empty() || only.iter().any(|word| name.contains(word)) {
            for folder in [&bench.memory, &bench.disk] {
                let _ = fs::remove_dir_all(folder);
                fs::create_dir_all(folder).expect("a folder");
            }
            work(&bench);
        }
    }
    let _ = fs::remove_dir_all(&bench.memory);
    let _ = fs::remove_dir_all(&bench.disk);
}

fn has_alembic() -> bool {
    let mut python = Command::new("python3");
    python
        .args(["-c", "import alembic"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    python.status().is_ok_and(|status| status.success())
}

fn schemas(bench: &Bench) {
    crate::schema::diff(
        &bench.memory,
        bench.factor,
        &|root, args| bench.sqlrev(root, args),
        &|database, script| bench.limit(database, script),
    );
}

/// What `sqlite3_exec` took for 10 MB of INSERTs on the machine that the goals come from, in milliseconds.
const THERE: f64 = 124.0;

impl Bench {
    /// Compares this machine, as it is now, with the one that the goals come from.
    fn calibrate(&self) -> f64 {
        fs::create_dir_all(&self.memory).expect("a folder");
        let (database, script) = (self.memory.join("limit.db"), self.memory.join("limit.sql"));
        make::inserts(&script, 10, "BEGIN;\n", "COMMIT;\n");
        let contender = Contender {
            before: Box::new(|| anew(&database, false, "")),
            command: Box::new(|| self.limit(&database, &script)),
        };
        let here = rounds(ROUNDS, &[contender])[0].cpu;
        println!("SQLite alone: {here:.0} ms for 10 MB of INSERTs, {THERE} ms where the goals in ms come from");
        (here / THERE).max(1.0)
    }

    fn sqlrev(&self, root: &Path, args: &str) -> Command {
        let mut command = Command::new(&self.sqlrev);
        command.args(args.split_whitespace()).current_dir(root).env_clear();
        command
    }

    fn limit(&self, database: &Path, script: &Path) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.arg("limit").arg(database).arg(script);
        command
    }

    /// The median time of a command that changes nothing, in milliseconds.
    fn time(&self, root: &Path, args: &str) -> f64 {
        let contender = Contender {
            before: Box::new(|| {}),
            command: Box::new(|| self.sqlrev(root, args)),
        };
        rounds(ROUNDS * 3, &[contender])[0].cpu
    }

    /// What it takes to read the files of a project, in milliseconds.
    fn files(&self, root: &Path) -> f64 {
        let contender = Contender {
            before: Box::new(|| {}),
            command: Box::new(|| {
                let mut command = Command::new(std::env::current_exe().expect("this program"));
                command.arg("list").arg(root.join("migrations"));
                command
            }),
        };
        rounds(ROUNDS, &[contender])[0].cpu
    }
}

/// Removes a database, and makes it with a table of its own when it is to be there already.
fn anew(database: &Path, existing: bool, journal: &str) {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", database.display()));
    }
    if existing {
        let db = rusqlite::Connection::open(database).expect("a database");
        let sql = format!("PRAGMA journal_mode = {journal}; CREATE TABLE already_there (a);");
        db.execute_batch(&sql).expect("a table");
    }
}

fn start(bench: &Bench) {
    table::time(
        "--version",
        bench.time(&bench.memory, "--version"),
        None,
        3.0,
        bench.factor,
    );
}

fn upgrade(bench: &Bench) {
    let root = &bench.memory;
    make::project(root, 1000, Layout::Folders, Shape::Line, make::table);
    let (ours, theirs) = (root.join("app.db"), root.join("limit.db"));
    for (existing, name, goal) in [
        (true, "1,000 revisions, a transaction each", 1.2),
        (false, "1,000 revisions, a new database", 1.15),
    ] {
        let script = root.join("limit.sql");
        make::script(&script, 1000, !existing, make::table);
        let contenders = [
            Contender {
                before: Box::new(|| anew(&ours, existing, "delete")),
                command: Box::new(|| bench.sqlrev(root, "upgrade heads -q")),
            },
            Contender {
                before: Box::new(|| anew(&theirs, existing, "delete")),
                command: Box::new(|| bench.limit(&theirs, &script)),
            },
        ];
        let costs = rounds(ROUNDS, &contenders);
        table::ratio(name, costs[0].cpu, costs[1].cpu, "ms", goal);
        table::figure("  peak memory", costs[0].memory, Some(costs[1].memory), "MB", 12.0);
        if bench.alembic && existing {
            alembic(bench, 1000, make::table, "upgrade head", costs[0].cpu);
        }
    }
}

fn count_flushes(bench: &Bench) {
    let root = &bench.disk;
    make::project(root, TRACED, Layout::Folders, Shape::Line, make::table);
    for (journal, goal) in [("delete", 4.1), ("wal", 1.2)] {
        anew(&root.join("app.db"), true, journal);
        let name = format!("flushes a revision, journal_mode {journal}");
        match flushes(&bench.sqlrev(root, "upgrade heads -q"), root) {
            Some(count) => table::figure(&name, count as f64 / TRACED as f64, None, "", goal),
            None => println!("{name}: left out, there is no strace"),
        }
    }
}

fn nothing_to_do(bench: &Bench) {
    for (count, goal) in [(1000, 5.5), (10_000, 40.0)] {
        for (layout, what) in [(Layout::Folders, "folders"), (Layout::Flat, "flat files")] {
            let root = bench.memory.join(format!("{count}-{what}"));
            make::project(&root, count, layout, Shape::Line, make::light);
            run(&mut bench.sqlrev(&root, "stamp heads"));
            let (time, files) = (bench.time(&root, "upgrade heads"), bench.files(&root));
            table::time(
                &format!("nothing to do, {count} revisions, {what}"),
                time,
                Some(files),
                goal,
                bench.factor,
            );
        }
    }
    if bench.alembic {
        let root = bench.memory.join("1000-folders");
        alembic(bench, 1000, make::light, "current", bench.time(&root, "upgrade heads"));
    }
}

fn read(bench: &Bench) {
    let root = &bench.memory;
    make::project(root, 10_000, Layout::Folders, Shape::Diamonds, make::light);
    run(&mut bench.sqlrev(root, "stamp heads"));
    let files = bench.files(root);
    for command in ["heads", "history", "current"] {
        let name = format!("{command}, 10,000 revisions, 2,500 merges");
        table::time(&name, bench.time(root, command), Some(files), 60.0, bench.factor);
    }
}

fn inserts(bench: &Bench) {
    let root = &bench.memory;
    let mut costs = Vec::new();
    for megabytes in [10, 100] {
        let _ = fs::remove_dir_all(root);
        make::project(root, 0, Layout::Flat, Shape::Line, make::light);
        let script = root.join("limit.sql");
        make::inserts(&script, megabytes, "BEGIN;\n", "COMMIT;\n");
        let revision = root.join("migrations/one.upgrade.sql");
        make::inserts(&revision, megabytes, "-- ---\n-- revision: aaaa\n-- ---\n", "");
        let (ours, theirs) = (root.join("app.db"), root.join("limit.db"));
        let contenders = [
            Contender {
                before: Box::new(|| anew(&ours, false, "")),
                command: Box::new(|| bench.sqlrev(root, "upgrade heads -q")),
            },
            Contender {
                before: Box::new(|| anew(&theirs, false, "")),
                command: Box::new(|| bench.limit(&theirs, &script)),
            },
        ];
        let taken = rounds(5, &contenders);
        table::ratio(
            &format!("one revision of {megabytes} MB of INSERTs"),
            taken[0].cpu,
            taken[1].cpu,
            "ms",
            1.15,
        );
        table::figure("  peak memory", taken[0].memory, Some(taken[1].memory), "MB", 30.0);
        costs.push(taken[0].cpu);
    }
    table::figure("  from 10 MB to 100 MB, times", costs[1] / costs[0], None, "", 11.0);
}

fn offline(bench: &Bench) {
    for (count, goal) in [(1000, 10.0), (10_000, 60.0)] {
        let root = bench.memory.join(count.to_string());
        make::project(&root, count, Layout::Folders, Shape::Line, make::light);
        let (time, files) = (bench.time(&root, "upgrade base:heads --sql"), bench.files(&root));
        table::time(
            &format!("offline script of {count} revisions"),
            time,
            Some(files),
            goal,
            bench.factor,
        );
    }
}

fn batch(bench: &Bench) {
    let tools = batch::Tools {
        sqlrev: &|root, args| bench.sqlrev(root, args),
        limit: &|database, script| bench.limit(database, script),
    };
    batch::all(&bench.memory, &tools, bench.factor);
}

fn size(bench: &Bench) {
    let bytes = fs::metadata(&bench.sqlrev).expect("the program").len();
    table::figure("the program, stripped", bytes as f64 / 1e6, None, "MB", 10.0);
}

/// The same history as scripts of Alembic, each with its statements in `op.execute`.
fn alembic(bench: &Bench, count: usize, body: fn(usize) -> (String, String), command: &str, ours: f64) {
    let root = bench.memory.join("alembic");
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(root.join("scripts/versions")).expect("a folder");
    let settings = "[alembic]\nscript_location = scripts\nsqlalchemy.url = sqlite:///peer.db\n";
    fs::write(root.join("alembic.ini"), settings).expect("a file");
    let environment = "from alembic import context\nfrom sqlalchemy import create_engine\n\
         engine = create_engine(context.config.get_main_option('sqlalchemy.url'))\n\
         with engine.connect() as connection:\n    \
         context.configure(connection=connection, transaction_per_migration=True)\n    \
         with context.begin_transaction():\n        context.run_migrations()\n";
    fs::write(root.join("scripts/env.py"), environment).expect("a file");
    for i in 0..count {
        let parent = if i == 0 {
            "None".to_owned()
        } else {
            format!("'{}'", make::id(i - 1))
        };
        let statements = body(i).0;
        let calls = statements.split(";\n").filter(|sql| !sql.trim().is_empty());
        let calls: String = calls.map(|sql| format!("    op.execute({sql:?})\n")).collect();
        let text = format!(
            "from alembic import op\nrevision = '{}'\ndown_revision = {parent}\ndef upgrade():\n{calls}\
             def downgrade():\n    pass\n",
            make::id(i)
        );
        fs::write(root.join(format!("scripts/versions/{}.py", make::id(i))), text).expect("a file");
    }
    let python = |words: &str| {
        let mut python = Command::new("python3");
        python
            .args(["-m", "alembic"])
            .args(words.split_whitespace())
            .current_dir(&root);
        python
    };
    if command == "current" {
        run(&mut python("stamp head"));
    }
    let contender = Contender {
        before: Box::new(|| {
            if command != "current" {
                anew(&root.join("peer.db"), true, "delete");
            }
        }),
        command: Box::new(|| python(command)),
    };
    table::peer(&format!("alembic {command}"), rounds(3, &[contender])[0].cpu, ours);
}
