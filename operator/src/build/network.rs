//! Who may talk to whom; all else is refused.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::build::{Environment, Object, metadata};
use crate::desired::{Monitoring, Owner};
use crate::kind::Kind;
use crate::names::{ADMIN_PORT, Component, FIELD_MANAGER, HTTP_PORT, MONGODB_PORT};

/// Members talk to each other and ask for names; the API and the operator talk to them.
pub(super) fn members(owner: &Owner, environment: &Environment) -> Object {
    let members = pods(owner.selector(Component::Mongodb));
    let operator = NetworkPolicyPeer {
        namespace_selector: Some(namespace(&environment.operator_namespace)),
        pod_selector: Some(labelled(
            [(
                "app.kubernetes.io/name".to_owned(),
                FIELD_MANAGER.to_owned(),
            )]
            .into(),
        )),
        ..NetworkPolicyPeer::default()
    };
    let ingress = NetworkPolicyIngressRule {
        from: Some(vec![
            members.clone(),
            pods(owner.selector(Component::Api)),
            operator,
        ]),
        ports: Some(vec![tcp(MONGODB_PORT)]),
    };
    let egress = vec![
        NetworkPolicyEgressRule {
            to: Some(vec![members]),
            ports: Some(vec![tcp(MONGODB_PORT)]),
        },
        // Wherever the cluster's name server runs.
        NetworkPolicyEgressRule {
            to: None,
            ports: Some(vec![port("UDP", 53), port("TCP", 53)]),
        },
    ];
    policy(owner, Component::Mongodb, vec![ingress], Some(egress))
}

/// Everybody may call the API; its metrics are for the one who scrapes them. It may talk to all: a
/// replica set elsewhere and a collector of traces are anywhere.
pub(super) fn api(owner: &Owner, monitoring: &Monitoring) -> Object {
    let everybody = NetworkPolicyIngressRule {
        from: None,
        ports: Some(vec![tcp(HTTP_PORT)]),
    };
    let scraper = NetworkPolicyPeer {
        namespace_selector: Some(match &monitoring.scraper_namespace {
            Some(name) => namespace(name),
            None => LabelSelector::default(),
        }),
        ..NetworkPolicyPeer::default()
    };
    let scraping = NetworkPolicyIngressRule {
        from: Some(vec![scraper]),
        ports: Some(vec![tcp(ADMIN_PORT)]),
    };
    policy(owner, Component::Api, vec![everybody, scraping], None)
}

fn policy(
    owner: &Owner,
    component: Component,
    ingress: Vec<NetworkPolicyIngressRule>,
    egress: Option<Vec<NetworkPolicyEgressRule>>,
) -> Object {
    let name = owner.part(component);
    let mut types = vec!["Ingress".to_owned()];
    if egress.is_some() {
        types.push("Egress".to_owned());
    }
    let policy = NetworkPolicy {
        metadata: metadata(owner, &name, component),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(labelled(owner.selector(component))),
            policy_types: Some(types),
            ingress: Some(ingress),
            egress,
        }),
    };
    Object::new(Kind::NetworkPolicy, &name, &policy)
}

fn pods(labels: BTreeMap<String, String>) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        pod_selector: Some(labelled(labels)),
        ..NetworkPolicyPeer::default()
    }
}

fn namespace(name: &str) -> LabelSelector {
    // Set by the API server on every namespace.
    labelled([("kubernetes.io/metadata.name".to_owned(), name.to_owned())].into())
}

fn labelled(labels: BTreeMap<String, String>) -> LabelSelector {
    LabelSelector {
        match_labels: Some(labels),
        ..LabelSelector::default()
    }
}

fn tcp(number: u16) -> NetworkPolicyPort {
    port("TCP", number)
}

fn port(protocol: &str, number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.to_owned()),
        port: Some(IntOrString::Int(i32::from(number))),
        ..NetworkPolicyPort::default()
    }
}
