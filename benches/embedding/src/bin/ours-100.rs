//! sqlrev with 100 revisions.

fn main() {
    embedding::open(|db| {
        sqlrev::Migrator::new(sqlrev::embedded!("100.bin")).upgrade(db).expect("an upgrade");
    });
}
