//! ALTER COLUMN … TYPE, with COLLATE and USING.

use crate::code::Code;
use crate::dialect::sqlite::alter::not_null;
use crate::dialect::sqlite::demand::Demand;
use crate::dialect::sqlite::draft::{Draft, Source};
use crate::dialect::sqlite::expr;
use crate::dialect::sqlite::oracle::comparable;
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::table::Table;
use crate::dialect::sqlite::types::{self, Affinity, affinity};
use crate::error::Result;
use crate::source::Span;
use crate::sql::parse::cursor::Name;
use crate::sql::parse::define::ClauseKind;
use crate::sql::split::SQLITE;
use crate::sql::token::{Kind, significant};
use crate::sql::write::quoted;

/// What an ALTER COLUMN … TYPE says.
#[derive(Debug)]
pub(super) struct Change<'a> {
    /// The column.
    pub(super) column: &'a Name,
    /// The new type.
    pub(super) data_type: &'a Span,
    /// COLLATE
    pub(super) collation: Option<&'a Name>,
    /// USING
    pub(super) using: Option<&'a Span>,
    /// The type is written as it is, or there is none.
    pub(super) literal: bool,
}

pub(super) fn apply(draft: &mut Draft<'_>, site: &Site<'_>, change: &Change<'_>) -> Result<()> {
    let position = draft.column(site, change.column)?;
    let name = draft.columns[position].name.clone();
    let asked = site.words(change.data_type);
    let strict = draft.table.strict();
    let old_type = draft.type_of(&name).to_owned();
    // MODIFY and CHANGE have to say the type again: one that is said as it stands is no other one, whatever SQLite makes of it.
    let stays = || change.using.is_none() && comparable("type", asked) == comparable("type", &old_type);
    let written = if change.literal {
        asked.to_owned()
    } else if stays() {
        old_type.clone()
    } else {
        types::written(asked, strict)
    };
    let new = affinity(&written, strict);
    let alias = draft.table.rowid_alias().is_some_and(|alias| alias.name.is(&name));
    if alias && new == Affinity::Integer && change.using.is_none() && !change.literal {
        if !asked.eq_ignore_ascii_case("INTEGER") {
            let notice = format!(
                "`{name}` stays INTEGER, which holds 64 bits and numbers the rows of `{}`",
                draft.name()
            );
            draft.notices.push(notice);
        }
        return Ok(());
    }
    let old = affinity(&old_type, strict);
    let recollated = change
        .collation
        .is_some_and(|new| draft.collation(&name).is_none_or(|old| !new.is(&old)));
    let is_any = |data_type: &str| strict && data_type.eq_ignore_ascii_case("ANY");
    let converts = change.using.is_some() || old != new || is_any(&old_type) != is_any(&written);
    if let Some(using) = change.using {
        check_using(draft, site, using, &name)?;
    }
    // Another collation alone leaves the values as they are.
    if converts {
        let using = change.using.map(|span| expr::written(site.words(span)));
        let keeps = Keeps {
            affinity: new,
            only: (strict && !is_any(&written)).then_some(new),
            as_they_are: change.literal,
        };
        convert(draft, site, position, using, keeps);
        draft.retyped.push((name.clone(), site.at()));
    }
    let shown = if written.is_empty() { "no type" } else { &written };
    if converts || recollated {
        draft.must_copy(if old == new && change.using.is_none() {
            format!("the collation of `{name}` changes the order of its values")
        } else {
            format!("the values of `{name}` are stored as {shown}")
        });
    } else {
        draft
            .reasons
            .push(format!("{shown} stores the values of `{name}` as they are"));
    }
    write_type(draft, site, &name, &written)?;
    if alias && draft.table.rowid_alias().is_none() {
        // What numbered the rows never was NULL; a PRIMARY KEY of another type may be.
        not_null::write_not_null(draft, site, &name)?;
    }
    if let Some(collation) = change.collation {
        write_collation(draft, site, &name, site.words(&collation.span))?;
    }
    if converts || recollated {
        demand_constraints(draft, site, &name, converts, change.using.is_some());
    }
    Ok(())
}

fn check_using(draft: &Draft<'_>, site: &Site<'_>, using: &Span, name: &str) -> Result<()> {
    if draft.is_generated(name) {
        let message = format!(
            "column `{name}` of `{}` is generated: USING has nothing to convert",
            draft.name()
        );
        let error = site.error(
            Code::BatchUnsupported,
            message,
            using,
            "its values come from its own expression",
        );
        return Err(error.help(format!(
            "ALTER COLUMN {} SET EXPRESSION AS (…) changes that",
            quoted(name, '"')
        )));
    }
    if expr::has_subquery(site.words(using)) {
        return Err(site
            .error(
                Code::BatchUnsupported,
                "a USING expression looks at its own row alone",
                using,
                "a subquery",
            )
            .help("add a column, fill it with an UPDATE, drop the old one and rename the new one"));
    }
    draft.quoted_names(site, using)
}

/// What a column of the new type keeps.
#[derive(Debug, Clone, Copy)]
struct Keeps {
    affinity: Affinity,
    /// In a STRICT table: values of the type's own kind and no others.
    only: Option<Affinity>,
    /// Values are put in as they are, and only what the affinity itself would change counts.
    as_they_are: bool,
}

impl Keeps {
    /// A condition that holds where the value would not be kept.
    fn loses(self, value: &str) -> Option<String> {
        let lost = match self.affinity.loses(value) {
            // A text that is no number stays a text (datatype3.html, section 3).
            Some(lost) if self.as_they_are => Some(format!(
                "CAST({value} AS NUMERIC) = {value} AND ({lost}) AND typeof({value}) <> 'blob'"
            )),
            lost => lost,
        };
        let refused = match self.only {
            Some(Affinity::Blob) => format!("typeof({value}) NOT IN ('blob', 'null')"),
            Some(Affinity::Text) => format!("typeof({value}) = 'blob'"),
            _ => return lost,
        };
        Some(lost.map_or_else(|| refused.clone(), |lost| format!("({lost}) OR {refused}")))
    }
}

/// Makes the column's values come from a conversion, and demands that none is lost in it.
fn convert(draft: &mut Draft<'_>, site: &Site<'_>, position: usize, using: Option<String>, new: Keeps) {
    let Source::Same(old) = draft.columns[position].source.clone() else {
        // The statements before this one have to run first.
        draft.split = true;
        return;
    };
    let name = draft.columns[position].name.clone();
    if let Some(cast) = using.as_deref().and_then(expr::number_cast) {
        demand_number(draft, site, &cast);
    }
    let plain = format!("{}.{}", quoted(draft.name(), '"'), quoted(&old, '"'));
    let has_using = using.is_some();
    let value = match using {
        Some(using) => {
            draft.split |= draft.settled_values_in(&using);
            format!("({using})")
        }
        None => plain,
    };
    if let Some(lost) = new.loses(&value) {
        let message = format!(
            "a value of `{name}` in `{}` would not survive the change of type",
            draft.name()
        );
        let help = if has_using {
            "write a USING that gives each row a value of the new type, or NULL; or choose another type".to_owned()
        } else {
            format!(
                "say how it is converted: ALTER TABLE {} ALTER COLUMN {} TYPE … USING …",
                quoted(draft.name(), '"'),
                quoted(&name, '"')
            )
        };
        let demand = Demand {
            code: Code::BatchValueLost,
            message: &message,
            help: &help,
        };
        draft.demand(site, demand, &lost, &[&name]);
    }
    let conversion = if new.as_they_are { Affinity::Blob } else { new.affinity };
    draft.columns[position].source = Source::Converted(value, conversion);
}

/// SQLite's CAST takes a text that is no number for 0, where PostgreSQL's fails.
fn demand_number(draft: &mut Draft<'_>, site: &Site<'_>, column: &str) {
    let Some(position) = draft.position(column) else { return };
    let value = draft.value(position);
    let message = format!("a value of `{column}` in `{}` is no number", draft.name());
    let demand = Demand {
        code: Code::BatchValueLost,
        message: &message,
        help: "say what becomes of it in the USING expression: CASE WHEN … THEN … ELSE … END",
    };
    let condition =
        format!("typeof({value}) = 'text' AND CAST({value} AS NUMERIC) <> {value} OR typeof({value}) = 'blob'");
    draft.demand(site, demand, &condition, &[column]);
}

/// Writes a type into the definition of a column.
pub(super) fn write_type(draft: &mut Draft<'_>, site: &Site<'_>, name: &str, written: &str) -> Result<()> {
    let Some(column) = draft.table.column(name) else {
        return Ok(());
    };
    let edited = if let Some(mut span) = column.data_type.clone() {
        let old = draft.table.at(&span).to_owned();
        if significant(&old, &SQLITE).any(|token| token.kind == Kind::Text) {
            let note = format!("all of `{old}` is the type of `{name}` to SQLite, and gives way to `{written}`");
            draft.notices.push(note);
        }
        if written.is_empty() {
            // The space before it goes along.
            span.start = column.name.span.end;
        }
        draft.table.edit(&span, written)
    } else {
        let end = column.name.span.end;
        draft.table.edit(&(end..end), &format!(" {written}"))
    };
    edited.map_err(|text| site.broken(&text))?;
    if let Some(position) = draft.position(name) {
        draft.columns[position].expect.insert("type", written.to_owned());
    }
    Ok(())
}

fn write_collation(draft: &mut Draft<'_>, site: &Site<'_>, name: &str, words: &str) -> Result<()> {
    let Some(column) = draft.table.column(name) else {
        return Ok(());
    };
    let there = column.clauses.iter().find_map(|clause| match &clause.kind {
        ClauseKind::Collate(collation) => Some(collation.span.clone()),
        _ => None,
    });
    let edited = match there {
        Some(span) => draft.table.edit(&span, words),
        None => draft.table.insert_clause(name, &format!("COLLATE {words}"), |_| false),
    };
    if let Some(position) = draft.position(name) {
        draft.columns[position].recollated = true;
    }
    edited.map_err(|text| site.broken(&text))
}

/// Whether a foreign key refers by the column, or to it.
fn in_foreign_key(draft: &Draft<'_>, name: &str) -> bool {
    let from = draft.table.constraints().any(|(owner, clause)| match &clause.kind {
        ClauseKind::References(key) => {
            owner.is_some_and(|owner| owner.name.is(name)) || key.columns.iter().any(|column| column.is(name))
        }
        _ => false,
    });
    from || draft.table.refers_to(&draft.table, name)
        || draft.state.related.iter().any(|object| {
            object.kind == "table" && Table::read(&object.sql).is_some_and(|other| other.refers_to(&draft.table, name))
        })
}

/// Demands of the converted values, and of those that are computed from them, what the constraints on the columns say.
pub(super) fn demand_constraints(draft: &mut Draft<'_>, site: &Site<'_>, name: &str, converts: bool, using: bool) {
    let follow = draft.computed_from(name);
    let mut changed = vec![name.to_owned()];
    changed.extend(follow.iter().filter(|_| converts).cloned());
    demand_not_null(draft, site, &changed[usize::from(!using)..]);
    for group in draft.unique_groups(&changed) {
        let message = format!("values of `{}` that differ would become the same", group.spoken());
        let demand = Demand {
            code: Code::BatchDuplicates,
            message: &message,
            help: "change one of them first, or drop what says that they are unique",
        };
        draft.demand_unique(site, demand, &group);
    }
    if converts {
        let table = draft.table.clone();
        for (_, clause) in table.constraints() {
            let ClauseKind::Check(condition) = &clause.kind else {
                continue;
            };
            let condition = table.at(condition);
            if changed.iter().any(|name| expr::mentions(condition, name)) {
                let message = format!("a row of `{}` would violate CHECK ({condition})", draft.name());
                let demand = Demand {
                    code: Code::BatchCheckViolated,
                    message: &message,
                    help: "change the rows first, or drop the constraint",
                };
                draft.demand(site, demand, &format!("({condition}) IS FALSE"), &[name]);
            }
        }
    }
    if in_foreign_key(draft, name) || follow.iter().any(|other| in_foreign_key(draft, other)) {
        draft.keys_converted = Some(site.at());
    }
}

/// Demands that columns hold no NULL where they must not.
fn demand_not_null(draft: &mut Draft<'_>, site: &Site<'_>, columns: &[String]) {
    for name in columns {
        if !draft.is_not_null(name) {
            continue;
        }
        let message = format!("column `{name}` of `{}` would hold NULL", draft.name());
        let demand = Demand {
            code: Code::BatchNullValues,
            message: &message,
            help: "the expression has to give a value for these rows",
        };
        draft.demand(site, demand, &format!("{} IS NULL", quoted(name, '"')), &[]);
    }
}
