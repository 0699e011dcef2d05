//! The environment as an input: the working directory, variables, `.env` files, and `${…}` in values.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::code::Code;
use crate::error::{Error, Result};
use crate::secret;
use crate::sorted::Gather as _;
use crate::source::{SourceFile, Span};

/// What the process knows from outside, handed in by the caller.
#[derive(Clone, Default)]
pub struct Environment {
    /// The working directory, absolute.
    pub directory: PathBuf,
    /// The environment variables.
    pub variables: BTreeMap<String, String>,
}

impl fmt::Debug for Environment {
    /// Names without values: some of them are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("directory", &self.directory)
            .field("variables", &self.variables.keys())
            .finish()
    }
}

impl Environment {
    /// The value of a variable, or none when it is not set or empty.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Adds the variables of a `.env` file; those that are set stay as they are.
    ///
    /// # Errors
    /// `config::env_syntax`, labelled in a copy of the file that shows no values.
    pub(super) fn add(&mut self, name: &str, text: &str) -> Result<()> {
        // As in a shell, the last of several lines for one variable holds.
        let last: BTreeMap<String, String> = parse(name, text)?.into_iter().into_map();
        for (key, value) in last {
            self.variables.entry(key).or_insert(value);
        }
        Ok(())
    }
}

/// Reads a `.env` file: `KEY=VALUE` lines, `export` before them, values in single quotes (as they are) or double quotes
/// (with `\n`, `\t`, `\"`, `\\`, `\$`; both may go over several lines), `#` comments. Nothing is expanded in values,
/// so that a `$` in a password stays one.
fn parse(name: &str, text: &str) -> Result<Vec<(String, String)>> {
    let wrong = |hidden: &[Span], span: Span, label: &str| {
        let file = SourceFile::new(name, secret::stars(text, hidden));
        let span = span.start..span.end.max(span.start);
        Err(Error::new(Code::EnvSyntax, format!("cannot read `{name}`"))
            .at(&file, span, label)
            .help("a line is KEY=VALUE, or begins with #; a value with spaces or # stands in quotes: KEY='a #b'"))
    };
    let mut variables = Vec::new();
    let mut at = if text.starts_with('\u{feff}') { 3 } else { 0 };
    // Only the names that were read are shown: a line that is wrong may be a value.
    let mut hidden = vec![Span {
        start: at,
        end: text.len(),
    }];
    while at < text.len() {
        let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
        let line = text[at..end].trim();
        let start = end - text[at..end].trim_start().len();
        at = end + 1;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let after_export = line
            .strip_prefix("export")
            .filter(|rest| rest.starts_with([' ', '\t']))
            .map_or(line, str::trim_start);
        let Some((key, value)) = after_export.split_once('=') else {
            return wrong(&hidden, start..start + line.len(), "takes KEY=VALUE");
        };
        let key = key.trim_end();
        let key_start = start + line.len() - after_export.len();
        if !is_name(key) {
            return wrong(
                &hidden,
                key_start..key_start + key.len(),
                "not a name of letters, digits and `_`",
            );
        }
        hidden.last_mut().expect("there is one").end = key_start;
        hidden.push(start + line.len() - value.len()..text.len());
        let value = value.trim_start();
        let value_start = start + line.len() - value.len();
        let value = match value.as_bytes().first() {
            Some(&quote @ (b'"' | b'\'')) => {
                let Some((value, close)) = quoted(text, value_start + 1, quote) else {
                    return wrong(&hidden, value_start..value_start + 1, "this quote is not closed");
                };
                let end = text[close..].find('\n').map_or(text.len(), |length| close + length);
                let rest = text[close..end].trim();
                if !rest.is_empty() && !rest.starts_with('#') {
                    return wrong(
                        &hidden,
                        close..close + text[close..end].trim_end().len(),
                        "follows the closing quote",
                    );
                }
                at = end + 1;
                value
            }
            _ => uncommented(value).to_owned(),
        };
        variables.push((key.to_owned(), value));
    }
    Ok(variables)
}

/// The value in quotes that begins at `start`, and the offset after the closing one.
fn quoted(text: &str, start: usize, quote: u8) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text[start..].char_indices();
    while let Some((index, c)) = chars.next() {
        if c == char::from(quote) {
            return Some((value, start + index + 1));
        }
        if c != '\\' || quote == b'\'' {
            value.push(c);
            continue;
        }
        match chars.next()?.1 {
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            c @ ('"' | '\\' | '$' | '\'') => value.push(c),
            c => value.extend(['\\', c]),
        }
    }
    None
}

/// A value without quotes up to a ` #`.
fn uncommented(value: &str) -> &str {
    let comment = value
        .match_indices('#')
        .find(|&(at, _)| at == 0 || value[..at].ends_with([' ', '\t']));
    value[..comment.map_or(value.len(), |(at, _)| at)].trim_end()
}

pub(super) fn is_name(name: &str) -> bool {
    name.bytes()
        .enumerate()
        .all(|(at, byte)| byte == b'_' || byte.is_ascii_alphabetic() || (at > 0 && byte.is_ascii_digit()))
        && !name.is_empty()
}

/// What is wrong with a `${…}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unexpanded {
    /// Where it stands in the value.
    pub(super) span: Span,
    /// The message.
    pub(super) message: String,
    /// What this place is.
    pub(super) label: String,
}

/// The value with each `${NAME}` and `${NAME:-default}` replaced and each `$$` as `$`. As in a shell, the default stands
/// for a variable that is not set or empty, and may hold `${…}` itself.
pub(super) fn expand(value: &str, variables: &BTreeMap<String, String>) -> Result<String, Unexpanded> {
    let mut out = String::new();
    expand_into(value, 0, variables, 0, &mut out)?;
    Ok(out)
}

/// How deep defaults may hold `${…}`.
const MAX_DEPTH: usize = 16;

fn expand_into(
    value: &str,
    offset: usize,
    variables: &BTreeMap<String, String>,
    depth: usize,
    out: &mut String,
) -> Result<(), Unexpanded> {
    let mut at = 0;
    while let Some(dollar) = value[at..].find('$').map(|length| at + length) {
        out.push_str(&value[at..dollar]);
        let after = &value[dollar + 1..];
        if after.starts_with('$') {
            out.push('$');
            at = dollar + 2;
            continue;
        }
        if !after.starts_with('{') {
            out.push('$');
            at = dollar + 1;
            continue;
        }
        let wrong = |end: usize, message: String, label: &str| Unexpanded {
            span: offset + dollar..offset + end,
            message,
            label: label.to_owned(),
        };
        let Some(length) = closing(&after[1..]).filter(|_| depth < MAX_DEPTH) else {
            return Err(wrong(value.len(), "a `${` is not closed".to_owned(), "no `}` follows"));
        };
        let inner = &after[1..=length];
        let end = dollar + 1 + length + 2;
        let (name, default) = inner
            .split_once(":-")
            .map_or((inner, None), |(name, default)| (name, Some(default)));
        if !is_name(name) {
            return Err(wrong(
                end,
                "a `${…}` does not hold the name of a variable".to_owned(),
                "takes ${NAME} or ${NAME:-default}",
            ));
        }
        let set = variables.get(name).filter(|set| default.is_none() || !set.is_empty());
        match (set, default) {
            (Some(set), _) if set.contains(char::REPLACEMENT_CHARACTER) => {
                return Err(wrong(
                    end,
                    format!("the variable `{name}` is not UTF-8"),
                    "has a value that is not text",
                ));
            }
            (Some(set), _) => out.push_str(set),
            (None, Some(default)) => {
                expand_into(default, offset + dollar + 2 + name.len() + 2, variables, depth + 1, out)?;
            }
            (None, None) => return Err(wrong(end, format!("the variable `{name}` is not set"), "has no value")),
        }
        at = end;
    }
    out.push_str(&value[at..]);
    Ok(())
}

/// The offset of the `}` that closes the `${` before the text.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if text[..at].ends_with('$') => open += 1,
            b'}' if open == 0 => return Some(at),
            b'}' => open -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[(&str, &str)]) {
        let got = parse(".env", text).expect(text);
        let expect: Vec<(String, String)> = expect
            .iter()
            .map(|&(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(got, expect, "{text}");
    }

    fn fails(text: &str, words: &str, line: usize) {
        let error = parse(".env", text).expect_err(text);
        let label = &error.labels()[0];
        assert_eq!(
            (error.code(), &text[label.span.clone()]),
            (Code::EnvSyntax, words),
            "{text}"
        );
        assert_eq!(label.file.line_column(label.span.start).0, line);
        assert!(!format!("{error:?}{}", label.file.text).contains("secret"), "{text}");
    }

    #[test]
    fn env_files() {
        check(
            "\u{feff}A=1\r\n\n# words\nexport B = two words # why\nC=",
            &[("A", "1"), ("B", "two words"), ("C", "")],
        );
        check("A=postgres://u:p@ss$word#x@h", &[("A", "postgres://u:p@ss$word#x@h")]);
        check(
            "A='a # $b\\n'  # c\nB=\"a\\n\\\"b\\\" \\x $é\"",
            &[("A", "a # $b\\n"), ("B", "a\n\"b\" \\x $é")],
        );
        check(
            "A=\"one\ntwo\"\nB='x\ny'\nC=3",
            &[("A", "one\ntwo"), ("B", "x\ny"), ("C", "3")],
        );
        check("exported=1\nA=#b", &[("exported", "1"), ("A", "")]);
    }

    #[test]
    fn wrong_lines_are_labelled_and_no_value_is_shown() {
        fails("A=secret\nsecret\n", "secret", 2);
        fails("A=1\n  export é=secret", "é", 2);
        fails("1A=secret", "1A", 1);
        fails("=secret", "", 1);
        fails("A=\"secret", "\"", 1);
        fails("A='x' secret", " secret", 1);
        fails("A: p://u:secret@h?a=b", "A: p://u:secret@h?a", 1);
        fails("A=\"x\nsecret=y\"\nexport 1A=3", "1A", 3);
        fails("A=\"x\nsecret=y", "\"", 1);
        fails("\u{feff}A=1\nB=2\r\nsecret", "secret", 3);
    }

    #[test]
    fn variables() {
        let variables = [("A", "1"), ("E", ""), ("BAD", "\u{fffd}")];
        let variables = BTreeMap::from(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let check = |value: &str, expect: &str| {
            let got = match expand(value, &variables) {
                Ok(text) => text,
                Err(error) => format!("{} <{}>", error.message, &value[error.span]),
            };
            assert_eq!(got, expect, "{value}");
        };
        check("a${A}é${A}", "a1é1");
        check("$$ $A $${A} $", "$ $A ${A} $");
        check("${B:-x}${A:-x}${E:-x}${E}", "x1x");
        check("${B:-${C:-é}}!${B:-}", "é!");
        check("a ${B} c", "the variable `B` is not set <${B}>");
        check("a ${BAD:-b} c", "the variable `BAD` is not UTF-8 <${BAD:-b}>");
        check("é ${B:-a${C}}", "the variable `C` is not set <${C}>");
        check("a ${B", "a `${` is not closed <${B>");
        check("${a b}", "a `${…}` does not hold the name of a variable <${a b}>");
        check("${}", "a `${…}` does not hold the name of a variable <${}>");
        assert!(expand(&"${B:-".repeat(100_000), &variables).is_err());
    }
}
