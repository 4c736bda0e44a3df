//! What the status tells people, and what they do by it.

use serde_json::Value;

use super::{
    store::{Store, condition},
    wait::eventually,
};

/// The annotation by which a person lets the data of a member be deleted.
const RESYNC: &str = "sessionstore.dev/resync";

/// Waits until a condition of this type holds for this reason, with all of `named` in its message,
/// which is given back.
pub(crate) async fn await_told(store: &Store, kind: &str, reason: &str, named: &[&str]) -> String {
    let what = format!("{kind}, because of {reason}, with {named:?}");
    eventually(&what, async || {
        let object = store.object().await;
        let found = condition(&object, kind).filter(|it| it["status"] == "True")?;
        let message = found["message"].as_str()?;
        let is_it = found["reason"] == reason && named.iter().all(|it| message.contains(it));
        is_it.then(|| message.to_owned())
    })
    .await
}

/// The permissions that a message offers: values of the annotation, each of one member.
pub(crate) fn offered(message: &str) -> Vec<String> {
    let annotation = format!("{RESYNC}=");
    let mut parts = message.split(&annotation);
    // What is before the first.
    parts.next();
    let value = |it: &str| {
        let end = it.find([',', ' ', ';']).unwrap_or(it.len());
        it[..end].to_owned()
    };
    parts.map(value).collect()
}

/// Does what a message offers.
pub(crate) async fn permit(store: &Store, value: &str) {
    let annotation = format!("{RESYNC}={value}");
    let args = ["annotate", "sst", &store.name, "--overwrite", &annotation];
    store.kubectl(&args).await;
}

/// The member whose status this is, by the name of its pod.
pub(crate) async fn member(store: &Store, pod: &str) -> Value {
    let members = store.status("/mongodb/members").await;
    let mut members = members.as_array().into_iter().flatten();
    members
        .find(|it| it["name"] == pod)
        .cloned()
        .unwrap_or_default()
}
