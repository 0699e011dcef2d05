//! What a user may see. Programs that it may not are left out of the catalogs without a word, as if they were not there.

use crate::code::Code;
use crate::dialect::mysql::inspect::Reading;
use crate::dialect::mysql::schema::is_scratch;
use crate::error::{Error, Result};
use crate::sql::split::MYSQL;
use crate::sql::token;

/// Kinds of programs, the words of a grant by each of which all of them are seen, and how to grant that.
const PROGRAMS: [(&str, [&str; 4], &str); 3] = [
    ("triggers", ["TRIGGER", "", "", ""], "GRANT TRIGGER ON DATABASE.* TO …"),
    ("events", ["EVENT", "", "", ""], "GRANT EVENT ON DATABASE.* TO …"),
    (
        "procedures and functions",
        ["EXECUTE", "ROUTINE", "SHOW_ROUTINE", "SELECT"],
        "on MySQL GRANT SHOW_ROUTINE ON *.* TO …, on MariaDB GRANT SELECT ON mysql.proc TO …",
    ),
];

impl Reading<'_> {
    /// Refuses to read a database of which this user sees but a part.
    pub(super) fn sees_all(&mut self) -> Result<()> {
        if is_scratch(&self.database) {
            return Ok(());
        }
        let grants = match (self.query)("SHOW GRANTS") {
            Err(error) if error.code() == Code::Interrupted => return Err(error),
            // Where rights are not looked at, everything is seen.
            Err(_) => return Ok(()),
            Ok(grants) => grants,
        };
        let mut seen = [false; PROGRAMS.len()];
        for grant in grants.iter().flatten().flatten() {
            for (seen, (_, words, _)) in seen.iter_mut().zip(&PROGRAMS) {
                if gives(grant, &self.database, words) {
                    // What is revoked stands behind what is granted.
                    *seen = !grant.starts_with("REVOKE");
                }
            }
        }
        let message = format!("this user does not see all of `{}`", self.database);
        let all = Error::new(Code::Database, message);
        let told = seen.iter().zip(&PROGRAMS).filter(|(seen, _)| !**seen);
        let told = told.fold(all, |told, (_, (what, _, how))| {
            told.help(format!("to see its {what}: {how}"))
        });
        if seen == [true; PROGRAMS.len()] {
            Ok(())
        } else {
            Err(told)
        }
    }
}

/// Whether a line of SHOW GRANTS is about one of these rights in a database. SELECT counts where it is that on the
/// server's own list of routines.
fn gives(grant: &str, database: &str, words: &[&str]) -> bool {
    let tokens: Vec<&str> = token::significant(grant, &MYSQL)
        .map(|token| &grant[token.span])
        .collect();
    let Some(at) = tokens.iter().position(|word| *word == "ON") else {
        return false;
    };
    let [place, ".", table, ..] = &tokens[at + 1..] else {
        return false;
    };
    let of_server = *place == "*" || *place == "`mysql`" && matches!(*table, "*" | "`proc`");
    let here = *place == "*" || *table == "*" && is_like(token::unquoted(place).as_bytes(), database.as_bytes());
    tokens[..at].iter().any(|word| match *word {
        "ALL" => here,
        "SELECT" => of_server && words.contains(word),
        word => here && !word.is_empty() && words.contains(&word),
    })
}

/// Whether a name is one of those that a pattern stands for.
fn is_like(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'%', rest @ ..], _) => is_like(rest, name) || !name.is_empty() && is_like(pattern, &name[1..]),
        ([b'\\', letter, rest @ ..], [first, more @ ..]) => letter == first && is_like(rest, more),
        ([letter, rest @ ..], [first, more @ ..]) => {
            (*letter == b'_' || letter.eq_ignore_ascii_case(first)) && is_like(rest, more)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read() {
        for (grant, sees) in [
            ("GRANT ALL PRIVILEGES ON *.* TO `a`@`%` WITH GRANT OPTION", [true; 3]),
            (
                "GRANT SELECT, EVENT, TRIGGER ON `app`.* TO `a`@`%`",
                [true, true, false],
            ),
            ("GRANT SELECT, TRIGGER ON `app`.`t` TO `a`@`%`", [false; 3]),
            ("GRANT SELECT (`on`), TRIGGER ON `a_p`.* TO `a`", [true, false, false]),
            ("GRANT EXECUTE, EVENT ON `ap\\_`.* TO `a`", [false; 3]),
            ("GRANT CREATE ROUTINE ON `%p`.* TO PUBLIC", [false, false, true]),
            ("GRANT SELECT ON `mysql`.`proc` TO `a`", [false, false, true]),
            ("GRANT BACKUP_ADMIN,SHOW_ROUTINE ON *.* TO `a`", [false, false, true]),
            ("GRANT `TRIGGER` TO `a`@`%`", [false; 3]),
            ("GRANT PROXY ON ``@`%` TO `a`", [false; 3]),
        ] {
            let found = PROGRAMS.map(|(_, words, _)| gives(grant, "app", &words));
            assert_eq!(found, sees, "{grant}");
        }
    }
}
