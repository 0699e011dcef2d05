//! Each revision up, down and up again on a scratch database; schemas and rows compared.

use crate::code::Code;
use crate::dialect::Rows;
use crate::error::{Error, Result};
use crate::execute::counters::{self, Held};
use crate::execute::expect::{self, Expected, Query};
use crate::execute::moments::Moments;
use crate::execute::schema::{self, How};
use crate::execute::{Executor, declared, diff, fault};
use crate::revision::applied::Applied;
use crate::revision::nodes::Node;
use crate::revision::plan::Plan;
use crate::revision::{Direction, RevisionId};
use crate::schema::{Column, Kind, Model};
use crate::sorted;

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
struct Picture {
    schema: Model,
    rows: Vec<Held>,
}

impl Executor<'_> {
    /// Tries one revision whose ancestors are applied. When it finds nothing, the revision is applied as well.
    ///
    /// # Errors
    /// What its scripts fail with.
    pub fn try_revision(&mut self, node: Node) -> Result<Vec<Finding>> {
        let graph = self.graph;
        let revision = graph.revision(node);
        let expected = self.sources.test(revision, self.driver.dialect().variants())?;
        let expected = expected
            .map(|file| Expected::read(&file, self.driver.dialect()))
            .transpose()?;
        if let Some(expected) = &expected {
            self.prepare(expected)?;
        }
        let id = revision.id();
        let before = self.picture()?;
        self.step_alone(node, Direction::Upgrade)?;
        let mut findings = match &expected {
            Some(expected) => self.meets(id, expected, &expected.after_upgrade, "after the upgrade")?,
            None => Vec::new(),
        };
        let reversible = revision.downgrade.is_some() && !revision.header.irreversible;
        if !reversible {
            return Ok(findings);
        }
        let up = self.picture()?;
        match self.step_alone(node, Direction::Downgrade) {
            // Nothing of it is left, unless it stopped half-way.
            Err(error) if is_about_script(&error) => {
                findings.push(failed(id, "the downgrade fails", &error));
                return Ok(findings);
            }
            done => done?,
        }
        let down = self.picture()?;
        if let Some(expected) = &expected
            && let Some(queries) = &expected.after_downgrade
        {
            findings.extend(self.meets(id, expected, queries, "after the downgrade")?);
        }
        // What is said of the rows takes the place of what they were.
        let is_said = expected.is_some_and(|expected| expected.after_downgrade.is_some());
        let now = Some(Moments::around(&self.clock.now())).filter(|_| !is_said);
        findings.extend(differences(id, "after the downgrade", (&before, &down), now.as_ref()));
        match self.step_alone(node, Direction::Upgrade) {
            // What the downgrade left is in the way.
            Err(error) if !findings.is_empty() => {
                findings.push(failed(id, "the second upgrade fails", &error));
                return Ok(findings);
            }
            done => done?,
        }
        let mut again = self.picture()?;
        counters::taken_back(&again.schema, &down.rows, &up.rows, &mut again.rows);
        findings.extend(differences(id, "after the second upgrade", (&up, &again), now.as_ref()));
        Ok(findings)
    }

    /// Runs what a test has before the upgrade.
    fn prepare(&mut self, expected: &Expected) -> Result<()> {
        let rules = self.driver.dialect().rules();
        for span in &expected.before {
            let ran = self.driver.execute(&expected.file.text[span.clone()]);
            ran.map_err(|error| fault::statement(&error, &expected.file, span, rules))?;
        }
        Ok(())
    }

    /// Asks the queries of a test, and finds those that have other rows.
    fn meets(&mut self, id: &RevisionId, expected: &Expected, queries: &[Query], when: &str) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        let rules = self.driver.dialect().rules();
        for query in queries {
            let rows = self.driver.query(&expected.file.text[query.sql.clone()]);
            let rows = rows.map_err(|error| fault::statement(&error, &expected.file, &query.sql, rules))?;
            let rows = expect::lines(&rows);
            if rows != query.rows {
                let (line, _) = expected.file.line_column(query.sql.start);
                findings.push(Finding {
                    revision: id.clone(),
                    what: format!("{}:{line} finds other rows {when}", expected.file.name),
                    difference: diff::lines(&query.rows.join("\n"), &rows.join("\n")).text,
                });
            }
        }
        Ok(findings)
    }

    /// Applies one revision whose ancestors are applied; with the rows that its test has before it, where it was tried on
    /// another database.
    ///
    /// # Errors
    /// What its scripts fail with.
    pub fn apply_alone(&mut self, node: Node, with_rows: bool) -> Result<()> {
        let dialect = self.driver.dialect();
        if with_rows && let Some(file) = self.sources.test(self.graph.revision(node), dialect.variants())? {
            self.prepare(&Expected::read(&file, dialect)?)?;
        }
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
            schema: declared::model(self.driver, &self.table)?.unwrap_or_default(),
            rows: Vec::new(),
        };
        let tables = picture.schema.objects.iter().filter(|(key, _)| key.kind == Kind::Table);
        for (key, object) in tables {
            let table = object.table.as_ref();
            let mut columns: Vec<&Column> = table.into_iter().flat_map(|table| &table.columns).collect();
            if table.is_some() && columns.is_empty() {
                continue;
            }
            // The order of columns is no part of what is compared, nor is how their names are spelled.
            sorted::sort_by_key(&mut columns, |column| column.name.to_lowercase());
            let exact = columns.iter().map(|column| dialect.exact(&dialect.ident(&column.name)));
            let list = match table {
                Some(_) => exact.collect::<Vec<_>>().join(", "),
                None => "*".to_owned(),
            };
            let schema = if key.schema.is_empty() {
                String::new()
            } else {
                dialect.ident(&key.schema) + "."
            };
            let rows = self.ask(&format!("SELECT {list} FROM {schema}{}", dialect.ident(&object.name)))?;
            let columns = columns.iter().map(|column| column.folded.clone()).collect();
            let table = key.clone();
            picture.rows.push(Held { table, columns, rows });
        }
        Ok(picture)
    }

    fn ask(&mut self, sql: &str) -> Result<Rows> {
        self.driver.query(sql).map_err(|error| fault::database(&error))
    }
}

/// Whether an error is about what the author wrote.
fn is_about_script(error: &Error) -> bool {
    error.code() != Code::Interrupted && !error.labels().is_empty()
}

fn failed(id: &RevisionId, what: &str, error: &Error) -> Finding {
    Finding {
        revision: id.clone(),
        what: format!("{what}: {}", error.message()),
        difference: error.labels().iter().map(|label| label.text.clone()).collect(),
    }
}

fn line(row: &[Option<String>]) -> String {
    let values: Vec<&str> = row.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect();
    values.join(", ")
}

fn lines(held: &Held) -> Vec<String> {
    let mut lines: Vec<String> = held.rows.iter().map(|row| line(row)).collect();
    sorted::sort(&mut lines);
    lines
}

fn differences(id: &RevisionId, when: &str, (want, got): (&Picture, &Picture), now: Option<&Moments>) -> Vec<Finding> {
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
    let Some(now) = now else { return findings };
    for held in &want.rows {
        let Some(other) = counters::of(&got.rows, &held.table) else {
            continue;
        };
        let (rows, others) = (lines(held), lines(other));
        if rows == others {
            continue;
        }
        // When a row was written is another moment each time.
        let (rows, others) = (now.left_out(&rows), now.left_out(&others));
        if rows != others {
            findings.push(Finding {
                revision: id.clone(),
                what: format!("table {} holds other rows {when}", held.table.shown()),
                difference: diff::lines(&rows.join("\n"), &others.join("\n")).text,
            });
        }
    }
    findings
}
