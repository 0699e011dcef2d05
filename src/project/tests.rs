use std::io::Read as _;

use super::*;
use crate::revision::RevisionId;

/// A folder with files; a name that ends in `/` is a folder.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new(files: &[(&str, &str)]) -> Self {
        let disk = Self(tempfile::tempdir().expect("a folder"));
        for (name, text) in files {
            disk.put(name, text.as_bytes());
        }
        disk
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.path().join(name);
        let folder = if name.ends_with('/') {
            path.as_path()
        } else {
            path.parent().expect("it is in the folder")
        };
        std::fs::create_dir_all(folder).expect("a folder");
        if !name.ends_with('/') {
            std::fs::write(path, bytes).expect("a file");
        }
    }

    fn environment(&self, variables: &[(&str, &str)]) -> Environment {
        Environment {
            directory: self.path(),
            variables: variables
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    fn open(&self, variables: &[(&str, &str)], options: &Options) -> Result<Project> {
        Project::open(&self.environment(variables), options)
    }

    fn load(&self, variants: &[&str]) -> Result<Vec<Revision>> {
        let project = self.open(&[("DATABASE_URL", "sqlite:x")], &Options::default())?;
        project.revisions(variants, Load { downgrades: true })
    }

    /// Every file and folder, sorted.
    fn list(&self) -> Vec<String> {
        fn walk(folder: &Path, root: &Path, out: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                out.push(
                    path.strip_prefix(root)
                        .expect("it is inside")
                        .to_string_lossy()
                        .into_owned(),
                );
                if path.is_dir() {
                    walk(&path, root, out);
                }
            }
        }
        let mut out = Vec::new();
        walk(self.0.path(), self.0.path(), &mut out);
        out.sort();
        out
    }
}

fn sql(id: &str, down: &str) -> String {
    format!("-- ---\n-- revision: {id}\n-- down_revision: {down}\n-- ---\nSELECT 1;\n")
}

/// The code, and each label's file with its words.
fn labelled(error: &Error) -> (Code, Vec<String>) {
    let words = error
        .labels()
        .iter()
        .map(|label| format!("{} <{}>", label.file.name, &label.file.text[label.span.clone()]));
    (error.code(), words.collect())
}

fn check_load(files: &[(&str, &str)], variants: &[&str], code: Code, words: &[&str]) {
    let error = Disk::new(files).load(variants).expect_err("a mistake");
    assert_eq!(
        labelled(&error),
        (code, words.iter().map(|&word| word.to_owned()).collect()),
        "{error:?}"
    );
}

/// The revisions on one line each: id, upgrade, downgrade.
fn show(revisions: &[Revision]) -> Vec<String> {
    let name = |script: &Option<Script>| {
        script
            .as_ref()
            .map_or("-".to_owned(), |script| script.file.name.to_string())
    };
    revisions
        .iter()
        .map(|revision| {
            format!(
                "{} {} {}",
                revision.id(),
                name(&revision.upgrade),
                name(&revision.downgrade)
            )
        })
        .collect()
}

#[test]
fn every_layout_is_found_in_order() {
    let disk = Disk::new(&[
        ("migrations/b_two/upgrade.sql", &sql("b", "a")),
        ("migrations/b_two/downgrade.sql", "DROP TABLE t;"),
        ("migrations/b_two/notes.txt", "words"),
        ("migrations/a/up.sql", &sql("a", "null")),
        ("migrations/a/down.sql", ""),
        ("migrations/c.x.upgrade.sql", &sql("c", "b")),
        ("migrations/c.x.downgrade.sql", ""),
        ("migrations/c.up.sql", &sql("d", "c")),
        ("migrations/c.down.sql", ""),
        ("migrations/B.upgrade.sql", &sql("e", "d")),
        ("migrations/.hidden/upgrade.sql", "nothing"),
        ("migrations/.hidden.upgrade.sql", "nothing"),
        ("migrations/README.md", "words"),
        ("migrations/clean.up.tables.sql", "words"),
        ("migrations/upgrade.sql", "words"),
        ("migrations/helpers/shared.sql", "words"),
    ]);
    let expect = [
        "e migrations/B.upgrade.sql -",
        "a migrations/a/up.sql migrations/a/down.sql",
        "b migrations/b_two/upgrade.sql migrations/b_two/downgrade.sql",
        "d migrations/c.up.sql migrations/c.down.sql",
        "c migrations/c.x.upgrade.sql migrations/c.x.downgrade.sql",
    ];
    let revisions = disk.load(&["sqlite"]).expect("it is right");
    assert_eq!(show(&revisions), expect);
    let b = &revisions[2];
    let upgrade = b.upgrade.as_ref().expect("it has one");
    assert_eq!(&upgrade.file.text[upgrade.body..], "SELECT 1;\n");
    assert_eq!(&upgrade.file.text[b.places.down_revision(0)], "a");
    assert_eq!(&*b.downgrade.as_ref().expect("it has one").file.text, "DROP TABLE t;");
    assert!(!b.missing_text);
}

#[test]
fn locations_keep_their_order() {
    let disk = Disk::new(&[
        ("z/z/upgrade.sql", &sql("z", "")),
        ("a/a/upgrade.sql", &sql("a", "")),
        ("b/b/upgrade.sql", &sql("b", "")),
        ("empty/", ""),
    ]);
    let name = disk.path().file_name().expect("a name").to_string_lossy().into_owned();
    disk.put(
        "migrations.yaml",
        format!("url: sqlite:x\nlocations: [z, ./a/, ../{name}/b, ../{name}/a, empty]").as_bytes(),
    );
    let expect = [
        "z z/z/upgrade.sql -".to_owned(),
        "a a/a/upgrade.sql -".to_owned(),
        format!("b ../{name}/b/b/upgrade.sql -"),
    ];
    assert_eq!(show(&disk.load(&[]).expect("it is right")), expect);
}

#[test]
fn a_location_must_be_there() {
    let disk = Disk::new(&[("migrations.yaml", "url: x\nlocations: [a, 'é']"), ("a/", "")]);
    let error = disk.load(&[]).expect_err("a mistake");
    assert_eq!(
        labelled(&error),
        (Code::FileIo, vec!["migrations.yaml <'é'>".to_owned()])
    );
    assert_eq!(error.help_lines()[0], "make the folder: mkdir -p é");
}

#[test]
fn the_best_text_for_a_dialect_is_chosen() {
    let disk = Disk::new(&[
        ("migrations/a/upgrade.sql", &sql("a", "")),
        ("migrations/a/upgrade.mysql.sql", &("\u{feff}".to_owned() + "SELECT 2;")),
        ("migrations/a/upgrade.postgresql.sql", &sql("a", "")),
        ("migrations/a/downgrade.sql", ""),
        ("migrations/a/downgrade.mariadb.sql", ""),
        ("migrations/b.up.mysql.sql", &sql("b", "a")),
        ("migrations/b.down.mysql.sql", ""),
    ]);
    let expect =
        |variants: &[&str], expect: [&str; 2]| assert_eq!(show(&disk.load(variants).expect("it is right")), expect);
    expect(
        &["sqlite"],
        ["a migrations/a/upgrade.sql migrations/a/downgrade.sql", "b - -"],
    );
    expect(
        &["postgresql"],
        [
            "a migrations/a/upgrade.postgresql.sql migrations/a/downgrade.sql",
            "b - -",
        ],
    );
    expect(
        &["mariadb", "mysql"],
        [
            "a migrations/a/upgrade.mysql.sql migrations/a/downgrade.mariadb.sql",
            "b migrations/b.up.mysql.sql migrations/b.down.mysql.sql",
        ],
    );
    let revisions = disk.load(&["mysql"]).expect("it is right");
    let upgrade = revisions[0].upgrade.as_ref().expect("it has one");
    assert_eq!((upgrade.body, &upgrade.file.text[upgrade.body..]), (3, "SELECT 2;"));
    let header = revisions[0].places.file().expect("it has a header");
    assert_eq!(
        (&*header.name, &header.text[revisions[0].places.id()]),
        ("migrations/a/upgrade.sql", "a")
    );

    let revisions = disk.load(&["sqlite"]).expect("it is right");
    assert!(revisions[1].missing_text);
    assert_eq!(revisions[1].header.down_revisions, [RevisionId::from("a")]);
    assert_eq!(revisions[1].file_name(), "migrations/b.up.mysql.sql");
}

#[test]
fn headers_of_one_revision_agree() {
    let plain = ("migrations/a/upgrade.sql", sql("a", "b"));
    let other = |text: String, words: [&str; 2]| {
        let files = [(plain.0, &*plain.1), ("migrations/a/upgrade.sqlite.sql", &*text)];
        let words = [
            format!("migrations/a/upgrade.sqlite.sql <{}>", words[0]),
            format!("migrations/a/upgrade.sql <{}>", words[1]),
        ];
        check_load(&files, &["sqlite"], Code::HeaderMismatch, &[&words[0], &words[1]]);
        assert!(
            Disk::new(&files).load(&["mysql"]).is_ok(),
            "what does not run is not read"
        );
    };
    other(sql("c", "b"), ["c", "a"]);
    other(sql("a", "[c]"), ["c", "b"]);
    let upgrade = |name| (name, "SELECT 1;");
    check_load(
        &[upgrade("migrations/a.up.mysql.sql")],
        &["mysql"],
        Code::HeaderMissing,
        &["migrations/a.up.mysql.sql <SELECT 1;>"],
    );
    check_load(
        &[upgrade("migrations/a.up.mysql.sql")],
        &["sqlite"],
        Code::HeaderMissing,
        &["migrations/a.up.mysql.sql <SELECT 1;>"],
    );
    let files = [upgrade("migrations/a.up.mysql.sql"), upgrade("migrations/a.up.sql")];
    check_load(
        &files,
        &["mysql"],
        Code::HeaderMissing,
        &["migrations/a.up.sql <SELECT 1;>"],
    );
}

#[test]
fn mistakes_of_files_are_named() {
    let text = sql("a", "");
    check_load(
        &[("migrations/a/downgrade.sql", "")],
        &[],
        Code::FileOrphanDowngrade,
        &["migrations/a/downgrade.sql <>"],
    );
    check_load(
        &[("migrations/a.down.sql", "")],
        &[],
        Code::FileOrphanDowngrade,
        &["migrations/a.down.sql <>"],
    );
    check_load(
        &[("migrations/a/up.sql", &text), ("migrations/a/upgrade.sql", &text)],
        &[],
        Code::FileDuplicate,
        &["migrations/a/upgrade.sql <>", "migrations/a/up.sql <>"],
    );
    check_load(
        &[
            ("migrations/a/up.sql", &text),
            ("migrations/a/down.mysql.sql", ""),
            ("migrations/a/downgrade.mysql.sql", ""),
        ],
        &["sqlite"],
        Code::FileDuplicate,
        &["migrations/a/downgrade.mysql.sql <>", "migrations/a/down.mysql.sql <>"],
    );
    check_load(
        &[("migrations/a/upgrade.postgres.sql", &text)],
        &[],
        Code::FileUnknownDialect,
        &["migrations/a/upgrade.postgres.sql <>"],
    );
    check_load(
        &[("migrations/a.downgrade.oracle.sql", &text)],
        &[],
        Code::FileUnknownDialect,
        &["migrations/a.downgrade.oracle.sql <>"],
    );
    check_load(&[("migrations/a/upgrade.sql/x", "")], &[], Code::FileIo, &[]);
    check_load(&[("migrations", "")], &[], Code::FileIo, &[]);
}

#[test]
fn bytes_that_are_no_text_are_labelled() {
    let check = |bytes: &[u8], line_column: (usize, usize), message: &str| {
        let disk = Disk::new(&[]);
        disk.put("migrations/a/upgrade.sql", bytes);
        let error = disk.load(&[]).expect_err("a mistake");
        let label = &error.labels()[0];
        assert_eq!(
            (error.code(), label.file.line_column(label.span.start)),
            (Code::FileEncoding, line_column)
        );
        assert!(
            error.message().ends_with(message)
                && (message.ends_with("no text") || error.help_lines()[0].contains("iconv")),
            "{error:?}"
        );
    };
    check(b"-- ---\n-- revision: \xe9\n", (2, 14), "is not UTF-8");
    check(b"SQLite format 3\0\xff", (1, 17), "is an SQLite database, and no text");
    check(
        b"PGDMP\xff",
        (1, 6),
        "is a dump in the format of pg_restore, and no text",
    );
    check(
        b"-- ---\n-- revision: a\n-- ---\n-- \xc3\xa9\xc3",
        (4, 5),
        "is not UTF-8",
    );
    let wide = |order: fn(u16) -> [u8; 2]| "-- ---\n".encode_utf16().flat_map(order).collect::<Vec<u8>>();
    check(&wide(u16::to_le_bytes), (1, 1), "is UTF-16, not UTF-8");
    check(&wide(u16::to_be_bytes), (1, 1), "is UTF-16, not UTF-8");
    check(
        &[&[0xff, 0xfe], &*wide(u16::to_le_bytes)].concat(),
        (1, 1),
        "is UTF-16, not UTF-8",
    );
}

#[test]
fn a_large_file_is_kept_by_its_head() {
    let disk = Disk::new(&[]);
    let text = sql("a", "") + &"INSERT INTO t VALUES ('é');\n".repeat(200_000);
    disk.put("migrations/a/upgrade.sql", text.as_bytes());
    let revisions = disk.load(&[]).expect("it is right");
    let script = revisions[0].upgrade.as_ref().expect("it has one");
    assert!(
        script.file.text.len() <= 64 << 10 && script.file.text.ends_with(";\n") && text.starts_with(&*script.file.text)
    );
    let large = script.large.as_ref().expect("it is large");
    assert_eq!(large.size(), text.len() as u64);
    let mut whole = String::new();
    large
        .open()
        .expect("it is there")
        .read_to_string(&mut whole)
        .expect("it can be read");
    assert!(whole == text);

    let line = sql("a", "") + "-- " + &"é".repeat(3 << 20);
    disk.put("migrations/a/upgrade.sql", line.as_bytes());
    let revisions = disk.load(&[]).expect("a head may end within a line");
    let script = revisions[0].upgrade.as_ref().expect("it has one");
    assert!(script.large.is_some() && line.starts_with(&*script.file.text));
}

#[test]
fn a_downgrade_is_read_when_it_is_needed() {
    let disk = Disk::new(&[
        ("migrations/a/upgrade.sql", &sql("a", "")),
        ("migrations/a/downgrade.sql", "DROP TABLE é;"),
    ]);
    let project = disk
        .open(
            &[],
            &Options {
                url: Some(Secret("sqlite:x".into())),
                ..Options::default()
            },
        )
        .expect("it is right");
    let revisions = project.revisions(&[], Load::default()).expect("it is right");
    let script = revisions[0].downgrade.as_ref().expect("it is there");
    assert_eq!(
        (&*script.file.name, &*script.file.text),
        ("migrations/a/downgrade.sql", "")
    );
    let large = script.large.as_ref().expect("the text is elsewhere");
    assert_eq!(large.size(), 14);
    let script = project
        .read_downgrade(&revisions[0])
        .expect("it can be read")
        .expect("it is there");
    assert_eq!((&*script.file.text, script.large.is_none()), ("DROP TABLE é;", true));
    std::fs::remove_file(disk.path().join("migrations/a/downgrade.sql")).expect("it was there");
    assert_eq!(
        project.read_downgrade(&revisions[0]).expect_err("it is gone").code(),
        Code::FileIo
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_odd_names_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let disk = Disk::new(&[
        ("elsewhere/upgrade.sql", &sql("a", "")),
        ("b.sql", &sql("b", "a")),
        ("migrations/", ""),
    ]);
    std::os::unix::fs::symlink("../elsewhere", disk.path().join("migrations/a")).expect("a link");
    std::os::unix::fs::symlink("../b.sql", disk.path().join("migrations/b.up.sql")).expect("a link");
    std::os::unix::fs::symlink("nowhere", disk.path().join("migrations/dangling")).expect("a link");
    let revisions = disk.load(&[]).expect("it is right");
    assert_eq!(
        show(&revisions),
        ["a migrations/a/upgrade.sql -", "b migrations/b.up.sql -"]
    );
    std::os::unix::fs::symlink("nowhere", disk.path().join("migrations/c.up.sql")).expect("a link");
    assert_eq!(disk.load(&[]).expect_err("it leads nowhere").code(), Code::FileIo);
    std::fs::remove_file(disk.path().join("migrations/c.up.sql")).expect("it was there");
    std::fs::write(
        disk.path()
            .join("migrations")
            .join(std::ffi::OsStr::from_bytes(b"\xff.up.sql")),
        "",
    )
    .expect("a file");
    assert_eq!(
        disk.load(&[]).expect_err("the name is no text").code(),
        Code::FileEncoding
    );
}

#[test]
fn the_configuration_is_found_above_or_by_name() {
    let disk = Disk::new(&[
        ("migrations.yaml", "url: sqlite:app.db"),
        ("a/b/", ""),
        ("other/x.yaml", "url: sqlite:y.db"),
    ]);
    let mut environment = disk.environment(&[]);
    environment.directory = disk.path().join("a/b");
    let project = Project::open(&environment, &Options::default()).expect("it is above");
    assert_eq!(project.root, disk.path());
    assert_eq!(
        project.url().expect("it has one").to_string(),
        format!("sqlite:{}", disk.path().join("app.db").display())
    );
    let options = Options {
        config: Some("../../other/x.yaml".into()),
        ..Options::default()
    };
    let project = Project::open(&environment, &options).expect("it is named");
    assert_eq!(
        project.url().expect("it has one").to_string(),
        format!("sqlite:{}", disk.path().join("a/b/../../other/y.db").display())
    );
    let options = Options {
        config: Some("none.yaml".into()),
        ..Options::default()
    };
    assert_eq!(
        disk.open(&[("DATABASE_URL", "sqlite:x")], &options)
            .expect_err("it is not there")
            .code(),
        Code::ConfigMissing
    );
    disk.put("bad.yaml", b"url: \xff\n");
    let options = Options {
        config: Some("bad.yaml".into()),
        ..Options::default()
    };
    assert_eq!(
        disk.open(&[], &options).expect_err("it is no text").code(),
        Code::FileEncoding
    );
}

#[test]
fn without_a_configuration_a_url_must_be_given() {
    let disk = Disk::new(&[]);
    let missing =
        |result: Result<Project>| assert_eq!(result.expect_err("nothing is configured").code(), Code::ConfigMissing);
    missing(disk.open(&[], &Options::default()));
    missing(disk.open(&[("DATABASE_URL", "")], &Options::default()));
    missing(disk.open(
        &[("DATABASE_URL", "sqlite:x")],
        &Options {
            name: Some("a".into()),
            ..Options::default()
        },
    ));
    disk.put(".env", b"DATABASE_URL=sqlite:x\n");
    let project = disk.open(&[], &Options::default()).expect("a URL is in .env");
    assert_eq!(
        (
            project.config.locations[0].name.as_str(),
            project.url().expect("it has one").dialect()
        ),
        ("migrations", "sqlite")
    );
}

#[test]
fn the_url_is_the_one_nearest_to_the_command() {
    let disk = Disk::new(&[
        (
            "migrations.yaml",
            "url: ${DATABASE_URL}\ndatabases: {x: {url: 'sqlite:x.db'}}",
        ),
        ("a/", ""),
        (".env", "E=sqlite:e.db\nDATABASE_URL=sqlite:env.db"),
    ]);
    let check = |variables: &[(&str, &str)], url: Option<&str>, name: Option<&str>, expect: &str| {
        let mut environment = disk.environment(variables);
        environment.directory = disk.path().join("a");
        let options = Options {
            config: None,
            name: name.map(str::to_owned),
            url: url.map(|url| Secret(url.to_owned())),
        };
        let url = Project::open(&environment, &options)
            .expect("it is right")
            .url()
            .expect("it has one")
            .to_string();
        assert_eq!(url, format!("sqlite:{}", disk.path().join(expect).display()));
    };
    let both = [("SQLREV_URL", "sqlite:s.db"), ("DATABASE_URL", "sqlite:d.db")];
    check(&both, Some("sqlite:flag.db"), None, "a/flag.db");
    check(&both, None, None, "a/s.db");
    check(&both[1..], None, None, "d.db");
    check(&[], None, None, "env.db");
    check(&both[1..], None, Some("x"), "x.db");
    check(&both, None, Some("x"), "x.db");
    check(&both, Some("sqlite:flag.db"), Some("x"), "a/flag.db");
    disk.put("migrations.yaml", b"locations: m");
    check(&both[1..], None, None, "a/d.db");
    check(&[], None, None, "env.db");
    disk.put("a/.env", b"DATABASE_URL=sqlite:nearer.db\nSQLREV_URL=sqlite:s.db");
    check(&[], None, None, "s.db");
}

#[test]
fn a_wrong_url_is_labelled_without_its_password() {
    let check = |yaml: &str, options: &Options, code: Code, words: &[&str]| {
        let disk = Disk::new(&[("migrations.yaml", yaml)]);
        let error = disk
            .open(&[("U", "postgre://u:secret@h/d")], options)
            .expect("it is right")
            .url()
            .expect_err("a mistake");
        assert_eq!(
            labelled(&error),
            (
                code,
                words.iter().map(|word| format!("migrations.yaml <{word}>")).collect()
            )
        );
        assert!(!format!("{error:?}").contains("secret"));
    };
    check(
        "url: postgre://u:secret@h/d",
        &Options::default(),
        Code::ConfigUrl,
        &["postgre://u:******@h/d"],
    );
    check("url: '${U}'", &Options::default(), Code::ConfigUrl, &["'${U}'"]);
    check(
        "url: postgresql://u:${PW}@h/d",
        &Options::default(),
        Code::ConfigVariable,
        &["${PW}"],
    );
    check("url: ${EMPTY:-}", &Options::default(), Code::ConfigNoUrl, &[]);
    check("databases: {a: {url: x}}", &Options::default(), Code::ConfigNoUrl, &[]);
    check(
        "url: ${NONE}",
        &Options {
            url: Some(Secret("x".into())),
            ..Options::default()
        },
        Code::ConfigUrl,
        &[],
    );
    let options = Options {
        url: Some(Secret("postgresql://u:secret@h/d".into())),
        ..Options::default()
    };
    assert!(!format!("{options:?}").contains("secret"));
}

#[test]
fn a_wrong_env_file_is_labelled() {
    let disk = Disk::new(&[("migrations.yaml", "url: x"), (".env", "A=1\nsecret words\n")]);
    let error = disk.open(&[], &Options::default()).expect_err("a mistake");
    assert_eq!(
        labelled(&error),
        (Code::EnvSyntax, vec![".env <************>".to_owned()])
    );
}

#[test]
fn files_are_written_whole_or_not_at_all() {
    let disk = Disk::new(&[("there.sql", "old")]);
    let path = disk.path();
    write_new(&path.join("new.sql"), b"text").expect("there is room");
    assert_eq!(
        std::fs::read_to_string(path.join("new.sql")).expect("it is there"),
        "text"
    );
    let error = write_new(&path.join("there.sql"), b"new").expect_err("it is there");
    assert_eq!(error.code(), Code::FileExists);
    assert_eq!(
        std::fs::read_to_string(path.join("there.sql")).expect("it is there"),
        "old"
    );
    assert_eq!(
        write_new(&path.join("none/x.sql"), b"").expect_err("no folder").code(),
        Code::FileIo
    );
    let set = |names: &[&str]| {
        names
            .iter()
            .map(|name| (path.join(name), "x".to_owned()))
            .collect::<Vec<_>>()
    };
    write_all(&set(&["a/b/one.sql", "a/b/two.sql"])).expect("there is room");
    assert_eq!(
        write_all(&set(&["c/d/one.sql", "a/e/one.sql", "there.sql"]))
            .expect_err("it is there")
            .code(),
        Code::FileExists
    );
    assert_eq!(
        disk.list(),
        ["a", "a/b", "a/b/one.sql", "a/b/two.sql", "new.sql", "there.sql"]
    );
}

#[test]
fn two_writers_of_one_file_do_not_both_win() {
    let disk = Disk::new(&[]);
    let path = disk.path().join("x.sql");
    let won = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8).map(|_| scope.spawn(|| write_new(&path, b"x").is_ok())).collect();
        writers
            .into_iter()
            .map(|writer| writer.join().expect("no panic"))
            .filter(|won| *won)
            .count()
    });
    assert_eq!((won, disk.list()), (1, vec!["x.sql".to_owned()]));
}

#[test]
fn a_project_is_laid_out_once() {
    let disk = Disk::new(&[]);
    let folder = disk.path().join("new/app");
    init(&folder).expect("there is room");
    assert_eq!(
        disk.list(),
        ["new", "new/app", "new/app/migrations", "new/app/migrations.yaml"]
    );
    assert_eq!(
        std::fs::read_to_string(folder.join("migrations.yaml")).expect("it is there"),
        MIGRATIONS_YAML
    );
    assert_eq!(init(&folder).expect_err("it is there").code(), Code::FileExists);
    let environment = Environment {
        directory: folder.clone(),
        ..Environment::default()
    };
    let project = Project::open(&environment, &Options::default()).expect("it is right");
    assert!(
        project
            .revisions(&["sqlite"], Load::default())
            .expect("it is right")
            .is_empty()
    );
    assert_eq!(
        project.url().expect("it has one").to_string(),
        format!("sqlite:{}", folder.join("app.db").display())
    );

    let disk = Disk::new(&[("migrations.yaml", "")]);
    assert_eq!(init(&disk.path()).expect_err("it is there").code(), Code::FileExists);
    assert_eq!(disk.list(), ["migrations.yaml"], "the folder was taken away again");
}

#[test]
fn a_new_revision_gets_its_paths() {
    let disk = Disk::new(&[(
        "migrations.yaml",
        "locations: [m, n]\nfile_template: '{revision}_{slug}.up.sql'",
    )]);
    let project = disk.open(&[], &Options::default()).expect("it is right");
    let naming = Naming {
        revision: "a1",
        message: "Add x",
        epoch: 0,
    };
    let shown = |location| {
        project
            .new_paths(location, &naming)
            .map(|paths| paths.map(|path| project.shown(&path)))
    };
    assert_eq!(
        shown(None).expect("a name"),
        ["m/a1_add_x.up.sql", "m/a1_add_x.down.sql"]
    );
    assert_eq!(shown(Some("./n/")).expect("a name")[0], "n/a1_add_x.up.sql");
    assert_eq!(shown(Some("o")).expect_err("no such location").code(), Code::Usage);
    let naming = Naming {
        revision: "a/b",
        ..naming
    };
    assert_eq!(
        project.new_paths(None, &naming).expect_err("no name").code(),
        Code::Usage
    );
}

/// Enough for several threads: the order is that of the names, and of two mistakes the first one counts.
#[test]
fn many_are_read_as_one_after_another() {
    let place = Disk::new(&[]);
    for at in 0..700 {
        let flat = at % 3 == 0;
        let name = if flat {
            format!("migrations/{at:04}.upgrade.sql")
        } else {
            format!("migrations/{at:04}/upgrade.sql")
        };
        place.put(
            &name,
            format!("-- ---\n-- revision: r{at:04}\n-- ---\nSELECT {at};\n").as_bytes(),
        );
        if flat {
            place.put(&format!("migrations/{at:04}.downgrade.sql"), b"SELECT 1;");
        }
    }
    let found = place.load(&[]).expect("all can be read");
    let ids: Vec<String> = found.iter().map(|revision| revision.id().to_string()).collect();
    let all: Vec<String> = (0..700).map(|at| format!("r{at:04}")).collect();
    assert_eq!(ids, all);
    assert!(
        found
            .iter()
            .enumerate()
            .all(|(at, revision)| revision.downgrade.is_some() == (at % 3 == 0))
    );
    for at in [680, 20] {
        place.put(&format!("migrations/{at:04}/upgrade.sql"), b"SELECT 1;");
        let error = place.load(&[]).expect_err("one has no header");
        assert!(error.to_string().contains(&format!("{at:04}")), "{error}");
    }
}
