//! The lexical rules that tokens and statements share: where a thing that has begun ends.
//!
//! Everything works on bytes of valid UTF-8 and only ever stops beside an ASCII byte or at the end of the text.

use memchr::{memchr, memchr2};

use crate::sql::split::Flavor;

/// Whether the byte may stand inside a word; the same for all flavors.
pub(crate) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// Whether the byte may begin a word.
pub(crate) const fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

/// Whether the byte is white space where a token may begin.
pub(crate) const fn is_space(byte: u8, flavor: Flavor) -> bool {
    match byte {
        b' ' | b'\t' | b'\n' | b'\r' | 0x0c => true,
        0x0b => !matches!(flavor, Flavor::Sqlite),
        _ => false,
    }
}

/// U+FEFF in UTF-8, which SQLite takes for white space wherever a token may begin.
pub(crate) const BOM: &[u8] = "\u{feff}".as_bytes();

/// The end of the white space at `at`, which may be `at`.
pub(crate) fn space_end(bytes: &[u8], mut at: usize, flavor: Flavor) -> usize {
    while let Some(&byte) = bytes.get(at) {
        if is_space(byte, flavor) {
            at += 1;
            // SQLite takes a vertical tab for white space only after other white space.
            while bytes.get(at) == Some(&0x0b) {
                at += 1;
            }
        } else if byte == BOM[0] && matches!(flavor, Flavor::Sqlite) && bytes[at..].starts_with(BOM) {
            at += BOM.len();
        } else {
            break;
        }
    }
    at
}

/// The end of the word bytes at `at`, which may be `at`.
pub(crate) fn word_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|&byte| !is_word(byte)).unwrap_or(rest.len())
}

/// The end of the digits at `at`, with `_` between them.
fn digits_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest
        .iter()
        .position(|&byte| !byte.is_ascii_digit() && byte != b'_')
        .unwrap_or(rest.len())
}

/// After the quote that closes, searching from `at`; a doubled quote does not close. `None`: it never closes.
pub(crate) fn quote_end(bytes: &[u8], mut at: usize, quote: u8) -> Option<usize> {
    loop {
        let close = at + memchr(quote, bytes.get(at..)?)?;
        if bytes.get(close + 1) != Some(&quote) {
            return Some(close + 1);
        }
        at = close + 2;
    }
}

/// Like [`quote_end`], where a backslash takes away the meaning of the byte after it.
pub(crate) fn escaped_end(bytes: &[u8], mut at: usize, quote: u8) -> Option<usize> {
    loop {
        let found = at + memchr2(quote, b'\\', bytes.get(at..)?)?;
        if bytes[found] == quote && bytes.get(found + 1) != Some(&quote) {
            return Some(found + 1);
        }
        at = found + 2;
    }
}

/// After `stop`, searching from `at`.
pub(crate) fn after(bytes: &[u8], at: usize, stop: u8) -> Option<usize> {
    Some(at + memchr(stop, bytes.get(at..)?)? + 1)
}

/// Whether a comment to the end of the line begins at `at`.
pub(crate) fn line_comment(bytes: &[u8], at: usize, flavor: Flavor) -> bool {
    match bytes.get(at) {
        Some(b'#') => matches!(flavor, Flavor::Mysql),
        Some(b'-') if bytes.get(at + 1) == Some(&b'-') => {
            let next = bytes.get(at + 2);
            // MySQL asks for white space or a control character after `--`.
            !matches!(flavor, Flavor::Mysql) || next.is_none_or(|&byte| byte <= b' ' || byte == 0x7f)
        }
        _ => false,
    }
}

/// Whether a comment to the end of the line begins at `at`, between two statements. No statement begins with two dashes, so
/// MySQL's clients do not ask what comes behind them there.
pub(crate) fn line_comment_between(bytes: &[u8], at: usize, flavor: Flavor) -> bool {
    line_comment(bytes, at, flavor) || matches!(flavor, Flavor::Mysql) && bytes[at..].starts_with(b"--")
}

/// The end of a comment to the end of the line, without the line's end. `None`: the text ends first.
pub(crate) fn line_comment_end(bytes: &[u8], at: usize, flavor: Flavor) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let end = match flavor {
        Flavor::Postgresql => memchr2(b'\n', b'\r', rest)?,
        Flavor::Sqlite | Flavor::Mysql => memchr(b'\n', rest)?,
    };
    Some(at + end)
}

/// Whether a comment between `/*` and `*/` begins at `at`. MySQL runs what stands in `/*! … */`.
pub(crate) fn block_comment(bytes: &[u8], at: usize, flavor: Flavor) -> bool {
    if bytes[at] != b'/' || bytes.get(at + 1) != Some(&b'*') {
        return false;
    }
    match flavor {
        // SQLite sees a slash and a star when the text ends right after them.
        Flavor::Sqlite => bytes.len() > at + 2,
        Flavor::Postgresql => true,
        Flavor::Mysql => conditional_end(bytes, at).is_none(),
    }
}

/// The end of `/*!` or `/*M!` with its version number, in MySQL and MariaDB.
pub(crate) fn conditional_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let start = if rest.starts_with(b"/*!") {
        at + 3
    } else if rest.starts_with(b"/*M!999999\\-") {
        // A command of MariaDB's client, with which its dumps begin; no server reads it.
        return None;
    } else if rest.starts_with(b"/*M!") {
        at + 4
    } else {
        return None;
    };
    let digits = bytes[start..].iter().take(6).take_while(|byte| byte.is_ascii_digit());
    Some(start + digits.count())
}

/// After the `*/` of the comment that begins at `at`; comments nest in PostgreSQL. `None`: it never closes.
pub(crate) fn block_comment_end(bytes: &[u8], at: usize, flavor: Flavor) -> Option<usize> {
    let mut depth = 1;
    let mut at = at + 2;
    loop {
        let found = at + memchr2(b'*', b'/', bytes.get(at..)?)?;
        match (bytes[found], bytes.get(found + 1)) {
            (b'*', Some(b'/')) => {
                depth -= 1;
                at = found + 2;
                if depth == 0 {
                    return Some(at);
                }
            }
            (b'/', Some(b'*')) if matches!(flavor, Flavor::Postgresql) => {
                depth += 1;
                at = found + 2;
            }
            _ => at = found + 1,
        }
    }
}

/// The end of the opening `$tag$` at `at`, in PostgreSQL.
pub(crate) fn dollar_tag(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at + 1..)?;
    let length = rest.iter().position(|&byte| !is_word(byte) || byte == b'$')?;
    let tag = &rest[..length];
    (rest[length] == b'$' && tag.first().is_none_or(|&byte| is_word_start(byte))).then_some(at + length + 2)
}

/// After the closing tag of the dollar quote whose opening tag is `bytes[at..body]`. `None`: it never closes.
pub(crate) fn dollar_end(bytes: &[u8], at: usize, body: usize) -> Option<usize> {
    let tag = &bytes[at..body];
    Some(body + memchr::memmem::find(&bytes[body..], tag)? + tag.len())
}

/// The end of a string with backslashes that PostgreSQL continues on a later line, from its first closing quote.
///
/// Only strings with a prefix need this: the continuation of `E'…'` still knows backslashes. Returned are the end and
/// how far was looked to find it.
pub(crate) fn continued_end(bytes: &[u8], mut end: usize) -> Option<(usize, usize)> {
    loop {
        let mut at = end;
        let mut newline = false;
        loop {
            let space = space_end(bytes, at, Flavor::Postgresql);
            newline |= bytes[at..space].iter().any(|&byte| byte == b'\n' || byte == b'\r');
            at = space;
            if !line_comment(bytes, at, Flavor::Postgresql) {
                break;
            }
            match line_comment_end(bytes, at, Flavor::Postgresql) {
                Some(comment) => at = comment,
                None => return Some((end, bytes.len())),
            }
        }
        if !newline || bytes.get(at) != Some(&b'\'') {
            return Some((end, at));
        }
        end = escaped_end(bytes, at + 1, b'\'')?;
    }
}

/// The end of a variable of SQLite that begins with `$`, `@`, `:` or `#`, Tcl's `$a::b(c)` included.
pub(crate) fn sqlite_variable_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    let mut named = false;
    while let Some(&byte) = bytes.get(at) {
        if is_word(byte) {
            named = true;
            at += 1;
        } else if byte == b'(' && named {
            let rest = &bytes[at..];
            let stop = |byte: &u8| *byte == b')' || matches!(*byte, b'\t'..=b'\r' | b' ');
            let length = rest.iter().position(stop).unwrap_or(rest.len());
            return at + length + usize::from(rest.get(length) == Some(&b')'));
        } else if byte == b':' && bytes.get(at + 1) == Some(&b':') {
            at += 2;
        } else {
            break;
        }
    }
    at
}

/// The end of the number at `at`, letters that make it an illegal token included.
pub(crate) fn number_end(bytes: &[u8], start: usize, flavor: Flavor) -> usize {
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    if bytes[start] == b'0' && matches!(bytes.get(start + 1), Some(b'x' | b'X')) && is_hex(start + 2) {
        return word_end(bytes, start + 2);
    }
    let mut at = digits_end(bytes, start);
    let range = matches!(flavor, Flavor::Postgresql) && bytes.get(at + 1) == Some(&b'.');
    if bytes.get(at) == Some(&b'.') && !range {
        at = digits_end(bytes, at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if bytes.get(at + 1 + sign).is_some_and(u8::is_ascii_digit) {
            at = digits_end(bytes, at + 1 + sign);
        }
    }
    if matches!(flavor, Flavor::Postgresql) && bytes[at - 1] == b'.' && bytes.get(at) == Some(&b'$') {
        return at;
    }
    word_end(bytes, at)
}

/// The end of the operator or punctuation at `at`.
pub(crate) fn symbol_end(bytes: &[u8], at: usize, flavor: Flavor) -> usize {
    const SQLITE: &[&[u8]] = &[b"->>", b"->", b"||", b"<=", b"<>", b"<<", b">=", b">>", b"==", b"!="];
    const MYSQL: &[&[u8]] = &[
        b"<=>", b"->>", b"->", b"||", b"&&", b"<=", b"<>", b"<<", b">=", b">>", b"!=", b":=", b"*/",
    ];
    // Most symbols are one of these.
    if matches!(bytes[at], b'(' | b')' | b',' | b';') {
        return at + 1;
    }
    let longest = |known: &[&[u8]]| {
        known
            .iter()
            .find(|symbol| bytes[at..].starts_with(symbol))
            .map_or(1, |symbol| symbol.len())
    };
    at + match flavor {
        Flavor::Sqlite => longest(SQLITE),
        // `*/` closes what `/*!` opened, but a star before a comment multiplies.
        Flavor::Mysql if bytes[at..].starts_with(b"*/*") => 1,
        Flavor::Mysql => longest(MYSQL),
        Flavor::Postgresql if is_operator(bytes[at]) => operator_length(&bytes[at..]),
        Flavor::Postgresql => longest(&[b"::", b"..", b":="]),
    }
}

/// Whether the byte may stand in an operator of PostgreSQL.
const fn is_operator(byte: u8) -> bool {
    matches!(
        byte,
        b'~' | b'!'
            | b'@'
            | b'#'
            | b'^'
            | b'&'
            | b'|'
            | b'`'
            | b'?'
            | b'+'
            | b'-'
            | b'*'
            | b'/'
            | b'%'
            | b'<'
            | b'>'
            | b'='
    )
}

/// The length of PostgreSQL's operator at the start of `bytes`, by the rules of its manual, section "Operators":
/// no comment begins inside it, and `+` or `-` ends a longer one only next to a character that SQL's own lack.
fn operator_length(bytes: &[u8]) -> usize {
    let run = bytes.iter().position(|&byte| !is_operator(byte)).unwrap_or(bytes.len());
    let comment = bytes[..run].windows(2).position(|pair| pair == b"--" || pair == b"/*");
    let run = &bytes[..comment.unwrap_or(run).max(1)];
    let own = |byte: &u8| {
        matches!(
            byte,
            b'~' | b'!' | b'@' | b'#' | b'^' | b'&' | b'|' | b'`' | b'?' | b'%'
        )
    };
    if run.iter().any(own) {
        return run.len();
    }
    let kept = run.iter().rposition(|byte| !matches!(byte, b'+' | b'-'));
    kept.map_or(1, |last| last + 1)
}
