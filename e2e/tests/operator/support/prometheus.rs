//! A Prometheus in the cluster, with the targets and labels that the Prometheus Operator would find
//! by the `ServiceMonitor`s of chart and operator.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sessionstore_cluster::Image;

use super::{
    lab::{self, OPERATOR, cluster},
    operator,
    store::{Part, Store, name_of},
};

/// The name of its pod and of its configuration.
const NAME: &str = "prometheus";

/// A Prometheus.
pub(crate) struct Prometheus {
    namespace: String,
}

impl Prometheus {
    /// Starts one beside this store, which scrapes its API and the operator every second and raises
    /// these alerts.
    pub(crate) async fn start(store: &Store, alerts: &str) -> Self {
        tokio::task::spawn_blocking(|| {
            let binary = sessionstore_fetch::prometheus().unwrap().join("prometheus");
            let image = Image::prometheus(&binary).unwrap();
            cluster().load(&image).unwrap();
        })
        .await
        .unwrap();
        let namespace = store.namespace.as_str();
        let api = targets(
            &store.pods(Part::Api).await,
            &format!("{}-api", store.name),
            9090,
        );
        let operator = targets(&operator::pods().await, OPERATOR, 8080);
        let configuration = configuration(&api, &operator);
        let labels = json!({"app": NAME});
        let here = json!({"name": NAME, "namespace": namespace, "labels": labels});
        lab::apply(&json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": here,
            // JSON is YAML.
            "data": {
                "prometheus.yml": configuration.to_string(),
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

/// Debian's Prometheus cannot ask Kubernetes, so that it is told what there is.
fn configuration(api: &Value, operator: &Value) -> Value {
    json!({
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["/etc/prometheus/alerts.yml"],
        "scrape_configs": [
            {"job_name": "api", "static_configs": api},
            // `namespace` in the operator's metrics is that of a store, and stays so.
            {"job_name": "operator", "static_configs": operator, "honor_labels": true},
        ],
    })
}

/// Each pod behind a Service.
fn targets(pods: &[Value], service: &str, port: u16) -> Value {
    let target = |pod: &Value| {
        let address = pod["status"]["podIP"].as_str().expect("it is on a node");
        json!({
            "targets": [format!("{address}:{port}")],
            "labels": {
                "namespace": pod["metadata"]["namespace"],
                "service": service,
                "job": service,
                "pod": name_of(pod),
                "container": pod["spec"]["containers"][0]["name"],
                "endpoint": "admin",
            },
        })
    };
    pods.iter().map(target).collect()
}
