//! What the status tells people.

use super::{
    store::{Store, condition},
    wait::eventually,
};

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
