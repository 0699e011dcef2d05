//! What SQLite makes of a type's name, and how types of other databases are written so that values survive.

use crate::dialect::sqlite::table::unquoted_type;

/// What a column does to the values that are put into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Affinity {
    /// Numbers and what looks like one; whole numbers as integers.
    Integer,
    /// Text; numbers become text.
    Text,
    /// Nothing is changed.
    Blob,
    /// Numbers and what looks like one, as floating point.
    Real,
    /// Numbers and what looks like one.
    Numeric,
}

impl Affinity {
    /// The affinity of a type, by the five rules of <https://www.sqlite.org/datatype3.html>, section 3.1.
    pub(super) fn of(data_type: &str) -> Self {
        let upper = data_type.to_ascii_uppercase();
        let has = |words: &[&str]| words.iter().any(|word| upper.contains(word));
        if has(&["INT"]) {
            Affinity::Integer
        } else if has(&["CHAR", "CLOB", "TEXT"]) {
            Affinity::Text
        } else if upper.trim().is_empty() || has(&["BLOB"]) {
            Affinity::Blob
        } else if has(&["REAL", "FLOA", "DOUB"]) {
            Affinity::Real
        } else {
            Affinity::Numeric
        }
    }

    /// The storage classes of values that belong into a column of this affinity, NULL aside.
    pub(super) fn classes(self) -> &'static [&'static str] {
        match self {
            Affinity::Integer | Affinity::Numeric => &["integer", "real"],
            Affinity::Real => &["real"],
            Affinity::Text => &["text"],
            Affinity::Blob => &["integer", "real", "text", "blob"],
        }
    }

    /// Likewise with the affinity itself, where the value is none that a CAST changes: and a condition for when it is.
    pub(super) fn with_affinity(self, value: &str) -> (String, Option<String>) {
        let (name, odd) = match self {
            // What a CAST gives has its affinity, and an expression has none.
            Affinity::Blob => return (format!("+{value}"), None),
            Affinity::Integer | Affinity::Numeric => ("NUMERIC", "'blob', 'text'"),
            Affinity::Text => ("TEXT", "'blob'"),
            Affinity::Real => ("REAL", "'blob', 'text'"),
        };
        let stored = match self {
            Affinity::Integer | Affinity::Numeric => whole(value),
            _ => value.to_owned(),
        };
        (
            format!("CAST({stored} AS {name})"),
            Some(format!("typeof({value}) IN ({odd})")),
        )
    }

    /// An expression that is `value` as a column of this affinity holds it.
    pub(super) fn converted(self, value: &str) -> String {
        let name = match self {
            Affinity::Blob => return value.to_owned(),
            Affinity::Integer | Affinity::Numeric => "NUMERIC",
            Affinity::Text => "TEXT",
            Affinity::Real => "REAL",
        };
        format!("CASE typeof({value}) WHEN 'blob' THEN {value} ELSE CAST({value} AS {name}) END")
    }

    /// An expression that is `value` as a column of this affinity stores it, or as a key of this affinity compares it: a
    /// text that is no number stays one (datatype3.html, section 3).
    pub(super) fn applied(self, value: &str) -> String {
        match self {
            Affinity::Blob => value.to_owned(),
            Affinity::Text => {
                format!("CASE WHEN typeof({value}) IN ('integer', 'real') THEN CAST({value} AS TEXT) ELSE {value} END")
            }
            Affinity::Integer | Affinity::Numeric | Affinity::Real => {
                let number = if self == Affinity::Real { "REAL" } else { "NUMERIC" };
                let cast = match self {
                    Affinity::Real => value.to_owned(),
                    _ => whole(value),
                };
                format!(
                    "CASE WHEN typeof({value}) NOT IN ('text', 'blob') OR CAST({value} AS NUMERIC) = +{value} AND \
                     typeof({value}) = 'text' THEN CAST({cast} AS {number}) ELSE {value} END"
                )
            }
        }
    }

    /// A condition that holds where a column of this affinity would not keep what `value` is.
    ///
    /// A text survives as a number when the number is written like it, zeros at its end behind the point aside: `'007'`,
    /// `'+49'` and more digits than a number has are lost.
    pub(super) fn loses(self, value: &str) -> Option<String> {
        let numeric = format!("CAST({value} AS NUMERIC)");
        let trimmed = format!(
            "CASE WHEN {value} GLOB '*.*' AND {value} NOT GLOB '*e*' THEN rtrim(rtrim({value}, '0'), '.') ELSE {value} END"
        );
        let unlike = format!("typeof({value}) = 'text' AND CAST({numeric} AS TEXT) <> {trimmed}");
        let exact = format!("CAST({numeric} AS REAL) <> {numeric}");
        match self {
            Affinity::Blob => None,
            Affinity::Text => Some(format!(
                "typeof({value}) = 'real' AND CAST(CAST({value} AS TEXT) AS REAL) <> {value}"
            )),
            Affinity::Integer => Some(format!(
                "CASE typeof({value}) WHEN 'null' THEN 0 WHEN 'integer' THEN 0 WHEN 'blob' THEN 1 \
                 WHEN 'real' THEN CAST({value} AS INTEGER) <> {value} \
                 ELSE typeof({numeric}) <> 'integer' OR {unlike} END"
            )),
            Affinity::Real | Affinity::Numeric => {
                let inexact = if self == Affinity::Real { exact.as_str() } else { "0" };
                Some(format!(
                    "CASE typeof({value}) WHEN 'null' THEN 0 WHEN 'real' THEN 0 WHEN 'blob' THEN 1 \
                     WHEN 'integer' THEN {inexact} ELSE {unlike} OR {inexact} END"
                ))
            }
        }
    }
}

/// A value in which a whole number is an integer, as a column for numbers stores it; a CAST leaves it as it is.
fn whole(value: &str) -> String {
    format!(
        "CASE WHEN typeof({value}) = 'real' AND {value} = CAST({value} AS INTEGER) THEN CAST({value} AS INTEGER) ELSE {value} END"
    )
}

/// The affinity of a column's type; in a STRICT table ANY keeps every value as it is.
pub(super) fn affinity(data_type: &str, strict: bool) -> Affinity {
    if strict && data_type.eq_ignore_ascii_case("ANY") {
        Affinity::Blob
    } else {
        Affinity::of(data_type)
    }
}

/// The words of a type that SQLite would read with an affinity that eats values, and what is written instead.
const HARMFUL: &[(&str, &str)] = &[
    ("UUID", "TEXT"),
    ("DATE", "TEXT"),
    ("TIME", "TEXT"),
    ("TIMETZ", "TEXT"),
    ("TIMESTAMP", "TEXT"),
    ("TIMESTAMPTZ", "TEXT"),
    ("DATETIME", "TEXT"),
    ("YEAR", "TEXT"),
    ("JSON", "TEXT"),
    ("JSONB", "TEXT"),
    ("XML", "TEXT"),
    ("INTERVAL", "TEXT"),
    ("INET", "TEXT"),
    ("CIDR", "TEXT"),
    ("MACADDR", "TEXT"),
    ("MACADDR8", "TEXT"),
    ("BIT", "TEXT"),
    ("VARBIT", "TEXT"),
    ("POINT", "TEXT"),
    ("LINE", "TEXT"),
    ("POLYGON", "TEXT"),
    ("TSVECTOR", "TEXT"),
    ("STRING", "TEXT"),
    ("NAME", "TEXT"),
    ("ENUM", "TEXT"),
    ("SET", "TEXT"),
    ("BYTEA", "BLOB"),
    ("BINARY", "BLOB"),
    ("VARBINARY", "BLOB"),
    ("SERIAL", "INTEGER"),
    ("BIGSERIAL", "INTEGER"),
    ("SMALLSERIAL", "INTEGER"),
];

/// A type of an ALTER as it is written into the definition of a table.
pub(super) fn written(data_type: &str, strict: bool) -> String {
    let upper = unquoted_type(data_type).to_ascii_uppercase();
    let word = upper
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .next()
        .unwrap_or("");
    let array = data_type.trim_end().ends_with(']') && !data_type.starts_with('[');
    let harmless = if array {
        "TEXT"
    } else {
        match HARMFUL.iter().find(|(harmful, _)| *harmful == word) {
            Some((_, written)) => written,
            None => data_type,
        }
    };
    if !strict {
        return harmless.to_owned();
    }
    if ["INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"].contains(&upper.as_str()) {
        return data_type.to_owned();
    }
    match Affinity::of(harmless) {
        Affinity::Integer => "INTEGER",
        Affinity::Text => "TEXT",
        Affinity::Blob => "BLOB",
        Affinity::Numeric if word.starts_with("BOOL") => "INTEGER",
        Affinity::Real | Affinity::Numeric => "REAL",
    }
    .to_owned()
}

/// Whether a type is one that numbers itself: `SERIAL` and its sizes.
pub(super) fn is_serial(data_type: &str) -> bool {
    unquoted_type(data_type).to_ascii_uppercase().ends_with("SERIAL")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(data_type: &str, loose: &str, strict: &str) {
        assert_eq!(written(data_type, false), loose);
        assert_eq!(written(data_type, true), strict);
    }

    #[test]
    fn harmful_types_are_spelled_so_that_values_survive() {
        check("uuid", "TEXT", "TEXT");
        check("TIMESTAMP WITH TIME ZONE", "TEXT", "TEXT");
        check("VARCHAR(20)", "VARCHAR(20)", "TEXT");
        check("bigint", "bigint", "INTEGER");
        check("DECIMAL(10, 2)", "DECIMAL(10, 2)", "REAL");
        check("int[]", "TEXT", "TEXT");
        check("boolean", "boolean", "INTEGER");
        check("bytea", "BLOB", "BLOB");
    }

    #[test]
    fn affinity_follows_sqlite() {
        assert_eq!(Affinity::of("CHARINT"), Affinity::Integer);
        assert_eq!(Affinity::of("DOUBLE PRECISION"), Affinity::Real);
        assert_eq!(Affinity::of(""), Affinity::Blob);
        assert_eq!(Affinity::of("STRING"), Affinity::Numeric);
    }
}
