//! Each revision up, down and up again on a scratch database; schemas and rows compared.

use std::collections::BTreeMap;

use crate::dialect::Rows;
use crate::error::Result;
use crate::execute::schema::{self, How, Schema};
use crate::execute::{Executor, diff, fault};
use crate::revision::applied::Applied;
use crate::revision::nodes::Node;
use crate::revision::plan::Plan;
use crate::revision::{Direction, RevisionId};

/// Something that a revision should not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The revision.
    pub revision: RevisionId,
    /// What is wrong, in one line.
    pub what: String,
    /// The difference, line by line.
    pub difference: String,
}

/// The schema, and the rows of each table.
#[derive(PartialEq, Eq)]
struct Picture {
    schema: Schema,
    rows: BTreeMap<String, Vec<String>>,
}

impl Executor<'_> {
    /// Tries one revision whose ancestors are applied. When it finds nothing, the revision is applied as well.
    ///
    /// # Errors
    /// What its scripts fail with.
    pub fn try_revision(&mut self, node: Node) -> Result<Vec<Finding>> {
        let graph = self.graph;
        let revision = graph.revision(node);
        let before = self.picture()?;
        self.step_alone(node, Direction::Upgrade)?;
        let reversible = revision.downgrade.is_some() && !revision.header.irreversible;
        if !reversible {
            return Ok(Vec::new());
        }
        let up = self.picture()?;
        self.step_alone(node, Direction::Downgrade)?;
        let down = self.picture()?;
        let id = revision.id();
        let mut findings = differences(id, "after the downgrade", &before, &down);
        match self.step_alone(node, Direction::Upgrade) {
            // What the downgrade left is in the way.
            Err(error) if !findings.is_empty() => {
                findings.push(Finding {
                    revision: id.clone(),
                    what: format!("the second upgrade fails: {}", error.message()),
                    difference: error.labels().iter().map(|label| label.text.clone()).collect(),
                });
                return Ok(findings);
            }
            done => done?,
        }
        let again = self.picture()?;
        findings.extend(differences(id, "after the second upgrade", &up, &again));
        Ok(findings)
    }

    /// Applies one revision whose ancestors are applied.
    ///
    /// # Errors
    /// What its script fails with.
    pub fn apply_alone(&mut self, node: Node) -> Result<()> {
        self.step_alone(node, Direction::Upgrade)
    }

    fn step_alone(&mut self, node: Node, direction: Direction) -> Result<()> {
        let seen = self.look()?;
        let applied = Applied::from_rows(self.graph, seen.applied())?;
        let plan = Plan::one(self.graph, &applied, direction, node);
        self.all(&seen, &plan)
    }

    fn picture(&mut self) -> Result<Picture> {
        let dialect = self.driver.dialect();
        let mut picture = Picture {
            schema: Schema::stored(self.driver, &self.table)?,
            rows: BTreeMap::new(),
        };
        let tables = picture.schema.objects.keys().filter(|(kind, _)| kind == "table");
        for (_, name) in tables {
            let mut rows: Vec<String> = self
                .ask(&format!("SELECT * FROM {}", dialect.ident(name)))?
                .iter()
                .map(|row| line(row))
                .collect();
            rows.sort();
            picture.rows.insert(name.clone(), rows);
        }
        Ok(picture)
    }

    fn ask(&mut self, sql: &str) -> Result<Rows> {
        self.driver.query(sql).map_err(|error| fault::database(&error))
    }
}

fn line(row: &[Option<String>]) -> String {
    let values: Vec<&str> = row.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect();
    values.join(", ")
}

fn differences(id: &RevisionId, when: &str, want: &Picture, got: &Picture) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |what: String, difference: String| {
        findings.push(Finding {
            revision: id.clone(),
            what,
            difference,
        });
    };
    for difference in schema::differences(&want.schema, &got.schema) {
        let object = format!("{} {}", difference.kind, difference.name);
        match difference.how {
            How::Missing => find(format!("{object} is missing {when}"), String::new()),
            How::Unexpected => find(format!("{object} is left over {when}"), String::new()),
            How::Changed => {
                let now = difference.got.as_deref().unwrap_or_default();
                find(
                    format!("{object} is another {when}"),
                    diff::lines(&difference.want, now).text,
                );
            }
        }
    }
    for (table, rows) in &want.rows {
        if let Some(now) = got.rows.get(table).filter(|now| *now != rows) {
            find(
                format!("table {table} holds other rows {when}"),
                diff::lines(&rows.join("\n"), &now.join("\n")).text,
            );
        }
    }
    findings
}
