//! What would take from the session what a run stands on: the database, the encoding, the lock, the replicas.

use crate::dialect::mysql::session::{first, has_word, is, words};
use crate::sql::split;
use crate::sql::token::{self, Kind};

/// Why a statement would take from the session what the run itself stands on, and what to do instead.
pub(super) fn refused(statement: &str) -> Option<(&'static str, &'static str)> {
    if !statement
        .bytes()
        .next()
        .is_some_and(|first| b"uUlLfFxXsSdDeEpP/".contains(&first))
    {
        return None;
    }
    if is(first(statement), &["EXECUTE", "PREPARE"]) {
        // What is put together later is not seen.
        let mut tokens = token::significant(statement, &split::MYSQL);
        let text = tokens.find(|token| token.kind == Kind::Text)?;
        return refused(token::unquoted(&statement[text.span]).trim_start());
    }
    let words = words(statement, 2);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["USE", ..] => Some((
            "the version table would be looked for in the other database",
            "write the database before the name of each table: other.t",
        )),
        ["LOCK", "TABLE" | "TABLES", ..] => Some((
            "while tables are locked, the version table cannot be written to",
            "take the statement out, and UNLOCK TABLES; a dump is made without it by --skip-add-locks",
        )),
        ["FLUSH", ..] if has_word(statement, "READ") || has_word(statement, "EXPORT") => Some((
            "while tables are locked, the version table cannot be written to",
            "take the statement out",
        )),
        ["SET", ..] if other_charset(statement) => Some((
            "files are sent as UTF-8, and the server would take them for something else",
            "leave it out: the session speaks utf8mb4",
        )),
        ["LOAD", "DATA" | "XML"] if has_word(statement, "LOCAL") => Some((
            "LOAD DATA LOCAL reads a file of the machine that runs it",
            "write INSERTs, or load it with a client",
        )),
        ["SET", ..] if sets(statement, "sql_log_bin") => Some((
            "replicas would be told that the revision is applied, and not what it did",
            "leave it out, or let a client run the statements for which it is meant",
        )),
        ["SET", ..] if has_word(statement, "completion_type") => Some((
            "each COMMIT of the run itself would begin another transaction, or end the connection",
            "take it out, and write COMMIT AND CHAIN where that is meant",
        )),
        ["SELECT" | "DO" | "SET", ..] if has_word(statement, "RELEASE_ALL_LOCKS") => Some((
            "this gives up the lock that keeps other runs away",
            "give back by its name what the script has taken: DO RELEASE_LOCK(NAME)",
        )),
        ["XA", ..] => Some((
            "inside of a distributed transaction nothing else can be committed",
            "take the statement out",
        )),
        _ => None,
    }
}

/// Whether the statement gives a value to the variable, be it written `name` or `@@SESSION.name`.
fn sets(statement: &str, name: &str) -> bool {
    let mut words = token::significant(statement, &split::MYSQL).map(|token| &statement[token.span]);
    let mut last = "";
    words.any(|word| {
        let is_it = last.trim_matches('`').eq_ignore_ascii_case(name);
        last = word
            .rsplit_once('.')
            .map_or(word, |(_, name)| name)
            .trim_start_matches('@');
        is_it && (word == "=" || word == ":" || word == ":=")
    })
}

/// Whether the statement says that texts come in another encoding than UTF-8.
fn other_charset(statement: &str) -> bool {
    let words = token::significant(statement, &split::MYSQL).map(|token| {
        let word = statement[token.span].trim_start_matches('@');
        word.trim_matches(['\'', '"']).to_ascii_lowercase()
    });
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        let value = match word.as_str() {
            "names" | "charset" => words.next(),
            "character" => words.nth(1),
            // Where it is read, nothing is set.
            "character_set_client" if words.peek().is_some_and(|next| next == "=" || next == ":=") => words.nth(1),
            _ => continue,
        };
        // A variable holds what the session had before.
        let known = ["utf8", "utf8mb3", "utf8mb4", "binary", "ascii", "default", "="];
        let value = value.unwrap_or_default();
        if !known.contains(&value.as_str()) && !value.starts_with("old_") && !value.starts_with("saved_") {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::refused;

    #[test]
    fn what_is_refused() {
        assert!(refused("USE other").is_some());
        assert!(refused("lock tables t write").is_some());
        assert!(refused("FLUSH TABLES WITH READ LOCK").is_some());
        assert!(refused("FLUSH PRIVILEGES").is_none());
        assert!(refused("UPDATE t SET a = 1").is_none());
        assert!(refused("SET NAMES latin1").is_some());
        assert!(refused("SET NAMES 'utf8mb4' COLLATE utf8mb4_bin").is_none());
        assert!(refused("/*!40101 SET character_set_client = cp1252 */").is_some());
        assert!(refused("/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */").is_none());
        assert!(refused("/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */").is_none());
        assert!(refused("SET @saved_cs_client = @@character_set_client, NAMES latin1").is_some());
        assert!(refused("SET @@session.character_set_client := latin1").is_some());
        assert!(refused("SET CHARACTER SET koi8r").is_some());
        assert!(refused("SELECT RELEASE_ALL_LOCKS()").is_some());
        assert!(refused("SET SESSION sql_log_bin = 0").is_some());
        assert!(refused("SET @@SESSION.SQL_LOG_BIN= 0").is_some());
        assert!(refused("SET @a = 1, `sql_log_bin` := 0").is_some());
        assert!(refused("SET @OLD_BIN = @@SESSION.SQL_LOG_BIN").is_none());
        assert!(refused("LOAD DATA LOCAL INFILE 'a' INTO TABLE t").is_some());
        assert!(refused("LOAD DATA INFILE 'a' INTO TABLE t").is_none());
        assert!(refused("EXECUTE IMMEDIATE 'LOCK TABLES t WRITE'").is_some());
        assert!(refused("execute immediate CONCAT('USE ', @other)").is_some());
        assert!(refused("PREPARE s FROM 'use other'").is_some());
        assert!(refused("PREPARE s FROM 'UPDATE t SET a = 1'").is_none());
        assert!(refused("EXECUTE s").is_none());
    }
}
