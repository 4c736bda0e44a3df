//! A Prometheus in the cluster, as the Prometheus Operator would configure one for the
//! `ServiceMonitor`s of chart and operator.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sessionstore_cluster::Image;

use super::lab::{self, OPERATOR, cluster};

/// The name of all that belongs to it, and of its permission in the namespaces it looks into.
const NAME: &str = "prometheus";

/// A Prometheus.
pub(crate) struct Prometheus {
    namespace: String,
}

impl Prometheus {
    /// Starts one in this namespace, which scrapes the stores there and the operator every second,
    /// and raises these alerts.
    pub(crate) async fn start(namespace: &str, alerts: &str) -> Self {
        tokio::task::spawn_blocking(|| {
            let binary = sessionstore_fetch::prometheus().unwrap().join("prometheus");
            let image = Image::prometheus(&binary).unwrap();
            cluster().load(&image).unwrap();
        })
        .await
        .unwrap();
        for looked_into in [namespace, OPERATOR] {
            lab::apply(&permission(looked_into, namespace)).await;
        }
        let labels = json!({"app": NAME});
        let here = json!({"name": NAME, "namespace": namespace, "labels": labels});
        lab::apply(&json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": here,
            // JSON is YAML.
            "data": {
                "prometheus.yml": configuration(namespace).to_string(),
                "alerts.yml": alerts,
            },
        }))
        .await;
        lab::apply(&json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": here,
            "spec": {
                "containers": [{
                    "name": NAME,
                    "image": "localhost/prometheus:2",
                    "args": ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/data"],
                    "ports": [{"containerPort": 9090}],
                    "readinessProbe": {"httpGet": {"path": "/-/ready", "port": 9090}, "periodSeconds": 1},
                    "volumeMounts": [{"name": "configuration", "mountPath": "/etc/prometheus"}],
                }],
                "volumes": [{"name": "configuration", "configMap": {"name": NAME}}],
            },
        }))
        .await;
        let ready = ["--for=condition=Ready", "pod/prometheus", "--timeout=120s"];
        lab::kubectl(&[&["--namespace", namespace, "wait"], &ready[..]].concat()).await;
        Self {
            namespace: namespace.to_owned(),
        }
    }

    /// What an expression finds now: its series.
    pub(crate) async fn query(&self, expression: &str) -> Vec<Value> {
        let expression = utf8_percent_encode(expression, NON_ALPHANUMERIC);
        let answer = self.get(&format!("query?query={expression}")).await;
        match answer.pointer("/data/result") {
            Some(Value::Array(series)) => series.clone(),
            _ => panic!("{expression}: {answer}"),
        }
    }

    async fn get(&self, path: &str) -> Value {
        let namespace = &self.namespace;
        let path = format!("/api/v1/namespaces/{namespace}/pods/{NAME}:9090/proxy/api/v1/{path}");
        serde_json::from_str(&lab::kubectl(&["get", "--raw", &path]).await).unwrap()
    }
}

/// Lets the Prometheus in `namespace` see what there is to scrape in `looked_into`.
fn permission(looked_into: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": NAME, "namespace": looked_into},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
    })
}

/// Of the stores in this namespace, and of the operator.
fn configuration(namespace: &str) -> Value {
    // `namespace` in the operator's metrics is that of a store, and stays so.
    let jobs = [
        job("stores", namespace, false),
        job("operator", OPERATOR, true),
    ];
    json!({
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["/etc/prometheus/alerts.yml"],
        "scrape_configs": jobs,
    })
}

/// Labels as the Prometheus Operator gives them to what a `ServiceMonitor` finds.
fn job(name: &str, namespace: &str, honors_labels: bool) -> Value {
    let label =
        |target: &str, source: &str| json!({"source_labels": [source], "target_label": target});
    json!({
        "job_name": name,
        "honor_labels": honors_labels,
        "kubernetes_sd_configs": [{"role": "endpoints", "namespaces": {"names": [namespace]}}],
        "relabel_configs": [
            {
                "source_labels": ["__meta_kubernetes_endpoint_port_name"],
                "regex": "admin",
                "action": "keep",
            },
            label("namespace", "__meta_kubernetes_namespace"),
            label("service", "__meta_kubernetes_service_name"),
            label("job", "__meta_kubernetes_service_name"),
            label("pod", "__meta_kubernetes_pod_name"),
            label("container", "__meta_kubernetes_pod_container_name"),
            label("endpoint", "__meta_kubernetes_endpoint_port_name"),
        ],
    })
}
