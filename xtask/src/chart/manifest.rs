//! Manifests as they are read back from YAML.

use anyhow::Context;
use serde_json::Value;

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Manifest(pub(super) Value);

/// All objects of a text; empty documents are none.
pub(super) fn read(yaml: &str) -> anyhow::Result<Vec<Manifest>> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(yaml).context("the manifests are no YAML")?;
    Ok(documents
        .into_iter()
        .filter(|document| !document.is_null())
        .map(Manifest)
        .collect())
}

impl Manifest {
    pub(super) fn kind(&self) -> &str {
        self.text("/kind")
    }

    pub(super) fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        self.0.pointer("/metadata/namespace")?.as_str()
    }

    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.0.pointer("/metadata/labels")?.get(name)?.as_str()
    }

    /// The text at a JSON pointer; empty if there is none.
    pub(super) fn text(&self, pointer: &str) -> &str {
        let found = self.0.pointer(pointer);
        found.and_then(Value::as_str).unwrap_or_default()
    }

    /// The list at a JSON pointer; empty if there is none.
    pub(super) fn list(&self, pointer: &str) -> &[Value] {
        let found = self.0.pointer(pointer).and_then(Value::as_array);
        found.map(Vec::as_slice).unwrap_or_default()
    }
}

/// Kind and name, for messages.
impl std::fmt::Display for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}

/// The only object of a kind.
pub(super) fn only<'a>(manifests: &'a [Manifest], kind: &str) -> anyhow::Result<&'a Manifest> {
    let mut found = manifests.iter().filter(|it| it.kind() == kind);
    match (found.next(), found.next()) {
        (Some(manifest), None) => Ok(manifest),
        (None, _) => anyhow::bail!("there is no {kind}"),
        (Some(_), Some(_)) => anyhow::bail!("there are several of kind {kind}"),
    }
}

/// The texts in a list.
pub(super) fn texts(list: Option<&Value>) -> Vec<&str> {
    let list = list.and_then(Value::as_array).map(Vec::as_slice);
    let list = list.unwrap_or_default().iter();
    list.filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_documents_are_no_objects() {
        let manifests = read("---\n# a comment\n---\nkind: A\nmetadata: {name: x}\n---\n").unwrap();
        assert_eq!(manifests.len(), 1);
        assert_eq!(only(&manifests, "A").unwrap().to_string(), "A x");
        assert!(only(&manifests, "B").is_err());
    }
}
