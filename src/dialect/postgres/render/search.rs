//! What a text search is made of, led from one definition to the other where it is.

use crate::schema::Object;
use crate::sql::split::POSTGRESQL;
use crate::sql::token;

/// Words for the parts of which a configuration is another one; none where its parser is.
pub(super) fn configuration(old: &Object, new: &Object) -> Option<Vec<String>> {
    let head = new.create.first().filter(|head| old.create.first() == Some(head))?;
    let words = head.strip_prefix("CREATE ")?.split_once(" (PARSER = ")?.0;
    let start = format!("ALTER {words} ADD MAPPING FOR ");
    let mappings = |object: &Object| -> Option<Vec<(String, String)>> {
        let parts = object.create[1..].iter().map(|sql| {
            let (token, dictionaries) = sql.strip_prefix(&start)?.split_once(" WITH ")?;
            Some((token.to_owned(), dictionaries.to_owned()))
        });
        parts.collect()
    };
    let (now, then) = (mappings(old)?, mappings(new)?);
    let find = |list: &[(String, String)], token: &str| list.iter().position(|(other, _)| other == token);
    let mut out = Vec::new();
    for (token, _) in now.iter().filter(|(token, _)| find(&then, token).is_none()) {
        out.push(format!("ALTER {words} DROP MAPPING FOR {token}"));
    }
    for (token, dictionaries) in &then {
        match find(&now, token).map(|at| &now[at].1) {
            Some(there) if there == dictionaries => {}
            Some(_) => out.push(format!("ALTER {words} ALTER MAPPING FOR {token} WITH {dictionaries}")),
            None => out.push(format!("{start}{token} WITH {dictionaries}")),
        }
    }
    Some(out)
}

/// Likewise for the options of a dictionary; none where its template is another one.
pub(super) fn dictionary(old: &Object, new: &Object) -> Option<Vec<String>> {
    let parts = |object: &Object| -> Option<(String, Vec<String>)> {
        let (head, rest) = object.create.first()?.split_once(" (TEMPLATE = ")?;
        let mut options = search_options(rest.strip_suffix(')')?);
        let template = options.remove(0);
        Some((format!("{head} {template}"), options))
    };
    let ((head, now), (same, then)) = (parts(old)?, parts(new)?);
    if head != same {
        return None;
    }
    let words = new
        .create
        .first()?
        .strip_prefix("CREATE ")?
        .split_once(" (TEMPLATE = ")?
        .0;
    let name = |option: &String| option.split(" = ").next().unwrap_or_default().to_owned();
    let stays = |option: &&String| then.iter().any(|other| name(other) == name(option));
    // Its name alone takes an option away.
    let gone = now.iter().filter(|option| !stays(option)).map(name);
    let come = then.iter().filter(|option| !now.contains(option)).cloned();
    let all: Vec<String> = gone.chain(come).collect();
    Some(vec![format!("ALTER {words} ({})", all.join(", "))])
}

/// The options of a dictionary, as they are kept in the catalog.
pub(in crate::dialect::postgres) fn search_options(text: &str) -> Vec<String> {
    let (mut start, mut out) = (0, Vec::new());
    for token in token::tokens(text, &POSTGRESQL).filter(|token| &text[token.span.clone()] == ",") {
        out.push(text[start..token.span.start].trim().to_owned());
        start = token.span.end;
    }
    out.push(text[start..].trim().to_owned());
    out
}
