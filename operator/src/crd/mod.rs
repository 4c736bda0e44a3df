//! The custom resource: what a user may say, with its defaults and rules, and what the status says
//! back. Types and schema only.
//!
//! The doc comments of the fields become the descriptions of the schema (`kubectl explain`,
//! docs/crd.md), so they speak to users. The rules stand beside the fields that they are about and
//! are checked by the API server; `tests/crd_rules.rs` refuses something by each of them.
//!
//! A field that would collide with another one when both are there has no default in the schema,
//! since the API server stores defaults as if a user had written them: `mongodb.members`,
//! `mongodb.storage` and `mongodb.runAsUser` collide with `mongodb.external`, `api.replicas` with
//! `api.autoscaling`. The operator resolves them.

#![expect(
    unreachable_pub,
    reason = "KubeSchema repeats each type, as public as it is, inside a function"
)]

mod api;
mod definition;
mod mongodb;
mod monitoring;
mod reference;
mod resources;
mod scheduling;
mod session_store;
mod status;

pub use api::{ApiSpec, AutoscalingSpec, OWN_SETTINGS, ServiceSpec, ServiceType};
pub use definition::{PrintError, definition, yaml};
pub use mongodb::{
    DEFAULT_MEMBERS, DEFAULT_RUN_AS_USER, ExternalMongodb, MongodbSpec, RetentionPolicy,
    SecretKeyRef, StorageSpec,
};
pub use monitoring::MonitoringSpec;
pub use reference::markdown;
pub use resources::{ResourceAmounts, Resources};
pub use session_store::{SessionStore, SessionStoreSpec};
pub use status::{ApiStatus, MemberStatus, MongodbStatus, ResolvedValues, SessionStoreStatus};
