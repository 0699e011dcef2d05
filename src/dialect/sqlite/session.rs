//! How SQLite is locked, watched and replayed.

use crate::dialect::sqlite::settings;
use crate::dialect::{CHANGES, Lack, Replay, TOTAL_CHANGES, VersionSql};
use crate::sql::split;
use crate::sql::token::{self, Kind};
use crate::sql::write::quoted;

/// The version table. It is one b-tree, without an index beside it, so that a revision writes one page less.
pub(super) static VERSION: VersionSql = VersionSql {
    create: include_str!("version.sql"),
    exists: "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower({revisions})",
    // In `main`, where the table is kept: an attached database may have one of its own.
    brief: Some([
        "SELECT revision, CASE WHEN unfinished IS NULL THEN upgrade_checksum END FROM main.\"",
        "\" ORDER BY revision",
    ]),
    index: Some("CREATE INDEX IF NOT EXISTS {index} ON {revisions} (revision, upgrade_checksum, unfinished)"),
    now: "strftime('%Y-%m-%dT%H:%M:%SZ', 'now')",
    elapsed: None,
    hidden: Some(
        "SELECT name FROM sqlite_temp_schema WHERE lower(name) IN (lower({revisions}), lower({log})) AND type <> 'index'",
    ),
    returning: "",
    settles: None,
};

/// What a connection has beside its switches.
pub(super) static KEPT: [[&str; 2]; 20] = [
    ["PRAGMA analysis_limit", "PRAGMA analysis_limit = "],
    ["PRAGMA automatic_index", "PRAGMA automatic_index = "],
    ["PRAGMA busy_timeout", "PRAGMA busy_timeout = "],
    ["PRAGMA cache_size", "PRAGMA cache_size = "],
    ["PRAGMA cache_spill", "PRAGMA cache_spill = "],
    // It cannot be asked for its value.
    ["SELECT 'a' NOT LIKE 'A'", "PRAGMA case_sensitive_like = "],
    ["PRAGMA cell_size_check", "PRAGMA cell_size_check = "],
    ["PRAGMA checkpoint_fullfsync", "PRAGMA checkpoint_fullfsync = "],
    ["PRAGMA fullfsync", "PRAGMA fullfsync = "],
    ["PRAGMA locking_mode", "PRAGMA locking_mode = "],
    ["PRAGMA mmap_size", "PRAGMA mmap_size = "],
    ["PRAGMA query_only", "PRAGMA query_only = "],
    ["PRAGMA read_uncommitted", "PRAGMA read_uncommitted = "],
    ["PRAGMA recursive_triggers", "PRAGMA recursive_triggers = "],
    [
        "PRAGMA reverse_unordered_selects",
        "PRAGMA reverse_unordered_selects = ",
    ],
    ["PRAGMA secure_delete", "PRAGMA secure_delete = "],
    ["PRAGMA synchronous", "PRAGMA synchronous = "],
    ["PRAGMA threads", "PRAGMA threads = "],
    ["PRAGMA trusted_schema", "PRAGMA trusted_schema = "],
    ["PRAGMA wal_autocheckpoint", "PRAGMA wal_autocheckpoint = "],
];

/// Takes the lock for writing at once: what is read afterwards stays true until the end.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

/// Changes when another connection commits (pragma.html, `data_version`).
pub(super) const CHANGE_MARK: &str = "PRAGMA data_version";

/// A row when the database holds anything.
pub(super) const ANY_OBJECT: &str = "SELECT 1 FROM sqlite_schema LIMIT 1";

/// Everything that somebody made; the indexes of constraints have no statement.
pub(super) const OBJECTS: &str = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL \
                                  AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";

/// The first word in upper case. Scripts of millions of statements come by here, so nothing else is read.
fn first_word(statement: &str) -> String {
    let word = statement.bytes().take(12).take_while(u8::is_ascii_alphabetic);
    word.map(|byte| byte.to_ascii_uppercase() as char).collect()
}

/// Statements that SQLite refuses in a transaction or ignores there, and those that make and end one.
pub(super) fn stands_alone(statement: &str) -> bool {
    matches!(
        first_word(statement).as_str(),
        "VACUUM" | "PRAGMA" | "ATTACH" | "DETACH" | "BEGIN" | "COMMIT" | "END" | "ROLLBACK" | "SAVEPOINT" | "RELEASE"
    )
}

/// What lives in the connection.
pub(super) fn sets_up_connection(statement: &str) -> bool {
    match first_word(statement).as_str() {
        "PRAGMA" | "ATTACH" | "DETACH" => true,
        "CREATE" => {
            let words = token::keywords(statement, &split::SQLITE, 2);
            words.get(1).is_some_and(|word| word == "TEMP" || word == "TEMPORARY")
        }
        _ => false,
    }
}

/// What gives a row a number that `last_insert_rowid()` returns afterwards.
pub(super) fn gives_id(statement: &str) -> bool {
    matches!(first_word(statement).as_str(), "INSERT" | "REPLACE" | "WITH")
}

/// What asks for that number.
pub(super) fn asks_id(statement: &str) -> Option<&'static str> {
    const ASKS: &[u8] = b"last_insert_rowid";
    // Scripts of millions of statements come by here.
    if !token::holds(statement, ASKS) {
        return None;
    }
    let mut words = token::significant(statement, &split::SQLITE);
    let asks =
        words.any(|token| token.kind != Kind::Text && statement[token.span].as_bytes().eq_ignore_ascii_case(ASKS));
    asks.then_some("last_insert_rowid()")
}

/// Something in the schema that asks for it: a trigger, a view, a default.
pub(super) const ASKS_ID: &str = "SELECT 1 FROM (SELECT sql FROM sqlite_schema UNION ALL SELECT sql FROM sqlite_temp_schema) \
    WHERE instr(lower(sql), 'last_insert_rowid') > 0 LIMIT 1";

/// What asks how many rows were changed. The rows of plans and of the version table are changed by the same connection.
pub(super) fn asks_count(statement: &str) -> Option<&'static str> {
    const ASKS: &[u8] = b"changes";
    // Scripts of millions of statements come by here.
    if !token::holds(statement, ASKS) {
        return None;
    }
    let words: Vec<&str> = token::significant(statement, &split::SQLITE)
        .map(|token| &statement[token.span])
        .collect();
    // Behind these words it is the name of a table.
    let named = |before: Option<&&str>| {
        let words = [
            ".",
            "INTO",
            "TABLE",
            "EXISTS",
            "REFERENCES",
            "ON",
            "VIEW",
            "WITH",
            "RECURSIVE",
        ];
        before.is_some_and(|before| words.iter().any(|word| before.eq_ignore_ascii_case(word)))
    };
    let asks = |name: &str| {
        let mut pairs = words.windows(2).enumerate();
        pairs.any(|(at, pair)| {
            pair[1] == "("
                && token::unquoted(pair[0]).eq_ignore_ascii_case(name)
                && !named(at.checked_sub(1).and_then(|at| words.get(at)))
        })
    };
    let asked = [("total_changes", TOTAL_CHANGES), ("changes", CHANGES)];
    asked.into_iter().find(|(name, _)| asks(name)).map(|(_, asked)| asked)
}

/// What may have another answer to that.
pub(super) fn sets_count(statement: &str) -> bool {
    gives_id(statement) || matches!(first_word(statement).as_str(), "UPDATE" | "DELETE")
}

/// Only a statement that changes as many rows gives a number back. CREATE TABLE … AS counts none, and DELETE leaves
/// `last_insert_rowid()` alone.
pub(super) fn give_count(rows: &str) -> Vec<String> {
    vec![
        format!(
            "CREATE TABLE temp.sqlrev_counted AS WITH RECURSIVE n(i) AS (SELECT 1 WHERE {rows} > 0 \
             UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) SELECT i FROM n"
        ),
        "DELETE FROM temp.sqlrev_counted".to_owned(),
        "DROP TABLE temp.sqlrev_counted".to_owned(),
    ]
}

/// Whether a statement is refused for what the connection lacks and an application may give to its own: no reason to take
/// a view or a trigger for broken.
pub(super) fn is_registered(message: &str) -> bool {
    ["no such function: ", "no such collation sequence: ", "no such module: "]
        .iter()
        .any(|words| message.contains(words))
}

/// What stands in the place of an application's functions on a scratch database: a query for their names.
pub(super) const LENT: &str =
    "SELECT name FROM pragma_function_list WHERE NOT builtin AND narg = -1 AND flags & 0x100000";

/// What a database in memory may lack that a statement is refused for, by SQLite's words.
pub(super) fn lacks(message: &str) -> Lack {
    // An application registers some, and extensions bring others along (appfunc.html, loadext.html).
    let registered = [
        "unknown function: ",
        "not authorized",
        "unable to open database",
        "unknown database ",
    ];
    if is_registered(message) || registered.iter().any(|words| message.contains(words)) {
        return Lack::Server;
    }
    // An attached database is empty in a replay.
    if let Some((_, name)) = message.split_once("no such table: ")
        && let Some((schema, _)) = name.split_once('.')
    {
        let own = ["main", "temp"].iter().any(|own| schema.eq_ignore_ascii_case(own));
        return if own { Lack::Object } else { Lack::Server };
    }
    if message.contains("no such ") || message.contains(" has no column named ") {
        return Lack::Object;
    }
    Lack::Nothing
}

/// Has a connection read all definitions again (<https://www.sqlite.org/pragma.html#pragma_writable_schema>).
pub(super) const READS_SCHEMA: &str = "PRAGMA writable_schema = RESET";

/// RESET lets go of virtual tables with what they have not written yet, and full-text ones go on beside it. They write at a
/// savepoint (vtab.html, section 2.20).
pub(super) const WRITES: [&str; 2] = ["SAVEPOINT sqlrev_written", "RELEASE sqlrev_written"];

/// Likewise, wherever it is; and fails where what was written cannot be read.
pub(super) const READS_ALL: [&str; 4] = [
    WRITES[0],
    WRITES[1],
    READS_SCHEMA,
    "SELECT 1 FROM sqlite_schema LIMIT 0",
];

/// Rows do not matter to a schema, and other files are left alone. What a ROLLBACK takes back was a change of the schema,
/// perhaps.
pub(super) fn replay(statement: &str) -> Replay {
    match first_word(statement).as_str() {
        "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "WITH" if touches_schema(statement) => Replay::Run,
        // The next revision works with what was written.
        "PRAGMA" if settings::opens_schema(statement) == Some(false) => Replay::Instead(READS_SCHEMA.to_owned()),
        "PRAGMA" if matters_to_schema(statement) => Replay::Run,
        "CREATE" | "ALTER" | "DROP" | "DETACH" => Replay::Run,
        "BEGIN" | "COMMIT" | "END" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" => Replay::Run,
        "ATTACH" => match attached_name(statement) {
            Some(name) => Replay::Instead(format!("ATTACH ':memory:' AS {name}")),
            None => Replay::Skip,
        },
        "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "WITH" | "SELECT" | "VALUES" | "EXPLAIN" | "PRAGMA" | "VACUUM"
        | "ANALYZE" | "REINDEX" => Replay::Skip,
        // What is no statement is refused by the database, and not passed over.
        _ => Replay::Run,
    }
}

/// Other files are left alone: one is attached in memory, none is written.
pub(super) fn beyond(statement: &str) -> Option<Replay> {
    match first_word(statement).as_str() {
        "ATTACH" if attaches_a_new_one(statement) => None,
        "ATTACH" => Some(replay(statement)),
        "VACUUM"
            if token::keywords(statement, &split::SQLITE, 3)
                .iter()
                .any(|word| word == "INTO") =>
        {
            Some(Replay::Skip)
        }
        _ => None,
    }
}

fn touches_schema(statement: &str) -> bool {
    let mut words = token::significant(statement, &split::SQLITE);
    words.any(|token| {
        let word = &statement[token.span.clone()];
        token.kind != Kind::Text && word.len() < 20 && {
            let name = token::unquoted(word).to_ascii_lowercase();
            name == "sqlite_schema" || name == "sqlite_master"
        }
    })
}

fn matters_to_schema(pragma: &str) -> bool {
    let lower = pragma.to_ascii_lowercase();
    ["writable_schema", "legacy_alter_table", "schema_version"]
        .iter()
        .any(|name| lower.contains(name))
}

/// Whether an ATTACH makes a database of its own: in memory, or in a file without a name.
fn attaches_a_new_one(statement: &str) -> bool {
    let words = token::significant(statement, &split::SQLITE)
        .map(|token| &statement[token.span])
        .filter(|word| !word.eq_ignore_ascii_case("database"));
    let words: Vec<&str> = words.skip(1).take(2).collect();
    matches!(words[..], ["':memory:'" | "''", after] if after.eq_ignore_ascii_case("as"))
}

/// The statement that detaches the database which this one attaches, or detaches; none where the name is worked out.
pub(super) fn attaches(statement: &str) -> Option<(String, bool)> {
    let word = statement.get(..6)?;
    let attaches = word.eq_ignore_ascii_case("attach");
    if !attaches && !word.eq_ignore_ascii_case("detach") {
        return None;
    }
    let tokens: Vec<token::Token> = token::significant(statement, &split::SQLITE).collect();
    let word = |at: usize| {
        tokens
            .get(at)
            .map_or("", |token: &token::Token| &statement[token.span.clone()])
    };
    let is = |at: usize, what: &str| word(at).eq_ignore_ascii_case(what);
    let at = if attaches {
        (0..tokens.len()).rposition(|at| is(at, "as"))? + 1
    } else {
        1 + usize::from(is(1, "database"))
    };
    let name = tokens.get(at).filter(|token| token.kind != Kind::Symbol)?;
    let ends = at + 1 == tokens.len() || is(at + 1, "key");
    let name = token::unquoted(&statement[name.span.clone()]).to_ascii_lowercase();
    ends.then(|| (format!("DETACH {}", quoted(&name, '"')), attaches))
}

/// A database that goes with its connection, and all that is in it.
pub(super) fn works_out(statement: &str) -> Option<String> {
    let attaches = statement
        .get(..6)
        .is_some_and(|word| word.eq_ignore_ascii_case("ATTACH"));
    if !attaches || !attaches_a_new_one(statement) {
        return None;
    }
    let name = attached_name(statement)?;
    Some(format!("attached database `{}`", token::unquoted(name)))
}

/// The name after the last AS of an ATTACH, as it is written.
fn attached_name(statement: &str) -> Option<&str> {
    let tokens: Vec<&str> = token::significant(statement, &split::SQLITE)
        .map(|token| &statement[token.span])
        .collect();
    let at = tokens.iter().rposition(|word| word.eq_ignore_ascii_case("as"))?;
    tokens.get(at + 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_keeps_to_itself() {
        let cases = [
            ("CREATE TABLE t (a)", Replay::Run),
            ("create view v as select 1", Replay::Run),
            ("INSERT INTO t VALUES ('sqlite_schema')", Replay::Skip),
            ("UPDATE \"sqlite_schema\" SET sql = ''", Replay::Run),
            ("VACUUM INTO 'copy.db'", Replay::Skip),
            ("PRAGMA journal_mode = WAL", Replay::Skip),
            ("PRAGMA writable_schema = ON", Replay::Run),
            ("ROLLBACK TO s", Replay::Run),
            (
                "ATTACH DATABASE 'as.db' AS [other]",
                Replay::Instead("ATTACH ':memory:' AS [other]".to_owned()),
            ),
        ];
        for (sql, want) in cases {
            assert_eq!(replay(sql), want, "{sql}");
        }
    }

    #[test]
    fn what_asks_for_the_last_row() {
        assert!(asks_id("INSERT INTO c VALUES (LAST_INSERT_ROWID())").is_some());
        for sql in [
            "SELECT 'last_insert_rowid'",
            "SELECT 1 -- last_insert_rowid()",
            "SELECT 1",
        ] {
            assert!(asks_id(sql).is_none(), "{sql}");
        }
        assert!(gives_id("replace into t values (1)"));
        assert!(!gives_id("UPDATE t SET a = 1"));
    }

    #[test]
    fn what_asks_for_changed_rows() {
        let check = |sql: &str, want: Option<&str>| assert_eq!(asks_count(sql), want, "{sql}");
        check("INSERT INTO n VALUES (Changes ( ))", Some(CHANGES));
        check("SELECT changes() - total_changes()", Some(TOTAL_CHANGES));
        check("SELECT \"changes\"()", Some(CHANGES));
        check("SELECT changes, 'changes()' FROM changes -- changes()", None);
        check("INSERT INTO total_changes (a) SELECT changes() FROM t", Some(CHANGES));
        check("CREATE TABLE IF NOT EXISTS changes (a)", None);
        assert!(sets_count("delete from t"));
        assert!(!sets_count("CREATE TABLE t (a)"));
    }

    #[test]
    fn what_cannot_stand_in_a_transaction() {
        assert!(stands_alone("vacuum"));
        assert!(!stands_alone("INSERT INTO t VALUES (1)"));
        assert!(sets_up_connection("create temp table t (a)"));
        assert!(!sets_up_connection("create table temp (a)"));
    }
}
