//! What is said of files that are not as they should be.

use std::io;

use crate::code::Code;
use crate::error::{Error, Result};
use crate::revision::{Header, Script, header};
use crate::shell;
use crate::source::SourceFile;

use super::names::{DIALECTS, Half, Name};

#[cold]
pub(super) fn duplicate(one: &str, other: &str) -> Error {
    Error::new(
        Code::FileDuplicate,
        format!("`{one}` and `{other}` are the same half of one revision"),
    )
    .at(&SourceFile::new(one, ""), 0..0, "this one")
    .at(&SourceFile::new(other, ""), 0..0, "and this one")
    .help(format!("delete one of them: rm {}", shell::word(other)))
}

/// The error for a name that is in a list of files twice.
#[cold]
pub fn named_twice(name: &str) -> Error {
    Error::new(Code::FileDuplicate, format!("`{name}` is twice in the list of files"))
        .help("leave one of them out: only one could run")
}

#[cold]
pub(super) fn orphan(name: &str) -> Error {
    Error::new(Code::FileOrphanDowngrade, format!("`{name}` has no upgrade beside it"))
        .at(&SourceFile::new(name, ""), 0..0, "a downgrade alone")
        .help(format!(
            "write {}, or delete the downgrade",
            name.replace("downgrade.", "upgrade.").replace("down.", "up.")
        ))
}

/// Refuses a downgrade whose own header says something that its upgrade's does not: nobody would heed it.
///
/// # Errors
/// `header::in_downgrade`
pub(super) fn no_header_of_its_own(script: &Script, upgrade: &Header) -> Result<()> {
    let file = &script.file;
    let says = match header::parse(file) {
        Ok(own) => {
            let told = Header {
                message: upgrade.message.clone(),
                created: upgrade.created.clone(),
                ..own.header
            };
            told != *upgrade
        }
        // A box of comments has none of these keys.
        Err(error) if matches!(error.code(), Code::HeaderNoRevision | Code::HeaderWrongType) => {
            let header = &file.text[..header::end(file).unwrap_or_default()];
            let lines = header.lines().map(|line| line.trim_start_matches(['-', ' ']));
            let mut keys = lines.filter_map(|line| Some(line.split_once(':')?.0.trim_end()));
            keys.any(|key| header::KEYS.contains(&key) && !["message", "created"].contains(&key))
        }
        Err(_) => false,
    };
    if !says {
        return Ok(());
    }
    let start = file.text.find("-- ---").unwrap_or_default();
    let end = file.text[start..].find('\n').map_or(file.text.len(), |end| start + end);
    let message = format!("`{}` has a header of its own, which would be passed over", file.name);
    Err(Error::new(Code::HeaderInDowngrade, message)
        .at(file, start..end, "this header")
        .help("a revision has one header, in its upgrade file, for both directions: move the keys there")
        .help("if these lines are only a comment, begin them otherwise than with `-- ---`"))
}

#[cold]
pub(super) fn unknown_dialect(name: &str) -> Error {
    let error = Error::new(
        Code::FileUnknownDialect,
        format!("`{name}` is named as the text for a dialect that does not exist"),
    )
    .at(&SourceFile::new(name, ""), 0..0, "would never run");
    error.help(format!("the dialects are {}", DIALECTS.join(", ")))
}

#[cold]
pub(super) fn misspelled(name: &str, word: &str, meant: &str) -> Error {
    let right = match name.rsplit_once(word) {
        Some((before, after)) => format!("{before}{meant}{after}"),
        None => meant.to_owned(),
    };
    Error::new(
        Code::FileMisspelled,
        format!("`{name}` is almost the name of a revision's file"),
    )
    .at(&SourceFile::new(name, ""), 0..0, "would never run")
    .help(format!("if it is one: mv {} {}", shell::word(name), shell::word(right)))
    .help("if it is something else, give it a name less like one")
}

#[cold]
pub(super) fn misnamed(location: &str, folder: Option<&str>, name: &str) -> Error {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let inside = folder.map_or_else(|| location.to_owned(), |folder| format!("{location}/{folder}"));
    let right = match (Half::of(name), folder) {
        (Name::Half("", _), _) => format!("{location}/NAME/{name}"),
        (Name::Half(..), _) => format!("{location}/{name}"),
        (_, Some(_)) => format!("{inside}/upgrade.sql"),
        (_, None) => format!("{location}/{stem}.upgrade.sql"),
    };
    let shown = format!("{inside}/{name}");
    Error::new(
        Code::FileMisspelled,
        format!("`{shown}` begins as a revision does, and has no name of its files"),
    )
    .at(&SourceFile::new(shown.as_str(), ""), 0..0, "would never run")
    .help(format!(
        "if it is one: mv {} {}",
        shell::word(shown.clone()),
        shell::word(right)
    ))
    .help("if it is not, take the header out, or begin its name with a dot")
}

#[cold]
pub(super) fn nested(folder: &str, file: &str) -> Error {
    let message = format!("`{file}` lies deeper than revisions are looked for");
    Error::new(Code::FileNested, message)
        .at(&SourceFile::new(file, ""), 0..0, "would never run")
        .help(format!(
            "if `{folder}` holds revisions, name it under `locations:` in migrations.yaml"
        ))
        .help("if it does not, begin its name with a dot, or move it elsewhere")
}

#[cold]
pub(super) fn not_a_name(name: &str) -> Error {
    Error::new(Code::FileEncoding, format!("the name of `{name}` is not UTF-8")).help("give the file a name that is")
}

/// A pipe, a socket or a device where a file is looked for.
#[cold]
pub(super) fn no_file(name: &str) -> Error {
    Error::new(Code::FileIo, format!("`{name}` is not a regular file"))
        .help("a pipe, socket or device is read once, or never ends: put a file in its place")
}

/// A file or folder that the system does not give.
#[cold]
pub(super) fn unreadable(name: &str, error: &io::Error) -> Error {
    let name = name.trim_end_matches('/');
    let word = shell::word(name);
    Error::new(Code::FileIo, format!("cannot read `{name}`"))
        .cause(error.to_string())
        .help(match error.kind() {
            io::ErrorKind::PermissionDenied => format!("see whose it is and who may read it: ls -ld {word}"),
            io::ErrorKind::IsADirectory => "a folder has the name of a file: give it another one".to_owned(),
            io::ErrorKind::NotFound => format!("it went meanwhile, or is a link to nothing: ls -l {word}"),
            _ => format!("see what is there: ls -l {word}"),
        })
}
