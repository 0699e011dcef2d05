//! The revisions of a location: which files make which revision, and what they say.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::code::Code;
use crate::error::{Error, Result};
use crate::revision::header::{self, Parsed};
use crate::revision::{Revision, Script};
use crate::shell;
use crate::sorted;
use crate::source::SourceFile;

use super::config::Location;
use super::deeper;
use super::disk::{Folder, Kind, LARGE, OnDisk};
use super::mistakes::{
    duplicate, misspelled, no_file, no_header_of_its_own, not_a_name, orphan, unknown_dialect, unreadable,
};
use super::names::{Half, Name};
use super::utf8::decode;

/// How much of a large file is kept in memory.
const HEAD: usize = 64 << 10;

/// Reads the revisions of all locations.
pub(super) struct Loader<'a> {
    /// The project's folder, which names begin from.
    pub(super) root: Arc<Path>,
    /// The file that names the locations.
    pub(super) config: Option<&'a SourceFile>,
    /// All locations: one may lie in another.
    pub(super) locations: &'a [Location],
    /// The names of the dialect's own texts, the best first.
    pub(super) variants: &'a [&'a str],
    /// Whether the texts of downgrades are read.
    pub(super) downgrades: bool,
    /// For the bytes of the file being read.
    pub(super) buffer: Vec<u8>,
    /// For names being put together.
    pub(super) name: String,
    /// The text of what is not read.
    pub(super) nothing: Arc<str>,
}

/// An entry of a location: a folder, or a half of a flat pair.
type Entry = (String, Option<Half>);

/// Where the texts of a revision are.
enum Texts<'a> {
    Folder(&'a Folder),
    /// By their whole names.
    List(&'a BTreeMap<String, String>),
}

/// The files of one revision.
struct Set<'a> {
    texts: Texts<'a>,
    /// What comes before `upgrade.sql` in `folder`: nothing, or `NAME.`
    prefix: &'a str,
    /// What comes before `upgrade.sql` for a reader: `migrations/NAME/`, or `migrations/NAME.`
    shown: &'a str,
    halves: &'a [Half],
}

impl Set<'_> {
    fn shown(&self, half: Half) -> String {
        self.shown.to_owned() + &half.file_name()
    }

    /// The same, put together in `buffer`.
    fn shared(&self, half: Half, buffer: &mut String) -> Arc<str> {
        buffer.clear();
        buffer.push_str(self.shown);
        buffer.push_str(&half.file_name());
        Arc::from(buffer.as_str())
    }

    fn of(&self, is_downgrade: bool) -> impl Iterator<Item = Half> {
        self.halves
            .iter()
            .copied()
            .filter(move |half| half.is_downgrade == is_downgrade)
    }

    /// The half that runs: the text for the first of the dialects that has one, else the plain one.
    fn chosen(&self, is_downgrade: bool, variants: &[&str]) -> Option<Half> {
        let wanted = variants.iter().map(|&variant| Some(variant)).chain([None]);
        wanted
            .into_iter()
            .find_map(|dialect| self.of(is_downgrade).find(|half| half.dialect == dialect))
    }
}

impl Loader<'_> {
    /// Adds the revisions of a location, sorted by name.
    pub(super) fn location(&mut self, location: &Location, revisions: &mut Vec<Revision>) -> Result<()> {
        let folder =
            Folder::open(&self.root.join(&location.name)).map_err(|error| self.no_location(location, &error))?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut others: Vec<String> = Vec::new();
        let mut mistake = None;
        let listed = folder.list(|name, kind| match name {
            Ok(name) if name.starts_with('.') => {}
            Ok(name) if kind == Kind::Folder => entries.push((name.to_owned(), None)),
            Ok(name) => match Half::of(name) {
                Name::Half("", _) | Name::Other if is_sql(name) => others.push(name.to_owned()),
                Name::Half("", _) | Name::Other => {}
                Name::Half(..) if kind == Kind::Other => {
                    mistake = Some(no_file(&format!("{}/{name}", location.name)));
                }
                Name::Half(stem, half) => entries.push((stem.to_owned(), Some(half))),
                Name::Unknown => mistake = Some(unknown_dialect(&format!("{}/{name}", location.name))),
                Name::Misspelled(word, meant) => {
                    mistake = Some(misspelled(&format!("{}/{name}", location.name), word, &meant));
                }
            },
            Err(name) => mistake = Some(not_a_name(&format!("{}/{name}", location.name))),
        });
        listed.map_err(|error| unreadable(&location.name, &error))?;
        if let Some(mistake) = mistake {
            return Err(mistake);
        }
        self.no_misnamed(&location.name, None, others)?;
        entries.sort_unstable();
        revisions.reserve(entries.len());
        let parts = threads(entries.len());
        if parts < 2 {
            return self.entries(&folder, location, &entries, revisions);
        }
        let mut rest = &entries[..];
        std::thread::scope(|scope| {
            let mut readers = Vec::new();
            for part in (1..=parts).rev() {
                let (mine, others) = rest.split_at(border(rest, rest.len() / part));
                rest = others;
                let mut loader = self.another();
                let folder = &folder;
                let read = move || {
                    let mut found = Vec::with_capacity(mine.len());
                    loader.entries(folder, location, mine, &mut found).map(|()| found)
                };
                readers.push(scope.spawn(read));
            }
            for reader in readers {
                match reader.join() {
                    Ok(found) => revisions.extend(found?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok(())
        })
    }

    /// Another one that reads at the same time.
    fn another(&self) -> Self {
        Self {
            root: self.root.clone(),
            buffer: Vec::new(),
            name: String::new(),
            nothing: self.nothing.clone(),
            ..*self
        }
    }

    /// Adds the revisions of these entries.
    fn entries(
        &mut self,
        folder: &Folder,
        location: &Location,
        entries: &[Entry],
        revisions: &mut Vec<Revision>,
    ) -> Result<()> {
        let mut halves = Vec::new();
        let mut shown = String::new();
        for group in entries.chunk_by(|one, other| one.0 == other.0) {
            let name = &group[0].0;
            let is_folder = group[0].1.is_none();
            shown.clear();
            shown.extend([&*location.name, "/", name, "/"]);
            if is_folder {
                self.folder(folder, (&location.name, name), &shown, &mut halves, revisions)?;
            }
            halves.clear();
            halves.extend(group.iter().filter_map(|(_, half)| *half));
            if !halves.is_empty() {
                shown.pop();
                shown.push('.');
                let set = Set {
                    texts: Texts::Folder(folder),
                    prefix: &shown[location.name.len() + 1..],
                    shown: &shown,
                    halves: &halves,
                };
                revisions.push(self.revision(&set)?);
            }
        }
        Ok(())
    }

    /// Adds the revisions of a list of names and texts, sorted by name.
    pub(super) fn list(&mut self, files: &BTreeMap<String, String>, revisions: &mut Vec<Revision>) -> Result<()> {
        let mut sets: BTreeMap<&str, Vec<Half>> = BTreeMap::new();
        for name in files.keys() {
            let at = name.rfind('/').map_or(0, |slash| slash + 1);
            match Half::of(&name[at..]) {
                Name::Half("", half) => sets.entry(&name[..at]).or_default().push(half),
                Name::Half(stem, half) => sets.entry(&name[..=at + stem.len()]).or_default().push(half),
                Name::Unknown => return Err(unknown_dialect(name)),
                Name::Misspelled(word, meant) => return Err(misspelled(name, word, &meant)),
                Name::Other => {}
            }
        }
        for (shown, mut halves) in sets {
            sorted::sort(&mut halves);
            let set = Set {
                texts: Texts::List(files),
                prefix: "",
                shown,
                halves: &halves,
            };
            revisions.push(self.revision(&set)?);
        }
        Ok(())
    }

    /// Adds the revision in a folder, if there is one.
    fn folder(
        &mut self,
        parent: &Folder,
        (location, name): (&str, &str),
        shown: &str,
        halves: &mut Vec<Half>,
        revisions: &mut Vec<Revision>,
    ) -> Result<()> {
        let folder = parent.open_in(name).map_err(|error| unreadable(shown, &error))?;
        halves.clear();
        let mut mistake = None;
        let mut inner: Vec<String> = Vec::new();
        let mut others: Vec<String> = Vec::new();
        let listed = folder.list(|name, kind| match name.as_ref().map(|name| (Half::of(name), name)) {
            // What editors and systems put beside a file.
            Ok((_, name)) if name.starts_with('.') => {}
            Ok((Name::Half("", _), name)) if kind == Kind::Other => {
                mistake = Some(no_file(&format!("{shown}{name}")));
            }
            Ok((Name::Half("", half), _)) => halves.push(half),
            Ok((Name::Unknown, name)) => mistake = Some(unknown_dialect(&format!("{shown}{name}"))),
            Ok((Name::Misspelled(word, meant), name)) => {
                mistake = Some(misspelled(&format!("{shown}{name}"), word, &meant));
            }
            Ok((Name::Other, name)) if kind == Kind::Folder => inner.push((*name).to_owned()),
            Ok((Name::Other | Name::Half(..), name)) if is_sql(name) => others.push((*name).to_owned()),
            _ => {}
        });
        listed.map_err(|error| unreadable(shown, &error))?;
        if let Some(mistake) = mistake {
            return Err(mistake);
        }
        self.no_misnamed(location, Some(name), others)?;
        self.nothing_deeper(&folder, shown, inner, deeper::DEEP)?;
        if halves.is_empty() {
            return Ok(());
        }
        sorted::sort(halves);
        let set = Set {
            texts: Texts::Folder(&folder),
            prefix: "",
            shown,
            halves,
        };
        revisions.push(self.revision(&set)?);
        Ok(())
    }

    fn revision(&mut self, set: &Set<'_>) -> Result<Revision> {
        for pair in set.halves.windows(2) {
            if let [one, other] = pair
                && (one.is_downgrade, one.dialect) == (other.is_downgrade, other.dialect)
            {
                return Err(duplicate(&set.shown(*one), &set.shown(*other)));
            }
        }
        if set.of(false).next().is_none() {
            let name = set.halves.first().map_or_else(String::new, |half| set.shown(*half));
            return Err(orphan(&name));
        }
        let chosen = set.chosen(false, self.variants);
        let (parsed, upgrade) = match chosen {
            Some(half) => {
                let (parsed, script) = self.upgrade(set, half)?;
                (parsed, Some(script))
            }
            None => (self.header_elsewhere(set)?, None),
        };
        let downgrade = match set.chosen(true, self.variants) {
            Some(half) => Some(self.downgrade(set, half)?),
            None => None,
        };
        if let Some(script) = &downgrade {
            no_header_of_its_own(script, &parsed.header)?;
        }
        Ok(Revision {
            header: parsed.header,
            places: parsed.places,
            missing_text: upgrade.is_none(),
            header_lost: false,
            upgrade,
            downgrade,
        })
    }

    /// The upgrade that runs, and the header, which a text for one dialect may leave to the plain one.
    fn upgrade(&mut self, set: &Set<'_>, half: Half) -> Result<(Parsed, Script)> {
        let mut script = self.read(set, half)?;
        let plain = set
            .of(false)
            .find(|other| other.dialect.is_none() && half.dialect.is_some());
        let Some(plain) = plain else {
            let parsed = header::parse(&script.file)?;
            script.body = parsed.body;
            return Ok((parsed, script));
        };
        let plain = self.read(set, plain)?.file;
        if !header::is_there(&script.file) {
            return Ok((header::parse(&plain)?, script));
        }
        let parsed = header::parse(&script.file)?;
        if header::is_there(&plain) {
            agree(&script.file, &parsed, &plain, &header::parse(&plain)?)?;
        }
        script.body = parsed.body;
        Ok((parsed, script))
    }

    /// The header of a revision whose texts are all for other dialects.
    fn header_elsewhere(&mut self, set: &Set<'_>) -> Result<Parsed> {
        let mut missing = None;
        for half in set.of(false) {
            let file = self.read(set, half)?.file;
            match header::parse(&file) {
                Ok(parsed) => return Ok(parsed),
                Err(error) if error.code() == Code::HeaderMissing => missing = missing.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Err(missing.expect("a revision without an upgrade file is an error before"))
    }

    fn downgrade(&mut self, set: &Set<'_>, half: Half) -> Result<Script> {
        if self.downgrades {
            return self.read(set, half);
        }
        let name = set.shared(half, &mut self.name);
        let root = self.root.clone();
        Ok(Script {
            file: SourceFile::new(name.clone(), self.nothing.clone()),
            body: 0,
            large: Some(Arc::new(OnDisk { root, name })),
            known: None,
        })
    }

    fn read(&mut self, set: &Set<'_>, half: Half) -> Result<Script> {
        let shown = set.shared(half, &mut self.name);
        let folder = match set.texts {
            Texts::Folder(folder) => folder,
            Texts::List(files) => {
                let text = files.get(&*shown).map_or("", String::as_str);
                return Ok(Script {
                    body: mark(text),
                    file: SourceFile::new(shown, text),
                    large: None,
                    known: None,
                });
            }
        };
        let name = &shown[set.shown.len() - set.prefix.len()..];
        read(folder, name, shown.clone(), &self.root, &mut self.buffer)
    }

    fn no_location(&self, location: &Location, error: &io::Error) -> Error {
        let mut wrong = if error.kind() == io::ErrorKind::NotFound {
            Error::new(Code::FileIo, format!("the location `{}` does not exist", location.name))
                .help(format!("make the folder: mkdir -p {}", shell::word(&location.name)))
        } else {
            unreadable(&location.name, error)
        };
        if let (Some(file), Some(place)) = (self.config, &location.place) {
            wrong = wrong.at(file, place.clone(), "named here");
        }
        wrong
    }
}

pub(super) fn is_sql(name: &str) -> bool {
    let extension = Path::new(name).extension();
    extension.is_some_and(|extension| extension.eq_ignore_ascii_case("sql"))
}

/// Into how many parts the reading of so many entries is cut.
fn threads(entries: usize) -> usize {
    /// Fewer are read before another thread has begun.
    const EACH: usize = 128;
    /// More only wait for each other.
    const MOST: usize = 4;
    let most = (entries / EACH).min(MOST);
    if most < 2 {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, Into::into).min(most)
}

/// The first place from there on at which another name begins.
fn border(entries: &[Entry], at: usize) -> usize {
    let same = |at: &usize| *at > 0 && *at < entries.len() && entries[*at].0 == entries[at - 1].0;
    (at..entries.len()).find(|at| !same(at)).unwrap_or(entries.len())
}

/// Reads a file: the whole text, or the head of a large one.
fn read(folder: &Folder, name: &str, shown: Arc<str>, root: &Arc<Path>, buffer: &mut Vec<u8>) -> Result<Script> {
    let length = folder.read(name, buffer).map_err(|error| unreadable(&shown, &error))?;
    script(&buffer[..length], shown, root)
}

/// The script of a file that was read as far as [`LARGE`].
pub(super) fn script(buffer: &[u8], shown: Arc<str>, root: &Arc<Path>) -> Result<Script> {
    if buffer.len() <= LARGE {
        let file = decode(shown, buffer)?;
        let body = mark(&file.text);
        return Ok(Script {
            file,
            body,
            large: None,
            known: None,
        });
    }
    let end = buffer[..HEAD]
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(HEAD, |at| at + 1);
    // Without an end of line the head may end in the middle of a character, of at most four bytes.
    let end = (end - 3..=end)
        .rev()
        .find(|&end| std::str::from_utf8(&buffer[..end]).is_ok())
        .unwrap_or(end);
    let file = decode(shown, &buffer[..end])?;
    let large = OnDisk {
        root: root.clone(),
        name: file.name.clone(),
    };
    Ok(Script {
        body: mark(&file.text),
        file,
        large: Some(Arc::new(large)),
        known: None,
    })
}

/// The length of a byte order mark at the beginning.
fn mark(text: &str) -> usize {
    if text.starts_with('\u{feff}') { 3 } else { 0 }
}

/// Demands that two headers of one revision name the same id and parents.
fn agree(file: &SourceFile, parsed: &Parsed, plain_file: &SourceFile, plain: &Parsed) -> Result<()> {
    let (one, other) = (&parsed.header, &plain.header);
    let (key, span, plain_span) = if one.id != other.id {
        ("revision", parsed.places.id(), plain.places.id())
    } else if one.down_revisions != other.down_revisions {
        (
            "down_revision",
            parsed.places.down_revision(0),
            plain.places.down_revision(0),
        )
    } else if one.depends_on != other.depends_on {
        ("depends_on", parsed.places.depends_on(0), plain.places.depends_on(0))
    } else {
        return Ok(());
    };
    Err(Error::new(
        Code::HeaderMismatch,
        format!("`{}` and `{}` do not agree on `{key}`", file.name, plain_file.name),
    )
    .at(file, span, "this for one dialect")
    .at(plain_file, plain_span, "that for all others")
    .help("one header is enough: the plain file's"))
}
