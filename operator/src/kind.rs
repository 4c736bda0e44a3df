//! The kinds of objects that belong to a `SessionStore`, and where the API server keeps them.

use kube::api::{ApiResource, GroupVersionKind};

/// A kind of object that the operator makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Keys, passwords and connection strings.
    Secret,
    /// Names and addresses of members and of the API.
    Service,
    /// Who may talk to whom.
    NetworkPolicy,
    /// How many pods may be taken away at once.
    PodDisruptionBudget,
    /// The members of the replica set.
    StatefulSet,
    /// The API.
    Deployment,
    /// How many pods the API has, by load.
    HorizontalPodAutoscaler,
    /// What Prometheus scrapes, where its operator is installed.
    ServiceMonitor,
}

impl Kind {
    /// All of them, in the order in which they are applied: what others refer to comes first.
    pub const ALL: [Self; 8] = [
        Self::Secret,
        Self::Service,
        Self::NetworkPolicy,
        Self::PodDisruptionBudget,
        Self::StatefulSet,
        Self::Deployment,
        Self::HorizontalPodAutoscaler,
        Self::ServiceMonitor,
    ];

    /// Those that every Kubernetes has.
    pub fn is_built_in(self) -> bool {
        self != Self::ServiceMonitor
    }

    /// As it stands in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::Service => "Service",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::StatefulSet => "StatefulSet",
            Self::Deployment => "Deployment",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            Self::ServiceMonitor => "ServiceMonitor",
        }
    }

    /// As it stands in paths.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::Service => "services",
            Self::NetworkPolicy => "networkpolicies",
            Self::PodDisruptionBudget => "poddisruptionbudgets",
            Self::StatefulSet => "statefulsets",
            Self::Deployment => "deployments",
            Self::HorizontalPodAutoscaler => "horizontalpodautoscalers",
            Self::ServiceMonitor => "servicemonitors",
        }
    }

    /// Group, version and plural name, for requests.
    pub fn resource(self) -> ApiResource {
        let (group, version) = match self {
            Self::Secret | Self::Service => ("", "v1"),
            Self::NetworkPolicy => ("networking.k8s.io", "v1"),
            Self::PodDisruptionBudget => ("policy", "v1"),
            Self::StatefulSet | Self::Deployment => ("apps", "v1"),
            Self::HorizontalPodAutoscaler => ("autoscaling", "v2"),
            Self::ServiceMonitor => ("monitoring.coreos.com", "v1"),
        };
        let gvk = GroupVersionKind::gvk(group, version, self.name());
        ApiResource::from_gvk_with_plural(&gvk, self.plural())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_refer_to_is_applied_first() {
        let mut sorted = Kind::ALL;
        sorted.sort();
        assert_eq!(sorted, Kind::ALL);
    }
}
