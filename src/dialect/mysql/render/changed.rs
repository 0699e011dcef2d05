//! Types whose values become others when they become those of another one, of which the server says nothing, however
//! strict it is. Both servers were asked; what is not known to keep values is said to change them.

use crate::schema::Column;
use crate::sql::split::MYSQL;
use crate::sql::token::{self, Kind};

/// Whether values of a column may be others after it has become this one.
pub(super) fn are(was: &Column, column: &Column) -> bool {
    let collation = |column: &Column| column.collation.as_ref().map(|collation| collation.meaning.clone());
    let types = (was.data_type.written.as_str(), column.data_type.written.as_str());
    is(types.0, types.1) || are_spelled_otherwise(types, (collation(was).as_deref(), collation(column).as_deref()))
}

/// Whether a value of an ENUM or SET becomes another one of the new type that is the same to its collation, and does not
/// come back with the old type.
fn are_spelled_otherwise((old, new): (&str, &str), (was, is): (Option<&str>, Option<&str>)) -> bool {
    // Bytes may end in spaces, which no other values do.
    let is_exact =
        is.is_none_or(|collation| collation.ends_with("_bin") && was != Some("binary") || collation == "binary");
    let are_words = [old, new].iter().all(|written| Type::of(written).sort == Sort::Words);
    if is_exact || !are_words {
        return false;
    }
    let (old, new) = (values(old), values(new));
    let gone = || old.iter().filter(|value| !new.contains(value));
    gone().any(|value| {
        let mut taken = new.iter().filter(|other| may_be_the_same(value, other));
        let Some(other) = taken.next() else { return false };
        let comes_back = was == is
            && taken.next().is_none()
            && !old.contains(other)
            && gone().filter(|value| may_be_the_same(value, other)).count() == 1;
        !comes_back
    })
}

/// The values of an ENUM or SET.
fn values(written: &str) -> Vec<&str> {
    token::significant(written, &MYSQL)
        .filter(|token| token.kind == Kind::Text)
        .map(|token| written[token.span].trim_matches('\''))
        .collect()
}

/// Letters with accents, and what they are without.
const ACCENTS: [(&str, char); 8] = [
    ("àáâãäå", 'a'),
    ("ç", 'c'),
    ("èéêë", 'e'),
    ("ìíîï", 'i'),
    ("ñ", 'n'),
    ("òóôõöø", 'o'),
    ("ùúûü", 'u'),
    ("ýÿ", 'y'),
];

/// Whether some collation may take two values for the same: in other letters, with accents or without. Of letters that are
/// not known here nothing is said, but that those around them must be there.
fn may_be_the_same(one: &str, other: &str) -> bool {
    let (one, other) = (plain(one), plain(other));
    // `ß` is `ss` to many.
    let is_within = |part: &[char], whole: &[char]| {
        let mut rest = whole.iter();
        part.iter().all(|letter| rest.any(|other| other == letter))
    };
    match (one.1, other.1) {
        (true, true) => one.0 == other.0,
        (false, true) => is_within(&one.0, &other.0),
        (true, false) => is_within(&other.0, &one.0),
        (false, false) => true,
    }
}

/// The small letters of a value that are known, without accents, and whether these are all.
fn plain(text: &str) -> (Vec<char>, bool) {
    let mut out = Vec::new();
    let mut is_whole = true;
    for letter in text.trim_end_matches(' ').chars().flat_map(char::to_lowercase) {
        let accent = ACCENTS.iter().find(|(letters, _)| letters.contains(letter));
        match accent.map(|(_, plain)| *plain) {
            Some(plain) => out.push(plain),
            None if letter.is_ascii_control() => {}
            None if letter.is_ascii() => out.push(letter),
            None => is_whole = false,
        }
    }
    (out, is_whole)
}

/// Whether values may be others in a column of the new type than they were in one of the old.
fn is(old: &str, new: &str) -> bool {
    let (old, new) = (Type::of(old), Type::of(new));
    match (old.sort, new.sort) {
        // Binary floats have 24 and 53 digits.
        (Sort::Whole(bits), Sort::Float(digits)) => new.scale.is_some() || bits > digits,
        (Sort::Fixed, Sort::Whole(_)) => old.scale != Some(0),
        (Sort::Float(one), Sort::Float(other)) => {
            other < one || new.scale.is_some() && (old.scale.is_none() || new.scale < old.scale)
        }
        (Sort::Fixed, Sort::Fixed) | (Sort::Moment, Sort::Moment) | (Sort::Time, Sort::Time) => new.scale < old.scale,
        // Texts lose the spaces at their end in a CHAR, and where they are too long for it in a VARCHAR, if they come from a
        // TEXT or from bytes, and bytes get zeros at theirs in a BINARY.
        (Sort::Text | Sort::Document, Sort::Text) => {
            new.base == "char" && old.base != "char" || new.base == "varchar" && old.base.ends_with("text")
        }
        (Sort::Bytes, Sort::Text) => true,
        // What is below zero becomes a number above it.
        (Sort::Whole(_), Sort::Bit) => new.scale == Some(64),
        (Sort::Bytes | Sort::Text | Sort::Words, Sort::Bytes) => new.base == "binary" && old != new,
        (Sort::Bit, _) => !matches!(new.sort, Sort::Bit | Sort::Whole(_) | Sort::Fixed),
        (Sort::Whole(_) | Sort::Year, Sort::Whole(_) | Sort::Fixed)
        | (Sort::Day, Sort::Moment)
        | (Sort::Words, Sort::Words)
        | (Sort::Place, Sort::Place)
        // What is too long is an error.
        | (_, Sort::Text) => false,
        _ => old.base != new.base,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// Whole numbers, with their bits.
    Whole(u8),
    /// DECIMAL.
    Fixed,
    /// Numbers with so many binary digits.
    Float(u8),
    Bit,
    Year,
    Day,
    Moment,
    Time,
    Text,
    Bytes,
    /// ENUM and SET.
    Words,
    /// JSON of MySQL, which writes its documents in its own way.
    Document,
    Place,
    Other,
}

/// A type as far as values that become others depend on it.
#[derive(Debug, PartialEq, Eq)]
struct Type<'t> {
    base: &'t str,
    sort: Sort,
    /// Digits behind the point, or the length where nothing comes behind one.
    scale: Option<u8>,
}

impl<'t> Type<'t> {
    fn of(written: &'t str) -> Self {
        let base = written.split(['(', ' ']).next().unwrap_or_default();
        let within = written.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
        let numbers = within.map_or("", |(numbers, _)| numbers);
        let last = numbers.rsplit(',').next().and_then(|digits| digits.parse().ok());
        let (sort, scale) = match base {
            "tinyint" => (Sort::Whole(8), None),
            "smallint" => (Sort::Whole(16), None),
            "mediumint" => (Sort::Whole(24), None),
            "int" => (Sort::Whole(32), None),
            "bigint" => (Sort::Whole(64), None),
            "decimal" => (Sort::Fixed, last),
            "float" => (Sort::Float(24), last),
            "double" => (Sort::Float(53), last),
            "bit" => (Sort::Bit, last),
            "year" => (Sort::Year, None),
            "date" => (Sort::Day, None),
            "datetime" | "timestamp" => (Sort::Moment, Some(last.unwrap_or(0))),
            "time" => (Sort::Time, Some(last.unwrap_or(0))),
            "enum" | "set" => (Sort::Words, None),
            "json" => (Sort::Document, None),
            "binary" => (Sort::Bytes, last),
            "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring" | "multipolygon"
            | "geometrycollection" | "geomcollection" => (Sort::Place, None),
            _ if base.ends_with("char") || base.ends_with("text") => (Sort::Text, None),
            _ if base.ends_with("binary") || base.ends_with("blob") => (Sort::Bytes, None),
            _ => (Sort::Other, None),
        };
        Self { base, sort, scale }
    }
}

#[cfg(test)]
mod tests {
    use super::{are_spelled_otherwise, is};

    #[test]
    fn words_that_a_collation_takes_for_others() {
        let ci = Some("utf8mb4_0900_ai_ci");
        let bin = Some("utf8mb4_bin");
        for (old, new, was, is, expect) in [
            ("enum('a','A')", "enum('a')", bin, ci, true),
            ("set('a','A','b')", "set('A','b','c')", bin, ci, true),
            ("enum('a','A')", "enum('a')", bin, bin, false),
            ("enum('a')", "enum('A')", bin, ci, true),
            ("enum('a','b')", "enum('A','b')", ci, ci, false),
            ("enum('e','f')", "enum('é','f')", ci, ci, false),
            ("enum('e','é')", "enum('é')", Some("utf8mb4_0900_as_cs"), ci, true),
            ("enum('straße')", "enum('strasse')", bin, ci, true),
            ("enum('été','x')", "enum('hiver','x')", bin, ci, false),
            ("enum('é','x')", "enum('ü','x')", bin, ci, false),
            ("enum('É','x')", "enum('è','x')", bin, ci, true),
            ("enum('Ж','x')", "enum('ж','x')", bin, ci, true),
            ("enum('x','y','z')", "enum('x','y')", ci, ci, false),
            ("enum('x','y')", "enum('y','x')", bin, ci, false),
            ("enum('x ','y')", "enum('x','y')", Some("binary"), bin, true),
            ("enum('x ','y')", "enum('x','y')", Some("binary"), Some("binary"), false),
        ] {
            let found = are_spelled_otherwise((old, new), (was, is));
            assert_eq!(found, expect, "{old} -> {new}");
        }
    }

    #[test]
    fn what_becomes_another_value_is_known() {
        for (old, new) in [
            ("decimal(10,2)", "decimal(10,1)"),
            ("decimal(10,2)", "int"),
            ("decimal(10,2)", "double"),
            ("double", "float"),
            ("double", "decimal(10,2)"),
            ("double", "double(9,2)"),
            ("int", "float"),
            ("bigint unsigned", "double"),
            ("int", "year"),
            ("int", "datetime"),
            ("date", "time"),
            ("datetime", "time"),
            ("datetime", "date"),
            ("timestamp(6)", "timestamp"),
            ("timestamp(6)", "datetime(3)"),
            ("time", "datetime"),
            ("time(6)", "time"),
            ("datetime", "bigint"),
            ("year", "time"),
            ("enum('x','y')", "int"),
            ("set('x','y')", "bigint"),
            ("varchar(9)", "enum('x','y')"),
            ("varchar(9)", "int"),
            ("varchar(9)", "char(9)"),
            ("text", "varchar(9)"),
            ("varbinary(9)", "varchar(9)"),
            ("int", "bit(64)"),
            ("varbinary(9)", "binary(9)"),
            ("binary(4)", "binary(9)"),
            ("text", "json"),
            ("bit(9)", "blob"),
            ("char(36)", "uuid"),
        ] {
            assert!(is(old, new), "{old} -> {new}");
            assert!(!is(old, old), "{old}");
        }
        for (old, new) in [
            ("int", "bigint"),
            ("bigint(20)", "int(10) unsigned"),
            ("int", "decimal(10,2)"),
            ("decimal(10,0)", "bigint"),
            ("smallint", "float"),
            ("int", "double"),
            ("float", "double"),
            ("date", "datetime(6)"),
            ("datetime", "timestamp"),
            ("time", "time(3)"),
            ("year", "int"),
            ("tinyint(1)", "bit(1)"),
            ("varchar(9)", "text"),
            ("char(9)", "varchar(5)"),
            ("varchar(9)", "varbinary(9)"),
            ("binary(9)", "varbinary(9)"),
            ("enum('x','y')", "enum('x','y','z')"),
            ("enum('x')", "varchar(9)"),
            ("json", "longtext"),
            ("datetime(6)", "varchar(30)"),
            ("point", "geometry"),
            ("uuid", "char(36)"),
        ] {
            assert!(!is(old, new), "{old} -> {new}");
        }
    }
}
