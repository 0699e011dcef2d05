//! What a target means in a graph.

use crate::code::Code;
use crate::error::{Error, Result};
use crate::revision::applied::Applied;
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::{Node, NodeSet};
use crate::revision::target::{Offset, Symbol, Target};

/// The shortest beginning of an id that stands for it, in characters.
const SHORTEST: usize = 4;
/// How many candidates are listed.
const SHOWN: usize = 12;

/// For which command a target is resolved: what an error offers to type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the commands themselves")]
pub enum Command {
    Upgrade,
    Downgrade,
    Stamp,
    History,
    Show,
    Revision,
    Merge,
}

impl Command {
    /// The command with a target, to paste.
    fn with(self, target: &str) -> String {
        match self {
            Command::Upgrade => format!("sqlrev upgrade {target}"),
            Command::Downgrade => format!("sqlrev downgrade {target}"),
            Command::Stamp => format!("sqlrev stamp {target}"),
            Command::History => format!("sqlrev history -r :{target}"),
            Command::Show => format!("sqlrev show {target}"),
            Command::Revision => format!("sqlrev revision -m MESSAGE --head {target}"),
            Command::Merge => format!("sqlrev merge -m MESSAGE {target}"),
        }
    }

    fn counts_from_heads(self) -> bool {
        matches!(self, Command::Show | Command::History)
    }

    fn takes_heads(self) -> bool {
        !matches!(self, Command::Downgrade)
    }
}

/// Resolves targets against a graph, and against what is applied where that is known.
#[derive(Debug, Clone, Copy)]
pub struct Resolver<'a> {
    graph: &'a RevisionGraph,
    applied: Option<&'a Applied>,
    command: Command,
}

/// A branch: the revision that its name stands for, and all before and after it by `down_revision`.
pub(crate) struct Branch {
    pub(crate) node: Node,
    pub(crate) lineage: NodeSet,
}

/// What to do when a walk comes to an end before its steps do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overwalk {
    Refuse,
    Stay,
}

impl<'a> Resolver<'a> {
    /// `applied` gives `current` its meaning; without it, `current` is refused.
    pub fn new(graph: &'a RevisionGraph, applied: Option<&'a Applied>, command: Command) -> Self {
        Self {
            graph,
            applied,
            command,
        }
    }

    /// The revisions that a target stands for, without regard to what is applied; `base` is none.
    ///
    /// Steps are only taken for `show` and `history`, and only down from the heads (`-N`).
    ///
    /// # Errors
    /// `UnknownRevision`, `UnknownBranch`, `NotInBranch`, `AmbiguousPrefix`, `MultipleHeads`, `Ambiguous`,
    /// `RelativeOutOfRange`.
    pub fn absolute(&self, target: &Target) -> Result<Vec<Node>> {
        match (&target.symbol, target.offset) {
            (None, Some(Offset::Down(steps))) if steps > 0 && self.command.counts_from_heads() => {
                self.below_heads(target, steps)
            }
            (_, Some(_)) => Err(relative(target)),
            (None, None) => Ok(Vec::new()),
            (Some(symbol), None) => self.symbol(symbol, target),
        }
    }

    /// The revisions of several targets, each once, in the order of the targets.
    pub fn all(&self, targets: &[Target]) -> Result<Vec<Node>> {
        let mut seen = NodeSet::new(self.graph.len());
        let mut nodes = Vec::new();
        for target in targets {
            nodes.extend(self.absolute(target)?.into_iter().filter(|&node| seen.insert(node)));
        }
        Ok(nodes)
    }

    /// The one revision of a target; none for `base`.
    pub fn one(&self, target: &Target) -> Result<Option<Node>> {
        let nodes = self.absolute(target)?;
        self.only(&nodes, target)
    }

    fn only(&self, nodes: &[Node], target: &Target) -> Result<Option<Node>> {
        match nodes {
            [] => Ok(None),
            [node] => Ok(Some(*node)),
            _ => Err(self.multiple_heads(nodes, target)),
        }
    }

    fn symbol(&self, symbol: &Symbol, target: &Target) -> Result<Vec<Node>> {
        let branch = target.branch.as_deref();
        match symbol {
            Symbol::Name(name) => {
                let branch = branch
                    .map(|branch| self.branch(branch, Code::UnknownBranch))
                    .transpose()?;
                Ok(vec![self.lookup(name, branch.as_ref(), target)?])
            }
            Symbol::Base => {
                branch
                    .map(|branch| self.branch(branch, Code::UnknownRevision))
                    .transpose()?;
                Ok(Vec::new())
            }
            Symbol::Current => match self.applied {
                Some(applied) => Ok(applied.heads(self.graph)),
                None => Err(no_current()),
            },
            Symbol::Heads if branch.is_none() => Ok(self.graph.effective_heads()),
            Symbol::Heads => self.heads_on(branch),
            Symbol::Head => {
                let heads = self.heads_on(branch)?;
                self.only(&heads, target)?;
                Ok(heads)
            }
        }
    }

    /// The heads by `down_revision`, on a branch where one is named.
    fn heads_on(&self, branch: Option<&str>) -> Result<Vec<Node>> {
        let mut heads = self.graph.heads();
        if let Some(name) = branch {
            let branch = self.branch(name, Code::UnknownRevision)?;
            heads.retain(|&head| branch.lineage.contains(head));
        }
        Ok(heads)
    }

    /// `-N` is so many steps below each head, and `LABEL@-N` below those on the branch.
    fn below_heads(&self, target: &Target, steps: u32) -> Result<Vec<Node>> {
        let mut heads = self.graph.effective_heads();
        if let Some(name) = &target.branch {
            let branch = self.branch(name, Code::UnknownRevision)?;
            // Only a label selects heads here; an id selects none.
            let is_label = self.graph.names().label(name).is_some();
            heads.retain(|&head| is_label && branch.lineage.contains(head));
        }
        let mut nodes = Vec::new();
        for head in heads {
            nodes.extend(self.down(Some(head), steps, Overwalk::Refuse, target)?);
        }
        nodes.sort();
        nodes.dedup();
        Ok(nodes)
    }

    /// The branch that a label, an id or the beginning of one names; `code` is for a name that is unknown.
    pub(crate) fn branch(&self, name: &str, code: Code) -> Result<Branch> {
        let [node] = self.candidates(name, None)?[..] else {
            return Err(self.unknown(name, code));
        };
        Ok(Branch {
            node,
            lineage: self.graph.lineage(&[node]),
        })
    }

    fn lookup(&self, name: &str, branch: Option<&Branch>, target: &Target) -> Result<Node> {
        let [node] = self.candidates(name, branch)?[..] else {
            if let (Some(_), Some(label)) = (branch, &target.branch)
                && let [node] = self.candidates(name, None)?[..]
            {
                let message = format!("no revision on the branch `{label}` begins with `{name}`");
                let id = self.graph.id(node).as_str();
                return Err(Error::new(Code::UnknownRevision, message)
                    .help(format!("without the branch: {}", self.command.with(id))));
            }
            return Err(self.unknown(name, Code::UnknownRevision));
        };
        match (branch, &target.branch) {
            (Some(branch), Some(label)) if !branch.lineage.contains(node) => {
                let id = self.graph.id(node);
                let message = format!("revision `{id}` is not on the branch `{label}`");
                Err(Error::new(Code::NotInBranch, message)
                    .help(format!("without the branch: {}", self.command.with(id.as_str()))))
            }
            _ => Ok(node),
        }
    }

    /// The revision with this name, or else the one on the branch whose name begins like this; at most one.
    fn candidates(&self, name: &str, branch: Option<&Branch>) -> Result<Vec<Node>> {
        let names = self.graph.names();
        if let Some(node) = names.find(name) {
            return Ok(vec![node]);
        }
        if name.chars().count() < SHORTEST {
            return Ok(Vec::new());
        }
        let mut found: Vec<Node> = names.starting_with(name).map(|(_, node)| node).collect();
        found.retain(|&node| branch.is_none_or(|branch| branch.lineage.contains(node)));
        found.sort();
        found.dedup();
        if found.len() > 1 {
            let message = format!("{} revisions begin with `{name}`", found.len());
            return Err(self.list(Error::new(Code::AmbiguousPrefix, message), &found, |_| None));
        }
        Ok(found)
    }

    /// Goes up by `down_revision`, inside a branch where one is given; none is before the bases.
    pub(crate) fn up(
        &self,
        start: Option<Node>,
        steps: u32,
        within: Option<&NodeSet>,
        overwalk: Overwalk,
        target: &Target,
    ) -> Result<Option<Node>> {
        let mut at = start;
        for _ in 0..steps {
            let mut next = at.map_or_else(|| self.graph.bases(), |node| self.graph.down_children(node).to_vec());
            next.retain(|&node| within.is_none_or(|within| within.contains(node)));
            at = match next[..] {
                [node] => Some(node),
                [] if overwalk == Overwalk::Stay => return Ok(at),
                [] => return Err(self.out_of_range(target)),
                _ => {
                    let place = at.map_or("the base".to_owned(), |node| format!("`{}`", self.graph.id(node)));
                    let message = format!(
                        "`{target}` could go several ways: {} revisions come after {place}",
                        next.len()
                    );
                    return Err(self.list(Error::new(Code::Ambiguous, message), &next, |id| Some(id.to_owned())));
                }
            };
        }
        Ok(at)
    }

    /// Goes down by `down_revision`; none is before the bases, where the last step may lead.
    pub(crate) fn down(
        &self,
        start: Option<Node>,
        steps: u32,
        overwalk: Overwalk,
        target: &Target,
    ) -> Result<Option<Node>> {
        let mut at = start;
        for _ in 0..steps {
            let Some(node) = at else {
                return if overwalk == Overwalk::Stay {
                    Ok(None)
                } else {
                    Err(self.out_of_range(target))
                };
            };
            at = match self.graph.down_revisions(node) {
                [] => None,
                [parent] => Some(*parent),
                parents => {
                    let id = self.graph.id(node);
                    let message = format!(
                        "`{target}` could go several ways: `{id}` merges {} revisions",
                        parents.len()
                    );
                    return Err(self.list(Error::new(Code::Ambiguous, message), parents, |id| Some(id.to_owned())));
                }
            };
        }
        Ok(at)
    }

    /// Adds a line for each revision, with file and message, and the command for it where there is one.
    pub(crate) fn list(&self, error: Error, nodes: &[Node], target: impl Fn(&str) -> Option<String>) -> Error {
        let mut error = error;
        for &node in nodes.iter().take(SHOWN) {
            let revision = self.graph.revision(node);
            let id = revision.id().as_str();
            let words = [revision.file_name(), &revision.header.message];
            let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
            let words = words.join("  ");
            error = error.help(match target(id) {
                Some(target) => format!("{}  # {words}", self.command.with(&target)),
                None => format!("{id}  {words}"),
            });
        }
        if nodes.len() > SHOWN {
            error = error.help(format!("and {} more", nodes.len() - SHOWN));
        }
        error
    }

    #[cold]
    fn multiple_heads(&self, heads: &[Node], target: &Target) -> Error {
        let message = format!("`{target}` must be one revision, but {} are heads", heads.len());
        let error = self.list(Error::new(Code::MultipleHeads, message), heads, |_| None);
        let ids: Vec<&str> = heads
            .iter()
            .take(SHOWN)
            .map(|&head| self.graph.id(head).as_str())
            .collect();
        let Some(&first) = ids.first() else { return error };
        let mut error = error.help(format!("one of them: {}", self.command.with(first)));
        if self.command.takes_heads() {
            let all = target
                .branch
                .as_ref()
                .map_or("heads".to_owned(), |branch| format!("{branch}@heads"));
            error = error.help(format!("all of them: {}", self.command.with(&all)));
        }
        let merge = if heads.len() > SHOWN {
            "sqlrev merge -m MESSAGE".to_owned()
        } else {
            format!("sqlrev merge -m MESSAGE {}", ids.join(" "))
        };
        error.help(format!("join them: {merge}"))
    }

    #[cold]
    pub(crate) fn unknown(&self, name: &str, code: Code) -> Error {
        let what = if code == Code::UnknownBranch {
            "branch label or revision"
        } else {
            "revision or branch label"
        };
        let error = Error::new(code, format!("no {what} is called `{name}`"));
        let short = name.chars().count() < SHORTEST;
        let matches: Vec<&str> = self
            .graph
            .names()
            .starting_with(name)
            .take(3)
            .map(|(name, _)| name)
            .collect();
        let error = if short {
            let begin = if matches.is_empty() {
                String::new()
            } else {
                format!(": {}", matches.join(", "))
            };
            error.help(format!(
                "the beginning of an id needs at least {SHORTEST} characters{begin}"
            ))
        } else {
            error
        };
        match self.graph.names().similar(name).filter(|_| matches.is_empty()) {
            Some(similar) => error.help(format!("did you mean `{similar}`?")),
            None if short => error,
            None => error.help("the ids: sqlrev history"),
        }
    }

    #[cold]
    pub(crate) fn out_of_range(&self, target: &Target) -> Error {
        let (way, end) = match target.offset {
            Some(Offset::Down(_)) => ("down", "before the base"),
            _ => ("up", "past the last revision"),
        };
        let message = match (target.offset, self.command) {
            (Some(Offset::Down(_)), Command::Upgrade) if target.symbol.is_none() => {
                format!("`{target}` goes down, and an upgrade goes up")
            }
            (Some(Offset::Up(_)), Command::Downgrade) if target.symbol.is_none() => {
                format!("`{target}` goes up, and a downgrade goes down")
            }
            (Some(Offset::Up(0) | Offset::Down(0)), _) => format!("`{target}` takes no step"),
            _ => format!("`{target}` leads {way} {end}"),
        };
        Error::new(Code::RelativeOutOfRange, message).help("how many there are: sqlrev history -i")
    }
}

#[cold]
fn no_current() -> Error {
    Error::new(
        Code::UnknownRevision,
        "`current` is where the database is, and no place to go to",
    )
    .help("steps from what is applied are +N and -N; the base is base")
}

#[cold]
fn relative(target: &Target) -> Error {
    let message = format!("`{target}` counts steps, and a revision is named here");
    let code = Code::UnknownRevision;
    Error::new(code, message).help("write its id; `sqlrev history` lists them")
}
