//! Where MySQL and MariaDB, and their versions, differ in what they say of a schema. MariaDB 10.11, MySQL 8.0 and
//! MySQL 9.7 were asked; what is said here of older ones is from their manuals.

use crate::dialect::mysql::inspect::defaults::text_of;
use crate::dialect::mysql::schema::literal;
use crate::sql::split::MYSQL;
use crate::sql::token::{self, Kind};

/// What a server has to say.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Server {
    mariadb: bool,
    version: (u32, u32, u32),
}

impl Server {
    /// The server of a `VERSION()`, such as `10.11.14-MariaDB-0+deb12u2`; older proxies say `5.5.5-` before it.
    pub(super) fn of(version: &str) -> Self {
        let own = version.strip_prefix("5.5.5-").unwrap_or(version);
        let mut numbers = own
            .split(|letter: char| !letter.is_ascii_digit())
            .map(|part| part.parse().unwrap_or_default());
        let mut next = || numbers.next().unwrap_or_default();
        Self {
            mariadb: version.contains("MariaDB"),
            version: (next(), next(), next()),
        }
    }

    pub(super) fn is_mariadb(self) -> bool {
        self.mariadb
    }

    /// The column of `statistics` that says whether an index is not used, and what it says then.
    pub(super) fn unused_index(self) -> &'static str {
        match self.mariadb {
            true if self.version >= (10, 6, 0) => "IF(s.ignored = 'YES', 'IGNORED', NULL)",
            false if self.version >= (8, 0, 0) => "IF(s.is_visible = 'NO', 'INVISIBLE', NULL)",
            _ => "NULL",
        }
    }

    /// The expression of a part of an index.
    pub(super) fn index_expression(self) -> &'static str {
        if !self.mariadb && self.version >= (8, 0, 13) {
            "s.expression"
        } else {
            "NULL"
        }
    }

    /// The query for CHECK constraints: table, name, expression, whether it stands in a column, whether it is enforced.
    pub(super) fn checks(self) -> Option<&'static str> {
        match self.mariadb {
            true if self.version >= (10, 5, 10) => Some(
                "SELECT table_name, constraint_name, check_clause, level = 'Column', 1 \
                 FROM information_schema.check_constraints WHERE constraint_schema = DATABASE() ORDER BY table_name, constraint_name",
            ),
            true => Some(
                "SELECT table_name, constraint_name, check_clause, 0, 1 FROM information_schema.check_constraints \
                 WHERE constraint_schema = DATABASE() ORDER BY table_name, constraint_name",
            ),
            false if self.version >= (8, 0, 16) => Some(
                // Made apart they are found by their names, which takes a tenth of the time with hundreds of them.
                "SELECT /*+ NO_MERGE(c) */ t.table_name, t.constraint_name, c.check_clause, 0, t.enforced = 'YES' \
                 FROM information_schema.table_constraints t JOIN \
                 (SELECT constraint_name, check_clause FROM information_schema.check_constraints \
                 WHERE constraint_schema = DATABASE()) c ON c.constraint_name = t.constraint_name \
                 WHERE t.table_schema = DATABASE() AND t.constraint_type = 'CHECK' ORDER BY t.table_name, t.constraint_name",
            ),
            false => None,
        }
    }

    /// The query for the expressions that an ALTER of their table writes anew: table, expression, and that it is one.
    pub(super) fn rewritten(self) -> Option<&'static str> {
        (!self.mariadb && self.version >= (8, 0, 16)).then_some(
            "SELECT table_name AS name, generation_expression AS words, 1 AS counts FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND generation_expression <> '' UNION ALL \
             SELECT table_name, column_default, 1 FROM information_schema.columns WHERE table_schema = DATABASE() \
             AND extra LIKE '%DEFAULT_GENERATED%' AND column_default NOT LIKE 'CURRENT_TIMESTAMP%' UNION ALL \
             SELECT table_name, expression, 1 FROM information_schema.statistics \
             WHERE table_schema = DATABASE() AND expression IS NOT NULL UNION ALL \
             SELECT /*+ NO_MERGE(c) */ t.table_name, c.check_clause, 1 \
             FROM information_schema.table_constraints t JOIN \
             (SELECT constraint_name, check_clause FROM information_schema.check_constraints \
             WHERE constraint_schema = DATABASE()) c ON c.constraint_name = t.constraint_name \
             WHERE t.table_schema = DATABASE() AND t.constraint_type = 'CHECK'",
        )
    }

    /// What the catalog says a foreign key does where nothing is said: the other word for the same means that it was said.
    pub(super) fn usual_rule(self) -> &'static str {
        if self.mariadb || self.version < (8, 0, 0) {
            "RESTRICT"
        } else {
            "NO ACTION"
        }
    }

    /// Whether the files of tables may be made to grow by steps, which SHOW CREATE TABLE alone says to everybody.
    pub(super) fn has_steps(self) -> bool {
        !self.mariadb && self.version >= (8, 0, 23)
    }

    /// Whether there are sequences.
    pub(super) fn has_sequences(self) -> bool {
        self.mariadb && self.version >= (10, 3, 0)
    }

    /// What is one more word on a column: where its points lie.
    pub(super) fn place_of_points(self) -> &'static str {
        if !self.mariadb && self.version >= (8, 0, 3) {
            "c.srs_id"
        } else {
            "NULL"
        }
    }

    /// An expression as it can be said again. MySQL shows it as it stands in a text of its own, with a backslash before
    /// quotes and backslashes, and its bytes as if they were of latin1.
    pub(super) fn expression(self, shown: &str) -> String {
        if self.mariadb {
            return shown.to_owned();
        }
        let mut out = String::with_capacity(shown.len());
        let mut letters = shown.chars();
        while let Some(letter) = letters.next() {
            out.push(match letter {
                '\\' => match letters.next() {
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('0') => '\0',
                    Some(other) => other,
                    None => '\\',
                },
                plain => plain,
            });
        }
        bytes_said(&out).unwrap_or(out)
    }

    /// The default of an ENUM or SET of bytes, whose digits MySQL shows.
    pub(super) fn shown_bytes(self, shown: Option<String>, data_type: &str, extra: &str) -> Option<String> {
        let digits = shown.as_deref().and_then(|shown| shown.strip_prefix("0x"));
        match digits.map(text_of) {
            Some(Some(text)) => Some(literal(&text)),
            Some(None) => shown,
            None => self.shown_default(shown, data_type, extra),
        }
    }

    /// A default as it stands behind DEFAULT. MariaDB shows it so; MySQL shows the value, or says that it is an
    /// expression.
    pub(super) fn shown_default(self, shown: Option<String>, data_type: &str, extra: &str) -> Option<String> {
        let shown = shown?;
        if self.mariadb {
            return (shown != "NULL").then_some(shown);
        }
        let base = data_type.split(['(', ' ']).next().unwrap_or_default();
        // Older ones do not say that it is none of the texts that columns of other types may have.
        let is_bare_moment = matches!(base, "datetime" | "timestamp") && shown.starts_with("CURRENT_TIMESTAMP");
        if extra.to_ascii_uppercase().contains("DEFAULT_GENERATED") || is_bare_moment {
            let is_moment = shown.to_ascii_uppercase().starts_with("CURRENT_TIMESTAMP");
            let expression = self.expression(&shown);
            return Some(if is_moment {
                expression
            } else {
                format!("({expression})")
            });
        }
        let plain = [
            "int",
            "decimal",
            "float",
            "double",
            "bit",
            "tinyint",
            "smallint",
            "mediumint",
            "bigint",
            "year",
        ];
        let is_binary = base.ends_with("binary") && shown.starts_with("0x");
        Some(if plain.contains(&base) || is_binary {
            shown
        } else {
            literal(&shown)
        })
    }
}

/// Words whose bytes were read as latin1; none where they were not. A text of another character set stands among them in
/// the bytes of that set, which no UTF-8 file can say but by their digits.
fn bytes_said(words: &str) -> Option<String> {
    if words.is_ascii() {
        return None;
    }
    let (mut out, mut set) = (Vec::with_capacity(words.len()), "");
    for token in token::tokens(words, &MYSQL) {
        let text = &words[token.span];
        let bytes: Option<Vec<u8>> = text.chars().map(|letter| u8::try_from(letter).ok()).collect();
        let bytes = bytes?;
        let is_other = match set {
            "_binary" => std::str::from_utf8(&bytes).is_err(),
            set => set.starts_with('_') && !set.starts_with("_utf8") && !text.is_ascii(),
        };
        if token.kind == Kind::Text && is_other {
            out.extend(format!(" x'{}'", digits(&bytes)?).into_bytes());
        } else {
            out.extend(bytes);
        }
        set = if token.kind == Kind::Word { text } else { "" };
    }
    String::from_utf8(out).ok()
}

/// The digits of the bytes that a literal stands for. The server writes its backslashes between single bytes, whatever
/// their set is.
fn digits(literal: &[u8]) -> Option<String> {
    let mut bytes = literal.strip_prefix(b"'")?.strip_suffix(b"'")?.iter();
    let mut out = String::new();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'\\' => match bytes.next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'b' => 8,
                b'Z' => 26,
                b'0' => 0,
                other => *other,
            },
            b'\'' => *bytes.next().filter(|next| **next == b'\'')?,
            plain => *plain,
        };
        out.push_str(&format!("{byte:02X}"));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_defaults() {
        let maria = Server::of("5.5.5-10.11.14-MariaDB-log");
        assert!(maria.is_mariadb() && maria.version == (10, 11, 14));
        let mysql = Server::of("8.0.36");
        assert!(!mysql.is_mariadb());
        let default = |server: Server, shown: &str, data_type, extra| {
            server.shown_default(Some(shown.to_owned()), data_type, extra)
        };
        assert_eq!(default(maria, "NULL", "int(11)", ""), None);
        assert_eq!(default(maria, "'NULL'", "text", "").as_deref(), Some("'NULL'"));
        assert_eq!(default(mysql, "it's", "varchar(9)", "").as_deref(), Some("'it''s'"));
        assert_eq!(default(mysql, "5", "int", "").as_deref(), Some("5"));
        assert_eq!(
            default(mysql, "CURRENT_TIMESTAMP", "varchar(30)", "").as_deref(),
            Some("'CURRENT_TIMESTAMP'")
        );
        assert_eq!(
            default(mysql, "CURRENT_TIMESTAMP", "timestamp", "").as_deref(),
            Some("CURRENT_TIMESTAMP")
        );
        assert_eq!(
            default(mysql, "concat(_utf8mb4\\'a\\')", "varchar(9)", "DEFAULT_GENERATED").as_deref(),
            Some("(concat(_utf8mb4'a'))")
        );
        for (shown, said) in [
            (r"_utf8mb4\'it\\\'s \\\\ \\n\'", r"_utf8mb4'it\'s \\ \n'"),
            ("`Ã©â\u{86}\u{92}` = _utf8mb4\\'â\u{82}¬\\'", "`é→` = _utf8mb4'€'"),
            ("`é`", "`é`"),
            (
                "`Ã©` <> _latin1\\'ö\\' or _utf8mb4\\'Ã¶\\'",
                "`é` <> _latin1 x'F6' or _utf8mb4'ö'",
            ),
            ("_latin1\\'Ã¶\\'", "_latin1 x'C3B6'"),
            ("_binary\\'Ã¶\\' = _binary\\'ö\\'", "_binary'ö' = _binary x'F6'"),
            (
                r"concat(_sjis\'\u{}\\\\\\\'\\n\\0\', _latin1\'a\')",
                r"concat(_sjis x'835C270A00', _latin1'a')",
            ),
        ] {
            let shown = &shown.replace(r"\u{}", "\u{83}");
            assert_eq!(mysql.expression(shown), said);
            assert_eq!(maria.expression(shown), *shown);
        }
        let moment = "CURRENT_TIMESTAMP(3)";
        assert_eq!(
            default(mysql, moment, "timestamp(3)", "DEFAULT_GENERATED").as_deref(),
            Some(moment)
        );
    }
}
