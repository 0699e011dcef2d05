//! Whether a statement that our own reader gave up on has a meaning elsewhere; the only file that calls sqlparser.

use sqlparser::dialect::{Dialect, MySqlDialect, PostgreSqlDialect};
use sqlparser::parser::Parser;

/// Texts above this size are not analysed.
const LIMIT: usize = 64 * 1024;

/// The database in whose language an ALTER TABLE that our own reader gave up on has a meaning, if there is one.
///
/// sqlparser's trees can exhaust a small stack, so it works on a thread with a large one.
pub fn meant_for(text: &str) -> Option<&'static str> {
    if text.len() > LIMIT {
        return None;
    }
    let parses = |dialect: &dyn Dialect| Parser::parse_sql(dialect, text).is_ok_and(|statements| statements.len() == 1);
    let judge = move || {
        if parses(&PostgreSqlDialect {}) {
            Some("PostgreSQL")
        } else if parses(&MySqlDialect {}) {
            Some("MySQL")
        } else {
            None
        }
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(64 << 20)
            .spawn_scoped(scope, judge);
        thread.ok().and_then(|thread| thread.join().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_databases_are_known() {
        assert_eq!(meant_for("ALTER TABLE t OWNER TO joe"), Some("PostgreSQL"));
        assert_eq!(meant_for("ALTER TABLE t FROBNICATE"), None);
    }
}
