fn main() {
    sqlrev::build::embed_for(&sqlrev::dialect::postgres::Postgres, "migrations");
}
