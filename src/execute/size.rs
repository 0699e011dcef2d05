//! The sizes of tables that are copied: shown in plans, checked against the disk, and the measure of progress.

use std::sync::Arc;

use crate::code::Code;
use crate::dialect::{AlterStatement, COPY, Op, Rewrite, Rows, Size};
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::execute::Report;
use crate::execute::event::Work;
use crate::execute::online::Live;

/// From how many rows on a statement's progress is worth watching.
const MANY: u64 = 20_000;

/// Adds to a plan how large the tables are that it copies, as far as the database has them by these names.
pub fn measure(report: &mut Report, driver: &mut dyn Driver) {
    let copied = report.steps.iter_mut().flat_map(|ran| &mut ran.statements);
    for shown in copied.filter(|shown| shown.strategy == Some(COPY)) {
        shown.size = shown.table.as_deref().and_then(|table| size(driver, table));
    }
}

/// How large a table is; `None` where the database has none of this name, or cannot say.
fn size(driver: &mut dyn Driver, table: &str) -> Option<Size> {
    let sql = driver.dialect().size(table)?;
    let rows = numbers(&driver.query(&sql.rows).ok()?);
    let bytes = numbers(&driver.query(&sql.bytes).ok()?);
    match (&rows[..], &bytes[..]) {
        (&[rows], &[bytes, disk]) => Some(Size { rows, bytes, disk }),
        _ => None,
    }
}

/// Makes do with less memory for a copy, where nobody has chosen how much there is: what takes it back, then.
pub(crate) fn spare_memory(driver: &mut dyn Driver) -> Option<&'static str> {
    let [query, default, less, back] = driver.dialect().spares_memory()?;
    let now = driver.query(query).ok()?.into_iter().flatten().flatten().next()?;
    (now == default && driver.execute(less).is_ok()).then_some(back)
}

fn numbers(rows: &Rows) -> Vec<u64> {
    let first = rows.first().into_iter().flatten().flatten();
    first.filter_map(|value| value.parse().ok()).collect()
}

/// Refuses a copy for which the disk has no room. The bound costs nothing, so the pages are counted only when that
/// is more than there is.
///
/// # Errors
/// `database::disk_full`, before anything was copied.
pub(crate) fn room(driver: &mut dyn Driver, run: &[AlterStatement], rewrite: &Rewrite) -> Result<()> {
    let (Some(free), Some(sql)) = (driver.free_space(), driver.dialect().size(&rewrite.table)) else {
        return Ok(());
    };
    let mut ask = |sql: &str| driver.query(sql).map(|rows| numbers(&rows)).unwrap_or_default();
    if ask(&sql.bound).first().is_none_or(|bound| *bound <= free) {
        return Ok(());
    }
    let needed = match ask(&sql.bytes)[..] {
        [_, disk] if disk > free => disk,
        _ => return Ok(()),
    };
    let message = format!(
        "to copy `{}` takes about {} of disk, and {} are free",
        rewrite.table,
        in_words(needed),
        in_words(free)
    );
    let mut error = Error::new(Code::DiskFull, message);
    if let Some(first) = run.first() {
        let span = first.offset..first.offset + first.text.len();
        error = error.at(&first.file, span, format!("needs a copy: {}", rewrite.reason));
    }
    Err(error.help("make room, then run the same command again"))
}

/// What a statement of a copy will be at work on; `None` when it is not worth a word.
pub(crate) fn work(driver: &mut dyn Driver, rewrite: &Rewrite, op: &Op, rows: u64) -> Option<Work> {
    let Op::Sql { sql, .. } = op else { return None };
    let what = match sql {
        _ if rows < MANY => return None,
        sql if sql.starts_with("INSERT ") => "copying",
        sql if ["CREATE INDEX ", "CREATE UNIQUE INDEX "]
            .iter()
            .any(|words| starts_with(sql, words)) =>
        {
            "building an index of"
        }
        _ => return None,
    };
    let dialect = driver.dialect();
    let total = dialect.work(sql, rows, &mut Live { driver: &mut *driver })?;
    Some(Work {
        what: format!("{what} {}", rewrite.table),
        rows,
        total,
        done: driver.work_done()?,
        phase: None,
    })
}

/// What a statement that is sent as it is written will be at work on, where the database tells how far it is.
pub(crate) fn followed(driver: &mut dyn Driver, sql: &str) -> Option<Work> {
    let followed = driver.dialect().followed(sql)?;
    Some(Work {
        what: followed.what.to_owned(),
        rows: 0,
        total: 0,
        done: Arc::default(),
        phase: Some(driver.follow(Some(followed.query))?),
    })
}

fn starts_with(sql: &str, words: &str) -> bool {
    sql.get(..words.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(words))
}

/// The rows of a table that is copied, where somebody watches.
pub(crate) fn rows(driver: &mut dyn Driver, rewrite: &Rewrite) -> u64 {
    let sql = driver
        .dialect()
        .size(&rewrite.table)
        .filter(|_| rewrite.strategy == COPY);
    let rows = sql.and_then(|sql| driver.query(&sql.rows).ok());
    rows.and_then(|rows| numbers(&rows).first().copied()).unwrap_or(0)
}

/// A number of bytes in words: `388.1 MiB`.
pub fn in_words(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = bytes.saturating_mul(10) / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    let rest = if tenths.is_multiple_of(10) {
        String::new()
    } else {
        format!(".{}", tenths % 10)
    };
    format!("{}{rest} {}", tenths / 10, UNITS[unit])
}

#[cfg(all(test, feature = "bundled"))]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::driver::{DriverError, sqlite};
    use crate::source::SourceFile;

    #[test]
    fn bytes_in_words() {
        let check = |bytes: u64, expect: &str| assert_eq!(in_words(bytes), expect);
        check(0, "0 B");
        check(8192, "8 KiB");
        check(1_500_000, "1.4 MiB");
        check(3 << 30, "3 GiB");
    }

    /// A database on a disk with so much room.
    struct Small(rusqlite::Connection, u64);

    impl Driver for Small {
        fn dialect(&self) -> &'static dyn Dialect {
            Driver::dialect(&self.0)
        }

        fn execute(&mut self, sql: &str) -> Result<(), DriverError> {
            Driver::execute(&mut self.0, sql)
        }

        fn query(&mut self, sql: &str) -> Result<Rows, DriverError> {
            Driver::query(&mut self.0, sql)
        }

        fn free_space(&self) -> Option<u64> {
            Some(self.1)
        }
    }

    #[test]
    fn a_copy_that_does_not_fit_is_refused() {
        let mut db = Small(sqlite::memory().expect("a database"), 0);
        for sql in [
            "CREATE TABLE t (a TEXT)",
            "CREATE INDEX i ON t (a)",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
             INSERT INTO t SELECT hex(randomblob(50)) FROM n",
        ] {
            db.execute(sql).expect("a statement");
        }
        let text = "ALTER TABLE t ALTER a TYPE BLOB";
        let run = [AlterStatement {
            text: text.to_owned(),
            file: SourceFile::new("upgrade.sql", text),
            offset: 0,
        }];
        let rewrite = Rewrite {
            table: "t".to_owned(),
            consumed: 1,
            strategy: COPY,
            reason: "values change".to_owned(),
            ops: Vec::new(),
            notices: Vec::new(),
            broken: Vec::new(),
        };
        let needed = size(&mut db, "t").expect("a size").disk;
        let mut with = |free: u64| {
            db.1 = free;
            room(&mut db, &run, &rewrite)
        };
        let error = with(needed - 1).expect_err("too small");
        assert_eq!(error.code(), Code::DiskFull);
        assert!(error.message().contains(&in_words(needed)), "{}", error.message());
        with(needed).expect("it just fits");
    }
}
