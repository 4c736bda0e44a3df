//! Names that are derived from the name of a `SessionStore`, labels, and fixed names. Pure.
//!
//! The longest is 19 characters longer than the resource's own name, which the CRD keeps to 40, so
//! that all stay within the 63 of a DNS label.

use std::collections::BTreeMap;

use crate::desired::Owner;

/// Who applies, in managed fields.
pub const FIELD_MANAGER: &str = "sessionstore-operator";
/// Who sets the number of pods, apart from all else, so that an autoscaler can take it over.
pub const SCALE_MANAGER: &str = "sessionstore-operator-scale";
/// By which the operator finds what it has made.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", FIELD_MANAGER);
/// The label that names the `SessionStore`.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// The label that tells members from the API.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// The condition of a member's pod that the operator sets: it takes part in the replica set.
pub const READINESS_GATE: &str = "sessionstore.dev/member";
/// The pod annotation that changes when what a pod has read at its start has changed.
pub const CONFIG_HASH: &str = "sessionstore.dev/config-hash";
/// The annotation of the members' `StatefulSet` with the digest of the template that was applied.
pub const TEMPLATE_HASH: &str = "sessionstore.dev/template-hash";

/// The port of `mongod`.
pub const MONGODB_PORT: u16 = 27017;
/// The port of the API.
pub const HTTP_PORT: u16 = 8080;
/// The port of the API's probes and metrics.
pub const ADMIN_PORT: u16 = 9090;

/// The database, the service's user in it and its role there (`service/mongodb-role.json`).
pub const DATABASE: &str = "sessionstore";

/// A part of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// The members of the replica set.
    Mongodb,
    /// The service.
    Api,
}

impl Component {
    /// As it stands in labels and at the end of names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mongodb => "mongodb",
            Self::Api => "api",
        }
    }
}

impl Owner {
    /// The name of the objects of one part: `NAME-mongodb`, `NAME-api`.
    pub fn part(&self, component: Component) -> String {
        format!("{}-{}", self.name, component.name())
    }

    /// The Secret with the members' common key.
    pub fn key_secret(&self) -> String {
        format!("{}-mongodb-key", self.name)
    }

    /// The Secret with the operator's own login.
    pub fn operator_secret(&self) -> String {
        format!("{}-mongodb-operator", self.name)
    }

    /// The Secret with the login of the service.
    pub fn user_secret(&self) -> String {
        format!("{}-mongodb-user", self.name)
    }

    /// The Secret with the connection string, which is made of that login and may change.
    pub fn uri_secret(&self) -> String {
        format!("{}-mongodb-uri", self.name)
    }

    /// The name of a member's pod.
    pub fn pod(&self, ordinal: usize) -> String {
        format!("{}-{ordinal}", self.part(Component::Mongodb))
    }

    /// The name of a member's claim for its volume.
    pub fn claim(&self, ordinal: usize) -> String {
        format!("data-{}", self.pod(ordinal))
    }

    /// The name under which all members are found, whatever state they are in.
    pub fn members_host(&self, domain: &str) -> String {
        let service = self.part(Component::Mongodb);
        format!("{service}.{}.svc.{domain}", self.namespace)
    }

    /// Host and port of a member, as the replica set's configuration has it: in full, so that it
    /// means the same in every namespace.
    pub fn member_host(&self, ordinal: usize, domain: &str) -> String {
        format!(
            "{}.{}:{MONGODB_PORT}",
            self.pod(ordinal),
            self.members_host(domain)
        )
    }

    /// Where the API is reached inside the cluster.
    pub fn url(&self, domain: &str) -> String {
        let service = self.part(Component::Api);
        format!("http://{service}.{}.svc.{domain}", self.namespace)
    }

    /// Labels that tell the pods of one part from all others; they never change.
    pub fn selector(&self, component: Component) -> BTreeMap<String, String> {
        [
            ("app.kubernetes.io/name", "sessionstore"),
            (INSTANCE, &self.name),
            (COMPONENT, component.name()),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
    }

    /// The labels of all objects of one part.
    pub fn labels(&self, component: Component) -> BTreeMap<String, String> {
        let mut labels = self.selector(component);
        labels.insert(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned());
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_longest_owner_is_a_dns_label() {
        let owner = Owner {
            name: "a".repeat(40),
            namespace: "default".to_owned(),
            uid: String::new(),
        };
        let names = [
            owner.part(Component::Mongodb),
            owner.part(Component::Api),
            owner.key_secret(),
            owner.operator_secret(),
            owner.user_secret(),
            owner.uri_secret(),
            owner.pod(9),
            owner.claim(9),
            // The label that a StatefulSet gives its pods: its name and ten characters.
            format!("{}-0123456789", owner.part(Component::Mongodb)),
        ];
        assert_eq!(names.map(|name| name.len()).into_iter().max(), Some(59));
    }
}
