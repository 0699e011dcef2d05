//! rusqlite alone.

fn main() {
    embedding::open(|db| db.execute_batch("SELECT 1").expect("a query"));
}
