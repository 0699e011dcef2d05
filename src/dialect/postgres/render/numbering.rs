//! Sequences led to what they should be, and what numbers the rows of a column.

use crate::dialect::postgres::inspect::{next_value, qualified, quoted, usual_name};
use crate::dialect::postgres::render::numbers::{self, next_number};
use crate::dialect::postgres::render::sequences::{self, alone, place_in, renamed};
use crate::schema::{Column, Key, Model};
use crate::sql::write;

/// A sequence with other options; what is not said goes back to what holds anyway.
pub(super) fn sequence(place: &str, old: &str, new: &str) -> Option<Vec<String>> {
    let split = |meaning: &str| -> (bool, String, Option<String>) {
        let (unlogged, rest) = match meaning.strip_prefix("UNLOGGED ") {
            Some(rest) => (true, rest),
            None => (false, meaning),
        };
        let (options, owner) = match rest.split_once(" OWNED BY ") {
            Some((options, owner)) => (options, Some(owner.to_owned())),
            None => (rest, None),
        };
        (unlogged, options.to_owned(), owner)
    };
    let ((was_unlogged, now, old_owner), (unlogged, then, owner)) = (split(old), split(new));
    let mut out = Vec::new();
    if was_unlogged != unlogged {
        let word = if unlogged { "UNLOGGED" } else { "LOGGED" };
        out.push(format!("ALTER SEQUENCE {place} SET {word}"));
    }
    let altered = options_altered(place, &now, &then)?;
    if altered.iter().any(|statement| statement.ends_with(" RESTART")) {
        let turns = numbers::is_turned(&now, &then);
        let why = if turns {
            "it counts the other way"
        } else {
            "none of its new bounds holds it"
        };
        out.push(format!("-- Sequence {place} loses its number: {why}.").replace('\n', " "));
    }
    out.extend(altered);
    if owner != old_owner {
        let owner = owner.as_deref().unwrap_or("NONE");
        out.push(format!("ALTER SEQUENCE {place} OWNED BY {owner}"));
    }
    Some(out)
}

/// A sequence whose words behind CREATE SEQUENCE and its name are others.
fn options_altered(place: &str, now: &str, then: &str) -> Option<Vec<String>> {
    let split = |words: &str| -> Option<(String, String)> {
        let rest = words.strip_prefix("AS ")?;
        let end = rest.find(' ').unwrap_or(rest.len());
        Some((rest[..end].to_owned(), rest[end..].to_owned()))
    };
    let ((_, old), (data_type, new)) = (split(now)?, split(then)?);
    Some(if now == then {
        Vec::new()
    } else if old == new {
        // Its bounds go along where they are those of its type.
        vec![format!("ALTER SEQUENCE {place} AS {data_type}")]
    } else {
        let mut out = numbers::led(place, &data_type, &old, &new);
        let mut options = all_options(then)?;
        if numbers::is_turned(&old, &new) {
            // Beside a type the server takes no bounds for those of one that counts upwards.
            let (low, high) = numbers::bounds(&data_type, &new);
            options = options.replace("NO MINVALUE", &format!("MINVALUE {low}"));
            options = options.replace("NO MAXVALUE", &format!("MAXVALUE {high}"));
        }
        if numbers::is_lost(&data_type, &old, &new) {
            options.push_str(" RESTART");
        }
        out.push(format!("ALTER SEQUENCE {place} {options}"));
        out
    })
}

/// Options with those that hold anyway.
fn all_options(options: &str) -> Option<String> {
    let rest = options.strip_prefix("AS ")?;
    let data_type = ["smallint", "integer", "bigint"]
        .into_iter()
        .find(|name| rest.starts_with(name))?;
    let said = &rest[data_type.len()..];
    let mut out = format!("AS {data_type}{said}");
    for (words, usual) in [
        ("INCREMENT BY", "INCREMENT BY 1"),
        ("MINVALUE", "NO MINVALUE"),
        ("MAXVALUE", "NO MAXVALUE"),
        ("CACHE", "CACHE 1"),
        ("CYCLE", "NO CYCLE"),
    ] {
        if !said.contains(&format!(" {words}")) {
            out.push_str(&format!(" {usual}"));
        }
    }
    if !said.contains(" START WITH ") {
        let value = |word: &str| {
            let after = said.split_once(word)?.1;
            Some(after.trim().split(' ').next()?.to_owned())
        };
        let start = if said.contains("INCREMENT BY -") {
            value(" MAXVALUE ").unwrap_or_else(|| "-1".to_owned())
        } else {
            value(" MINVALUE ").unwrap_or_else(|| "1".to_owned())
        };
        out.push_str(&format!(" START WITH {start}"));
    }
    Some(out)
}

/// How rows are numbered: by an identity, by a sequence of the column's own, or not at all.
pub(super) fn numbering(table: &Key, old: &Column, new: &Column, (from, to): (&Model, &Model)) -> Option<Vec<String>> {
    let place = &qualified(&table.schema, &table.name);
    let name = quoted(&new.name);
    let column = |action: &str| format!("ALTER TABLE {place} ALTER COLUMN {name} {action}");
    let is_identity = |words: &str| words.starts_with("GENERATED ");
    let (was, is) = (
        old.identity.as_ref().map(|text| text.written.as_str()),
        new.identity.as_ref().map(|text| text.written.as_str()),
    );
    let mut out = Vec::new();
    if let (Some(was), Some(is)) = (was, is)
        && is_identity(was) == is_identity(is)
        && (is_identity(was) || !alone(from, is) && !alone(to, was))
    {
        return goes_on(table, (old, was), (new, is), (from, to));
    }
    let Some(was) = was else {
        return begun(table, new, is?, from, None);
    };
    let now = if is_identity(was) {
        sequence_of(table, old, was)
    } else {
        out.push(column("DROP DEFAULT"));
        place_in(was).to_owned()
    };
    let stays = !is_identity(was) && alone(to, was);
    let give_up = |sequence: &str| {
        if is_identity(was) {
            Some(column("DROP IDENTITY"))
        } else {
            (!stays).then(|| format!("DROP SEQUENCE {sequence}"))
        }
    };
    let Some(is) = is.filter(|is| sequences::found(is, from).is_none()) else {
        out.extend(give_up(&now));
        out.extend(is.map_or(Some(Vec::new()), |is| begun(table, new, is, from, None))?);
        return Some(out);
    };
    // The new one, which may get the name of the old one, goes on behind the numbers that this gave out.
    let aside = if stays {
        now
    } else {
        let aside = sequences::aside(&now, from, to)?;
        out.push(format!("ALTER SEQUENCE {now} RENAME TO {}", aside.1));
        format!("{}.{}", aside.0, aside.1)
    };
    let is_default = |sql: &String| sql.contains(" SET DEFAULT nextval(");
    let (last, first): (Vec<String>, Vec<String>) = begun(table, new, is, from, Some(&aside))?
        .into_iter()
        .partition(is_default);
    out.extend(first.into_iter().chain(give_up(&aside)).chain(last));
    Some(out)
}

/// The sequence of a column under another name, or with other options.
fn goes_on(
    table: &Key,
    (old, was): (&Column, &str),
    (new, is): (&Column, &str),
    (from, to): (&Model, &Model),
) -> Option<Vec<String>> {
    let place = &qualified(&table.schema, &table.name);
    let name = quoted(&new.name);
    let column = |action: &str| format!("ALTER TABLE {place} ALTER COLUMN {name} {action}");
    let is_identity = was.starts_with("GENERATED ");
    let sequence = |column: &Column, words: &str| {
        if is_identity {
            sequence_of(table, column, words)
        } else {
            place_in(words).to_owned()
        }
    };
    let (now, then) = (sequence(old, was), sequence(new, is));
    let mut out = Vec::new();
    if now != then {
        out.extend(renamed(&now, &then, (from, to))?);
    }
    let data_type = &new.data_type.written;
    out.extend(if is_identity {
        identity_altered(&column, (&then, data_type), was, is)?
    } else {
        options_altered(&then, was[now.len()..].trim_start(), is[then.len()..].trim_start())?
    });
    let [before, after] = [was, is].map(options_of);
    if numbers::is_turned(&before, &after) || numbers::is_lost(data_type, &before, &after) {
        let sequence = write::postgres_literal(&then);
        out.push(next_number(place, &name, &sequence, (data_type, is), None));
    }
    Some(out)
}

/// Rows are numbered from now on: by numbers that no row has, nor an earlier sequence gave out.
fn begun(table: &Key, new: &Column, is: &str, from: &Model, earlier: Option<&str>) -> Option<Vec<String>> {
    let place = &qualified(&table.schema, &table.name);
    let name = quoted(&new.name);
    let column = |action: &str| format!("ALTER TABLE {place} ALTER COLUMN {name} {action}");
    let next = |sequence: &str| next_number(place, &name, sequence, (&new.data_type.written, is), earlier);
    if is.starts_with("GENERATED ") {
        let of = match earlier {
            // That one is of the column as well.
            Some(_) => write::postgres_literal(&sequence_of(table, new, is)),
            None => format!(
                "pg_catalog.pg_get_serial_sequence({}, {})",
                write::postgres_literal(place),
                write::postgres_literal(&new.name)
            ),
        };
        return new.not_null.then(|| vec![column(&format!("ADD {is}")), next(&of)]);
    }
    let default = column(&format!("SET DEFAULT {}", next_value(is)));
    if let Some(mut out) = sequences::found(is, from) {
        let sequence = sequences::place_in(is);
        out.push(format!("ALTER SEQUENCE {sequence} OWNED BY {place}.{name}"));
        out.push(default);
        return Some(out);
    }
    Some(vec![
        format!("CREATE SEQUENCE {is} OWNED BY {place}.{name}"),
        default,
        next(&write::postgres_literal(sequences::place_in(is))),
    ])
}

/// What is said of the sequence of a column, behind a blank.
pub(super) fn options_of(words: &str) -> String {
    let options = match words.split_once(" AS IDENTITY") {
        Some((_, options)) => named(options).1,
        None => words[place_in(words).len()..].trim_start(),
    };
    format!(" {options}")
}

/// The sequence of an identity.
pub(super) fn sequence_of(table: &Key, column: &Column, words: &str) -> String {
    let named = words
        .split_once(" AS IDENTITY")
        .and_then(|(_, options)| named(options).0);
    let usual = || qualified(&table.schema, &usual_name(&table.name, &column.name));
    named.map_or_else(usual, str::to_owned)
}

/// The sequence that the options of an identity name, and what follows.
pub(super) fn named(options: &str) -> (Option<&str>, &str) {
    let options = options.trim().trim_start_matches('(').trim_end_matches(')');
    let Some(rest) = options.strip_prefix("SEQUENCE NAME ") else {
        return (None, options);
    };
    let mut quoted = false;
    let end = rest.find(|letter: char| {
        quoted ^= letter == '"';
        letter == ' ' && !quoted
    });
    let (name, rest) = rest.split_at(end.unwrap_or(rest.len()));
    (Some(name), rest.trim_start())
}

fn identity_altered(
    column: &dyn Fn(&str) -> String,
    (sequence, data_type): (&str, &str),
    was: &str,
    is: &str,
) -> Option<Vec<String>> {
    let split = |words: &str| -> (String, String) {
        let (head, options) = words.split_once(" AS IDENTITY").unwrap_or((words, ""));
        (head.to_owned(), named(options).1.to_owned())
    };
    let ((old_head, old_options), (head, options)) = (split(was), split(is));
    let mut out = Vec::new();
    if old_head != head {
        out.push(column(&format!("SET {head}")));
    }
    if old_options != options {
        let [before, after] = [was, is].map(options_of);
        let restarts = numbers::is_turned(&before, &after) || numbers::is_lost(data_type, &before, &after);
        if !restarts {
            out.extend(numbers::led(sequence, data_type, &before, &after));
        }
        let all = all_options(&format!("AS bigint {options}"))?;
        let words = all.strip_prefix("AS bigint")?.trim_start();
        let mut sets = Vec::new();
        for word in [
            "INCREMENT BY",
            "NO MINVALUE",
            "MINVALUE",
            "NO MAXVALUE",
            "MAXVALUE",
            "START WITH",
            "CACHE",
            "NO CYCLE",
            "CYCLE",
        ] {
            if let Some(said) = said(words, word) {
                sets.push(format!("SET {said}"));
            }
        }
        if restarts {
            sets.push("RESTART".to_owned());
        }
        out.push(column(&sets.join(" ")));
    }
    Some(out)
}

/// An option with its value.
fn said(words: &str, option: &str) -> Option<String> {
    let at = words.match_indices(option).map(|(at, _)| at).find(|at| {
        let before = words[..*at].trim_end();
        !before.ends_with("NO") || option.starts_with("NO ")
    })?;
    let rest = &words[at + option.len()..];
    let value = rest.trim_start().split(' ').next().unwrap_or_default();
    let is_number = value
        .trim_start_matches('-')
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_digit());
    Some(if is_number {
        format!("{option} {value}")
    } else {
        option.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_are_not_said_go_back() {
        assert_eq!(
            all_options("AS integer INCREMENT BY 2 MINVALUE 5").as_deref(),
            Some("AS integer INCREMENT BY 2 MINVALUE 5 NO MAXVALUE CACHE 1 NO CYCLE START WITH 5")
        );
        let column = |action: &str| action.to_owned();
        assert_eq!(
            identity_altered(
                &column,
                ("s", "bigint"),
                "GENERATED ALWAYS AS IDENTITY (START WITH 5)",
                "GENERATED BY DEFAULT AS IDENTITY (INCREMENT BY 2)"
            ),
            Some(vec![
                "SET GENERATED BY DEFAULT".to_owned(),
                "SET INCREMENT BY 2 SET NO MINVALUE SET NO MAXVALUE SET START WITH 1 SET CACHE 1 SET NO CYCLE"
                    .to_owned(),
            ])
        );
    }
}
