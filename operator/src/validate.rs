//! From what a user wrote to what is wanted, with every default resolved; or what is wrong with it.
//! Pure. What the rules of the CRD can say, they have said; the rest is here.

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;
use thiserror::Error;

use crate::crd::{self, ApiSpec, MongodbSpec, RetentionPolicy, ServiceType, SessionStore};
use crate::desired::{
    Api, ApiService, Desired, Mongodb, Monitoring, Owner, Placement, ReplicaSet, Retention, Scale,
    SecretKey, Storage,
};

/// What counts where the spec says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// The image of the service.
    pub api_image: String,
    /// The image of mongod.
    pub mongodb_image: String,
}

/// A spec that cannot be carried out, in the words of a condition: what is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Invalid {
    /// It got past the rules of the CRD: an older CRD is installed.
    #[error(
        "mongodb.members is {0}: use 1, 3 or 5 (the rules of the CRD would have said so: install \
         the CRD of this operator's version)"
    )]
    Members(i32),
    /// No metadata that the API server always sets.
    #[error("the resource has no {0}, which the API server sets")]
    Incomplete(&'static str),
}

impl Invalid {
    /// The reason of a condition.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Members(_) => "InvalidSpec",
            Self::Incomplete(_) => "IncompleteMetadata",
        }
    }
}

/// Whose objects a `SessionStore`'s are.
///
/// # Errors
/// It did not come from the API server.
pub fn owner(store: &SessionStore) -> Result<Owner, Invalid> {
    Ok(Owner {
        name: store.name_any(),
        namespace: store.namespace().ok_or(Invalid::Incomplete("namespace"))?,
        uid: store.uid().ok_or(Invalid::Incomplete("uid"))?,
    })
}

/// What a `SessionStore` asks for.
///
/// # Errors
/// It asks for what cannot be.
pub fn desired(store: &SessionStore, defaults: &Defaults) -> Result<Desired, Invalid> {
    let spec = &store.spec;
    let monitoring = &spec.monitoring;
    Ok(Desired {
        owner: owner(store)?,
        mongodb: mongodb(&spec.mongodb, defaults)?,
        api: api(&spec.api, defaults),
        monitoring: Monitoring {
            service_monitor: monitoring.service_monitor,
            labels: monitoring.labels.clone(),
            scraper_namespace: monitoring.scraper_namespace.clone(),
        },
        image_pull_secrets: spec
            .image_pull_secrets
            .iter()
            .map(|secret| secret.name.clone())
            .collect(),
    })
}

fn mongodb(spec: &MongodbSpec, defaults: &Defaults) -> Result<Mongodb, Invalid> {
    if let Some(external) = &spec.external {
        let secret = &external.uri_secret_ref;
        return Ok(Mongodb::External(SecretKey {
            name: secret.name.clone(),
            key: secret.key.clone(),
        }));
    }
    let members = spec.members.unwrap_or(crd::DEFAULT_MEMBERS);
    let members = match members {
        1 => 1,
        3 => 3,
        5 => 5,
        other => return Err(Invalid::Members(other)),
    };
    let storage = spec.storage.clone().unwrap_or_default();
    Ok(Mongodb::Managed(Box::new(ReplicaSet {
        image: spec
            .image
            .as_ref()
            .unwrap_or(&defaults.mongodb_image)
            .clone(),
        members,
        storage: Storage {
            size: Quantity(storage.size),
            class: storage.storage_class_name,
            when_deleted: retention(storage.when_deleted),
            when_scaled: retention(storage.when_scaled),
        },
        resources: spec
            .resources
            .clone()
            .map_or_else(|| requirements(["250m", "512Mi"], "1Gi"), Into::into),
        run_as_user: spec.run_as_user.unwrap_or(crd::DEFAULT_RUN_AS_USER),
        placement: Placement {
            node_selector: spec.node_selector.clone(),
            tolerations: spec.tolerations.clone(),
            priority_class: spec.priority_class_name.clone(),
        },
    })))
}

fn api(spec: &ApiSpec, defaults: &Defaults) -> Api {
    let scale = match &spec.autoscaling {
        Some(autoscaling) => Scale::Auto {
            min: autoscaling.min_replicas,
            max: autoscaling.max_replicas,
            cpu_percent: autoscaling.target_cpu_utilization,
        },
        None => Scale::Fixed(spec.replicas.unwrap_or(2)),
    };
    let kind = match spec.service.type_ {
        ServiceType::ClusterIP => "ClusterIP",
        ServiceType::NodePort => "NodePort",
        ServiceType::LoadBalancer => "LoadBalancer",
    };
    Api {
        image: spec.image.as_ref().unwrap_or(&defaults.api_image).clone(),
        scale,
        resources: spec
            .resources
            .clone()
            .map_or_else(|| requirements(["100m", "64Mi"], "256Mi"), Into::into),
        service: ApiService {
            kind: kind.to_owned(),
            annotations: spec.service.annotations.clone(),
        },
        log: spec.log.clone(),
        otlp_endpoint: spec.otlp_endpoint.clone(),
        settings: spec.settings.clone(),
        placement: Placement {
            node_selector: spec.node_selector.clone(),
            tolerations: spec.tolerations.clone(),
            priority_class: spec.priority_class_name.clone(),
        },
    }
}

fn retention(policy: RetentionPolicy) -> Retention {
    match policy {
        RetentionPolicy::Retain => Retention::Retain,
        RetentionPolicy::Delete => Retention::Delete,
    }
}

/// CPU is not limited: what nobody else wants may be had.
fn requirements([cpu, memory]: [&str; 2], memory_limit: &str) -> ResourceRequirements {
    let amount = |name: &str, text: &str| (name.to_owned(), Quantity(text.to_owned()));
    ResourceRequirements {
        requests: Some([amount("cpu", cpu), amount("memory", memory)].into()),
        limits: Some([amount("memory", memory_limit)].into()),
        ..ResourceRequirements::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(spec: &Value) -> Result<Desired, Invalid> {
        let store = json!({
            "apiVersion": "sessionstore.dev/v1alpha1",
            "kind": "SessionStore",
            "metadata": {"name": "voice", "namespace": "default", "uid": "1"},
            "spec": spec,
        });
        let defaults = Defaults {
            api_image: "api:default".to_owned(),
            mongodb_image: "mongo:default".to_owned(),
        };
        desired(&serde_json::from_value(store).unwrap(), &defaults)
    }

    fn set(spec: &Value) -> ReplicaSet {
        match read(spec).unwrap().mongodb {
            Mongodb::Managed(set) => *set,
            Mongodb::External(_) => panic!("it is external"),
        }
    }

    #[test]
    fn an_empty_spec_is_three_members_of_20_gibibytes_that_are_kept_and_two_pods() {
        let set = set(&json!({}));
        assert_eq!((set.members, set.image.as_str()), (3, "mongo:default"));
        assert_eq!(set.storage.size.0, "20Gi");
        assert_eq!(set.storage.when_deleted, Retention::Retain);
        assert_eq!(set.storage.when_scaled, Retention::Retain);
        assert_eq!(set.run_as_user, 999);
        let api = read(&json!({})).unwrap().api;
        assert_eq!(
            (api.scale, api.image.as_str()),
            (Scale::Fixed(2), "api:default")
        );
    }

    #[test]
    fn what_is_said_counts() {
        let said = set(&json!({"mongodb": {
            "image": "mongo:other",
            "members": 5,
            "storage": {"size": "1Gi", "storageClassName": "fast", "whenDeleted": "Delete"},
            "resources": {"limits": {"memory": "2Gi"}},
        }}));
        assert_eq!((said.members, said.image.as_str()), (5, "mongo:other"));
        assert_eq!(said.storage.class.as_deref(), Some("fast"));
        assert_eq!(said.storage.when_deleted, Retention::Delete);
        assert_eq!(said.resources.requests, None);
    }

    #[test]
    fn a_count_of_members_that_the_rules_would_refuse_is_refused_with_what_to_do() {
        for members in [-1, 0, 2, 4, 7, 300] {
            let invalid = read(&json!({"mongodb": {"members": members}})).unwrap_err();
            assert_eq!(invalid.reason(), "InvalidSpec");
            assert!(invalid.to_string().contains("use 1, 3 or 5"));
        }
    }

    #[test]
    fn an_external_mongodb_is_a_secret_and_no_members() {
        let spec = json!({"mongodb": {"external": {"uriSecretRef": {"name": "atlas"}}}});
        let secret = SecretKey {
            name: "atlas".to_owned(),
            key: "uri".to_owned(),
        };
        assert_eq!(read(&spec).unwrap().mongodb, Mongodb::External(secret));
    }

    #[test]
    fn autoscaling_excludes_a_fixed_count() {
        let api = read(&json!({"api": {"autoscaling": {"maxReplicas": 4}}}))
            .unwrap()
            .api;
        let auto = Scale::Auto {
            min: 2,
            max: 4,
            cpu_percent: 70,
        };
        assert_eq!(api.scale, auto);
    }

    #[test]
    fn what_did_not_come_from_an_api_server_is_refused() {
        let owner = owner(&SessionStore::default());
        assert_eq!(owner.unwrap_err().reason(), "IncompleteMetadata");
    }
}
