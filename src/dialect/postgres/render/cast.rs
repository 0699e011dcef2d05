//! Values of one type that become values of another, where neither a cast says it nor their text does, or these say
//! something else.

use crate::dialect::postgres::render::family;

/// What the values of a column become; none where a cast, or their text, says it.
pub(super) fn of(column: &str, old: &str, new: &str) -> Option<String> {
    let (bare, becomes) = (without_parameters(old), without_parameters(new));
    Some(match (&*family(old), &*family(new)) {
        // Of all numbers only `integer` has a cast.
        ("number", "boolean") if bare != "integer" => format!("({column} <> 0)"),
        ("boolean", "number") => format!("{column}::integer"),
        ("number[]", "boolean[]") if matches!(bare, "smallint[]" | "integer[]") => {
            format!("{column}::integer[]::boolean[]")
        }
        ("boolean[]", "number[]") => format!("{column}::integer[]"),
        ("boolean", "bits") if becomes == "bit" => format!("{column}::integer::{new}"),
        ("boolean", "bits") => format!("{column}::integer::bit(1)"),
        // The text `10` is ten, and the bits are two.
        ("bits", "number") if bare == "bit" => format!("{column}::bigint"),
        // It has a currency and commas.
        ("money", "number") if becomes == "numeric" => format!("{column}::numeric"),
        ("macaddr8", "macaddr") => format!("{column}::macaddr"),
        (range, several) if range.ends_with("range") && several == multiple(range) => format!("{column}::{several}"),
        (one, many) if one != "text" && many.strip_suffix("[]") == Some(one) => {
            format!("CASE WHEN {column} IS NOT NULL THEN ARRAY[{column}] END")
        }
        _ => return None,
    })
}

/// Whether their texts are alike and mean something else, so that no statement says what becomes of the values.
pub(super) fn misleads(old: &str, new: &str) -> bool {
    let bits_of = |data_type: &str| family(data_type) == "bits";
    let is_number = |data_type: &str| family(data_type) == "number";
    // One bit is the number that it reads.
    let is_one = new.ends_with("(1)");
    is_number(old) && bits_of(new) && !is_one || bits_of(old) && is_number(new) && without_parameters(old) != "bit"
}

fn without_parameters(data_type: &str) -> &str {
    data_type.split('(').next().unwrap_or_default().trim()
}

/// The type of several ranges.
fn multiple(range: &str) -> String {
    format!("{}multirange", range.strip_suffix("range").unwrap_or_default())
}
