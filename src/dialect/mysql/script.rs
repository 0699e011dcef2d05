//! Offline scripts for the clients `mysql` and `mariadb`.
//!
//! A guard is a statement that is put together when it runs: nothing where all is well, else words that the server cannot
//! read. The error shows them, and a client that reads a script stops at it.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::dialect::mysql::{MYSQL, session};
use crate::dialect::{Dialect, ScriptHead, ScriptSql};
use crate::sql::split;
use crate::sql::token::{self, Kind};

/// The frame of a script for MySQL or MariaDB.
#[derive(Debug)]
pub(in crate::dialect) struct MysqlScript;

impl MysqlScript {
    /// Stops unless the condition holds.
    fn unless(condition: &str, message: &str) -> String {
        let message = MYSQL.literal(message);
        format!(
            "SET @sqlrev_guard = IF({condition}, 'DO 0', {message});\nPREPARE sqlrev_guard FROM @sqlrev_guard;\n\
             DEALLOCATE PREPARE sqlrev_guard;\n"
        )
    }

    fn guard(query: &str, message: &str) -> String {
        // Older servers want a table before WHERE.
        let query = match query.strip_prefix("SELECT 1 WHERE ") {
            Some(condition) => format!("SELECT 1 FROM DUAL WHERE {condition}"),
            None => query.to_owned(),
        };
        Self::unless(&format!("NOT EXISTS ({query})"), message)
    }
}

impl ScriptSql for MysqlScript {
    fn head(&self, head: &ScriptHead<'_>) -> String {
        let mut out = format!("-- {}\n--\n", head.title);
        out.push_str("-- Run it with:  mariadb --comments DATABASE < SCRIPT   (or mysql; never with --force)\n");
        out.push_str("-- Data definition commits by itself here. How far a revision came is written down after each\n");
        out.push_str("-- statement; where the script stopped, `sqlrev upgrade` goes on or says what to do.\n");
        let list = if head.revisions.is_empty() {
            ""
        } else {
            "; the revisions and their checksums:"
        };
        let _ = writeln!(out, "--\n-- written by {}{list}", head.tool);
        for revision in head.revisions {
            let _ = writeln!(out, "--   {revision}");
        }
        out.push('\n');
        for statement in session::READ_SO {
            let _ = writeln!(out, "{statement};");
        }
        out
    }

    /// The clients take the carriage return from the ends of lines, in texts too: there it is spelled out.
    fn statement<'s>(&self, sql: &'s str) -> Cow<'s, str> {
        if !sql.contains('\r') {
            return Cow::Borrowed(sql);
        }
        let mut out = String::with_capacity(sql.len() + 8);
        for token in token::tokens(sql, &split::MYSQL) {
            let word = &sql[token.span];
            if token.kind == Kind::Text {
                let mut escaped = false;
                for sign in word.chars() {
                    // Behind a backslash it is itself as well.
                    match (sign, escaped) {
                        ('\r', true) => out.push('r'),
                        ('\r', false) => out.push_str("\\r"),
                        _ => out.push(sign),
                    }
                    escaped = sign == '\\' && !escaped;
                }
            } else {
                out.push_str(word);
            }
        }
        Cow::Owned(out)
    }

    fn guard_reading(&self, sql: &str) -> String {
        let spells = |token: token::Token| token.kind == Kind::Text && sql[token.span].contains('\r');
        if !sql.contains('\r') || !token::tokens(sql, &split::MYSQL).any(spells) {
            return String::new();
        }
        Self::unless(
            "'\\r' = CHAR(13) AND NOT FIND_IN_SET('ANSI_QUOTES', @@sql_mode)",
            "refused: a text holds a carriage return, which this sql_mode keeps from being spelled out: run it online",
        )
    }

    fn lock(&self, table: &str) -> String {
        let name = session::lock_name(table);
        let taken = format!("GET_LOCK({name}, 10) = 1");
        Self::unless(&taken, "refused: another run of sqlrev has locked the version table")
    }

    /// What says DELIMITER is not for the statement as it stands in a script.
    fn comments<'s>(&self, gap: &'s str) -> Cow<'s, str> {
        let comments = token::comments(gap, &split::MYSQL);
        // A command of MariaDB's client in what is a comment to servers, as its dumps begin.
        let comments = comments.filter(|token| !gap[token.span.clone()].starts_with("/*M!999999\\-"));
        let lines: Vec<Cow<'_, str>> = comments.map(|token| in_all(gap[token.span].trim_end())).collect();
        Cow::Owned(lines.join("\n"))
    }

    /// A statement with semicolons in it needs another terminator, as the client sees only their quotes.
    fn terminated(&self, sql: &str) -> Option<String> {
        if !sql.contains(';') {
            return None;
        }
        let spans = split::statements(sql, &split::MYSQL);
        if spans.is_ok_and(|spans| spans.len() == 1) && !is_program(sql) {
            return None;
        }
        let mut delimiter = "//".to_owned();
        while sql.contains(&delimiter) {
            delimiter.push('/');
        }
        Some(format!("DELIMITER {delimiter}\n{sql}\n{delimiter}\nDELIMITER ;\n"))
    }

    fn begin(&self, _foreign_keys_off: bool) -> String {
        "START TRANSACTION;\n".to_owned()
    }

    fn commit(&self, _foreign_keys_off: bool) -> String {
        "COMMIT;\n".to_owned()
    }

    fn reset(&self) -> String {
        session::RESET
            .iter()
            .map(|statement| format!("{statement};\n"))
            .collect()
    }

    fn guard_place(&self, query: &str) -> String {
        Self::guard(query, "refused: the database is not where this script begins")
    }

    fn guard_rows(&self, query: &str, message: &str) -> String {
        Self::guard(query, message)
    }

    fn missing_table(&self, name: &str, _place: &str) -> String {
        let exists = session::VERSION.exists.replace("{revisions}", &MYSQL.literal(name));
        format!("SELECT 1 FROM DUAL WHERE NOT EXISTS ({exists})")
    }

    fn create_if_missing(&self, create: &str) -> String {
        create.replacen("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1)
    }
}

/// A comment as one to all clients and servers: newer clients send what has no space behind its dashes.
fn in_all(comment: &str) -> Cow<'_, str> {
    match comment.strip_prefix("--") {
        Some(words) if !words.is_empty() && !words.starts_with(|c: char| c.is_ascii_whitespace()) => {
            Cow::Owned(format!("-- {words}"))
        }
        _ => Cow::Borrowed(comment),
    }
}

/// Whether the statement makes a stored program, whose body the client does not know.
pub(super) fn is_program(sql: &str) -> bool {
    let words = token::significant(sql, &split::MYSQL).take(24);
    let mut words = words.map(|token| sql[token.span].to_ascii_uppercase());
    let first = words.next();
    let makes =
        matches!(first.as_deref(), Some("CREATE" | "ALTER")) || first.is_some_and(|word| word.starts_with("/*"));
    makes && words.any(|word| matches!(word.as_str(), "PROCEDURE" | "FUNCTION" | "TRIGGER" | "EVENT" | "BODY"))
}

#[cfg(test)]
mod tests {
    use super::MysqlScript;
    use crate::dialect::ScriptSql as _;

    #[test]
    fn only_bodies_need_another_terminator() {
        assert_eq!(MysqlScript.terminated("INSERT INTO t VALUES (';')"), None);
        let body = "CREATE PROCEDURE p() BEGIN SELECT 1; END";
        assert_eq!(
            MysqlScript.terminated(body).as_deref(),
            Some("DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; END\n//\nDELIMITER ;\n")
        );
        assert!(MysqlScript.terminated("SELECT 1; SELECT 2").is_some());
    }
}
