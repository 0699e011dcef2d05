//! Offline scripts for the `sqlite3` command.
//!
//! SQLite has no IF, so a guard is an INSERT into a temporary table whose trigger raises an error. A runner that goes on
//! after an error must not commit all the same: the trigger first breaks a deferred foreign key between two temporary
//! tables, which holds every COMMIT up until the connection ends (foreignkeys.html, section 4.2). Where a copy needs
//! foreign keys off, that does not work; nor is a statement of the author's seen to fail. So the script tells its runner
//! to stop at the first error (`.bail on`).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::dialect::sqlite::steps::{FORGET_ID, GIVE_ID, KEEP_ID};
use crate::dialect::sqlite::{follow, held, rebuild, replaced, session, settings};
use crate::dialect::{Ask, Held, Renumbered, Replaces, ScriptHead, ScriptSql, Setting};
use crate::error::Result;
use crate::sql::split;
use crate::sql::token::{self, Kind};
use crate::sql::write;

/// The frame of a script for SQLite.
#[derive(Debug)]
pub(in crate::dialect) struct SqliteScript;

/// Where a step keeps how many rows the author's last statement has changed, if it asks for that.
const COUNT: &str = "temp.sqlrev_changes";

const SETUP: &str = "\
PRAGMA foreign_keys = ON;
CREATE TEMP TABLE IF NOT EXISTS sqlrev_guard (what TEXT);
CREATE TEMP TABLE IF NOT EXISTS sqlrev_nowhere (id INTEGER PRIMARY KEY);
CREATE TEMP TABLE IF NOT EXISTS sqlrev_stop (id INTEGER REFERENCES sqlrev_nowhere (id) DEFERRABLE INITIALLY DEFERRED);
CREATE TEMP TRIGGER IF NOT EXISTS sqlrev_place AFTER INSERT ON sqlrev_guard WHEN NEW.what = 'place' BEGIN
    INSERT INTO sqlrev_stop VALUES (1);
    SELECT RAISE(FAIL, 'refused: the database is not where this script begins');
END;
CREATE TEMP TRIGGER IF NOT EXISTS sqlrev_half AFTER INSERT ON sqlrev_guard WHEN NEW.what = 'half' BEGIN
    INSERT INTO sqlrev_stop VALUES (1);
    SELECT RAISE(FAIL, 'refused: a revision stopped half-way; the command that goes on from there is printed before this');
END;
CREATE TEMP TRIGGER IF NOT EXISTS sqlrev_rows AFTER INSERT ON sqlrev_guard WHEN NEW.what = 'rows' BEGIN
    INSERT INTO sqlrev_stop VALUES (1);
    SELECT RAISE(FAIL, 'refused: the rows that stand in the way are listed before this');
END;
";

/// SQLite looks for a name in `main` before it looks in what is attached (`lang_naming.html`), so `sqlite_stat1` always is
/// some table: that of the database, or this one, which goes with the connection.
pub(super) const STATISTICS: &str = "\
-- Where ANALYZE was never run, the statistics of the planner that are renamed below are these.
ATTACH ':memory:' AS sqlrev_statistics;
ANALYZE sqlrev_statistics;
";

impl ScriptSql for SqliteScript {
    fn head(&self, head: &ScriptHead<'_>) -> String {
        let mut out = format!("-- {}\n--\n", head.title);
        out.push_str("-- Run it with:  sqlite3 -bail DATABASE < SCRIPT\n");
        out.push_str("-- Another program has to stop at the first error, and knows no line that begins with a dot.\n");
        if head.foreign_keys_off {
            out.push_str(
                "-- Foreign keys are off while tables are copied, so what goes on after an error may lose rows.\n",
            );
        }
        out.push_str("-- Nothing stays of a revision that is refused; those before it do.\n");
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
        out.push_str(".bail on\n");
        out.push_str(SETUP);
        if head.statistics {
            out.push_str(STATISTICS);
        }
        out
    }

    /// Another script may follow in the same session.
    fn foot(&self, head: &ScriptHead<'_>) -> &'static str {
        if head.statistics {
            "DETACH sqlrev_statistics;\n"
        } else {
            ""
        }
    }

    /// The `sqlite3` command drops a carriage return at the end of a line; one in a string is spelled out. It takes a
    /// line with nothing but `/` or `go` for the end of a statement; a comment before it makes it another line.
    fn statement<'s>(&self, sql: &'s str) -> Cow<'s, str> {
        if !sql.contains('\r') && !sql.lines().skip(1).any(ends_statement) {
            return Cow::Borrowed(sql);
        }
        let spelled = token::tokens(sql, &split::SQLITE).map(|token| {
            let begins_line = sql[..token.span.start].rsplit('\n').next().unwrap_or_default();
            let line = sql[token.span.start..].lines().next().unwrap_or_default();
            let word = &sql[token.span];
            if matches!(token.kind, Kind::Word | Kind::Symbol) && begins_line.trim().is_empty() && ends_statement(line)
            {
                format!("/**/{word}")
            } else if token.kind == Kind::Text && word.starts_with('\'') && word.contains('\r') {
                format!("({})", word.split('\r').collect::<Vec<_>>().join("' || char(13) || '"))
            } else {
                word.to_owned()
            }
        });
        Cow::Owned(spelled.collect())
    }

    /// SQLite drops all temporary tables where it keeps them elsewhere from then on.
    fn takes_guards(&self, statement: &str) -> bool {
        settings::moves_temporary(statement)
    }

    fn begin(&self, foreign_keys_off: bool) -> String {
        let off = if foreign_keys_off {
            "PRAGMA foreign_keys = OFF;\n"
        } else {
            ""
        };
        format!("{off}BEGIN IMMEDIATE;\n")
    }

    fn commit(&self, foreign_keys_off: bool) -> String {
        let on = if foreign_keys_off {
            "PRAGMA foreign_keys = ON;\n"
        } else {
            ""
        };
        format!("COMMIT;\n{on}")
    }

    fn guard_place(&self, query: &str) -> String {
        format!("INSERT INTO sqlrev_guard SELECT 'place' WHERE EXISTS ({query});\n")
    }

    fn guard_half_way(&self, table: &str) -> String {
        let half = format!("FROM {table} WHERE unfinished IS NOT NULL");
        format!(
            "SELECT 'revision ' || revision || ' stopped half-way (' || unfinished || '); go on with: sqlrev ' || \
             CASE WHEN unfinished LIKE 'downgrade:%' THEN 'downgrade ' || revision || '-1' ELSE 'upgrade ' || revision END {half};\n\
             INSERT INTO sqlrev_guard SELECT 'half' WHERE EXISTS (SELECT 1 {half});\n"
        )
    }

    fn counts(&self) -> bool {
        true
    }

    fn guard_rows(&self, query: &str, message: &str) -> String {
        let message = write::sqlite_literal(message);
        format!(
            "SELECT {message}, * FROM ({query});\n\
             INSERT INTO sqlrev_guard SELECT 'rows' WHERE EXISTS ({query});\n"
        )
    }

    fn keep_orphans(&self, query: &str) -> String {
        format!("CREATE TEMP TABLE sqlrev_orphans AS SELECT orphan, count(*) AS rows FROM ({query}) GROUP BY orphan;\n")
    }

    fn guard_orphans(&self, query: &str) -> String {
        let counted = format!("SELECT orphan, words, count(*) OVER (PARTITION BY orphan) AS rows FROM ({query})");
        let new = format!(
            "SELECT now.words FROM ({counted}) now LEFT JOIN temp.sqlrev_orphans old ON old.orphan = now.orphan \
             WHERE now.rows > coalesce(old.rows, 0)"
        );
        let guard = self.guard_rows(&new, "rows point at rows that are not there");
        format!("{guard}DROP TABLE temp.sqlrev_orphans;\n")
    }

    fn forget_mended(&self, query: &str) -> String {
        held::forget_mended(query)
    }

    fn held(&self, statement: &str, ask: &mut dyn Ask) -> Result<Vec<Held>> {
        held::by(statement, ask)
    }

    fn renumbered(&self, statement: &str, ask: &mut dyn Ask) -> Result<Option<Renumbered>> {
        let Some((table, query)) = held::renumbered(statement, ask)? else {
            return Ok(None);
        };
        let new = format!("SELECT orphan FROM ({query}) WHERE orphan NOT IN (SELECT orphan FROM temp.sqlrev_orphans)");
        let message = format!(
            "rows of {table} point at nothing that did not before this revision, and a script does not tell them from \
             others when they get other numbers: correct them before, or run the upgrade online"
        );
        Ok(Some(Renumbered {
            table,
            before: self.guard_rows(&new, &message) + &held::keep_renumbered(&query),
            after: held::renumber(&query),
        }))
    }

    fn orphans_renamed(&self, statement: &str, replaced: &BTreeSet<String>) -> Option<String> {
        match rebuild::replaces(statement)? {
            Replaces::Renames { from, to } if !replaced.contains(&from) && !replaced.contains(&to) => {
                Some(held::rename(&from, &to, replaced))
            }
            _ => None,
        }
    }

    fn orphans_elsewhere(&self, statement: &str, ask: &mut dyn Ask) -> Result<Option<&'static str>> {
        held::elsewhere(statement, ask)
    }

    fn keep_held(&self, number: usize, held: &Held) -> String {
        match held {
            Held::Rows { query, .. } => held::keep(number, query),
            Held::Uncertain { table, query, orphans } => {
                let message = format!(
                    "rows of {table} point at nothing already, and a script cannot tell them from those that this \
                     revision may add: mend them first, or run the upgrade online"
                );
                self.guard_rows(query, &message) + &held::forget_these(orphans)
            }
        }
    }

    fn forget_held(&self, number: usize, held: &Held) -> String {
        match held {
            Held::Rows { query, .. } => held::forget(number, query),
            Held::Uncertain { .. } => String::new(),
        }
    }

    fn foreign_keys(&self, on: bool) -> String {
        format!("PRAGMA foreign_keys = {};\n", if on { "ON" } else { "OFF" })
    }

    fn keep_replaced(&self, table: &str, of: &str, counter: bool, referring: &[String], if_exists: bool) -> String {
        replaced::keep(table, of, counter, referring, if_exists)
    }

    fn say_rows(&self, table: &str, referring: &[String]) -> String {
        replaced::say_rows(table, referring)
    }

    fn say_lost(&self, counters: bool) -> String {
        replaced::say_lost(counters)
    }

    fn keep_count(&self, begins: bool) -> String {
        let count = if begins { "0" } else { "changes()" };
        format!("{}CREATE TABLE {COUNT} AS SELECT {count} AS x;\n", self.forget_count())
    }

    fn give_count(&self) -> String {
        let give = session::give_count(&format!("(SELECT x FROM {COUNT})"));
        give.iter().map(|sql| format!("{sql};\n")).collect()
    }

    fn forget_count(&self) -> String {
        format!("DROP TABLE IF EXISTS {COUNT};\n")
    }

    fn missing_table(&self, name: &str, _place: &str) -> String {
        let name = write::sqlite_literal(name);
        format!(
            "SELECT 1 WHERE NOT EXISTS \
             (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower({name}))"
        )
    }

    fn switch(&self, setting: Setting, on: Option<bool>) -> Option<String> {
        let name = match setting {
            Setting::LegacyAlterTable => "legacy_alter_table",
            Setting::IgnoreCheckConstraints => "ignore_check_constraints",
            _ => return None,
        };
        let value = if on == Some(true) { "ON" } else { "OFF" };
        Some(format!("PRAGMA {name} = {value};\n"))
    }

    fn switches(&self, statement: &str) -> Option<(Setting, bool)> {
        settings::switches(statement)
    }

    fn undone(&self, statement: &str) -> Option<String> {
        let (name, usual) = settings::set(statement)?;
        Some(format!("PRAGMA {name} = {usual};\n"))
    }

    fn asks_id_around(&self) -> Option<&'static str> {
        Some(session::ASKS_ID)
    }

    fn keeps_id(&self) -> [String; 2] {
        [format!("{KEEP_ID};\n"), format!("{GIVE_ID};\n{FORGET_ID};\n")]
    }

    fn foreign_key_effect(&self, statement: &str, ask: &mut dyn Ask) -> Result<Option<String>> {
        follow::effect(statement, ask)
    }

    fn deletes_rows(&self, statement: &str, ask: &mut dyn Ask) -> Result<Option<String>> {
        follow::deletes(statement, ask)
    }
}

/// Whether the `sqlite3` command may take the line for the end of a statement.
fn ends_statement(line: &str) -> bool {
    let line = line.trim();
    let rest = line.strip_prefix('/').or_else(|| {
        let (word, rest) = line.split_at_checked(2)?;
        word.eq_ignore_ascii_case("go").then_some(rest)
    });
    rest.is_some_and(|rest| {
        let rest = rest.trim_start();
        rest.is_empty() || rest.starts_with("--") || rest.starts_with("/*")
    })
}

#[cfg(test)]
mod tests {
    use super::SqliteScript;
    use crate::dialect::ScriptSql as _;

    #[test]
    fn no_line_ends_a_statement() {
        let cases = [
            ("SELECT 10\n/\n2", "SELECT 10\n/**//\n2"),
            ("SELECT a\n GO -- x\nFROM t", "SELECT a\n /**/GO -- x\nFROM t"),
            ("SELECT '\n/\ngo\n' /*\n/\n*/", "SELECT '\n/\ngo\n' /*\n/\n*/"),
            ("SELECT 1\n/ 2\n+ goal", "SELECT 1\n/ 2\n+ goal"),
        ];
        for (sql, want) in cases {
            assert_eq!(SqliteScript.statement(sql), want);
        }
    }
}
