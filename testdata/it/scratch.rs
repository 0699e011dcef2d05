//! Scratch databases: none is left, and nothing else is touched, whatever happens.

use std::time::{Duration, Instant};

use crate::place::{Done, Place};
use crate::server::{Database, Server};
use crate::{mariadb, postgres};

on_mariadb_and_mysql! {
    a_run_drops_its_scratch_database
    an_interrupted_run_drops_its_scratch_database
    the_next_run_drops_what_a_killed_one_left
    a_user_without_the_right_is_told_of_dev_url
    a_test_leaves_the_database_and_the_server_alone
}

/// What a server calls what these tests need.
struct On {
    server: Server,
    /// A statement that takes as many seconds as `{seconds}`, with a word in it.
    sleep: &'static str,
    /// A statement that fails.
    fails: &'static str,
    /// A query for the scratch databases.
    scratches: &'static str,
    /// A query for the scratch database in which a statement with `{word}` sleeps.
    asleep: &'static str,
    /// A query for statements that end the sessions in the database `{made}`.
    ends: &'static str,
    /// Takes away what a run does to the database `{made}` behind its creation, as if it had been killed before.
    forgets: &'static str,
}

const POSTGRESQL: On = On {
    server: Server::Postgresql,
    sleep: "SELECT pg_sleep({seconds}), '{word}'",
    fails: "SELECT 1 / 0",
    scratches: "SELECT datname FROM pg_database WHERE datname ~ '^sqlrev_scratch_' ORDER BY 1",
    asleep: "SELECT datname FROM pg_stat_activity WHERE query ~ 'pg_sleep.*{word}' AND datname ~ '^sqlrev_scratch_' \
             AND state = 'active'",
    ends: "SELECT 'SELECT pg_terminate_backend(' || pid || ')' FROM pg_stat_activity WHERE datname = '{made}'",
    forgets: "COMMENT ON DATABASE {made} IS NULL",
};

const MARIADB: On = On {
    server: Server::Mariadb,
    sleep: "SELECT SLEEP({seconds}), '{word}'",
    fails: "SELECT nothing",
    scratches: "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'sqlrev\\_scratch\\_%'",
    asleep: "SELECT db FROM information_schema.processlist WHERE info LIKE '%SLEEP%{word}%' \
             AND db LIKE 'sqlrev\\_scratch\\_%'",
    ends: "SELECT CONCAT('KILL ', id) FROM information_schema.processlist WHERE db = '{made}'",
    forgets: "SELECT 1",
};

impl On {
    fn of(server: Server) -> Self {
        match server {
            Server::Postgresql => POSTGRESQL,
            Server::Mariadb | Server::Mysql => On { server, ..MARIADB },
        }
    }

    fn database(&self) -> Database {
        Database::on(self.server)
    }

    fn place(&self, database: &Database) -> Place {
        let place = match self.server {
            Server::Postgresql => postgres::place_on(database),
            Server::Mariadb | Server::Mysql => mariadb::place_on(database),
        };
        std::fs::create_dir_all(place.path("migrations")).expect("a folder");
        place
    }

    /// The scratch databases that there are.
    fn scratches(&self, database: &Database) -> Vec<String> {
        database.query(self.scratches)
    }

    /// A project whose schema takes long to be built.
    fn slow(&self, database: &Database, seconds: u32, then: &str) -> Place {
        let place = self.place(database);
        let sleep = self
            .sleep
            .replace("{seconds}", &seconds.to_string())
            .replace("{word}", &database.name);
        place.write("schema.sql", format!("CREATE TABLE t (a int);\n{sleep};\n{then};\n"));
        place
    }

    /// Starts a run, and waits until it sleeps in a scratch database; the name of that one.
    fn asleep(&self, database: &Database, place: &Place) -> (std::process::Child, String) {
        let child = place.start(&["diff", "empty", "schema"]);
        let query = self.asleep.replace("{word}", &database.name);
        let mut made = Vec::new();
        until("it sleeps", || {
            made = database.query(&query);
            !made.is_empty()
        });
        (child, made.remove(0))
    }

    fn drops_it(&self) {
        for (then, status) in [("SELECT 1", 0), (self.fails, 1)] {
            let database = self.database();
            let place = self.slow(&database, 1, then);
            let (child, made) = self.asleep(&database, &place);
            let done: Done = child.wait_with_output().expect("it ends").into();
            assert_eq!(done.status, Some(status), "{done:?}");
            assert!(!self.scratches(&database).contains(&made), "{made}");
        }
    }

    fn drops_it_when_interrupted(&self) {
        let database = self.database();
        let place = self.slow(&database, 60, "SELECT 1");
        let (child, made) = self.asleep(&database, &place);
        let sent = std::process::Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
        assert!(sent.expect("kill is there").success());
        let done: Done = child.wait_with_output().expect("it ends").into();
        assert_eq!(done.status, Some(130), "{done:?}");
        assert!(!self.scratches(&database).contains(&made), "{made}");
    }

    fn drops_what_was_left(&self) {
        let database = self.database();
        let place = self.slow(&database, 60, "SELECT 1");
        // A database with such a name that is somebody else's stays.
        let mut foreign = self.database();
        let name = format!("sqlrev_scratch_{:016x}", std::process::id());
        foreign.create(&name);
        let (mut child, made) = self.asleep(&database, &place);
        child.kill().expect("it is there");
        child.wait().expect("it ends");
        // The server does not look whether somebody still listens while a statement runs.
        for end in database.query(&self.ends.replace("{made}", &made)) {
            database.query(&end);
        }
        database.query(&self.forgets.replace("{made}", &made));
        place.write("schema.sql", "CREATE TABLE t (a int);\n");
        until("it is dropped", || {
            place.must(&["diff", "empty", "schema"]);
            !self.scratches(&database).contains(&made)
        });
        assert!(self.scratches(&database).contains(&name));
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_run_drops_its_scratch_database_on_postgresql() {
    a_run_drops_its_scratch_database(Server::Postgresql);
}

fn a_run_drops_its_scratch_database(server: Server) {
    On::of(server).drops_it();
}

#[test]
fn an_interrupted_run_drops_its_scratch_database_on_postgresql() {
    an_interrupted_run_drops_its_scratch_database(Server::Postgresql);
}

fn an_interrupted_run_drops_its_scratch_database(server: Server) {
    On::of(server).drops_it_when_interrupted();
}

#[test]
fn the_next_run_drops_what_a_killed_one_left_on_postgresql() {
    the_next_run_drops_what_a_killed_one_left(Server::Postgresql);
}

fn the_next_run_drops_what_a_killed_one_left(server: Server) {
    On::of(server).drops_what_was_left();
}

fn a_user_without_the_right_is_told_of_dev_url(server: Server) {
    let on = On::of(server);
    let database = on.database();
    let place = on.place(&database);
    place.write("schema.sql", "CREATE TABLE t (a int);\n");
    let (name, user) = (&database.name, format!("{}_poor", database.name));
    database.query(&format!("CREATE USER {user}"));
    database.query(&format!("GRANT ALL ON {name}.* TO {user}"));
    let own = &database.variables["SQLREV_URL"];
    let url = own.replace("root@", &format!("{user}@"));
    let refused = place.run(&["--url", &url, "diff", "empty", "schema"]);
    assert_eq!(refused.status, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("dev_url"), "{refused:?}");
    let elsewhere = own.replace(name, "mysql");
    place.write(
        "migrations.yaml",
        format!("locations: [migrations]\ndev_url: \"{elsewhere}\"\n"),
    );
    // On that server, too, the name of the database means the scratch database.
    place.write("schema.sql", format!("CREATE TABLE {name}.t (a int);\n"));
    let done = place.must(&["--url", &url, "diff", "empty", "schema"]);
    assert!(done.stdout.contains("CREATE TABLE `t`"), "{done:?}");
    database.query(&format!("DROP USER {user}"));
}

fn a_test_leaves_the_database_and_the_server_alone(server: Server) {
    let on = On::of(server);
    let mut database = on.database();
    let place = on.place(&database);
    let (name, other) = (database.name.clone(), format!("{}_other", database.name));
    database.create(&other);
    database.query(&format!("CREATE TABLE {other}.seen (a int)"));
    let up = format!(
        "CREATE USER {name}_new;\nCREATE TABLE {name}.t (a int);\nCREATE TABLE {other}.t (a int);\n\
         INSERT INTO {name}.t SELECT 1;\nINSERT INTO {other}.seen VALUES (1);\n\
         CREATE VIEW v AS SELECT t.a, seen.a AS b FROM {name}.t JOIN {other}.seen;\n\
         CREATE TRIGGER {name}.r BEFORE INSERT ON {name}.t FOR EACH ROW SET @n = (SELECT COUNT(*) FROM {name}.t);"
    );
    let down = format!("DROP VIEW {name}.v;\nDROP TABLE {name}.t;\nDROP TABLE {other}.t;");
    place.revision("aaaa", &[], &[], &up, &down);
    let done = place.must(&["test"]);
    assert!(done.stdout.contains("ok  aaaa"), "{done:?}");
    let shown = place.must(&["show", "aaaa", "--schema"]);
    assert!(
        !shown.stdout.contains(&format!("{name}`.")) && shown.stdout.contains(&other),
        "{shown:?}"
    );
    assert!(!shown.stdout.contains(&format!("FROM {name}.t")), "{shown:?}");
    let tables =
        format!("SELECT table_name FROM information_schema.tables WHERE table_schema IN ('{name}', '{other}')");
    assert_eq!(database.query(&tables), ["seen"]);
    assert_eq!(database.query(&format!("SELECT COUNT(*) FROM {other}.seen")), ["0"]);
    let users = format!("SELECT COUNT(*) FROM mysql.user WHERE user = '{name}_new'");
    assert_eq!(database.query(&users), ["0"]);
}

#[test]
fn a_role_without_the_right_is_told_of_dev_url_on_postgresql() {
    let database = POSTGRESQL.database();
    let place = POSTGRESQL.place(&database);
    place.write("schema.sql", "CREATE TABLE t (a int);\n");
    let role = format!("poor_{}", database.name);
    database.query(&format!("CREATE ROLE {role} LOGIN"));
    let url = format!("postgresql://{role}@/");
    let refused = place.run(&["--url", &url, "diff", "empty", "schema"]);
    assert_eq!(refused.status, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("dev_url"), "{refused:?}");
    place.write(
        "migrations.yaml",
        format!(
            "locations: [migrations]\ndev_url: postgresql://postgres@/{}\n",
            database.name
        ),
    );
    let done = place.must(&["--url", &url, "diff", "empty", "schema"]);
    assert!(done.stdout.contains("CREATE TABLE public.t"), "{done:?}");
    database.query(&format!("DROP ROLE {role}"));
}

#[test]
fn a_test_leaves_the_server_alone_on_postgresql() {
    let database = POSTGRESQL.database();
    let place = POSTGRESQL.place(&database);
    let role = format!("{}_role", database.name);
    for (id, options) in [("aaaa", &[][..]), ("bbbb", &["transaction: none"])] {
        let up = format!("CREATE ROLE {role};\nCREATE TABLE t_{id} (a int);\nGRANT {role} TO CURRENT_USER;");
        let down = format!("DROP TABLE t_{id};\nALTER ROLE {role} SET work_mem = '5MB';");
        let parents: &[&str] = if id == "aaaa" { &[] } else { &["aaaa"] };
        place.revision(id, parents, options, &up, &down);
    }
    let done = place.must(&["test"]);
    assert!(done.stdout.contains("ok  bbbb"), "{done:?}");
    let roles = database.query(&format!("SELECT rolname FROM pg_roles WHERE rolname = '{role}'"));
    assert!(roles.is_empty(), "{roles:?}");
}

#[test]
fn a_test_leaves_other_files_alone_on_sqlite() {
    let place = Place::new();
    let up = "ATTACH 'other.db' AS other;\nCREATE TABLE other.t (a INT);\nDETACH other;\nVACUUM INTO 'copy.db';";
    place.revision("aaaa", &[], &["transaction: none"], up, "SELECT 1;");
    let done = place.must(&["test"]);
    assert!(done.stdout.contains("ok  aaaa"), "{done:?}");
    for file in ["other.db", "copy.db"] {
        assert!(!place.path(file).exists(), "{file} was made");
    }
}

#[test]
fn the_moment_at_which_a_row_was_written_is_no_difference_on_sqlite() {
    let place = Place::new();
    let up = "CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')), n INT);\n\
              INSERT INTO t (n) VALUES (1), (2);";
    place.revision("aaaa", &[], &[], up, "DROP TABLE t;");
    let up = "UPDATE t SET at = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE n = 1;";
    place.revision(
        "bbbb",
        &["aaaa"],
        &[],
        up,
        "UPDATE t SET at = '2020-01-01 00:00:00' WHERE n = 1;",
    );
    let done = place.run(&["test"]);
    assert!(done.stdout.contains("ok  aaaa"), "{done:?}");
    assert!(
        done.stdout
            .contains("bbbb: table t holds other rows after the downgrade"),
        "{done:?}"
    );
    assert!(!done.stdout.contains("after the second upgrade"), "{done:?}");
}
