//! Hostile surroundings: each ends in an error with a code, or in success; nothing panics, and no database is touched.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;
use sqlrev::dialect::Setting;
use sqlrev::driver::Driver;
use sqlrev::driver::sqlite::{Access, open};

use crate::crash::{Act, History};
use crate::picture::Picture;
use crate::place::{Done, Place, finished};

/// Two revisions, and a database at the first one.
fn place() -> Place {
    let place = Place::new();
    place.revision(
        "aaaa",
        &[],
        &[],
        "CREATE TABLE a (x, y);\nINSERT INTO a WITH RECURSIVE n (i) AS \
         (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i, 'some text' FROM n;",
        "DROP TABLE a;",
    );
    place.must(&["upgrade"]);
    place.revision(
        "bbbb",
        &["aaaa"],
        &[],
        "CREATE TABLE b AS SELECT x, y || y || y || y || y AS y FROM a;\nCREATE INDEX a_y ON a (y, x);",
        "DROP TABLE b;\nDROP INDEX a_y;",
    );
    place
}

/// Runs the command, which must fail with the code, and leave every byte of the database as it was.
fn refused(place: &Place, args: &[&str], code: &str) -> Done {
    untouched(place, || place.run(args), code)
}

fn untouched(place: &Place, run: impl FnOnce() -> Done, code: &str) -> Done {
    let before = std::fs::read(place.database()).ok();
    let done = run();
    done.failed_with(1, code);
    assert!(
        std::fs::read(place.database()).ok() == before,
        "the database was touched: {done:?}"
    );
    done
}

/// Whether the tests run with rights that nothing is denied to.
fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("the id command");
    id.stdout == b"0\n"
}

fn mode(path: &Path, bits: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).expect("rights");
}

/// The command without special rights: as root, it runs as somebody else, to whom the folder is given.
fn humble(place: &Place, args: &[&str]) -> Done {
    if !is_root() {
        return place.run(args);
    }
    let nobody = 65534;
    let program = place.path("sqlrev");
    if !program.exists() {
        std::fs::copy(env!("CARGO_BIN_EXE_sqlrev"), &program).expect("a copy");
    }
    let mut folders = vec![place.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        chown(&folder, Some(nobody), Some(nobody)).expect("root may");
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            chown(&path, Some(nobody), Some(nobody)).expect("root may");
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    command.arg(program).args(args).current_dir(place.folder()).env_clear();
    finished(command)
}

#[test]
fn files_that_may_not_be_written() {
    let place = place();
    mode(&place.database(), 0o444);
    untouched(&place, || humble(&place, &["upgrade"]), "database::read_only");
    assert_eq!(humble(&place, &["current"]).status, Some(0));
    mode(&place.database(), 0o000);
    let before = std::fs::metadata(place.database()).expect("a file").len();
    humble(&place, &["upgrade"]).failed_with(1, "database::connect");
    humble(&place, &["current"]).failed_with(1, "database::connect");
    assert_eq!(std::fs::metadata(place.database()).expect("a file").len(), before);
    mode(&place.database(), 0o644);
    mode(place.folder(), 0o555);
    let done = untouched(&place, || humble(&place, &["upgrade"]), "database::read_only");
    assert!(done.stderr.contains("folder"), "{done:?}");
    humble(&place, &["upgrade", "--url", "sqlite:new.db"]).failed_with(1, "database::connect");
    mode(place.folder(), 0o755);
    assert_eq!(humble(&place, &["upgrade"]).status, Some(0));
}

#[test]
fn files_that_may_not_be_read() {
    let place = place();
    let upgrade = place.path("migrations/bbbb.upgrade.sql");
    mode(&upgrade, 0o000);
    untouched(&place, || humble(&place, &["upgrade"]), "file::io");
    mode(&upgrade, 0o644);
    let downgrade = place.path("migrations/bbbb.downgrade.sql");
    mode(&downgrade, 0o000);
    untouched(&place, || humble(&place, &["upgrade"]), "file::io");
    mode(&downgrade, 0o644);
    mode(&place.path("migrations"), 0o000);
    untouched(&place, || humble(&place, &["upgrade"]), "file::io");
    mode(&place.path("migrations"), 0o755);
    mode(&place.path("migrations.yaml"), 0o000);
    untouched(&place, || humble(&place, &["upgrade"]), "file::io");
}

#[test]
fn things_that_are_no_database() {
    let place = place();
    refused(&place, &["upgrade", "--url", "sqlite:migrations"], "database::connect");
    refused(&place, &["current", "--url", "sqlite:migrations"], "database::connect");
    refused(
        &place,
        &["upgrade", "--url", "sqlite:no/such/folder/app.db"],
        "database::connect",
    );
    refused(&place, &["upgrade", "--url", "sqlite:/dev/full"], "database::connect");
    let good = std::fs::read(place.database()).expect("a database");
    let mut wrong_header = good.clone();
    wrong_header[..6].copy_from_slice(b"SQLIT3");
    let mut wrong_pages = good.clone();
    for byte in &mut wrong_pages[100..4096] {
        *byte = 0xff;
    }
    let cases: [&[u8]; 6] = [
        &b"this is a letter to my aunt, and not a database at all\n".repeat(100),
        &wrong_header,
        &wrong_pages,
        &good[..good.len() / 2],
        &good[..4096 + 7],
        // A single byte would be an empty database to SQLite.
        &good[..100],
    ];
    for bytes in cases {
        place.write("app.db", bytes);
        for args in [
            &["upgrade"][..],
            &["downgrade", "base"],
            &["stamp", "heads"],
            &["check"],
            &["current"],
        ] {
            let done = untouched(&place, || place.run(args), "database::not_a_database");
            assert!(done.stderr.contains("= help"), "{done:?}");
        }
    }
}

#[test]
fn a_disk_without_space() {
    let place = place();
    let before = Picture::of_file(&place.database());
    // Beyond the limit, which counts blocks of 512 bytes, writing fails as long as nobody dies of the signal.
    let limited = place.shell("trap '' XFSZ; ulimit -f 160; exec $SQLREV upgrade");
    let done = finished(limited);
    assert_eq!(done.status, Some(1), "{done:?}");
    assert!(done.stderr.starts_with("error[sqlrev::database::"), "{done:?}");
    assert!(done.stderr.contains("was rolled back"), "{done:?}");
    assert_eq!(Picture::of_file(&place.database()), before);
    place.must(&["upgrade"]);
    finished(place.shell("exec $SQLREV history > /dev/full")).failed_to_write();
}

impl Done {
    fn failed_to_write(&self) {
        assert_eq!(self.status, Some(1), "{self:?}");
        assert!(self.stderr.contains("standard output could not be written"), "{self:?}");
    }
}

#[test]
fn a_small_disk_that_fills_up() {
    let place = place();
    if !is_root() {
        eprintln!("skipped: only root may mount a disk");
        return;
    }
    std::fs::create_dir(place.path("disk")).expect("a folder");
    let script = "mount -t tmpfs -o size=120k tmpfs disk && cp app.db disk/app.db && \
                  $SQLREV upgrade --url sqlite:disk/app.db; echo status $?; cp disk/app.db after.db; ls disk";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).current_dir(place.folder());
    command.env("SQLREV", env!("CARGO_BIN_EXE_sqlrev"));
    let done = finished(command);
    if done.stderr.contains("ermitted") || done.stderr.contains("denied") {
        eprintln!("skipped: {}", done.stderr);
        return;
    }
    assert!(done.stderr.contains("error[sqlrev::database::disk_full]"), "{done:?}");
    assert_eq!(done.stdout, "status 1\napp.db\n", "{done:?}");
    assert_eq!(
        Picture::of_file(&place.path("after.db")),
        Picture::of_file(&place.database())
    );
}

#[test]
fn readers_that_go_away() {
    let place = Place::new();
    let mut parent = String::new();
    for i in 0..2000 {
        let id = format!("rev{i:05}");
        place.revision(&id, &[parent.as_str()][usize::from(i == 0)..], &[], "SELECT 1;", "");
        parent = id;
    }
    for command in [
        "history",
        "history --format json",
        "upgrade --sql",
        "plan upgrade heads --from base",
    ] {
        let script = format!("{{ $SQLREV {command}; echo status $? >&2; }} | head -n 1");
        let done = finished(place.shell(&script));
        assert_eq!(done.stderr, "status 0\n", "{command}: {done:?}");
    }
    let closed = finished(place.shell("exec $SQLREV heads >&- 2>&-"));
    assert_eq!(closed.status, Some(0), "{closed:?}");
    let closed = finished(place.shell("exec $SQLREV show nothing >&- 2>&-"));
    assert_eq!(closed.status, Some(1), "{closed:?}");
}

#[test]
fn ten_thousand_revisions() {
    let place = Place::new();
    place.revision("rev00000", &[], &[], "CREATE TABLE t (a);", "DROP TABLE t;");
    for i in 1..10_000 {
        let (id, parent) = (format!("rev{i:05}"), format!("rev{:05}", i - 1));
        place.revision(&id, &[&parent], &[], &format!("INSERT INTO t VALUES ({i});"), "");
    }
    place.must(&["upgrade", "-q"]);
    assert!(place.must(&["current"]).stdout.contains("rev09999"));
    assert!(place.must(&["upgrade"]).stderr.contains("nothing to do"));
    let db = Connection::open(place.database()).expect("a database");
    let sum: i64 = db
        .query_row("SELECT sum(a) FROM t", [], |row| row.get(0))
        .expect("a sum");
    assert_eq!(sum, 9999 * 10_000 / 2);
    refused(&place, &["downgrade", "base"], "graph::irreversible");
}

#[test]
fn version_tables_that_are_not_ours() {
    let place = place();
    let db = Connection::open(place.database()).expect("a database");
    let sql = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
               INSERT INTO alembic_version VALUES ('ae1027a6acf0');
               CREATE VIEW a_view AS SELECT 1 AS revision;";
    db.execute_batch(sql).expect("they are made");
    for table in ["alembic_version", "a"] {
        place.write(
            "migrations.yaml",
            format!("url: sqlite:app.db\nversion_table: {table}\n"),
        );
        for args in [
            &["upgrade"][..],
            &["downgrade", "base"],
            &["stamp", "heads"],
            &["current"],
            &["check"],
        ] {
            refused(&place, args, "version::unreadable");
        }
    }
    place.write("migrations.yaml", "url: sqlite:app.db\nversion_table: a_view\n");
    let before = std::fs::read(place.database()).expect("a database");
    let done = place.run(&["upgrade"]);
    assert_eq!(done.status, Some(1), "{done:?}");
    assert!(done.stderr.contains("error[sqlrev::"), "{done:?}");
    assert_eq!(std::fs::read(place.database()).expect("a database"), before);
}

#[test]
fn rows_that_somebody_changed_by_hand() {
    let damages = [
        ("upgrade_checksum = 'nonsense'", "version::unreadable"),
        ("upgrade_checksum = 'b3:9:00:00'", "version::too_new"),
        ("upgrade_checksum = x'ff00'", "version::unreadable"),
        ("unfinished = 'sideways:3'", "version::unreadable"),
        ("unfinished = 'upgrade:-1'", "version::unreadable"),
        ("revision = ''", ""),
        ("revision = 'a b:c@d'", ""),
        ("downgrade_sql = 'deflate:!!!!'", ""),
        ("down_revision = 'zzzz,,zzzz'", ""),
    ];
    for (damage, code) in damages {
        let place = place();
        let db = Connection::open(place.database()).expect("a database");
        db.execute(&format!("UPDATE sqlrev_revisions SET {damage}"), [])
            .expect("it is damaged");
        drop(db);
        for args in [
            &["upgrade"][..],
            &["current"],
            &["check"],
            &["downgrade", "base"],
            &["history", "-i"],
        ] {
            let done = place.run(args);
            assert!(matches!(done.status, Some(0 | 1 | 3)), "{damage} {args:?}: {done:?}");
            assert!(!done.stderr.contains("panicked"), "{damage}: {done:?}");
            assert!(
                done.status != Some(1) || done.stderr.contains("error[sqlrev::"),
                "{damage}: {done:?}"
            );
            if args == ["upgrade"] && !code.is_empty() {
                assert!(done.stderr.contains(code), "{damage}: {done:?}");
            }
        }
    }
}

#[test]
fn bytes_that_are_no_text() {
    let header = b"-- ---\n-- revision: bbbb\n-- down_revision: aaaa\n-- ---\n";
    let cases: [(&[u8], &str); 4] = [
        (b"CREATE TABLE b (x);\nINSERT INTO b VALUES ('\0');\n", "script::nul"),
        (b"INSERT INTO a VALUES ('\xff\xfe', 1);\n", "file::invalid_utf8"),
        (b"SELECT '\xe2\x82", "file::invalid_utf8"),
        (b"SELECT 'never closed;\n", "script::unterminated"),
    ];
    for (body, code) in cases {
        let place = place();
        place.write("migrations/bbbb.upgrade.sql", [header, body].concat());
        refused(&place, &["upgrade"], code);
    }
    let place = place();
    place.write("migrations/bbbb.downgrade.sql", b"SELECT '\xff';");
    refused(&place, &["upgrade"], "file::invalid_utf8");
    place.write("migrations.yaml", b"url: 'sqlite:\xff.db'\n");
    refused(&place, &["upgrade"], "file::invalid_utf8");
    place.write("migrations.yaml", "url: sqlite:app.db\n");
    place.write(".env", b"A=\xff\n");
    refused(&place, &["upgrade"], "file::invalid_utf8");
}

#[test]
fn names_that_are_no_text() {
    let place = place();
    let strange = std::ffi::OsStr::from_bytes(b"migrations/\xff.upgrade.sql");
    std::fs::write(place.folder().join(strange), "-- ---\n-- revision: cccc\n-- ---\n").expect("a file");
    let mut command = place.command(&["upgrade"]);
    command.env("SOME", std::ffi::OsStr::from_bytes(b"\xff"));
    let done = finished(command);
    assert!(
        matches!(done.status, Some(0 | 1)) && !done.stderr.contains("panicked"),
        "{done:?}"
    );
    let mut command = place.command(&["show"]);
    command.arg(std::ffi::OsStr::from_bytes(b"\xff\xfe"));
    let done = finished(command);
    assert_eq!(done.status, Some(2), "{done:?}");
}

#[test]
fn yaml_without_end() {
    let bomb: String = (1..40).fold("a0: &a0 [x, x]\n".to_owned(), |mut out, i| {
        let _ = writeln!(out, "a{i}: &a{i} [*a{0}, *a{0}, *a{0}]", i - 1);
        out
    });
    let deep = format!("url: {}1{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let deep_blocks: String = (0..3000).fold(String::new(), |mut out, i| {
        let _ = writeln!(out, "{}a:", " ".repeat(i));
        out
    });
    for yaml in [&bomb, &deep, &deep_blocks] {
        let place = place();
        let header: String = yaml.lines().fold(String::new(), |mut out, line| {
            let _ = writeln!(out, "-- {line}");
            out
        });
        let text = format!("-- ---\n-- revision: bbbb\n{header}-- ---\nSELECT 1;\n");
        place.write("migrations/bbbb.upgrade.sql", text);
        let done = untouched(&place, || place.run(&["upgrade"]), "header::");
        assert!(done.stderr.len() < 10_000, "{}", done.stderr.len());
        std::fs::remove_file(place.path("migrations/bbbb.upgrade.sql")).expect("a file");
        place.write("migrations.yaml", yaml);
        let done = untouched(&place, || place.run(&["upgrade"]), "config::");
        assert!(done.stderr.len() < 10_000, "{}", done.stderr.len());
    }
}

#[test]
fn files_of_other_kinds() {
    let place = place();
    let migrations = place.path("migrations");
    std::fs::create_dir(migrations.join("cccc.upgrade.sql")).expect("a folder");
    let done = place.run(&["heads"]);
    assert!(
        matches!(done.status, Some(0 | 1)) && !done.stderr.contains("panicked"),
        "{done:?}"
    );
    std::fs::remove_dir(migrations.join("cccc.upgrade.sql")).expect("a folder");
    symlink("loop.upgrade.sql", migrations.join("loop.upgrade.sql")).expect("a link");
    refused(&place, &["upgrade"], "file::io");
    std::fs::remove_file(migrations.join("loop.upgrade.sql")).expect("a link");
    symlink(".", migrations.join("itself")).expect("a link");
    let done = place.run(&["heads"]);
    assert!(
        matches!(done.status, Some(0 | 1)) && !done.stderr.contains("panicked"),
        "{done:?}"
    );
    std::fs::remove_file(migrations.join("itself")).expect("a link");
    let pipe = migrations.join("pipe.upgrade.sql");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let mut bounded = Command::new("timeout");
    bounded
        .args(["5", env!("CARGO_BIN_EXE_sqlrev"), "upgrade"])
        .current_dir(place.folder())
        .env_clear();
    let done = finished(bounded);
    done.failed_with(1, "file::io");
}

/// A script larger than memory should be. It takes minutes, so it runs when `SQLREV_SLOW` is set.
#[test]
fn a_script_of_a_gigabyte() {
    if std::env::var_os("SQLREV_SLOW").is_none() {
        eprintln!("skipped: SQLREV_SLOW=1 runs it");
        return;
    }
    let place = Place::on_disk();
    let line = "INSERT INTO t VALUES (1234567, 'a text that is neither long nor short', 12.5, NULL, 'x');\n";
    let count = (1 << 30) / line.len() + 1;
    let header = "-- ---\n-- revision: aaaa\n-- ---\nCREATE TABLE t (a, b, c, d, e);\n";
    place.write("migrations/aaaa.upgrade.sql", header.to_owned() + &line.repeat(count));
    let mut command = Command::new("/usr/bin/time");
    command.args(["-f", "%M", env!("CARGO_BIN_EXE_sqlrev"), "upgrade", "-q"]);
    command.current_dir(place.folder()).env_clear();
    let done = finished(command);
    assert_eq!(done.status, Some(0), "{done:?}");
    let kilobytes: u64 = done.stderr.trim().parse().expect("a number");
    assert!(kilobytes < 30 << 10, "{kilobytes} KB of memory");
    let db = Connection::open(place.database()).expect("a database");
    let rows: i64 = db
        .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
        .expect("a number");
    assert_eq!(rows, i64::try_from(count).expect("it fits"));
}

#[test]
fn a_failure_leaves_no_switch_of_the_script_thrown() {
    let place = Place::new();
    place.revision(
        "aaaa",
        &[],
        &["transaction: none"],
        "PRAGMA foreign_keys = OFF;\nSELECT nope;",
        "SELECT 1;",
    );
    let mut driver = open(&place.database(), Access::Create).expect("a database");
    let history = History::of(&place);
    history
        .act(&mut driver, Act::Up("heads"), false)
        .expect_err("there is no column `nope`");
    let on = Driver::setting(&mut driver, Setting::ForeignKeys, None).expect("a setting");
    assert!(on, "foreign keys are as they were");
    assert_eq!(driver.in_transaction(), Some(false));
}
