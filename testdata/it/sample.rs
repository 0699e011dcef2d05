//! The sample project of this repository, on the servers: changing the URL is all that it takes.

use std::path::Path;

use crate::place::Place;
use crate::server::{Database, Server};

on_mariadb_and_mysql! {
    the_sample_runs
}

fn the_sample_runs(server: Server) {
    let database = Database::on(server);
    let mut place = Place::new();
    place.variables = database.variables.clone();
    place.write("migrations.yaml", "locations: [migrations]\n");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    for folder in root.read_dir().expect("the sample is there") {
        let folder = folder.expect("an entry").path();
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        std::fs::create_dir(place.path(&format!("migrations/{name}"))).expect("a folder");
        for file in folder.read_dir().expect("a revision") {
            let file = file.expect("an entry").path();
            let copy = place
                .path(&format!("migrations/{name}"))
                .join(file.file_name().expect("a name"));
            std::fs::copy(file, copy).expect("it can be copied");
        }
    }
    place.must(&["upgrade"]);
    let overdue = database.query("SELECT email, title, due_on FROM overdue");
    assert_eq!(overdue, ["kurt@example.org|Invisible Cities|2026-02-07"]);
    place.must(&["check"]);
    place.must(&["downgrade", "base"]);
    place.must(&["upgrade"]);
    assert_eq!(database.query("SELECT SUM(pages) FROM books"), ["736"]);
}

#[test]
fn the_sample_runs_on_postgresql() {
    the_sample_runs(Server::Postgresql);
}
