use proptest::prelude::*;

use super::*;
use crate::sql::split::{MYSQL, POSTGRESQL, SQLITE, statements};
use crate::sql::token::{Kind, significant, tokens};

const ALL: [SplitRules; 3] = [SQLITE, POSTGRESQL, MYSQL];

fn check(rules: SplitRules, one: &str, other: &str, expect: Change) {
    let (one_sum, other_sum) = (of(one, 0, None, &rules), of(other, 0, None, &rules));
    assert_eq!(compare(&one_sum, &other_sum), expect, "{one:?} {other:?}");
}

#[test]
fn what_only_a_linter_heeds_is_cosmetic() {
    let with = "-- sqlrev:allow drop_table\nDROP TABLE t;";
    check(SQLITE, "DROP TABLE t;", with, Change::Cosmetic);
    let reordered = "-- sqlrev:reorder t (a)\nSELECT 1;";
    check(SQLITE, "SELECT 1;", reordered, Change::Edited);
}

#[test]
fn layout_is_cosmetic() {
    for rules in ALL {
        check(rules, "SELECT 1", "SELECT 1", Change::Same);
        check(rules, "SELECT 1", "SELECT\t1 ;\n", Change::Cosmetic);
        check(
            rules,
            "SELECT a=-1,b FROM t(c)",
            " SELECT a = -1 , b FROM t ( c ) -- d",
            Change::Cosmetic,
        );
        check(rules, "a;b", ";;a; /* c */ b;", Change::Cosmetic);
        check(rules, "SELECT 'a\r\nb'\r\n", "\u{feff}SELECT 'a\nb'\n", Change::Same);
    }
    check(
        SQLITE,
        "SELECT x'ab',\"c\"[d]FROM `e`",
        "SELECT x'ab' , \"c\" [d] FROM`e`",
        Change::Cosmetic,
    );
    check(
        MYSQL,
        "DELIMITER //\na//b//",
        "a; DELIMITER $$\n b $$",
        Change::Cosmetic,
    );
}

#[test]
fn tokens_are_not() {
    for rules in ALL {
        check(rules, "SELECT 1", "select 1", Change::Edited);
        check(rules, "SELECT a b", "SELECT ab", Change::Edited);
        check(rules, "SELECT 'a b'", "SELECT 'a  b'", Change::Edited);
        check(rules, "SELECT 'a' 'b'", "SELECT 'a''b'", Change::Edited);
        check(rules, "SELECT a < = b", "SELECT a <= b", Change::Edited);
        check(rules, "SELECT 1 .5", "SELECT 1.5", Change::Edited);
        check(rules, "SELECT 1; 2", "SELECT 1 2", Change::Edited);
        check(rules, "SELECT 1", "-- sqlrev:reorder x\nSELECT 1", Change::Edited);
        check(rules, "-- sqlrev:a\nSELECT 1", "SELECT 1 -- sqlrev:a\n", Change::Edited);
        check(rules, "SELECT 1", "SELECT 1;\n-- sqlrev:reorder x", Change::Edited);
        check(rules, "SELECT 'a", "SELECT 'b", Change::Edited);
    }
    check(SQLITE, "SELECT - -1 -- c\n", "SELECT --1 -- c\n", Change::Edited);
    check(SQLITE, "SELECT x 'ab'", "SELECT x'ab'", Change::Edited);
    check(SQLITE, "SELECT $a (b)", "SELECT $a(b)", Change::Edited);
    check(POSTGRESQL, "SELECT U & 'a'", "SELECT U&'a'", Change::Edited);
    check(POSTGRESQL, "SELECT @ -1", "SELECT @-1", Change::Edited);
    check(
        POSTGRESQL,
        "COPY t FROM stdin;\na\n\\.\n",
        "COPY t FROM stdin;\na \n\\.\n",
        Change::Edited,
    );
    check(MYSQL, "/*! SELECT 1 */", "/*! SELECT 2 */", Change::Edited);
}

#[test]
fn the_header_counts_apart_from_what_it_only_tells() {
    let mut header = Header::new("a");
    let text = "-- ---\n-- revision: a\n-- ---\nSELECT 1";
    let sum = |header: &Header| of(text, 29, Some(header), &SQLITE).tokens;
    let before = sum(&header);
    header.message = "other".into();
    header.created = Some("now".into());
    assert_eq!(sum(&header), before);
    header.down_revisions = vec!["b".into()];
    let parent = sum(&header);
    assert_ne!(parent, before);
    header.depends_on = std::mem::take(&mut header.down_revisions)
        .iter()
        .map(|id| id.as_str().into())
        .collect();
    assert_ne!(sum(&header), parent);
    header.depends_on.clear();
    header.irreversible = true;
    assert_ne!(sum(&header), before);
}

#[test]
fn the_stored_form_is_fixed() {
    let sum = of("-- a\nSELECT 1;\n", 0, None, &SQLITE);
    let stored = sum.to_string();
    assert_eq!(
        stored,
        "b3:1:7b4abab7371a3e2cc3c6365e1243f454c61706be3d6fe205d20f6e55d2b25b28\
         :3f966d99b5590923c9a5aa6890ba36826a7f3628e0443340a5662d2a411e93e8"
    );
    assert_eq!(stored.parse(), Ok(sum));
    assert_eq!(
        stored.replacen(":1:", ":2:", 1).parse::<Checksum>(),
        Err(ParseError::UnknownVersion)
    );
    for garbage in ["", "b3", "b3:1:00:00", "8f9dfcd6c9d18d80", &stored[1..40]] {
        assert_eq!(garbage.parse::<Checksum>(), Err(ParseError::Malformed), "{garbage}");
    }
}

/// Tokens to put side by side, with or without something in between.
fn token() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(
        &[
            "a", "x", "E", "e", "u", "U", "&", "1", "0x1F", "1.5", ".5", "2e", "'b'", "''", "\"c\"", "`d`", "[", "]",
            "(", ")", ",", "=", "<", ">", "-", "+", "*", "/", "%", "|", "||", "!", "~", "@", "#", ":", "::", "$1",
            "?1", ":v", "@v", "$$e$$", "x'00'", "E'f'", "n'g'", "_utf8", "select", "sqlrev", "é", ".", "..", ":=",
            "<=", "->>", "\\",
        ][..],
    )
}

fn gap() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&["", " ", "\n", "  \t", "/* ' */", " -- ; \"\n", "\r\n"][..])
}

/// The tokens that the database sees, as words; none of a text that cannot be cut.
fn seen(text: &str, rules: SplitRules) -> Option<Vec<String>> {
    statements(text, &rules).ok()?;
    Some(
        significant(text, &rules)
            .map(|token| text[token.span].replace("\r\n", "\n"))
            .collect(),
    )
}

/// A lone mark of a variable, or one with an open parenthesis, is no token of SQLite: no text with one was ever applied.
fn is_none_of_sqlite(token: &str) -> bool {
    let open = token.starts_with([':', '@', '#', '$']) && token.contains('(');
    [":", "@", "#"].contains(&token) || open
}

/// A number that ends within its exponent: an error to most, and `2e- 1` next to `2e-1` nobody's SQL.
fn is_cut_short(token: &str) -> bool {
    let digit = token.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    digit && token.contains('e') && token.ends_with(['e', '-', '+'])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equal_tokens_equal_checksums(parts in proptest::collection::vec((token(), gap(), gap()), 1..12)) {
        let one: String = parts.iter().map(|(token, gap, _)| format!("{token}{gap}")).collect();
        let other: String = parts.iter().map(|(token, _, gap)| format!("{token}{gap}")).collect();
        for rules in ALL {
            let (Some(seen_one), Some(seen_other)) = (seen(&one, rules), seen(&other, rules)) else { continue };
            let mut tokens = seen_one.iter().chain(&seen_other);
            if tokens.any(|token| is_cut_short(token) || rules == SQLITE && is_none_of_sqlite(token)) {
                continue;
            }
            let same = seen_one == seen_other;
            // A column `u`, `&` and a string stay apart in one of two ways.
            let unicode = seen_one.windows(2).any(|pair| pair[0].eq_ignore_ascii_case("u") && pair[1] == "&");
            if same && unicode && rules == POSTGRESQL {
                continue;
            }
            let (one, other) = (of(&one, 0, None, &rules), of(&other, 0, None, &rules));
            prop_assert_eq!(one.tokens == other.tokens, same, "{:?}", rules);
        }
    }

    #[test]
    fn gaps_between_tokens_change_only_the_text(text in "[a-c1.'\"$;,()=<>|* \n-]{0,30}", at in any::<proptest::sample::Index>(), gap in gap()) {
        for rules in ALL {
            let places: Vec<usize> = tokens(&text, &rules)
                .filter(|token| token.kind != Kind::Comment)
                .map(|token| token.span.start)
                .collect();
            if places.is_empty() || gap.is_empty() {
                continue;
            }
            let mut longer = text.clone();
            longer.insert_str(*at.get(&places), gap);
            if seen(&text, rules).is_none() || seen(&text, rules) != seen(&longer, rules) {
                continue;
            }
            let (before, after) = (of(&text, 0, None, &rules), of(&longer, 0, None, &rules));
            prop_assert_eq!(before.tokens, after.tokens, "{:?} {:?}", text, longer);
            prop_assert_ne!(before.text, after.text);
        }
    }

    #[test]
    fn chunks_and_line_ends_change_nothing(
        text in "(\u{feff})?([a-c1.'\"$;,()=<>|* \r\n-]|-- sqlrev:a\n|copy a from stdin;\n|\\\\\\.\n|\r\n){0,30}",
        size in 1usize..9,
    ) {
        for rules in ALL {
            let whole = of(&text, 0, None, &rules);
            let chunks = Chunks(text.as_bytes(), size);
            if let Ok(read) = read(chunks, 0, None, &rules, |_| Ok::<(), Fault>(())) {
                prop_assert_eq!(read, whole);
            }
            prop_assert_eq!(text_only(&text), whole.text);
            prop_assert!(is_of_text(&whole.to_string(), &text));
            let longer = text.clone() + " ";
            prop_assert!(!is_of_text(&whole.to_string(), &longer));
            let lines = text.replace("\r\n", "\n");
            if !lines.contains('\r') {
                prop_assert_eq!(of(&lines.replace('\n', "\r\n"), 0, None, &rules), whole);
            }
        }
    }
}

struct Chunks<'a>(&'a [u8], usize);

impl Read for Chunks<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.1.min(self.0.len()).min(into.len());
        into[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}
