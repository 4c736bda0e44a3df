//! All objects of a `SessionStore`, from what it asks for. Pure: the same input gives the same
//! objects, byte for byte. One file a kind.

mod autoscaler;
mod deployment;
mod disruption;
mod monitor;
mod network;
mod pod;
mod secret;
mod service;
mod statefulset;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::crd::SessionStore;
use crate::desired::{Desired, Owner, ReplicaSet, SecretKey};
use crate::kind::Kind;
use crate::names::Component;

pub use secret::{Credentials, Malformed, OPERATOR_USER, SERVICE_USER};
pub use statefulset::{Installer, Kept};

/// What is the same for all `SessionStore`s that this operator looks after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// The operator's own image: it installs the key in the members' pods.
    pub operator_image: String,
    /// The namespace that the operator's pods run in: they talk to members.
    pub operator_namespace: String,
    /// The domain of the cluster's names, such as `cluster.local`.
    pub cluster_domain: String,
}

/// What the API is to run on: what was asked for, with what is known of it from the cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Backend<'a> {
    /// A replica set of the operator's own making.
    Managed {
        /// What it is to be.
        set: &'a ReplicaSet,
        /// What opens it.
        credentials: &'a Credentials,
        /// The Secrets of those that are there already.
        secrets: &'a [Secret],
        /// What stays of its StatefulSet, if there is one.
        kept: Option<&'a Kept>,
    },
    /// One that somebody else runs.
    External {
        /// Where its connection string is.
        secret: &'a SecretKey,
        /// Changes with the connection string.
        digest: &'a str,
    },
}

/// An object as it is to be: only the fields that the operator means to own.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The manifest.
    pub manifest: Value,
}

impl Object {
    fn new(kind: Kind, name: &str, manifest: &impl Serialize) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            manifest: json(manifest),
        }
    }

    /// Tells this manifest from any other.
    pub fn digest(&self) -> String {
        digest([self.manifest.to_string().as_bytes()])
    }
}

#[expect(
    clippy::expect_used,
    reason = "manifests have text keys and finite numbers only"
)]
fn json(manifest: &impl Serialize) -> Value {
    serde_json::to_value(manifest).expect("a manifest is JSON")
}

/// All objects, in the order in which they are to be applied. Counts of pods are not in them.
///
/// A `ServiceMonitor` is among them whether or not the cluster knows the kind.
pub fn objects(desired: &Desired, environment: &Environment, backend: Backend<'_>) -> Vec<Object> {
    let owner = &desired.owner;
    let mut objects = Vec::new();
    if let Backend::Managed {
        set,
        credentials,
        secrets,
        kept,
    } = backend
    {
        objects.extend(secret::all(owner, environment, credentials, secrets));
        objects.push(service::members(owner));
        objects.push(network::members(owner, environment));
        objects.push(disruption::budget(owner, Component::Mongodb));
        let key = digest([credentials.key.as_bytes()]);
        let members = statefulset::members(desired, set, environment, kept, &key);
        objects.push(members);
    }
    objects.push(service::api(owner, &desired.api.service));
    objects.push(network::api(owner, &desired.monitoring));
    objects.push(disruption::budget(owner, Component::Api));
    objects.push(deployment::api(desired, environment, backend));
    objects.extend(autoscaler::api(owner, desired.api.scale));
    objects.extend(monitor::api(owner, &desired.monitoring));
    objects.sort_by_key(|object| object.kind);
    objects
}

/// Name, labels and owner of an object.
fn metadata(owner: &Owner, name: &str, component: Component) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(owner.namespace.clone()),
        labels: Some(owner.labels(component)),
        owner_references: Some(vec![OwnerReference {
            api_version: SessionStore::api_version(&()).into_owned(),
            kind: SessionStore::kind(&()).into_owned(),
            name: owner.name.clone(),
            uid: owner.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }]),
        ..ObjectMeta::default()
    }
}

/// `None` for an empty map, which is a field nobody needs to own.
fn some(map: &BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    (!map.is_empty()).then(|| map.clone())
}

/// A short text that changes with any of the parts.
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    use std::fmt::Write;

    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_le_bytes());
        sha.update(part);
    }
    let mut text = String::new();
    for byte in &sha.finalize()[..8] {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
