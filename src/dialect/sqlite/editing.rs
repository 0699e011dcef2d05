//! What every edit of a definition must leave as it is: held against texts by the tests and by a fuzzer.

use crate::dialect::sqlite::table::{Part, Table};
use crate::source::Span;
use crate::sql::parse::define::ClauseKind;
use crate::sql::split::SQLITE;
use crate::sql::token::{Kind, significant, tokens};

/// Makes every edit that there is in a definition, each in a copy of its own, and says what was changed without having
/// been meant; true when the text is a definition that can be edited.
///
/// # Errors
/// The edit, with the text that came out.
pub fn check(text: &str) -> Result<bool, String> {
    let Some(table) = Table::read(text) else {
        return Ok(false);
    };
    if table.text() != text {
        return Err("reading changed the text".to_owned());
    }
    let spans = spans(&table);
    let ordered = spans.windows(2).all(|pair| pair[0].end <= pair[1].start);
    let inside = spans
        .iter()
        .all(|span| text.get(span.clone()).is_some_and(|words| !words.is_empty()));
    if !ordered || !inside {
        return Err(format!("the elements are at {spans:?}"));
    }
    additions(&table)?;
    removals(&table)?;
    clauses(&table)?;
    order(&table)?;
    Ok(true)
}

/// Every text that an edit makes of a definition where none of its columns goes: SQLite has to take them as it takes
/// the definition itself.
pub fn harmless(text: &str) -> Vec<String> {
    let Some(table) = Table::read(text) else {
        return Vec::new();
    };
    let mut texts = Vec::new();
    let mut keep = |edit: &mut dyn FnMut(&mut Table) -> Result<(), String>| {
        let mut edited = table.clone();
        texts.push(match edit(&mut edited) {
            Ok(()) => edited.text().to_owned(),
            Err(text) => text,
        });
    };
    keep(&mut |table| table.append_constraint("CHECK (1)"));
    keep(&mut |table| table.append_column("sqlrev_new TEXT"));
    for (index, column) in table.columns().enumerate() {
        keep(&mut |table| table.insert_column(index, "sqlrev_new TEXT"));
        for clause in &column.clauses {
            if matches!(
                clause.kind,
                ClauseKind::NotNull | ClauseKind::Null | ClauseKind::Check(_)
            ) {
                keep(&mut |table| table.remove_clause(&clause.span));
            }
        }
    }
    texts
}

fn spans(table: &Table) -> Vec<Span> {
    table.elements().iter().map(|element| element.span.clone()).collect()
}

/// The words of each element, one of them left out.
fn words(table: &Table, but: Option<usize>) -> Vec<String> {
    let spans = spans(table).into_iter().enumerate();
    let kept = spans.filter(|(index, _)| Some(*index) != but);
    kept.map(|(_, span)| table.at(&span).to_owned()).collect()
}

fn comments(text: &str) -> Vec<&str> {
    let comments = tokens(text, &SQLITE).filter(|token| token.kind == Kind::Comment);
    comments.map(|token| text[token.span].trim_end()).collect()
}

/// The words that SQLite sees, but for those in a place.
fn significant_words<'t>(text: &'t str, but: Option<&Span>) -> Vec<&'t str> {
    let seen = significant(text, &SQLITE).map(|token| token.span);
    let kept = seen.filter(|span| !but.is_some_and(|but| but.contains(&span.start)));
    kept.map(|span| &text[span]).collect()
}

fn wrong(what: &str, table: &Table) -> String {
    format!("{what}:\n{}", table.text())
}

/// What begins and ends the definition, whatever stands in between.
fn framed(old: &Table, new: &Table) -> bool {
    let head = |table: &Table| table.text()[..spans(table)[0].start].trim_end().to_owned();
    let tail = |table: &Table| table.options().to_vec();
    head(old) == head(new) && tail(old) == tail(new)
}

fn additions(table: &Table) -> Result<(), String> {
    let columns = table.columns().count();
    for index in 0..=columns {
        let mut edited = table.clone();
        let done = edited.insert_column(index, "sqlrev_new TEXT");
        done.map_err(|text| format!("a column at {index} makes it unreadable:\n{text}"))?;
        let mut left = words(&edited, None);
        let at = left.iter().position(|words| words == "sqlrev_new TEXT");
        let Some(at) = at else {
            return Err(wrong("the new column is not there", &edited));
        };
        left.remove(at);
        let place = edited.columns().position(|column| column.name.text == "sqlrev_new");
        if left != words(table, None) || place != Some(index) || comments(table.text()) != comments(edited.text()) {
            return Err(wrong("a new column changed others", &edited));
        }
    }
    let mut edited = table.clone();
    let done = edited.append_constraint("CHECK (sqlrev_new)");
    done.map_err(|text| format!("a constraint makes it unreadable:\n{text}"))?;
    let mut left = words(&edited, None);
    let last = left.pop();
    if last.as_deref() != Some("CHECK (sqlrev_new)")
        || left != words(table, None)
        || comments(table.text()) != comments(edited.text())
        || !framed(table, &edited)
    {
        return Err(wrong("a new constraint changed others", &edited));
    }
    Ok(())
}

fn removals(table: &Table) -> Result<(), String> {
    let spans = spans(table);
    for (index, span) in spans.iter().enumerate() {
        let mut edited = table.clone();
        let last_column = table.columns().count() == 1 && matches!(table.elements()[index].part, Part::Column(_));
        match edited.remove_element(span) {
            Err(_) if last_column || spans.len() == 1 => continue,
            Err(text) => return Err(format!("without element {index} it is unreadable:\n{text}")),
            Ok(()) => {}
        }
        if words(&edited, None) != words(table, Some(index)) {
            return Err(wrong(&format!("without element {index} others changed"), &edited));
        }
        let mut left = significant_words(table.text(), Some(span));
        let commas = |words: &[&str]| words.iter().filter(|words| **words == ",").count();
        let now = significant_words(edited.text(), None);
        let comma = commas(&left).saturating_sub(commas(&now));
        left.retain(|words| *words != ",");
        let rest: Vec<&str> = now.iter().copied().filter(|words| *words != ",").collect();
        if comma > 1 || left != rest {
            return Err(wrong(&format!("without element {index} other words went"), &edited));
        }
    }
    Ok(())
}

fn clauses(table: &Table) -> Result<(), String> {
    for (index, element) in table.elements().iter().enumerate() {
        let Part::Column(part) = &element.part else { continue };
        let name = &part.name.text;
        let same = |edited: &Table, what: &str| -> Result<(), String> {
            if words(edited, Some(index)) != words(table, Some(index)) || !framed(table, edited) {
                return Err(wrong(&format!("{what} of element {index} changed others"), edited));
            }
            Ok(())
        };
        if table.column(name).is_some_and(|first| first.span == part.span) {
            let mut edited = table.clone();
            let done = edited.insert_clause(name, "NOT NULL", |_| false);
            done.map_err(|text| format!("a clause makes it unreadable:\n{text}"))?;
            same(&edited, "a clause")?;
            if comments(table.text()) != comments(edited.text()) {
                return Err(wrong("a clause took a comment", &edited));
            }
        }
        for clause in &part.clauses {
            let mut edited = table.clone();
            let done = edited.remove_clause(&clause.span);
            done.map_err(|text| format!("without `{}` it is unreadable:\n{text}", table.at(&clause.span)))?;
            same(&edited, "a clause less")?;
            let mut others: Vec<&str> = part.clauses.iter().map(|clause| table.at(&clause.span)).collect();
            others.retain(|words| *words != table.at(&clause.span));
            let now = edited
                .column(name)
                .filter(|_| table.column(name).is_some_and(|first| first.span == part.span));
            if let Some(now) = now {
                // A DEFERRABLE behind the clause that goes belongs to the REFERENCES before it, and is read as a part of it now.
                let left = edited.at(&now.span);
                if others.iter().any(|words| !left.contains(words)) {
                    return Err(wrong(
                        &format!("`{}` took others along", table.at(&clause.span)),
                        &edited,
                    ));
                }
            }
        }
    }
    Ok(())
}

fn order(table: &Table) -> Result<(), String> {
    let count = table.columns().count();
    let order: Vec<usize> = (0..count).rev().collect();
    let texts = |table: &Table| -> Vec<String> {
        let spans: Vec<Span> = table.columns().map(|column| column.span.clone()).collect();
        spans.iter().map(|span| table.at(span).to_owned()).collect()
    };
    let mut edited = table.clone();
    let done = edited.reorder_columns(&order);
    done.map_err(|text| format!("in another order it is unreadable:\n{text}"))?;
    let mut now = texts(&edited);
    now.reverse();
    if now != texts(table) || !framed(table, &edited) {
        return Err(wrong("another order changed columns", &edited));
    }
    Ok(())
}
