//! PostgreSQL: races, kills on both sides, interruptions, and what outlives them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::time::Duration;

use crate::place::{Done, Place};
use crate::server::Database;

const PROCESSES: usize = 8;
const REVISIONS: usize = 24;

fn id(i: usize) -> String {
    format!("rev{i:03}")
}

/// Revisions that would fail or count twice if they ran twice; one has no transaction, one takes data.
fn history(place: &Place, revisions: usize) {
    for i in 0..revisions {
        let parent = i.checked_sub(1).map(id);
        let alone = i == revisions / 2;
        let options: &[&str] = if alone { &["transaction: none"] } else { &[] };
        let concurrently = if alone { "CONCURRENTLY" } else { "" };
        let up = format!(
            "CREATE TABLE t{i} (a int GENERATED ALWAYS AS IDENTITY, b text);\nINSERT INTO t{i} (b) VALUES ('x');\n\
             COPY t{i} (b) FROM stdin;\ny\n\\.\nCREATE INDEX {concurrently} t{i}_b ON t{i} (b);\n\
             INSERT INTO t{i} (b) SELECT b FROM t{i};"
        );
        let parents: Vec<&str> = parent.iter().map(String::as_str).collect();
        place.revision(&id(i), &parents, options, &up, &format!("DROP TABLE t{i};"));
    }
}

pub(crate) fn place_on(database: &Database) -> Place {
    let mut place = Place::new();
    place.variables = database.variables.clone();
    place.write("migrations.yaml", "locations: [migrations]\n");
    place
}

/// Every revision that is applied has all of its rows, no other one has anything, and each was done once.
fn is_sound(database: &Database, revisions: usize) -> usize {
    let applied = database.query("SELECT revision FROM sqlrev_revisions WHERE unfinished IS NULL ORDER BY 1");
    let there = database.query("SELECT tablename FROM pg_tables WHERE tablename ~ '^t[0-9]+$'");
    let rows: Vec<String> = there
        .iter()
        .map(|table| format!("SELECT '{table} ' || coalesce(string_agg(b, '' ORDER BY a), '') FROM {table}"))
        .collect();
    let rows = if rows.is_empty() {
        rows
    } else {
        database.query(&rows.join(" UNION ALL "))
    };
    for i in 0..revisions {
        let whole = rows.contains(&format!("t{i} xyxy"));
        if applied.contains(&id(i)) {
            assert!(whole, "t{i} of {rows:?}");
        } else {
            let unfinished = i == revisions / 2;
            let is_there = there.contains(&format!("t{i}"));
            assert!(!is_there || unfinished, "table t{i} is there without its revision");
        }
    }
    let twice =
        "SELECT revision FROM sqlrev_log WHERE event = 'upgrade' AND outcome = 'done' GROUP BY 1 HAVING count(*) > 1";
    assert_eq!(database.query(twice), [""; 0]);
    applied.len()
}

fn tables_are_there(database: &Database) -> bool {
    database.query("SELECT to_regclass('sqlrev_revisions') IS NOT NULL") == ["t"]
}

fn all_at_once(place: &Place, args: &[&str]) {
    let children: Vec<Child> = (0..PROCESSES).map(|_| place.start(args)).collect();
    for child in children {
        let done: Done = child.wait_with_output().expect("it ends").into();
        assert_eq!(done.status, Some(0), "{done:?}");
    }
}

#[test]
fn eight_processes_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    history(&place, REVISIONS);
    all_at_once(&place, &["upgrade", "heads"]);
    assert_eq!(is_sound(&database, REVISIONS), REVISIONS);
    all_at_once(&place, &["downgrade", "base"]);
    assert_eq!(is_sound(&database, REVISIONS), 0);
}

/// Kills the program at many moments; what stays is whole, and the next run goes on.
#[test]
fn killed_clients_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    history(&place, REVISIONS);
    let mut kills = 0;
    for pause in (0..120).step_by(8) {
        let mut child = place.start(&["upgrade", "heads"]);
        std::thread::sleep(Duration::from_millis(pause));
        let ended = child.try_wait().expect("it can be asked").is_some();
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        kills += usize::from(!ended);
        if tables_are_there(&database) {
            // The server may still be busy with the last statement of the one that was killed.
            wait_for_quiet(&database);
            is_sound(&database, REVISIONS);
        }
    }
    assert!(kills > 0);
    finish(&place, &database);
}

fn wait_for_quiet(database: &Database) {
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    while database.query(others) != ["0"] {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Lets the history come to its end: an index that was being built when its run died is in the way, and named.
fn finish(place: &Place, database: &Database) {
    let middle = REVISIONS / 2;
    for _ in 0..4 {
        let done = place.run(&["upgrade", "heads"]);
        if done.status == Some(0) {
            assert_eq!(is_sound(database, REVISIONS), REVISIONS);
            return;
        }
        assert!(done.stderr.contains(&format!("t{middle}_b")), "{done:?}");
        database.query(&format!("DROP INDEX IF EXISTS t{middle}_b"));
    }
    panic!("it does not come to its end");
}

/// Ends the server's side of the connection at many moments: the program says what became of the revision, truly.
#[test]
fn killed_backends_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    history(&place, REVISIONS);
    let mut lost = 0;
    for pause in (0..160).step_by(10) {
        // The moment is counted from when the session is there, however busy the machine is.
        let ends = format!(
            "DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_stat_clear_snapshot(); \
             EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
             AND application_name = 'sqlrev'); PERFORM pg_sleep(0.001); END LOOP; \
             PERFORM pg_sleep({pause} / 1000.0), pg_stat_clear_snapshot(); \
             PERFORM pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'sqlrev'; END $$"
        );
        let mut killer = database
            .client("psql")
            .args(["-Xqc", &ends])
            .spawn()
            .expect("psql is installed");
        let ready = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                     AND query LIKE 'DO $$ BEGIN FOR%' AND pid <> pg_backend_pid()";
        while database.query(ready) != ["1"] {
            std::thread::sleep(Duration::from_millis(5));
        }
        let child = place.start(&["upgrade", "heads"]);
        killer.wait().expect("it ends");
        let done: Done = child.wait_with_output().expect("it ends").into();
        assert!(!done.stderr.contains("panicked"), "{done:?}");
        if !tables_are_there(&database) {
            continue;
        }
        is_sound(&database, REVISIONS);
        if done.stderr.contains("error[sqlrev::connect::lost]") {
            lost += 1;
            let told = told_truly(&done, &database);
            assert!(["committed", "rolled back", "half-way", "not begun"].contains(&told));
        }
    }
    assert!(lost > 0, "no connection was lost");
    finish(&place, &database);
}

/// What the error says of a revision is what the database has. Returns what it says.
pub(crate) fn told_truly(done: &Done, database: &Database) -> &'static str {
    let applied = database.query("SELECT revision FROM sqlrev_revisions WHERE unfinished IS NULL");
    let half = database.query("SELECT unfinished, revision FROM sqlrev_revisions WHERE unfinished IS NOT NULL");
    let word = |before: &str, after: &str| {
        let (_, rest) = done.stderr.split_once(before)?;
        rest.split_once(after).map(|(id, _)| id.to_owned())
    };
    if let Some(id) = word("the upgrade of revision `", "` is committed") {
        assert!(applied.contains(&id), "{done:?}");
        "committed"
    } else if let Some(id) = word("connection: revision `", "` was rolled back") {
        assert!(!applied.contains(&id), "{done:?}");
        assert!(half.is_empty(), "{half:?} {done:?}");
        "rolled back"
    } else if let Some(count) = word("new connection: ", " of ") {
        let id = word("statements of revision `", "`").expect("it names the revision");
        let begun = if done.stderr.contains("was begun") {
            ":begun"
        } else {
            ""
        };
        assert_eq!(half, [format!("upgrade:{count}{begun}|{id}")], "{done:?}");
        "half-way"
    } else if done.stderr.contains("was not begun") || done.stderr.contains("nothing was run") {
        "not begun"
    } else {
        panic!("it does not say what became of the revision: {done:?}");
    }
}

/// Each of the four answers, at a moment that is known: the backend ends itself, in a function that looks at the row.
#[test]
fn what_became_of_a_revision_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    place.revision("aaaa", &[], &[], "CREATE TABLE t (a int);", "DROP TABLE t;");
    place.must(&["upgrade"]);
    let end = "SELECT pg_terminate_backend(pg_backend_pid());";
    place.revision("bbbb", &["aaaa"], &[], &format!("INSERT INTO t VALUES (1);\n{end}"), "");
    let done = place.run(&["upgrade"]);
    done.failed_with(1, "connect::lost");
    assert_eq!(told_truly(&done, &database), "rolled back");
    assert_eq!(database.query("SELECT count(*) FROM t"), ["0"]);
    let none = format!("INSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2);\n{end}");
    place.revision("bbbb", &["aaaa"], &["transaction: none"], &none, "");
    let done = place.run(&["upgrade"]);
    done.failed_with(1, "connect::lost");
    assert_eq!(told_truly(&done, &database), "half-way");
    assert_eq!(
        database.query("SELECT unfinished FROM sqlrev_revisions WHERE revision = 'bbbb'"),
        ["upgrade:2"]
    );
    assert_eq!(database.query("SELECT sum(a) FROM t"), ["3"]);
}

/// Waits until a line of a child's standard error holds a text.
pub(crate) fn wait_for(child: &mut Child, text: &str) -> BufReader<std::process::ChildStderr> {
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert!(lines.read_line(&mut line).expect("it can be read") > 0, "no `{text}`");
    }
    lines
}

pub(crate) fn rest(mut lines: BufReader<std::process::ChildStderr>) -> String {
    let mut text = String::new();
    std::io::Read::read_to_string(&mut lines, &mut text).expect("it can be read");
    text
}

#[test]
fn an_interrupt_cancels_the_statement_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    let up = "CREATE TABLE t (a int);\nSELECT pg_sleep(600);";
    place.revision("aaaa", &[], &[], up, "DROP TABLE t;");
    let mut child = place.start(&["-v", "upgrade"]);
    let lines = wait_for(&mut child, "pg_sleep");
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(600)%' \
                    AND pid <> pg_backend_pid() AND wait_event = 'PgSleep'";
    while database.query(sleeping) != ["1"] {
        std::thread::sleep(Duration::from_millis(10));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.expect("kill is there").success());
    let text = rest(lines);
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{text}");
    assert!(
        text.contains("execute::interrupted") && text.contains("rolled back"),
        "{text}"
    );
    assert_eq!(database.query(sleeping), ["0"]);
    assert_eq!(database.query("SELECT to_regclass('t') IS NULL"), ["t"]);
}

/// Nobody ends a COPY whose run is stopped between two pieces of its data: what comes next would wait for it.
#[test]
fn an_interrupt_ends_a_copy_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    database.query("CREATE TABLE t (a int, b text)");
    database.query(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END'",
    );
    database.query("CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow()");
    let lines: String = (0..300_000)
        .map(|i| format!("{i}\trow number {i} of very many, with more words\n"))
        .collect();
    place.revision("aaaa", &[], &[], &format!("COPY t FROM stdin;\n{lines}\\.\n"), "");
    let mut child = place.start(&["-v", "upgrade"]);
    let copies =
        "SELECT count(*) FROM pg_stat_progress_copy WHERE datname = current_database() AND tuples_processed > 10";
    while database.query(copies) != ["1"] {
        std::thread::sleep(Duration::from_millis(10));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.expect("kill is there").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(database.query("SELECT count(*) FROM t"), ["0"]);
}

#[test]
fn a_second_run_waits_and_names_the_first_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    place.revision("aaaa", &[], &[], "SELECT pg_sleep(600);", "");
    let mut first = place.start(&["-v", "upgrade"]);
    let _lines = wait_for(&mut first, "pg_sleep");
    let done = place.run(&["upgrade", "--lock-timeout", "0.2"]);
    done.failed_with(1, "lock::timeout");
    assert!(done.stderr.contains("(sqlrev, user "), "{done:?}");
    first.kill().expect("it can be killed");
    first.wait().expect("it ends");
    // A session whose client is gone goes on until its statement ends, as the server has it.
    database.query(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name = 'sqlrev'",
    );
    place.revision("aaaa", &[], &[], "SELECT 1;", "");
    place.must(&["upgrade"]);
}

#[test]
fn concurrently_does_not_deadlock_with_a_run_that_waits_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    place.revision("aaaa", &[], &[], "CREATE TABLE t (a int);", "DROP TABLE t;");
    for i in 0..6 {
        let parent = if i == 0 {
            "aaaa".to_owned()
        } else {
            format!("bbb{}", i - 1)
        };
        let up = format!("CREATE INDEX CONCURRENTLY t{i} ON t (a);");
        place.revision(&format!("bbb{i}"), &[&parent], &["transaction: none"], &up, "");
    }
    all_at_once(&place, &["upgrade", "heads"]);
    assert_eq!(
        database.query("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND indisvalid"),
        ["6"]
    );
}

#[test]
fn a_large_copy_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    let lines: String = (0..200_000).map(|i| format!("{i}\trow number {i} of many\n")).collect();
    let up = format!("CREATE TABLE t (a int, b text);\nCOPY t FROM stdin;\n{lines}\\.\n");
    place.revision("aaaa", &[], &[], &up, "DROP TABLE t;");
    place.must(&["upgrade"]);
    assert_eq!(database.query("SELECT count(*), sum(a) FROM t"), ["200000|19999900000"]);
    place.must(&["downgrade", "base"]);
    // A line that is refused in the middle of much data.
    let wrong = up.replace("\n100000\t", "\nx\t");
    place.revision("aaaa", &[], &[], &wrong, "DROP TABLE t;");
    let done = place.run(&["upgrade"]);
    done.failed_with(1, "execute::statement_failed");
    assert!(done.stderr.contains("line 100001"), "{done:?}");
    assert_eq!(
        database.query("SELECT outcome FROM sqlrev_log ORDER BY id DESC LIMIT 1"),
        ["failed"]
    );
    assert_eq!(database.query("SELECT to_regclass('t') IS NULL"), ["t"]);
}

/// A port that leads to the server in some other way is no pooler.
#[test]
fn a_forwarded_port_is_no_pooler_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    place.revision("aaaa", &[], &[], "CREATE TABLE t (a int);", "DROP TABLE t;");
    // A socket under the name of another port is the same server.
    let folder = place.path("socket");
    std::fs::create_dir(&folder).expect("a folder");
    let from = format!(
        "{}/.s.PGSQL.{}",
        database.variables["PGHOST"], database.variables["PGPORT"]
    );
    std::os::unix::fs::symlink(from, folder.join(".s.PGSQL.7777")).expect("a link");
    let url = format!("postgresql:///{}?port=7777&host={}", database.name, folder.display());
    place.must(&["upgrade", "--url", &url]);
}
