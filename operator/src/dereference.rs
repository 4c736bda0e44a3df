//! Reads the world of one `SessionStore` from what is watched: all that later steps decide on.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret};
use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::runtime::reflector::store::WriterDropped;
use thiserror::Error;

use crate::apply::{Observed, Seen};
use crate::build::{Credentials, Malformed, digest};
use crate::cache::{Caches, Target};
use crate::desired::{Owner, SecretKey};
use crate::kind::Kind;
use crate::names::Component;

/// What is in the cluster of one `SessionStore`.
pub struct World {
    /// How far the watches had got at least, when the rest was read.
    pub seen: Seen,
    /// The objects that it controls.
    pub objects: Vec<(Kind, Arc<DynamicObject>)>,
    /// The pods with its label.
    pub pods: Vec<Arc<Pod>>,
    /// The claims with its label, also those that an earlier one of its name has left.
    pub claims: Vec<Arc<PersistentVolumeClaim>>,
}

/// Something that a `SessionStore` refers to cannot be used.
#[derive(Debug, Error)]
pub enum DereferenceError {
    /// The Secret with the connection string does not exist.
    #[error("there is no Secret {0}, which mongodb.external.uriSecretRef names: create it")]
    NoSecret(String),
    /// It has no such entry.
    #[error(
        "the Secret {} has no text in its entry {}, which mongodb.external.uriSecretRef names: put \
         the connection string there, or correct the key",
        .0.name, .0.key
    )]
    NoEntry(SecretKey),
    /// The watch of it has ended.
    #[error("the Secret {0} cannot be watched")]
    Unwatched(String, #[source] WriterDropped),
    /// A Secret of the operator's own has been changed.
    #[error("{0}: restore it, or delete it together with all pods of the members")]
    Malformed(#[from] Malformed),
    /// An object is not what its kind says.
    #[error("the {kind} {name} cannot be read: {message}", kind = .kind.name())]
    Unreadable {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// What is wrong with it.
        message: String,
    },
}

impl DereferenceError {
    /// The reason of a condition.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoSecret(_) | Self::NoEntry(_) => "SecretMissing",
            Self::Unwatched(..) => "SecretUnwatched",
            Self::Malformed(_) => "SecretMalformed",
            Self::Unreadable { .. } => "ObjectUnreadable",
        }
    }
}

impl World {
    /// Reads it from the caches.
    pub fn read(caches: &Caches, owner: &Owner) -> Self {
        Self {
            // First: what is told meanwhile makes the rest newer than this says, never older.
            seen: caches.seen(owner),
            objects: caches.owned(owner),
            pods: caches.pods(owner),
            claims: caches.claims(owner),
        }
    }

    /// What there is to compare with what is wanted.
    pub fn observed(&self) -> Vec<Observed> {
        let objects = self.objects.iter();
        objects.map(|(kind, it)| Observed::of(*kind, it)).collect()
    }

    /// The members' StatefulSet, if there is one.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn stateful_set(&self, owner: &Owner) -> Result<Option<StatefulSet>, DereferenceError> {
        self.parse(Kind::StatefulSet, &owner.part(Component::Mongodb))
    }

    /// The Deployment of the API, if there is one.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn deployment(&self, owner: &Owner) -> Result<Option<Deployment>, DereferenceError> {
        self.parse(Kind::Deployment, &owner.part(Component::Api))
    }

    /// The Secrets of the key and the passwords, as far as they are there.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn secrets(&self, owner: &Owner) -> Result<Vec<Secret>, DereferenceError> {
        let secrets = Credentials::secrets(owner).into_iter();
        let found = secrets.map(|name| self.parse(Kind::Secret, &name));
        found.filter_map(Result::transpose).collect()
    }

    fn parse<K>(&self, kind: Kind, name: &str) -> Result<Option<K>, DereferenceError>
    where
        K: serde::de::DeserializeOwned,
    {
        let found = self
            .objects
            .iter()
            .find(|(its, object)| *its == kind && object.name_any() == name);
        let Some((_, object)) = found else {
            return Ok(None);
        };
        let value = serde_json::to_value(object.as_ref()).and_then(serde_json::from_value);
        value
            .map(Some)
            .map_err(|error| DereferenceError::Unreadable {
                kind,
                name: name.to_owned(),
                message: error.to_string(),
            })
    }
}

/// Changes when the connection string that somebody else has stored changes.
///
/// # Errors
/// There is none.
pub async fn external_digest(
    caches: &Caches,
    target: &Target,
    namespace: &str,
    secret: &SecretKey,
) -> Result<String, DereferenceError> {
    let found = caches.secret(target, namespace, &secret.name).await;
    let found = found.map_err(|error| DereferenceError::Unwatched(secret.name.clone(), error))?;
    let found = found.ok_or_else(|| DereferenceError::NoSecret(secret.name.clone()))?;
    let entry = found.data.as_ref().and_then(|data| data.get(&secret.key));
    match entry {
        Some(uri) if !uri.0.is_empty() => Ok(digest([uri.0.as_slice()])),
        _ => Err(DereferenceError::NoEntry(secret.clone())),
    }
}
