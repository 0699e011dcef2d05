//! Expressions in the words that MySQL settles on. It writes those of CHECKs, defaults, generated columns and indexes anew
//! whenever their table is altered, whatever the ALTER is about: what was `-(99)` in a new table is `-99` from then on, and
//! a text beside bytes one of bytes.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::code::Code;
use crate::dialect::mysql::inspect::Reading;
use crate::dialect::mysql::schema::{is_scratch, literal, quoted};
use crate::error::Result;

/// The marks of tables that an ALTER has left as they are. What it writes depends on nothing but the table and the server's
/// version, so that the next scratch database need not ask again.
static SETTLED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

impl Reading<'_> {
    /// On scratch, alters every table with expressions once in a way that changes nothing else.
    pub(super) fn settle(&mut self) -> Result<()> {
        let Some(expressions) = self.server.rewritten().filter(|_| is_scratch(&self.database)) else {
            return Ok(());
        };
        // A mark is one of the name, the columns and the expressions.
        let sql = format!(
            "SELECT t.table_name, t.table_comment, m.mark FROM information_schema.tables t \
             JOIN (SELECT e.name, SHA2(CONCAT(VERSION(), ' ', e.name, ' ', \
             SUM(CAST(CONV(LEFT(SHA2(e.words, 256), 15), 16, 10) AS UNSIGNED))), 256) AS mark \
             FROM ({expressions} UNION ALL SELECT table_name, CONCAT_WS(' ', column_name, column_type, collation_name), 0 \
             FROM information_schema.columns WHERE table_schema = DATABASE()) e \
             GROUP BY e.name HAVING SUM(e.counts) > 0) m ON m.name = t.table_name WHERE t.table_schema = DATABASE()"
        );
        let mut altered = BTreeSet::new();
        for mut row in self.rows(&sql)? {
            let (name, comment, mark) = (row.text(), row.text(), row.text());
            if is_settled(&mark) {
                continue;
            }
            let alter = format!("ALTER TABLE {} COMMENT={}", quoted(&name), literal(&comment));
            match (self.query)(&alter) {
                Err(error) if error.code() == Code::Interrupted => return Err(error),
                // Then it is compared in the words that it has.
                Err(_) => {}
                Ok(_) => {
                    altered.insert(name);
                }
            }
        }
        if !altered.is_empty() {
            let marks = self.rows(&sql)?.filter_map(|mut row| {
                let (name, _, mark) = (row.text(), row.text(), row.text());
                altered.contains(&name).then_some(mark)
            });
            SETTLED.lock().unwrap_or_else(PoisonError::into_inner).extend(marks);
        }
        Ok(())
    }
}

fn is_settled(mark: &str) -> bool {
    SETTLED.lock().unwrap_or_else(PoisonError::into_inner).contains(mark)
}
