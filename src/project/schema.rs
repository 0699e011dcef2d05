//! The schema as it should be: files, or what a command prints.

use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::time::Duration;

use crate::code::Code;
use crate::error::{Error, Result};
use crate::project::{Command, Project, Schema, mistakes, utf8, write};
use crate::revision::Script;
use crate::secret;
use crate::shell;
use crate::sorted;
use crate::source::SourceFile;

/// How a dump that is kept begins. A file that begins otherwise is somebody else's.
const DUMPED: &str = "-- The schema as it is in the database; sqlrev writes this file anew.\n\n";

/// What is read when the configuration names nothing.
const DEFAULT: &str = "schema.sql";

const COMMENT: &str = "a schema without anything is declared by a comment: -- nothing";

impl Project {
    /// The scripts that declare the schema, in order; none when nothing declares it.
    ///
    /// # Errors
    /// `config::variable`, the `file::…` codes, `schema::command_failed`, `schema::not_configured` where all of it is empty.
    pub fn declared(&self, stopped: &dyn Fn() -> bool) -> Result<Option<Vec<Script>>> {
        let files = |names: &[String]| -> Result<Option<Vec<Script>>> {
            let lists: Vec<Vec<Script>> = names.iter().map(|name| self.scripts_in(name)).collect::<Result<_>>()?;
            let scripts = lists.concat();
            if let ([name], true) = (names, scripts.is_empty()) {
                return Err(nothing(format!("the folder `{name}` holds no `.sql` file")));
            }
            if scripts.iter().all(|script| is_empty(&script.file.text)) {
                return Err(nothing(format!("`{}` is empty", names.join("`, `"))));
            }
            Ok(Some(scripts))
        };
        match self.schema()? {
            Some(Schema::Files(names)) => files(&names),
            Some(Schema::Command(command)) => {
                let text = self.output("schema", &command, "", stopped)?;
                let shown = format!("the output of `{}`", command.shown);
                if is_empty(&text) {
                    // A program that failed before a pipe would otherwise drop everything.
                    return Err(Error::new(Code::SchemaCommand, format!("{shown} is empty")).help(COMMENT));
                }
                let text = unrestricted(&text).unwrap_or(text);
                Ok(Some(vec![whole(SourceFile::new(shown, text))]))
            }
            None if !self.config.is_chosen && self.root.join(DEFAULT).is_file() => files(&[DEFAULT.to_owned()]),
            None => Ok(None),
        }
    }

    /// The scripts of a file, or of a folder: all its `.sql` files and those of the folders in it, by their paths.
    ///
    /// # Errors
    /// The `file::…` codes, `schema::not_configured` for a folder without such files.
    pub fn schema_files(&self, name: &str) -> Result<Vec<Script>> {
        let scripts = self.scripts_in(name)?;
        if scripts.is_empty() {
            return Err(nothing(format!("the folder `{name}` holds no `.sql` file")));
        }
        Ok(scripts)
    }

    fn scripts_in(&self, name: &str) -> Result<Vec<Script>> {
        let path = self.root.join(name);
        let mut found = Vec::new();
        if path.is_dir() {
            collect(&path, &mut found).map_err(|error| mistakes::unreadable(name, &error))?;
            sorted::sort(&mut found);
        } else if path
            .symlink_metadata()
            .is_err_and(|error| error.kind() == ErrorKind::NotFound)
        {
            return Err(
                Error::new(Code::FileIo, format!("cannot read `{name}`: it is not there"))
                    .help("`schema:` in migrations.yaml names it")
                    .help(format!("what there is now: sqlrev dump > {}", shell::word(name))),
            );
        } else {
            found.push(path);
        }
        found.iter().map(|path| read(path, &self.shown(path))).collect()
    }

    /// Where the dump of the schema goes, if it is to be kept.
    ///
    /// # Errors
    /// `config::wrong_type` for a file that it would overwrite and that was not written so, `file::io`.
    pub fn dump_path(&self) -> Result<Option<PathBuf>> {
        let Some(name) = &self.config.schema_dump else {
            return Ok(None);
        };
        let path = self.root.join(name);
        // A dump that is there, of a project that declares nothing, goes on as it did.
        let is_ours = || std::fs::read(&path).is_ok_and(|there| there.starts_with(DUMPED.as_bytes()));
        if self.declares(&path)? && (self.schema()?.is_some() || !is_ours()) {
            let message =
                format!("`schema_dump: {name}` would overwrite a file of `schema:`, which is read and not written");
            return Err(
                Error::new(Code::ConfigWrongType, message).help("name a file of its own: schema_dump: schema_now.sql")
            );
        }
        match std::fs::read(&path) {
            Ok(there) if !there.is_empty() && !there.starts_with(DUMPED.as_bytes()) => {
                let message = format!("`schema_dump: {name}` would overwrite a file that is no dump of ours");
                Err(Error::new(Code::ConfigWrongType, message)
                    .help("name a file of its own: schema_dump: schema_now.sql"))
            }
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(mistakes::unreadable(name, &error)),
            _ if path.parent().is_some_and(|folder| !folder.is_dir()) => {
                let message = format!("the folder of `schema_dump: {name}` is not there");
                let folder = Path::new(name).parent().unwrap_or(Path::new(""));
                Err(Error::new(Code::FileIo, message)
                    .help(format!("mkdir -p {}", shell::word(folder.display().to_string()))))
            }
            _ => Ok(Some(path)),
        }
    }

    /// Whether a file is one of those that declare the schema, or would be if it were there.
    fn declares(&self, path: &Path) -> Result<bool> {
        let names = match self.schema()? {
            Some(Schema::Files(names)) => names,
            Some(Schema::Command(_)) => return Ok(false),
            None if self.config.is_chosen => return Ok(false),
            None => vec![DEFAULT.to_owned()],
        };
        let path = resolved(path);
        let is_sql = path.extension().is_some_and(|extension| extension == "sql");
        Ok(names.iter().any(|name| {
            let file = resolved(&self.root.join(name));
            file == path || is_sql && file.is_dir() && path.starts_with(&file)
        }))
    }

    /// Writes a dump of the schema; one that says the same is left alone.
    ///
    /// # Errors
    /// `file::io`
    pub fn keep_dump(&self, path: &Path, text: &str) -> Result<()> {
        let text = DUMPED.to_owned() + text;
        if std::fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
            return Ok(());
        }
        write::replace(path, text.as_bytes())
    }

    /// What a command of the configuration prints when it is given a text; it runs in the project's folder.
    ///
    /// # Errors
    /// `schema::command_failed`
    pub fn output(&self, key: &str, command: &Command, input: &str, stopped: &dyn Fn() -> bool) -> Result<String> {
        let shown = &command.shown;
        let Some((program, rest)) = command.words.split_first() else {
            return Ok(String::new());
        };
        let failed = |what: String| {
            Error::new(
                Code::SchemaCommand,
                format!("the command under `{key}` failed: `{shown}`"),
            )
            .cause(what)
        };
        let mut child = process::Command::new(program)
            .args(rest)
            .current_dir(&self.root)
            .envs(self.variables())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(error.to_string()).help("check its name, and that it is installed"))?;
        // Both ends are served at once, so that neither side waits for the other with a full pipe.
        let mut stdin = child.stdin.take();
        let text = input.to_owned();
        let writer = beside(Box::new(move || {
            let written = stdin.as_mut().map(|stdin| stdin.write_all(text.as_bytes()));
            written.transpose().map(|_| Vec::new())
        }));
        let mut stderr = child.stderr.take();
        let reader = beside(Box::new(move || {
            let mut words = Vec::new();
            // What came before an error is shown as well.
            let _ = stderr.as_mut().map(|stderr| stderr.read_to_end(&mut words));
            Ok(words)
        }));
        let mut stdout = child.stdout.take();
        let output = beside(Box::new(move || {
            let mut bytes = Vec::new();
            let read = stdout.as_mut().map(|stdout| stdout.read_to_end(&mut bytes));
            read.transpose().map(|_| bytes)
        }));
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if stopped() => {
                    // It may be gone by now.
                    let _ = child.kill().and_then(|()| child.wait().map(drop));
                    return Err(Error::new(Code::Interrupted, "interrupted").state("nothing was written"));
                }
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Err(error) => return Err(failed(error.to_string())),
            }
        };
        if stopped() {
            return Err(Error::new(Code::Interrupted, "interrupted").state("nothing was written"));
        }
        // A command that does not read its input is none the worse for it.
        let _ = writer.join();
        let complaint = reader.join().map(Result::unwrap_or_default).unwrap_or_default();
        let out = output.join().unwrap_or_else(|_| Ok(Vec::new()));
        let out = out.map_err(|error| failed(error.to_string()))?;
        if !status.success() {
            let mut error = failed(status.to_string());
            let complaint = String::from_utf8_lossy(&complaint);
            let lines: Vec<&str> = complaint.lines().filter(|line| !line.trim().is_empty()).collect();
            for line in &lines[lines.len().saturating_sub(5)..] {
                error = error.cause(secret::redacted(line));
            }
            return Err(error.help("it is run in the folder of migrations.yaml; try it there"));
        }
        String::from_utf8(out).map_err(|_| failed("its output is not UTF-8".to_owned()))
    }
}

/// Whether a text has nothing but what separates statements.
fn is_empty(text: &str) -> bool {
    text.trim_start_matches('\u{feff}')
        .trim_matches(|letter: char| letter == ';' || letter.is_whitespace())
        .is_empty()
}

/// A path without what leads back in it, and without links, as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => resolved(parent).join(name),
        _ => path.components().collect(),
    }
}

/// The error of a schema that would drop everything because a file is not where it should be, or was cut.
fn nothing(message: String) -> Error {
    Error::new(Code::SchemaMissing, message)
        .help(COMMENT)
        .help("what there is now: sqlrev dump > schema.sql")
}

type Bytes = std::io::Result<Vec<u8>>;

/// Runs something in a thread of its own; one piece of code for all of them.
#[inline(never)]
fn beside(work: Box<dyn FnOnce() -> Bytes + Send>) -> std::thread::JoinHandle<Bytes> {
    std::thread::spawn(work)
}

fn whole(file: SourceFile) -> Script {
    Script {
        file,
        body: 0,
        large: None,
        known: None,
    }
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            collect(&path, found)?;
        } else if path
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("sql"))
        {
            found.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path, shown: &str) -> Result<Script> {
    let bytes = std::fs::read(path).map_err(|error| mistakes::unreadable(shown, &error))?;
    let file = utf8::decode(shown.to_owned(), &bytes)?;
    Ok(whole(match unrestricted(&file.text) {
        Some(text) => SourceFile::new(shown.to_owned(), text),
        None => file,
    }))
}

/// The text without the two lines that `pg_dump` writes around its own since August 2025: `\restrict`, which forbids psql
/// its commands, and `\unrestrict` with the same word. They become comments, so that places stay. None where they are not
/// there.
fn unrestricted(text: &str) -> Option<String> {
    let word = |line: &str, command: &str| line.trim_end().strip_prefix(command).map(str::to_owned);
    let ends: Vec<String> = text.lines().filter_map(|line| word(line, r"\unrestrict ")).collect();
    let is_frame = |line: &str| {
        let word = word(line, r"\restrict ").or_else(|| word(line, r"\unrestrict "));
        word.is_some_and(|word| ends.contains(&word) && word.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    };
    if ends.is_empty()
        || !text
            .lines()
            .any(|line| line.starts_with(r"\restrict ") && is_frame(line))
    {
        return None;
    }
    let lines = text.split_inclusive('\n');
    Some(
        lines
            .map(|line| match line.get(2..).filter(|_| is_frame(line)) {
                Some(rest) => format!("--{rest}"),
                None => line.to_owned(),
            })
            .collect(),
    )
}
