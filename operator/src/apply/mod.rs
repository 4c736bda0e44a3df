//! Brings the objects in the cluster to what they are to be: by server-side apply, and only where
//! something has moved. `decide` says what there is to do and is pure; here it is done.

mod decide;
mod relation;
mod repair;
mod scale;
mod takeover;
#[cfg(test)]
mod tests;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::{
    Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions, ValidationDirective,
};
use kube::core::Status;
use serde_json::{Value, json};
use thiserror::Error;

use crate::build::Object;
use crate::clock;
use crate::desired::Owner;
use crate::kind::Kind;
use crate::leader::{Leadership, NotLeader};
use crate::names::{FIELD_MANAGER, SCALE_MANAGER};

pub use decide::{Applied, Key, Observed, Seen, Step, Steps, steps, version};
pub use relation::{Relation, is_owned_by, relation};
pub use repair::{Repair, backoff};
pub use scale::{Count, Scaled};
pub use takeover::take_over;

/// Objects could not be brought to what they are to be.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// Somebody else has an object of this name.
    #[error(
        "there is a {kind} {name} that does not belong to this SessionStore: rename or delete that \
         one, or create the SessionStore by another name",
        kind = .0.kind.name(), name = .0.name
    )]
    Taken(Key),
    /// An earlier `SessionStore` of the same name has left it.
    #[error(
        "the {kind} {name} of a deleted SessionStore of this name is not gone yet",
        kind = .0.kind.name(), name = .0.name
    )]
    Earlier(Key),
    /// The API server takes an object for wrong in itself, so what the spec asks for cannot be.
    #[error(
        "correct the field of the spec that this comes from: the API server takes the {kind} {name} \
         for invalid: {message}",
        kind = .key.kind.name(), name = .key.name
    )]
    Invalid {
        /// Which object.
        key: Key,
        /// What is wrong with it, in the words of the API server.
        message: String,
    },
    /// Somebody has changed or replaced an object since it was seen: what was decided is out of date.
    #[error("the {kind} {name} has changed meanwhile", kind = .0.kind.name(), name = .0.name)]
    Outdated(Key),
    /// Nothing can be made any more where all is about to go.
    #[error("the namespace is being deleted, and this SessionStore with it")]
    NamespaceTerminating,
    /// The API server refused or could not be reached.
    #[error("cannot {verb} the {kind} {name}: {source}", kind = .key.kind.name(), name = .key.name)]
    Api {
        /// What was tried.
        verb: &'static str,
        /// With which object.
        key: Key,
        /// What came of it.
        source: kube::Error,
    },
    /// Another process leads by now.
    #[error(transparent)]
    NotLeading(#[from] NotLeader),
}

/// A field that the operator owns was set by somebody else, and has been set back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Of which object.
    pub key: Key,
    /// Which fields, and who had set them, in the words of the API server.
    pub what: String,
}

/// An object to apply, to the one of its name that has this UID, or where there is none.
struct Target<'a> {
    object: &'a Object,
    uid: Option<String>,
}

impl Target<'_> {
    /// With its UID, which the API server compares: what somebody has put in its place is not written
    /// over (422), and what is gone is not made anew by what was decided on it (409).
    fn manifest(&self) -> Value {
        let mut manifest = self.object.manifest.clone();
        if let Some(uid) = &self.uid {
            manifest["metadata"]["uid"] = json!(uid);
        }
        manifest
    }
}

/// The objects of one `SessionStore` in the cluster.
pub struct Applier<'a> {
    client: &'a Client,
    owner: &'a Owner,
    leadership: &'a Leadership,
}

impl<'a> Applier<'a> {
    /// All that it does is for `owner`, and only while this process leads.
    pub fn new(client: &'a Client, owner: &'a Owner, leadership: &'a Leadership) -> Self {
        Self {
            client,
            owner,
            leadership,
        }
    }

    /// Takes the steps in their order. What is in the cluster afterwards is noted in `applied`, so
    /// that the next time nothing is done if nothing has moved.
    ///
    /// # Errors
    /// The first step that failed; those before it are done and noted.
    pub async fn take(
        &self,
        steps: Vec<Step<'_>>,
        applied: &mut Applied,
    ) -> Result<Vec<Conflict>, ApplyError> {
        let mut conflicts = Vec::new();
        for step in steps {
            match step {
                Step::Make(object) => {
                    let uid = self.own_or_none(object).await?;
                    let target = Target { object, uid };
                    conflicts.extend(self.apply(&target, None, applied).await?);
                }
                Step::Apply(object, observed) => {
                    let uid = Some(observed.uid.clone());
                    let target = Target { object, uid };
                    conflicts.extend(self.apply(&target, Some(observed), applied).await?);
                }
                Step::Delete(observed) => {
                    self.delete(&observed.key, &observed.uid).await?;
                    applied.forget(&observed.key);
                }
            }
        }
        Ok(conflicts)
    }

    /// Sets how many pods a `StatefulSet` or `Deployment` has, apart from all else: the fields of
    /// the main manifest never hold it, so that an autoscaler can own it.
    ///
    /// Gives the [`version`] that this makes. `found` is what it was decided on.
    ///
    /// # Errors
    /// The object is no longer as it was found, the API server refused or could not be reached, or
    /// another process leads.
    pub async fn scale(&self, key: &Key, found: Count, replicas: i32) -> Result<u64, ApplyError> {
        self.leadership.check()?;
        let scale = json!({
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {"name": key.name, "resourceVersion": found.resource_version()},
            "spec": {"replicas": replicas},
        });
        let params = PatchParams::apply(SCALE_MANAGER).force();
        let scaled = self
            .api(key.kind)
            .patch_scale(&key.name, &params, &Patch::Apply(&scale))
            .await
            .map_err(|source| failed("scale", key.clone(), source))?;
        Ok(version(scaled.metadata.resource_version.as_deref()))
    }

    /// The UID of an object of the owner's own that is not in the cache, which holds only what has the
    /// operator's label. One that somebody else made by the same name would be taken over, with all
    /// that depends on it.
    async fn own_or_none(&self, object: &Object) -> Result<Option<String>, ApplyError> {
        let found = self.api(object.kind).get_metadata_opt(&object.name).await;
        let found = found.map_err(|source| failed("look for", Key::of(object), source))?;
        let Some(found) = found else {
            return Ok(None);
        };
        own(&found.metadata, self.owner, Key::of(object))?;
        Ok(found.metadata.uid)
    }

    async fn apply(
        &self,
        target: &Target<'_>,
        before: Option<&Observed>,
        applied: &mut Applied,
    ) -> Result<Option<Conflict>, ApplyError> {
        let object = target.object;
        let mut params = PatchParams::apply(FIELD_MANAGER);
        params.field_validation = Some(ValidationDirective::Strict);
        let conflict = |what: &str| Conflict {
            key: Key::of(object),
            what: what.to_owned(),
        };
        let mut told = None;
        let mut result = self.patch(target, &params).await?;
        params = params.force();
        // Where there was nothing, nobody has fields: what is there now has yet to be looked at.
        if let Err(kube::Error::Api(status)) = &result
            && target.uid.is_some()
            && is_about_fields(status)
        {
            told = Some(conflict(&status.message));
            result = self.patch(target, &params).await?;
        }
        if let Err(kube::Error::Api(status)) = &result
            && status.is_invalid()
            && !is_of_another(status)
        {
            let why = conflict(&status.message);
            if self.take_over(object).await? {
                told = Some(why);
                result = self.patch(target, &params).await?;
            }
        }
        let live = result.map_err(|source| match source {
            kube::Error::Api(status) if status.is_invalid() && !is_of_another(&status) => {
                ApplyError::Invalid {
                    key: Key::of(object),
                    message: status.message.clone(),
                }
            }
            kube::Error::Api(status) if is_terminating(&status) => ApplyError::NamespaceTerminating,
            source => failed("apply", Key::of(object), source),
        })?;
        applied.note(object, before, &live, clock::now());
        Ok(told)
    }

    /// Makes all fields of an object the operator's; whether any were not.
    async fn take_over(&self, object: &Object) -> Result<bool, ApplyError> {
        let api = self.api(object.kind);
        let found = api.get_metadata_opt(&object.name).await;
        let found = found.map_err(|source| failed("look at", Key::of(object), source))?;
        let Some(metadata) = found else {
            return Ok(false);
        };
        let managed = json!(metadata.metadata.managed_fields);
        let managed = managed.as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(managed) = take_over(managed) else {
            return Ok(false);
        };
        self.leadership.check()?;
        let patch = json!({"metadata": {
            "resourceVersion": metadata.metadata.resource_version,
            "managedFields": managed,
        }});
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        api.patch_metadata(&object.name, &params, &Patch::Merge(&patch))
            .await
            .map_err(|source| failed("take over", Key::of(object), source))?;
        Ok(true)
    }

    async fn patch(
        &self,
        target: &Target<'_>,
        params: &PatchParams,
    ) -> Result<kube::Result<DynamicObject>, NotLeader> {
        self.leadership.check()?;
        let api = self.api(target.object.kind);
        let patch = Patch::Apply(target.manifest());
        Ok(api.patch(&target.object.name, params, &patch).await)
    }

    async fn delete(&self, key: &Key, uid: &str) -> Result<(), ApplyError> {
        self.leadership.check()?;
        let params = DeleteParams::background().preconditions(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        });
        match self.api(key.kind).delete(&key.name, &params).await {
            Ok(_) => Ok(()),
            // Gone already, or another one by the same name by now.
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {
                Ok(())
            }
            Err(source) => Err(failed("delete", key.clone(), source)),
        }
    }

    fn api(&self, kind: Kind) -> Api<DynamicObject> {
        let resource = kind.resource();
        Api::namespaced_with(self.client.clone(), &self.owner.namespace, &resource)
    }
}

/// Refuses what by the name of an object of the owner's is not the owner's own.
///
/// # Errors
/// It is somebody else's, or that of an earlier `SessionStore` of this name.
pub fn own(metadata: &ObjectMeta, owner: &Owner, key: Key) -> Result<(), ApplyError> {
    match relation(metadata, owner) {
        Relation::Own => Ok(()),
        Relation::Earlier => Err(ApplyError::Earlier(key)),
        Relation::Foreign => Err(ApplyError::Taken(key)),
    }
}

/// Whether it was refused because its namespace is being deleted (`NamespaceTerminatingCause` in
/// `k8s.io/api/core/v1`).
pub fn is_terminating(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|it| &it.causes);
    status.is_forbidden()
        && causes
            .into_iter()
            .any(|it| it.reason == "NamespaceTerminating")
}

/// Whether it was refused because somebody else has set fields that it holds
/// (`CauseTypeFieldManagerConflict` in `k8s.io/apimachinery/pkg/apis/meta/v1`). Other conflicts are
/// about the object as a whole.
fn is_about_fields(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|it| &it.causes);
    status.is_conflict()
        && causes
            .into_iter()
            .any(|it| it.reason == "FieldManagerConflict")
}

/// Whether it was refused because the object of this name has another UID: what exists is not allowed
/// to change it, which the API server takes for invalid.
fn is_of_another(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|it| &it.causes);
    status.is_invalid() && causes.into_iter().any(|it| it.field == "metadata.uid")
}

fn failed(verb: &'static str, key: Key, source: kube::Error) -> ApplyError {
    match source {
        kube::Error::Api(status) if status.is_conflict() || is_of_another(&status) => {
            ApplyError::Outdated(key)
        }
        source => ApplyError::Api { verb, key, source },
    }
}
