//! Types whose values are rounded when they become those of another one.

/// What a change of type does to values, of which the server says nothing: none where each is kept or refused.
pub(super) fn verb(old: &str, new: &str) -> Option<&'static str> {
    let [old, new] = [old, new].map(|data_type| data_type.trim_end_matches("[]"));
    if is_rounded(old, new) {
        return Some("rounds");
    }
    let [(was, _), (is, length)] = [old, new].map(divided);
    let [was, is] = [was.as_str(), is.as_str()];
    let is_one = |name: &str, names: &[&str]| names.contains(&name);
    let letters = [
        "text",
        "character varying",
        "character",
        "citext",
        "name",
        "json",
        "jsonb",
    ];
    let moments = is.starts_with("time") || is.starts_with("interval") || is == "date";
    let was_moment = was.starts_with("time") || was.starts_with("interval") || was == "date";
    let shapes = ["point", "line", "lseg", "box", "path", "polygon", "circle"];
    let cuts = match is {
        _ if was == is => false,
        // 63 bytes, and one.
        "name" => !(was == "character varying" && length_of(old) < 16) && was != "\"char\"",
        "\"char\"" | "tsvector" => true,
        "jsonb" => is_one(was, &letters),
        "boolean" => is_one(
            was,
            &[
                "smallint",
                "integer",
                "bigint",
                "numeric",
                "real",
                "double precision",
                "jsonb",
            ],
        ),
        "smallint" | "integer" | "bigint" => is_one(was, &["jsonb", "money"]),
        "numeric" => was == "jsonb" || !length.is_empty() && (was == "money" || is_one(was, &letters)),
        "real" | "double precision" => is_one(was, &letters) || was == "money",
        "money" => !is_one(was, &["smallint", "integer", "bigint"]),
        "cidr" => was == "inet",
        name if name.starts_with("time ") => {
            was_moment && !was.starts_with("time ") || is_one(was, &letters) || zone_goes(was, is)
        }
        _ if moments => is_one(was, &letters),
        _ => is_one(is, &shapes) && is_one(was, &shapes) && (was, is) != ("point", "box"),
    };
    cuts.then_some("may cut")
}

/// Whether a time loses its zone.
fn zone_goes(was: &str, is: &str) -> bool {
    was.ends_with("with time zone") && is.ends_with("without time zone")
}

/// Whether digits are cut off values.
fn is_rounded(old: &str, new: &str) -> bool {
    if let (Some(before), Some(after)) = (of_interval(old), of_interval(new)) {
        let [(fields, digits), (less, fewer)] = [before, after];
        return fewer < digits || less != fields && !less.is_empty();
    }
    let (Some((sort, before)), Some((other, after))) = (fineness(old), fineness(new)) else {
        return false;
    };
    // These have as many digits as they have, wherever the point is.
    let floats = match new {
        "real" => !matches!(old, "real" | "smallint"),
        "double precision" => old == "bigint" || old.starts_with("numeric"),
        "numeric" => matches!(old, "real" | "double precision"),
        _ => false,
    };
    sort == other && (after < before || floats)
}

/// The fields of an interval and its digits behind the point.
fn of_interval(data_type: &str) -> Option<(String, u8)> {
    let rest = data_type.strip_prefix("interval")?;
    let (fields, digits) = match rest.split_once('(') {
        Some((fields, digits)) => (fields, digits.trim_end_matches(')').parse().unwrap_or(6)),
        None => (rest, 6),
    };
    Some((fields.trim().to_owned(), digits))
}

/// A type's name, and what stands in its parentheses: `time(3) with time zone`.
fn divided(data_type: &str) -> (String, &str) {
    let Some((name, rest)) = data_type.split_once('(') else {
        return (data_type.to_owned(), "");
    };
    let (length, behind) = rest.split_once(')').unwrap_or((rest, ""));
    (name.to_owned() + behind, length)
}

/// The length of letters that a type has, at most.
fn length_of(data_type: &str) -> usize {
    divided(data_type).1.parse().unwrap_or(usize::MAX)
}

/// A sort of values, and how finely they are told apart: by the digits behind the point.
fn fineness(data_type: &str) -> Option<(&'static str, u8)> {
    let length = data_type.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    let digits = length.and_then(|(words, _)| words.rsplit(',').next()?.parse::<i8>().ok());
    // Before the point they are negative.
    let digits = digits.map(|digits| u8::try_from(i16::from(digits) + 100).unwrap_or_default());
    let moment = |digits: Option<u8>| digits.unwrap_or(106);
    Some(match data_type.split('(').next().unwrap_or_default().trim_end() {
        "smallint" | "integer" | "bigint" => ("number", 100),
        "real" => ("number", 253),
        "double precision" => ("number", 254),
        "numeric" => ("number", digits.unwrap_or(255)),
        "date" => ("moment", 0),
        name if name.starts_with("timestamp") => ("moment", moment(digits)),
        name if name.starts_with("time") => ("time", moment(digits)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_is_known() {
        for (old, new) in [
            ("numeric(10,2)", "numeric(6,1)"),
            ("numeric(10,2)", "integer"),
            ("numeric", "numeric(10,2)"),
            ("numeric(10,2)[]", "bigint[]"),
            ("integer", "numeric(4,-2)"),
            ("numeric", "double precision"),
            ("bigint", "real"),
            ("double precision", "real"),
            ("real", "integer"),
            ("timestamp without time zone", "date"),
            ("timestamp(3) with time zone", "timestamp(0) without time zone"),
            ("timestamp with time zone", "timestamp(3) with time zone"),
            ("time without time zone", "time(0) without time zone"),
            ("double precision", "numeric"),
            ("interval", "interval hour to minute"),
            ("interval(3)", "interval(0)"),
            ("interval day", "interval year"),
        ] {
            assert_eq!(verb(old, new), Some("rounds"), "{old} -> {new}");
            assert_eq!(verb(old, old), None, "{old}");
        }
        for (old, new) in [
            ("text", "numeric(5,1)"),
            ("text", "date"),
            ("character varying(100)", "name"),
            ("text", "\"char\""),
            ("character(9)", "timestamp(0) without time zone"),
            ("json", "jsonb"),
            ("jsonb", "integer"),
            ("integer", "boolean"),
            ("numeric", "money"),
            ("inet", "cidr"),
            ("timestamp without time zone", "time without time zone"),
            ("timestamp(3) with time zone", "time(3) with time zone"),
            ("time with time zone", "time without time zone"),
            ("interval", "time without time zone"),
            ("polygon", "circle"),
        ] {
            assert_eq!(verb(old, new), Some("may cut"), "{old} -> {new}");
            assert_eq!(verb(old, old), None, "{old}");
        }
        for (old, new) in [
            ("integer", "bigint"),
            ("integer", "numeric(10,2)"),
            ("integer", "double precision"),
            ("real", "double precision"),
            ("numeric(10,2)", "numeric"),
            ("date", "timestamp(0) without time zone"),
            ("timestamp without time zone", "timestamp with time zone"),
            ("time without time zone", "time with time zone"),
            ("time without time zone", "interval"),
            ("interval day", "interval"),
            ("interval(0)", "interval(3)"),
            ("character varying(10)", "name"),
            ("text", "integer"),
            ("text", "numeric"),
            ("text", "uuid"),
            ("text", "character varying(5)"),
            ("json", "text"),
            ("cidr", "inet"),
            ("smallint", "money"),
            ("point", "box"),
            ("numeric(10,2)", "text"),
        ] {
            assert_eq!(verb(old, new), None, "{old} -> {new}");
        }
    }
}
