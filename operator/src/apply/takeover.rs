//! What to do when a manifest is no longer valid together with what others have set. Pure.
//!
//! Server-side apply leaves alone what the operator does not name. So a Service whose port somebody
//! has changed gets its own port back beside the other one, both by the same name: that is refused,
//! and would be for ever. An operator that takes over what others have set, and then applies a
//! manifest without it, removes it.

use serde_json::{Map, Value};

use crate::names::FIELD_MANAGER;

/// The managed fields of an object (a list, as JSON) when all that others have set by ordinary
/// writes is the operator's. Those of subresources stay: the status and the count of pods. `None` if
/// there is nothing to take over.
pub fn take_over(managed: &[Value]) -> Option<Vec<Value>> {
    let is_own = |it: &Value| it["manager"] == FIELD_MANAGER && it["operation"] == "Apply";
    let is_main = |it: &Value| it["subresource"].as_str().unwrap_or_default().is_empty();
    let (main, mut kept): (Vec<_>, Vec<_>) = managed.iter().cloned().partition(is_main);
    let (own, others): (Vec<_>, Vec<_>) = main.into_iter().partition(is_own);
    let mut own = own.into_iter().next()?;
    if others.is_empty() {
        return None;
    }
    for other in others {
        merge(&mut own["fieldsV1"], other["fieldsV1"].clone());
    }
    kept.insert(0, own);
    Some(kept)
}

/// The union of two sets of fields.
fn merge(into: &mut Value, from: Value) {
    let (Value::Object(into), Value::Object(from)) = (into, from) else {
        return;
    };
    for (key, value) in from {
        let into = into.entry(key).or_insert_with(|| Value::Object(Map::new()));
        merge(into, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(manager: &str, operation: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "fieldsV1": fields})
    }

    fn part(part: &str) -> Value {
        let mut entry = entry("controller", "Update", &json!({"f:status": {}}));
        entry["subresource"] = json!(part);
        entry
    }

    #[test]
    fn what_others_have_set_becomes_its_own_and_subresources_stay_theirs() {
        let own = entry(FIELD_MANAGER, "Apply", &json!({"f:a": {"f:b": {}}}));
        let edit = entry("kubectl-edit", "Update", &json!({"f:a": {"f:c": {}}}));
        let all = take_over(&[edit, own, part("status")]).unwrap();
        let union = json!({"f:a": {"f:b": {}, "f:c": {}}});
        assert_eq!(all, [entry(FIELD_MANAGER, "Apply", &union), part("status")]);
    }

    #[test]
    fn where_nobody_else_has_set_anything_there_is_nothing_to_take() {
        let own = entry(FIELD_MANAGER, "Apply", &json!({"f:a": {}}));
        assert_eq!(take_over(&[own, part("scale")]), None);
    }

    #[test]
    fn an_object_of_somebody_elses_is_not_taken() {
        let other = entry("kubectl-create", "Update", &json!({"f:a": {}}));
        assert_eq!(take_over(&[other]), None);
    }
}
