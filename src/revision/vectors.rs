//! Questions to graphs, and the answers that users of Alembic would expect: `testdata/graph/vectors.jsonl`.
//!
//! A line has a graph (`g`; `revisions` stand in the first line of each), a `command` with its inputs, and `expect`.
//! `verdict` says what to answer: `match` the same, `model` what stands under that key, `suggest` that error, `free`
//! anything sensible, which is fixed here by [`FREE`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::revision::applied::Applied;
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::Node;
use crate::revision::plan::Plan;
use crate::revision::resolve::{Command, Resolver};
use crate::revision::target::{Target, TargetRange};
use crate::revision::{Direction, RevisionId, history, parents, sample};

const VECTORS: &str = include_str!("../../testdata/graph/vectors.jsonl");

/// Where anything sensible may be answered and the line suggests nothing: the line, and the heads after it.
const FREE: &[(usize, &str)] = &[
    (111, "109ec7d132bf, 27c6a30d7c24, 34e094ad6ef1"),
    (167, "bbbb, cccc"),
    (168, "sqlrev::target::overlapping_revisions"),
    (217, "sqlrev::target::overlapping_revisions"),
    (274, "sqlrev::target::overlapping_revisions"),
    (316, "base"),
    (317, "5b2d72, f6d3f9"),
    (390, "sqlrev::target::overlapping_revisions"),
    (404, "base"),
    (423, "4b1aae, de25c6"),
    (557, "sqlrev::target::overlapping_revisions"),
    (573, "base"),
];

fn words(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        Value::String(word) => vec![word],
        _ => Vec::new(),
    }
}

fn build(revisions: &Value) -> Result<RevisionGraph> {
    let revision = |value: &Value| {
        let list = |key: &str| words(&value[key]);
        sample::revision(
            value["id"].as_str().expect("an id"),
            &list("down"),
            &list("depends_on"),
            &list("labels"),
        )
    };
    RevisionGraph::build(revisions.as_array().expect("revisions").iter().map(revision).collect())
}

/// What a command answered.
enum Answer {
    Plan(Plan),
    Set(BTreeSet<String>),
    List(Vec<String>),
    Info,
}

fn strings<'a>(ids: impl IntoIterator<Item = &'a RevisionId>) -> Vec<String> {
    ids.into_iter().map(ToString::to_string).collect()
}

struct Line<'a> {
    value: &'a Value,
    graph: &'a RevisionGraph,
}

impl Line<'_> {
    fn target(&self) -> Result<Target> {
        self.value["target"].as_str().expect("a target").parse()
    }

    fn range(&self) -> Result<TargetRange> {
        self.value["target"].as_str().expect("a range").parse()
    }

    fn targets(&self) -> Result<Vec<Target>> {
        words(&self.value["target"]).iter().map(|word| word.parse()).collect()
    }

    fn applied(&self) -> Result<Applied> {
        let heads = words(&self.value["current"])
            .iter()
            .map(|word| word.parse())
            .collect::<Result<Vec<Target>>>()?;
        Applied::from_heads(self.graph, &heads, Command::Upgrade)
    }

    fn answer(&self) -> Result<Answer> {
        let (graph, splice) = (self.graph, self.value["splice"] == true);
        let list = |nodes: Vec<Node>| strings(&graph.ids(nodes));
        Ok(match self.value["command"].as_str().expect("a command") {
            "upgrade" => Answer::Plan(Plan::upgrade(graph, &self.applied()?, &self.targets()?)?),
            "downgrade" => Answer::Plan(Plan::downgrade(graph, &self.applied()?, &self.target()?)?),
            "upgrade_sql" => Answer::Plan(Plan::upgrade_range(graph, &self.range()?)?),
            "downgrade_sql" => Answer::Plan(Plan::downgrade_range(graph, &self.range()?)?),
            "stamp" if self.value["purge"] == true => {
                let rows: Vec<RevisionId> = words(&self.value["current"])
                    .into_iter()
                    .map(RevisionId::from)
                    .collect();
                let (applied, _) = Applied::known(graph, &rows);
                Answer::Plan(Plan::stamp(graph, &applied, &self.targets()?, true)?)
            }
            "stamp" => Answer::Plan(Plan::stamp(graph, &self.applied()?, &self.targets()?, false)?),
            "history" => Answer::List(list(history::history(
                graph,
                Some(&self.range()?),
                Some(&self.applied()?),
            )?)),
            "resolve" => {
                let found = Resolver::new(graph, None, Command::Show).absolute(&self.target()?)?;
                Answer::Set(list(found).into_iter().collect())
            }
            "current" => Answer::Set(list(self.applied()?.current(graph)).into_iter().collect()),
            "new_revision" => Answer::List(list(parents::new_revision(graph, &self.targets()?, splice)?)),
            "merge" => Answer::List(list(parents::merge(graph, &self.targets()?, splice)?)),
            "info" => Answer::Info,
            other => panic!("{other}"),
        })
    }

    fn check(&self, answer: Result<Answer>) -> std::result::Result<(), String> {
        let suggest = self.value["suggest"].as_str();
        let expect = match (self.value["verdict"].as_str(), suggest) {
            (Some("model"), _) => &self.value["model"],
            (Some("suggest" | "free"), Some(suggest)) if suggest.starts_with("noop") => {
                return match answer {
                    Ok(Answer::Plan(plan)) if plan.is_empty() => Ok(()),
                    _ => Err("not a plan without steps".to_owned()),
                };
            }
            (Some("suggest" | "free"), Some(suggest)) => return category(answer.err(), suggest),
            (Some("free"), None) => return Err("not fixed in FREE".to_owned()),
            _ => &self.value["expect"],
        };
        if let Some(error) = expect["error"].as_str() {
            return category(answer.err(), error);
        }
        match answer.map_err(|error| format!("{error:?}"))? {
            Answer::Plan(plan) => self.check_plan(&plan, expect),
            Answer::Set(set) => equal(
                set,
                words(&expect["revisions"]).into_iter().map(str::to_owned).collect(),
            ),
            Answer::List(list) if expect["history"].is_array() => self.check_history(&list, &words(&expect["history"])),
            Answer::List(list) => equal(
                list,
                words(&expect["down_revision"]).into_iter().map(str::to_owned).collect(),
            ),
            Answer::Info => self.check_info(expect),
        }
    }

    fn check_plan(&self, plan: &Plan, expect: &Value) -> std::result::Result<(), String> {
        let heads = |heads: &super::heads::Heads| strings(&heads.ids());
        equal(
            heads(&plan.to),
            words(&expect["rows"]).into_iter().map(str::to_owned).collect(),
        )?;
        if self.value["command"] == "stamp" {
            return Ok(());
        }
        let steps = expect["steps"].as_array().expect("steps");
        let ids: Vec<String> = steps
            .iter()
            .filter_map(|step| step["rev"].as_str())
            .map(str::to_owned)
            .collect();
        let ours = strings(plan.steps.iter().map(|step| &step.revision));
        if self.value["order"] == "topological" {
            equal(ours.iter().collect::<BTreeSet<_>>(), ids.iter().collect())?;
            return in_order(self.graph, plan);
        }
        equal(ours, ids)?;
        for (step, expected) in plan.steps.iter().zip(steps) {
            equal(
                heads(&step.heads_after),
                words(&expected["rows"]).into_iter().map(str::to_owned).collect(),
            )?;
        }
        Ok(())
    }

    fn check_history(&self, list: &[String], expect: &[&str]) -> std::result::Result<(), String> {
        if self.value["order"] != "topological" {
            return equal(list.iter().map(String::as_str).collect::<Vec<_>>(), expect.to_vec());
        }
        equal(
            list.iter().map(String::as_str).collect::<BTreeSet<_>>(),
            expect.iter().copied().collect(),
        )?;
        let place: BTreeMap<&str, usize> = list.iter().enumerate().map(|(i, id)| (id.as_str(), i)).collect();
        for (id, i) in &place {
            let node = self.graph.node(id).ok_or("unknown")?;
            for parent in self.graph.parents(node) {
                if place
                    .get(self.graph.id(*parent).as_str())
                    .is_some_and(|parent| parent < i)
                {
                    return Err(format!("{id} is shown after its parent"));
                }
            }
        }
        Ok(())
    }

    fn check_info(&self, expect: &Value) -> std::result::Result<(), String> {
        let graph = self.graph;
        let list = |nodes: Vec<Node>| strings(&graph.ids(nodes));
        let expected = |key: &str| words(&expect[key]).into_iter().map(str::to_owned).collect::<Vec<_>>();
        let sorted = |mut list: Vec<String>| {
            list.sort();
            list
        };
        equal(list(graph.heads()), expected("heads"))?;
        equal(list(graph.effective_heads()), expected("effective_heads"))?;
        equal(list(graph.bases()), expected("bases"))?;
        equal(sorted(list(graph.branch_points())), sorted(expected("branch_points")))?;
        equal(sorted(list(graph.merge_points())), sorted(expected("merge_points")))?;
        self.check_history(
            &list(history::history(graph, None, None).map_err(|e| format!("{e:?}"))?),
            &words(&expect["history"]),
        )?;
        let labels = graph.branch_labels();
        for node in graph.nodes() {
            let ours: Vec<String> = labels[node.index()].iter().map(ToString::to_string).collect();
            let theirs = words(&expect["labels"][graph.id(node).as_str()])
                .into_iter()
                .map(str::to_owned)
                .collect();
            equal(ours, theirs).map_err(|error| format!("labels of {}: {error}", graph.id(node)))?;
        }
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "both are made for the comparison")]
fn equal<T: PartialEq + std::fmt::Debug>(ours: T, expect: T) -> std::result::Result<(), String> {
    if ours == expect {
        Ok(())
    } else {
        Err(format!("{ours:?}, not {expect:?}"))
    }
}

fn category(error: Option<Error>, expect: &str) -> std::result::Result<(), String> {
    let Some(error) = error else {
        return Err(format!("no error, but {expect} expected"));
    };
    assert!(!error.help_lines().is_empty(), "no help: {error:?}");
    equal(error.code().name().rsplit("::").next().unwrap_or_default(), expect)
}

/// Whether each revision comes after its parents on the way up, before them on the way down, and the heads after each
/// step are the maximal elements of what is applied then.
pub(super) fn in_order(graph: &RevisionGraph, plan: &Plan) -> std::result::Result<(), String> {
    let mut applied: BTreeSet<Node> = BTreeSet::new();
    for id in plan.from.ids() {
        let node = graph.node(id.as_str()).ok_or("unknown head")?;
        applied.extend(graph.ancestors([node]).iter());
    }
    for step in &plan.steps {
        match step.direction {
            Direction::Upgrade => {
                if !applied.insert(step.node) || graph.parents(step.node).iter().any(|node| !applied.contains(node)) {
                    return Err(format!("{} is applied out of order", step.revision));
                }
            }
            Direction::Downgrade => {
                if !applied.remove(&step.node) || graph.children(step.node).iter().any(|node| applied.contains(node)) {
                    return Err(format!("{} is undone out of order", step.revision));
                }
            }
        }
        equal(step.heads_after.ids(), maximal(graph, &applied))?;
    }
    equal(plan.to.ids(), maximal(graph, &applied))
}

/// Those that are no ancestors of others, sorted by id; found the slow way.
pub(super) fn maximal(graph: &RevisionGraph, applied: &BTreeSet<Node>) -> Vec<RevisionId> {
    let below = |node: &Node| {
        applied
            .iter()
            .any(|other| other != node && graph.ancestors([*other]).contains(*node))
    };
    let mut ids = graph.ids(applied.iter().copied().filter(|node| !below(node)));
    ids.sort();
    ids
}

#[test]
fn every_vector_is_answered_as_expected() {
    let mut graphs: BTreeMap<u64, Value> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (number, line) in (1..).zip(VECTORS.lines()) {
        let value: Value = serde_json::from_str(line).expect("a line of JSON");
        let g = value["g"].as_u64().expect("a graph");
        if value["revisions"].is_array() {
            graphs.insert(g, value["revisions"].clone());
        }
        let built = build(&graphs[&g]);
        let result = if value["command"] == "load" {
            category(built.err(), value["expect"]["error"].as_str().unwrap_or_default())
        } else {
            let graph = built.expect("a right graph");
            let line = Line {
                value: &value,
                graph: &graph,
            };
            let answer = line.answer();
            if let Some((_, rows)) = FREE.iter().find(|(line, _)| *line == number) {
                match &answer {
                    Ok(Answer::Plan(plan)) => equal(plan.to.to_string().as_str(), *rows),
                    Ok(_) => Err("not a plan".to_owned()),
                    Err(error) => equal(error.code().name(), *rows),
                }
            } else {
                line.check(answer)
            }
        };
        if let Err(error) = result {
            wrong.push(format!(
                "line {number}: {} {} {}: {error}",
                value["command"], value["current"], value["target"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}
