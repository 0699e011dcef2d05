//! A case: files, commands, their output, the schema and the rows that result, in one Markdown file.

use crate::world::{Kind, World};

/// The kinds of databases that a case plays on: what its line `<!-- on: … -->` before the first block says, or SQLite.
pub(crate) fn kinds(text: &str) -> Vec<Kind> {
    let head = text.lines().take_while(|line| !line.starts_with("```"));
    let line = head
        .into_iter()
        .find_map(|line| line.strip_prefix("<!-- on: ")?.strip_suffix(" -->"));
    let kind = |word: &str| match word {
        "sqlite" => Kind::Sqlite,
        "postgresql" => Kind::Postgresql,
        "mariadb" => Kind::Mariadb,
        "mysql" => Kind::Mysql,
        other => panic!("no case plays on `{other}`"),
    };
    line.unwrap_or("sqlite").split(' ').map(kind).collect()
}

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
        // The fence that is open; only one as long, and bare, closes it.
        let mut open: Option<String> = None;
        for (number, line) in text.lines().enumerate() {
            let ticks = line.len() - line.trim_start_matches('`').len();
            let fence = (ticks >= 3).then(|| line.split_at(ticks));
            match (fence, &open, pieces.last_mut()) {
                (Some((fence, "")), Some(first), _) if fence == first => {
                    open = None;
                    pieces.push(Piece::Text(vec![line.to_owned()]));
                }
                (Some((fence, info)), None, Some(Piece::Text(lines))) => {
                    open = Some(fence.to_owned());
                    lines.push(line.to_owned());
                    let (kind, name) = info.split_once(' ').unwrap_or((info, ""));
                    pieces.push(Piece::Block {
                        kind: kind.to_owned(),
                        name: name.trim().to_owned(),
                        line: number + 2,
                        lines: Vec::new(),
                    });
                }
                (_, _, Some(Piece::Text(lines) | Piece::Block { lines, .. })) => lines.push(line.to_owned()),
                (_, _, None) => unreachable!("there is always a piece"),
            }
        }
        let standing = !text.contains("\n<!-- standing checks: no, because ");
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
            let words: Vec<&str> = name.split(' ').collect();
            let got = match (kind.as_str(), words.as_slice()) {
                ("console", _) => console(lines, world),
                // The schema is written in SQLite's words; PostgreSQL's is compared by the standing checks.
                ("sql", ["schema"]) if world.kind != Kind::Sqlite => continue,
                ("sql", ["schema"]) => world.schema("app.db"),
                ("sql", ["schema", database]) => world.schema(database),
                ("rows", _) => world.rows(name),
                ("rust" | "text" | "markdown" | "", _) | (_, [""]) => continue,
                (_, _) => {
                    world.write(name, lines);
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
