//! The Lease as an object: what is read of it, what is written to it, and what it means when the
//! API server refuses.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, PostParams};
use kube::{Client, ResourceExt};
use thiserror::Error;

use super::election::{Claim, Failure, Observed};

/// Why the Lease could not be read or written. Each text says what to do.
#[derive(Debug, Error)]
pub enum LeaseError {
    /// It is not what it was.
    #[error("the Lease was changed by another operator at the same time")]
    Conflict,
    /// RBAC does not allow it.
    #[error(
        "this operator may not {verb} the Lease {namespace}/{name}: a Role in namespace \
         {namespace} has to allow it get, create, update, list and watch of leases in \
         coordination.k8s.io ({message})"
    )]
    Forbidden {
        /// What was tried.
        verb: &'static str,
        /// Where.
        namespace: String,
        /// On which Lease.
        name: String,
        /// What the server says.
        message: String,
    },
    /// The API server does not know this operator.
    #[error(
        "the API server does not know this operator's credentials: is its service account token \
         mounted and its service account still there? ({0})"
    )]
    Unauthorized(String),
    /// There is no place for it.
    #[error("there is no namespace {0} for the Lease: --lease-namespace has to name one that is")]
    NoNamespace(String),
    /// The API server did not answer.
    #[error("the API server does not answer in time")]
    TimedOut,
    /// The API server could not be reached, or failed.
    #[error("the Lease cannot be had from the API server: {0}")]
    Failed(#[source] Box<kube::Error>),
}

impl LeaseError {
    /// The same, as the election takes it.
    pub(super) fn failure(&self) -> Failure {
        match self {
            Self::Conflict => Failure::Conflict,
            _ => Failure::Unknown,
        }
    }
}

/// Where the Lease is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) api: Api<Lease>,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Place {
    pub(super) fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    pub(super) async fn read(&self, limit: Duration) -> Result<Option<Lease>, LeaseError> {
        self.call("get", limit, self.api.get_opt(&self.name)).await
    }

    /// Writes it, if it is still what the claim builds on.
    pub(super) async fn write(&self, lease: &Lease, limit: Duration) -> Result<Lease, LeaseError> {
        let params = PostParams::default();
        if lease.metadata.resource_version.is_some() {
            let replacing = self.api.replace(&self.name, &params, lease);
            self.call("update", limit, replacing).await
        } else {
            self.call("create", limit, self.api.create(&params, lease))
                .await
        }
    }

    async fn call<T>(
        &self,
        verb: &'static str,
        limit: Duration,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, LeaseError> {
        match tokio::time::timeout(limit, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.explain(verb, error)),
            Err(_) => Err(LeaseError::TimedOut),
        }
    }

    fn explain(&self, verb: &'static str, error: kube::Error) -> LeaseError {
        let kube::Error::Api(status) = &error else {
            return LeaseError::Failed(Box::new(error));
        };
        match (status.code, verb) {
            (409, _) | (404, "update") => LeaseError::Conflict,
            (404, "create") => LeaseError::NoNamespace(self.namespace.clone()),
            (403, _) => LeaseError::Forbidden {
                verb,
                namespace: self.namespace.clone(),
                name: self.name.clone(),
                message: status.message.clone(),
            },
            (401, _) => LeaseError::Unauthorized(status.message.clone()),
            _ => LeaseError::Failed(Box::new(error)),
        }
    }
}

/// What matters of a Lease. None without a version, which no API server answers.
pub(super) fn observed(lease: &Lease) -> Option<Observed> {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec
        .lease_duration_seconds
        .and_then(|it| u64::try_from(it).ok());
    Some(Observed {
        version: lease.resource_version()?,
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        duration: seconds.map(Duration::from_secs),
        transitions: spec.lease_transitions.unwrap_or(0),
    })
}

/// The Lease that a claim makes out of the one that was seen. What others wrote to it (labels,
/// annotations) stays; the times in it are for people, nothing is decided by them.
pub(super) fn written(
    name: &str,
    seen: Option<&Lease>,
    claim: &Claim,
    holder: &str,
    duration: Duration,
    now: Timestamp,
) -> Lease {
    let seen = seen.filter(|seen| seen.metadata.resource_version == claim.version);
    let before = seen.and_then(|seen| seen.spec.clone()).unwrap_or_default();
    let same_holder = before.holder_identity.as_deref() == Some(holder);
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        resource_version: claim.version.clone(),
        ..seen.map(|seen| seen.metadata.clone()).unwrap_or_default()
    };
    // Rounded up: others must not wait for less than the holder believes in.
    let seconds = duration.as_millis().div_ceil(1_000);
    Lease {
        metadata,
        spec: Some(LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(i32::try_from(seconds).unwrap_or(i32::MAX)),
            lease_transitions: Some(claim.transitions),
            acquire_time: if same_holder {
                before.acquire_time.clone()
            } else {
                Some(MicroTime(now))
            },
            renew_time: Some(MicroTime(now)),
            ..before
        }),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn seen(version: &str) -> Lease {
        let metadata = ObjectMeta {
            resource_version: Some(version.to_owned()),
            labels: Some([("team".to_owned(), "voice".to_owned())].into()),
            ..ObjectMeta::default()
        };
        Lease {
            metadata,
            spec: None,
        }
    }

    fn claim(version: Option<&str>) -> Claim {
        Claim {
            version: version.map(str::to_owned),
            transitions: 4,
        }
    }

    fn write(seen: Option<&Lease>, claim: &Claim, duration: Duration) -> Lease {
        written("x", seen, claim, "me", duration, NOW)
    }

    #[test]
    fn what_others_wrote_to_the_lease_stays() {
        let lease = write(Some(&seen("7")), &claim(Some("7")), Duration::from_secs(15));
        assert_eq!(lease.labels()["team"], "voice");
        assert_eq!(lease.resource_version().unwrap(), "7");
    }

    #[test]
    fn a_claim_never_writes_over_another_version_than_its_own() {
        let lease = write(Some(&seen("8")), &claim(Some("7")), Duration::from_secs(15));
        assert_eq!(lease.resource_version().unwrap(), "7");
        let lease = write(Some(&seen("8")), &claim(None), Duration::from_secs(15));
        assert_eq!(lease.resource_version(), None);
    }

    #[test]
    fn others_are_never_asked_to_wait_for_less_than_the_duration() {
        let mut lease = write(None, &claim(None), Duration::from_millis(1_001));
        lease.metadata.resource_version = Some("1".to_owned());
        let observed = observed(&lease).unwrap();
        assert_eq!(observed.duration, Some(Duration::from_secs(2)));
        assert_eq!(observed.holder.unwrap(), "me");
        assert_eq!(observed.transitions, 4);
    }

    #[test]
    fn an_empty_holder_is_nobody() {
        let mut lease = written("x", None, &claim(None), "", Duration::from_secs(15), NOW);
        lease.metadata.resource_version = Some("1".to_owned());
        assert_eq!(observed(&lease).unwrap().holder, None);
    }

    #[test]
    fn a_renewal_keeps_the_time_of_the_acquisition() {
        let first = write(None, &claim(None), Duration::from_secs(15));
        let later = NOW + Duration::from_secs(5);
        let again = written(
            "x",
            Some(&first),
            &claim(None),
            "me",
            Duration::from_secs(15),
            later,
        );
        let spec = again.spec.unwrap();
        assert_eq!(spec.acquire_time, Some(MicroTime(NOW)));
        assert_eq!(spec.renew_time, Some(MicroTime(later)));
    }

    #[tokio::test]
    async fn a_refusal_says_which_rule_is_missing() {
        let client = Client::new(
            tower::service_fn(async |_: axum::http::Request<kube::client::Body>| {
                Ok::<_, std::io::Error>(axum::http::Response::new(kube::client::Body::empty()))
            }),
            "x",
        );
        let place = Place::new(client, "voice", "operator");
        let explain = |code, verb| {
            let status = Status {
                code,
                ..Status::failure("no", "no")
            };
            place
                .explain(verb, kube::Error::Api(Box::new(status)))
                .to_string()
        };
        let forbidden = explain(403, "update");
        assert!(
            forbidden.contains("may not update the Lease voice/operator"),
            "{forbidden}"
        );
        assert!(
            forbidden.contains("leases in coordination.k8s.io"),
            "{forbidden}"
        );
        assert!(explain(404, "create").contains("--lease-namespace"));
        assert_eq!(explain(404, "update"), LeaseError::Conflict.to_string());
        assert_eq!(explain(409, "create"), LeaseError::Conflict.to_string());
    }
}
