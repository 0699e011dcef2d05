//! The changes that lead from one schema to another.

use crate::schema::{Column, Constraint, Key};

/// One thing to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Makes an object of the wanted schema.
    Create(Key),
    /// Completes it when everything else that is new is there.
    Complete(Key),
    /// Drops an object of the present schema.
    Drop(Key),
    /// Makes a type anew, in the tables whose columns are of it.
    Replace(Key),
    /// Leads an object to another definition where it is.
    Redefine(Key),
    /// Gives a table another name.
    RenameTable {
        /// The table.
        table: Key,
        /// The name, as it is spelled.
        to: String,
    },
    /// Alters a table.
    Alter(Key, Box<Alter>),
}

/// What an ALTER TABLE does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of SQL say it")]
pub enum Alter {
    AddColumn(Column),
    DropColumn(Column),
    RenameColumn { from: String, to: String },
    SetType { from: Column, to: Column },
    SetNotNull(Column),
    DropNotNull(Column),
    SetDefault(Column),
    DropDefault(Column),
    SetExpression(Column),
    DropExpression(Column),
    SetIdentity { from: Column, to: Column },
    AddConstraint(Constraint),
    DropConstraint(Constraint),
    RenameConstraint { from: Constraint, to: Constraint },
    SetOption { name: &'static str, value: Option<String> },
    SetOther { from: Column, to: Column },
}

impl Alter {
    /// The column or constraint that it is about; the option's name.
    pub fn object(&self) -> &str {
        match self {
            Alter::AddColumn(column)
            | Alter::DropColumn(column)
            | Alter::SetNotNull(column)
            | Alter::DropNotNull(column)
            | Alter::SetDefault(column)
            | Alter::DropDefault(column)
            | Alter::SetExpression(column)
            | Alter::DropExpression(column)
            | Alter::SetType { to: column, .. }
            | Alter::SetIdentity { to: column, .. }
            | Alter::SetOther { to: column, .. } => &column.name,
            Alter::RenameColumn { to, .. } => to,
            Alter::AddConstraint(constraint)
            | Alter::DropConstraint(constraint)
            | Alter::RenameConstraint { to: constraint, .. } => &constraint.name,
            Alter::SetOption { name, .. } => name,
        }
    }

    /// As programs read it: `add_column`.
    pub fn name(&self) -> &'static str {
        match self {
            Alter::AddColumn(_) => "add_column",
            Alter::DropColumn(_) => "drop_column",
            Alter::RenameColumn { .. } => "rename_column",
            Alter::SetType { .. } => "set_type",
            Alter::SetNotNull(_) => "set_not_null",
            Alter::DropNotNull(_) => "drop_not_null",
            Alter::SetDefault(_) => "set_default",
            Alter::DropDefault(_) => "drop_default",
            Alter::SetExpression(_) => "set_expression",
            Alter::DropExpression(_) => "drop_expression",
            Alter::SetIdentity { .. } => "set_identity",
            Alter::AddConstraint(_) => "add_constraint",
            Alter::DropConstraint(_) => "drop_constraint",
            Alter::RenameConstraint { .. } => "rename_constraint",
            Alter::SetOption { .. } => "set_option",
            Alter::SetOther { .. } => "set_column",
        }
    }
}

impl Change {
    /// As programs read it: `create_table`, `add_column`.
    pub fn name(&self) -> String {
        match self {
            Change::Create(key) => format!("create_{}", key.kind.name()),
            Change::Complete(key) => format!("complete_{}", key.kind.name()),
            Change::Drop(key) => format!("drop_{}", key.kind.name()),
            Change::Replace(key) => format!("replace_{}", key.kind.name()),
            Change::Redefine(key) => format!("alter_{}", key.kind.name()),
            Change::RenameTable { .. } => "rename_table".to_owned(),
            Change::Alter(_, alter) => alter.name().to_owned(),
        }
    }

    /// The object that is changed.
    pub fn key(&self) -> &Key {
        match self {
            Change::Create(key)
            | Change::Complete(key)
            | Change::Drop(key)
            | Change::Replace(key)
            | Change::Redefine(key)
            | Change::RenameTable { table: key, .. }
            | Change::Alter(key, _) => key,
        }
    }
}
