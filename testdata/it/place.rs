//! A temporary project, and the real program run in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// The program.
const SQLREV: &str = env!("CARGO_BIN_EXE_sqlrev");

/// A folder with `migrations.yaml`, revisions, and the database `app.db`.
pub(crate) struct Place {
    folder: TempDir,
    /// More of the environment.
    pub variables: BTreeMap<String, String>,
}

impl Place {
    /// In memory where there is such a folder: most tests lose nothing without a disk.
    pub(crate) fn new() -> Self {
        let shm = Path::new("/dev/shm");
        Self::within(if shm.is_dir() {
            shm
        } else {
            Path::new(env!("CARGO_TARGET_TMPDIR"))
        })
    }

    /// On a real disk.
    pub(crate) fn on_disk() -> Self {
        Self::within(Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    fn within(parent: &Path) -> Self {
        let folder = TempDir::new_in(parent).expect("a temporary folder");
        let place = Self {
            folder,
            variables: BTreeMap::new(),
        };
        place.write("migrations.yaml", "url: sqlite:app.db\n");
        std::fs::create_dir(place.path("migrations")).expect("a folder");
        place
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path("app.db")
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).expect("the file can be written");
    }

    /// Writes a revision; `options` are further lines of the header.
    pub(crate) fn revision(&self, id: &str, parents: &[&str], options: &[&str], up: &str, down: &str) {
        let options: String = options.iter().map(|line| format!("-- {line}\n")).collect();
        let header = format!(
            "-- ---\n-- revision: {id}\n-- down_revision: [{}]\n{options}-- ---\n",
            parents.join(", ")
        );
        self.write(&format!("migrations/{id}.upgrade.sql"), format!("{header}{up}\n"));
        if !down.is_empty() {
            self.write(&format!("migrations/{id}.downgrade.sql"), format!("{down}\n"));
        }
    }

    /// The program with these arguments, in this folder and with an empty environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(SQLREV);
        command.args(args);
        self.at_home(command)
    }

    /// A shell command, in which `$SQLREV` is the program.
    pub(crate) fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let mut command = self.at_home(command);
        command.env("SQLREV", SQLREV);
        command
    }

    fn at_home(&self, mut command: Command) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.current_dir(self.folder()).env_clear().env("PATH", path);
        command.envs(&self.variables);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts the program.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().expect("the program starts")
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Done {
        finished(self.command(args))
    }

    /// Runs the program, which must succeed.
    pub(crate) fn must(&self, args: &[&str]) -> Done {
        let done = self.run(args);
        assert_eq!(done.status, Some(0), "{args:?}: {done:?}");
        done
    }
}

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Done {
    /// None when a signal ended it.
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// It failed in an orderly way: this status, and an error with this code or one that begins like it.
    pub(crate) fn failed_with(&self, status: i32, code: &str) {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert!(
            self.stderr.contains(&format!("error[sqlrev::{code}")),
            "no `{code}` in {self:?}"
        );
        assert!(!self.stderr.contains("panicked"), "{self:?}");
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a command to its end.
pub(crate) fn finished(mut command: Command) -> Done {
    command.output().expect("the command starts").into()
}
