//! Types, what they do to values, and which values they take.

use rusqlite::types::Value;

/// A type as it is asked for, as it is written into a table and into a STRICT one.
pub(super) const TYPES: &[(&str, &str, &str)] = &[
    ("TEXT", "TEXT", "TEXT"),
    ("VARCHAR(30)", "VARCHAR(30)", "TEXT"),
    ("BIGINT", "BIGINT", "INTEGER"),
    ("NUMERIC", "NUMERIC", "REAL"),
    ("uuid", "TEXT", "TEXT"),
    ("BYTEA", "BLOB", "BLOB"),
    ("REAL", "REAL", "REAL"),
    ("integer", "integer", "integer"),
    ("int", "int", "int"),
];

/// What a type does to values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Integer,
    Text,
    Any,
    Real,
    Numeric,
    Blob,
}

const CLASSES: &[(&[&str], Class)] = &[
    (&["INT", "INTEGER", "BIGINT", "UNSIGNED BIG INT"], Class::Integer),
    (&["TEXT", "VARCHAR(10)", "VARCHAR(30)"], Class::Text),
    (&["REAL"], Class::Real),
    (&["NUMERIC"], Class::Numeric),
    (&["BLOB"], Class::Blob),
    (&["", "ANY"], Class::Any),
];

/// The class of a type.
pub(super) fn class(data_type: &str, strict: bool) -> Class {
    let upper = data_type.to_ascii_uppercase();
    let known = CLASSES.iter().find(|(names, _)| names.contains(&upper.as_str()));
    match known.expect("one of the model's types").1 {
        Class::Blob if !strict => Class::Any,
        class => class,
    }
}

/// Whether a value is the same thing in a column of a class; `None` where that is a matter of taste.
pub(super) fn survives(value: &Value, class: Class, strict: bool) -> Option<bool> {
    let number = |text: &str| text.parse::<f64>().is_ok() && !text.contains(['e', 'n', 'i', ' ']);
    match (value, class) {
        (Value::Null, _) | (_, Class::Any) => Some(true),
        (value, Class::Blob) => Some(matches!(value, Value::Blob(_))),
        (Value::Blob(_), Class::Text) => Some(!strict),
        (_, Class::Text) => Some(true),
        (Value::Blob(_), _) => Some(false),
        (Value::Integer(_), _) => Some(true),
        (Value::Real(value), Class::Integer) => Some(value.fract() == 0.0),
        (Value::Real(_), _) => Some(true),
        (Value::Text(text), Class::Integer) if text.parse::<i64>().is_ok() => Some(true),
        (Value::Text(text), _) if !number(text) => Some(false),
        (Value::Text(text), Class::Integer) => (!text.ends_with(".0")).then_some(false),
        (Value::Text(text), _) => (!text.ends_with(".0")).then_some(true),
    }
}

/// Whether a default is a value of a type, as it has to be where a column gets that type.
pub(super) fn fits(data_type: &str, default: &str) -> bool {
    let (blob, text) = (default.starts_with('x'), default.starts_with('\'') && default != "'12'");
    match class(data_type, false) {
        _ if default == "NULL" => true,
        Class::Any => data_type != "BLOB" || blob,
        Class::Blob => blob,
        Class::Text => !blob,
        Class::Integer => !blob && !text && default != "-1.5",
        Class::Real | Class::Numeric => !blob && !text,
    }
}
