//! Passwords in texts that people see: in URLs, and in what was meant to be one.

use crate::source::Span;

/// Parameters whose values are never shown.
const SECRET: [&str; 4] = ["password", "sslpassword", "passwd", "pwd"];

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
    replaced(text, &secrets(text, false), |_| 3)
}

/// Likewise of one word that somebody typed, which may be a URL as a whole, and a mistyped one.
pub(crate) fn redacted_word(word: &str) -> String {
    replaced(word, &secrets(word, true), |_| 3)
}

/// A text of the configuration, or a word that somebody typed, with a `*` for each byte of a password of a URL in it, so
/// that places in the text stay what they are.
pub(crate) fn starred(text: &str) -> String {
    replaced(text, &secrets(text, true), Span::len)
}

/// Whether somebody who typed this word meant a database: a URL, one with a mistake in it, or libpq's `host=… password=…`.
pub(crate) fn names_database(word: &str) -> bool {
    let begins = SCHEMES.iter().any(|scheme| {
        word.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            && (word[scheme.len()..].starts_with(':') || word[scheme.len()..].starts_with("//"))
    });
    begins || word.contains("://") || pairs(word, 0).next().is_some()
}

fn replaced(text: &str, secrets: &[Span], stars: impl Fn(&Span) -> usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for secret in secrets {
        out.push_str(&text[at..secret.start]);
        out.extend(std::iter::repeat_n('*', stars(secret)));
        at = secret.end;
    }
    out.push_str(&text[at..]);
    out
}

/// What hides these words of a command line in a text, where they are URLs with passwords.
#[cfg(feature = "cli")]
pub(crate) fn hiding<'w>(words: impl Iterator<Item = std::borrow::Cow<'w, str>>) -> impl Fn(&str) -> String {
    let hidden = words.filter_map(|word| {
        let value = word
            .split_once('=')
            .map(|(_, value)| value)
            .filter(|_| word.starts_with("--"));
        let value = value.unwrap_or(&word);
        let shown = redacted_word(value);
        (names_database(value) && shown != value).then(|| (value.to_owned(), shown))
    });
    let hidden: Vec<(String, String)> = hidden.collect();
    move |text| {
        hidden.iter().fold(text.to_owned(), |text, (word, shown)| {
            text.replace(word.as_str(), shown)
        })
    }
}

/// Where passwords stand, in order. Rather too much than too little: a URL goes on to the end of its line, and a value of
/// the configuration or a word (`whole`) may be one without its beginning.
fn secrets(text: &str, whole: bool) -> Vec<Span> {
    let mut secrets = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        // Without its slashes, as somebody may have mistyped it, a password stands before the last `@` nevertheless.
        let slashes = line.find("://").map(|at| at + 3).or_else(|| Some(line.find("//")? + 2));
        let bare = || {
            let before = &line[..line.rfind('@')?];
            let colon = before.rfind(':').filter(|_| before.matches(':').count() > 2)?;
            before[..colon].rfind(':').map(|at| at + 1)
        };
        let value = || whole.then(|| without_scheme(line)).flatten();
        if let Some(start) = slashes.or_else(value).or_else(bare) {
            let user = user_password(&line[start..]).map(|span| start + span.start..start + span.end);
            let after = user.as_ref().map_or(start, |span| span.end);
            secrets.extend(user.map(|span| at + span.start..at + span.end));
            parameters(&line[after..], at + after, &mut secrets);
        } else if let Some(span) = keyed(line) {
            secrets.push(at + span.start..at + span.end);
        } else {
            parameters(line, at, &mut secrets);
        }
        secrets.extend(pairs(line, at));
        at += line.len();
    }
    let mut secrets = merged(secrets);
    secrets.retain(|span: &Span| {
        let secret = &text[span.clone()];
        let is_variable = secret.starts_with("${") && secret.ends_with('}') && secret.matches('$').count() == 1;
        !secret.is_empty() && !is_variable
    });
    secrets
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
    let before = if is_port {
        rest.find('?').unwrap_or(rest.len())
    } else {
        rest.len()
    };
    let end = rest[..before].rfind('@')?;
    (colon < end).then_some(colon + 1..end)
}

/// The value of a line such as `password: x`, which somebody may have written though there is no such key.
fn keyed(line: &str) -> Option<Span> {
    let (key, value) = line.split_once([':', '='])?;
    let key = key.trim().trim_matches(['"', '\'']);
    SECRET.iter().find(|secret| secret.eq_ignore_ascii_case(key))?;
    let start = line.len() - value.trim_start().len();
    Some(start..start + value.trim().len())
}

/// The values of secret parameters.
fn parameters(text: &str, offset: usize, secrets: &mut Vec<Span>) {
    let Some(query) = text.find('?') else { return };
    let mut at = query + 1;
    for parameter in text[at..].split('&') {
        if let Some((name, value)) = parameter.split_once('=')
            && SECRET
                .iter()
                .chain(&["key"])
                .any(|secret| secret.eq_ignore_ascii_case(name))
        {
            let start = offset + at + name.len() + 1;
            let end = value.find(['\n', '"', '\'', ' ']).unwrap_or(value.len());
            secrets.push(start..start + end);
        }
        at += parameter.len() + 1;
    }
}

/// The values of libpq's `host=… password=…`: they end at a space, or at the quote that they begin with. Parameters of a
/// URL are not among them.
fn pairs(line: &str, offset: usize) -> impl Iterator<Item = Span> {
    let keys = line.match_indices('=').filter_map(move |(sign, _)| {
        let before = line[..sign].trim_end();
        let key = SECRET.iter().find(|key| {
            let start = before.len().checked_sub(key.len());
            start
                .and_then(|start| before.get(start..))
                .is_some_and(|word| word.eq_ignore_ascii_case(key))
        })?;
        let first = before[..before.len() - key.len()].chars().next_back();
        first
            .is_none_or(|sign| !sign.is_alphanumeric() && !['_', '?', '&'].contains(&sign))
            .then_some(sign + 1)
    });
    keys.map(move |start| {
        let start = line.len() - line[start..].trim_start().len();
        let value = line[start..].trim_end();
        let quote = value.chars().next().filter(|sign| ['"', '\''].contains(sign));
        let mut escaped = false;
        let ends = |(at, sign): (usize, char)| {
            let plain = !escaped;
            escaped = plain && sign == '\\';
            if !plain {
                return None;
            }
            match quote {
                Some(quote) => (at > 0 && sign == quote).then_some(at + 1),
                None => sign.is_whitespace().then_some(at),
            }
        };
        let end = value.char_indices().find_map(ends).unwrap_or(value.len());
        // The quote that closes what all of it stands in.
        let inner = value[..end].trim_end_matches([',', ']', '}', '`']);
        let inner = inner.strip_suffix(['"', '\'']).filter(|_| quote.is_none());
        offset + start..offset + start + inner.map_or(end, str::len)
    })
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
