fn main() {
    sqlrev::build::embed("migrations");
    // What the first release had, which lives on in `notes-1`, so that the two can be tried on one file.
    sqlrev::build::embed_as("first.bin", &sqlrev::dialect::sqlite::Sqlite, "migrations-1");
}
