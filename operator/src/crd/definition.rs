//! The custom resource definition, and the file in crds/ that holds it.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::{Number, Value};
use thiserror::Error;

use super::SessionStore;

/// Why the definition could not be printed. None of these depends on input.
#[derive(Debug, Error)]
pub enum PrintError {
    /// The definition is not JSON.
    #[error("the definition cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The definition is not YAML.
    #[error("the definition cannot be written as YAML: {0}")]
    Yaml(#[from] serde_saphyr::ser::Error),
}

/// The definition of the custom resource, as the API server gets it.
pub fn definition() -> CustomResourceDefinition {
    let mut definition = SessionStore::crd();
    for version in &mut definition.spec.versions {
        let schema = version.schema.as_mut();
        if let Some(schema) = schema.and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            tidy(schema);
        }
    }
    definition
}

/// The definition as a YAML document, the same for the same types.
///
/// # Errors
///
/// None that input could cause; see [`PrintError`].
pub fn yaml() -> Result<String, PrintError> {
    let mut value = serde_json::to_value(definition())?;
    write_whole_numbers(&mut value);
    Ok(serde_saphyr::to_string(&value)?)
}

/// Makes of what the derives wrote what the API server and its users expect.
fn tidy(schema: &mut JSONSchemaProps) {
    // Without it a null counts as left out; with it, it would be stored, and be neither absent nor
    // a value to the rules and the defaults.
    schema.nullable = None;
    // The names of Rust types.
    schema.title = None;
    if let Some(description) = &mut schema.description {
        *description = unwrapped(description);
    }
    for child in schema
        .properties
        .iter_mut()
        .flatten()
        .map(|(_, child)| child)
    {
        tidy(child);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        tidy(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy(values);
    }
}

/// The text with the line ends of the source taken out; paragraphs stay.
fn unwrapped(text: &str) -> String {
    let paragraphs = text.split("\n\n");
    let unwrapped: Vec<_> = paragraphs
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    unwrapped.join("\n\n")
}

/// Bounds are floating point numbers in the types of Kubernetes, and would be written as `1.0`.
fn write_whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(whole) = number.as_f64().and_then(as_whole) {
                *number = whole;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(write_whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(write_whole_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Above this a floating point number no longer holds every integer.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

fn as_whole(number: f64) -> Option<Number> {
    if number.fract() != 0.0 || number.abs() > LARGEST_EXACT {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
    let whole = number as i64;
    Some(whole.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_the_definition() {
        let printed: Value = serde_saphyr::from_str(&yaml().unwrap()).unwrap();
        let mut definition = serde_json::to_value(definition()).unwrap();
        write_whole_numbers(&mut definition);
        assert_eq!(printed, definition);
    }

    #[test]
    fn whole_numbers_have_no_fraction_and_others_keep_it() {
        let mut value = serde_json::json!({"minimum": 1.0, "items": [2.5, -3.0, 7]});
        write_whole_numbers(&mut value);
        assert_eq!(value.to_string(), r#"{"minimum":1,"items":[2.5,-3,7]}"#);
    }

    #[test]
    fn paragraphs_stay_and_lines_join() {
        assert_eq!(unwrapped("one\ntwo\n\nthree"), "one two\n\nthree");
    }
}
