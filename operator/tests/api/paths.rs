//! The fields that a manager owns, found in an object.

use kube::api::DynamicObject;
use serde_json::{Map, Value};

/// One step from an object to a part of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Field(String),
    /// The item of a list that has these values.
    Item(Map<String, Value>),
    /// This value in a list of values.
    Value(Value),
}

/// The way to a part of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path(Vec<Step>);

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for step in &self.0 {
            match step {
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Item(keys) => {
                    let keys: Vec<_> = keys.values().map(ToString::to_string).collect();
                    write!(f, "[{}]", keys.join(",").replace('"', ""))?;
                }
                Step::Value(value) => write!(f, "[={value}]")?,
            }
        }
        Ok(())
    }
}

/// All leaves that this manager has applied.
pub(crate) fn applied(object: &DynamicObject, manager: &str) -> Vec<Path> {
    let mut entries = object.metadata.managed_fields.iter().flatten();
    let entry = entries
        .find(|it| {
            it.manager.as_deref() == Some(manager) && it.operation.as_deref() == Some("Apply")
        })
        .unwrap();
    let fields = serde_json::to_value(entry.fields_v1.as_ref().unwrap()).unwrap();
    let mut paths = Vec::new();
    walk(&fields, &Path(Vec::new()), &mut paths);
    paths
}

fn walk(fields: &Value, here: &Path, paths: &mut Vec<Path>) {
    let fields = fields.as_object().unwrap();
    let below: Vec<_> = fields.iter().filter(|(key, _)| *key != ".").collect();
    if below.is_empty() {
        paths.push(here.clone());
    }
    for (key, fields) in below {
        let (kind, text) = key.split_once(':').unwrap();
        let step = match kind {
            "f" => Step::Field(text.to_owned()),
            "k" => Step::Item(serde_json::from_str(text).unwrap()),
            "v" => Step::Value(serde_json::from_str(text).unwrap()),
            other => panic!("{other} in managed fields"),
        };
        let mut path = here.clone();
        path.0.push(step);
        walk(fields, &path, paths);
    }
}

fn has(item: &Value, keys: &Map<String, Value>) -> bool {
    keys.iter().all(|(key, value)| &item[key] == value)
}

impl Path {
    /// What is there.
    pub(crate) fn get<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(root, |value, step| match step {
            Step::Field(name) => value.get(name),
            Step::Item(keys) => value.as_array()?.iter().find(|it| has(it, keys)),
            Step::Value(wanted) => value.as_array()?.iter().find(|it| *it == wanted),
        })
    }

    /// Another object, with something else there and nothing beside it; `None` if there is nothing
    /// beside it anyway.
    pub(crate) fn with_alone(&self, root: &Value, new: &Value) -> Option<Value> {
        let (Step::Field(name), parent) = self.0.split_last()? else {
            return None;
        };
        let parent = Self(parent.to_vec());
        let fields = parent.get(root)?.as_object()?;
        let has_more = fields.len() > 1;
        has_more.then(|| parent.with(root, Some(serde_json::json!({name: new}))))
    }

    /// Another object, with something else there; with `None`, with nothing.
    pub(crate) fn with(&self, root: &Value, new: Option<Value>) -> Value {
        let mut root = root.clone();
        let (last, way) = self.0.split_last().unwrap();
        let parent = way.iter().try_fold(&mut root, |value, step| match step {
            Step::Field(name) => value.get_mut(name),
            Step::Item(keys) => value.as_array_mut()?.iter_mut().find(|it| has(it, keys)),
            Step::Value(wanted) => value.as_array_mut()?.iter_mut().find(|it| *it == wanted),
        });
        let parent = parent.unwrap();
        match (last, new) {
            (Step::Field(name), Some(new)) => parent[name] = new,
            (Step::Field(name), None) => {
                parent.as_object_mut().unwrap().shift_remove(name);
            }
            (Step::Item(keys), _) => parent.as_array_mut().unwrap().retain(|it| !has(it, keys)),
            (Step::Value(value), _) => parent.as_array_mut().unwrap().retain(|it| it != value),
        }
        root
    }
}
