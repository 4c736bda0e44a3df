//! What a `SessionStore` asks for, with every default resolved: the output of validation. A value
//! of these types cannot be wrong.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ResourceRequirements, Toleration};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// One `SessionStore`, as it is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// Whose objects these are.
    pub owner: Owner,
    /// Where the sessions are kept.
    pub mongodb: Mongodb,
    /// The service in front of it.
    pub api: Api,
    /// Who looks at it.
    pub monitoring: Monitoring,
    /// The Secrets that open the registries of the images.
    pub image_pull_secrets: Vec<String>,
}

/// Which nodes may run a pod, and how much it matters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placement {
    /// Labels that the node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Taints that the node may have.
    pub tolerations: Vec<Toleration>,
    /// The `PriorityClass`.
    pub priority_class: Option<String>,
}

/// The custom resource that owns the objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its name, from which all names are derived; at most 40 characters.
    pub name: String,
    /// Its namespace, and that of all it owns.
    pub namespace: String,
    /// Its uid: a resource of the same name made later is another one.
    pub uid: String,
}

/// Where the sessions are kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Mongodb {
    /// In a replica set of the operator's own making.
    Managed(Box<ReplicaSet>),
    /// In one that somebody else runs.
    External(SecretKey),
}

/// A replica set to run.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaSet {
    /// An image with `mongod` on its path.
    pub image: String,
    /// How many members: 1, 3 or 5.
    pub members: u8,
    /// The volume of each.
    pub storage: Storage,
    /// Of each `mongod`.
    pub resources: ResourceRequirements,
    /// The user and group that `mongod` runs as; not root.
    pub run_as_user: i64,
    /// Where they run.
    pub placement: Placement,
}

/// The volume of a member.
#[derive(Clone, Debug, PartialEq)]
pub struct Storage {
    /// How large.
    pub size: Quantity,
    /// The storage class; the cluster's default if none is named.
    pub class: Option<String>,
    /// What becomes of it when the `SessionStore` is deleted.
    pub when_deleted: Retention,
    /// What becomes of it when its member is scaled away.
    pub when_scaled: Retention,
}

/// What becomes of a volume that is no longer used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// It stays, with its data.
    Retain,
    /// It goes, with its data.
    Delete,
}

impl Retention {
    /// As it stands in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Retain => "Retain",
            Self::Delete => "Delete",
        }
    }
}

/// An entry of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretKey {
    /// The Secret's name, in the namespace of the `SessionStore`.
    pub name: String,
    /// Which of its entries.
    pub key: String,
}

/// The service.
#[derive(Clone, Debug, PartialEq)]
pub struct Api {
    /// The service's image.
    pub image: String,
    /// How many pods.
    pub scale: Scale,
    /// Of each.
    pub resources: ResourceRequirements,
    /// How it is reached.
    pub service: ApiService,
    /// What it logs.
    pub log: String,
    /// Where it sends traces.
    pub otlp_endpoint: Option<String>,
    /// Further settings by the names of the service's flags; none that the operator sets itself.
    pub settings: BTreeMap<String, String>,
    /// Where they run.
    pub placement: Placement,
}

/// How many pods the API has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Always so many.
    Fixed(i32),
    /// By load.
    Auto {
        /// At least so many.
        min: i32,
        /// At most so many.
        max: i32,
        /// The share of the requested CPU that is aimed at, in per cent.
        cpu_percent: i32,
    },
}

/// The Service of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiService {
    /// `ClusterIP`, `NodePort` or `LoadBalancer`.
    pub kind: String,
    /// For the load balancer's controller.
    pub annotations: BTreeMap<String, String>,
}

/// Who looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitoring {
    /// Whether a `ServiceMonitor` is made, where its kind exists.
    pub service_monitor: bool,
    /// Labels of the `ServiceMonitor`, by which a Prometheus chooses it.
    pub labels: BTreeMap<String, String>,
    /// The namespace from which metrics may be scraped; from all if none is named.
    pub scraper_namespace: Option<String>,
}
