//! What a database holds against what was meant, object by object.

use crate::schema::diff;
use crate::schema::{Key, Model};

/// How an object of the database differs from what was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What is the matter.
    pub how: How,
    /// `table`, `index`, `view`, `trigger` and so on.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The schema that it is in; empty where there are none.
    pub schema: String,
    /// The definition that was meant; of an unexpected object its own.
    pub want: String,
    /// The definition that there is.
    pub got: Option<String>,
}

/// What is the matter with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It is not there.
    Missing,
    /// It is there and should not be.
    Unexpected,
    /// It is defined otherwise.
    Changed,
}

impl How {
    /// As people and programs read it.
    pub fn name(self) -> &'static str {
        match self {
            How::Missing => "missing",
            How::Unexpected => "unexpected",
            How::Changed => "changed",
        }
    }
}

/// How a schema differs from the one that was meant. What means the same in other words does not count.
pub fn differences(want: &Model, got: &Model) -> Vec<Difference> {
    let definition = |model: &Model, key: &Key| {
        let object = model.objects.get(key);
        // What is made along with its table has no statement of its own.
        object.map(|object| {
            if object.create.is_empty() {
                object.meaning.clone()
            } else {
                [&object.create[..], &object.late[..]].concat().join(";\n")
            }
        })
    };
    let all = diff::compare(got, want);
    all.into_iter()
        .map(|key| {
            let (meant, there) = (definition(want, &key), definition(got, &key));
            let how = match (&meant, &there) {
                (Some(_), None) => How::Missing,
                (None, _) => How::Unexpected,
                (Some(_), Some(_)) => How::Changed,
            };
            let spelled = want.objects.get(&key).or_else(|| got.objects.get(&key));
            Difference {
                how,
                kind: key.kind.name(),
                name: spelled.map_or_else(|| key.shown(), |object| object.name.clone()),
                schema: key.schema.clone(),
                want: meant.or_else(|| there.clone()).unwrap_or_default(),
                got: there,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Kind, Object};

    fn model(objects: &[(&str, &str)]) -> Model {
        let mut model = Model::default();
        for (name, meaning) in objects {
            let object = Object {
                name: (*name).to_owned(),
                meaning: (*meaning).to_owned(),
                create: vec![(*meaning).to_owned()],
                ..Object::default()
            };
            model.objects.insert(Key::new(Kind::View, *name), object);
        }
        model
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let want = model(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let got = model(&[("b", "2"), ("c", "1"), ("d", "1")]);
        let found: Vec<(How, String)> = differences(&want, &got)
            .into_iter()
            .map(|difference| (difference.how, difference.name))
            .collect();
        let expect = [(How::Missing, "a"), (How::Changed, "b"), (How::Unexpected, "d")];
        assert_eq!(found, expect.map(|(how, name)| (how, name.to_owned())));
    }
}
