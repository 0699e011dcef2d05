//! The drawing of the history: a column for each line of revisions, the newest above.

use std::borrow::Cow;
use std::collections::BTreeSet;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::revision::BranchLabel;
use crate::revision::applied::Applied;
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::Node;
use crate::sorted::Gather as _;

/// The words beside the drawing keep at least this many columns of the terminal.
const WORDS: usize = 50;
/// Labels keep at least this many columns.
const LABELS: usize = 12;
/// As many columns of a message are kept before labels are shortened.
const MESSAGE: usize = 20;

/// How to draw.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// The columns of the terminal; longer lines are cut. None cuts nothing.
    pub width: Option<usize>,
    /// Box-drawing characters; ASCII otherwise.
    pub unicode: bool,
    /// What is applied, where the database is known.
    pub applied: Option<&'a Applied>,
}

/// What a piece of a line is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Lines between revisions, and spaces.
    Edge,
    /// The mark of an applied revision.
    Applied,
    /// The mark of a revision that is not applied, or of any where it is not known what is.
    Pending,
    /// The id.
    Id,
    /// Branch labels, in parentheses.
    Label,
    /// `(head)`
    Head,
    /// `(current)`
    Current,
    /// What it depends on, in parentheses.
    Dependency,
    /// The message.
    Message,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment<'a> {
    /// What it is.
    pub role: Role,
    /// Its text.
    pub text: Cow<'a, str>,
}

/// A line, without its end.
pub type Line<'a> = Vec<Segment<'a>>;

/// Draws revisions, given newest first, each before all that it comes after, and hands every line to `each`.
///
/// Lines lead to what a revision comes after by `down_revision`; where that is not among the revisions given, they end.
/// Each line waits for one revision, and lines to the same revision join at once, so that the drawing stays narrow and a
/// revision costs no more than the columns that are shown.
pub fn draw<'a>(graph: &'a RevisionGraph, order: &[Node], options: Options<'_>, mut each: impl FnMut(&Line<'a>)) {
    let mut shown = vec![false; graph.len()];
    for node in order {
        shown[node.index()] = true;
    }
    let words = Words::new(graph, options);
    let mut columns = Columns::new(graph.len());
    let most = options.width.map_or(usize::MAX, |width| {
        (width.saturating_sub(WORDS) / 2).max(width / 8).max(1)
    });
    let glyphs = if options.unicode { &UNICODE } else { &ASCII };
    let mut line = Line::new();
    for &node in order {
        let at = columns.take(node);
        let mark = if options.applied.is_some_and(|applied| applied.contains(node)) {
            (Role::Applied, glyphs.applied)
        } else {
            (Role::Pending, glyphs.pending)
        };
        line.clear();
        columns.row(at, most, mark, glyphs, &mut line);
        words.of(node, columns.width().min(most) * 2, &mut line);
        each(&line);
        let parents = graph
            .down_revisions(node)
            .iter()
            .copied()
            .filter(|parent| shown[parent.index()]);
        if let Some(link) = columns.follow(at, parents, most, glyphs) {
            line.clear();
            line.push(edge(link));
            each(&line);
        }
    }
}

fn edge(text: impl Into<Cow<'static, str>>) -> Segment<'static> {
    Segment {
        role: Role::Edge,
        text: text.into(),
    }
}

/// The characters of a drawing.
struct Glyphs {
    applied: &'static str,
    pending: &'static str,
    /// By the directions that meet: up 8, down 4, left 2, right 1.
    lines: [&'static str; 16],
}

const UNICODE: Glyphs = Glyphs {
    applied: "●",
    pending: "○",
    lines: [
        " ", "─", "─", "─", "│", "╭", "╮", "┬", "│", "╰", "╯", "┴", "│", "├", "┤", "┼",
    ],
};
const ASCII: Glyphs = Glyphs {
    applied: "*",
    pending: "o",
    lines: [
        " ", "-", "-", "-", "|", ".", ".", "+", "|", "`", "'", "+", "|", "+", "+", "+",
    ],
};

/// How a line meets one from a revision.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joint {
    /// It comes from above and goes on.
    Through,
    /// It begins there.
    Begins,
    /// It comes from above and ends there.
    Ends,
}

/// The lines that are open at one height of the drawing, from left to right.
struct Columns {
    /// The revision that each column waits for.
    open: Vec<Option<Node>>,
    /// Columns inside the drawing that wait for nothing.
    free: BTreeSet<usize>,
    /// The column that waits for a revision.
    column: Vec<Option<usize>>,
    /// The column in which a line ended right above.
    ended: Option<usize>,
}

impl Columns {
    fn new(len: usize) -> Self {
        Self {
            open: Vec::new(),
            free: BTreeSet::new(),
            column: vec![None; len],
            ended: None,
        }
    }

    fn width(&self) -> usize {
        self.open.len()
    }

    /// The column of a revision: the one that waits for it, or a new one, but none right below the end of a line.
    fn take(&mut self, node: Node) -> usize {
        let ended = self.ended.take();
        self.column[node.index()].unwrap_or_else(|| {
            let first = self.free.first().copied().unwrap_or(self.open.len());
            self.put(node, if ended == Some(first) { first + 1 } else { first })
        })
    }

    /// A column for a revision: the first free one that is not left of `from`, or one at the right.
    fn put(&mut self, node: Node, from: usize) -> usize {
        let free = self.free.range(from..).next().copied();
        let column = free.unwrap_or(self.open.len().max(from));
        self.free.remove(&column);
        for left in self.open.len()..=column {
            self.open.push(None);
            if left < column {
                self.free.insert(left);
            }
        }
        self.set(column, node);
        column
    }

    fn set(&mut self, column: usize, node: Node) {
        self.open[column] = Some(node);
        self.column[node.index()] = Some(column);
    }

    fn close(&mut self, column: usize) {
        self.open[column] = None;
        self.free.insert(column);
        while self.open.last() == Some(&None) {
            self.open.pop();
            self.free.remove(&self.open.len());
        }
    }

    /// Draws the line of a revision: its mark, and the lines that pass it. A mark beyond the last column stands in that.
    fn row(&self, at: usize, most: usize, mark: (Role, &'static str), glyphs: &Glyphs, line: &mut Line<'_>) {
        let pass = |begin: &'static str, columns: &[Option<Node>]| {
            let glyph = |column: &Option<Node>| match column {
                Some(_) => glyphs.lines[12],
                None => glyphs.lines[0],
            };
            if columns.is_empty() {
                return edge(begin);
            }
            let mut text = String::with_capacity(begin.len() + 4 * columns.len());
            text.push_str(begin);
            text.extend(columns.iter().flat_map(|column| [glyph(column), " "]));
            edge(text)
        };
        let shown = self.width().min(most);
        let at = at.min(shown.saturating_sub(1));
        if at > 0 {
            line.push(pass("", &self.open[..at]));
        }
        line.push(Segment {
            role: mark.0,
            text: mark.1.into(),
        });
        line.push(pass(" ", self.open.get(at + 1..shown).unwrap_or_default()));
    }

    /// Lets the lines below a revision go on to its parents, and draws what turns or joins on the way.
    fn follow(
        &mut self,
        at: usize,
        parents: impl Iterator<Item = Node>,
        most: usize,
        glyphs: &Glyphs,
    ) -> Option<String> {
        let before = self.width();
        let mut goes_on = false;
        let mut joined: Vec<(usize, Joint)> = Vec::new();
        for parent in parents {
            match self.column[parent.index()] {
                Some(column) => joined.push((column, Joint::Through)),
                None if goes_on => joined.push((self.put(parent, at + 1), Joint::Begins)),
                None => {
                    goes_on = true;
                    self.set(at, parent);
                }
            }
        }
        // Where nothing goes on here, the nearest line at the right comes over, so that lines do not drift to the right.
        let right = joined
            .iter_mut()
            .filter(|(column, _)| !goes_on && *column > at)
            .min_by_key(|(column, _)| *column);
        let moved = right.and_then(|(column, joint)| {
            *joint = Joint::Ends;
            self.open[*column].map(|parent| (*column, parent))
        });
        if let Some((_, parent)) = moved {
            goes_on = true;
            self.set(at, parent);
        }
        let link =
            (!joined.is_empty()).then(|| self.link(at, goes_on, &joined, before.max(self.width()).min(most), glyphs));
        match moved {
            Some((column, _)) => self.close(column),
            None if !goes_on => {
                self.close(at);
                self.ended = link.is_none().then_some(at);
            }
            None => {}
        }
        link
    }

    /// The line between a revision and its parents.
    fn link(&self, at: usize, goes_on: bool, joined: &[(usize, Joint)], shown: usize, glyphs: &Glyphs) -> String {
        let ends = || joined.iter().map(|&(column, _)| column).chain([at]);
        let (first, last) = (ends().min().unwrap_or(at), ends().max().unwrap_or(at));
        let mut line = String::new();
        for column in 0..shown {
            let reached = joined.iter().find(|&&(reached, _)| reached == column);
            let (up, down, turns) = match reached {
                Some(&(_, joint)) => (joint != Joint::Begins, joint != Joint::Ends, true),
                None if column == at => (true, goes_on, true),
                None => {
                    let open = self.open.get(column).is_some_and(Option::is_some);
                    (open, open, !open)
                }
            };
            // A line that only passes stays whole; what crosses it goes on behind.
            let left = turns && first < column && column <= last;
            let right = turns && first <= column && column < last;
            let directions = [(up, 8), (down, 4), (left, 2), (right, 1)];
            let sum: usize = directions.iter().filter(|(on, _)| *on).map(|(_, bit)| bit).sum();
            line.push_str(glyphs.lines[sum]);
            line.push_str(if first <= column && column < last {
                glyphs.lines[3]
            } else {
                glyphs.lines[0]
            });
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// What stands beside the drawing.
struct Words<'a> {
    graph: &'a RevisionGraph,
    width: Option<usize>,
    labels: Vec<std::sync::Arc<[BranchLabel]>>,
    current: BTreeSet<Node>,
    ellipsis: &'static str,
}

impl<'a> Words<'a> {
    fn new(graph: &'a RevisionGraph, options: Options<'_>) -> Self {
        Self {
            graph,
            width: options.width,
            labels: graph.branch_labels(),
            current: options
                .applied
                .map(|applied| applied.heads(graph))
                .unwrap_or_default()
                .into_iter()
                .into_set(),
            ellipsis: if options.unicode { "…" } else { "..." },
        }
    }

    /// Adds the words of a revision to its line, `drawn` columns of which are taken.
    fn of(&self, node: Node, drawn: usize, line: &mut Line<'a>) {
        let revision = self.graph.revision(node);
        let header = &revision.header;
        let is_head = self.graph.is_head(node);
        let labels: &[BranchLabel] = if is_head {
            &self.labels[node.index()]
        } else {
            &header.branch_labels
        };
        let labels = (!labels.is_empty()).then(|| {
            let labels: Vec<&str> = labels.iter().map(BranchLabel::as_str).collect();
            Cow::from(format!("({})", labels.join(", ")))
        });
        let current = self.current.contains(&node);
        let needs = !header.depends_on.is_empty();
        let needs = needs.then(|| format!("(depends on {})", header.depends_on.join(", ")).into());
        let message = (!header.message.is_empty()).then(|| Cow::from(&*header.message));
        let words = [
            (Role::Id, Some(header.id.as_str().into())),
            (Role::Label, labels),
            (Role::Head, is_head.then(|| "(head)".into())),
            (Role::Current, current.then(|| "(current)".into())),
            (Role::Dependency, needs),
            (Role::Message, message),
        ];
        let mut left = self.width.map(|width| width.saturating_sub(drawn));
        let mut later = reserved(&words);
        for (role, text) in words {
            let Some(text) = text else { continue };
            if matches!(role, Role::Head | Role::Current) {
                later = later.saturating_sub(columns(&text) + 1);
            }
            if role != Role::Id {
                line.push(edge(" "));
            }
            // Labels are shortened before a word behind them is lost.
            let room = match role {
                Role::Label => left.map(|left| left.saturating_sub(later).max(LABELS).min(left)),
                _ => left,
            };
            let text = match room {
                Some(room) if role == Role::Label && columns(&text) > room && room > 2 => {
                    cut(printable(text), Some(room - 1), self.ellipsis) + ")"
                }
                _ => cut(printable(text), room, self.ellipsis),
            };
            if let Some(left) = &mut left {
                // The space after it counts too.
                *left = left.saturating_sub(columns(&text) + 1);
            }
            line.push(Segment { role, text });
            if left == Some(0) {
                break;
            }
        }
    }
}

/// How many columns the words behind the labels want: all of `(head)` and `(current)`, and a part of the message.
fn reserved(words: &[(Role, Option<Cow<'_, str>>)]) -> usize {
    let wants = words.iter().map(|(role, text)| match (role, text) {
        (Role::Head | Role::Current, Some(text)) => columns(text) + 1,
        (Role::Message, Some(text)) => columns(text).min(MESSAGE) + 1,
        _ => 0,
    });
    wants.sum()
}

/// Whether each byte is a character that takes one column.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// How many columns the text takes.
fn columns(text: &str) -> usize {
    if is_plain(text) { text.len() } else { text.width() }
}

/// The text without what would move the cursor or change its colour.
fn printable(text: Cow<'_, str>) -> Cow<'_, str> {
    if !is_plain(&text) && text.chars().any(char::is_control) {
        text.replace(char::is_control, " ").into()
    } else {
        text
    }
}

/// The text, cut to a number of columns between two characters as a reader sees them.
fn cut<'a>(text: Cow<'a, str>, room: Option<usize>, ellipsis: &str) -> Cow<'a, str> {
    let Some(room) = room.filter(|&room| columns(&text) > room) else {
        return text;
    };
    let Some(room) = room.checked_sub(ellipsis.width()) else {
        return Cow::Owned(".".repeat(room));
    };
    let mut end = 0;
    let mut joined = false;
    for (at, character) in text.char_indices() {
        // A character begins where something of its own width stands, unless a joiner ties it to the one before.
        let begins = character.width().unwrap_or(0) > 0 && !joined;
        joined = character == '\u{200d}';
        if !begins {
            continue;
        }
        if text[..at].width() > room {
            break;
        }
        end = at;
    }
    Cow::Owned(text[..end].trim_end().to_owned() + ellipsis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::history::{by_branch, history};
    use crate::revision::sample::graph;

    fn lines(graph: &RevisionGraph, order: &[Node], options: Options<'_>) -> Vec<String> {
        let mut lines = Vec::new();
        draw(graph, order, options, |line| {
            lines.push(line.iter().map(|segment| &*segment.text).collect());
        });
        lines
    }

    fn drawn(revisions: &str, options: Options<'_>) -> Vec<String> {
        let graph = graph(revisions);
        let order = by_branch(&graph, &history(&graph, None, None).expect("all of it"));
        lines(&graph, &order, options)
    }

    const PLAIN: Options<'_> = Options {
        width: None,
        unicode: true,
        applied: None,
    };

    fn check(revisions: &str, expect: &str) {
        let lines = drawn(revisions, PLAIN).join("\n");
        assert_eq!(lines.replace(" about", "").trim_end(), expect, "\n{lines}");
    }

    #[test]
    fn a_line_stands_straight() {
        check("a b:a[billing]", "○ b (billing) (head) b\n○ a a");
    }

    #[test]
    fn a_diamond_opens_and_closes() {
        let diamond = "\
○ e (head) e
○ d d
├─╮
│ ○ c c
○ │ b b
├─╯
○ a a";
        check("a b:a c:a d:b,c e:d", diamond);
    }

    #[test]
    fn trees_stand_side_by_side() {
        let forest = "\
○ w (head) w
  ○ z (head) (depends on b) z
  ├─╮
○ │ │ b (head) b
│ │ ○ c c
├─│─╯
○ │ a a
  ○ y y
  ○ x x";
        check("a x b:a y:x c:a z:y,c~b w", forest);
    }

    #[test]
    fn lines_cross_and_join() {
        let merges = "\
○ f (head) f
├─╮
│ │ ○ e (head) e
├─┼─┤
│ ○ │ d d
│ │ ○ c c
│ ├─╯
○ │ b b
├─╯
○ a a";
        check("a b:a c:a d:a e:b,c,d f:b,d", merges);
        let nested = "\
○ g (head) g
├─╮
│ ○ f f
│ ├─╮
│ ○ │ c c
○   │ d d
├───╯
○ a a
  ○ e (head) e
  ○ b b";
        check("a b c d:a e:b f:c,a g:d,f", nested);
        let late = "\
○ g (head) g
○ c c
│ ○ f (head) f
│ ├─╮
│ │ ○ e e
├─│─╯
│ ○ b b
├─╯
│ ○ d (head) d
├─╯
○ a a";
        check("a b:a c:a d:a e:a f:b,e g:c", late);
    }

    #[test]
    fn plain_terminals_get_ascii_and_the_database_its_marks() {
        let graph = graph("a b:a c:a[late] d:b,c e:d");
        let rows: Vec<_> = ["a", "b"].map(crate::revision::RevisionId::from).into();
        let applied = Applied::from_rows(&graph, &rows).expect("rows of the graph");
        let order = history(&graph, None, None).expect("all of it");
        let options = Options {
            width: None,
            unicode: false,
            applied: Some(&applied),
        };
        let lines = lines(&graph, &order, options);
        let expect = "\
o e (late) (head) about e
o d about d
+-.
| o c (late) about c
* | b (current) about b
+-'
* a about a";
        assert_eq!(lines.join("\n"), expect);
    }

    #[test]
    fn of_a_range_the_lines_end_with_it() {
        let graph = graph("a b:a c:b d:b");
        let order = history(&graph, Some(&"b:".parse().expect("a range")), None).expect("a part");
        let lines = lines(&graph, &order, PLAIN);
        assert_eq!(
            lines,
            ["○ d (head) about d", "│ ○ c (head) about c", "├─╯", "○ b about b"]
        );
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let check = |text: &str, columns: usize, expect: &str| assert_eq!(cut(text.into(), Some(columns), "…"), expect);
        check("add user table", 14, "add user table");
        check("add user table", 13, "add user tab…");
        check("add user table", 10, "add user…");
        check("数据库迁移", 6, "数据…");
        check("e\u{301}te\u{301}s", 3, "e\u{301}t…");
        check("👩\u{200d}🔬👩\u{200d}🔬 x", 3, "👩\u{200d}🔬…");
        check("abc", 0, "");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let many: Vec<String> = (0..60).map(|i| format!("b{i:02} t{i:02}:b{i:02}")).collect();
        let all: Vec<String> = (0..60).map(|i| format!("t{i:02}")).collect();
        let revisions = format!("{} m:{}", many.join(" "), all.join(","));
        for width in [0, 1, 20, 80, 200] {
            let options = Options {
                width: Some(width),
                ..PLAIN
            };
            let widest = drawn(&revisions, options).iter().map(|line| line.width()).max();
            assert!(widest <= Some(width.max(2)), "{widest:?} in {width}");
        }
    }

    #[test]
    fn plain_texts_are_as_wide_as_they_are_long() {
        for byte in 0..=0x7f_u8 {
            let text = char::from(byte).to_string();
            assert!(!is_plain(&text) || text.width() == 1, "{byte}");
            assert_eq!(is_plain(&text), !char::from(byte).is_control(), "{byte}");
        }
        assert!(!is_plain("é"));
    }

    #[test]
    fn what_moves_the_cursor_is_not_shown() {
        assert_eq!(printable("a\u{1b}[2Jb\tc".into()), "a [2Jb c");
    }
}
