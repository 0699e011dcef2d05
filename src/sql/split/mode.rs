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
        let Some(value) = assigned(&text).filter(|_| !is_statement(&text)) else {
            return;
        };
        let has = |mode: &str| value.contains(mode);
        // What takes a mode out names it as well, and what adds to the others keeps them.
        let takes_out = has("REPLACE(");
        let keeps = takes_out || has("CONCAT") || has("@@");
        let after = |named: bool, was: bool| if named { !takes_out } else { was && keeps };
        self.no_escapes = after(has("NO_BACKSLASH_ESCAPES"), self.no_escapes);
        self.ansi = after(ANSI.iter().any(|mode| has(mode)), self.ansi);
    }
}

/// Whether it is `SET STATEMENT … FOR`, which puts everything back.
fn is_statement(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.find(|word| *word == "SET").is_some() && words.find(|word| !word.is_empty()) == Some("STATEMENT")
}

/// What follows `sql_mode =`, where it is the session's own.
fn assigned(text: &str) -> Option<&str> {
    text.match_indices("SQL_MODE").find_map(|(at, word)| {
        let rest = text[at + word.len()..].trim_start().trim_start_matches('`');
        let rest = rest.trim_start();
        let value = rest.strip_prefix(":=").or_else(|| rest.strip_prefix('='))?;
        (!is_global(&text[..at])).then_some(value)
    })
}

/// Whether what comes next is a variable of the server: GLOBAL holds until SESSION.
fn is_global(before: &str) -> bool {
    let global = ["@@GLOBAL.", "@@PERSIST.", "@@PERSIST_ONLY."];
    let before = before.trim_end_matches('`');
    if before.ends_with(['@', '.']) {
        return global.iter().any(|scope| before.ends_with(scope));
    }
    let mut words = before.split(|c: char| !c.is_alphanumeric() && !"_@".contains(c)).rev();
    let scope = words.find(|word| ["GLOBAL", "PERSIST", "PERSIST_ONLY", "SESSION", "LOCAL"].contains(word));
    scope.is_some_and(|scope| !["SESSION", "LOCAL"].contains(&scope))
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
    fn what_is_not_for_the_session() {
        check(
            &[
                "SET STATEMENT sql_mode = 'ANSI_QUOTES' FOR SELECT 1",
                "SET GLOBAL sql_mode = 'ANSI_QUOTES'",
                "SET @@GLOBAL.sql_mode = 'NO_BACKSLASH_ESCAPES'",
                "SET GLOBAL max_error_count = 1, sql_mode = 'ANSI_QUOTES'",
                "SET GLOBAL max_error_count = 1, SESSION sql_mode = 'ANSI_QUOTES'",
            ],
            "ee ee ee ee e-",
        );
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
