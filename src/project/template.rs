//! `file_template`: the name of a new revision's files.

use crate::error::nearest;
use crate::moment;
use crate::source::Span;

/// The placeholders.
pub(super) const PLACEHOLDERS: [&str; 11] = [
    "date", "time", "revision", "slug", "year", "month", "day", "hour", "minute", "second", "epoch",
];

/// How long a slug may be, in characters.
const SLUG_LENGTH: usize = 40;

/// A checked template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
    layout: Layout,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Placeholder(&'static str),
}

/// What the name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// `NAME/upgrade.sql`
    Folder,
    /// `NAME.upgrade.sql`
    Flat,
    /// `NAME.up.sql`
    FlatShort,
}

/// What a new revision's name is made of.
#[derive(Debug, Clone, Copy)]
pub struct Naming<'a> {
    /// Its id.
    pub revision: &'a str,
    /// Its message.
    pub message: &'a str,
    /// When it was made, in seconds since 1970 (UTC).
    pub epoch: u64,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Where in the template.
    pub(super) span: Span,
    /// What this place is.
    pub(super) label: String,
    /// What to do.
    pub(super) help: String,
}

impl Template {
    /// Reads a template.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let wrong = |span: Span, label: String, help: String| Err(Wrong { span, label, help });
        let (name, layout) = [(".upgrade.sql", Layout::Flat), (".up.sql", Layout::FlatShort)]
            .iter()
            .find_map(|(end, layout)| Some((text.strip_suffix(end)?, *layout)))
            .unwrap_or((text, Layout::Folder));
        if let Some(at) = name.find(['/', '\\']) {
            return wrong(
                at..at + 1,
                "a folder in between".into(),
                "a revision stands directly in its location".into(),
            );
        }
        if name.starts_with('.') || name.is_empty() {
            let help = "begin with {date}, {revision} or a letter: hidden files are not revisions".into();
            return wrong(0..text.len(), "not the name of a revision".into(), help);
        }
        let mut pieces = Vec::new();
        let mut at = 0;
        while let Some(brace) = name[at..].find(['{', '}']).map(|length| at + length) {
            if brace > at {
                pieces.push(Piece::Text(name[at..brace].to_owned()));
            }
            let end = name[brace..].find('}').map(|length| brace + length + 1);
            let Some(end) = end.filter(|&end| end > brace + 1) else {
                let help = "a placeholder is written {date}".into();
                return wrong(brace..name.len(), "a brace without its other half".into(), help);
            };
            let word = &name[brace + 1..end - 1];
            let Some(placeholder) = PLACEHOLDERS.iter().find(|&&known| known == word) else {
                let near =
                    nearest(word, PLACEHOLDERS).map_or(String::new(), |near| format!("did you mean {{{near}}}? "));
                let help = format!("{near}the placeholders are {{{}}}", PLACEHOLDERS.join("}, {"));
                return wrong(brace..end, "not a placeholder".into(), help);
            };
            pieces.push(Piece::Placeholder(placeholder));
            at = end;
        }
        if at < name.len() {
            pieces.push(Piece::Text(name[at..].to_owned()));
        }
        Ok(Self { pieces, layout })
    }

    /// The names of a new revision's upgrade and downgrade file, from its location on.
    ///
    /// None when nothing is left of the name, or what is left is no name: of a template `{slug}` and a message without
    /// letters, or an id with a `/` in it.
    pub fn render(&self, naming: &Naming<'_>) -> Option<[String; 2]> {
        let mut name = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => name.push_str(text),
                Piece::Placeholder(placeholder) => fill(&mut name, placeholder, naming),
            }
        }
        // An empty slug at the end leaves no separator behind.
        let name = name.trim_end_matches(['_', '-', '.', ' ']);
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return None;
        }
        Some(match self.layout {
            Layout::Folder => [format!("{name}/upgrade.sql"), format!("{name}/downgrade.sql")],
            Layout::Flat => [format!("{name}.upgrade.sql"), format!("{name}.downgrade.sql")],
            Layout::FlatShort => [format!("{name}.up.sql"), format!("{name}.down.sql")],
        })
    }
}

fn fill(out: &mut String, placeholder: &str, naming: &Naming<'_>) {
    let time = moment::written(naming.epoch);
    let numbers: Vec<&str> = time.split(|c: char| !c.is_ascii_digit()).collect();
    let [year, month, day, hour, minute, second] =
        std::array::from_fn(|at| numbers.get(at).copied().unwrap_or_default());
    match placeholder {
        "date" => out.extend([year, month, day]),
        "time" => out.extend([hour, minute, second]),
        "year" => out.push_str(year),
        "month" => out.push_str(month),
        "day" => out.push_str(day),
        "hour" => out.push_str(hour),
        "minute" => out.push_str(minute),
        "second" => out.push_str(second),
        "epoch" => out.push_str(&naming.epoch.to_string()),
        "slug" => out.push_str(&slug(naming.message)),
        _ => out.push_str(naming.revision),
    }
}

/// The words of a message in lower case, joined by `_`, without anything that is no letter or digit, cut at a word's end.
pub fn slug(message: &str) -> String {
    let lower = message.to_lowercase();
    let mut slug = String::new();
    let mut length = 0;
    for word in lower.split(|c: char| c.is_whitespace() || matches!(c, '_' | '-' | '/' | '.' | ',' | ':')) {
        let word: String = word.chars().filter(|c| c.is_alphanumeric()).collect();
        let room = SLUG_LENGTH.saturating_sub(length + usize::from(length > 0));
        let characters = word.chars().count();
        if characters == 0 {
            continue;
        }
        if length == 0 {
            slug.extend(word.chars().take(room));
            length = characters.min(room);
        } else if characters <= room {
            slug.push('_');
            slug.push_str(&word);
            length += 1 + characters;
        } else {
            break;
        }
    }
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMING: Naming<'_> = Naming {
        revision: "ae1027a6acf0",
        message: "Add user table",
        epoch: 1_795_382_044,
    };

    fn check(template: &str, expect: &str) {
        let got = match Template::parse(template) {
            Ok(template) => template
                .render(&NAMING)
                .map_or("nothing".to_owned(), |names| names.join(" ")),
            Err(wrong) => format!("{} <{}>", wrong.label, &template[wrong.span]),
        };
        assert_eq!(got, expect, "{template}");
    }

    #[test]
    fn names() {
        check(
            "{date}_{revision}_{slug}",
            "20261122_ae1027a6acf0_add_user_table/upgrade.sql 20261122_ae1027a6acf0_add_user_table/downgrade.sql",
        );
        check(
            "{year}-{month}-{day}T{hour}{minute}{second}.up.sql",
            "2026-11-22T211404.up.sql 2026-11-22T211404.down.sql",
        );
        check(
            "{epoch}.{time}.upgrade.sql",
            "1795382044.211404.upgrade.sql 1795382044.211404.downgrade.sql",
        );
        check("é", "é/upgrade.sql é/downgrade.sql");
        check("{slug}_{slugs}", "not a placeholder <{slugs}>");
        check("a{date", "a brace without its other half <{date>");
        check("a}", "a brace without its other half <}>");
        check("{year}/{slug}", "a folder in between </>");
        check("", "not the name of a revision <>");
        check(".up.sql", "not the name of a revision <.up.sql>");
        check(".{slug}", "not the name of a revision <.{slug}>");
    }

    #[test]
    fn a_name_is_never_empty_nor_a_path() {
        let template = Template::parse("{slug}").expect("a template");
        assert_eq!(
            template.render(&Naming {
                message: "?!",
                ..NAMING
            }),
            None
        );
        let template = Template::parse("{revision}_{slug}").expect("a template");
        assert_eq!(
            template.render(&Naming {
                revision: "../x",
                ..NAMING
            }),
            None
        );
        let names = template.render(&Naming { message: "", ..NAMING }).expect("a name");
        assert_eq!(names[0], "ae1027a6acf0/upgrade.sql");
    }

    #[test]
    fn slugs() {
        assert_eq!(slug("Add user's e-mail: NOT NULL!"), "add_users_e_mail_not_null");
        assert_eq!(slug("Größe Ändern, 二"), "größe_ändern_二");
        assert_eq!(
            slug("one two three four five six seven eight nine ten"),
            "one_two_three_four_five_six_seven_eight"
        );
        assert_eq!(slug(&"é".repeat(50)), "é".repeat(40));
        assert_eq!(slug("-- ' --"), "");
    }
}
