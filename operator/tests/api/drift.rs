//! What the operator owns comes back, whatever is done to it; what others own is left alone.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::api::{DynamicObject, PostParams};
use serde_json::{Value, json};
use sessionstore_operator::kind::Kind;
use sessionstore_operator::names::FIELD_MANAGER;

use crate::monitors::priorities;
use crate::operator::Operator;
use crate::paths::{Path, applied};
use crate::place::{Place, SOMEBODY, eventually};
use crate::specs;

/// A store with an object of every kind: both kinds of scale, since they exclude each other.
async fn with_every_kind(namespace: &str) -> (Place, Operator) {
    let place = Place::new(namespace).await;
    priorities(&place).await;
    let operator = Operator::at(&place).await;
    let mut spec = specs::full();
    spec["api"]
        .as_object_mut()
        .unwrap()
        .shift_remove("replicas");
    spec["api"]["autoscaling"] = json!({"minReplicas": 1, "maxReplicas": 3});
    place.create("everything", spec).await;
    eventually("there is one of every kind", async || {
        let owned = place.owned().await;
        let has = |kind: &Kind| owned.iter().any(|(its, _)| its == kind);
        Kind::ALL.iter().all(has).then_some(())
    })
    .await;
    place.settle(&operator).await;
    (place, operator)
}

fn whole(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap()
}

/// What it might be changed to; the API server takes some of it.
fn others(value: &Value) -> Vec<Option<Value>> {
    /// Values of fields that take some words alone.
    const WORDS: [&str; 20] = [
        "NodePort",
        "ClusterIP",
        "LoadBalancer",
        "RollingUpdate",
        "OnDelete",
        "Recreate",
        "Never",
        "Always",
        "UDP",
        "Egress",
        "ScheduleAnyway",
        "DoNotSchedule",
        "AlwaysAllow",
        "Retain",
        "Delete",
        "Memory",
        "7",
        "Unconfined",
        "data",
        "tmp",
    ];
    let mut others: Vec<Value> = match value {
        Value::Bool(is_so) => vec![json!(!is_so)],
        Value::Number(number) => {
            let number = number.as_i64().unwrap();
            vec![json!(number + 1), json!(number - 1)]
        }
        Value::String(text) => {
            let mut texts = vec![json!(format!("{text}x"))];
            texts.extend(WORDS.map(Value::from));
            texts
        }
        Value::Array(items) => {
            let shorter = &items[..items.len().saturating_sub(1)];
            let words = WORDS.map(|word| json!([word]));
            [json!([]), json!(shorter)]
                .into_iter()
                .chain(words)
                .collect()
        }
        Value::Object(fields) => {
            let mut more = fields.clone();
            more.insert("edited".to_owned(), json!("yes"));
            let mut objects = vec![Value::Object(more), json!({})];
            objects.extend(fields.iter().filter_map(|(name, value)| {
                let mut other = fields.clone();
                other[name] = json!(format!("{}x", value.as_str()?));
                Some(Value::Object(other))
            }));
            objects
        }
        Value::Null => Vec::new(),
    };
    others.retain(|other| other != value);
    others.into_iter().map(Some).chain([None]).collect()
}

/// What can be changed only together with something else: a name with all that refer to it, a kind
/// of thing with the settings of that kind.
fn together(live: &Value, path: &Path, value: &Value) -> Vec<Value> {
    let Value::String(text) = value else {
        return Vec::new();
    };
    let renamed = renamed(live, text, &format!("{text}x"));
    let others = others(value).into_iter().flatten();
    let without_siblings = others.filter_map(|other| path.with_alone(live, &other));
    std::iter::once(renamed).chain(without_siblings).collect()
}

/// The same with another text wherever this one is a `name` of the pods' template.
fn renamed(live: &Value, from: &str, to: &str) -> Value {
    fn walk(value: &mut Value, from: &str, to: &str) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    if key == "name" && value == from {
                        *value = json!(to);
                    }
                    walk(value, from, to);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|it| walk(it, from, to)),
            _ => {}
        }
    }
    let mut live = live.clone();
    if let Some(template) = live.pointer_mut("/spec/template/spec") {
        walk(template, from, to);
    }
    live
}

/// Writes an object as somebody else; `None` if it is refused. Its controller may write its status
/// in between.
async fn put(place: &Place, kind: Kind, object: &Value, dry_run: bool) -> Option<Value> {
    let params = PostParams {
        dry_run,
        field_manager: Some(SOMEBODY.to_owned()),
    };
    let name = object["metadata"]["name"].as_str().unwrap();
    let mut object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
    loop {
        match place.api(kind).replace(name, &params, &object).await {
            Ok(written) => return Some(whole(&written)),
            Err(kube::Error::Api(status)) if status.is_conflict() => {
                object.metadata.resource_version =
                    place.get(kind, name).await?.metadata.resource_version;
            }
            Err(_) => return None,
        }
    }
}

/// Sets a field to something else that the API server takes; whether there is any such thing.
async fn change(place: &Place, kind: Kind, name: &str, path: &Path) -> bool {
    let live = whole(&place.get(kind, name).await.unwrap());
    let before = path.get(&live).cloned();
    let Some(value) = &before else {
        panic!("{kind:?} {name} has no {path}");
    };
    let alone = others(value)
        .into_iter()
        .map(|other| path.with(&live, other));
    for edited in alone.chain(together(&live, path, value)) {
        let dry = put(place, kind, &edited, true).await;
        if dry.is_some_and(|it| path.get(&it) != before.as_ref()) {
            return put(place, kind, &edited, false).await.is_some();
        }
    }
    false
}

/// Removes what an edit has left beside the operator's own: others' fields stay.
async fn tidy(place: &Place, kind: Kind, before: &Value) {
    let name = before["metadata"]["name"].as_str().unwrap();
    eventually("it is as it was", async || {
        let live = whole(&place.get(kind, name).await?);
        let mut wanted = live.clone();
        for part in ["spec", "data", "immutable"] {
            if let Some(value) = before.get(part) {
                wanted[part] = value.clone();
            }
        }
        if wanted["spec"].get("replicas").is_some() {
            wanted["spec"]["replicas"] = live["spec"]["replicas"].clone();
        }
        for part in ["labels", "annotations", "ownerReferences"] {
            if let Some(value) = before["metadata"].get(part) {
                wanted["metadata"][part] = value.clone();
            }
        }
        if wanted == live {
            return Some(());
        }
        put(place, kind, &wanted, false).await.map(|_| ())
    })
    .await;
}

#[tokio::test]
async fn every_field_that_somebody_edits_comes_back_or_is_immutable() {
    let (place, _operator) = with_every_kind("edited").await;
    let mut repaired: BTreeMap<String, usize> = BTreeMap::new();
    let mut refused = Vec::new();
    for (kind, object) in place.owned().await {
        let name = object.name_any();
        let before = whole(&object);
        for path in applied(&object, FIELD_MANAGER) {
            let wanted = path.get(&before).unwrap().clone();
            if !change(&place, kind, &name, &path).await {
                refused.push(format!("{kind:?} {name}{path}"));
                continue;
            }
            let what = format!("{path} of {kind:?} {name} is {wanted} again");
            eventually(&what, async || {
                let live = place.get(kind, &name).await?;
                let is_back = path.get(&whole(&live)) == Some(&wanted);
                let is_going = live.metadata.deletion_timestamp.is_some();
                (is_back && !is_going).then_some(())
            })
            .await;
            *repaired.entry(format!("{kind:?}")).or_default() += 1;
            tidy(&place, kind, &before).await;
        }
    }
    eprintln!("repaired: {repaired:?}; refused: {}", refused.len());
    insta::assert_snapshot!("immutable", refused.join("\n"));
}

#[tokio::test]
async fn every_object_that_somebody_deletes_comes_back_and_secrets_with_their_content() {
    let (place, operator) = with_every_kind("deleted").await;
    for (kind, object) in place.owned().await {
        let name = object.name_any();
        place.delete(kind, &name).await;
        let uid = object.uid();
        let new = place
            .await_that(kind, &name, &format!("{kind:?} {name} is back"), |it| {
                it.uid() != uid && it.metadata.deletion_timestamp.is_none()
            })
            .await;
        assert_eq!(new.data["data"], object.data["data"], "{kind:?} {name}");
        assert_eq!(new.labels(), object.labels(), "{kind:?} {name}");
    }
    place.settle(&operator).await;
}

#[tokio::test]
async fn every_label_and_the_owner_come_back_though_by_them_an_object_is_found() {
    let (place, operator) = with_every_kind("labels").await;
    for (kind, object) in place.owned().await {
        let name = object.name_any();
        for patch in [
            json!({"labels": {"app.kubernetes.io/managed-by": null}}),
            json!({"labels": {"app.kubernetes.io/instance": null}}),
            json!({"labels": {"app.kubernetes.io/instance": "other"}}),
            json!({"labels": null}),
            json!({"ownerReferences": null}),
        ] {
            place
                .edit(kind, &name, json!({"metadata": patch.clone()}))
                .await;
            let what = format!("{kind:?} {name} is whole again after {patch}");
            let new = place.await_that(kind, &name, &what, |it| {
                it.labels() == object.labels() && it.owner_references() == object.owner_references()
            });
            assert_eq!(new.await.uid(), object.uid(), "{what}");
        }
    }
    place.settle(&operator).await;
}

#[tokio::test]
async fn what_others_have_added_is_left_alone() {
    let (place, operator) = with_every_kind("foreign").await;
    let added = json!({"metadata": {
        "labels": {"team": "voice"},
        "annotations": {"example.com/cost-centre": "7"},
    }});
    for (kind, object) in place.owned().await {
        place.edit(kind, &object.name_any(), added.clone()).await;
    }
    place.settle(&operator).await;
    // And something that has to be repaired does not take it away either.
    for (kind, object) in place.owned().await {
        let name = object.name_any();
        let part = "app.kubernetes.io/component";
        place
            .edit(kind, &name, json!({"metadata": {"labels": {part: "x"}}}))
            .await;
        let what = format!("the label of {kind:?} {name} is back");
        let new = place.await_that(kind, &name, &what, |it| {
            it.labels().get(part) == object.labels().get(part)
        });
        let new = new.await;
        assert_eq!(new.labels()["team"], "voice", "{kind:?} {name}");
        assert_eq!(new.annotations()["example.com/cost-centre"], "7");
    }
}

#[tokio::test]
async fn a_status_that_somebody_edits_comes_back() {
    let place = Place::new("status-edited").await;
    let operator = Operator::at(&place).await;
    place.secret("atlas", specs::uri()).await;
    place.create("chat", specs::external()).await;
    place.settle(&operator).await;
    let before = place.status("chat").await;
    let edit = json!({"status": {"conditions": [], "api": {"url": "http://elsewhere"}}});
    place
        .stores()
        .patch_status(
            "chat",
            &crate::place::by_hand(),
            &kube::api::Patch::Merge(edit),
        )
        .await
        .unwrap();
    let types = |status: &Value| -> Vec<Value> {
        let conditions = status["conditions"].as_array().into_iter().flatten();
        conditions.map(|it| it["type"].clone()).collect()
    };
    eventually("the status says the truth again", async || {
        let status = place.status("chat").await;
        let is_back =
            types(&status) == types(&before) && status["api"]["url"] == before["api"]["url"];
        is_back.then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_service_whose_port_was_changed_is_mended_though_both_ports_together_are_invalid() {
    let place = Place::new("ports").await;
    let operator = Operator::at(&place).await;
    place.secret("atlas", specs::uri()).await;
    place.create("chat", specs::external()).await;
    place.settle(&operator).await;
    let before = place.get(Kind::Service, "chat-api").await.unwrap();
    let mut edited = whole(&before);
    let other = edited["spec"]["ports"][0]["port"].as_i64().unwrap() + 1;
    edited["spec"]["ports"][0]["port"] = json!(other);
    put(&place, Kind::Service, &edited, false).await.unwrap();
    place
        .await_that(Kind::Service, "chat-api", "its ports are as before", |it| {
            it.data["spec"]["ports"] == before.data["spec"]["ports"]
        })
        .await;
}
