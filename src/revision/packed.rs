//! Revisions in one piece of bytes, as a build script puts them into a program: nothing of it is read at start but a
//! table of what is applied when everything is.
//!
//! The bytes: a mark with the version of the form; how many revisions; where the revisions begin, and where they end; whether
//! all upgrades are plain; the table, sorted by id:
//! for each the digits of its checksum and the length of its id; the ids, one after the other; the dialect; the revisions;
//! at the end, where one of them may need a batch plan, which does.
//! What is read at each start lies together, so that few pages of the program are touched. Numbers are little-endian, texts come after their length.

use std::sync::Arc;
use std::time::Duration;

use crate::revision::brief::{self, Briefs};
use crate::revision::checksum::Checksum;
use crate::revision::graph::RevisionGraph;
use crate::revision::{BranchLabel, Extent, Known, header::Spans};
use crate::revision::{Header, Recreate, Revision, RevisionId, Script, Transaction};
use crate::source::SourceFile;

/// What the bytes begin with; the last one is the version of the form, and of what counts as plain.
const MARK: [u8; 8] = *b"sqlrev\0\x03";
/// Where the table begins.
const TABLE: usize = MARK.len() + 16;

const NO_TRANSACTION: u8 = 1;
const RECREATE_ALWAYS: u8 = 2;
const RECREATE_NEVER: u8 = 4;
const IRREVERSIBLE: u8 = 8;
const MISSING_TEXT: u8 = 16;
const CODE: u8 = 32;
/// Two numbers of milliseconds follow the header.
const TIMEOUTS: u8 = 64;
/// Before what is known of a script: nothing, its checksum, or its statements as well.
const UNKNOWN: u8 = 0;
const HASHED: u8 = 1;
const PLAIN: u8 = 2;
/// For none.
const NO_TIMEOUT: u64 = u64::MAX;

/// The revisions of a program.
#[derive(Clone, Copy)]
pub struct Packed(&'static [u8]);

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Packed({} revisions)", self.len())
    }
}

impl Packed {
    /// Takes the bytes that [`pack`] made.
    ///
    /// # Panics
    /// When they are not in the form that this version reads: in a constant, as `embedded!()` has it, that is an error
    /// of the compiler.
    pub const fn new(bytes: &'static [u8]) -> Self {
        assert!(bytes.len() >= TABLE, "not what sqlrev::build::embed wrote");
        let mut at = 0;
        while at < MARK.len() {
            assert!(
                bytes[at] == MARK[at],
                "sqlrev in [build-dependencies] is another version than sqlrev in [dependencies]"
            );
            at += 1;
        }
        if let Some(needs) = Self(bytes).needs_plan() {
            let makes_plans = cfg!(feature = "batch");
            assert!(makes_plans, "{}", needs);
        }
        Self(bytes)
    }

    /// Where a revision may need a batch plan, in words.
    const fn needs_plan(&self) -> Option<&'static str> {
        let mut at = [0; 4];
        let mut byte = 0;
        while byte < at.len() {
            at[byte] = self.0[MARK.len() + 8 + byte];
            byte += 1;
        }
        // Bytes that are damaged are refused when they are read.
        let Some((_, words)) = self.0.split_at_checked(u32::from_le_bytes(at) as usize) else {
            return None;
        };
        match std::str::from_utf8(words) {
            Ok(words) if !words.is_empty() => Some(words),
            _ => None,
        }
    }

    /// Whether all upgrades are plain.
    pub const fn is_plain(&self) -> bool {
        self.0[MARK.len() + 12] == 1
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.number(MARK.len()).unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each revision in a few words, in the order of the ids; none when the bytes are damaged.
    #[inline]
    pub fn brief(&self) -> Option<Briefs<'static>> {
        let count = self.len();
        // Where there is none, nothing in the table tells whether that is so.
        if count == 0 && self.revisions().is_none() {
            return None;
        }
        Briefs::new(self.0.get(TABLE..self.number(MARK.len() + 4)?)?, count)
    }

    /// The dialect that the texts are for, and the revisions in path order; none when the bytes are damaged.
    pub fn revisions(&self) -> Option<(&'static str, Vec<Revision>)> {
        let mut reader = Reader {
            rest: self.0.get(self.number(MARK.len() + 4)?..self.number(MARK.len() + 8)?)?,
        };
        let dialect = reader.text()?;
        let revisions = (0..self.len()).map(|_| reader.revision()).collect::<Option<_>>()?;
        reader.rest.is_empty().then_some((dialect, revisions))
    }

    #[inline]
    fn number(&self, at: usize) -> Option<usize> {
        let bytes = self.0.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes) as usize)
    }
}

struct Reader {
    rest: &'static [u8],
}

impl Reader {
    fn take(&mut self, length: usize) -> Option<&'static [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<usize> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?) as usize)
    }

    fn text(&mut self) -> Option<&'static str> {
        let length = self.number()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    fn texts<T>(&mut self, make: impl Fn(&'static str) -> T) -> Option<Vec<T>> {
        let count = self.number()?;
        (0..count).map(|_| self.text().map(&make)).collect()
    }

    /// Reads whether something follows.
    fn is_there(&mut self) -> Option<bool> {
        Some(self.take(1)? != [0])
    }

    fn milliseconds(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn script(&mut self) -> Option<Script> {
        let (name, text) = (self.text()?, self.text()?);
        let body = self.number()?;
        let known = match self.take(1)?[0] {
            UNKNOWN => None,
            kind => Some(Arc::new(self.known(kind)?)),
        };
        text.is_char_boundary(body).then(|| Script {
            file: SourceFile::new(name, text),
            body,
            large: None,
            known,
        })
    }

    fn known(&mut self, kind: u8) -> Option<Known> {
        let mut value = || self.take(32)?.try_into().ok();
        let checksum = Checksum {
            text: value()?,
            tokens: value()?,
        };
        let kept = if self.is_there()? {
            Some(self.text()?.into())
        } else {
            None
        };
        let count = if kind == PLAIN { Some(self.number()?) } else { None };
        let plain = match count {
            Some(count) => Some((0..count).map(|_| self.extent()).collect::<Option<_>>()?),
            None => None,
        };
        Some(Known { checksum, kept, plain })
    }

    fn extent(&mut self) -> Option<Extent> {
        Some(Extent {
            start: self.number()?,
            length: self.number()?,
            sent: self.number()?,
        })
    }

    fn revision(&mut self) -> Option<Revision> {
        let flags = self.take(1)?[0];
        let mut header = Header::new(RevisionId::new(self.text()?));
        header.down_revisions = self.texts(RevisionId::new)?;
        header.depends_on = self.texts(Arc::from)?;
        header.branch_labels = self.texts(BranchLabel::new)?;
        header.message = self.text()?.into();
        if self.is_there()? {
            header.created = Some(self.text()?.into());
        }
        if flags & NO_TRANSACTION != 0 {
            header.transaction = Transaction::None;
        }
        header.recreate = match flags & (RECREATE_ALWAYS | RECREATE_NEVER) {
            RECREATE_ALWAYS => Recreate::Always,
            RECREATE_NEVER => Recreate::Never,
            _ => Recreate::Auto,
        };
        header.irreversible = flags & IRREVERSIBLE != 0;
        header.code = flags & CODE != 0;
        if flags & TIMEOUTS != 0 {
            header.lock_timeout = time(self.milliseconds()?);
            header.statement_timeout = time(self.milliseconds()?);
        }
        let upgrade = if self.is_there()? { Some(self.script()?) } else { None };
        let downgrade = if self.is_there()? { Some(self.script()?) } else { None };
        Some(Revision {
            header,
            places: Spans::default(),
            upgrade,
            downgrade,
            missing_text: flags & MISSING_TEXT != 0,
            header_lost: false,
        })
    }
}

fn time(milliseconds: u64) -> Option<Duration> {
    (milliseconds != NO_TIMEOUT).then(|| Duration::from_millis(milliseconds))
}

/// Puts the revisions of a graph and what is known of their scripts, up and down, in path order, into one piece; none where it would
/// be larger than 4 GiB, or where a text is not in memory. `needs_plan` says in words which may need a batch plan, where
/// one does.
pub fn pack(
    dialect: &str,
    graph: &RevisionGraph,
    known: &[[Option<Known>; 2]],
    needs_plan: Option<&str>,
) -> Option<Vec<u8>> {
    let mut body = Writer { out: Vec::new() };
    body.text(dialect)?;
    for (node, known) in graph.nodes().zip(known) {
        body.revision(graph.revision(node), known)?;
    }
    let upgrades = known.iter().map(|[upgrade, _]| upgrade.as_ref());
    let checksums: Vec<_> = upgrades
        .clone()
        .map(|known| known.map(|known| known.checksum))
        .collect();
    let plain = upgrades.into_iter().flatten().filter(|known| known.plain.is_some());
    let plain = plain.count() == graph.len();
    let table = brief::table(graph, &checksums)?;
    let mut out = Writer { out: MARK.to_vec() };
    out.number(graph.len())?;
    let begin = TABLE + table.len();
    out.number(begin)?;
    out.number(begin + body.out.len())?;
    out.number(usize::from(plain))?;
    out.out.extend_from_slice(&table);
    out.out.append(&mut body.out);
    out.out.extend_from_slice(needs_plan.unwrap_or_default().as_bytes());
    Some(out.out)
}

struct Writer {
    out: Vec<u8>,
}

impl Writer {
    fn number(&mut self, number: usize) -> Option<()> {
        self.out.extend_from_slice(&u32::try_from(number).ok()?.to_le_bytes());
        Some(())
    }

    fn text(&mut self, text: &str) -> Option<()> {
        self.number(text.len())?;
        self.out.extend_from_slice(text.as_bytes());
        Some(())
    }

    fn texts<'t>(&mut self, texts: impl ExactSizeIterator<Item = &'t str>) -> Option<()> {
        self.number(texts.len())?;
        texts.into_iter().try_for_each(|text| self.text(text))
    }

    fn script(&mut self, script: Option<&Script>, known: Option<&Known>) -> Option<()> {
        self.out.push(u8::from(script.is_some()));
        let Some(script) = script else {
            return Some(());
        };
        if script.large.is_some() {
            return None;
        }
        self.text(&script.file.name)?;
        self.text(&script.file.text)?;
        self.number(script.body)?;
        let Some(known) = known else {
            self.out.push(UNKNOWN);
            return Some(());
        };
        self.out.push(if known.plain.is_some() { PLAIN } else { HASHED });
        self.out.extend_from_slice(&known.checksum.text);
        self.out.extend_from_slice(&known.checksum.tokens);
        self.out.push(u8::from(known.kept.is_some()));
        if let Some(kept) = &known.kept {
            self.text(kept)?;
        }
        let Some(extents) = &known.plain else {
            return Some(());
        };
        self.number(extents.len())?;
        let mut numbers = extents.iter().flat_map(|it| [it.start, it.length, it.sent]);
        numbers.try_for_each(|number| self.number(number))
    }

    fn revision(&mut self, revision: &Revision, known: &[Option<Known>; 2]) -> Option<()> {
        let header = &revision.header;
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        let timeouts = [header.lock_timeout, header.statement_timeout];
        self.out.push(
            flag(header.transaction == Transaction::None, NO_TRANSACTION)
                | flag(header.recreate == Recreate::Always, RECREATE_ALWAYS)
                | flag(header.recreate == Recreate::Never, RECREATE_NEVER)
                | flag(header.irreversible, IRREVERSIBLE)
                | flag(header.code, CODE)
                | flag(timeouts.iter().any(Option::is_some), TIMEOUTS)
                | flag(revision.missing_text, MISSING_TEXT),
        );
        self.text(header.id.as_str())?;
        self.texts(header.down_revisions.iter().map(RevisionId::as_str))?;
        self.texts(header.depends_on.iter().map(|name| &**name))?;
        self.texts(header.branch_labels.iter().map(BranchLabel::as_str))?;
        self.text(&header.message)?;
        self.out.push(u8::from(header.created.is_some()));
        if let Some(created) = &header.created {
            self.text(created)?;
        }
        if timeouts.iter().any(Option::is_some) {
            for time in timeouts {
                let milliseconds = time.map_or(Some(NO_TIMEOUT), |time| u64::try_from(time.as_millis()).ok())?;
                self.out.extend_from_slice(&milliseconds.to_le_bytes());
            }
        }
        self.script(revision.upgrade.as_ref(), known[0].as_ref())?;
        self.script(revision.downgrade.as_ref(), known[1].as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [[Option<Known>; 2]; 4] = [const { [None, None] }; 4];

    fn revision(id: &str, down: &[&str], text: &str) -> Revision {
        let mut header = Header::new(id);
        header.down_revisions = down.iter().map(|id| RevisionId::new(*id)).collect();
        let script = |text: &str| Script {
            body: text.len() / 2,
            file: SourceFile::new("a/upgrade.sql", text),
            large: None,
            known: None,
        };
        Revision {
            header,
            places: Spans::default(),
            upgrade: Some(script(text)),
            downgrade: (!text.is_empty()).then(|| script("DROP é")),
            missing_text: false,
            header_lost: false,
        }
    }

    fn some() -> Vec<Revision> {
        let mut all = vec![
            revision("dddd", &[], "SELECT 1;"),
            revision("aaaa", &["dddd"], ""),
            revision("bbbb", &["dddd"], "SELECT 'é';"),
            revision("cccc", &["aaaa"], "x"),
        ];
        all[1].header.depends_on = vec!["bbbb".into()];
        all[1].header.branch_labels = vec![BranchLabel::new("billing")];
        all[1].header.message = "what é does".into();
        all[1].header.created = Some("2026-11-22".into());
        all[2].header.transaction = Transaction::None;
        all[2].header.recreate = Recreate::Never;
        all[3].header.recreate = Recreate::Always;
        all[3].header.irreversible = true;
        all[0].header.code = true;
        all[0].header.lock_timeout = Some(Duration::from_millis(1500));
        all[3].header.statement_timeout = Some(Duration::ZERO);
        (all[3].upgrade, all[3].missing_text) = (None, true);
        all
    }

    #[test]
    fn what_is_packed_comes_out_again() {
        let graph = RevisionGraph::build(some()).unwrap();
        let known = |tokens, plain: bool| Known {
            checksum: Checksum {
                text: [0; 32],
                tokens: [tokens; 32],
            },
            kept: plain.then(|| "shorter".into()),
            plain: plain.then(Vec::new),
        };
        let sums = [1, 2, 3, 4].map(|tokens| [Some(known(tokens, tokens == 2)), Some(known(tokens, false))]);
        let packed = Packed::new(pack("sqlite", &graph, &sums, None).unwrap().leak());
        let (dialect, again) = packed.revisions().unwrap();
        assert_eq!(dialect, "sqlite");
        let mut all = some();
        for (revision, known) in all.iter_mut().zip(&sums) {
            let scripts = [&mut revision.upgrade, &mut revision.downgrade];
            for (script, known) in scripts.into_iter().zip(known) {
                if let Some(script) = script {
                    script.known = known.clone().map(Arc::new);
                }
            }
        }
        assert_eq!(format!("{again:?}"), format!("{all:?}"));
        assert!(!packed.is_plain());
        let all_plain = [1, 2, 3, 4].map(|tokens| [Some(known(tokens, true)), None]);
        assert!(Packed::new(pack("sqlite", &graph, &all_plain, None).unwrap().leak()).is_plain());
        let brief: Vec<_> = packed
            .brief()
            .unwrap()
            .map(|it| {
                let words = [it.id, &it.short[..2]].map(|bytes| str::from_utf8(bytes).unwrap());
                format!("{} {} {}", words[0], words[1], it.is_head)
            })
            .collect();
        assert_eq!(
            brief,
            ["aaaa 02 false", "bbbb 03 false", "cccc 04 true", "dddd 01 false"]
        );
    }

    #[test]
    fn a_program_without_batch_plans_is_not_built_where_one_may_be_needed() {
        let graph = RevisionGraph::build(some()).unwrap();
        let words = "migrations/1/upgrade.sql:5:1: it may";
        let bytes = pack("sqlite", &graph, &NONE, Some(words)).unwrap().leak();
        let made = std::panic::catch_unwind(|| Packed::new(bytes).needs_plan());
        if cfg!(feature = "batch") {
            assert_eq!(made.unwrap(), Some(words));
            assert_eq!(Packed::new(bytes).revisions().unwrap().1.len(), 4);
        } else {
            made.unwrap_err();
        }
    }

    #[test]
    fn damaged_bytes_are_no_revisions() {
        let graph = RevisionGraph::build(some()).unwrap();
        let whole = pack("sqlite", &graph, &NONE, None).unwrap();
        for length in TABLE..whole.len() {
            assert!(Packed::new(whole[..length].to_vec().leak()).revisions().is_none());
        }
        // Nothing that is wrong with the table makes a database current that has other rows, or none.
        let good = Packed::new(whole.clone().leak()).brief().unwrap().count();
        assert_eq!(good, 4);
        for (at, value) in [(0, 0), (0, 3), (0, 5), (3, 0xff), (4, 0), (4, 20), (7, 0xff)] {
            let mut bytes = whole.clone();
            bytes[MARK.len() + at] = value;
            assert!(Packed::new(bytes.leak()).brief().is_none(), "{at} {value}");
        }
        let mut bytes = whole.clone();
        bytes[TABLE + brief::SHORT] ^= 1;
        assert!(Packed::new(bytes.leak()).brief().is_none());
        // Where the revisions end.
        let mut bytes = whole;
        bytes[MARK.len() + 8] ^= 1;
        assert!(Packed(bytes.leak()).revisions().is_none());
    }
}
