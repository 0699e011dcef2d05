//! `diff` and `dump`.

use serde_json::json;

use crate::cli::compare::{self, Compare};
use crate::cli::renames;
use crate::cli::session::{History, Session};
use crate::cli::ui::Ui;
use crate::cli::{FOUND, args};
use crate::code::Code;
use crate::dialect;
use crate::error::{Error, Result};
use crate::execute::{declared, piece};
use crate::project::DatabaseUrl;
use crate::revision::Script;
use crate::revision::graph::RevisionGraph;
use crate::revision::resolve::{Command, Resolver};
use crate::revision::target::Target;
use crate::schema::Model;
use crate::secret;

pub(crate) fn diff(session: &mut Session<'_>, args: &args::Diff, ui: &mut Ui<'_>) -> Result<u8> {
    let from_word = args.from.as_deref().unwrap_or("database");
    let to_word = args.to.as_deref().unwrap_or("schema");
    take_kind(session, [from_word, to_word])?;
    let alone = |word: &str| word == "empty" || secret::names_database(word);
    let builds = |word: &str| !alone(word) && !["database", "schema"].contains(&word);
    session.runs_texts = builds(from_word) || builds(to_word);
    let mut history = if alone(from_word) && alone(to_word) {
        session.no_history()?
    } else {
        session.history()?
    };
    let graph = history.graph()?;
    let compare = Compare::new(session, &history, graph)?;
    let sides = Sides {
        session,
        history: &history,
        graph,
        compare: &compare,
    };
    let [from_shown, to_shown] = [from_word, to_word].map(secret::redacted_word);
    let (from, _) = sides.read(from_word, ui)?;
    let (to, scripts) = sides.read(to_word, ui)?;
    let renames = compare.renames(&args.rename, &scripts, &from, &to)?;
    let pieces = compare.lead(&from, &to, &renames)?;
    // Where nothing differs, nothing goes and nothing comes.
    if !pieces.is_empty() {
        renames::tell_guesses(&compare.seen(&from), &compare.seen(&to), &renames, ui);
    }
    if ui.json {
        let changes: Vec<_> = pieces.iter().map(compare::difference).collect();
        ui.value(&json!({
            "dialect": history.dialect.name(),
            "from": from_shown,
            "to": to_shown,
            "differences": changes,
            "sql": piece::script(&pieces, history.dialect),
        }));
    } else if pieces.is_empty() {
        ui.say(&format!("no difference between {from_shown} and {to_shown}"));
    } else {
        ui.write(piece::script(&pieces, history.dialect).as_bytes());
    }
    let found = !pieces.is_empty();
    // The program ends here, and to give large schemas back piece by piece takes a twentieth of its time.
    std::mem::forget((from, to));
    Ok(if args.exit_code && found { FOUND } else { 0 })
}

/// Lets a URL among the sides say which kind of database is compared, where the project is of another kind or has none.
fn take_kind(session: &mut Session<'_>, sides: [&str; 2]) -> Result<()> {
    let named = sides.into_iter().filter(|word| secret::names_database(word));
    let named = named.map(|word| DatabaseUrl::parse(word, &session.directory).map(|url| (word, url.dialect())));
    let named: Vec<_> = named.collect::<Result<_>>()?;
    let Some(&(word, kind)) = named.first() else {
        return Ok(());
    };
    if named.iter().any(|(_, other)| !are_of_one_kind(kind, other)) {
        return Err(Error::new(Code::Usage, "the two URLs are not of one kind of database")
            .help("compare two databases of one kind"));
    }
    let own = session.project().and_then(|project| project.url());
    match own.map(|url| url.dialect()) {
        Ok(own) if are_of_one_kind(own, kind) => {}
        Ok(own) if sides.contains(&"database") => {
            let message = format!("the project's database is of {own}, and the URL of {kind}");
            return Err(Error::new(Code::Usage, message).help("compare two databases of one kind"));
        }
        _ => session.global.url = Some(word.to_owned()),
    }
    Ok(())
}

/// Whether what is written for one of the dialects is read by the other.
fn are_of_one_kind(one: &str, other: &str) -> bool {
    let reads = |one, other| dialect::named(one).is_some_and(|dialect| dialect.variants().contains(&other));
    one == other || reads(one, other) || reads(other, one)
}

pub(crate) fn dump(session: &mut Session<'_>, ui: &mut Ui<'_>) -> Result<u8> {
    let mut history = session.history()?;
    let graph = history.graph()?;
    let compare = Compare::new(session, &history, graph)?;
    let Some(model) = compare.live(session)? else {
        return Err(Error::new(Code::Connect, "there is no database yet").help("sqlrev upgrade"));
    };
    let text = declared::text(&model, history.dialect);
    if ui.json {
        ui.value(&json!({ "dialect": history.dialect.name(), "schema": text }));
    } else {
        ui.write(text.as_bytes());
    }
    Ok(0)
}

/// What the words of `diff` stand for.
struct Sides<'a, 's> {
    session: &'a Session<'s>,
    history: &'a History,
    graph: &'a RevisionGraph,
    compare: &'a Compare<'a>,
}

impl Sides<'_, '_> {
    /// A schema, and the scripts that declare it where it is declared.
    fn read(&self, word: &str, ui: &mut Ui<'_>) -> Result<(Model, Vec<Script>)> {
        let nothing = Vec::new();
        match word {
            "database" => Ok((self.compare.live(self.session)?.unwrap_or_default(), nothing)),
            "empty" => Ok((Model::default(), nothing)),
            "schema" => {
                let scripts = self.compare.scripts(self.session)?;
                Ok((self.compare.declared(&scripts)?, scripts))
            }
            url if secret::names_database(url) => {
                let mut driver = self.session.open_other(url, self.history)?;
                Ok((self.compare.held(&mut *driver)?, nothing))
            }
            path if self.is_file(path) => self.files(path),
            target => {
                let target: Target = target.parse().map_err(|error: Error| {
                    error.help("a side is `database`, `schema`, `empty`, a revision, a file or folder of SQL, or a URL")
                })?;
                let nodes = match Resolver::new(self.graph, None, Command::Show).absolute(&target) {
                    Err(_) if self.session.directory.join(word).is_dir() => return self.files(word),
                    found => found?,
                };
                Ok((self.compare.built(&self.graph.ancestors(nodes), ui)?, nothing))
            }
        }
    }

    fn files(&self, path: &str) -> Result<(Model, Vec<Script>)> {
        let path = self.session.directory.join(path);
        let scripts = self.history.project.schema_files(&path.to_string_lossy())?;
        Ok((self.compare.declared(&scripts)?, scripts))
    }

    fn is_file(&self, word: &str) -> bool {
        let path = self.session.directory.join(word);
        path.is_file() || path.is_dir() && word.contains(['/', '.'])
    }
}
