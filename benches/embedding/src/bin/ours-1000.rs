//! sqlrev with 1000 revisions.

fn main() {
    embedding::open(|db| {
        sqlrev::Migrator::new(sqlrev::embedded!("1000.bin")).upgrade(db).expect("an upgrade");
    });
}
