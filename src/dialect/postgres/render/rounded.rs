//! Types whose values are rounded when they become those of another one.

/// Whether a change of type cuts something off values, of which the server says nothing.
pub(super) fn is(old: &str, new: &str) -> bool {
    let [old, new] = [old, new].map(|data_type| data_type.trim_end_matches("[]"));
    let (Some((sort, before)), Some((other, after))) = (fineness(old), fineness(new)) else {
        return false;
    };
    // These have as many digits as they have, wherever the point is.
    let floats = match new {
        "real" => !matches!(old, "real" | "smallint"),
        "double precision" => old == "bigint" || old.starts_with("numeric"),
        _ => false,
    };
    sort == other && (after < before || floats)
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
        ] {
            assert!(is(old, new), "{old} -> {new}");
            assert!(!is(old, old), "{old}");
        }
        for (old, new) in [
            ("integer", "bigint"),
            ("integer", "numeric(10,2)"),
            ("integer", "double precision"),
            ("real", "double precision"),
            ("numeric(10,2)", "numeric"),
            ("date", "timestamp(0) without time zone"),
            ("timestamp without time zone", "timestamp with time zone"),
            ("timestamp without time zone", "time without time zone"),
            ("numeric(10,2)", "text"),
        ] {
            assert!(!is(old, new), "{old} -> {new}");
        }
    }
}
