//! What a statement may do on a database that is there to try things on: nothing to the server, nothing to other databases.

#[cfg(feature = "mysql")]
mod events;
pub(super) mod lack;
#[cfg(feature = "mysql")]
mod programs;

use crate::dialect::Replay;
#[cfg(feature = "mysql")]
use crate::dialect::mysql::schema::{lists_another, without_database};
use crate::dialect::mysql::session::{inner, words};
use crate::sql::split::MYSQL;
use crate::sql::token;

#[cfg(feature = "mysql")]
pub(crate) use programs::{called, prepared, reaching_procedure};
#[cfg(feature = "mysql")]
use programs::{is_block, writes_elsewhere};

/// What becomes of a statement that reaches beyond its database. Scripts of millions of statements come by here.
pub(super) fn beyond(statement: &str) -> Option<Replay> {
    let first = statement.as_bytes().first().map(u8::to_ascii_uppercase)?;
    (b"ACDFGIKLPRSUX/".contains(&first) && is_the_servers(inner(statement))).then_some(Replay::Skip)
}

/// What becomes of a statement where revisions are replayed for their schema: rows say nothing of it.
pub(super) fn replay(statement: &str) -> Replay {
    let statement = inner(statement);
    let words = words(statement, 3);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let skip = match words.as_slice() {
        [
            "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "LOAD" | "LOCK" | "UNLOCK",
            ..,
        ] => true,
        [
            "ANALYZE" | "OPTIMIZE" | "CHECK" | "CHECKSUM" | "REPAIR" | "TRUNCATE",
            ..,
        ] => true,
        _ => is_the_servers(statement),
    };
    if skip { Replay::Skip } else { Replay::Run }
}

/// Whether the statement is about what is the whole server's.
fn is_the_servers(statement: &str) -> bool {
    let words = words(statement, 6);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["CREATE", "OR", "REPLACE", what, ..] | ["CREATE" | "DROP" | "ALTER", what, ..] => match *what {
            "AGGREGATE" | "FUNCTION" => has_soname(statement),
            what => matches!(
                what,
                "DATABASE"
                    | "SCHEMA"
                    | "USER"
                    | "ROLE"
                    | "SERVER"
                    | "TABLESPACE"
                    | "LOGFILE"
                    | "INSTANCE"
                    | "RESOURCE"
                    | "UNDO"
            ),
        },
        ["RENAME", "USER", ..] | ["LOAD", "INDEX", ..] => true,
        ["SET", "PASSWORD" | "DEFAULT", ..] => true,
        ["SET", ..] => sets_the_servers(statement),
        [
            "GRANT" | "REVOKE" | "FLUSH" | "RESET" | "PURGE" | "CHANGE" | "STOP" | "INSTALL" | "UNINSTALL" | "KILL"
            | "SHUTDOWN" | "RESTART" | "IMPORT" | "CLONE" | "CACHE" | "BINLOG" | "XA",
            ..,
        ] => true,
        ["START", what, ..] => matches!(*what, "SLAVE" | "REPLICA" | "GROUP_REPLICATION" | "ALL"),
        _ => false,
    }
}

/// Whether one of the variables that a SET gives a value is the server's.
fn sets_the_servers(statement: &str) -> bool {
    const THEIRS: [&str; 3] = ["GLOBAL", "PERSIST", "PERSIST_ONLY"];
    let mut depth = 0_usize;
    let mut is_next = false;
    token::significant(statement, &MYSQL).any(|token| {
        let text = &statement[token.span];
        match text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let name = text
            .strip_prefix("@@")
            .unwrap_or(text)
            .split('.')
            .next()
            .unwrap_or_default();
        let is_theirs = is_next && THEIRS.iter().any(|known| name.eq_ignore_ascii_case(known));
        is_next = depth == 0 && (text == "," || text.eq_ignore_ascii_case("SET"));
        is_theirs
    })
}

/// A function of a library of the server's.
fn has_soname(statement: &str) -> bool {
    statement.to_ascii_uppercase().contains(" SONAME ")
}

/// A statement as it may run on scratch, in which the project's database has no other name: where it names that one, it
/// means the scratch database. None where what it changes is in another database, or the server's.
#[cfg(feature = "mysql")]
pub(crate) fn on_scratch<'s>(statement: &'s str, database: &str) -> Option<std::borrow::Cow<'s, str>> {
    if beyond(statement).is_some() {
        return None;
    }
    let own = without_database(statement, database, true);
    if words(&own, 1).first().is_some_and(|word| word == "USE") {
        return None;
    }
    if own.contains('.')
        && (changes_another(inner(&own)) || is_block(&own) && writes_elsewhere(&own) || counts_on(&own))
    {
        return None;
    }
    Some(match events::asleep(&own) {
        Some(asleep) => std::borrow::Cow::Owned(asleep),
        None => own,
    })
}

/// Whether a statement counts a sequence of another database on.
#[cfg(feature = "mysql")]
fn counts_on(statement: &str) -> bool {
    if !["SELECT", "DO", "SET", "VALUES"]
        .iter()
        .any(|word| words(inner(statement), 1).first().is_some_and(|first| first == word))
    {
        return false;
    }
    let tokens: Vec<&str> = token::significant(statement, &MYSQL)
        .map(|token| &statement[token.span])
        .collect();
    tokens.windows(4).any(|part| {
        let is = |at: usize, word: &str| part[at].eq_ignore_ascii_case(word);
        part[3] == "." && ((is(0, "NEXTVAL") || is(0, "SETVAL")) && is(1, "(") || is(0, "VALUE") && is(1, "FOR"))
    })
}

/// The words before the name of what a statement changes.
#[cfg(feature = "mysql")]
const BEFORE: &str = " CREATE ALTER DROP TRUNCATE RENAME INSERT REPLACE UPDATE DELETE LOAD CALL OPTIMIZE ANALYZE REPAIR OR \
                      TEMPORARY TABLE TABLES VIEW PROCEDURE FUNCTION TRIGGER EVENT SEQUENCE IF NOT EXISTS INTO FROM IGNORE \
                      LOW_PRIORITY DELAYED HIGH_PRIORITY QUICK ONLINE OFFLINE AGGREGATE SQL SECURITY INVOKER UNDEFINED MERGE \
                      TEMPTABLE ALGORITHM = LOCAL NO_WRITE_TO_BINLOG DATA INFILE CONCURRENT ";

/// The verbs among them, with which such a statement begins.
#[cfg(feature = "mysql")]
const VERBS: usize = 14;

/// Whether a statement changes something whose name says a database.
#[cfg(feature = "mysql")]
fn changes_another(statement: &str) -> bool {
    let tokens: Vec<&str> = token::significant(statement, &MYSQL)
        .map(|token| &statement[token.span])
        .collect();
    let text = |at: usize| tokens.get(at).copied().unwrap_or_default();
    let is = |at: usize, word: &str| text(at).eq_ignore_ascii_case(word);
    if !BEFORE.split_ascii_whitespace().take(VERBS).any(|verb| is(0, verb)) {
        return false;
    }
    let on = tokens.iter().position(|word| word.eq_ignore_ascii_case("ON"));
    // A trigger lies where its table is.
    let is_on = |at: usize| {
        ["INDEX", "UNIQUE", "FULLTEXT", "SPATIAL", "TRIGGER"]
            .iter()
            .any(|word| is(at, word))
    };
    let behind_on = on.filter(|_| (1..8).any(is_on)).map(|on| on + 1);
    let mut at = 0;
    while !text(at).is_empty() {
        let word = text(at).to_ascii_uppercase();
        if word == "DEFINER" && text(at + 1) == "=" {
            at += if text(at + 3).starts_with('@') { 4 } else { 3 };
        } else if BEFORE.contains(&format!(" {word} ")) {
            at += 1;
        } else {
            break;
        }
    }
    let is_behind_on = behind_on.is_some_and(|at| text(at + 1) == ".");
    // Several tables may be listed, and one may be moved into another database.
    let lists = [
        "DROP", "RENAME", "TRUNCATE", "UPDATE", "DELETE", "OPTIMIZE", "ANALYZE", "REPAIR", "LOAD",
    ];
    if lists.iter().any(|verb| is(0, verb)) {
        return is_behind_on || lists_another(statement);
    }
    let moves = |at: usize| (is(at, "TO") || is(at, "AS")) && is(at - 1, "RENAME") || is(at, "RENAME");
    // A table that changes places with a partition, or that one becomes, or that becomes one.
    let joins = |at: usize| is(at, "TABLE") && at > 2;
    if is(0, "ALTER") && (1..tokens.len()).any(|at| (moves(at) || joins(at)) && text(at + 2) == ".") {
        return true;
    }
    text(at + 1) == "." || is_behind_on
}

#[cfg(all(test, feature = "mysql"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_servers_is_left_alone() {
        for sql in [
            "CREATE USER u",
            "GRANT SELECT ON t TO u",
            "SET GLOBAL x = 1",
            "create database d",
            "DROP SCHEMA d",
            "SET @@GLOBAL.x = 1",
            "SET SESSION y = 1, GLOBAL x = 1",
        ] {
            assert_eq!(beyond(sql), Some(Replay::Skip), "{sql}");
            assert_eq!(replay(sql), Replay::Skip, "{sql}");
        }
        for sql in [
            "CREATE TABLE t (a int)",
            "SET @a = 1",
            "SET @a = GREATEST(1, @@GLOBAL.x), y = @@GLOBAL.y",
            "START TRANSACTION",
            "INSERT INTO t VALUES (1)",
        ] {
            assert_eq!(beyond(sql), None, "{sql}");
        }
        assert_eq!(replay("INSERT INTO t VALUES (1)"), Replay::Skip);
        assert_eq!(replay("CALL p()"), Replay::Run);
    }

    #[test]
    fn names_with_a_database() {
        let check = |sql: &str, expect: Option<&str>| assert_eq!(on_scratch(sql, "app").as_deref(), expect, "{sql}");
        check("CREATE TABLE app.t (a int)", Some("CREATE TABLE     t (a int)"));
        check("CREATE TABLE other.t (a int)", None);
        check(
            "CREATE OR REPLACE DEFINER = a@b SQL SECURITY INVOKER VIEW other.v AS SELECT 1",
            None,
        );
        check(
            "CREATE VIEW v AS SELECT * FROM other.t",
            Some("CREATE VIEW v AS SELECT * FROM other.t"),
        );
        check("INSERT INTO other.t SELECT * FROM t", None);
        check("UPDATE t SET t.a = 1", Some("UPDATE t SET t.a = 1"));
        check("CREATE INDEX i ON other.t (a)", None);
        check("CREATE TRIGGER r AFTER INSERT ON other.t FOR EACH ROW SET @a = 1", None);
        check("DROP INDEX i ON app.t", Some("DROP INDEX i ON     t"));
        check(
            "CREATE DEFINER=a@b TRIGGER r AFTER INSERT ON other.t FOR EACH ROW SET @a = 1",
            None,
        );
        check("DROP INDEX i ON other.t", None);
        check("DROP TABLE t, other.u", None);
        check("DROP TABLE t, app.u", Some("DROP TABLE t,     u"));
        check("UPDATE t JOIN other.u ON t.a = u.a SET u.b = 1", None);
        check(
            "UPDATE t JOIN u ON t.a = u.a SET u.b = 1",
            Some("UPDATE t JOIN u ON t.a = u.a SET u.b = 1"),
        );
        check("DELETE u FROM t JOIN other.u WHERE t.a = u.a", None);
        check("RENAME TABLE t TO other.t", None);
        check("ALTER TABLE t RENAME TO other.t", None);
        check(
            "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES other.t (a)",
            Some("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES other.t (a)"),
        );
        check("USE app", None);
        check("/*!50003 DROP TABLE other.t */", None);
        check("SET STATEMENT max_statement_time = 1 FOR DROP TABLE other.t", None);
        check("BEGIN NOT ATOMIC IF 1 THEN DROP TABLE other.t; END IF; END", None);
        check("IF 1 THEN DROP TABLE other.t; END IF", None);
        check("ALTER TABLE t EXCHANGE PARTITION p WITH TABLE other.t", None);
        check(
            "ALTER TABLE t CONVERT TABLE other.t TO PARTITION p VALUES LESS THAN (9)",
            None,
        );
        check("LOAD DATA INFILE 'f' INTO TABLE other.t", None);
        check("SELECT NEXTVAL(other.s)", None);
        check("SELECT NEXT VALUE FOR other.s", None);
        check(
            "SET sql_mode = ansi_quotes, @a = \"app\".\"f\"(1)",
            Some("SET sql_mode = ansi_quotes, @a =       \"f\"(1)"),
        );
        check(
            "CREATE EVENT e ON SCHEDULE EVERY 1 DAY COMMENT 'x' DO SELECT 1",
            Some("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE ON SLAVE COMMENT 'x' DO SELECT 1"),
        );
        check("ALTER EVENT e ENABLE", Some("ALTER EVENT e DISABLE ON SLAVE"));
        check("ALTER EVENT e DISABLE", Some("ALTER EVENT e DISABLE"));
    }
}
