//! `SET sql_mode` in scripts for MySQL and MariaDB: whether a backslash escapes what comes after it.

/// How texts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mode {
    /// `NO_BACKSLASH_ESCAPES`
    no_escapes: bool,
    /// `ANSI_QUOTES`: names stand between double quotes.
    ansi: bool,
}

/// Modes that stand for others, `ANSI_QUOTES` among them.
const ANSI: [&str; 6] = ["ANSI", "ORACLE", "MSSQL", "DB2", "MAXDB", "POSTGRESQL"];

impl Mode {
    /// Whether a backslash between such quotes is an escape.
    pub(super) fn escapes(self, quote: u8) -> bool {
        let name = self.ansi && quote == b'"';
        !(self.no_escapes || name)
    }

    /// Follows a statement.
    pub(super) fn follow(&mut self, statement: &str) {
        let bytes = statement.as_bytes();
        let sets = bytes.get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"SET")) || bytes.starts_with(b"/*");
        if !sets {
            return;
        }
        let text = statement.to_ascii_uppercase();
        let Some(value) = assigned(&text) else { return };
        let has = |mode: &str| value.contains(mode);
        // What takes a mode out names it as well, and what adds to the others keeps them.
        let takes_out = has("REPLACE(");
        let keeps = takes_out || has("CONCAT") || has("@@");
        let after = |named: bool, was: bool| if named { !takes_out } else { was && keeps };
        self.no_escapes = after(has("NO_BACKSLASH_ESCAPES"), self.no_escapes);
        self.ansi = after(ANSI.iter().any(|mode| has(mode)), self.ansi);
    }
}

/// What follows `sql_mode =`.
fn assigned(text: &str) -> Option<&str> {
    text.match_indices("SQL_MODE").find_map(|(at, word)| {
        let rest = text[at + word.len()..].trim_start().trim_start_matches('`');
        let rest = rest.trim_start();
        rest.strip_prefix(":=").or_else(|| rest.strip_prefix('='))
    })
}

#[cfg(test)]
mod tests {
    use super::Mode;

    /// Whether a backslash escapes in single and in double quotes after each statement.
    fn check(statements: &[&str], expect: &str) {
        let mut mode = Mode::default();
        let letter = |escapes: bool| if escapes { 'e' } else { '-' };
        let seen: Vec<String> = statements
            .iter()
            .map(|statement| {
                mode.follow(statement);
                [letter(mode.escapes(b'\'')), letter(mode.escapes(b'"'))]
                    .iter()
                    .collect()
            })
            .collect();
        assert_eq!(seen.join(" "), expect, "{statements:?}");
    }

    #[test]
    fn modes() {
        check(
            &["SELECT 'NO_BACKSLASH_ESCAPES'", "SET @a = 'NO_BACKSLASH_ESCAPES'"],
            "ee ee",
        );
        check(
            &["set session sql_mode='no_backslash_escapes'", "SET sql_mode = ''"],
            "-- ee",
        );
        check(&["SET @@SESSION.sql_mode := 'ANSI'", "SET sql_mode = @old"], "e- ee");
        check(
            &[
                "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_BACKSLASH_ESCAPES,ANSI_QUOTES' */",
                "/*!40101 SET SQL_MODE=@OLD_SQL_MODE */",
            ],
            "-- ee",
        );
        check(
            &[
                "SET sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')",
                "SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')",
                "SET sql_mode = REPLACE(@@sql_mode, 'NO_BACKSLASH_ESCAPES', '')",
            ],
            "-- -- e-",
        );
    }
}
