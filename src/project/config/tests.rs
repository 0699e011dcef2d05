use super::read::KEYS;
use super::*;
use crate::project::MIGRATIONS_YAML;

fn read(text: &str, database: Option<&str>) -> Result<Config> {
    let variables = [("A".to_owned(), "a".to_owned()), ("EMPTY".to_owned(), String::new())];
    Config::read("migrations.yaml", text, database, &variables.into())
}

/// The code and the labelled words of the error.
fn check(text: &str, database: Option<&str>, code: Code, words: &[&str]) {
    let error = read(text, database).expect_err(text);
    let labelled: Vec<&str> = error.labels().iter().map(|label| &text[label.span.clone()]).collect();
    assert_eq!((error.code(), labelled.as_slice()), (code, words), "{text}\n{error:?}");
}

#[test]
fn the_documented_file_says_what_holds_anyway() {
    let (config, without) = (
        read(MIGRATIONS_YAML, None).expect("it is right"),
        Config::without_file(),
    );
    assert_eq!(config.locations[0].name, without.locations[0].name);
    assert_eq!(config.locations.len(), 1);
    assert_eq!(config.file_template, without.file_template);
    assert_eq!(config.version_table, without.version_table);
    assert_eq!(config.lock_timeout, without.lock_timeout);
    assert!(config.schema.is_none() && config.databases.is_empty());
    let url = config
        .url(&BTreeMap::new())
        .expect("it has a default")
        .map(|(url, ..)| url);
    assert_eq!(url.as_deref(), Some("sqlite:app.db"));
}

#[test]
fn the_examples_in_the_documented_file_are_right() {
    let uncommented: String = MIGRATIONS_YAML
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|line| line.starts_with("  ") || KEYS.iter().any(|key| line.starts_with(&format!("{key}:"))))
                .unwrap_or("")
                .to_owned()
                + "\n"
        })
        .collect();
    let (one, other) = uncommented
        .split_once("schema: schema.sql\n")
        .expect("both ways to name a schema are shown");
    for text in [one.to_owned() + other, format!("{one}schema: schema.sql\n")] {
        let config = read(&text, None).expect(&text);
        assert_eq!(config.file_template, Config::without_file().file_template);
        assert_eq!(config.version_table, "sqlrev_revisions");
        assert_eq!(config.lock_timeout, Duration::from_secs(60));
        assert!(config.schema.is_some());
    }
    let config = read(&(one.to_owned() + other), Some("audit")).expect("it is shown");
    assert_eq!(config.locations[0].name, "audit_migrations");
    for key in KEYS {
        assert!(
            MIGRATIONS_YAML.contains(&format!("\n{key}:")) || uncommented.contains(&format!("\n{key}:")),
            "{key} is missing"
        );
    }
}

#[test]
fn every_key_is_read_and_expanded() {
    let text = "
url: sqlite:${A}.db
locations: [./x/, '/abs/${A}', ../y, .]
file_template: '${A}_{revision}'
version_table: ${A}_revisions
schema: {command: [python, \"${A}.py\"]}
lock_timeout: 500ms
databases:
  one: {url: 'sqlite:one.db', schema: [s.sql, t.sql], locations: z, lock_timeout: 5}
  two:
";
    let variables = BTreeMap::from([("A".to_owned(), "a".to_owned())]);
    let config = read(text, None).expect("it is right");
    let names: Vec<&str> = config.locations.iter().map(|location| location.name.as_str()).collect();
    assert_eq!(names, ["x", "/abs/a", "../y", "."]);
    assert_eq!(config.version_table, "a_revisions");
    assert_eq!(config.lock_timeout, Duration::from_millis(500));
    assert_eq!(config.databases, ["one", "two"]);
    assert_eq!(
        config.url(&variables).expect("it is set").expect("it is there").0,
        "sqlite:a.db"
    );
    let command = Schema::Command(Command {
        words: vec!["python".into(), "a.py".into()],
        shown: "python ${A}.py".into(),
    });
    assert_eq!(config.schema(&variables).expect("it is set"), Some(command));

    let config = read(text, Some("one")).expect("it is right");
    assert_eq!(config.locations[0].name, "z");
    assert_eq!(config.version_table, "a_revisions");
    assert_eq!(config.lock_timeout, Duration::from_secs(5));
    assert_eq!(
        config.url(&variables).expect("it is set").expect("it is there").0,
        "sqlite:one.db"
    );
    let files = Schema::Files(vec!["s.sql".into(), "t.sql".into()]);
    assert_eq!(config.schema(&variables).expect("it is set"), Some(files));
    assert_eq!(read(text, Some("two")).expect("it is right").locations.len(), 4);
}

#[test]
fn a_database_says_some_keys_of_headers_and_takes_the_others_from_the_top() {
    let text = "header: {lock_timeout: 3s, statement_timeout: 10m}\ndatabases: {a: {header: {lock_timeout: 1s}}}";
    let times = |database| {
        let config = read(text, database).expect("it is right");
        [config.header_lock_timeout, config.header_statement_timeout].map(|time| time.expect("it is said").as_secs())
    };
    assert_eq!(times(None), [3, 600]);
    assert_eq!(times(Some("a")), [1, 600]);
    assert_eq!(Config::without_file().header_lock_timeout, None);
}

#[test]
fn mistakes_of_syntax_and_keys_are_labelled() {
    check("url: [", None, Code::ConfigSyntax, &["["]);
    check("url: *x", None, Code::ConfigSyntax, &["*x"]);
    check("# é\nurl: a\nlocation: b", None, Code::ConfigUnknownKey, &["location"]);
    check("databases: {x: {urls: a}}", None, Code::ConfigUnknownKey, &["urls"]);
    check(
        "header: {transaction: none}",
        None,
        Code::ConfigUnknownKey,
        &["transaction"],
    );
    check(
        "databases: {x: {databases: {}}}",
        None,
        Code::ConfigUnknownKey,
        &["databases"],
    );
    check(
        "url: a\nlocations: b\nurl: c",
        None,
        Code::ConfigDuplicateKey,
        &["url", "url"],
    );
    check("databases: {x: {}, x: {}}", None, Code::ConfigDuplicateKey, &["x", "x"]);
    let error = read("location: b", None).expect_err("a wrong key");
    assert_eq!(error.help_lines()[0], "did you mean `locations`?");
}

#[test]
fn mistakes_of_values_are_labelled() {
    let wrong = |text: &str, words: &str| check(text, None, Code::ConfigWrongType, &[words]);
    wrong("url: [a]", "[a]");
    wrong("- url", "- url");
    wrong("locations: {a: b}", "{a: b}");
    wrong("locations: []", "[]");
    wrong("locations: [a, [b]]", "[b]");
    wrong("locations: [a, '']", "''");
    wrong("locations: '${EMPTY}'", "'${EMPTY}'");
    wrong("schema: {commands: x}", "{commands: x}");
    wrong("schema: {command: }", "{command: }");
    wrong("schema: {command: {}}", "{}");
    wrong("databases: [a]", "[a]");
    wrong("databases: {a: b}", "b");
    wrong("lock_timeout: soon", "soon");
    wrong("lock_timeout: -1", "-1");
    wrong("header: soon", "soon");
    wrong("header: {statement_timeout: soon}", "soon");
    wrong("version_table: ''", "''");
    wrong("file_template: \"é{dat}\"", "{dat}");
    wrong("file_template: '{date}/{slug}'", "/");
}

#[test]
fn an_unset_variable_is_a_mistake_only_where_it_is_used() {
    check("version_table: x_${NONE}_y", None, Code::ConfigVariable, &["${NONE}"]);
    check(
        "locations: [a, \"${A}\\x41/${A}${NONE}\"]",
        None,
        Code::ConfigVariable,
        &["${NONE}"],
    );
    check("version_table: x${NONE", None, Code::ConfigVariable, &["${NONE"]);
    let text = "url: sqlite:${NONE}\nschema: ${NONE}\ndatabases: {x: {version_table: '${NONE}'}}";
    let config = read(text, None).expect("nothing of it is used");
    let error = config.url(&BTreeMap::new()).expect_err("now it is");
    assert_eq!(
        (error.code(), &text[error.labels()[0].span.clone()]),
        (Code::ConfigVariable, "${NONE}")
    );
    let error = config.schema(&BTreeMap::new()).expect_err("now it is");
    assert_eq!(error.labels()[0].span, 28..35);
    check(text, Some("x"), Code::ConfigVariable, &["${NONE}"]);
}

#[test]
fn an_unknown_database_is_named() {
    check(
        "databases: {audit: {}, main: {}}",
        Some("audi"),
        Code::ConfigUnknownDatabase,
        &["databases"],
    );
    check("url: x", Some("audit"), Code::ConfigUnknownDatabase, &[]);
}

#[test]
fn no_label_shows_a_password() {
    for text in [
        "url: postgresql://u:secret@h/d\nurl: x",
        "url: [postgresql://u:secret@h/d, \"x",
        "databases: {a: {url: 'mysql://h?password=secret'}, b: c}",
    ] {
        let error = read(text, None).expect_err(text);
        assert!(!error.labels().is_empty());
        assert!(
            error.labels().iter().all(|label| !label.file.text.contains("secret")),
            "{error:?}"
        );
        assert!(!format!("{error:?}").contains("secret"));
    }
    let config = read("url: postgresql://u:secret@h/d", None).expect("it is right");
    assert!(!format!("{config:?}").contains("secret"));
}
