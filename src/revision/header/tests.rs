use proptest::prelude::*;

use super::*;
use crate::revision::BranchLabel;

/// The header's error: its code and the labelled words.
fn fails(text: &str) -> (Code, Vec<String>) {
    let file = SourceFile::new("a/upgrade.sql", text);
    let error = parse(&file).expect_err(text);
    let words = error.labels().iter().map(|label| text[label.span.clone()].to_owned());
    (error.code(), words.collect())
}

fn check(text: &str, code: Code, words: &[&str]) {
    assert_eq!(
        fails(text),
        (code, words.iter().map(|&word| word.to_owned()).collect()),
        "{text}"
    );
}

/// The lines between two fences.
fn block(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("-- {line}\n")).collect();
    format!("-- ---\n{lines}-- ---\nSELECT 1;\n")
}

fn read(text: &str) -> Parsed {
    parse(&SourceFile::new("a/upgrade.sql", text)).expect(text)
}

const FULL: &str = "\
-- ---
-- revision: ae1027a6acf0
-- down_revision: 1975ea83b712        # an id
-- message: add user table
-- created: 2026-11-22T21:14:00Z
-- branch_labels: [billing]           # optional
-- depends_on: [55af2cb1c267, x]
-- transaction: none
-- lock_timeout: 500ms
-- statement_timeout: 300s
-- recreate: never
-- irreversible: true
-- ---
ALTER TABLE t ADD c;
";

#[test]
fn every_key_is_read_with_its_place() {
    let parsed = read(FULL);
    let mut expect = Header::new("ae1027a6acf0");
    expect.down_revisions = vec!["1975ea83b712".into()];
    expect.message = "add user table".into();
    expect.created = Some("2026-11-22T21:14:00Z".into());
    expect.branch_labels = vec!["billing".into()];
    expect.depends_on = vec!["55af2cb1c267".into(), "x".into()];
    expect.transaction = Transaction::None;
    expect.lock_timeout = Some(Duration::from_millis(500));
    expect.statement_timeout = Some(Duration::from_secs(300));
    expect.recreate = Recreate::Never;
    expect.irreversible = true;
    assert_eq!(parsed.header, expect);
    assert_eq!(&FULL[parsed.body..], "ALTER TABLE t ADD c;\n");
    assert_eq!(&FULL[parsed.places.id()], "ae1027a6acf0");
    assert_eq!(&FULL[parsed.places.down_revision(0)], "1975ea83b712");
    assert_eq!(&FULL[parsed.places.depends_on(1)], "x");
    assert_eq!(&FULL[parsed.places.label(0)], "billing");
    assert_eq!(
        &FULL[parsed.places.label(7)],
        "ae1027a6acf0",
        "an item that is not there"
    );
}

#[test]
fn ids_are_text_as_written() {
    for id in ["0010", "1e10", "0x1f", "12345678", "true", "1_000", ".5", "a.b"] {
        let parsed = read(&block(&format!("revision: {id}\ndown_revision: [{id}, 'null']")));
        assert_eq!(parsed.header.id.as_str(), id);
        assert_eq!(parsed.header.down_revisions, [RevisionId::from(id), "null".into()]);
    }
    for nothing in ["null", "~", "", "[]"] {
        let parsed = read(&block(&format!("revision: a\ndown_revision: {nothing}")));
        assert_eq!(parsed.header.down_revisions, [], "{nothing}");
    }
}

#[test]
fn what_may_stand_around_the_header_and_how_lines_may_be_written() {
    let text = "\u{feff}\r\n-- licence\r\n--\r\n  -- ---\r\n--revision: a\r\n\r\n--\tmessage: 'é: ü'\r\n--down_revision:\r\n--  - b\r\n-- ---  \r\nX";
    let parsed = read(text);
    assert_eq!(parsed.header.id.as_str(), "a");
    assert_eq!(&*parsed.header.message, "é: ü");
    assert_eq!(&text[parsed.places.down_revision(0)], "b");
    assert_eq!(&text[parsed.body..], "X");
    assert_eq!(read("-- ---\n-- revision: a\n-- ---").body, 28);
}

#[test]
fn a_long_message_may_take_several_lines() {
    let text = block("revision: a\nmessage: >\n  one\n  two\ndepends_on: [ü,\n  é]");
    let parsed = read(&text);
    assert_eq!(&*parsed.header.message, "one two\n");
    assert_eq!(&text[parsed.places.depends_on(1)], "é");
}

#[test]
fn a_header_must_be_there_and_closed() {
    check("", Code::HeaderMissing, &[""]);
    check("-- words\n\nSELECT 1;\n-- ---\n", Code::HeaderMissing, &["SELECT 1;"]);
    check(
        "/* x */\n-- ---\n-- revision: a\n-- ---\n",
        Code::HeaderMissing,
        &["/* x */"],
    );
    check("-- revision: a\n", Code::HeaderMissing, &["-- revision: a"]);
    check("-----\n-- revision: a\n-----\n", Code::HeaderMissing, &["-----"]);
    check(
        "-- ---\n-- revision: a\nSELECT 1;",
        Code::HeaderUnclosed,
        &["-- ---", "SELECT 1;"],
    );
    check("-- ---\n-- revision: a\n", Code::HeaderUnclosed, &["-- ---", ""]);
}

#[test]
fn mistakes_of_syntax_are_labelled() {
    check(
        &block("revision: a\nmessage: fix: names"),
        Code::HeaderSyntax,
        &[": names"],
    );
    check(&block("revision: a\nmessage: \"é"), Code::HeaderSyntax, &["\"é"]);
    check(&block("revision"), Code::HeaderSyntax, &["revision"]);
    check(&block("- a\n- b"), Code::HeaderSyntax, &["- a\n-- - b"]);
    check(&block("revision: &é a"), Code::HeaderSyntax, &["a"]);
}

#[test]
fn mistakes_of_keys_are_labelled() {
    check(
        &block("revision: a\ndown_revison: b"),
        Code::HeaderUnknownKey,
        &["down_revison"],
    );
    check(
        &block("revision: a\nmessage: é\nrevision: b"),
        Code::HeaderDuplicateKey,
        &["revision", "revision"],
    );
    let error = parse(&SourceFile::new("x", block("revision: a\ndown_revison: b"))).expect_err("a wrong key");
    assert_eq!(error.help_lines()[0], "did you mean `down_revision`?");
}

#[test]
fn mistakes_of_values_are_labelled() {
    let wrong = |lines: &str, words: &str| check(&block(lines), Code::HeaderWrongType, &[words]);
    wrong("revision: [a]", "[a]");
    wrong("revision: ''", "''");
    wrong("revision: a\nmessage: [é]", "[é]");
    wrong("revision: a\nmessage: {a: b}", "{a: b}");
    wrong("revision: a\ndown_revision: {a: b}", "{a: b}");
    wrong("revision: a\ndown_revision: [b, [c]]", "[c]");
    wrong("revision: a\ndown_revision: [b, null]", "null");
    wrong("revision: a\ndepends_on: [b, \"\"]", "\"\"");
    wrong("revision: a\ndepends_on: [b, c, 'b']", "'b'");
    wrong("revision: a\ndown_revision: [b, b]", "b");
    wrong("revision: a\ntransaction: maybe", "maybe");
    wrong("revision: a\ntransaction:", "transaction");
    wrong("revision: a\nrecreate: true", "true");
    wrong("revision: a\nlock_timeout: soon", "soon");
    wrong("revision: a\nstatement_timeout: [1s]", "[1s]");
    wrong("revision: a\nirreversible: yes", "yes");
    wrong("revision: a\nirreversible: \"true\"", "\"true\"");
    check(&block("message: x"), Code::HeaderNoRevision, &["-- ---"]);
    check(&block(""), Code::HeaderNoRevision, &["-- ---"]);
    check(
        &block("revision: null\nmessage: é"),
        Code::HeaderNoRevision,
        &["revision"],
    );
}

#[test]
fn endless_nesting_is_refused() {
    let (code, _) = fails(&block(&format!("revision: {}", "[".repeat(100_000))));
    assert_eq!(code, Code::HeaderSyntax);
    let (code, _) = fails(&block(&format!("revision: a\nmessage: {}x", "{a: ".repeat(40))));
    assert_eq!(code, Code::HeaderSyntax);
}

#[test]
fn the_keys_are_written_in_their_order() {
    let parsed = read(FULL);
    let expect = FULL
        .replace("        # an id", "")
        .replace("           # optional", "")
        .replace("ALTER TABLE t ADD c;\n", "");
    assert_eq!(write(&parsed.header), expect);
    assert_eq!(write(&Header::new("a")), "-- ---\n-- revision: a\n-- ---\n");
}

#[test]
fn the_examples_of_the_grammar_are_right() {
    let grammar = include_str!("../../../grammar/header.ebnf");
    let mut examples = 0;
    for (kind, rest) in grammar.split("\n(* ").filter_map(|part| part.split_once('\n')) {
        let text = rest.split("\n*)").next().unwrap_or_default();
        if kind == "ok:" {
            read(text);
        } else if let Some(code) = kind.strip_prefix("no: ") {
            assert_eq!(Some(fails(text).0), Code::from_name(code), "{text}");
        } else {
            continue;
        }
        examples += 1;
    }
    assert_eq!(
        examples,
        grammar.matches("\n(* ok:").count() + grammar.matches("\n(* no: ").count()
    );
    assert!(examples >= 10, "{examples}");
}

/// Texts that YAML could misread.
fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9_]{1,12}",
        "[ -~]{1,12}",
        "\\PC{1,8}",
        any::<String>().prop_filter("an id is not empty", |text| !text.is_empty()),
        proptest::sample::select(vec![
            "1e10",
            "0123",
            "true",
            "null",
            "~",
            "Null",
            "NO",
            "---",
            "...",
            "-",
            "- a",
            "?",
            " a",
            "a ",
            "a: b",
            "a:",
            "a #b",
            "#",
            "'",
            "\"",
            "\n",
            "a\nb",
            "\r\n",
            "\t",
            "\\",
            "[",
            "a, b",
            "a]",
            "{",
            "!a",
            "&a",
            "*a",
            "%a",
            "@a",
            "`a`",
            "\u{feff}",
            "\u{85}",
            "\u{2028}",
            "é: ü",
            "\u{ffff}",
            "\u{1f600}",
            "\0",
            "a\u{a0}",
            "<<",
            "=",
            "|",
            ">",
            "0x1f",
            ".inf",
            "2026-11-22T21:14:00Z",
            "$a",
            "(a)",
            "/a",
        ])
        .prop_map(str::to_owned),
    ]
}

prop_compose! {
    fn headers()(
        id in words(),
        down_revisions in proptest::collection::btree_set(words(), 0..3),
        depends_on in proptest::collection::btree_set(words(), 0..3),
        branch_labels in proptest::collection::btree_set(words(), 0..3),
        message in prop_oneof![Just(String::new()), words()],
        created in proptest::option::of(words()),
        none in any::<bool>(),
        recreate in proptest::sample::select(vec![Recreate::Auto, Recreate::Always, Recreate::Never]),
        lock_timeout in proptest::option::of(0..u32::MAX),
        statement_timeout in proptest::option::of(0..u32::MAX),
        irreversible in any::<bool>(),
        code in any::<bool>(),
    ) -> Header {
        Header {
            id: RevisionId::new(id),
            down_revisions: down_revisions.into_iter().map(RevisionId::new).collect(),
            depends_on: depends_on.into_iter().map(Arc::from).collect(),
            branch_labels: branch_labels.into_iter().map(BranchLabel::new).collect(),
            message: message.into(),
            created: created.map(Arc::from),
            transaction: if none { Transaction::None } else { Transaction::Revision },
            lock_timeout: lock_timeout.map(|time| Duration::from_millis(time.into())),
            statement_timeout: statement_timeout.map(|time| Duration::from_secs(time.into())),
            recreate,
            irreversible,
            code,
        }
    }
}

#[test]
fn headers_of_the_usual_shape_need_no_library() {
    for lines in [
        "revision: ae1027a6acf0\ndown_revision: [1975ea83b712, b5b2d72c76c8]\nmessage: add user table (2)\ncreated: \
         2026-11-22T21:14:00Z",
        "revision: a\ndown_revision: b\nbranch_labels: [billing]\ndepends_on:\ntransaction: none\nlock_timeout: 3s\nrecreate: never\n\
         irreversible: true\ncode: false\nmessage: \"fix: names\"",
    ] {
        let file = SourceFile::new("a", block(lines));
        assert!(plain::read(&file, 7).is_some(), "{lines}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_written_is_read_again(header in headers()) {
        let text = write(&header) + "SELECT 1;";
        let parsed = parse(&SourceFile::new("a", text.clone()));
        prop_assert_eq!(parsed.as_ref().map(|parsed| &parsed.header).ok(), Some(&header), "{}", text);
        prop_assert_eq!(&text[parsed.expect("read above").body..], "SELECT 1;");
    }

    #[test]
    fn both_ways_of_reading_agree(
        lines in proptest::collection::vec((proptest::sample::select(KEYS.to_vec()), prop_oneof![
            words(),
            words().prop_map(|words| format!("[{words}]")),
            (words(), words()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            words().prop_map(|words| format!("\"{words}\"")),
            words().prop_map(|words| format!("'{words}'")),
            words().prop_map(|words| format!("  {words}  ")),
            words().prop_map(|words| format!("{words} # {words}")),
        ], "-- ?"), 0..6),
        id in proptest::option::weighted(0.8, words()),
    ) {
        let id = id.map(|id| format!("-- revision: {id}\n")).unwrap_or_default();
        let lines: String = lines.iter().map(|(key, value, dashes)| format!("{dashes}{key}: {value}\n")).collect();
        let file = SourceFile::new("a", format!("-- ---\n{id}{lines}-- ---\n"));
        if let Some(fast) = plain::read(&file, 7) {
            let slow = opening(&file).and_then(|open| by_library(&file, &open));
            prop_assert_eq!(format!("{:?}", Ok::<_, Error>(fast)), format!("{slow:?}"));
        }
    }

    #[test]
    fn no_text_is_too_odd(text in "(-- ---\n)?(--( (revision|message|down_revision):)?[ \\PC]{0,6}\n){0,4}(-- ---\n)?\\PC{0,3}") {
        let file = SourceFile::new("a", text);
        match parse(&file) {
            Ok(parsed) => prop_assert!(file.text.is_char_boundary(parsed.body)),
            Err(error) => for label in error.labels() {
                prop_assert!(file.text.get(label.span.clone()).is_some(), "{:?}", error);
            },
        }
    }
}
