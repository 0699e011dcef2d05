//! sqlrev with 1 revisions.

fn main() {
    embedding::open(|db| {
        sqlrev::Migrator::new(sqlrev::embedded!("1.bin")).upgrade(db).expect("an upgrade");
    });
}
