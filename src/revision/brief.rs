//! What must be known of revisions to see whether they are applied as they are: a table that is read at each start of a
//! program.
//!
//! Sorted by id, for each the digits of its checksum and the length of its id; then the ids, one after the other. Numbers
//! are little-endian.

use crate::revision::checksum::Checksum;
use crate::revision::graph::RevisionGraph;

/// How many digits of a checksum's second value stand for the whole in the table: 128 bits.
pub const SHORT: usize = 32;
/// The length of an entry of the table.
const ENTRY: usize = SHORT + 4;
/// In the length of an id: nothing comes after this revision.
const HEAD: u32 = 1 << 31;

/// What must be known of a revision to see whether it is applied as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brief<'a> {
    /// The id, in UTF-8.
    pub id: &'a [u8],
    /// The first digits of the second value of the upgrade's checksum.
    pub short: &'a [u8],
    /// Whether no revision comes after it or depends on it.
    pub is_head: bool,
}

/// The table of what must be known, read from its bytes, in the order of the ids.
#[derive(Debug, Clone)]
pub struct Briefs<'a> {
    table: &'a [u8],
    ids: &'a [u8],
}

impl<'a> Briefs<'a> {
    /// Reads the table of so many revisions; none when the bytes are damaged.
    #[inline]
    pub fn new(bytes: &'a [u8], count: usize) -> Option<Self> {
        let (table, ids) = bytes.split_at_checked(count.checked_mul(ENTRY)?)?;
        let lengths = table.chunks_exact(ENTRY).map(|entry| length(entry) & !HEAD);
        let all: u64 = lengths.map(u64::from).sum();
        (all == ids.len() as u64).then_some(Self { table, ids })
    }
}

impl<'a> Iterator for Briefs<'a> {
    type Item = Brief<'a>;

    #[inline]
    fn next(&mut self) -> Option<Brief<'a>> {
        let (entry, table) = self.table.split_at_checked(ENTRY)?;
        let length = length(entry);
        let (id, ids) = self.ids.split_at_checked((length & !HEAD) as usize)?;
        (self.table, self.ids) = (table, ids);
        Some(Brief {
            id,
            short: &entry[..SHORT],
            is_head: length & HEAD != 0,
        })
    }
}

/// The last four bytes of an entry.
#[inline]
fn length(entry: &[u8]) -> u32 {
    entry.last_chunk().map_or(0, |length| u32::from_le_bytes(*length))
}

/// The table that [`Briefs`] reads, of the revisions of a graph and the checksums of their upgrades, in path order; none
/// where an id is longer than can be said.
pub fn table(graph: &RevisionGraph, checksums: &[Option<Checksum>]) -> Option<Vec<u8>> {
    let mut entries = Vec::with_capacity(graph.len());
    for (node, checksum) in graph.nodes().zip(checksums) {
        let short = checksum.map_or([b'0'; SHORT], |checksum| short(&checksum));
        entries.push((graph.id(node).as_str(), short, graph.is_effective_head(node)));
    }
    entries.sort_unstable();
    let mut out = Vec::with_capacity(entries.len() * (ENTRY + 16));
    for (id, short, is_head) in &entries {
        out.extend_from_slice(short);
        let length = u32::try_from(id.len()).ok().filter(|length| *length < HEAD)?;
        let length = if *is_head { length | HEAD } else { length };
        out.extend_from_slice(&length.to_le_bytes());
    }
    for (id, ..) in &entries {
        out.extend_from_slice(id.as_bytes());
    }
    Some(out)
}

/// The first digits of the second value.
fn short(checksum: &Checksum) -> [u8; SHORT] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut short = [0; SHORT];
    for (digits, byte) in short.chunks_exact_mut(2).zip(checksum.tokens) {
        digits.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    short
}
