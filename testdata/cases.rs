//! Runs every `testdata/*/*.md`, README.md and grammar/case.md as a test. The format is explained in `grammar/case.md`.
//!
//! `UPDATE=1` rewrites outputs and schemas in place; the diff is the review.

#![expect(clippy::disallowed_methods, reason = "tests make folders and files of their own")]

mod case;
mod server;
mod shell;
mod standing;
mod world;

use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::world::Kind;

fn main() {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let trials = files(root).into_iter().flat_map(|path| {
        let name = path
            .strip_prefix(root.join("testdata"))
            .or_else(|_| path.strip_prefix(root));
        let name = name
            .unwrap_or(&path)
            .with_extension("")
            .to_string_lossy()
            .replace('\\', "/");
        let text = std::fs::read_to_string(&path).expect("a text");
        let on = move |kind: Kind| {
            let path = path.clone();
            let name = match kind {
                Kind::Sqlite => name.clone(),
                Kind::Postgresql if name.starts_with("postgresql/") => name.clone(),
                Kind::Postgresql => format!("{name} on postgresql"),
                Kind::Mariadb if name.starts_with("mariadb/") => name.clone(),
                Kind::Mariadb => format!("{name} on mariadb"),
                Kind::Mysql if name.starts_with("mysql/") => name.clone(),
                Kind::Mysql => format!("{name} on mysql"),
            };
            Trial::test(name, move || run(&path, kind))
        };
        case::kinds(&text).into_iter().map(on)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

/// Every case: README.md and the explanation of the format, then all others, sorted.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let folders = std::fs::read_dir(root.join("testdata")).expect("testdata is there");
    for folder in folders
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
    {
        let inside = std::fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path());
        files.extend(inside.filter(|path| path.extension().is_some_and(|ext| ext == "md")));
    }
    files.sort();
    files.splice(0..0, [root.join("README.md"), root.join("grammar/case.md")]);
    files
}

fn run(path: &Path, kind: Kind) -> Result<(), Failed> {
    let text = std::fs::read_to_string(path)?;
    let mut case = case::Case::parse(&text);
    let mut world = world::World::new(kind);
    let wrong = case.run(&mut world);
    // What a case shows, it shows of the first of its databases.
    let updates = case::kinds(&text).first() == Some(&kind);
    if updates && !wrong.is_empty() && std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, case.text())?;
        return Ok(());
    }
    let shown = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path).display();
    if let Some(first) = wrong.first() {
        let hint = "UPDATE=1 in front of the same command rewrites the file";
        return Err(format!(
            "{shown}:{}\n  want: {}\n  got:  {}\n{hint}",
            first.line, first.want, first.got
        )
        .into());
    }
    if case.standing_checks() {
        standing::check(&mut world).map_err(|message| format!("{shown}: {message}"))?;
    }
    Ok(())
}
