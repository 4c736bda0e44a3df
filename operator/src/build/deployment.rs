//! The API: stateless pods of the service.

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::{
    Container, EnvVar, EnvVarSource, HTTPGetAction, PodSpec, PodTemplateSpec, Probe,
    SecretKeySelector,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::build::pod::{
    ADMIN, HTTP, OWN_USER, apart, container_port, container_security, empty_folder, mount,
    pod_security, pull_secrets, selector, tolerations, zones,
};
use crate::build::secret::URI;
use crate::build::{Backend, Environment, Object, digest, metadata, some};
use crate::desired::{Api, Desired, SecretKey};
use crate::kind::Kind;
use crate::names::{ADMIN_PORT, CONFIG_HASH, Component, HTTP_PORT};

/// How long the port stays open after readiness has failed: until every node has heard of it.
const SHUTDOWN_DELAY_SECONDS: i64 = 5;
/// How long requests in flight may then take, see `--shutdown-timeout` of the service.
const SHUTDOWN_SECONDS: i64 = 25;
/// What is left before the pod is killed.
const MARGIN_SECONDS: i64 = 5;

pub(super) fn api(desired: &Desired, environment: &Environment, backend: Backend<'_>) -> Object {
    let owner = &desired.owner;
    let name = owner.part(Component::Api);
    // A pod reads its connection string once, so a new one is a new template.
    let (secret, config) = match backend {
        Backend::Managed { credentials, .. } => {
            let uri = credentials.uri(owner, &environment.cluster_domain);
            let secret = SecretKey {
                name: owner.uri_secret(),
                key: URI.to_owned(),
            };
            (secret, digest([uri.as_bytes()]))
        }
        Backend::External { secret, digest } => (secret.clone(), digest.to_owned()),
    };
    let deployment = Deployment {
        metadata: metadata(owner, &name, Component::Api),
        spec: Some(DeploymentSpec {
            // `replicas` is set apart from all else, see `apply::scale`.
            selector: selector(owner, Component::Api),
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                // A new pod is ready before an old one goes.
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::Int(1)),
                    max_unavailable: Some(IntOrString::Int(0)),
                }),
            }),
            revision_history_limit: Some(3),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(owner.labels(Component::Api)),
                    annotations: Some([(CONFIG_HASH.to_owned(), config)].into()),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(desired, secret)),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    };
    Object::new(Kind::Deployment, &name, &deployment)
}

fn pod(desired: &Desired, secret: SecretKey) -> PodSpec {
    let Desired { owner, api, .. } = desired;
    let grace = SHUTDOWN_DELAY_SECONDS + SHUTDOWN_SECONDS + MARGIN_SECONDS;
    PodSpec {
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(pod_security(OWN_USER)),
        termination_grace_period_seconds: Some(grace),
        affinity: Some(apart(owner, Component::Api)),
        node_selector: some(&api.placement.node_selector),
        tolerations: tolerations(&api.placement),
        priority_class_name: api.placement.priority_class.clone(),
        image_pull_secrets: pull_secrets(desired),
        topology_spread_constraints: Some(zones(owner, Component::Api)),
        volumes: Some(vec![empty_folder("tmp", None, "64Mi")]),
        containers: vec![Container {
            name: "api".to_owned(),
            image: Some(api.image.clone()),
            image_pull_policy: Some("IfNotPresent".to_owned()),
            env: Some(variables(api, secret)),
            ports: Some(vec![
                container_port(HTTP, HTTP_PORT),
                container_port(ADMIN, ADMIN_PORT),
            ]),
            // It starts within a second; what takes longer is the store, which readiness tells.
            startup_probe: Some(probe("/livez", 1, 30)),
            liveness_probe: Some(probe("/livez", 10, 3)),
            readiness_probe: Some(probe("/readyz", 2, 1)),
            resources: Some(api.resources.clone()),
            security_context: Some(container_security()),
            volume_mounts: Some(vec![mount("tmp", "/tmp")]),
            ..Container::default()
        }],
        ..PodSpec::default()
    }
}

/// The service reads each of its flags from the environment too.
fn variables(api: &Api, secret: SecretKey) -> Vec<EnvVar> {
    // Not in a file: an image may have a URL of its own, which only the same variable overrides.
    let store = EnvVar {
        name: variable("store-url"),
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: secret.name,
                key: secret.key,
                ..SecretKeySelector::default()
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    };
    let own = [
        ("http-addr", format!("0.0.0.0:{HTTP_PORT}")),
        ("admin-addr", format!("0.0.0.0:{ADMIN_PORT}")),
        ("log", api.log.clone()),
        ("log-format", "json".to_owned()),
        ("shutdown-delay", format!("{SHUTDOWN_DELAY_SECONDS}s")),
        ("shutdown-timeout", format!("{SHUTDOWN_SECONDS}s")),
    ];
    let own = own.into_iter();
    let given = api.settings.iter();
    let settings = own.chain(given.map(|(name, value)| (name.as_str(), value.clone())));
    let settings = settings.map(|(name, value)| (variable(name), value));
    let tracing = api.otlp_endpoint.clone();
    let tracing = tracing.map(|endpoint| ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), endpoint));
    let values = settings.chain(tracing).map(|(name, value)| EnvVar {
        name,
        value: Some(value),
        ..EnvVar::default()
    });
    std::iter::once(store).chain(values).collect()
}

fn variable(flag: &str) -> String {
    format!("SESSIONSTORE_{}", flag.to_uppercase().replace('-', "_"))
}

fn probe(path: &str, period_seconds: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(ADMIN.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(2),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}
