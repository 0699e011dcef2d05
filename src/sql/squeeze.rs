//! A statement without its comments and with no more white space than keeps its tokens apart.
//!
//! Two statements with the same tokens squeeze to the same bytes, and two with different tokens to different ones.

use crate::source::Span;
use crate::sql::lex;
use crate::sql::split::{Flavor, SplitRules, Statement};
use crate::sql::token;

/// Appends the squeezed statement to `out`, and a NUL byte.
///
/// The statement must come from a pass that squeezes or notes gaps.
pub(crate) fn statement(statement: &Statement<'_>, rules: SplitRules, out: &mut Vec<u8>) {
    let bytes = statement.raw.as_bytes();
    let begin = out.len();
    if let Some(squeezed) = statement.squeezed {
        out.extend_from_slice(squeezed);
        newlines(out, begin);
        out.push(0);
        return;
    }
    out.reserve(bytes.len() + 1);
    let mut squeezer = Squeezer {
        bytes,
        flavor: rules.flavor,
        sides: sides(rules.flavor),
        begin,
        from: 0,
        token: 0,
        out,
    };
    for gap in statement.gaps {
        squeezer.gap(gap);
        if gap.len() > 1 {
            for directive in directives(&statement.raw[gap.clone()], rules) {
                squeezer.flush(gap);
                squeezer.out.extend_from_slice(b"\0\0");
                squeezer.out.extend_from_slice(directive.as_bytes());
                squeezer.out.push(0);
            }
        }
    }
    let Squeezer { from, out, .. } = squeezer;
    out.extend_from_slice(&bytes[from..]);
    newlines(out, begin);
    out.push(0);
}

/// The directives among the comments of a gap: each from its `--`, without white space at its ends.
pub(crate) fn directives(gap: &str, rules: SplitRules) -> impl Iterator<Item = &str> {
    const MARK: &str = "sqlrev:";
    let any = gap.len() > MARK.len() && memchr::memmem::find(gap.as_bytes(), MARK.as_bytes()).is_some();
    let comments = any.then(|| token::comments(gap, &rules)).into_iter().flatten();
    comments.filter_map(|token| {
        let comment = gap[token.span].trim_end();
        let words = comment.strip_prefix("--")?.trim_start();
        // What only a linter heeds changes nothing that runs.
        let heeded = words.starts_with(MARK) && !words[MARK.len()..].starts_with("allow");
        heeded.then_some(comment)
    })
}

/// Makes every end of a line in `out[begin..]` a single newline.
pub(crate) fn newlines(out: &mut Vec<u8>, begin: usize) {
    let Some(first) = memchr::memchr(b'\r', &out[begin..]) else {
        return;
    };
    let tail = out.split_off(begin + first);
    append_with_newlines(out, &tail);
}

/// Appends `bytes` with every end of a line made a single newline.
pub(crate) fn append_with_newlines(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes;
    while let Some(found) = memchr::memchr(b'\r', rest) {
        out.extend_from_slice(&rest[..found]);
        out.push(b'\n');
        rest = &rest[found + 1..];
        rest = rest.strip_prefix(b"\n").unwrap_or(rest);
    }
    out.extend_from_slice(rest);
}

struct Squeezer<'a> {
    bytes: &'a [u8],
    flavor: Flavor,
    sides: &'static [Side; 256],
    /// Where the statement begins in `out`.
    begin: usize,
    /// From where on nothing is in `out` yet.
    from: usize,
    /// The end of the gap before: a token begins here.
    token: usize,
    out: &'a mut Vec<u8>,
}

impl Squeezer<'_> {
    fn gap(&mut self, gap: &Span) {
        let apart = gap.end < self.bytes.len() && self.keeps_apart(gap);
        self.token = gap.end;
        if apart && gap.len() == 1 && self.bytes[gap.start] == b' ' {
            return;
        }
        self.flush(gap);
        if apart {
            self.out.push(b' ');
        }
    }

    /// Writes what stands before the gap.
    fn flush(&mut self, gap: &Span) {
        if self.from < gap.start {
            self.out.extend_from_slice(&self.bytes[self.from..gap.start]);
        }
        self.from = self.from.max(gap.end);
    }

    /// Whether the tokens on the two sides of a gap would be other tokens without it.
    ///
    /// The common cases are told by the two bytes beside the gap; the rest is tried.
    fn keeps_apart(&self, gap: &Span) -> bool {
        let (left, right) = (self.bytes[gap.start - 1], self.bytes[gap.end]);
        match (self.sides[usize::from(left)], self.sides[usize::from(right)]) {
            (Side::Word, Side::Mark) if right == b'(' && self.flavor == Flavor::Sqlite => {
                // Tcl's `$a(b)` is one variable.
                let marks = |byte: &u8| matches!(byte, b'$' | b'@' | b':' | b'#');
                self.bytes[self.token..gap.start].iter().any(marks) && self.would_join(gap)
            }
            (Side::Other, Side::Mark) if right != b'(' => false,
            (Side::Word, Side::Word) => {
                let segment = &self.bytes[self.token..gap.start];
                !left.is_ascii_digit() && is_inside(left)
                    || segment.iter().all(|&byte| is_inside(byte))
                    || self.would_join(gap)
            }
            // A word of one letter may be the prefix of a string.
            (Side::Word, Side::Quote) if gap.start >= 2 && lex::is_word_start(self.bytes[gap.start - 2]) => false,
            (Side::Word, Side::Operator) if matches!(left, b'e' | b'E') && matches!(right, b'+' | b'-') => {
                self.would_join(gap)
            }
            (Side::Quote, Side::Quote) if left == right => self.would_join(gap),
            // Two dashes with no white space after them are two minus signs in MySQL.
            (Side::Operator, Side::Operator) if self.flavor != Flavor::Mysql || left != b'-' || right != b'-' => {
                self.would_join(gap)
            }
            (Side::Word | Side::Quote | Side::Operator, Side::Mark | Side::Operator)
            | (Side::Quote | Side::Operator, Side::Word | Side::Quote)
            | (Side::Mark, _) => false,
            _ => self.would_join(gap),
        }
    }

    /// Reads the token before the gap and the one after it as one text.
    #[cold]
    fn would_join(&self, gap: &Span) -> bool {
        let (mut start, mut end) = (self.token, self.token);
        while end < gap.start {
            start = end;
            end = token::read(self.bytes, start, self.flavor).1;
        }
        let (_, next) = token::read(self.bytes, gap.end, self.flavor);
        let mut joined = self.bytes[start..end].to_vec();
        joined.extend_from_slice(&self.bytes[gap.end..next.min(gap.end + 16)]);
        let (_, joined_end) = token::read(&joined, 0, self.flavor);
        joined_end != end - start || self.is_unicode_prefix(gap)
    }

    /// Whether `U`, `&` and a quote would become the beginning of a string with Unicode escapes in PostgreSQL, which
    /// no two of the three do.
    fn is_unicode_prefix(&self, gap: &Span) -> bool {
        let quote = |at: usize| matches!(self.bytes.get(at), Some(b'\'' | b'"'));
        let written = self.out[self.begin..]
            .iter()
            .chain(&self.bytes[self.from.min(gap.start)..gap.start]);
        let mut written = written.rev().peekable();
        let before = self.bytes[gap.end] == b'&' && quote(gap.end + 1);
        let after = quote(gap.end) && written.next_if_eq(&&b'&').is_some();
        self.flavor == Flavor::Postgresql
            && (before || after)
            && matches!(written.next(), Some(b'u' | b'U'))
            && !written.next().is_some_and(|&byte| lex::is_word(byte))
    }
}

/// What a byte beside a gap says about its token.
#[derive(Clone, Copy)]
enum Side {
    /// A token of its own in every flavor.
    Mark,
    /// Part of a word or number.
    Word,
    /// The beginning or end of a string or name.
    Quote,
    /// Part of an operator that joins neither words nor quotes.
    Operator,
    /// Anything else.
    Other,
}

const fn side(byte: u8, flavor: Flavor) -> Side {
    match (byte, flavor) {
        (b'(' | b')' | b',' | b';', _) => Side::Mark,
        (b'\'' | b'"', _) | (b'`', Flavor::Sqlite | Flavor::Mysql) | (b'[' | b']', Flavor::Sqlite) => Side::Quote,
        (b'=' | b'<' | b'>' | b'!' | b'|' | b'*' | b'%' | b'~' | b'+' | b'-', _) => Side::Operator,
        _ if lex::is_word(byte) => Side::Word,
        _ => Side::Other,
    }
}

const fn all_sides(flavor: Flavor) -> [Side; 256] {
    let mut sides = [Side::Other; 256];
    let mut byte = 0u8;
    loop {
        sides[byte as usize] = side(byte, flavor);
        if byte == u8::MAX {
            return sides;
        }
        byte += 1;
    }
}

fn sides(flavor: Flavor) -> &'static [Side; 256] {
    static SQLITE: [Side; 256] = all_sides(Flavor::Sqlite);
    static POSTGRESQL: [Side; 256] = all_sides(Flavor::Postgresql);
    static MYSQL: [Side; 256] = all_sides(Flavor::Mysql);
    match flavor {
        Flavor::Sqlite => &SQLITE,
        Flavor::Postgresql => &POSTGRESQL,
        Flavor::Mysql => &MYSQL,
    }
}

/// Whether the byte is part of a word or number and ends no dollar quote.
fn is_inside(byte: u8) -> bool {
    lex::is_word(byte) && byte != b'$'
}
