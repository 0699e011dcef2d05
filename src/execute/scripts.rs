//! Scripts as the executor takes them: opened, split to the end, and hashed before anything runs.

use std::io::Read;

use crate::code::Code;
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::execute::walk::Place;
use crate::revision::checksum::{self, Checksum};
use crate::revision::{Header, Revision, Script, Transaction};
use crate::sql::split::{Fault, FaultKind, Piece, SplitRules, Statements};
use crate::sql::token;

/// Larger upgrades are not kept in the version table: their text only serves to show what was changed.
pub(crate) const KEPT: usize = 1 << 20;

/// Where downgrades come from that nobody has read yet.
pub trait Sources {
    /// The downgrade of a revision; none when it has none.
    fn downgrade(&self, revision: &Revision) -> Result<Option<Script>>;
}

/// What is known of a script after it was read once to its end.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// How many statements it has.
    pub statements: u64,
    /// Whether one of them may have to be rewritten.
    pub alters: bool,
    /// Whether one of them sets the connection up.
    pub pragmas: bool,
    /// The checksum of the file.
    pub checksum: Checksum,
}

impl Script {
    /// The statements of the script, from the end of its header.
    pub(crate) fn statements(&self, rules: &'static SplitRules) -> Result<Statements<'_>> {
        match &self.large {
            None => Ok(Statements::of_text(&self.file.text, self.body, rules)),
            Some(large) => {
                let reader = large.open().map_err(|error| self.unreadable(&error))?;
                Ok(Statements::of_reader(reader, self.body, rules))
            }
        }
    }

    fn unreadable(&self, error: &std::io::Error) -> Error {
        Error::new(Code::FileIo, format!("`{}` cannot be read", self.file.name)).cause(error.to_string())
    }

    /// The error for a place where the script does not split.
    pub(crate) fn fault(&self, fault: &Fault) -> Error {
        let name = &self.file.name;
        let (code, message, label) = match &fault.kind {
            FaultKind::Io(error) => return self.unreadable(error),
            FaultKind::MetaCommand => (
                Code::ScriptMetaCommand,
                format!("`{name}` has a line for a command-line client"),
                "not SQL".to_owned(),
            ),
            FaultKind::Unterminated(what) => (
                Code::ScriptUnterminated,
                format!("`{name}` ends in the middle of {what}"),
                "begins here and never ends".to_owned(),
            ),
            FaultKind::InvalidUtf8 => (
                Code::FileEncoding,
                format!("`{name}` is not UTF-8"),
                "not UTF-8 from here".to_owned(),
            ),
            FaultKind::Nul => (
                Code::ScriptNul,
                format!("`{name}` holds a NUL byte"),
                "the database would not see what comes after it".to_owned(),
            ),
        };
        let (file, span) = fault.place(&self.file);
        Error::new(code, message).at(&file, span, label)
    }

    /// The checksum of the file as it is now.
    pub(crate) fn checksum(&self, header: Option<&Header>, rules: &'static SplitRules) -> Result<Checksum> {
        let Some(large) = &self.large else {
            return Ok(checksum::of(&self.file.text, self.body, header, rules));
        };
        let mut reader = large.open().map_err(|error| self.unreadable(&error))?;
        let mut hasher = checksum::Hasher::new(self.body, header, rules);
        let mut buffer = vec![0; 1 << 16];
        loop {
            match reader.read(&mut buffer).map_err(|error| self.unreadable(&error))? {
                0 => return Ok(hasher.finish()),
                n => hasher.update(&buffer[..n]),
            }
        }
    }

    /// Reads the script once to its end: it splits, nothing in it tears the transaction, and what its checksum is.
    pub(crate) fn prepare(&self, header: &Header, upgrade: bool, dialect: &'static dyn Dialect) -> Result<Prepared> {
        let mut statements = self.statements(dialect.rules())?;
        let mut prepared = Prepared {
            statements: 0,
            alters: false,
            pragmas: false,
            checksum: self.checksum(upgrade.then_some(header), dialect.rules())?,
        };
        while let Some(piece) = statements.next().map_err(|fault| self.fault(&fault))? {
            let Piece::Statement(statement) = piece else {
                continue;
            };
            prepared.alters |= dialect.batch_table(statement.text).is_some();
            let place = Place {
                script: self,
                statement,
                index: prepared.statements,
            };
            prepared.pragmas |= starts_with(statement.text, b'p');
            if header.transaction == Transaction::Revision {
                no_transaction_control(&place, dialect)?;
            }
            prepared.statements += 1;
        }
        Ok(prepared)
    }

    /// The text as the version table keeps it.
    pub(crate) fn kept(&self, most: usize) -> Option<&str> {
        (self.large.is_none() && self.file.text.len() <= most).then_some(&*self.file.text)
    }
}

fn starts_with(text: &str, letter: u8) -> bool {
    text.as_bytes().first().is_some_and(|first| first.to_ascii_lowercase() == letter)
}

/// Refuses statements that would end or begin the transaction in which the revision and its row stand together.
fn no_transaction_control(place: &Place<'_>, dialect: &'static dyn Dialect) -> Result<()> {
    let text = place.statement.text;
    if !text.as_bytes().first().is_some_and(|first| b"bBcCeErRsSaA".contains(first)) {
        return Ok(());
    }
    let words = token::keywords(text, dialect.rules(), 3);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let tears = match words.as_slice() {
        ["BEGIN" | "COMMIT" | "END" | "ABORT", ..] | ["START", "TRANSACTION", ..] => true,
        ["ROLLBACK", rest @ ..] => !rest.contains(&"TO"),
        _ => false,
    };
    if !tears {
        return Ok(());
    }
    let (file, span) = place.in_file();
    let word = span.start..span.start + words[0].len();
    Err(Error::new(Code::ScriptTransaction, format!("`{}` controls the transaction it runs in", file.name))
        .at(&file, word, "sqlrev begins and commits around the revision")
        .help("take the statement out; where statements cannot run in a transaction, say `transaction: none` in the header"))
}
