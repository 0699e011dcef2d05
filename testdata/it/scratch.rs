//! Scratch databases: none is left, and nothing else is touched, whatever happens.

use std::time::{Duration, Instant};

use crate::place::{Done, Place};
use crate::postgres::place_on;
use crate::server::Database;

/// The scratch databases that there are.
fn scratches(database: &Database) -> Vec<String> {
    database.query("SELECT datname FROM pg_database WHERE datname ~ '^sqlrev_scratch_' ORDER BY 1")
}

/// A project whose schema takes long to be built.
fn slow(database: &Database, seconds: u32, then: &str) -> Place {
    let place = place_on(database);
    std::fs::create_dir_all(place.path("migrations")).expect("a folder");
    let name = &database.name;
    let sleep = format!("CREATE TABLE t (a int);\nSELECT pg_sleep({seconds}), '{name}';\n{then};\n");
    place.write("schema.sql", sleep);
    place
}

#[test]
fn a_run_drops_its_scratch_database_on_postgresql() {
    for (then, status) in [("SELECT 1", 0), ("SELECT 1 / 0", 1)] {
        let database = Database::new();
        let place = slow(&database, 1, then);
        let (child, made) = asleep(&database, &place);
        let done: Done = child.wait_with_output().expect("it ends").into();
        assert_eq!(done.status, Some(status), "{done:?}");
        assert!(!scratches(&database).contains(&made), "{made}");
    }
}

/// Starts a run, and waits until it sleeps in a scratch database; the name of that one.
fn asleep(database: &Database, place: &Place) -> (std::process::Child, String) {
    let child = place.start(&["diff", "empty", "schema"]);
    let query = format!(
        "SELECT datname FROM pg_stat_activity WHERE query ~ 'pg_sleep.*{}' AND datname ~ '^sqlrev_scratch_' \
         AND state = 'active'",
        database.name
    );
    let mut made = Vec::new();
    until("it sleeps", || {
        made = database.query(&query);
        !made.is_empty()
    });
    (child, made.remove(0))
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_interrupted_run_drops_its_scratch_database_on_postgresql() {
    let database = Database::new();
    let place = slow(&database, 60, "SELECT 1");
    let (child, made) = asleep(&database, &place);
    let sent = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.expect("kill is there").success());
    let done: Done = child.wait_with_output().expect("it ends").into();
    assert_eq!(done.status, Some(130), "{done:?}");
    assert!(!scratches(&database).contains(&made), "{made}");
}

#[test]
fn the_next_run_drops_what_a_killed_one_left_on_postgresql() {
    let database = Database::new();
    let place = slow(&database, 60, "SELECT 1");
    // A database with such a name that is somebody else's stays.
    let foreign = format!("sqlrev_scratch_{:016x}", std::process::id());
    database.query(&format!("CREATE DATABASE {foreign} TEMPLATE template0"));
    let (mut child, made) = asleep(&database, &place);
    child.kill().expect("it is there");
    child.wait().expect("it ends");
    // The server does not look whether somebody still listens while a statement runs.
    let terminate = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{made}'");
    database.query(&terminate);
    place.write("schema.sql", "CREATE TABLE t (a int);\n");
    until("it is dropped", || {
        place.must(&["diff", "empty", "schema"]);
        !scratches(&database).contains(&made)
    });
    assert!(scratches(&database).contains(&foreign));
    database.query(&format!("DROP DATABASE {foreign}"));
}

#[test]
fn a_role_without_the_right_is_told_of_dev_url_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    std::fs::create_dir_all(place.path("migrations")).expect("a folder");
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
    let database = Database::new();
    let place = place_on(&database);
    std::fs::create_dir_all(place.path("migrations")).expect("a folder");
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
