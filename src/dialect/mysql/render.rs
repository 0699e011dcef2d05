//! Changes of a schema in words that MySQL and MariaDB share. A column is always said as a whole; what must change in one
//! statement stands in the first of those that ask for it, and the others say nothing.

mod changed;
mod drawn;
mod keys;
mod numbered;
mod options;
mod padded;
mod renamed;

use crate::dialect::mysql::USUAL;
use crate::dialect::mysql::schema::{ZEROS, fold, is_date, quoted, with_zeros, words};
use crate::schema::diff::{Alter, Change};
use crate::schema::{Column, Constraint, ConstraintKind, Key, Kind, Model, Object, Table, Text};

use keys::Keys;

/// The statements of a change, without semicolons; none when no statement says it.
pub(super) fn statements(change: &Change, from: &Model, to: &Model, on_mariadb: bool) -> Option<Vec<String>> {
    let mut statements = plain(change, from, to, on_mariadb)?;
    let is_alter = |sql: &String| sql.starts_with("ALTER TABLE ") || sql.starts_with("DROP INDEX ");
    // Those that make a table say so themselves.
    let is_said = statements.iter().any(|sql| sql == ZEROS);
    let key = change.key();
    let needs_zeros = |model: &Model| {
        let object = model.objects.get(key);
        let table = object.and_then(|object| object.on.as_ref()).unwrap_or(key);
        let table = model.objects.get(table);
        table.is_some_and(|table| table.create.first().is_some_and(|first| first == ZEROS))
    };
    let is_needed = statements.iter().any(is_alter) && !is_said && (needs_zeros(from) || needs_zeros(to));
    let numbers = numbered::begin(&mut statements, change, from, to, on_mariadb);
    if is_needed {
        statements = with_zeros(statements);
        if let Change::Alter(key, alter) = change {
            statements.splice(0..0, zeros_told(alter, from.table(key)));
        }
    } else if numbers {
        statements.push(USUAL.to_owned());
    }
    Some(statements)
}

/// What is said of zeros that come into a column although the server's usual mode would refuse them.
fn zeros_told(alter: &Alter, now: Option<&Table>) -> Option<String> {
    let told = |head: &str, column: &Column, tail: &str| {
        let name = column.name.replace('\n', " ");
        Some(format!("-- {head} column {name} {tail}."))
    };
    match alter {
        Alter::AddColumn(column) if fills_zeros(column) => {
            told("This fills", column, "with zeros where rows are there")
        }
        Alter::AddColumn(column) | Alter::SetExpression(column) if is_date(column) && column.generated.is_some() => {
            told("This lets", column, "have dates with zeros")
        }
        Alter::SetType { to: column, .. } => {
            let was = now.and_then(|now| now.column(&column.folded));
            let comes = is_date(column) && was.is_some_and(|was| !is_date(was));
            comes
                .then(|| told("This lets", column, "have dates with zeros"))
                .flatten()
        }
        _ => None,
    }
}

/// Whether a new column gets a date of zeros in rows that are there, which the server's usual mode would refuse.
fn fills_zeros(column: &Column) -> bool {
    is_date(column) && column.not_null && column.default.is_none() && column.generated.is_none()
}

fn plain(change: &Change, from: &Model, to: &Model, on_mariadb: bool) -> Option<Vec<String>> {
    match change {
        Change::Create(key) if key.kind == Kind::Index => created(key, from, to),
        Change::Create(key) => Some(in_usual_mode(key.kind, to.objects.get(key)?.create.clone())),
        Change::Complete(key) => Some(to.objects.get(key)?.late.clone()),
        Change::Drop(key) if key.kind == Kind::Index => dropped(key, from, to),
        Change::Drop(key) => Some(vec![from.objects.get(key)?.drop.clone()]),
        Change::Redefine(key) => redefined(key, from, to),
        Change::Replace(_) => None,
        Change::RenameTable { table, to: new } => {
            let old = &from.objects.get(table)?.name;
            Some(vec![format!("RENAME TABLE {} TO {}", quoted(old), quoted(new))])
        }
        // The foreign key of a table that goes.
        Change::Alter(key, alter) if to.table(key).is_none() => match &**alter {
            Alter::DropConstraint(constraint) => {
                let clause = drop_of(constraint);
                Some(vec![format!("ALTER TABLE {} {clause}", quoted(&key.name))])
            }
            _ => None,
        },
        Change::Alter(key, alter) => {
            let (now, then) = (from.table(key)?, to.table(key)?);
            let keys = Keys::of(key, from, to)?;
            if let Alter::AddColumn(column) = &**alter
                && drawn::is(column)
                && now.column(&column.folded).is_none()
                && !drawn::fires(key, from)
            {
                return Some(drawn::added(key, column, now));
            }
            let padded = padded::pair(alter, now, then);
            if let Some((was, column)) = padded {
                let collation = now.options.get("collation").map_or("", String::as_str);
                let modify = format!("MODIFY COLUMN {}", words(&keys.as_it_may_be(column), collation));
                if let Some(statements) = padded::cut(key, from, now, was, &modify) {
                    return Some(statements);
                }
            }
            let clauses = clauses(alter, now, then, &keys, on_mariadb)?;
            let table = format!("ALTER TABLE {}", quoted(&key.name));
            let statements = clauses.into_iter().filter(|clauses| !clauses.is_empty());
            let statements = statements
                .map(|clauses| format!("{table} {}", clauses.join(", ")))
                .map(whole);
            let word = padded.map(|(_, column)| padded::word(column));
            Some(word.into_iter().chain(statements).collect())
        }
    }
}

/// A program keeps the mode in which it was made: not one that an earlier statement needed.
fn in_usual_mode(kind: Kind, mut create: Vec<String>) -> Vec<String> {
    let keeps_mode = matches!(kind, Kind::Function | Kind::Procedure | Kind::Trigger | Kind::Event);
    if keeps_mode && !create.iter().any(|sql| sql.starts_with(MODE)) {
        create.insert(0, USUAL.to_owned());
    }
    create
}

/// How a statement begins that sets the mode.
const MODE: &str = "SET SESSION sql_mode =";

/// A clause that is a statement of its own.
fn whole(statement: String) -> String {
    match statement.split_once('\0') {
        Some((_, own)) => own.to_owned(),
        None => statement,
    }
}

fn redefined(key: &Key, from: &Model, to: &Model) -> Option<Vec<String>> {
    let new = to.objects.get(key)?;
    match key.kind {
        Kind::View => {
            let again = |sql: &String| match sql.strip_prefix("CREATE ") {
                Some(rest) => format!("CREATE OR REPLACE {rest}"),
                None => sql.clone(),
            };
            Some(new.create.iter().map(again).collect())
        }
        Kind::Sequence => {
            let old = from.objects.get(key)?;
            // ALTER SEQUENCE takes no comment.
            let apart = |object: &Object| match object.meaning.split_once(" COMMENT=") {
                Some((words, comment)) => (words.to_owned(), comment.to_owned()),
                None => (object.meaning.clone(), "''".to_owned()),
            };
            let ((was, old), (is, comment)) = (apart(old), apart(new));
            let mut out = Vec::new();
            if was != is {
                out.push(format!("ALTER {}", is.strip_prefix("CREATE ")?));
            }
            if old != comment {
                out.push(format!("ALTER TABLE {} COMMENT={comment}", quoted(&new.name)));
            }
            Some(out)
        }
        Kind::Index => {
            let table = new.on.as_ref()?;
            let keys = Keys::of(table, from, to)?;
            let mut clauses = vec![
                format!("DROP INDEX {}", quoted(&new.name)),
                format!("ADD {}", new.meaning),
            ];
            clauses.extend(keys.after_gain(&new.name));
            Some(vec![format!(
                "ALTER TABLE {} {}",
                quoted(&table.name),
                clauses.join(", ")
            )])
        }
        _ => None,
    }
}

/// A new index comes with its table, with the column that it numbers, or in the place of one that goes.
fn created(key: &Key, from: &Model, to: &Model) -> Option<Vec<String>> {
    let index = to.objects.get(key)?;
    let table = index.on.as_ref()?;
    if from.table(table).is_none() {
        return Some(Vec::new());
    }
    let keys = Keys::of(table, from, to)?;
    if keys.comes_in_place_of(&index.name).is_some() || keys.comes_with_column(&index.name) {
        return Some(Vec::new());
    }
    let mut clauses = vec![format!("ADD {}", index.meaning)];
    clauses.extend(keys.after_gain(&index.name));
    Some(vec![format!(
        "ALTER TABLE {} {}",
        quoted(&table.name),
        clauses.join(", ")
    )])
}

fn dropped(key: &Key, from: &Model, to: &Model) -> Option<Vec<String>> {
    let index = from.objects.get(key)?;
    let table = index.on.as_ref()?;
    let Some(keys) = Keys::of(table, from, to) else {
        return Some(vec![index.drop.clone()]);
    };
    let mut clauses: Vec<String> = keys.before_loss(&index.name, "").into_iter().collect();
    if let Some(new) = keys.new_name_of(&index.name) {
        clauses.push(format!("RENAME INDEX {} TO {}", quoted(&index.name), quoted(&new)));
        return Some(vec![format!(
            "ALTER TABLE {} {}",
            quoted(&table.name),
            clauses.join(", ")
        )]);
    }
    clauses.push(format!("DROP INDEX {}", quoted(&index.name)));
    for (name, words) in keys.in_place_of(&index.name) {
        clauses.push(format!("ADD {words}"));
        clauses.extend(keys.after_gain(&name));
    }
    Some(vec![format!(
        "ALTER TABLE {} {}",
        quoted(&table.name),
        clauses.join(", ")
    )])
}

/// The clauses of an ALTER TABLE, those of each statement together.
fn clauses(alter: &Alter, now: &Table, then: &Table, keys: &Keys<'_>, on_mariadb: bool) -> Option<Vec<Vec<String>>> {
    let collation = now.options.get("collation").map_or("", String::as_str);
    let modify = |column: &Column| format!("MODIFY COLUMN {}", words(&keys.as_it_may_be(column), collation));
    let one = |clause: String| Some(vec![vec![clause]]);
    let own = |statement: &str| vec![format!("\0{statement}")];
    match alter {
        Alter::AddColumn(column) => Some(vec![added(column, now, then, keys, collation)]),
        Alter::DropColumn(column) => Some(vec![lost(column, now, then, keys)]),
        Alter::RenameColumn { from, to } if fold(from) == fold(to) => {
            let mut column = now.column(&fold(from))?.clone();
            column.name.clone_from(to);
            one(format!("CHANGE COLUMN {} {}", quoted(from), words(&column, collation)))
        }
        Alter::RenameColumn { from, to } if !on_mariadb => Some(vec![renamed::clauses(now, from, to)]),
        Alter::RenameColumn { from, to } => one(format!("RENAME COLUMN {} TO {}", quoted(from), quoted(to))),
        Alter::DropExpression(column) => {
            let was = now.column(&column.folded)?;
            let refuses_null = on_mariadb && gets_moments(Some(was), column);
            let mut out = if was.generated.as_ref()?.stored {
                modified(modify(column), &column.name, refuses_null)
            } else {
                kept(column, now, then, keys, refuses_null)
            };
            if may_cut(was, column) {
                out.insert(0, own(STRICT));
            }
            Some(out)
        }
        Alter::SetNotNull(column)
        | Alter::DropNotNull(column)
        | Alter::SetDefault(column)
        | Alter::DropDefault(column)
        | Alter::SetExpression(column)
        | Alter::SetType { to: column, .. }
        | Alter::SetIdentity { to: column, .. }
        | Alter::SetOther { to: column, .. } => {
            let (was, column) = (now.column(&column.folded), then.column(&column.folded)?);
            let refuses_null = on_mariadb && gets_moments(was, column);
            let mut out = modified(modify(column), &column.name, refuses_null);
            if let Some(was) = was
                && changed::are(was, column)
            {
                let word = format!(
                    "-- This may change the values of column {} of {}.",
                    column.name, keys.table.name
                );
                out.insert(0, own(&word.replace('\n', " ")));
            }
            // One that came without its NOT NULL is to refuse NULL now.
            if was.map_or(column.not_null, |was| may_cut(was, column)) {
                out.insert(0, own(STRICT));
            }
            Some(out)
        }
        Alter::AddConstraint(constraint) => Some(vec![constrained(constraint, keys)]),
        Alter::DropConstraint(constraint) => Some(vec![released(constraint, keys)]),
        Alter::RenameConstraint { from, to } => Some(vec![vec![drop_of(from), add_of(to)]]),
        Alter::SetOption { name, value } => {
            let clause = options::clause(name, now.options.get(name).map(String::as_str), value.as_deref())?;
            one(clause)
        }
    }
}

/// Values that do not fit are an error then, whatever the server's usual mode is: otherwise they would be cut in silence.
const STRICT: &str = "SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',STRICT_ALL_TABLES')";

/// Whether values of a column may not fit it afterwards.
fn may_cut(was: &Column, column: &Column) -> bool {
    was.data_type != column.data_type || was.collation != column.collation || column.not_null && !was.not_null
}

/// Refuses NULL for a moment.
const FULL: &str = "`sqlrev_not_null`";

fn refusing_null(column: &str) -> String {
    format!("ADD CONSTRAINT {FULL} CHECK ({} IS NOT NULL)", quoted(column))
}

fn taking_null() -> String {
    format!("DROP CONSTRAINT {FULL}")
}

/// A column that becomes another one.
fn modified(modify: String, column: &str, refuses_null: bool) -> Vec<Vec<String>> {
    if refuses_null {
        vec![vec![refusing_null(column)], vec![taking_null(), modify]]
    } else {
        vec![vec![modify]]
    }
}

/// Whether MariaDB, however strict it is, would write the moment of the ALTER where a column is NULL.
fn gets_moments(was: Option<&Column>, column: &Column) -> bool {
    let may_be_null = was.is_none_or(|was| !was.not_null);
    may_be_null && column.not_null && column.data_type.written.starts_with("timestamp")
}

/// A new column; one that numbers rows brings its key.
fn added(column: &Column, now: &Table, then: &Table, keys: &Keys<'_>, collation: &str) -> Vec<String> {
    let key = keys.key_that_comes_with(column);
    let said = if key.is_some() {
        column.clone()
    } else {
        keys.as_it_may_be(column)
    };
    let mut out = vec![format!("ADD COLUMN {}", words(&said, collation))];
    out.extend(key.map(|words| format!("ADD {words}")));
    // What was on a column of that name, which went before.
    if now.column(&column.folded).is_some() {
        let stays = |one: &&Constraint| {
            one.columns.contains(&column.folded) && now.constraints.iter().any(|other| other == *one)
        };
        out.extend(then.constraints.iter().filter(stays).map(add_of));
    }
    out
}

/// A column that goes, if only to come again as another one. Constraints that stay go along and come again with it.
fn lost(column: &Column, now: &Table, then: &Table, keys: &Keys<'_>) -> Vec<String> {
    let is_first = |columns: &[String]| {
        let mut gone = now.columns.iter().filter(|other| keys.goes(&other.folded));
        gone.find(|other| columns.contains(&other.folded))
            .is_some_and(|first| first.folded == column.folded)
    };
    let mut out = Vec::new();
    for constraint in &now.constraints {
        let columns: Vec<String> = constraint.columns.iter().cloned().collect();
        // The others are gone by now.
        if !is_first(&columns) || !then.constraints.contains(constraint) {
            continue;
        }
        if constraint.kind == ConstraintKind::PrimaryKey {
            out.extend(
                keys.before_loss("primary", "")
                    .into_iter()
                    .filter(|_| column.identity.is_none()),
            );
        }
        out.push(drop_of(constraint));
    }
    out.push(format!("DROP COLUMN {}", quoted(&column.name)));
    out
}

/// What was computed when it was asked for is written down: no MODIFY does so.
fn kept(column: &Column, now: &Table, then: &Table, keys: &Keys<'_>, refuses_null: bool) -> Vec<Vec<String>> {
    let collation = now.options.get("collation").map_or("", String::as_str);
    let mut taken = format!("{}_kept", column.name);
    while now.column(&fold(&taken)).is_some() {
        taken.push('_');
    }
    let mut there = column.clone();
    there.name.clone_from(&taken);
    // NULLs of old rows would stand in the way.
    there.not_null = false;
    there.other = Text::default();
    let own = format!(
        "\0UPDATE {} SET {} = {}",
        quoted(&keys.table.name),
        quoted(&taken),
        quoted(&column.name)
    );
    let stays = |one: &&Constraint| one.columns.contains(&column.folded) && now.constraints.contains(one);
    let stay: Vec<&Constraint> = then.constraints.iter().filter(stays).collect();
    let mut last: Vec<String> = stay.iter().map(|constraint| drop_of(constraint)).collect();
    last.push(format!("DROP COLUMN {}", quoted(&column.name)));
    last.push(format!("CHANGE COLUMN {} {}", quoted(&taken), words(column, collation)));
    let mut first = vec![format!("ADD COLUMN {}", words(&there, collation))];
    let mut between = Vec::new();
    if refuses_null {
        first.insert(0, refusing_null(&column.name));
        // Rows may come meanwhile, whose values are not written down.
        between.extend([taking_null(), refusing_null(&taken)]);
        last.insert(0, taking_null());
    }
    vec![first, vec![own], between, last, stay.into_iter().map(add_of).collect()]
}

fn constrained(constraint: &Constraint, keys: &Keys<'_>) -> Vec<String> {
    if constraint.kind != ConstraintKind::PrimaryKey {
        return vec![add_of(constraint)];
    }
    if keys.primary_is_swapped() || keys.comes_with_column("primary") {
        return Vec::new();
    }
    let mut out = vec![add_of(constraint)];
    out.extend(keys.after_gain("primary"));
    out
}

fn released(constraint: &Constraint, keys: &Keys<'_>) -> Vec<String> {
    if constraint.kind != ConstraintKind::PrimaryKey {
        return vec![drop_of(constraint)];
    }
    let swapped = keys.primary_is_swapped();
    let mut out: Vec<String> = keys
        .before_loss("primary", if swapped { "primary" } else { "" })
        .into_iter()
        .collect();
    out.push(drop_of(constraint));
    if swapped && let Some(new) = keys.new_primary() {
        // Foreign keys may stand on it.
        out.push(add_of(new));
        out.extend(keys.after_gain("primary"));
    }
    out
}

fn add_of(constraint: &Constraint) -> String {
    match constraint.kind {
        ConstraintKind::PrimaryKey => format!("ADD {}", constraint.definition.written),
        _ => format!(
            "ADD CONSTRAINT {} {}",
            quoted(&constraint.name),
            constraint.definition.written
        ),
    }
}

fn drop_of(constraint: &Constraint) -> String {
    match constraint.kind {
        ConstraintKind::PrimaryKey => "DROP PRIMARY KEY".to_owned(),
        ConstraintKind::ForeignKey => format!("DROP FOREIGN KEY {}", quoted(&constraint.name)),
        _ => format!("DROP CONSTRAINT {}", quoted(&constraint.name)),
    }
}
