//! Words of commands that people are told to type.

use std::fmt::Display;

/// A text as one word of a shell, in quotes where it needs them.
pub(crate) fn word(text: impl Display) -> String {
    let text = text.to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"_-./:@%+,=".contains(&byte);
    if !text.is_empty() && !text.starts_with('-') && text.bytes().all(plain) {
        return text;
    }
    // What begins with a dash would be an option, in quotes too.
    let dash = if text.starts_with('-') { "./" } else { "" };
    format!("'{dash}{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn words_are_quoted_where_they_must_be() {
        for (text, shown) in [
            ("migrations/0001_users/upgrade.sql", "migrations/0001_users/upgrade.sql"),
            ("täglich.sql", "täglich.sql"),
            ("my folder/a.sql", "'my folder/a.sql'"),
            ("it's", "'it'\\''s'"),
            ("a$b", "'a$b'"),
            ("-rf", "'./-rf'"),
            ("", "''"),
        ] {
            assert_eq!(word(text), shown);
        }
    }
}
