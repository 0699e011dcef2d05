//! What needs a MariaDB or MySQL server: races, kills on both sides, locks, and what is true after them.

use std::io::BufReader;
use std::process::{Child, Command};
use std::time::Duration;

use crate::place::{Done, Place};
use crate::server::{Database, Server};

on_mariadb_and_mysql! {
    eight_processes
    killed_clients
    a_connection_killed_at_each_statement
    an_interrupt_stops_the_statement
    an_interrupt_stops_what_comes_next
    a_second_run_waits_and_names_the_first
    two_databases_do_not_wait_for_each_other
    a_large_script
    a_statement_that_is_too_long
}

const PROCESSES: usize = 8;
const REVISIONS: usize = 9;
/// How many statements a revision of [`history`] has.
const STATEMENTS: usize = 4;

fn id(i: usize) -> String {
    format!("rev{i:03}")
}

/// Revisions that would fail or count twice if they ran twice. One of three stands in a transaction and changes rows of
/// the one before.
fn history(place: &Place, revisions: usize) {
    for i in 0..revisions {
        let parent = i.checked_sub(1).map(id);
        let parents: Vec<&str> = parent.iter().map(String::as_str).collect();
        let (up, down) = if is_rows(i) {
            let before = i - 1;
            let up = "INSERT INTO t{} (b) VALUES ('y');\nINSERT INTO t{} (b) VALUES ('z');";
            let down = "DELETE FROM t{} WHERE b IN ('y', 'z');";
            let of = |text: &str| text.replace("{}", &before.to_string());
            (of(up), of(down))
        } else {
            let up = format!(
                "CREATE TABLE t{i} (a INT AUTO_INCREMENT PRIMARY KEY, b VARCHAR(9));\nINSERT INTO t{i} (b) VALUES ('x');\n\
                 CREATE INDEX t{i}_b ON t{i} (b);\nINSERT INTO t{i} (b) SELECT b FROM t{i};"
            );
            (up, format!("DROP TABLE t{i};"))
        };
        place.revision(&id(i), &parents, &[], &up, &down);
    }
}

fn is_rows(i: usize) -> bool {
    i % 3 == 2
}

pub(crate) fn place_on(database: &Database) -> Place {
    let mut place = Place::new();
    place.variables = database.variables.clone();
    place.write("migrations.yaml", "locations: [migrations]\n");
    place
}

fn tables_are_there(database: &Database) -> bool {
    let query = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() \
                 AND table_name IN ('sqlrev_revisions', 'sqlrev_log')";
    database.query(query) == ["2"]
}

/// What the revisions of [`history`] have left in the database.
struct Seen {
    tables: Vec<String>,
    indexes: Vec<String>,
    /// `t1|x|2`: so many rows of a table with this value.
    rows: Vec<String>,
}

impl Seen {
    fn look(database: &Database) -> Self {
        let tables =
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 't%'";
        let indexes = "SELECT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() AND index_name LIKE 't%'";
        let tables = database.query(tables);
        let counts: Vec<String> = tables
            .iter()
            .map(|table| format!("SELECT '{table}', b, COUNT(*) FROM {table} GROUP BY b"))
            .collect();
        Self {
            rows: if counts.is_empty() {
                Vec::new()
            } else {
                database.query(&counts.join(" UNION ALL "))
            },
            indexes: database.query(indexes),
            tables,
        }
    }

    fn has(&self, i: usize, value: &str, count: usize) -> bool {
        self.rows.contains(&format!("t{i}|{value}|{count}"))
    }

    /// How many statements of a revision have run.
    fn statements(&self, i: usize) -> usize {
        if !self.tables.contains(&format!("t{i}")) {
            return 0;
        }
        let index = self.indexes.contains(&format!("t{i}_b"));
        match (self.has(i, "x", 1), self.has(i, "x", 2), index) {
            (false, false, false) => 1,
            (true, _, false) => 2,
            (true, _, true) => 3,
            (_, true, true) => STATEMENTS,
            _ => panic!("t{i} has {:?}", self.rows),
        }
    }
}

/// What the version table says of each revision is so. Returns how many are applied.
fn is_sound(database: &Database, revisions: usize) -> usize {
    let rows = database.query("SELECT revision, COALESCE(unfinished, '') FROM sqlrev_revisions ORDER BY 1");
    let there = Seen::look(database);
    let mut applied = 0;
    for i in 0..revisions {
        let row = rows.iter().find_map(|row| row.strip_prefix(&format!("{}|", id(i))));
        applied += usize::from(row == Some(""));
        if is_rows(i) {
            let (y, z) = (there.has(i - 1, "y", 1), there.has(i - 1, "z", 1));
            assert!(row.is_none_or(str::is_empty), "{rows:?}");
            assert_eq!((row.is_some(), row.is_some()), (y, z), "{} of {rows:?}", id(i));
            continue;
        }
        let seen = there.statements(i);
        let may_be = match row {
            None => vec![0],
            Some("") => vec![STATEMENTS],
            Some(at) => {
                let (way, rest) = at.split_once(':').expect("how far it came");
                let (done, begun) = match rest.strip_suffix(":begun") {
                    Some(done) => (done, true),
                    None => (rest, false),
                };
                let done: usize = done.parse().expect("a number");
                match way {
                    "upgrade" => vec![done, done + usize::from(begun)],
                    // There is one statement, which takes the table away.
                    _ => vec![
                        if done == 0 { STATEMENTS } else { 0 },
                        if begun { 0 } else { STATEMENTS },
                    ],
                }
            }
        };
        assert!(
            may_be.contains(&seen),
            "{} statements of {} are done, and {rows:?}",
            seen,
            id(i)
        );
    }
    let twice =
        "SELECT revision FROM sqlrev_log WHERE event = 'upgrade' AND outcome = 'done' GROUP BY 1 HAVING COUNT(*) > 1";
    assert_eq!(database.query(twice), [""; 0]);
    applied
}

/// Says of a statement in doubt what is so, as a person would who has looked.
fn settle(place: &Place, database: &Database) {
    let rows = database.query("SELECT revision, unfinished FROM sqlrev_revisions WHERE unfinished LIKE '%:begun'");
    for row in &rows {
        let (id, at) = row.split_once('|').expect("two columns");
        let i: usize = id.trim_start_matches("rev").parse().expect("a number");
        let done: usize = at.split(':').nth(1).expect("a number").parse().expect("a number");
        let answer = if Seen::look(database).statements(i) > done {
            "--ran"
        } else {
            "--not-run"
        };
        place.run(&["upgrade", "heads"]).failed_with(1, "execute::unfinished");
        place.must(&["repair", id, answer]);
    }
}

fn all_at_once(place: &Place, args: &[&str]) {
    let children: Vec<Child> = (0..PROCESSES).map(|_| place.start(args)).collect();
    for child in children {
        let done: Done = child.wait_with_output().expect("it ends").into();
        assert_eq!(done.status, Some(0), "{done:?}");
    }
}

fn others(database: &Database) -> Vec<String> {
    database.query("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()")
}

/// Ends every other connection to the database.
fn kill_others(database: &Database) {
    for id in others(database) {
        // It may be gone already.
        let kill = format!("KILL {id}");
        let done = database.client("mariadb").args(["-e", &kill]).output();
        done.expect("the client is installed");
    }
}

fn wait_for_quiet(database: &Database) {
    while !others(database).is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn eight_processes(server: Server) {
    let database = Database::on(server);
    let place = place_on(&database);
    history(&place, REVISIONS);
    all_at_once(&place, &["upgrade", "heads"]);
    assert_eq!(is_sound(&database, REVISIONS), REVISIONS);
    all_at_once(&place, &["downgrade", "base"]);
    assert_eq!(is_sound(&database, REVISIONS), 0);
}

/// Kills the program at many moments; what the version table says is so, and once somebody has looked at what is in doubt
/// the next run goes on.
fn killed_clients(server: Server) {
    let database = Database::on(server);
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
        // The server may still be busy with what was sent.
        wait_for_quiet(&database);
        if tables_are_there(&database) {
            is_sound(&database, REVISIONS);
            settle(&place, &database);
        }
    }
    assert!(kills > 0);
    place.must(&["upgrade", "heads"]);
    assert_eq!(is_sound(&database, REVISIONS), REVISIONS);
}

/// Ends the connection while each statement of a revision runs, one after the other; each run goes on where the one before
/// ended.
fn a_connection_killed_at_each_statement(server: Server) {
    let database = Database::on(server);
    let place = place_on(&database);
    let script = |slow: Option<usize>| {
        let statement = |at: usize| {
            let value = if slow == Some(at) { SLOW } else { "1" };
            match at % 3 {
                0 => format!("CREATE TABLE t{at} AS SELECT {value} AS x;"),
                _ => format!("INSERT INTO t{} SELECT {value};", at - at % 3),
            }
        };
        let lines: Vec<String> = (0..6).map(statement).collect();
        place.revision("aaaa", &[], &[], &lines.join("\n"), "DROP TABLE t0; DROP TABLE t3;");
    };
    for at in 0..6 {
        script(Some(at));
        let child = place.start(&["upgrade"]);
        wait_until(&database, SLEEPING, "1");
        kill_others(&database);
        let done: Done = child.wait_with_output().expect("it ends").into();
        done.failed_with(1, "connect::lost");
        told_truly(&done, &database);
        // Those that only change rows go with the one that was running.
        let (want, tables) = match at {
            0 => ("upgrade:0:begun", 0),
            1 | 2 => ("upgrade:1", 1),
            3 => ("upgrade:3:begun", 1),
            _ => ("upgrade:4", 2),
        };
        assert_eq!(
            database.query("SELECT unfinished FROM sqlrev_revisions"),
            [want],
            "{done:?}"
        );
        let there =
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 't%'";
        assert_eq!(database.query(there), [tables.to_string()]);
        if want.ends_with("begun") {
            assert!(done.stderr.contains("SHOW CREATE TABLE"), "{done:?}");
            place.run(&["upgrade"]).failed_with(1, "execute::unfinished");
            place.must(&["repair", "aaaa", "--not-run"]);
        }
    }
    script(None);
    place.must(&["upgrade"]);
    assert_eq!(
        database.query("SELECT COUNT(*) FROM t0 UNION ALL SELECT COUNT(*) FROM t3"),
        ["3", "3"]
    );
}

/// What the error says of a revision is what the database has.
pub(crate) fn told_truly(done: &Done, database: &Database) {
    let rows = database.query("SELECT revision, COALESCE(unfinished, '') FROM sqlrev_revisions");
    let has = |id: &str, at: &str| rows.contains(&format!("{id}|{at}"));
    let between = |before: &str, after: &str| {
        let (_, rest) = done.stderr.split_once(before)?;
        rest.split_once(after).map(|(text, _)| text.to_owned())
    };
    if let Some(id) = between("the upgrade of revision `", "` is committed") {
        assert!(has(&id, ""), "{done:?}");
    } else if let Some(id) = between("connection: revision `", "` was rolled back") {
        assert!(!rows.iter().any(|row| row.starts_with(&format!("{id}|"))), "{done:?}");
    } else if let Some(count) = between("looked up on a new connection: ", " of ") {
        let id = between("statements of revision `", "`").expect("the revision");
        let begun = if done.stderr.contains("was begun") {
            ":begun"
        } else {
            ""
        };
        assert!(has(&id, &format!("upgrade:{count}{begun}")), "{done:?} {rows:?}");
    } else {
        panic!("nothing is said of the database: {done:?}");
    }
}

pub(crate) fn rest(mut lines: BufReader<std::process::ChildStderr>) -> String {
    let mut text = String::new();
    std::io::Read::read_to_string(&mut lines, &mut text).expect("it can be read");
    text
}

/// Asks until it is so. Between two questions lies more than the tenth of a second that `InnoDB`'s tables of
/// `information_schema` stay as they are for those who keep asking (`CACHE_MIN_IDLE_TIME` in the server's `trx0i_s.cc`).
pub(crate) fn wait_until(database: &Database, query: &str, want: &str) {
    for _ in 0..400 {
        let now = database.query(query);
        if now == [want] {
            return;
        }
        std::thread::sleep(Duration::from_millis(150));
    }
    panic!("`{query}` never came to {want}: {:?}", database.query(query));
}

/// Those that sleep, not those that write down the text of a revision that will.
pub(crate) const SLEEPING: &str = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND \
                        info LIKE '%600%' AND id <> CONNECTION_ID() AND state = 'User sleep'";

/// What takes long. On MySQL a SLEEP that is killed ends, and its statement goes on; here another one follows, which
/// does not begin.
pub(crate) const SLOW: &str = "(SELECT MAX(SLEEP(0.05)) FROM information_schema.collations a \
                               JOIN information_schema.collations b WHERE 600 > 0)";

fn an_interrupt_stops_the_statement(server: Server) {
    let database = Database::on(server);
    let place = place_on(&database);
    let up = format!("CREATE TABLE t (a INT);\nCREATE TABLE u AS SELECT {SLOW} AS s;\nCREATE TABLE v (a INT);");
    place.revision("aaaa", &[], &[], &up, "DROP TABLE t;");
    let mut child = place.start(&["upgrade"]);
    wait_until(&database, SLEEPING, "1");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.expect("kill is there").success());
    let text = rest(BufReader::new(child.stderr.take().expect("it is piped")));
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{text}");
    assert!(text.contains("execute::interrupted"), "{text}");
    assert!(text.contains("1 of 3 statements"), "{text}");
    assert_eq!(database.query(SLEEPING), ["0"]);
    assert_eq!(database.query("SHOW TABLES LIKE 'u'"), [""; 0]);
    assert_eq!(database.query("SELECT unfinished FROM sqlrev_revisions"), ["upgrade:1"]);
}

/// A SLEEP that is killed ends well; neither the next statement begins nor the next revision.
fn an_interrupt_stops_what_comes_next(server: Server) {
    let database = Database::on(server);
    let place = place_on(&database);
    let up = "CREATE TABLE t (a INT);\nDO SLEEP(600);\nDROP TABLE t;";
    place.revision("aaaa", &[], &[], up, "");
    place.revision("bbbb", &["aaaa"], &[], "CREATE TABLE v (a INT);", "");
    let child = place.start(&["upgrade"]);
    wait_until(&database, SLEEPING, "1");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.expect("kill is there").success());
    let done: Done = child.wait_with_output().expect("it ends").into();
    assert_eq!(done.status, Some(130), "{done:?}");
    assert_eq!(database.query("SHOW TABLES LIKE 't'"), ["t"]);
    assert_eq!(database.query("SHOW TABLES LIKE 'v'"), [""; 0]);
    place.revision("aaaa", &[], &[], &up.replace("600", "0"), "");
    place.must(&["upgrade"]);
    assert_eq!(database.query("SHOW TABLES LIKE 't'"), [""; 0]);
}

fn a_second_run_waits_and_names_the_first(server: Server) {
    let database = Database::on(server);
    let place = place_on(&database);
    let up = "CREATE TABLE t (a INT);\nDO SLEEP(600);";
    place.revision("aaaa", &[], &[], up, "");
    let mut first = place.start(&["upgrade"]);
    wait_until(&database, SLEEPING, "1");
    let done = place.run(&["upgrade", "--lock-timeout", "0.2"]);
    done.failed_with(1, "lock::timeout");
    assert!(done.stderr.contains("(user root, from localhost"), "{done:?}");
    // The other direction waits as well, since the revision may come to its end.
    let done = place.run(&["downgrade", "base", "--lock-timeout", "0.2"]);
    done.failed_with(1, "lock::timeout");
    first.kill().expect("it can be killed");
    first.wait().expect("it ends");
    kill_others(&database);
    wait_for_quiet(&database);
    place.revision("aaaa", &[], &[], &up.replace("600", "0"), "");
    place.must(&["upgrade"]);
}

/// The server's lock is of one database: a run on another one does not wait.
fn two_databases_do_not_wait_for_each_other(server: Server) {
    let (database, other) = (Database::on(server), Database::on(server));
    let (place, beside) = (place_on(&database), place_on(&other));
    place.revision("aaaa", &[], &[], "DO SLEEP(600);", "");
    beside.revision("aaaa", &[], &[], "DO 0;", "");
    let mut first = place.start(&["upgrade"]);
    wait_until(&database, SLEEPING, "1");
    beside.must(&["upgrade", "--lock-timeout", "0"]);
    first.kill().expect("it can be killed");
    first.wait().expect("it ends");
    kill_others(&database);
}

fn a_large_script(server: Server) {
    let database = Database::on(server);
    let place = place_on(&database);
    let mut up = "CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(99));\n".to_owned();
    for i in 0..60_000 {
        let mark = if i % 1000 == 0 { ";" } else { "," };
        up.push_str(&format!(
            "INSERT INTO t VALUES ({i}, 'row number {i}{mark} of many that are loaded');\n"
        ));
    }
    place.revision("aaaa", &[], &[], &up, "DROP TABLE t;");
    place.must(&["upgrade"]);
    assert_eq!(database.query("SELECT COUNT(*), SUM(a) FROM t"), ["60000|1799970000"]);
    place.must(&["downgrade", "base"]);
    let wrong = up.replace("(30000, ", "(29999, ");
    place.revision("aaaa", &[], &[], &wrong, "DROP TABLE t;");
    let done = place.run(&["upgrade"]);
    done.failed_with(1, "execute::statement_failed");
    assert!(done.stderr.contains("'29999'"), "{done:?}");
    // The table is there, and none of the rows.
    assert_eq!(database.query("SELECT COUNT(*) FROM t"), ["0"]);
    assert_eq!(database.query("SELECT unfinished FROM sqlrev_revisions"), ["upgrade:1"]);
}

/// A statement that is longer than the server takes is refused, not torn.
fn a_statement_that_is_too_long(server: Server) {
    let database = Database::on(server);
    let place = place_on(&database);
    let rows: Vec<String> = (0..400_000)
        .map(|i| format!("({i}, 'a row that is one of many of this statement')"))
        .collect();
    let up = format!(
        "CREATE TABLE t (a INT, b TEXT);\nINSERT INTO t VALUES\n{};\n",
        rows.join(",\n")
    );
    assert!(up.len() > 16 << 20);
    place.revision("aaaa", &[], &[], &up, "");
    let done = place.run(&["upgrade"]);
    done.failed_with(1, "execute::statement_failed");
    assert!(done.stderr.contains("max_allowed_packet"), "{done:?}");
    assert!(done.stderr.contains("1 of 2 statements"), "{done:?}");
}
