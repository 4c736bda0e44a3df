//! Finds things in the schema of the definition.

use serde_json::Value;
use sessionstore_operator::crd;

/// The schema of the one version there is.
pub(crate) fn root() -> Value {
    let definition = serde_json::to_value(crd::definition()).unwrap();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// Every node of the schema with its path: `spec.api.tolerations[]` is an item of a list,
/// `spec.api.settings{}` a value of a map.
pub(crate) fn nodes(schema: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    collect("", schema, &mut found);
    found
}

/// The node of a path.
pub(crate) fn node(path: &str) -> Value {
    let mut all = nodes(&root()).into_iter();
    all.find(|(found, _)| found == path).unwrap().1
}

fn collect(path: &str, schema: &Value, found: &mut Vec<(String, Value)>) {
    found.push((path.to_owned(), schema.clone()));
    for (name, child) in schema["properties"].as_object().into_iter().flatten() {
        let separator = if path.is_empty() { "" } else { "." };
        collect(&format!("{path}{separator}{name}"), child, found);
    }
    if schema["items"].is_object() {
        collect(&format!("{path}[]"), &schema["items"], found);
    }
    if schema["additionalProperties"].is_object() {
        collect(
            &format!("{path}{{}}"),
            &schema["additionalProperties"],
            found,
        );
    }
}
