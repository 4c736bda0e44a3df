//! The names of the members, and the address of the API.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::build::pod::{ADMIN, HTTP, MONGODB};
use crate::build::{Object, metadata, some};
use crate::desired::{ApiService, Owner};
use crate::kind::Kind;
use crate::names::{ADMIN_PORT, Component, MONGODB_PORT};

/// Where clients expect HTTP.
const PORT: u16 = 80;

/// Gives each member a name of its own.
pub(super) fn members(owner: &Owner) -> Object {
    let name = owner.part(Component::Mongodb);
    let service = Service {
        metadata: metadata(owner, &name, Component::Mongodb),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            selector: Some(owner.selector(Component::Mongodb)),
            // Members that are not ready have to find each other in order to become it.
            publish_not_ready_addresses: Some(true),
            ports: Some(vec![port(MONGODB, MONGODB_PORT, MONGODB)]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    };
    Object::new(Kind::Service, &name, &service)
}

pub(super) fn api(owner: &Owner, service: &ApiService) -> Object {
    let name = owner.part(Component::Api);
    let mut metadata = metadata(owner, &name, Component::Api);
    metadata.annotations = some(&service.annotations);
    let service = Service {
        metadata,
        spec: Some(ServiceSpec {
            type_: Some(service.kind.clone()),
            selector: Some(owner.selector(Component::Api)),
            ports: Some(vec![
                port(HTTP, PORT, HTTP),
                // For Prometheus; the network policy keeps others away.
                port(ADMIN, ADMIN_PORT, ADMIN),
            ]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    };
    Object::new(Kind::Service, &name, &service)
}

fn port(name: &str, port: u16, target: &str) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: i32::from(port),
        // Part of the key by which ports are merged.
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::String(target.to_owned())),
        ..ServicePort::default()
    }
}
