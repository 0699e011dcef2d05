//! The difference between two texts, line by line.

use std::fmt::Write as _;

use crate::source::Span;

/// More lines than these are not compared one by one.
const MOST: usize = 3000;
/// Unchanged lines shown around a change.
const CONTEXT: usize = 1;
/// The most lines shown.
const SHOWN: usize = 40;

/// A difference, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Lines with `-` and `+` before what went and what came, and a space before what stayed.
    pub text: String,
    /// The first changed line of the new text.
    pub first_change: Option<Span>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Line<'a> {
    Same(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// Compares two texts by their lines; line endings and a byte order mark do not count.
pub(crate) fn lines(old: &str, new: &str) -> Difference {
    let bare = |text| str::strip_prefix(text, '\u{feff}').unwrap_or(text);
    let a: Vec<&str> = bare(old).lines().collect();
    let b: Vec<&str> = bare(new).lines().collect();
    let first = (0..a.len().max(b.len())).find(|&i| a.get(i) != b.get(i));
    let first_change = first.map(|line| span_of_line(new, line));
    Difference {
        text: written(&compare(&a, &b)),
        first_change,
    }
}

fn span_of_line(text: &str, line: usize) -> Span {
    let start = text.split_inclusive('\n').take(line).map(str::len).sum();
    let length = text[start..].lines().next().map_or(0, str::len);
    start..start + length
}

/// The longest common subsequence, after what both texts begin and end with.
fn compare<'a>(a: &[&'a str], b: &[&'a str]) -> Vec<Line<'a>> {
    let head = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let rest = a.len().min(b.len()) - head;
    let tail = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take(rest)
        .take_while(|(x, y)| x == y)
        .count();
    let (middle_a, middle_b) = (&a[head..a.len() - tail], &b[head..b.len() - tail]);
    let mut out: Vec<Line<'a>> = a[..head].iter().map(|line| Line::Same(line)).collect();
    if middle_a.len() > MOST || middle_b.len() > MOST {
        out.extend(middle_a.iter().map(|line| Line::Gone(line)));
        out.extend(middle_b.iter().map(|line| Line::New(line)));
    } else {
        subsequence(middle_a, middle_b, &mut out);
    }
    out.extend(a[a.len() - tail..].iter().map(|line| Line::Same(line)));
    out
}

fn subsequence<'a>(a: &[&'a str], b: &[&'a str], out: &mut Vec<Line<'a>>) {
    let width = b.len() + 1;
    let mut length = vec![0u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            length[i * width + j] = if a[i] == b[j] {
                length[(i + 1) * width + j + 1] + 1
            } else {
                length[(i + 1) * width + j].max(length[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            out.push(Line::Same(a[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || (i < a.len() && length[(i + 1) * width + j] >= length[i * width + j + 1]) {
            out.push(Line::Gone(a[i]));
            i += 1;
        } else {
            out.push(Line::New(b[j]));
            j += 1;
        }
    }
}

fn written(lines: &[Line<'_>]) -> String {
    let near = |i: usize| {
        let around = i.saturating_sub(CONTEXT)..(i + CONTEXT + 1).min(lines.len());
        lines[around].iter().any(|line| !matches!(line, Line::Same(_)))
    };
    let mut out = String::new();
    let mut shown = 0;
    let mut last = None;
    for (i, line) in lines.iter().enumerate().filter(|(i, _)| near(*i)) {
        if shown == SHOWN {
            out.push_str("\n…");
            break;
        }
        if last.is_some_and(|last| i > last + 1) {
            out.push_str("\n…");
        }
        let (sign, text) = match line {
            Line::Same(text) => (' ', text),
            Line::Gone(text) => ('-', text),
            Line::New(text) => ('+', text),
        };
        let _ = write!(out, "\n{sign} {text}");
        (last, shown) = (Some(i), shown + 1);
    }
    out.trim_start_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(old: &str, new: &str, text: &str, first: Option<&str>) {
        let difference = lines(old, new);
        assert_eq!(difference.text, text);
        assert_eq!(difference.first_change.map(|span| &new[span]), first);
    }

    #[test]
    fn changed_lines_are_shown_with_their_neighbours() {
        check("a\nb\nc\nd\ne\n", "a\nb\nX\nd\ne\n", "  b\n- c\n+ X\n  d", Some("X"));
        check("a\n", "a\nb\n", "  a\n+ b", Some("b"));
        check("a\nb\n", "a\n", "  a\n- b", Some(""));
        check("a\r\nb\r\n", "a\nb\n", "", None);
        check(
            "1\n2\n3\n4\n5\n6\n",
            "0\n2\n3\n4\n5\n7\n",
            "- 1\n+ 0\n  2\n…\n  5\n- 6\n+ 7",
            Some("0"),
        );
    }
}
