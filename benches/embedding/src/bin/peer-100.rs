//! rusqlite_migration with 100 revisions in a folder.

use include_dir::{Dir, include_dir};
use rusqlite_migration::Migrations;

static FOLDER: Dir<'_> = include_dir!("$OUT_DIR/peer-100");

fn main() {
    embedding::open(|db| {
        let migrations = Migrations::from_directory(&FOLDER).expect("migrations");
        migrations.to_latest(db).expect("an upgrade");
    });
}
