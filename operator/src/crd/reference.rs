//! docs/crd.md: the schema as a page to read.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
    ValidationRule,
};

use super::definition::definition;

const INTRODUCTION: &str = "\
# The SessionStore resource

Generated from the code; do not edit. `kubectl explain sessionstore.spec` shows the same text.

Everything may be left out, so this is a whole store:

```yaml
apiVersion: sessionstore.dev/v1alpha1
kind: SessionStore
metadata:
  name: voice
spec: {}
```

`kubectl wait --for=condition=Ready sessionstore/voice` waits for it, and `kubectl get sst` lists all \
in the namespace. `kubectl scale sessionstore/voice --replicas=4` changes the number of pods of the \
API, once `spec.api.replicas` is in the spec.

The API server enforces the limits in the tables and the rules below them, and answers with the text \
of the rule. It also stores the defaults in the tables with the resource. A default that only a \
description names is the operator's: `status.resolved` shows what came of it.
";

/// The schema as a Markdown page: every field with its type, default, limits and description, and
/// every rule.
pub fn markdown() -> String {
    let definition = definition();
    let mut page = vec![INTRODUCTION.to_owned()];
    for version in &definition.spec.versions {
        let columns = version.additional_printer_columns.iter().flatten();
        page.push(columns_table(columns));
        let schema = version.schema.as_ref();
        let Some(root) = schema.and_then(|schema| schema.open_api_v3_schema.as_ref()) else {
            continue;
        };
        page.push("## metadata\n".to_owned());
        page.push(rules_list(root));
        for (name, schema) in root.properties.iter().flatten() {
            chapter(name, schema, &mut page);
        }
    }
    page.retain(|part| !part.is_empty());
    page.join("\n")
}

fn columns_table<'a>(columns: impl Iterator<Item = &'a CustomResourceColumnDefinition>) -> String {
    let rows = columns.map(|column| {
        let wide = column.priority.is_some_and(|priority| priority > 0);
        let only = if wide { " Only with `-o wide`." } else { "" };
        let description = column.description.as_deref().unwrap_or_default();
        format!("| {} | {description}{only} |\n", column.name)
    });
    let rows: String = rows.collect();
    format!("`kubectl get sst` shows\n\n| column | what it is |\n|---|---|\n{rows}")
}

/// A chapter about an object, then one about each object in it.
fn chapter(path: &str, schema: &JSONSchemaProps, page: &mut Vec<String>) {
    page.push(format!("## {path}\n"));
    if let Some(description) = &schema.description {
        page.push(format!("{description}\n"));
    }
    page.push(fields_table(schema));
    page.push(rules_list(schema));
    for (name, field) in schema.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        if let Some((suffix, object)) = object_of(field) {
            chapter(&format!("{path}{suffix}"), object, page);
        }
    }
}

/// The object with fields of its own that a field is, or that it is a list of.
fn object_of(field: &JSONSchemaProps) -> Option<(&'static str, &JSONSchemaProps)> {
    match &field.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) if item.properties.is_some() => {
            Some(("[]", item))
        }
        _ => field.properties.is_some().then_some(("", field)),
    }
}

fn fields_table(schema: &JSONSchemaProps) -> String {
    let required = schema.required.as_deref().unwrap_or_default();
    let rows = schema.properties.iter().flatten().map(|(name, field)| {
        let default = if required.contains(name) {
            "required".to_owned()
        } else {
            default_of(field)
        };
        let kind = kind_of(field);
        let text = description_with_rules(field);
        format!("| `{name}` | {kind} | {default} | {text} |\n")
    });
    let rows: String = rows.collect();
    format!("| field | type | default | what it is |\n|---|---|---|---|\n{rows}")
}

/// The description of a field, and the rules that are about it alone. Those of an object with
/// fields are in its own chapter.
fn description_with_rules(field: &JSONSchemaProps) -> String {
    let mut text = field.description.clone().unwrap_or_default();
    if object_of(field).is_none() {
        for rule in field.x_kubernetes_validations.iter().flatten() {
            text.push_str(" Rule: ");
            text.push_str(message_of(rule));
            text.push('.');
        }
    }
    in_a_cell(&text)
}

fn default_of(field: &JSONSchemaProps) -> String {
    match &field.default {
        Some(default) if default.0.as_object().is_some_and(serde_json::Map::is_empty) => {
            String::new()
        }
        Some(default) => format!("`{}`", in_a_cell(&default.0.to_string())),
        None => String::new(),
    }
}

/// The type of a field, with the limits that hold for its values.
fn kind_of(field: &JSONSchemaProps) -> String {
    if let Some(values) = &field.enum_ {
        let values: Vec<_> = values.iter().filter_map(|value| value.0.as_str()).collect();
        return format!("`{}`", values.join("`, `"));
    }
    let mut parts = vec![type_of(field)];
    match (field.minimum, field.maximum) {
        (Some(least), Some(greatest)) => parts.push(format!("{least} to {greatest}")),
        (Some(least), None) => parts.push(format!("at least {least}")),
        (None, Some(greatest)) => parts.push(format!("at most {greatest}")),
        (None, None) => {}
    }
    let counts = [
        (field.max_length, "characters"),
        (field.max_items, "items"),
        (field.max_properties, "entries"),
    ];
    for (count, unit) in counts {
        parts.extend(count.map(|count| format!("at most {count} {unit}")));
    }
    parts.join(", ")
}

fn type_of(field: &JSONSchemaProps) -> String {
    if field.x_kubernetes_int_or_string == Some(true) {
        return "quantity".to_owned();
    }
    if matches!(
        &field.additional_properties,
        Some(JSONSchemaPropsOrBool::Schema(_))
    ) {
        return "map of strings".to_owned();
    }
    match field.type_.as_deref() {
        Some("array") => "list".to_owned(),
        Some("string") if field.format.as_deref() == Some("date-time") => "time".to_owned(),
        other => other.unwrap_or_default().to_owned(),
    }
}

fn rules_list(schema: &JSONSchemaProps) -> String {
    let rules: Vec<_> = schema.x_kubernetes_validations.iter().flatten().collect();
    if rules.is_empty() {
        return String::new();
    }
    let lines = rules.iter().map(|rule| format!("- {}\n", message_of(rule)));
    format!("Refused with these words:\n\n{}", lines.collect::<String>())
}

fn message_of(rule: &ValidationRule) -> &str {
    rule.message.as_deref().unwrap_or(&rule.rule)
}

/// A cell of a table is one line, without the bar that ends it.
fn in_a_cell(text: &str) -> String {
    text.replace("\n\n", "<br>").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_rule() {
        let page = markdown();
        let messages = messages(&serde_json::to_value(definition()).unwrap());
        assert!(!messages.is_empty());
        for message in messages {
            assert!(page.contains(&in_a_cell(&message)), "not there: {message}");
        }
    }

    #[test]
    fn a_table_survives_what_a_description_holds() {
        assert_eq!(in_a_cell("a|b\n\nc"), "a\\|b<br>c");
    }

    fn messages(value: &serde_json::Value) -> Vec<String> {
        match value {
            serde_json::Value::Object(fields) => fields
                .iter()
                .flat_map(|(name, field)| {
                    if name == "x-kubernetes-validations" {
                        let rules = field.as_array().unwrap();
                        rules
                            .iter()
                            .map(|rule| rule["message"].as_str().unwrap().to_owned())
                            .collect()
                    } else {
                        messages(field)
                    }
                })
                .collect(),
            serde_json::Value::Array(items) => items.iter().flat_map(messages).collect(),
            _ => Vec::new(),
        }
    }
}
