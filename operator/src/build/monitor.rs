//! What the Prometheus of prometheus-operator scrapes.

use serde_json::json;

use crate::build::pod::ADMIN;
use crate::build::{Object, metadata};
use crate::desired::{Monitoring, Owner};
use crate::kind::Kind;
use crate::names::Component;

/// `None` if nobody asked for it.
pub(super) fn api(owner: &Owner, monitoring: &Monitoring) -> Option<Object> {
    if !monitoring.service_monitor {
        return None;
    }
    let name = owner.part(Component::Api);
    let mut metadata = metadata(owner, &name, Component::Api);
    metadata
        .labels
        .get_or_insert_default()
        .extend(monitoring.labels.clone());
    let monitor = json!({
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": Kind::ServiceMonitor.name(),
        "metadata": metadata,
        "spec": {
            "selector": {"matchLabels": owner.selector(Component::Api)},
            "endpoints": [{"port": ADMIN, "path": "/metrics"}],
        },
    });
    Some(Object::new(Kind::ServiceMonitor, &name, &monitor))
}
