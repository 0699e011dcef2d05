//! Which number a sequence goes on with, when it counts otherwise or within other bounds than before.

use crate::dialect::postgres::render::numbering::options_of;
use crate::sql::write;

fn counts_down(options: &str) -> bool {
    options.contains("INCREMENT BY -")
}

pub(super) fn is_turned(old: &str, new: &str) -> bool {
    counts_down(old) != counts_down(new)
}

/// The least and the greatest number of a sequence.
pub(super) fn bounds(data_type: &str, options: &str) -> (i64, i64) {
    let (low, high) = match data_type {
        "smallint" => (i64::from(i16::MIN), i64::from(i16::MAX)),
        "integer" => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let (low, high) = if counts_down(options) { (low, -1) } else { (1, high) };
    (
        number(options, " MINVALUE ").unwrap_or(low),
        number(options, " MAXVALUE ").unwrap_or(high),
    )
}

/// Whether no number that it may have reached is within its new bounds.
pub(super) fn is_lost(data_type: &str, old: &str, new: &str) -> bool {
    let ((was_low, was_high), (low, high)) = (bounds(data_type, old), bounds(data_type, new));
    was_low > high || low > was_high
}

/// What leads a sequence to a number within its new bounds, before it gets these; nothing where none can be.
pub(super) fn led(place: &str, data_type: &str, old: &str, new: &str) -> Vec<String> {
    if is_lost(data_type, old, new) {
        return Vec::new();
    }
    if is_turned(old, new) {
        return turned(place, data_type, old, new);
    }
    moved(place, data_type, old, new)
}

/// What lets a sequence have any number that it may have before or after.
fn widened(place: &str, data_type: &str, old: &str, new: &str) -> String {
    let ((was_low, was_high), (low, high)) = (bounds(data_type, old), bounds(data_type, new));
    let (low, high) = (was_low.min(low), was_high.max(high));
    format!("ALTER SEQUENCE {place} MINVALUE {low} MAXVALUE {high}")
}

/// A sequence that is to count the other way: it keeps the number that it has reached where that is within its new bounds.
fn turned(place: &str, data_type: &str, old: &str, new: &str) -> Vec<String> {
    let (low, high) = bounds(data_type, new);
    let first = first_number(new);
    let sequence = write::postgres_literal(place);
    let within = format!("last_value BETWEEN {low} AND {high}");
    vec![
        widened(place, data_type, old, new),
        format!(
            "SELECT pg_catalog.setval({sequence}, CASE WHEN {within} THEN last_value ELSE {first} END, \
             is_called AND {within}) FROM {place}"
        ),
    ]
}

/// What leads a sequence over a bound that comes nearer, from below it where it counts upwards: the number that it has
/// reached stays. Beyond the bound that it counts towards there is none to lead it to.
fn moved(place: &str, data_type: &str, old: &str, new: &str) -> Vec<String> {
    let ((was_low, was_high), (low, high)) = (bounds(data_type, old), bounds(data_type, new));
    let first = first_number(new);
    let (is_nearer, is_wide, ends, bound, furthest, sign) = if counts_down(new) {
        let ends = low > was_low && new.contains(" MINVALUE ");
        (high < was_high, first < was_low, ends, low, "least", '<')
    } else {
        let ends = high < was_high && new.contains(" MAXVALUE ");
        (low > was_low, first > was_high, ends, high, "greatest", '>')
    };
    let mut out = Vec::new();
    if ends {
        let word = format!("-- This is refused where sequence {place} has gone beyond {bound}.");
        out.push(word.replace('\n', " "));
    }
    if is_nearer {
        out.extend(is_wide.then(|| widened(place, data_type, old, new)));
        let sequence = write::postgres_literal(place);
        out.push(format!(
            "SELECT pg_catalog.setval({sequence}, {furthest}(last_value, {first}), is_called AND last_value {sign}= {first}) \
             FROM {place}"
        ));
    }
    out
}

/// The number behind a word.
fn number(words: &str, mark: &str) -> Option<i64> {
    let rest = &words[words.find(mark)? + mark.len()..];
    let end = rest.find(|letter: char| letter != '-' && !letter.is_ascii_digit());
    rest[..end.unwrap_or(rest.len())].parse().ok()
}

/// The number that a sequence of these options begins with.
fn first_number(options: &str) -> i64 {
    let (bound, usual) = if counts_down(options) {
        (" MAXVALUE ", -1)
    } else {
        (" MINVALUE ", 1)
    };
    let start = number(options, " START WITH ").or_else(|| number(options, bound));
    start.unwrap_or(usual)
}

/// The statement that leads a sequence to the next number: one that no row has, nor an earlier sequence gave out.
pub(super) fn next_number(
    place: &str,
    name: &str,
    sequence: &str,
    (data_type, is): (&str, &str),
    earlier: Option<&str>,
) -> String {
    let options = options_of(is);
    let first = first_number(&options);
    // How far it is from one number to the next, and which of two is further on that way.
    let (further, furthest, forth, back, beyond) = if counts_down(&options) {
        ("least", "min", '-', '+', "<=")
    } else {
        ("greatest", "max", '+', '-', ">=")
    };
    let has_bounds = [" MINVALUE ", " MAXVALUE "].iter().any(|word| options.contains(word));
    match earlier {
        None if has_bounds => next_within(place, name, sequence, (data_type, &options)),
        None => format!(
            "SELECT pg_catalog.setval({sequence}, {further}(coalesce({furthest}({name}), 0) {forth} 1, {first}), false) \
             FROM {place}"
        ),
        // Behind the last number there may be none.
        Some(earlier) => format!(
            "SELECT pg_catalog.setval({sequence}, {further}(last, {first}), last {beyond} {first}) FROM \
             (SELECT {further}(coalesce({furthest}({name}), 0), \
             (SELECT last_value {back} (NOT is_called)::integer FROM {earlier})) AS last FROM {place}) AS given"
        ),
    }
}

/// Likewise within bounds of its own: behind the last row that has a free number behind it.
fn next_within(place: &str, name: &str, sequence: &str, (data_type, options): (&str, &str)) -> String {
    let first = first_number(options);
    let (low, high) = bounds(data_type, options);
    let (further, furthest, forth, low, high) = if counts_down(options) {
        ("least", "min", '-', low.saturating_add(1), high)
    } else {
        ("greatest", "max", '+', low, high.saturating_sub(1))
    };
    format!(
        "SELECT pg_catalog.setval({sequence}, {further}({furthest}({name}) {forth} 1, {first}), false) FROM {place} AS last \
         WHERE {name} BETWEEN {low} AND {high} \
         AND NOT EXISTS (SELECT FROM {place} AS next WHERE next.{name} = last.{name} {forth} 1)"
    )
}
