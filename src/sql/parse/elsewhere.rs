//! Whose words an ALTER TABLE has that our own reader gave up on: by how its action begins, and in the command, where an
//! error may say more than in an application, by what sqlparser reads; the only file that calls it.

use crate::sql::parse::cursor::Cursor;

/// How actions of PostgreSQL begin that mean nothing to SQLite
/// (<https://www.postgresql.org/docs/current/sql-altertable.html>); after ALTER COLUMN too.
const POSTGRESQL: &[&str] = &[
    "OWNER TO",
    "ENABLE ROW",
    "DISABLE ROW",
    "FORCE ROW",
    "NO FORCE",
    "ENABLE TRIGGER",
    "DISABLE TRIGGER",
    "ENABLE RULE",
    "DISABLE RULE",
    "ENABLE REPLICA",
    "ENABLE ALWAYS",
    "REPLICA IDENTITY",
    "CLUSTER ON",
    "INHERIT",
    "NO INHERIT",
    "OF",
    "NOT OF",
    "ATTACH PARTITION",
    "DETACH PARTITION",
    "SET ACCESS",
    "SET COMPRESSION",
    "SET LOGGED",
    "SET SCHEMA",
    "SET STATISTICS",
    "SET STORAGE",
    "SET TABLESPACE",
    "SET UNLOGGED",
    "SET WITH",
    "SET WITHOUT",
    "SET (",
    "RESET (",
];

/// Likewise of MySQL and MariaDB (<https://dev.mysql.com/doc/refman/8.4/en/alter-table.html>).
const MYSQL: &[&str] = &[
    "ALGORITHM",
    "ANALYZE PARTITION",
    "AUTOEXTEND_SIZE",
    "AUTO_INCREMENT",
    "AVG_ROW_LENGTH",
    "CHARACTER SET",
    "CHARSET",
    "CHECK PARTITION",
    "CHECKSUM",
    "COALESCE PARTITION",
    "COLLATE",
    "COMMENT",
    "COMPRESSION",
    "CONNECTION",
    "CONVERT TO",
    "DATA DIRECTORY",
    "DEFAULT CHARACTER",
    "DEFAULT CHARSET",
    "DEFAULT COLLATE",
    "DELAY_KEY_WRITE",
    "DISABLE KEYS",
    "DISCARD",
    "ENABLE KEYS",
    "ENCRYPTION",
    "ENGINE",
    "EXCHANGE PARTITION",
    "FORCE",
    "IMPORT",
    "INDEX DIRECTORY",
    "INSERT_METHOD",
    "KEY_BLOCK_SIZE",
    "LOCK",
    "MAX_ROWS",
    "MIN_ROWS",
    "OPTIMIZE PARTITION",
    "ORDER BY",
    "PACK_KEYS",
    "PAGE_COMPRESSED",
    "PARTITION BY",
    "PASSWORD",
    "REBUILD PARTITION",
    "REMOVE PARTITIONING",
    "REORGANIZE PARTITION",
    "REPAIR PARTITION",
    "ROW_FORMAT",
    "SECONDARY_ENGINE",
    "SECONDARY_LOAD",
    "SECONDARY_UNLOAD",
    "SET INVISIBLE",
    "SET VISIBLE",
    "STATS_AUTO_RECALC",
    "STATS_PERSISTENT",
    "STATS_SAMPLE_PAGES",
    "TABLESPACE",
    "TRUNCATE PARTITION",
    "UNION",
    "WITH SYSTEM",
    "WITH VALIDATION",
    "WITHOUT VALIDATION",
];

/// The database that has an action which begins at a place of an ALTER TABLE, if there is one.
pub fn meant_for(text: &str, place: usize) -> Option<&'static str> {
    let cursor = Cursor::new(text.get(place..)?);
    let begins = |words: &&&str| {
        let mut words = words.split(' ').enumerate();
        words.all(|(ahead, word)| cursor.word(ahead).eq_ignore_ascii_case(word))
    };
    let has = |actions: &[&str]| actions.iter().any(|words| begins(&words));
    if has(POSTGRESQL) {
        Some("PostgreSQL")
    } else {
        has(MYSQL).then_some("MySQL").or_else(|| parsed(text))
    }
}

/// Texts above this size are not parsed.
#[cfg(feature = "cli")]
const LIMIT: usize = 64 * 1024;

/// The database in whose language the statement parses; on a thread with a large stack, as trees can exhaust a small one.
#[cfg(feature = "cli")]
fn parsed(text: &str) -> Option<&'static str> {
    use sqlparser::dialect::{Dialect, MySqlDialect, PostgreSqlDialect};
    use sqlparser::keywords::Keyword;
    use sqlparser::parser::Parser;
    use sqlparser::tokenizer::Token;

    if text.len() > LIMIT {
        return None;
    }
    // Its reader of ALTER TABLE alone: the one of any statement takes 0.3 MB more of the command.
    let parses = |dialect: &dyn Dialect| {
        Parser::new(dialect).try_with_sql(text).is_ok_and(|mut parser| {
            parser.parse_keywords(&[Keyword::ALTER, Keyword::TABLE])
                && parser.parse_alter_table(false).is_ok()
                && parser.peek_token().token == Token::EOF
        })
    };
    let judge = move || {
        if parses(&PostgreSqlDialect {}) {
            Some("PostgreSQL")
        } else {
            parses(&MySqlDialect {}).then_some("MySQL")
        }
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(64 << 20)
            .spawn_scoped(scope, judge);
        thread.ok().and_then(|thread| thread.join().ok()).flatten()
    })
}

#[cfg(not(feature = "cli"))]
fn parsed(_: &str) -> Option<&'static str> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::parse::alter;

    #[test]
    fn words_of_other_databases_are_known() {
        let cases = [
            ("OWNER TO joe", Some("PostgreSQL")),
            ("enable row level security", Some("PostgreSQL")),
            ("SET (fillfactor = 70)", Some("PostgreSQL")),
            ("ALTER COLUMN a SET STATISTICS 100", Some("PostgreSQL")),
            ("ADD COLUMN b int, SET SCHEMA other", Some("PostgreSQL")),
            ("ENGINE = InnoDB", Some("MySQL")),
            ("/* all of it */ CONVERT TO CHARACTER SET utf8mb4", Some("MySQL")),
            ("FORCE", Some("MySQL")),
            ("FROBNICATE", None),
            ("SET", None),
            ("\"ENGINE\" = InnoDB", None),
        ];
        for (action, want) in cases {
            let text = format!("ALTER TABLE t {action}");
            let unreadable = alter::read(&text).expect_err("no action of ours");
            let got = meant_for(&text, unreadable.span.start).filter(|_| unreadable.unknown_action);
            assert_eq!(got, want, "{text}");
        }
    }
}
