//! The beginning of a term of leadership: a watch may lag, by two minutes if its connection died
//! silently, and whoever led before has acted on what it had seen. To go back to an older spec would
//! undo that, so the first look waits until the cache is as new as the API server was then.

use std::time::Duration;

use kube::api::{Api, ListParams};
use kube::core::PartialObjectMeta;
use kube::{Client, ResourceExt};

use crate::cache::{Stored, Target};
use crate::crd::SessionStore;
use crate::reconcile::memory::Memory;
use crate::reconcile::{Context, ReconcileError};

/// How soon to look again for what the watch has not told yet. It mostly does so before.
pub(super) const WHILE_LATE: Duration = Duration::from_secs(5);

impl Context {
    /// Whether the cache is as new as the resource was when this process first looked at it.
    pub(super) async fn has_newest(
        &self,
        target: &Target,
        stored: &Stored,
        memory: &mut Memory,
    ) -> Result<bool, ReconcileError> {
        if memory.begun_at.is_none() {
            let live = live(&self.client, target).await;
            // One that is gone has no version, and the watch is about to tell.
            memory.begun_at = live.map_err(ReconcileError::Unread)?;
        }
        let seen = stored.resource_version().unwrap_or_default();
        Ok(memory.is_up_to_date(&seen))
    }
}

/// The version of a `SessionStore` by the API server's own word, whether or not it can be read.
async fn live(client: &Client, target: &Target) -> kube::Result<Option<String>> {
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let api: Api<SessionStore> = Api::namespaced(client.clone(), namespace);
    // To list is what the operator may do anyway.
    let only = ListParams::default().fields(&format!("metadata.name={}", target.name));
    let found = api.list_metadata(&only).await?;
    let version = |it: PartialObjectMeta<SessionStore>| it.metadata.resource_version;
    Ok(found.items.into_iter().next().and_then(version))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, Response};
    use serde_json::{Value, json};
    use tower::service_fn;

    use super::*;

    async fn live_of(items: Value) -> Option<String> {
        let service = service_fn(move |request: Request<kube::client::Body>| {
            let uri = request.uri().to_string();
            assert!(uri.contains("/namespaces/default/sessionstores?"), "{uri}");
            assert!(uri.contains("metadata.name%3Dvoice"), "{uri}");
            // A list with a version could be answered from a cache that lags itself.
            assert!(!uri.contains("resourceVersion"), "{uri}");
            let list = json!({
                "apiVersion": "meta.k8s.io/v1",
                "kind": "PartialObjectMetadataList",
                "metadata": {},
                "items": items,
            });
            async move { Response::builder().body(Body::from(list.to_string())) }
        });
        let target = Target::new("voice").within("default");
        live(&Client::new(service, "default"), &target)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn the_version_is_asked_for_by_name_and_not_taken_from_a_cache() {
        let found = json!([{
            "apiVersion": "meta.k8s.io/v1",
            "kind": "PartialObjectMetadata",
            "metadata": {"name": "voice", "resourceVersion": "7"},
        }]);
        assert_eq!(live_of(found).await.as_deref(), Some("7"));
        assert_eq!(live_of(json!([])).await, None);
    }
}
