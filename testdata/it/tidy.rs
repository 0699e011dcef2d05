//! Order in the house: what no compiler checks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sqlrev::code::Code;

use crate::place::Place;

/// The floors of ARCHITECTURE.md, from the ground up. A module may use what is below it.
const FLOORS: &[&[&str]] = &[
    &[
        "source", "error", "code", "moment", "percent", "secret", "shell", "sorted",
    ],
    &["sql", "yaml"],
    &["revision", "schema"],
    &["dialect"],
    &["driver", "project"],
    &["version"],
    &["execute"],
    &["migrator", "build"],
    &["cli"],
];

/// Neighbours on a floor that know each other.
const NEIGHBOURS: &[(&str, &str)] = &[
    ("error", "code"),
    ("error", "source"),
    ("code", "error"),
    ("percent", "code"),
    ("percent", "error"),
    ("secret", "percent"),
    ("secret", "source"),
];

/// Files of more than [`LONG`] lines, and why they are not two.
const LONG_FILES: &[(&str, &str)] = &[
    ("src/cli/graph.rs", "one drawing, and its pictures in the tests"),
    ("src/project/tests.rs", "tests"),
    ("src/sql/parse/alter.rs", "one grammar, and its tests"),
];
const LONG: usize = 500;

/// Codes without a case in `testdata`, and why.
const WITHOUT_CASE: &[(&str, &str)] = &[
    ("execute::interrupted", "needs a signal: it/kill.rs"),
    ("script::after_copy", "COPY is PostgreSQL's: src/sql/split/tests.rs"),
    ("lock::contended", "needs a second session: it/postgres.rs"),
    ("batch::verification_failed", "would be a defect"),
    ("batch::left_out", "a program of its own: src/dialect/sqlite/plain.rs"),
    (
        "execute::in_transaction",
        "a connection of an application's: it/library.rs",
    ),
    ("execute::code_failed", "an application's own code: it/own_code.rs"),
    ("execute::code_unexpected", "an application's own code: it/own_code.rs"),
    (
        "version::newer_database",
        "an application's older version: it/library.rs",
    ),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files under a folder with this ending, by their names from the root, and their texts.
fn files(folder: &str, ending: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let name = path
                    .strip_prefix(root())
                    .expect("inside")
                    .to_string_lossy()
                    .replace('\\', "/");
                found.insert(name, std::fs::read_to_string(&path).expect("a text"));
            }
        }
    }
    found
}

/// The files of `src` without their tests.
fn sources() -> BTreeMap<String, String> {
    let all = files("src", ".rs");
    let tests = test_files(&all);
    let code = |text: &str| text.split("\nmod tests {").next().unwrap_or_default().to_owned();
    let code = |(name, text): (&String, &String)| (!tests.contains(name)).then(|| (name.clone(), code(text)));
    all.iter().filter_map(code).collect()
}

/// The files that a `#[cfg(test)] mod` line brings in.
fn test_files(all: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for (name, text) in all {
        let path = Path::new(name);
        let folder = if matches!(
            path.file_name().and_then(|name| name.to_str()),
            Some("mod.rs" | "lib.rs")
        ) {
            path.parent().expect("a folder").to_owned()
        } else {
            path.with_extension("")
        };
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            let word = pair[1].trim_end_matches(';').rsplit(' ').next().unwrap_or_default();
            if pair[0].starts_with("#[cfg(")
                && pair[0].contains("test")
                && pair[1].contains("mod ")
                && pair[1].ends_with(';')
            {
                tests.insert(folder.join(word).with_extension("rs").to_string_lossy().into_owned());
            }
        }
    }
    tests
}

/// The module of a file, and the modules of the crate that its text names.
fn uses<'t>(name: &str, text: &'t str) -> (String, BTreeSet<&'t str>) {
    let module = name
        .trim_start_matches("src/")
        .split(['/', '.'])
        .next()
        .unwrap_or_default();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let names = code.flat_map(|line| {
        line.split("crate::").skip(1).map(|rest| {
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            &rest[..end]
        })
    });
    (module.to_owned(), names.filter(|name| !name.is_empty()).collect())
}

#[test]
fn every_use_points_down() {
    let floor = |module: &str| FLOORS.iter().position(|modules| modules.contains(&module));
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let (module, used) = uses(&name, &text);
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        let Some(own) = floor(&module) else {
            wrong.push(format!(
                "{name}: `{module}` stands on no floor; give it one in FLOORS and in ARCHITECTURE.md"
            ));
            continue;
        };
        for other in used.into_iter().filter(|other| *other != module) {
            match floor(other) {
                Some(at) if at < own || NEIGHBOURS.contains(&(&module, other)) => {}
                Some(at) if at == own => wrong.push(format!("{name}: `{module}` may not use `{other}`, its neighbour")),
                Some(_) => wrong.push(format!("{name}: `{module}` may not use `{other}`, which is above it")),
                None => wrong.push(format!(
                    "{name}: `crate::{other}` is no module; write out the module's path"
                )),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_a_page_and_a_case() {
    let cases = files("testdata", ".md");
    let mut missing = Vec::new();
    for code in Code::ALL {
        let name = code.name().trim_start_matches("sqlrev::");
        assert!(code.explain().len() > 25, "`{name}` needs more of an explanation");
        let shown = [
            format!("error[sqlrev::{name}]"),
            format!("\"code\": \"sqlrev::{name}\""),
        ];
        let has_case = cases
            .values()
            .any(|text| shown.iter().any(|shown| text.contains(shown)));
        let excused = WITHOUT_CASE.iter().any(|(without, _)| *without == name);
        assert!(
            !(has_case && excused),
            "`{name}` has a case: take it out of WITHOUT_CASE"
        );
        if !has_case && !excused {
            missing.push(format!(
                "`{name}`: write testdata/errors/{}.md",
                name.replace("::", "_")
            ));
        }
    }
    assert!(missing.is_empty(), "codes without a case:\n{}", missing.join("\n"));
    for (name, reason) in WITHOUT_CASE {
        assert!(
            Code::from_name(name).is_some() && !reason.is_empty(),
            "`{name}` is no code"
        );
    }
}

#[test]
fn dialects_are_told_apart_in_one_place() {
    for (name, text) in sources() {
        for dialect in ["sqlite", "postgresql", "mysql", "mariadb"] {
            for compared in ["==", "!=", "=>"] {
                let [before, after] = [format!("\"{dialect}\" {compared}"), format!("{compared} \"{dialect}\"")];
                let url = name == "src/project/url.rs" && compared == "=>";
                assert!(
                    name.starts_with("src/dialect/") || url || !text.contains(&before) && !text.contains(&after),
                    "{name} tells dialects apart by the name `{dialect}`: ask the `Dialect` instead"
                );
            }
        }
    }
}

#[test]
fn files_are_short_and_say_what_is_done() {
    let mut texts = files("src", ".rs");
    texts.extend(files("testdata", ".rs"));
    texts.extend(files("benches", ".rs"));
    for (name, text) in &texts {
        let excused = LONG_FILES.iter().any(|(long, _)| long == name);
        let lines = text.lines().count();
        assert!(lines <= LONG || excused, "{name} has {lines} lines: is it two things?");
        for (number, line) in text.lines().enumerate() {
            let at = number + 1;
            let words =
                [["TO", "DO"], ["FIX", "ME"], ["XX", "X"], ["dbg", "!("], ["todo", "!("]].map(|parts| parts.concat());
            let found = words.iter().find(|word| line.contains(word.as_str()));
            assert!(found.is_none(), "{name}:{at} says {found:?}");
        }
    }
    for (name, text) in sources() {
        for word in [".unwrap()", "println!(", "eprintln!(", "panic!(", "unimplemented!("] {
            let at = text
                .lines()
                .position(|line| line.contains(word) && !line.trim_start().starts_with("//"));
            assert!(at.is_none(), "{name}:{} has {word}", at.unwrap_or_default() + 1);
        }
    }
}

#[test]
fn lists_of_exceptions_hold_no_more_than_is_needed() {
    let texts = files("src", ".rs");
    for (name, reason) in LONG_FILES {
        let lines = texts.get(*name).map_or(0, |text| text.lines().count());
        assert!(lines > LONG && !reason.is_empty(), "{name} is not long any more");
    }
}

#[test]
fn the_readme_shows_what_the_examples_say() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("it is there");
    let mut shown = 0;
    for block in readme.split("\n```rust ").skip(1) {
        let (name, rest) = block.split_once('\n').expect("lines");
        let code = rest.split("\n```").next().expect("an end");
        let file = std::fs::read_to_string(root().join(name)).expect(name);
        assert!(file.contains(code), "{name} does not say:\n{code}");
        shown += 1;
    }
    assert!(shown > 0);
}

#[test]
fn the_configuration_is_what_init_writes() {
    let place = Place::new();
    place.must(&["init", "new"]);
    let written = std::fs::read_to_string(place.path("new/migrations.yaml")).expect("init writes it");
    let ours = std::fs::read_to_string(root().join("migrations.yaml")).expect("it is there");
    assert_eq!(written, ours);
    assert_eq!(place.path("new/migrations").read_dir().expect("a folder").count(), 0);
}

#[test]
fn the_map_of_the_code_shows_every_module() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("a map");
    for module in FLOORS.iter().copied().flatten().filter(|module| **module != "schema") {
        assert!(
            map.contains(&format!("`src/{module}")),
            "ARCHITECTURE.md does not say where `{module}` is"
        );
    }
}
