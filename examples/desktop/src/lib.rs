//! Notes in one file on the user's machine. Opening the file brings it to the schema of this program; that is all there
//! is to it.

use std::error::Error;
use std::path::Path;

use rusqlite::Connection;
use sqlrev::{Code, Embedded, Event, Migrator, Status};

/// The revisions of a release, with the code that belongs to them.
pub fn migrator(revisions: Embedded, release: &str) -> Migrator {
    let migrator = Migrator::new(revisions).application(release);
    // The first release has no such revision.
    if release == "notes 1.0.0" {
        return migrator;
    }
    migrator.on_upgrade("93a4fd1e", |data| {
        let db = data.sqlite()?;
        let mut notes = db.prepare("SELECT id, body FROM notes")?;
        let mut write = db.prepare("UPDATE notes SET words = ? WHERE id = ?")?;
        let mut rows = notes.query([])?;
        while let Some(row) = rows.next()? {
            let (id, body): (i64, String) = (row.get(0)?, row.get(1)?);
            let words = i64::try_from(body.split_whitespace().count())?;
            write.execute((words, id))?;
        }
        Ok(())
    })
}

/// Opens the file of notes, and migrates it when it is older than the program.
pub fn open(path: &Path, migrator: &Migrator) -> Result<Connection, Box<dyn Error>> {
    let mut db = Connection::open(path)?;
    let mut progress = |event: Event<'_>| {
        if let Event::Started { message, .. } = event {
            eprintln!("bringing your notes up to date: {message}");
        }
    };
    match migrator.run(&mut db).events(&mut progress).upgrade("heads") {
        Ok(_) => {}
        // A newer release was here. What it wrote can still be read.
        Err(error) if error.code() == Code::NewerDatabase => {
            eprintln!("{error}: {}", error.help_lines().first().map_or("", String::as_str));
            db.pragma_update(None, "query_only", true)?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(db)
}

/// Runs a command of the program.
pub fn run(migrator: &Migrator) -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [path, "add", body] => {
            let db = open(Path::new(path), migrator)?;
            db.execute("INSERT INTO notes (body) VALUES (?)", [body])?;
        }
        // Many notes at once, to try how long an upgrade takes.
        [path, "fill", count] => {
            let db = open(Path::new(path), migrator)?;
            let count: u32 = count.parse()?;
            db.execute(
                "INSERT INTO notes (body) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
                 SELECT 'note number ' || i || ' of many, long enough to fill some pages of the file' FROM n",
                [count],
            )?;
        }
        [path] | [path, "list"] => {
            let db = open(Path::new(path), migrator)?;
            let mut notes = db.prepare("SELECT id, body FROM notes ORDER BY id")?;
            let mut rows = notes.query([])?;
            while let Some(row) = rows.next()? {
                println!("{} {}", row.get::<_, i64>(0)?, row.get::<_, String>(1)?);
            }
        }
        [path, "status"] => {
            let mut db = Connection::open(path)?;
            println!("{}", words_of(&migrator.status(&mut db)?));
        }
        // The user asked for the old program's schema back, and knows what goes.
        [path, "go-back"] => {
            let mut db = Connection::open(path)?;
            let report = migrator.downgrade_to_mine(&mut db)?;
            println!("{} revisions were rolled back", report.steps.len());
        }
        _ => return Err("usage: notes FILE [list | add TEXT | fill COUNT | status | go-back]".into()),
    }
    Ok(())
}

fn words_of(status: &Status) -> String {
    match status {
        Status::UpToDate => "up to date".to_owned(),
        Status::Behind { pending } => format!("{} revisions to apply", pending.len()),
        Status::Ahead { unknown } => format!("{} revisions are of a newer release", unknown.len()),
        other => format!("{other:?}"),
    }
}
