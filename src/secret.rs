//! Passwords in texts that people see: in URLs, and in what was meant to be one.

use crate::percent;
use crate::source::Span;

/// How the names end whose values are never shown.
const SECRET: [&str; 3] = ["password", "passwd", "pwd"];

/// How parameters of URLs begin, the first of which tells a `?` from one in a password.
const PARAMETERS: &str = "application_name= connect_timeout= host= options= password= port= schema= socket= ssl user=";

/// How URLs of databases begin.
const SCHEMES: [&str; 7] = [
    "sqlite",
    "sqlite3",
    "file",
    "postgresql",
    "postgres",
    "mysql",
    "mariadb",
];

/// The text with `***` for each password of a URL in it.
pub(crate) fn redacted(text: &str) -> String {
    replaced(text, &secrets(text, false), true)
}

/// Likewise of one word that somebody typed, which may be a URL as a whole, and a mistyped one.
pub(crate) fn redacted_word(word: &str) -> String {
    replaced(word, &secrets(word, true), true)
}

/// A text of the configuration, or a word that somebody typed, with a `*` for each byte of a password of a URL in it, so
/// that places in the text stay what they are.
pub(crate) fn starred(text: &str) -> String {
    stars(text, &secrets(text, true))
}

/// The text with a `*` for each byte of these places, in order; lines stay lines.
pub(crate) fn stars(text: &str, hidden: &[Span]) -> String {
    replaced(text, hidden, false)
}

/// Whether somebody who typed this word meant a database: a URL, one with a mistake in it, or libpq's `host=… password=…`.
pub(crate) fn names_database(word: &str) -> bool {
    let begins = SCHEMES.iter().any(|scheme| {
        word.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            && (word[scheme.len()..].starts_with(':') || word[scheme.len()..].starts_with("//"))
    });
    begins || word.contains("://") || (word.contains('=') && !values(word, true).is_empty())
}

/// Whether a word that stands for a file or a folder means a database, or has a password in it.
#[cfg(feature = "cli")]
#[inline(never)]
pub(crate) fn is_database(word: &std::path::Path) -> bool {
    let word = word.to_string_lossy();
    names_database(&word) || !secrets(&word, true).is_empty()
}

fn replaced(text: &str, secrets: &[Span], short: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for secret in secrets {
        out.push_str(&text[at..secret.start]);
        at = secret.end;
        if short {
            out.push_str("***");
            continue;
        }
        for byte in text[secret.clone()].bytes() {
            out.push(if b"\r\n".contains(&byte) { char::from(byte) } else { '*' });
        }
    }
    out.push_str(&text[at..]);
    out
}

/// What hides passwords in a text: those of the words of a command line, which may be more or less than URLs, and those
/// of URLs.
#[cfg(feature = "cli")]
pub(crate) struct Hiding(Vec<(String, String)>);

#[cfg(feature = "cli")]
impl Hiding {
    pub(crate) fn of(words: &[std::ffi::OsString]) -> Self {
        let mut hidden = Vec::new();
        for word in words {
            let word = word.to_string_lossy();
            let value = word
                .split_once('=')
                .map(|(_, value)| value)
                .filter(|_| word.starts_with("--"));
            let value = value.unwrap_or(&word);
            let secrets = secrets(value, true);
            let is_url = names_database(value);
            if secrets.is_empty() || (!is_url && is_range(value)) {
                continue;
            }
            let mut hide = |word: &[&str], shown: &str| hidden.push((word.join(""), shown.to_owned()));
            hide(&[value], &replaced(value, &secrets, true));
            if is_url {
                continue;
            }
            // Taken for a range of revisions, its parts are told of.
            for secret in secrets {
                hide(&["`", &value[secret.clone()], "`"], "`***`");
                hide(&[&value[secret], "@"], "***@");
            }
        }
        Self(hidden)
    }

    pub(crate) fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (word, shown) in &self.0 {
            text = text.replace(word.as_str(), shown);
        }
        redacted(&text)
    }
}

/// Whether a word is a range of revisions such as `a1f0:billing@head-1`, which looks like `user:password@host`.
#[cfg(feature = "cli")]
fn is_range(word: &str) -> bool {
    let symbol = &word[word.rfind('@').map_or(0, |at| at + 1)..];
    let symbol = symbol.trim_end_matches(|sign: char| sign.is_ascii_digit());
    let symbol = symbol.strip_suffix(['+', '-']).unwrap_or(symbol);
    matches!(symbol, "" | "head" | "heads" | "base")
}

/// Where passwords stand, in order. Rather too much than too little: a URL goes on to the end of its line, and a value of
/// the configuration or a word (`whole`) may be one without its beginning.
fn secrets(text: &str, whole: bool) -> Vec<Span> {
    let mut secrets = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let line = &text[at..at + line_length(&text[at..], whole)];
        let mut found = values(line, whole);
        // Without its slashes, as somebody may have mistyped it, a password stands before the last `@` nevertheless.
        let sign = if line.contains("://") { "://" } else { "//" };
        let bare = || {
            let before = &line[..line.rfind('@')?];
            let colon = before.rfind(':').filter(|_| before.matches(':').count() > 2)?;
            before[..colon].rfind(':').map(|at| at + 1)
        };
        let other = || whole.then(|| without_scheme(line)).flatten().or_else(bare);
        let mut start = match line.find(sign) {
            Some(at) => Some(at + sign.len()),
            None => other(),
        };
        while let Some(at) = start {
            found.extend(user_password(&line[at..]).map(|span| at + span.start..at + span.end));
            start = line[at..].find(sign).map(|next| at + next + sign.len());
        }
        secrets.extend(found.into_iter().map(|span| at + span.start..at + span.end));
        at += line.len();
    }
    let mut secrets = merged(secrets);
    secrets.retain(|span: &Span| {
        let secret = &text[span.clone()];
        let name = secret.strip_prefix("${").and_then(|name| name.strip_suffix('}'));
        let is_variable =
            name.is_some_and(|name| name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()));
        // What is written where a password belongs, in what to do.
        let stands_for_one = ["", "…", "PASSWORD"].contains(&secret);
        !is_variable && !stands_for_one
    });
    secrets
}

/// The length of the first line, its end included; of the configuration with the lines that go on with its value.
fn line_length(text: &str, whole: bool) -> usize {
    let mut length = 0;
    for line in text.split_inclusive('\n') {
        let words = line.trim();
        let goes_on = whole
            && line.starts_with([' ', '\t'])
            && !words.starts_with(['#', '-'])
            && !words.contains(": ")
            && !words.ends_with(':');
        if length > 0 && !goes_on {
            break;
        }
        length += line.len();
    }
    length
}

/// Where `user:password@host` begins that stands for a whole URL, or for one that lacks its slashes.
fn without_scheme(line: &str) -> Option<usize> {
    let key = line.split(['"', '\'']).next()?.find(": ").map_or(0, |at| at + 2);
    let start = key + line[key..].find(|sign: char| !sign.is_whitespace() && !"\"'-[{".contains(sign))?;
    let known = |name: &&str| {
        let rest = line[start..].strip_prefix(name)?.strip_prefix(':')?;
        Some(line.len() - rest.len())
    };
    let start = SCHEMES.iter().find_map(known).unwrap_or(start);
    user_password(&line[start..]).map(|_| start)
}

/// The password in `user:password@host`. It may hold any sign, written as it should not be, so it ends at the last `@`.
fn user_password(rest: &str) -> Option<Span> {
    let colon = rest.find(':')?;
    let authority = rest.find(['/', '?']).unwrap_or(rest.len());
    let after = &rest[colon + 1..];
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    let is_port = colon < authority
        && digits > 0
        && matches!(
            after.as_bytes().get(digits),
            None | Some(b'/' | b'?' | b',' | b'\n' | b' ' | b'"' | b'\'')
        );
    // An `@` after it stands in a parameter, and after a port in nothing else.
    let mut marks = rest.match_indices('?').map(|(at, _)| at);
    let query = marks.find(|&at| {
        let query = &rest[at + 1..];
        let named = is_port && query.split('@').next().is_some_and(|named| named.contains('='));
        named || PARAMETERS.split(' ').any(|name| query.starts_with(name))
    });
    let before = query.unwrap_or(rest.len());
    let end = rest[..before].rfind('@')?;
    (colon < end).then_some(colon + 1..end)
}

/// The values of what is called a password: parameters of URLs, libpq's `host=… password=…`, and keys of the configuration,
/// which somebody may have written though there are no such ones. Those go on to the end of the line, the others end at a
/// space, or at the quote that they begin with.
fn values(line: &str, whole: bool) -> Vec<Span> {
    let mut values = Vec::new();
    for (at, sign) in line.bytes().enumerate() {
        let is_key = sign == b':';
        if !is_key && sign != b'=' {
            continue;
        }
        let before = line[..at].trim_end().trim_end_matches(['"', '\'']);
        let parts = |sign: u8| sign.is_ascii_whitespace() || b"?&\"'`{[(,".contains(&sign);
        let start = before.bytes().rposition(parts).map_or(0, |at| at + 1);
        let (earlier, name) = before.split_at(start);
        let is_parameter = earlier.ends_with(['?', '&']);
        if is_key && !whole && !earlier.trim_end().is_empty() {
            continue;
        }
        let name = percent::decode(name).unwrap_or_default().to_ascii_lowercase();
        let is_secret = SECRET.iter().any(|secret| name.ends_with(secret));
        if !is_secret && (name != "key" || !is_parameter) {
            continue;
        }
        let value = line[at + 1..].trim_start();
        let start = line.len() - value.len();
        let value = value.trim_end();
        let length = if is_key {
            value.len()
        } else {
            value_length(value.as_bytes(), is_parameter)
        };
        values.push(start..start + length);
    }
    values
}

/// How long the value is that a text begins with.
fn value_length(value: &[u8], is_parameter: bool) -> usize {
    let quote = value.first().copied().filter(|sign| b"\"'".contains(sign));
    let mut end = usize::from(quote.is_some());
    while let Some(&sign) = value.get(end) {
        match quote {
            _ if sign == b'\\' => end += 1,
            Some(quote) if sign == quote => return end + 1,
            None if sign.is_ascii_whitespace() || (is_parameter && sign == b'&') => break,
            _ => {}
        }
        end += 1;
    }
    let end = end.min(value.len());
    if quote.is_some() {
        return end;
    }
    // The quote that closes what all of it stands in.
    let without = |signs: &[u8]| value[..end].iter().rposition(|sign| !signs.contains(sign)).unwrap_or(0);
    let last = without(b",]}`");
    if value.get(last).is_some_and(|sign| b"\"'".contains(sign)) {
        last
    } else {
        end.min(without(b"`") + 1)
    }
}

/// The places in order, those that meet as one.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| span.start);
    let mut out: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match out.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => out.push(span),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_urls() {
        assert_eq!(
            starred("url: postgresql//u:secret@h/d"),
            "url: postgresql//u:******@h/d"
        );
        assert_eq!(starred("url: postgresql:u:secret@h/d"), "url: postgresql:u:******@h/d");
        assert_eq!(starred("url: \"u:se:cret@h:1/d\""), "url: \"u:*******@h:1/d\"");
        assert_eq!(starred("urls: [u:secret@h]\n- u:x@h"), "urls: [u:******@h]\n- u:*@h");
        assert_eq!(starred("p: p://u:${PW:-ab}@h"), "p: p://u:*********@h");
        assert_eq!(starred("p: \"h=h password=${A:-b}\""), "p: \"h=h password=*******\"");
        assert_eq!(starred("a_password: x # https://w"), "a_password: *************");
        assert_eq!(
            starred("{a: {url: \"s:a\", password: x}}"),
            "{a: {url: \"s:a\", password: ***"
        );
        assert_eq!(
            starred("{a: p://h:5/a?b=c, d: p://u:x@h/b"),
            "{a: p://h:5/a?b=c, d: p://u:*@h/b"
        );
        assert_eq!(
            starred("url: >-\n  p://u:x\n  y@h/d\na: b@c"),
            "url: >-\n  p://u:*\n***@h/d\na: b@c"
        );
        assert_eq!(starred("url: mysql:u:se:cret@h/d"), "url: mysql:u:*******@h/d");
        assert_eq!(
            starred("url: \"sqlite:a?pwd=secret\"\n"),
            "url: \"sqlite:a?pwd=******\"\n"
        );
        assert_eq!(
            starred("a: b\n  Password: secret \nc: d"),
            "a: b\n  Password: ****** \nc: d"
        );
    }

    #[test]
    fn words() {
        let check = |word: &str, expect: &str| assert_eq!(redacted_word(word), expect);
        check("postgresql:u:secret@h/x", "postgresql:u:***@h/x");
        check("postgresql:/u:secret@h/x", "postgresql:/u:***@h/x");
        check("u:secret@h/x", "u:***@h/x");
        check("host=h password=secret dbname=x", "host=h password=*** dbname=x");
        check(
            "host=h Password = 'se \\' cret' dbname=x",
            "host=h Password = *** dbname=x",
        );
        check("host=h password=se\\ cret dbname=x", "host=h password=*** dbname=x");
        check("passwords=x", "passwords=x");
        check("p://u@h/d?password=hun:ter2@x", "p://u@h/d?password=***");
        check("p://u:s@h/d?password=x@s", "p://u:***@h/d?password=***");
        check("p://u:s@h/d?x=x@s", "p://u:***@s");
        check("p://u:s@/d?host=h&a=x@s", "p://u:***@/d?host=h&a=x@s");
        check("p://u@h/d?pass%77ord=x&a=b", "p://u@h/d?pass%77ord=***&a=b");
        check("p://u@h/d?password='hun ter2'&a=b", "p://u@h/d?password=***&a=b");
        check("p://h:1/d?a=b@c", "p://h:1/d?a=b@c");
        check("p://u:12?x@h:1/d", "p://u:***@h:1/d");
        check("PGPASSWORD=x", "PGPASSWORD=***");
        check("aaaa:bbbb", "aaaa:bbbb");
        check("password=${PW}", "password=${PW}");
        assert_eq!(
            redacted("error: unexpected 'host=h password=x' found"),
            "error: unexpected 'host=h password=***' found"
        );
        assert_eq!(
            starred("url: \"host=h password=secret\" # https://x\n"),
            "url: \"host=h password=******\" # https://x\n"
        );
    }

    #[cfg(feature = "cli")]
    #[test]
    fn words_are_hidden_unless_they_are_ranges() {
        let hide = |word: &str, text: &str| Hiding::of(&[word.into()]).hide(text);
        assert_eq!(
            hide("--url=u:pw@h/x", "no `u:pw@h/x`, `pw`, pw@h"),
            "no `u:***@h/x`, `***`, ***@h"
        );
        assert_eq!(hide("ae10:pw@h", "no label `pw`"), "no label `***`");
        for range in ["ae10:pw@head", "ae10:pw@+1", "ae10:pw@base-12"] {
            assert_eq!(hide(range, "no `pw`, pw@h"), "no `pw`, pw@h");
        }
        assert_eq!(hide("x", "p://u:pw@h"), "p://u:***@h");
    }

    #[test]
    fn databases_are_told_from_targets() {
        for word in ["postgresql:u@h", "MySQL//h", "x://", "host=h password=x", "sqlite:a.db"] {
            assert!(names_database(word), "{word}");
        }
        for word in ["aaaa:bbbb", "mysql@head", "head", "a.sql", "postgresql"] {
            assert!(!names_database(word), "{word}");
        }
    }

    #[test]
    fn stars_keep_places() {
        let text =
            "# é\nurl: \"postgresql://u:sécret@h/db?password=x\" # y\nlocations: [a@b]\nurl: mysql://u:${PW}@h\n";
        let got = starred(text);
        assert_eq!(
            got,
            "# é\nurl: \"postgresql://u:*******@h/db?password=*\" # y\nlocations: [a@b]\nurl: mysql://u:${PW}@h\n"
        );
        assert_eq!(got.len(), text.len());
    }
}
