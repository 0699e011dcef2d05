//! Checksums of revision files: has a file changed since it was applied, and if so, in more than its layout?

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use crate::revision::{Header, Recreate, Transaction};
use crate::sql::split::{Fault, Piece, SplitRules, Statements};
use crate::sql::squeeze;

/// How much is gathered before it is hashed: long enough for the hash's vector code, short enough for a core's cache.
const BUFFER: usize = 64 * 1024;

/// Two values of a file, both blake3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum {
    /// Of the text, without a byte order mark, every end of a line a newline.
    pub text: [u8; 32],
    /// Of the SQL without comments and white space, and of what the header says about running it.
    pub tokens: [u8; 32],
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Same,
    /// Comments, white space or the message of the header: it does what it did.
    Cosmetic,
    /// Something that runs, or where it stands in the graph.
    Edited,
}

/// Compares the checksum that was stored with that of the file as it is now.
pub fn compare(stored: &Checksum, now: &Checksum) -> Change {
    if stored.tokens != now.tokens {
        Change::Edited
    } else if stored.text != now.text {
        Change::Cosmetic
    } else {
        Change::Same
    }
}

impl fmt::Display for Checksum {
    /// Writes the stored form: `b3:1:<text in hex>:<tokens in hex>`. The `1` is the version of the rules.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |value: [u8; 32]| blake3::Hash::from_bytes(value).to_hex();
        write!(f, "b3:1:{}:{}", hex(self.text), hex(self.tokens))
    }
}

/// Why a stored checksum cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseError {
    /// It was written by rules that this version does not know.
    UnknownVersion,
    /// It is no checksum.
    Malformed,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownVersion => "a checksum by rules that this version does not know",
            Self::Malformed => "not a checksum",
        })
    }
}

impl std::error::Error for ParseError {}

impl FromStr for Checksum {
    type Err = ParseError;

    fn from_str(stored: &str) -> Result<Self, ParseError> {
        let (kind, rest) = stored.split_once(':').ok_or(ParseError::Malformed)?;
        let (version, values) = rest.split_once(':').ok_or(ParseError::Malformed)?;
        let named = kind.starts_with(|first: char| first.is_ascii_lowercase());
        let numbered = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        if !named || !numbered {
            return Err(ParseError::Malformed);
        }
        if (kind, version) != ("b3", "1") {
            return Err(ParseError::UnknownVersion);
        }
        let (text, tokens) = values.split_once(':').ok_or(ParseError::Malformed)?;
        let value = |hex: &str| match blake3::Hash::from_hex(hex) {
            Ok(hash) => Ok(*hash.as_bytes()),
            Err(_) => Err(ParseError::Malformed),
        };
        Ok(Self {
            text: value(text)?,
            tokens: value(tokens)?,
        })
    }
}

/// Whether `stored` is the stored form of a checksum whose first value is that of `text`: the cheap first look, since a
/// file with the same text has not changed.
pub fn is_of_text(stored: &str, text: &str) -> bool {
    const VALUE: usize = 64;
    let Some(values) = stored.strip_prefix("b3:1:") else {
        return false;
    };
    let hex = blake3::Hash::from_bytes(text_only(text)).to_hex();
    values.len() == 2 * VALUE + 1 && values.get(..VALUE) == Some(hex.as_str())
}

/// The first value alone.
pub fn text_only(text: &str) -> [u8; 32] {
    if memchr::memchr(b'\r', text.as_bytes()).is_none() {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        return *blake3::hash(text.as_bytes()).as_bytes();
    }
    let mut hasher = TextHasher::new();
    hasher.update(text.as_bytes());
    hasher.finish()
}

/// The checksum of a file in memory.
///
/// `body` is where the SQL begins, after the header, in bytes; a downgrade has no header: 0 and `None`.
/// Of a text that cannot be cut into statements, the rest counts as it is written.
pub fn of(file_text: &str, body: usize, header: Option<&Header>, rules: &SplitRules) -> Checksum {
    let mut pieces = Statements::of_text(file_text, rules);
    let mut tokens = TokenHasher::new(header, *rules);
    let mut end = body;
    let whole = pieces.skip(body).is_ok()
        && tokens
            .pieces(&mut pieces, |piece| {
                if let Piece::Statement(statement) = piece {
                    end = usize::try_from(statement.end).unwrap_or(end);
                }
                Ok::<(), Fault>(())
            })
            .is_ok();
    if !whole {
        tokens.rest(file_text.get(end..).unwrap_or(file_text));
    }
    Checksum {
        text: text_only(file_text),
        tokens: tokens.finish(),
    }
}

/// The checksum of a file that is read once, and its pieces on the way: the very value that [`of`] gives.
///
/// # Errors
/// A script that cannot be cut or read, and what `each` returns.
pub fn read<E: From<Fault>>(
    file: impl Read,
    body: usize,
    header: Option<&Header>,
    rules: &SplitRules,
    each: impl FnMut(&Piece<'_>) -> Result<(), E>,
) -> Result<Checksum, E> {
    let mut text = TextHasher::new();
    let mut tokens = TokenHasher::new(header, *rules);
    let tee = Tee { file, text: &mut text };
    let mut pieces = Statements::of_reader(tee, rules);
    pieces.skip(body)?;
    tokens.pieces(&mut pieces, each)?;
    drop(pieces);
    Ok(Checksum {
        text: text.finish(),
        tokens: tokens.finish(),
    })
}

/// Hashes what passes through.
struct Tee<'a, R> {
    file: R,
    text: &'a mut TextHasher,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(into)?;
        self.text.update(&into[..length]);
        Ok(length)
    }
}

/// The first value of a file that comes in chunks, for files too large for memory.
#[derive(Debug, Clone, Default)]
pub struct TextHasher {
    hash: blake3::Hasher,
    head: Head,
    /// Whether the last byte was a carriage return, which was hashed as a newline.
    after_return: bool,
    buffer: Vec<u8>,
}

/// How much of a byte order mark was seen, and nothing else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Head {
    #[default]
    Empty,
    One,
    Two,
    Passed,
}

impl TextHasher {
    /// Before the first byte of the file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the file, however they are cut.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while let (Some((&first, rest)), true) = (bytes.split_first(), self.head != Head::Passed) {
            self.head = match (self.head, first) {
                (Head::Empty, 0xef) => Head::One,
                (Head::One, 0xbb) => Head::Two,
                (Head::Two, 0xbf) => Head::Passed,
                _ => {
                    self.no_mark();
                    break;
                }
            };
            bytes = rest;
        }
        for part in bytes.chunks(BUFFER) {
            self.part(part);
        }
    }

    fn part(&mut self, mut part: &[u8]) {
        if self.after_return {
            part = part.strip_prefix(b"\n").unwrap_or(part);
        }
        self.after_return = part.last() == Some(&b'\r');
        if memchr::memchr(b'\r', part).is_none() {
            self.hash.update(part);
            return;
        }
        squeeze::append_with_newlines(&mut self.buffer, part);
        self.hash.update(&self.buffer);
        self.buffer.clear();
    }

    /// The value.
    pub fn finish(mut self) -> [u8; 32] {
        self.no_mark();
        *self.hash.finalize().as_bytes()
    }

    /// Hashes the bytes that looked like a byte order mark and were none.
    fn no_mark(&mut self) {
        let seen = match std::mem::replace(&mut self.head, Head::Passed) {
            Head::Empty | Head::Passed => 0,
            Head::One => 1,
            Head::Two => 2,
        };
        self.hash.update(&[0xef, 0xbb][..seen]);
    }
}

/// The second value of a file, from its pieces.
struct TokenHasher {
    hash: blake3::Hasher,
    buffer: Vec<u8>,
    rules: SplitRules,
}

impl TokenHasher {
    /// Begins with what the header says about running the file. What is not said is left out, so that keys that a
    /// later version adds change no old checksum.
    fn new(header: Option<&Header>, rules: SplitRules) -> Self {
        let mut buffer = Vec::new();
        let mut say = |key: &str, value: &str| {
            for part in [key, value] {
                buffer.extend_from_slice(part.as_bytes());
                buffer.push(0);
            }
        };
        if let Some(header) = header {
            say("revision", header.id.as_str());
            for parent in &header.down_revisions {
                say("down_revision", parent.as_str());
            }
            for dependency in &header.depends_on {
                say("depends_on", dependency);
            }
            if header.transaction == Transaction::None {
                say("transaction", "none");
            }
            match header.recreate {
                Recreate::Auto => {}
                Recreate::Always => say("recreate", "always"),
                Recreate::Never => say("recreate", "never"),
            }
            if header.irreversible {
                say("irreversible", "true");
            }
        }
        buffer.push(0);
        Self {
            hash: blake3::Hasher::new(),
            buffer,
            rules,
        }
    }

    /// Takes all pieces of a script.
    ///
    /// Written down are a record for each statement, ended by a NUL, which no SQL has; before and in it the directives
    /// in its comments; and the data lines as they are. So the terminators themselves, and empty statements, do not
    /// count, and neither does the line that DELIMITER stands on.
    fn pieces<E: From<Fault>>(
        &mut self,
        pieces: &mut Statements<'_>,
        mut each: impl FnMut(&Piece<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        pieces.note_gaps();
        while let Some(piece) = pieces.next()? {
            each(&piece)?;
            match &piece {
                Piece::Statement(statement) => {
                    self.directives(statement.gap_before);
                    squeeze::statement(statement, self.rules, &mut self.buffer);
                }
                Piece::Data(data) => squeeze::append_with_newlines(&mut self.buffer, data.text.as_bytes()),
                Piece::DataEnd => self.buffer.extend_from_slice(b"\\.\0"),
            }
            if self.buffer.len() >= BUFFER {
                self.hash.update(&self.buffer);
                self.buffer.clear();
            }
        }
        self.directives(pieces.rest());
        Ok(())
    }

    fn directives(&mut self, gap: &str) {
        for directive in squeeze::directives(gap, self.rules) {
            self.buffer.extend_from_slice(directive.as_bytes());
            self.buffer.push(0);
        }
    }

    /// Takes what could not be cut, after the last statement that could.
    fn rest(&mut self, text: &str) {
        self.buffer.extend_from_slice(b"\0\0");
        squeeze::append_with_newlines(&mut self.buffer, text.as_bytes());
    }

    fn finish(mut self) -> [u8; 32] {
        self.hash.update(&self.buffer);
        *self.hash.finalize().as_bytes()
    }
}
<<<<<<< HEAD

#[cfg(test)]
mod tests {
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
            check(rules, "SELECT 1", "-- sqlrev:allow x\nSELECT 1", Change::Edited);
            check(rules, "-- sqlrev:a\nSELECT 1", "SELECT 1 -- sqlrev:a\n", Change::Edited);
            check(rules, "SELECT 1", "SELECT 1;\n-- sqlrev:allow x", Change::Edited);
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
                "a", "x", "E", "e", "u", "U", "&", "1", "0x1F", "1.5", ".5", "2e", "'b'", "''", "\"c\"", "`d`", "[",
                "]", "(", ")", ",", "=", "<", ">", "-", "+", "*", "/", "%", "|", "||", "!", "~", "@", "#", ":", "::",
                "$1", "?1", ":v", "@v", "$$e$$", "x'00'", "E'f'", "n'g'", "_utf8", "select", "sqlrev", "é", ".", "..",
                ":=", "<=", "->>", "\\",
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

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn equal_tokens_equal_checksums(parts in proptest::collection::vec((token(), gap(), gap()), 1..12)) {
            let one: String = parts.iter().map(|(token, gap, _)| format!("{token}{gap}")).collect();
            let other: String = parts.iter().map(|(token, _, gap)| format!("{token}{gap}")).collect();
            for rules in ALL {
                let (Some(seen_one), Some(seen_other)) = (seen(&one, rules), seen(&other, rules)) else { continue };
                // A lone mark of a variable is no token of SQLite: no text with one was ever applied.
                if rules == SQLITE && seen_one.iter().chain(&seen_other).any(|token| [":", "@", "#"].contains(&&**token)) {
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
}
=======
>>>>>>> main
