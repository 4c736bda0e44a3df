//! Brings the objects in the cluster to what they are to be: by server-side apply, and only where
//! something has moved. `decide` says what there is to do and is pure; here it is done.

mod decide;

use kube::api::{
    Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions, ValidationDirective,
};
use kube::{Client, ResourceExt};
use serde_json::json;
use thiserror::Error;

use crate::build::Object;
use crate::desired::Owner;
use crate::kind::Kind;
use crate::leader::{Leadership, NotLeader};
use crate::names::{FIELD_MANAGER, SCALE_MANAGER};

pub use decide::{Applied, Key, Observed, Step, is_owned_by, steps};

/// Objects could not be brought to what they are to be.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// Somebody else has an object of this name.
    #[error("there is a {kind} {name} that does not belong to this SessionStore", kind = .0.kind.name(), name = .0.name)]
    Taken(Key),
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
                    self.refuse_if_taken(object).await?;
                    conflicts.extend(self.apply(object, applied).await?);
                }
                Step::Apply(object) => conflicts.extend(self.apply(object, applied).await?),
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
    /// # Errors
    /// The API server refused or could not be reached, or another process leads.
    pub async fn scale(&self, kind: Kind, name: &str, replicas: i32) -> Result<(), ApplyError> {
        self.leadership.check()?;
        let scale = json!({
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {"name": name},
            "spec": {"replicas": replicas},
        });
        let params = PatchParams::apply(SCALE_MANAGER).force();
        self.api(kind)
            .patch_scale(name, &params, &Patch::Apply(&scale))
            .await
            .map_err(|source| ApplyError::Api {
                verb: "scale",
                key: Key::new(kind, name),
                source,
            })?;
        Ok(())
    }

    /// The cache holds only what has the operator's label. An object that somebody else made by
    /// the same name would be taken over, with all that depends on it.
    async fn refuse_if_taken(&self, object: &Object) -> Result<(), ApplyError> {
        let found = self.api(object.kind).get_metadata_opt(&object.name).await;
        let found = found.map_err(|source| ApplyError::Api {
            verb: "look for",
            key: Key::of(object),
            source,
        })?;
        match found {
            Some(found) if !is_owned_by(found.owner_references(), &self.owner.uid) => {
                Err(ApplyError::Taken(Key::of(object)))
            }
            _ => Ok(()),
        }
    }

    async fn apply(
        &self,
        object: &Object,
        applied: &mut Applied,
    ) -> Result<Option<Conflict>, ApplyError> {
        let mut params = PatchParams::apply(FIELD_MANAGER);
        params.field_validation = Some(ValidationDirective::Strict);
        let (result, conflict) = match self.patch(object, &params).await? {
            Err(kube::Error::Api(status)) if status.is_conflict() => {
                let conflict = Conflict {
                    key: Key::of(object),
                    what: status.message.clone(),
                };
                (self.patch(object, &params.force()).await?, Some(conflict))
            }
            result => (result, None),
        };
        let live = result.map_err(|source| ApplyError::Api {
            verb: "apply",
            key: Key::of(object),
            source,
        })?;
        applied.note(object, &live);
        Ok(conflict)
    }

    async fn patch(
        &self,
        object: &Object,
        params: &PatchParams,
    ) -> Result<kube::Result<DynamicObject>, NotLeader> {
        self.leadership.check()?;
        let api = self.api(object.kind);
        let patch = Patch::Apply(&object.manifest);
        Ok(api.patch(&object.name, params, &patch).await)
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
            Err(source) => Err(ApplyError::Api {
                verb: "delete",
                key: key.clone(),
                source,
            }),
        }
    }

    fn api(&self, kind: Kind) -> Api<DynamicObject> {
        let resource = kind.resource();
        Api::namespaced_with(self.client.clone(), &self.owner.namespace, &resource)
    }
}
