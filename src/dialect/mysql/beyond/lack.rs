//! What the server of a scratch database may lack, where a history is replayed there.

use crate::dialect::Lack;

/// What a statement is refused for, by the server's own number (MySQL's error reference, and MariaDB's error codes).
pub(in crate::dialect::mysql) fn of(code: &str, message: &str) -> Lack {
    match code {
        // Another database, and what this user may not do.
        "1044" | "1045" | "1049" | "1142" | "1143" | "1227" | "1370" | "1410" | "1698" => Lack::Server,
        // A function of the server, an engine, character set, collation, variable, plugin or time zone that this server does not have.
        "1305" | "1286" | "1115" | "1273" | "1193" | "1524" | "1298" => Lack::Server,
        // What cannot be done without other settings of the server: logs of functions, files.
        "1418" | "1419" | "1290" => Lack::Server,
        // A table of another database.
        "1146" if !message.contains("'sqlrev_scratch") => Lack::Server,
        // Something does not exist.
        "1146" | "1051" | "1054" | "1091" | "1176" | "1347" | "1356" | "1360" | "1539" | "4092" => Lack::Object,
        // Constraints, and what routines raise.
        "1048" | "1062" | "1242" | "1364" | "1406" | "1451" | "1452" | "1644" | "3819" | "4025" => Lack::Rows,
        _ => Lack::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_may_lack() {
        let missing = |name: &str| format!("Table '{name}' doesn't exist");
        for (code, message, expect) in [
            ("1227", "Access denied; you need SUPER".to_owned(), Lack::Server),
            ("1146", missing("other.t"), Lack::Server),
            ("1146", missing("sqlrev_scratch_1.t"), Lack::Object),
            ("1062", "Duplicate entry".to_owned(), Lack::Rows),
            ("1064", "You have an error in your SQL syntax".to_owned(), Lack::Nothing),
            ("1050", "Table 't' already exists".to_owned(), Lack::Nothing),
        ] {
            assert_eq!(of(code, &message), expect, "{message}");
        }
    }
}
