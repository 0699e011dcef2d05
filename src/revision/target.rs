//! The language of targets, `grammar/target.ebnf`: what is typed to name revisions.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::code::Code;
use crate::error::{Error, Result};
use crate::secret;
use crate::source::{SourceFile, Span};

/// The words that mean something of their own in a target, so that no id and no label can be one of them.
pub const RESERVED: [&str; 4] = ["head", "heads", "base", "current"];

/// What a target starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Symbol {
    /// `head`: the one revision that none comes after.
    Head,
    /// `heads`: all of them.
    Heads,
    /// `base`: before the first revision.
    Base,
    /// `current`: what is applied.
    Current,
    /// An id, the beginning of one, or a branch label.
    Name(Arc<str>),
}

/// How many steps to go from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offset {
    /// `+N`
    Up(u32),
    /// `-N`
    Down(u32),
}

/// A revision, or several, as typed: `[BRANCH@]SYMBOL[±N]` or `[BRANCH@]±N`.
///
/// ```
/// use sqlrev::revision::target::{Offset, Target};
/// let target: Target = "billing@head-2".parse()?;
/// assert_eq!(target.offset, Some(Offset::Down(2)));
/// assert_eq!(target.to_string(), "billing@head-2");
/// # Ok::<(), sqlrev::error::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The branch before `@`: a label, an id or the beginning of one.
    pub branch: Option<Arc<str>>,
    /// Where to start; without one, from what is applied.
    pub symbol: Option<Symbol>,
    /// The steps from there. There is always a symbol or an offset.
    pub offset: Option<Offset>,
}

/// `A:B`, each end of which may be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetRange {
    /// The older end.
    pub from: Option<Target>,
    /// The newer end.
    pub to: Option<Target>,
}

impl Target {
    /// A symbol alone.
    pub fn symbol(symbol: Symbol) -> Self {
        Self {
            branch: None,
            symbol: Some(symbol),
            offset: None,
        }
    }

    /// A revision by its id.
    pub fn id(id: &str) -> Self {
        Self::symbol(Symbol::Name(id.into()))
    }
}

impl FromStr for Target {
    type Err = Error;

    /// Reads a target; [`Code::InvalidTarget`] with a label under the wrong part.
    fn from_str(text: &str) -> Result<Self> {
        target(&source(text), 0..text.len())
    }
}

impl FromStr for TargetRange {
    type Err = Error;

    /// Reads `A:B`, `A:`, `:B` or `:`; [`Code::InvalidTarget`] where there is not exactly one `:`.
    fn from_str(text: &str) -> Result<Self> {
        let file = source(text);
        let Some(colon) = text.find(':') else {
            return Err(invalid(&file, 0..text.len(), "a range has a `:`: A:B, A: or :B"));
        };
        let end = |span: Span| {
            if span.is_empty() {
                Ok(None)
            } else {
                target(&file, span).map(Some)
            }
        };
        Ok(Self {
            from: end(0..colon)?,
            to: end(colon + 1..text.len())?,
        })
    }
}

fn source(text: &str) -> SourceFile {
    SourceFile::new("target", text)
}

fn target(file: &SourceFile, span: Span) -> Result<Target> {
    let text = &file.text[span.clone()];
    let (branch, start) = match text.find('@') {
        Some(at) => {
            let branch = name(file, span.start..span.start + at, "a branch label stands before `@`")?;
            if RESERVED.contains(&&*branch) {
                let label = "not a branch: a label or an id stands before `@`";
                return Err(invalid(file, span.start..span.start + at, label));
            }
            (Some(branch), span.start + at + 1)
        }
        None => (None, span.start),
    };
    let sign = file.text[start..span.end].find(['+', '-']).map(|at| start + at);
    let symbol_end = sign.unwrap_or(span.end);
    let symbol = if sign == Some(start) {
        None
    } else {
        let word = name(
            file,
            start..symbol_end,
            "a revision, head, heads, base or a number of steps belongs here",
        )?;
        Some(match &*word {
            "head" => Symbol::Head,
            "heads" => Symbol::Heads,
            "base" => Symbol::Base,
            "current" => Symbol::Current,
            _ => Symbol::Name(word),
        })
    };
    if symbol == Some(Symbol::Current) && (branch.is_some() || sign.is_some()) {
        return Err(invalid(
            file,
            start..symbol_end,
            "`current` stands alone; steps from it are +N and -N",
        ));
    }
    let offset = sign.map(|sign| offset(file, sign..span.end)).transpose()?;
    Ok(Target { branch, symbol, offset })
}

fn name(file: &SourceFile, span: Span, expected: &str) -> Result<Arc<str>> {
    let text = &file.text[span.clone()];
    if text.is_empty() {
        return Err(invalid(file, span, expected));
    }
    match illegal_character(text) {
        None => Ok(text.into()),
        Some((at, ':')) => {
            let colon = span.start + at;
            Err(invalid(
                file,
                colon..colon + 1,
                "a single target is taken here, and one `:` at most in a range",
            ))
        }
        Some((at, character)) => {
            let start = span.start + at;
            let label = format!("{character:?} cannot stand in an id or a label");
            Err(invalid(file, start..start + character.len_utf8(), label))
        }
    }
}

fn offset(file: &SourceFile, span: Span) -> Result<Offset> {
    let text = &file.text[span.clone()];
    let digits = &text[1..];
    if let Some((at, character)) = digits.char_indices().find(|(_, c)| !c.is_ascii_digit()) {
        let start = span.start + 1 + at;
        let label = if character == ':' {
            "a single target is taken here, and one `:` at most in a range"
        } else {
            "only digits follow the sign, and nothing follows them"
        };
        return Err(invalid(file, start..span.end, label));
    }
    let Ok(steps) = digits.parse() else {
        let label = if digits.is_empty() {
            "a number belongs after the sign"
        } else {
            "this number is too large"
        };
        return Err(invalid(file, span, label));
    };
    Ok(if text.starts_with('+') {
        Offset::Up(steps)
    } else {
        Offset::Down(steps)
    })
}

#[cold]
fn invalid(file: &SourceFile, span: Span, label: impl Into<String>) -> Error {
    // A URL whose `--url` was forgotten stands where a target should.
    let shown = source(&secret::starred(&file.text));
    let message = format!("`{}` is not a target", secret::redacted_word(&file.text));
    let error = Error::new(Code::InvalidTarget, message).at(&shown, span, label);
    let error = if secret::names_database(&file.text) {
        error.help("a database is named by --url URL")
    } else {
        error
    };
    error.help("all the forms of a target: sqlrev explain target::invalid")
}

/// The first character that no id and no label may hold, and where it stands. A comma stands between them where there
/// are several, in the version table too.
pub(crate) fn illegal_character(name: &str) -> Option<(usize, char)> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    if name.bytes().all(plain) {
        return None;
    }
    name.char_indices()
        .find(|(_, c)| matches!(c, '@' | '+' | '-' | ':' | ',') || c.is_whitespace() || c.is_control() || turns(*c))
}

/// Whether the character turns the direction of text, so that a name looks like another one.
fn turns(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Symbol::Head => "head",
            Symbol::Heads => "heads",
            Symbol::Base => "base",
            Symbol::Current => "current",
            Symbol::Name(name) => name,
        })
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Offset::Up(steps) => write!(f, "+{steps}"),
            Offset::Down(steps) => write!(f, "-{steps}"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(branch) = &self.branch {
            write!(f, "{branch}@")?;
        }
        if let Some(symbol) = &self.symbol {
            symbol.fmt(f)?;
        }
        self.offset.map_or(Ok(()), |offset| offset.fmt(f))
    }
}

impl fmt::Display for TargetRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(from) = &self.from {
            from.fmt(f)?;
        }
        f.write_str(":")?;
        self.to.as_ref().map_or(Ok(()), |to| to.fmt(f))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GRAMMAR: &str = include_str!("../../grammar/target.ebnf");

    fn examples(kind: &str) -> impl Iterator<Item = &'static str> {
        GRAMMAR
            .lines()
            .filter_map(move |line| line.trim().strip_prefix(kind))
            .flat_map(str::split_whitespace)
    }

    #[test]
    fn the_examples_of_the_grammar_hold() {
        for text in examples("ok:") {
            let shown = if text.contains(':') {
                text.parse::<TargetRange>().map(|range| range.to_string())
            } else {
                text.parse::<Target>().map(|target| target.to_string())
            };
            assert_eq!(shown.as_deref().ok(), Some(text), "{shown:?}");
        }
        for text in examples("no:") {
            assert!(text.parse::<Target>().is_err(), "{text} as a target");
            assert!(text.parse::<TargetRange>().is_err(), "{text} as a range");
        }
        assert!(examples("ok:").count() > 20 && examples("no:").count() > 10);
    }

    fn check_label(text: &str, words: &str) {
        let error = text.parse::<Target>().expect_err(text);
        let label = &error.labels()[0];
        assert_eq!(error.code(), Code::InvalidTarget);
        assert_eq!(
            (&*label.file.name, &text[label.span.clone()]),
            ("target", words),
            "{text}"
        );
    }

    #[test]
    fn the_label_stands_under_the_wrong_part() {
        check_label("abc-1garbage", "garbage");
        check_label("abc+1+2", "+2");
        check_label("a@b@c", "@");
        check_label("a:b", ":");
        check_label("heads@b", "heads");
        check_label("ab cd", " ");
        check_label("@head", "");
        check_label("+99999999999", "+99999999999");
    }

    fn word() -> impl Strategy<Value = Arc<str>> {
        "[a-zé0-9_.]{1,12}"
            .prop_filter("not reserved", |w| !RESERVED.contains(&w.as_str()))
            .prop_map(Into::into)
    }

    prop_compose! {
        fn any_target()(
            branch in proptest::option::of(word()),
            symbol in prop_oneof![
                Just(Symbol::Head), Just(Symbol::Heads), Just(Symbol::Base), word().prop_map(Symbol::Name)
            ],
            with_symbol in any::<bool>(),
            steps in any::<u32>(),
            up in any::<bool>(),
            with_offset in any::<bool>(),
        ) -> Target {
            let offset = if up { Offset::Up(steps) } else { Offset::Down(steps) };
            Target {
                branch,
                symbol: with_symbol.then_some(symbol),
                offset: (with_offset || !with_symbol).then_some(offset),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(target in any_target(), from in proptest::option::of(any_target())) {
            prop_assert_eq!(target.to_string().parse::<Target>().ok(), Some(target.clone()));
            let range = TargetRange { from, to: Some(target) };
            prop_assert_eq!(range.to_string().parse::<TargetRange>().ok(), Some(range));
        }

        #[test]
        fn no_text_panics(text in "[-+@:a-z0-9é ]{0,12}|\\PC*") {
            if let Ok(target) = text.parse::<Target>() {
                prop_assert_eq!(target.to_string().parse::<Target>().ok(), Some(target));
            }
            if let Err(error) = text.parse::<TargetRange>() {
                prop_assert!(text.get(error.labels()[0].span.clone()).is_some());
            }
        }
    }
}
