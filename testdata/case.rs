//! A case: files, commands, their output, the schema and the rows that result, in one Markdown file.

use crate::world::World;

/// A piece of the file.
enum Piece {
    /// Lines that are kept as they are: prose, fences.
    Text(Vec<String>),
    /// A block: what its fence says, where its first line is, and its lines.
    Block {
        kind: String,
        name: String,
        line: usize,
        lines: Vec<String>,
    },
}

/// A place where what came is not what the file says.
pub(crate) struct Wrong {
    pub line: usize,
    pub want: String,
    pub got: String,
}

pub(crate) struct Case {
    pieces: Vec<Piece>,
    standing: bool,
}

impl Case {
    pub(crate) fn parse(text: &str) -> Self {
        let mut pieces = vec![Piece::Text(Vec::new())];
        let mut open = false;
        for (number, line) in text.lines().enumerate() {
            let fence = line.strip_prefix("```");
            match (fence, pieces.last_mut()) {
                (Some(_), _) if open => {
                    open = false;
                    pieces.push(Piece::Text(vec![line.to_owned()]));
                }
                (Some(info), Some(Piece::Text(lines))) => {
                    open = true;
                    lines.push(line.to_owned());
                    let (kind, name) = info.split_once(' ').unwrap_or((info, ""));
                    pieces.push(Piece::Block {
                        kind: kind.to_owned(),
                        name: name.trim().to_owned(),
                        line: number + 2,
                        lines: Vec::new(),
                    });
                }
                (_, Some(Piece::Text(lines) | Piece::Block { lines, .. })) => lines.push(line.to_owned()),
                (_, None) => unreachable!("there is always a piece"),
            }
        }
        let standing = !text.contains("<!-- standing checks: no");
        Self { pieces, standing }
    }

    /// Whether the checks that hold for every case hold for this one.
    pub(crate) fn standing_checks(&self) -> bool {
        self.standing
    }

    /// The file, with what came in the place of what was wanted.
    pub(crate) fn text(&self) -> String {
        let lines = self.pieces.iter().flat_map(|piece| match piece {
            Piece::Text(lines) | Piece::Block { lines, .. } => lines.iter(),
        });
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// Runs the blocks from top to bottom. The result of each block that asserts something replaces its lines.
    pub(crate) fn run(&mut self, world: &mut World) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        for piece in &mut self.pieces {
            let Piece::Block {
                kind,
                name,
                line,
                lines,
            } = piece
            else {
                continue;
            };
            let got = match (kind.as_str(), name.as_str()) {
                ("console", _) => console(lines, world),
                ("sql", "schema") => world.schema(),
                ("rows", table) => world.rows(table),
                ("rust" | "" | "toml" | "text", _) | (_, "") => continue,
                (_, path) => {
                    world.write(path, lines);
                    continue;
                }
            };
            if let Some(at) = (0..lines.len().max(got.len())).find(|&i| lines.get(i) != got.get(i)) {
                let shown = |lines: &[String]| lines.get(at).cloned().unwrap_or_else(|| "(nothing more)".to_owned());
                wrong.push(Wrong {
                    line: *line + at,
                    want: shown(lines),
                    got: shown(&got),
                });
                *lines = got;
            }
        }
        wrong
    }
}

/// Runs each `$ command` of the block; the lines between are what they print.
fn console(lines: &[String], world: &mut World) -> Vec<String> {
    let mut got = Vec::new();
    let mut commands = lines.iter().peekable();
    while let Some(line) = commands.next() {
        let Some(command) = line.strip_prefix("$ ") else {
            continue;
        };
        got.push(line.clone());
        let mut command = command.to_owned();
        while command.ends_with('\\') {
            command.pop();
            if let Some(more) = commands.next() {
                got.push(more.clone());
                command.push_str(more);
            }
        }
        got.extend(world.command(&command));
    }
    got
}
