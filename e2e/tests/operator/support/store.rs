//! One `SessionStore`, as those who run it see it.

use serde_json::{Value, json};
use sessionstore_e2e::{client::Api, target::Target};
use tokio::net::TcpStream;

use super::{
    lab::{self, cluster},
    wait::{PATIENCE, eventually},
};

/// One `SessionStore`.
pub(crate) struct Store {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// A part of a store.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Members,
    Api,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Members => "mongodb",
            Self::Api => "api",
        }
    }
}

impl Store {
    /// One that is not applied yet.
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Applies it anew with this spec.
    pub(crate) async fn apply(&self, spec: &Value) {
        lab::apply(&json!({
            "apiVersion": "sessionstore.dev/v1alpha1",
            "kind": "SessionStore",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": spec,
        }))
        .await;
    }

    /// Changes its spec by a merge patch.
    pub(crate) async fn change(&self, spec: &Value) {
        let patch = json!({ "spec": spec }).to_string();
        let args = [
            "patch",
            "sst",
            &self.name,
            "--type=merge",
            "--patch",
            &patch,
        ];
        self.kubectl(&args).await;
    }

    /// Deletes it; what it owns goes afterwards.
    pub(crate) async fn delete(&self) {
        self.kubectl(&["delete", "sst", &self.name]).await;
    }

    /// The claims of its members' volumes, also of one that has been deleted.
    pub(crate) async fn claims(&self) -> Vec<Value> {
        let selector = format!("--selector=app.kubernetes.io/instance={}", self.name);
        lab::list(&["--namespace", &self.namespace, "pvc", &selector]).await
    }

    /// What kubectl prints, asked about the namespace.
    pub(crate) async fn kubectl(&self, args: &[&str]) -> String {
        lab::kubectl(&[&["--namespace", &self.namespace], args].concat()).await
    }

    /// Waits until `kubectl wait` sees this of it.
    pub(crate) async fn wait_for(&self, what: &str) {
        let it = format!("sst/{}", self.name);
        let what = format!("--for={what}");
        let timeout = format!("--timeout={}s", PATIENCE.as_secs());
        self.kubectl(&["wait", &what, &it, &timeout]).await;
    }

    /// Waits until it is as its newest spec wants it.
    pub(crate) async fn await_ready(&self) {
        self.wait_for("condition=Ready").await;
    }

    /// Waits until it is whole: every pod of this spec ready and no other one there, every member
    /// well, and the operator content. Unlike the condition alone this is not fooled by a status
    /// from before the last blow. Only for an API with a fixed number of pods.
    pub(crate) async fn await_whole(&self) {
        eventually("the store is whole", async || {
            let store = self.object().await;
            let resolved = &store["status"]["resolved"];
            let [members, replicas] = ["members", "replicas"].map(|it| resolved[it].as_u64());
            let is_ready = condition(&store, "Ready").is_some_and(|it| {
                it["status"] == "True"
                    && it["observedGeneration"] == store["metadata"]["generation"]
            });
            let all_well =
                store["status"]["mongodb"]["membersReady"] == json!(format!("{0}/{0}", members?));
            let ready = async |part| {
                let pods = self.pods(part).await;
                let all = pods.iter().all(is_ready_pod);
                all.then_some(pods.len() as u64)
            };
            let is_whole = is_ready
                && all_well
                && ready(Part::Members).await == members
                && ready(Part::Api).await == replicas;
            is_whole.then_some(())
        })
        .await;
    }

    /// The object as it is now.
    pub(crate) async fn object(&self) -> Value {
        lab::get(&["--namespace", &self.namespace, "sst", &self.name]).await
    }

    /// What its status has at a JSON pointer.
    pub(crate) async fn status(&self, pointer: &str) -> Value {
        let mut object = self.object().await;
        let found = object["status"].pointer_mut(pointer).map(Value::take);
        found.unwrap_or_default()
    }

    /// How the API reaches the members.
    pub(crate) async fn connection_string(&self) -> String {
        let secret = format!("{}-mongodb-uri", self.name);
        let uri = "--output=go-template={{.data.uri | base64decode}}";
        self.kubectl(&["get", "secret", &secret, uri]).await
    }

    /// The name of the pod that is the primary.
    pub(crate) async fn primary(&self) -> String {
        eventually("there is a primary", async || {
            let primary = self.status("/mongodb/primary").await;
            primary.as_str().map(str::to_owned)
        })
        .await
    }

    /// Its pods of one part.
    pub(crate) async fn pods(&self, part: Part) -> Vec<Value> {
        let selector = format!(
            "--selector=app.kubernetes.io/instance={},app.kubernetes.io/component={}",
            self.name,
            part.name()
        );
        lab::list(&["--namespace", &self.namespace, "pods", &selector]).await
    }

    /// One pod.
    pub(crate) async fn pod(&self, name: &str) -> Value {
        lab::get(&["--namespace", &self.namespace, "pod", name]).await
    }

    /// The number of the node that a pod runs on.
    pub(crate) async fn node_of(&self, pod: &str) -> usize {
        let pod = self.pod(pod).await;
        let node = pod["spec"]["nodeName"].as_str().expect("it is on a node");
        node.trim_start_matches("node").parse().unwrap()
    }

    /// A new client outside of the cluster, whose connections go to any pod of the API by way of
    /// these nodes in turn. Only for a Service of type `NodePort`.
    pub(crate) async fn client_by(&self, nodes: &[usize]) -> Api {
        Api::of(Target::new(&self.urls_by(nodes).await.join(","), None))
    }

    /// A new client by way of all nodes.
    pub(crate) async fn client(&self) -> Api {
        self.client_by(&[1, 2, 3]).await
    }

    /// The address of the Service on each of these nodes.
    pub(crate) async fn urls_by(&self, nodes: &[usize]) -> Vec<String> {
        let service = format!("{}-api", self.name);
        let service = lab::get(&["--namespace", &self.namespace, "service", &service]).await;
        let port = &service["spec"]["ports"][0];
        assert_eq!(port["name"], "http");
        let port = port["nodePort"].as_u64().expect("the type is NodePort");
        let mut urls = Vec::new();
        for number in nodes {
            let address = format!("{}:{port}", cluster().node(*number).address());
            // A node hears of pods that are ready a moment after everybody else.
            eventually("the node's port leads to the API", async || {
                TcpStream::connect(&address).await.ok()
            })
            .await;
            urls.push(format!("http://{address}"));
        }
        urls
    }
}

/// The condition of a type that an object's status has.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let mut conditions = object["status"]["conditions"].as_array()?.iter();
    conditions.find(|it| it["type"] == kind)
}

/// Whether a pod takes part, and is to go on doing so.
pub(crate) fn is_ready_pod(pod: &Value) -> bool {
    let is_leaving = pod["metadata"].get("deletionTimestamp").is_some();
    !is_leaving && condition(pod, "Ready").is_some_and(|it| it["status"] == "True")
}

/// How often the containers of a pod have been started anew.
pub(crate) fn restarts(pod: &Value) -> u64 {
    let containers = pod["status"]["containerStatuses"].as_array();
    let containers = containers.into_iter().flatten();
    containers
        .map(|it| it["restartCount"].as_u64().unwrap())
        .sum()
}

/// The name of an object.
pub(crate) fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

/// What tells a pod from the one that had its name before.
pub(crate) fn uid_of(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap()
}
