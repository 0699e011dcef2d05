//! Expressions in the words that MySQL settles on. It writes those of CHECKs, defaults, generated columns and indexes anew
//! whenever their table is altered, whatever the ALTER is about: what was `-(99)` in a new table is `-99` from then on, and
//! a text beside bytes one of bytes.

use crate::code::Code;
use crate::dialect::mysql::inspect::Reading;
use crate::dialect::mysql::schema::{is_scratch, literal, quoted};
use crate::error::Result;

impl Reading<'_> {
    /// On scratch, alters every table with expressions once in a way that changes nothing else. What was altered so is
    /// noted in the session, with its expressions, and not altered again while these are the same.
    pub(super) fn settle(&mut self) -> Result<()> {
        let Some(expressions) = self.server.rewritten().filter(|_| is_scratch(&self.database)) else {
            return Ok(());
        };
        let sql = format!(
            "SELECT t.table_name, t.table_comment, m.mark, FIND_IN_SET(m.mark, @sqlrev_settled) FROM information_schema.tables t \
             JOIN (SELECT e.name, CONCAT(SHA2(e.name, 256), SUM(CAST(CONV(LEFT(SHA2(e.words, 256), 15), 16, 10) AS UNSIGNED))) AS mark \
             FROM ({expressions}) e GROUP BY e.name) m ON m.name = t.table_name WHERE t.table_schema = DATABASE()"
        );
        let mut altered = false;
        for mut row in self.rows(&sql)? {
            let (name, comment, _, noted) = (row.text(), row.text(), row.text(), row.optional());
            if noted.is_none_or(|place| place == "0") {
                altered = true;
                let alter = format!("ALTER TABLE {} COMMENT={}", quoted(&name), literal(&comment));
                match (self.query)(&alter) {
                    Err(error) if error.code() == Code::Interrupted => return Err(error),
                    // Then it is compared in the words that it has.
                    _ => {}
                }
            }
        }
        if altered {
            let mut marks = String::new();
            for mut row in self.rows(&sql)? {
                let (_, _, mark) = (row.text(), row.text(), row.text());
                marks.push_str(&mark);
                marks.push(',');
            }
            (self.query)(&format!("SET @sqlrev_settled = '{marks}'"))?;
        }
        Ok(())
    }
}
