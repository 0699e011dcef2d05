//! How rows are spread over the partitions of a table.

use std::collections::BTreeMap;

use crate::dialect::mysql::inspect::tables::Drafts;
use crate::dialect::mysql::inspect::{Reading, Row};
use crate::dialect::mysql::schema::{literal, quoted};
use crate::error::Result;

#[derive(Default)]
struct Partitioning {
    by: String,
    sub_by: Option<String>,
    parts: Vec<Part>,
}

struct Part {
    name: String,
    values: String,
    comment: String,
    below: Vec<Below>,
}

/// A part of a partition.
struct Below {
    name: String,
    comment: String,
}

impl Part {
    fn is_rest_or_value(&self) -> bool {
        matches!(self.values.as_str(), " VALUES IN (0)" | " VALUES IN (MAXVALUE)")
    }
}

impl Reading<'_> {
    pub(super) fn partitions(&mut self, drafts: &mut Drafts) -> Result<()> {
        let sql = "SELECT table_name, partition_name, subpartition_name, partition_method, subpartition_method, \
                   partition_expression, subpartition_expression, partition_description, partition_comment \
                   FROM information_schema.partitions WHERE table_schema = DATABASE() AND partition_name IS NOT NULL \
                   ORDER BY table_name, partition_ordinal_position, subpartition_ordinal_position";
        let mut found: BTreeMap<String, Partitioning> = BTreeMap::new();
        for mut row in self.rows(sql)? {
            found.entry(row.text()).or_default().read(&mut row);
        }
        for (table, mut partitioning) in found {
            if partitioning.may_have_rest() {
                partitioning.find_rest(&self.show("TABLE", &table, 1)?);
            }
            if let Some(draft) = drafts.get_mut(&table) {
                draft.partitioned(partitioning.words());
            }
        }
        Ok(())
    }
}

impl Partitioning {
    /// Whether a partition may be the one for all other values, of which `information_schema` says `0` or `MAXVALUE`.
    fn may_have_rest(&self) -> bool {
        self.by.starts_with("LIST") && self.parts.iter().any(Part::is_rest_or_value)
    }

    fn find_rest(&mut self, shown: &str) {
        for part in self.parts.iter_mut().filter(|part| part.is_rest_or_value()) {
            let name = quoted(&part.name);
            let usual = shown.contains(&format!("\n PARTITION {name} DEFAULT"))
                || shown.contains(&format!("(PARTITION {name} DEFAULT"));
            if usual {
                " DEFAULT".clone_into(&mut part.values);
            }
        }
    }
    fn read(&mut self, row: &mut Row) {
        let (name, below, method, sub_method) = (row.text(), row.optional(), row.text(), row.optional());
        let (expression, sub_expression, description, comment) = (row.text(), row.text(), row.optional(), row.text());
        self.by = format!("{method} ({expression})");
        self.sub_by = sub_method.map(|method| format!("{method} ({sub_expression})"));
        if self.parts.last().is_none_or(|part| part.name != name) {
            let values = match description {
                Some(values) if method.starts_with("RANGE") => format!(" VALUES LESS THAN ({values})"),
                Some(values) if values == "DEFAULT" => " DEFAULT".to_owned(),
                Some(values) => format!(" VALUES IN ({values})"),
                None => String::new(),
            };
            self.parts.push(Part {
                name,
                values,
                comment: comment.clone(),
                below: Vec::new(),
            });
        }
        if let Some(part) = self.parts.last_mut() {
            part.below.extend(below.map(|name| Below { name, comment }));
        }
    }

    /// As they stand in CREATE TABLE and ALTER TABLE.
    fn words(&self) -> String {
        let mut out = format!("PARTITION BY {}", self.by);
        let usual_below = |part: &Part| {
            let mut names = part.below.iter().enumerate();
            // One comment for all of them is said of the partition.
            names.all(|(at, below)| below.name == format!("{}sp{at}", part.name) && below.comment == part.comment)
        };
        let usual_names = self.parts.iter().all(usual_below);
        if let Some(by) = &self.sub_by {
            out.push_str(&format!("\nSUBPARTITION BY {by}"));
            let count = self.parts.first().map_or(0, |part| part.below.len());
            if usual_names {
                out.push_str(&format!("\nSUBPARTITIONS {count}"));
            }
        }
        let usual = |(at, part): (usize, &Part)| {
            part.values.is_empty() && part.comment.is_empty() && part.name == format!("p{at}")
        };
        if self.sub_by.is_none() && self.parts.iter().enumerate().all(usual) {
            out.push_str(&format!("\nPARTITIONS {}", self.parts.len()));
            return out;
        }
        let parts = self.parts.iter().map(|part| {
            let mut words = format!("PARTITION {}{}", quoted(&part.name), part.values);
            let commented = |words: &str, comment: &str| match comment {
                "" => words.to_owned(),
                comment => format!("{words} COMMENT = {}", literal(comment)),
            };
            if usual_names {
                words = commented(&words, &part.comment);
            } else {
                let below = part.below.iter();
                let names = below.map(|one| commented(&format!("SUBPARTITION {}", quoted(&one.name)), &one.comment));
                words.push_str(&format!(" ({})", names.collect::<Vec<_>>().join(", ")));
            }
            words
        });
        out.push_str(&format!("\n({})", parts.collect::<Vec<_>>().join(",\n ")));
        out
    }
}
