//! What is done to the pods of members: restarting them, telling their readiness, and, when a
//! person has permitted it, deleting their data.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::Client;
use kube::api::{Api, DeleteParams, EvictParams, Patch, PatchParams, Preconditions};
use serde_json::json;
use thiserror::Error;

use crate::desired::Owner;
use crate::leader::{Leadership, NotLeader};
use crate::mongo::plan::Restart;
use crate::names::{FIELD_MANAGER, READINESS_GATE};

/// A pod or its volume could not be changed.
#[derive(Debug, Error)]
pub enum PodError {
    /// A disruption budget does not allow it now.
    #[error("the pod {0} may not be taken away now: its disruption budget is used up")]
    Budget(String),
    /// The API server refused or could not be reached.
    #[error("cannot {verb} the {what}: {source}")]
    Api {
        /// What was tried.
        verb: &'static str,
        /// With what.
        what: String,
        /// What came of it.
        source: kube::Error,
    },
    /// Another process leads by now.
    #[error(transparent)]
    NotLeading(#[from] NotLeader),
}

/// The members' pods of one `SessionStore`.
pub struct Pods<'a> {
    client: &'a Client,
    owner: &'a Owner,
    leadership: &'a Leadership,
}

impl<'a> Pods<'a> {
    /// All that it does is for `owner`, and only while this process leads.
    pub fn new(client: &'a Client, owner: &'a Owner, leadership: &'a Leadership) -> Self {
        Self {
            client,
            owner,
            leadership,
        }
    }

    /// Takes away the pod with this uid, so that the StatefulSet makes it anew.
    ///
    /// # Errors
    /// A budget does not allow it now, the API server refused or could not be reached, or another
    /// process leads.
    pub async fn restart(&self, ordinal: usize, uid: &str, how: Restart) -> Result<(), PodError> {
        self.leadership.check()?;
        let name = self.owner.pod(ordinal);
        match how {
            Restart::Planned => {
                let params = EvictParams {
                    delete_options: Some(only(uid, None)),
                    ..EvictParams::default()
                };
                match self.pods().evict(&name, &params).await {
                    Err(kube::Error::Api(status)) if status.code == 429 => {
                        Err(PodError::Budget(name))
                    }
                    result => settle("evict", format!("pod {name}"), result),
                }
            }
            Restart::Useless => {
                let result = self.pods().delete(&name, &only(uid, None)).await;
                settle("delete", format!("pod {name}"), result)
            }
        }
    }

    /// Deletes the claim with this uid and the pod that holds it, so that the member copies
    /// everything from the others. With `is_lost` nobody is waited for who could end the pod.
    ///
    /// # Errors
    /// The API server refused or could not be reached, or another process leads.
    pub async fn resync(
        &self,
        ordinal: usize,
        volume: &str,
        pod: Option<&str>,
        is_lost: bool,
    ) -> Result<(), PodError> {
        self.leadership.check()?;
        let claims: Api<PersistentVolumeClaim> =
            Api::namespaced(self.client.clone(), &self.owner.namespace);
        let claim = self.owner.claim(ordinal);
        // It goes when the pod that uses it is gone.
        let result = claims.delete(&claim, &only(volume, None)).await;
        settle("delete", format!("claim {claim}"), result)?;
        if let Some(uid) = pod {
            self.leadership.check()?;
            let name = self.owner.pod(ordinal);
            let grace = is_lost.then_some(0);
            let result = self.pods().delete(&name, &only(uid, grace)).await;
            settle("delete", format!("pod {name}"), result)?;
        }
        Ok(())
    }

    /// Sets the readiness gate of the pod with this uid: one that has come in its place meanwhile has
    /// yet to show that it takes part.
    ///
    /// # Errors
    /// The API server refused or could not be reached, or another process leads.
    pub async fn set_gate(
        &self,
        ordinal: usize,
        uid: &str,
        is_ready: bool,
    ) -> Result<(), PodError> {
        self.leadership.check()?;
        let name = self.owner.pod(ordinal);
        let (status, reason) = if is_ready {
            ("True", "TakesPart")
        } else {
            ("False", "NotCaughtUp")
        };
        let now = jiff::Timestamp::now();
        let condition = json!({
            "type": READINESS_GATE,
            "status": status,
            "reason": reason,
            "lastTransitionTime": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        });
        // Another uid makes it a conflict, as kubelets have it too.
        let patch = json!({
            "metadata": {"uid": uid},
            "status": {"conditions": [condition]},
        });
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::Strategic(&patch);
        let result = self.pods().patch_status(&name, &params, &patch).await;
        settle("set the readiness of", format!("pod {name}"), result)
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.owner.namespace)
    }
}

/// Only the object that was decided on; another one by its name is left alone.
fn only(uid: &str, grace_seconds: Option<u32>) -> DeleteParams {
    DeleteParams {
        grace_period_seconds: grace_seconds,
        ..DeleteParams::default()
    }
    .preconditions(Preconditions {
        uid: Some(uid.to_owned()),
        resource_version: None,
    })
}

/// What is gone already needs nothing more.
fn settle<T>(verb: &'static str, what: String, result: kube::Result<T>) -> Result<(), PodError> {
    match result {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(source) => Err(PodError::Api { verb, what, source }),
    }
}
