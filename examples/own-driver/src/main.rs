//! Opens a database through its own driver, migrates it, and lists who is in it.

mod driver;

use std::error::Error;

use driver::Own;
use rusqlite::Connection;
use sqlrev::Migrator;

fn open(path: &str) -> Result<Own, Box<dyn Error>> {
    let mut db = Own(Connection::open(path)?);
    Migrator::new(sqlrev::embedded!()).upgrade(&mut db)?;
    Ok(db)
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| ":memory:".to_owned());
    let Own(db) = open(&path)?;
    let mut people = db.prepare("SELECT name FROM people ORDER BY name")?;
    let mut rows = people.query([])?;
    while let Some(row) = rows.next()? {
        println!("{}", row.get::<_, String>(0)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlrev::{Code, Status};

    #[test]
    fn the_own_driver_makes_copies() -> Result<(), Box<dyn Error>> {
        let folder = std::env::temp_dir().join(format!("own-driver-{}", std::process::id()));
        std::fs::create_dir(&folder)?;
        let path = folder.join("people.db");
        let mut db = open(path.to_str().ok_or("a path")?)?;
        let backup = sqlrev::migrator::Backup::always();
        let migrator = Migrator::new(sqlrev::embedded!()).backup(backup.clone());
        migrator.downgrade(&mut db, "-1")?;
        let copies = backup.list(&path)?;
        assert_eq!(copies.len(), 1);
        assert!(migrator.is_up_to_date(&mut Own(Connection::open(&copies[0])?))?);
        std::fs::remove_dir_all(folder)?;
        Ok(())
    }

    #[test]
    fn the_own_driver_goes_up_and_down() -> Result<(), Box<dyn Error>> {
        let migrator = Migrator::new(sqlrev::embedded!());
        let mut db = open(":memory:")?;
        assert_eq!(migrator.status(&mut db)?, Status::UpToDate);
        db.0.execute("INSERT INTO people (name) VALUES ('Ada')", [])
            .unwrap_err();
        db.0.execute("INSERT INTO people (name) VALUES (NULL)", []).unwrap_err();
        migrator.downgrade(&mut db, "-1")?;
        db.0.execute("INSERT INTO people (name) VALUES ('Ada')", [])?;
        let error = migrator.upgrade(&mut db).unwrap_err();
        assert_eq!(error.code(), Code::BatchDuplicates);
        assert!(db.0.is_autocommit());
        migrator.downgrade(&mut db, "base")?;
        let tables: i64 = db.0.query_row(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlrev%'",
            [],
            |row| row.get(0),
        )?;
        assert_eq!(tables, 0);
        Ok(())
    }
}
