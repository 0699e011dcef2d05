//! Changes of a schema as PostgreSQL's statements.

mod below;
mod cast;
mod detached;
mod keys_below;
mod marks;
mod numbering;
mod numbers;
mod options;
mod ranges;
mod rounded;
mod search;
mod sequences;
mod types;

use crate::dialect::postgres::inspect::{next_value, qualified, quoted};
use crate::schema::diff::{self, Alter, Change};
use crate::schema::{Column, Constraint, ConstraintKind, Key, Kind, Model};

pub(super) use options::parameters;
pub(super) use search::search_options;

use options::{kept, option};

/// The statements of a change, without semicolons; none when no statement says it.
pub(super) fn statements(change: &Change, from: &Model, to: &Model) -> Option<Vec<String>> {
    let kept = sequences::kept(change, from, to).or_else(|| detached::kept(change, from, to));
    if kept.is_some() {
        return kept;
    }
    match change {
        Change::Create(key) => Some(to.objects.get(key)?.create.clone()),
        Change::Complete(key) => Some(to.objects.get(key)?.late.clone()),
        // What a partition has from its table goes when it is detached.
        Change::Drop(key) if below::leaves_trigger(key, from, to) => Some(Vec::new()),
        Change::Drop(key) if key.kind == Kind::Index => Some(marks::without(key, from, to)),
        Change::Drop(key) => {
            let detached = below::detached(key, from, to).into_iter();
            Some(detached.chain([from.objects.get(key)?.drop.clone()]).collect())
        }
        Change::Redefine(key) => redefinition(key, from, to),
        Change::Replace(key) if matches!(key.kind, Kind::Type | Kind::Domain) => types::swapped(key, from, to),
        // Rows would have to be moved by hand, and what other tables and sequences know of the table with them.
        Change::Replace(_) => None,
        Change::RenameTable { table, to: new } => Some(vec![format!(
            "ALTER TABLE {} RENAME TO {}",
            qualified(&table.schema, &from.objects.get(table)?.name),
            quoted(new)
        )]),
        Change::Alter(key, alter) => {
            if below::comes_from_above(key, alter, from, to)
                || below::is_shared(key, alter, from, to)
                || keys_below::stays(key, alter, from, to)
            {
                return Some(Vec::new());
            }
            self::alter(key, alter, from, to)
        }
    }
}

fn redefinition(key: &Key, from: &Model, to: &Model) -> Option<Vec<String>> {
    let (old, new) = (from.objects.get(key)?, to.objects.get(key)?);
    let place = qualified(&key.schema, &key.name);
    match key.kind {
        Kind::View if old.create.first() == new.create.first() => Some(marks::of_columns(old, new).concat()),
        Kind::View => {
            let create = new.create.first()?.strip_prefix("CREATE VIEW")?;
            let mut out = vec![format!("CREATE OR REPLACE VIEW{create}")];
            // Options that are not said again stay.
            if old.meaning.starts_with("VIEW WITH (") && !new.meaning.starts_with("VIEW WITH (") {
                let options = old.meaning.strip_prefix("VIEW WITH (")?.split_once(')')?.0;
                let names: Vec<&str> = options
                    .split(", ")
                    .filter_map(|option| option.split('=').next())
                    .collect();
                out.insert(0, format!("ALTER VIEW {place} RESET ({})", names.join(", ")));
            }
            let [gone, come] = marks::of_columns(old, new);
            Some([gone, out, come].concat())
        }
        // The statement says CREATE OR REPLACE, or COMMENT ON.
        Kind::Function | Kind::Comment => Some([&new.create[..], &new.late[..]].concat()),
        Kind::Sequence => numbering::sequence(&place, &old.meaning, &new.meaning),
        Kind::Index => Some(marks::changed(key, from, to)),
        Kind::Type | Kind::Domain => types::altered(key, from, to),
        Kind::TextSearchConfiguration => search::configuration(old, new),
        Kind::TextSearchDictionary => search::dictionary(old, new),
        _ => None,
    }
}

/// A column of another type; none where the server's cast would make other values of it than they are.
fn retyped(key: &Key, (old, new): (&Column, &Column), (from, to): (&Model, &Model)) -> Option<Vec<String>> {
    let [old_base, new_base] = [(old, from), (new, to)].map(|(column, model)| base(&column.data_type.written, model));
    if cast::misleads(&old_base, &new_base) {
        return None;
    }
    let action = format!("ALTER COLUMN {} {}", quoted(&new.name), set_type(old, new, from, to));
    let mut out = vec![format!("ALTER TABLE {} {action}", qualified(&key.schema, &key.name))];
    if let Some(verb) = rounded::verb(&types::measured(old, from), &types::measured(new, to)) {
        let word = format!("-- This {verb} the values of column {} of {}.", new.name, key.name);
        out.insert(0, word.replace('\n', " "));
    }
    Some(out)
}

fn alter(key: &Key, alter: &Alter, from: &Model, to: &Model) -> Option<Vec<String>> {
    let place = qualified(&key.schema, &key.name);
    let table = |action: &str| format!("ALTER TABLE {place} {action}");
    let of_column = |column: &Column, action: &str| table(&format!("ALTER COLUMN {} {action}", quoted(&column.name)));
    Some(match alter {
        Alter::AddColumn(column) => match sequences::added_over(&place, column, from) {
            Some(statements) => statements,
            None => added(&place, column),
        },
        Alter::DropColumn(column) => {
            let only = if below::stays_below(key, &column.folded, from, to) {
                "ONLY "
            } else {
                ""
            };
            vec![format!(
                "ALTER TABLE {only}{place} DROP COLUMN {}",
                quoted(&column.name)
            )]
        }
        Alter::RenameColumn { from, to } => {
            vec![table(&format!("RENAME COLUMN {} TO {}", quoted(from), quoted(to)))]
        }
        Alter::SetNotNull(column) => vec![of_column(column, "SET NOT NULL")],
        Alter::DropNotNull(column) => vec![of_column(column, "DROP NOT NULL")],
        Alter::SetDefault(column) => {
            let value = &column.default.as_ref()?.written;
            vec![of_column(column, &format!("SET DEFAULT {value}"))]
        }
        Alter::DropDefault(column) => vec![of_column(column, "DROP DEFAULT")],
        Alter::SetType { from: old, to: new } => retyped(key, (old, new), (from, to))?,
        Alter::SetExpression(column) => anew(key, &place, column, from, to)?,
        Alter::DropExpression(column) => vec![of_column(column, "DROP EXPRESSION")],
        Alter::SetIdentity { from: old, to: new } => numbering::numbering(key, old, new, (from, to))?,
        // There is nothing else to a column here.
        Alter::SetOther { .. } => return None,
        Alter::AddConstraint(constraint) => {
            let mut out = vec![table(&format!("ADD {}", words(constraint)))];
            out.extend(marks::of_key(&place, constraint, from.table(key), to.table(key)?));
            out
        }
        Alter::DropConstraint(constraint) => vec![table(&format!("DROP CONSTRAINT {}", quoted(&constraint.name)))],
        Alter::RenameConstraint { from, to } => vec![table(&format!(
            "RENAME CONSTRAINT {} TO {}",
            quoted(&from.name),
            quoted(&to.name)
        ))],
        Alter::SetOption { name, value } => {
            let old = from.table(key).and_then(|table| table.options.get(name));
            match *name {
                "partition_of" if value.is_some() => {
                    let mut out = below::checks_from_above(key, &place, from, to);
                    out.extend(keys_below::dropped(key, &place, from, to));
                    out.extend(option(&place, name, None, value.as_deref())?);
                    out
                }
                "keys_below" => keys_below::changed(key, old.map(String::as_str), value.as_deref(), (from, to)),
                diff::SEQUENCES => sequences::persistence(key, old.map(String::as_str), value.as_deref(), (from, to)),
                "statistics" | "column_options" => {
                    options::planned(&place, name, old.map(String::as_str), value.as_deref(), to.table(key)?)
                }
                "storage" | "compression" => {
                    kept(&place, name, old.map(String::as_str), value.as_deref(), to.table(key)?)?
                }
                _ => option(&place, name, old.map(String::as_str), value.as_deref())?,
            }
        }
    })
}

/// An index built while others write. Partitioned tables have no such way.
pub(super) fn concurrently(key: &Key, wanted: &Model) -> Option<(Vec<String>, String)> {
    let index = wanted.objects.get(key)?;
    let table = wanted.table(index.on.as_ref()?)?;
    let (create, marks) = index.create.split_first()?;
    // That a table is clustered by it is said at once, and goes with it.
    if marks.iter().any(|mark| !mark.contains(marks::ORDER)) {
        return None;
    }
    if table.options.contains_key("partition_by") {
        return None;
    }
    let (head, rest) = ["CREATE INDEX ", "CREATE UNIQUE INDEX "]
        .into_iter()
        .find_map(|head| Some((head, create.strip_prefix(head)?)))?;
    let place = qualified(&key.schema, &key.name);
    let mut out = vec![format!("{head}CONCURRENTLY {rest}")];
    out.extend(marks.iter().cloned());
    Some((out, format!("DROP INDEX CONCURRENTLY {place}")))
}

/// A constraint that is NOT VALID first.
pub(super) fn validated_later(
    key: &Key,
    constraint: &Constraint,
    wanted: &Model,
) -> Option<([String; 2], Vec<String>)> {
    let may_wait = match constraint.kind {
        ConstraintKind::Check => true,
        ConstraintKind::ForeignKey => !wanted.table(key)?.options.contains_key("partition_by"),
        _ => false,
    };
    if !may_wait || constraint.definition.written.ends_with(" NOT VALID") {
        return None;
    }
    let place = qualified(&key.schema, &key.name);
    let table = format!("ALTER TABLE {place}");
    let (words, name) = (words(constraint), quoted(&constraint.name));
    let mut undo = vec![format!("{table} DROP CONSTRAINT {name}, ADD {words} NOT VALID")];
    // Its comment goes with it.
    let comment = wanted
        .objects
        .get(&Key::new(Kind::Comment, format!("constraint {name} ON {place}")));
    undo.extend(comment.into_iter().flat_map(|comment| comment.late.iter().cloned()));
    let ways = [
        format!("{table} ADD {words} NOT VALID"),
        format!("{table} VALIDATE CONSTRAINT {name}"),
    ];
    Some((ways, undo))
}

fn words(constraint: &Constraint) -> String {
    format!(
        "CONSTRAINT {} {}",
        quoted(&constraint.name),
        constraint.definition.written
    )
}

/// A new column, with its sequence where `serial` does not say all of it.
fn added(place: &str, column: &Column) -> Vec<String> {
    let add = format!("ALTER TABLE {place} ADD COLUMN {}", column.definition.0);
    match &column.identity {
        Some(identity)
            if !identity.written.starts_with("GENERATED ")
                && column.definition.0.contains(&next_value(&identity.written)) =>
        {
            let sequence = identity.written.split(" AS ").next().unwrap_or_default();
            vec![
                format!("CREATE SEQUENCE {}", identity.written),
                add,
                format!("ALTER SEQUENCE {sequence} OWNED BY {place}.{}", quoted(&column.name)),
            ]
        }
        _ => vec![add],
    }
}

/// A generated column whose expression is another one: before PostgreSQL 17 it is made anew, with its constraints.
fn anew(key: &Key, place: &str, column: &Column, from: &Model, to: &Model) -> Option<Vec<String>> {
    let mut out = vec![
        format!("ALTER TABLE {place} DROP COLUMN {}", quoted(&column.name)),
        format!("ALTER TABLE {place} ADD COLUMN {}", column.definition.0),
    ];
    let (now, then) = (from.table(key)?, to.table(key)?);
    let kept = then.constraints.iter().filter(|constraint| {
        let about = constraint.columns.contains(&column.folded);
        about && now.constraints.iter().any(|other| other.name == constraint.name)
    });
    for constraint in kept {
        out.push(format!("ALTER TABLE {place} ADD {}", words(constraint)));
        out.extend(marks::of_key(place, constraint, Some(now), then));
    }
    Some(out)
}

fn set_type(old: &Column, new: &Column, from: &Model, to: &Model) -> String {
    let written = &new.data_type.written;
    let mut out = format!("TYPE {written}");
    // Without one it is that of the type.
    if let Some(collation) = &new.collation {
        out.push_str(&format!(" COLLATE {}", collation.written));
    }
    let (old_base, new_base) = (base(&old.data_type.written, from), base(written, to));
    if let Some(using) = cast::of(&quoted(&new.name), &old_base, &new_base) {
        out.push_str(&format!(" USING {using}"));
        return out;
    }
    let using = cast(&family(&old_base), &family(&new_base), |name| {
        is_enum(name.trim_end_matches("[]"), from) || is_enum(name.trim_end_matches("[]"), to)
    });
    if let Some(way) = using {
        let loose = without_length(&new_base);
        out.push_str(&format!(" USING {}{way}::{loose}", quoted(&new.name)));
    }
    out
}

/// A type without its length. A cast to one with a length cuts what is longer; the assignment that follows refuses it.
fn without_length(data_type: &str) -> String {
    let mut out = String::with_capacity(data_type.len());
    let mut depth = 0_usize;
    for letter in data_type.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 => out.push(letter),
            _ => {}
        }
    }
    // Without a length these two are one letter and one bit long.
    let element = out.trim_end_matches("[]");
    let array = &out[element.len()..];
    match element.trim_end() {
        "character" => format!("bpchar{array}"),
        "bit" => format!("bit varying{array}"),
        element => format!("{element}{array}"),
    }
}

/// What a domain is over; other types are what they are.
fn base(data_type: &str, model: &Model) -> String {
    let domain = model
        .objects
        .iter()
        .find(|(key, _)| key.kind == Kind::Domain && qualified(&key.schema, &key.name) == data_type);
    let base = domain.and_then(|(_, object)| {
        let line = object.meaning.split('\n').nth(1)?;
        line.strip_prefix("type ")
    });
    base.map_or_else(|| data_type.to_owned(), |base| self::base(base, model))
}

fn is_enum(data_type: &str, model: &Model) -> bool {
    model.objects.iter().any(|(key, object)| {
        key.kind == Kind::Type && object.meaning.starts_with("enum\n") && qualified(&key.schema, &key.name) == data_type
    })
}

/// How values of one family of types become values of the other, where that is not by assignment: by a cast, or by way
/// of their text. Where they are assigned, a cast would do more than that: it cuts a text that is too long.
fn cast(old: &str, new: &str, is_enum: impl Fn(&str) -> bool) -> Option<&'static str> {
    let own = |name: &str| name.contains('.');
    match (old, new) {
        _ if old == new || new == "text" => None,
        ("text", _) | ("number", "boolean") | ("boolean", "number") => Some(""),
        _ if is_enum(old) || is_enum(new) || !own(old) && !own(new) => Some("::text"),
        _ => Some(""),
    }
}

/// Types within which values are assigned.
fn family(data_type: &str) -> String {
    if let Some(element) = data_type.strip_suffix("[]") {
        return format!("{}[]", family(element));
    }
    let bare = data_type.split('(').next().unwrap_or_default().trim();
    let zone = data_type.ends_with("with time zone");
    match bare {
        "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" => "number",
        "text" | "character varying" | "character" | "name" => "text",
        "json" | "jsonb" => "json",
        "date" => "moment",
        _ if bare.starts_with("timestamp") => "moment",
        _ if bare.starts_with("time") && zone => "time with time zone",
        _ if bare.starts_with("time") => "time",
        "bit" | "bit varying" => "bits",
        "inet" | "cidr" => "inet",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cast_has_no_length() {
        for (data_type, expect) in [
            ("character varying(2)[]", "character varying[]"),
            ("numeric(5,2)", "numeric"),
            ("timestamp(3) with time zone", "timestamp with time zone"),
            ("character(3)", "bpchar"),
            ("bit(3)[]", "bit varying[]"),
            ("public.mood", "public.mood"),
        ] {
            assert_eq!(without_length(data_type), expect);
        }
    }

    #[test]
    fn a_cast_is_written_only_where_values_are_not_assigned() {
        let way = |old: &str, new: &str| cast(&family(old), &family(new), |name| name == "public.mood");
        for (old, new) in [
            ("integer", "bigint"),
            ("numeric(5,2)", "integer"),
            ("text", "character varying(5)"),
            ("bigint", "text"),
            ("timestamp(3) without time zone", "timestamp with time zone"),
            ("date", "timestamp without time zone"),
            ("integer[]", "bigint[]"),
            ("public.mood", "text"),
        ] {
            assert_eq!(way(old, new), None, "{old} -> {new}");
        }
        for (old, new) in [
            ("text", "integer"),
            ("integer", "boolean"),
            ("text", "public.mood"),
            ("public.point", "public.place"),
        ] {
            assert_eq!(way(old, new), Some(""), "{old} -> {new}");
        }
        for (old, new) in [
            ("date", "integer"),
            ("integer", "public.mood"),
            ("time without time zone", "interval"),
            ("uuid", "bigint"),
        ] {
            assert_eq!(way(old, new), Some("::text"), "{old} -> {new}");
        }
    }
}
