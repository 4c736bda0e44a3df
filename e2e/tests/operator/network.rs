//! Who reaches whom. Each way that has to be closed is tried by the same means as those that have
//! to be open.

use std::{fmt::Write, process::Command};

use rustix::process::Pid;
use serde_json::{Value, json};

use crate::{
    Place, eventually, specs,
    support::{
        kept::Kept,
        lab::{self, cluster, output_of},
        processes,
        store::{Part, Store, is_ready_pod, uid_of},
    },
};

/// A pod that has nothing to do with any store, until this is dropped.
struct Stranger {
    namespace: String,
    name: &'static str,
}

impl Stranger {
    async fn in_namespace(namespace: &str) -> Self {
        Self::labelled(namespace, "e2e-stranger", &json!({})).await
    }

    /// One that says to be something else.
    async fn labelled(namespace: &str, name: &'static str, labels: &Value) -> Self {
        lab::apply(&json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [{
                    "name": "busybox",
                    "image": "localhost/busybox:1",
                    "command": ["sleep", "100000"],
                }],
            },
        }))
        .await;
        let stranger = Self {
            namespace: namespace.to_owned(),
            name,
        };
        eventually("the stranger runs", async || {
            let pod = lab::get(&["--namespace", namespace, "pod", name]).await;
            is_ready_pod(&pod).then_some(())
        })
        .await;
        stranger
    }

    /// Asks this address, as a pod does.
    async fn asks(&self, url: &str) -> Result<String, String> {
        let inside = ["--namespace", &self.namespace, "exec", self.name, "--"];
        lab::try_kubectl(&[&inside[..], &FETCH, &[url]].concat()).await
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let here = ["--namespace", &self.namespace];
        let delete = ["delete", "pod", self.name, "--ignore-not-found"];
        let _ = output_of(cluster().kubectl().args(here).args(delete));
    }
}

/// A namespace besides that of the test, until this is dropped.
struct Neighbour {
    namespace: String,
}

impl Neighbour {
    async fn of(place: &Place, name: &str) -> Self {
        let namespace = format!("{}-{name}", place.namespace);
        lab::kubectl(&["delete", "namespace", &namespace, "--ignore-not-found"]).await;
        lab::kubectl(&["create", "namespace", &namespace]).await;
        Self { namespace }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let args = ["delete", "namespace", &self.namespace];
        let _ = output_of(cluster().kubectl().args(args));
    }
}

/// (Debian's wget of busybox dies of its own option for a time limit.)
const FETCH: [&str; 7] = ["timeout", "2", "wget", "-q", "-O", "-", "--"];

/// Asks from where a pod of the store is, whose image has no program to ask with.
fn from_inside(process: Pid, url: &str) -> Result<String, String> {
    let mut command = Command::new("nsenter");
    command
        .args(["--net", "--target", &process.as_raw_nonzero().to_string()])
        .arg("busybox")
        .args(FETCH)
        .arg(url);
    output_of(&mut command)
}

/// The process of the first pod of a part.
async fn process_of(store: &Store, part: Part, program: &str) -> Pid {
    let pods = store.pods(part).await;
    processes::of(uid_of(&pods[0]), program)[0]
}

/// The ports of the store: of each pod, by its address.
struct Ports {
    /// mongod says in HTTP that it does not speak it.
    members: Vec<String>,
    admin: Vec<String>,
    api: Vec<String>,
}

impl Ports {
    async fn of(store: &Store) -> Self {
        let urls = |pods: &[Value], rest: &str| {
            let address = |pod: &Value| pod["status"]["podIP"].as_str().unwrap().to_owned();
            let pods = pods.iter();
            pods.map(|it| format!("http://{}:{rest}", address(it)))
                .collect()
        };
        let members = store.pods(Part::Members).await;
        let api = store.pods(Part::Api).await;
        Self {
            members: urls(&members, "27017"),
            admin: urls(&api, "9090/livez"),
            api: urls(&api, "8080/v1/sessions?limit=1"),
        }
    }
}

/// Who asks.
struct People {
    strangers: Vec<Stranger>,
    scraper: Stranger,
    /// A process of the API, one of a member, and one of the API of another store.
    api: Pid,
    member: Pid,
    other_api: Pid,
    /// What listens outside of the store.
    outside: String,
}

impl People {
    /// The ways that are open and should not be, and those that should be and are not.
    async fn wrong_ways(&self, ports: &Ports, service: &String) -> String {
        let mut wrong = String::new();
        let mut check = |who: &str, url: &str, allowed: bool, answer: Result<String, String>| {
            if answer.is_ok() != allowed {
                writeln!(wrong, "{who} asks {url}: {answer:?}").unwrap();
            }
        };
        for stranger in &self.strangers {
            let who = format!("{} of {}", stranger.name, stranger.namespace);
            let who = who.as_str();
            for url in ports.members.iter().chain(&ports.admin) {
                check(who, url, false, stranger.asks(url).await);
            }
            for url in ports.api.iter().chain([service]) {
                check(who, url, true, stranger.asks(url).await);
            }
        }
        for url in &ports.admin {
            check("the scraper", url, true, self.scraper.asks(url).await);
        }
        for url in &ports.members {
            check("the scraper", url, false, self.scraper.asks(url).await);
        }
        for url in &ports.members {
            check("the API", url, true, from_inside(self.api, url));
        }
        for url in ports.members.iter().chain(&ports.admin) {
            let answer = from_inside(self.other_api, url);
            check("the API of another store", url, false, answer);
        }
        // An API may have its database, and send its traces, anywhere.
        let outside = &self.outside;
        check("the API", outside, true, from_inside(self.api, outside));
        check(
            "a member",
            outside,
            false,
            from_inside(self.member, outside),
        );
        // Members talk to members, and to nobody else.
        for url in &ports.members {
            check("a member", url, true, from_inside(self.member, url));
        }
        for url in &ports.api {
            check("a member", url, false, from_inside(self.member, url));
        }
        wrong
    }
}

#[tokio::test]
async fn strangers_reach_the_api_alone_and_the_parts_of_a_store_what_they_need() {
    let place = Place::beside_others("network").await;
    let elsewhere = Neighbour::of(&place, "elsewhere").await;
    let monitoring = Neighbour::of(&place, "monitoring").await;
    let mut spec = specs::members(3);
    spec["monitoring"] = json!({"scraperNamespace": monitoring.namespace});
    let store = place.store("voice", &spec).await;
    let other = place.store("other", &specs::one_member()).await;
    let operator = json!({"app.kubernetes.io/name": "sessionstore-operator"});
    let api = json!({
        "app.kubernetes.io/name": "sessionstore",
        "app.kubernetes.io/instance": "voice",
        "app.kubernetes.io/component": "api",
    });
    let strangers = [
        Stranger::in_namespace(&place.namespace).await,
        Stranger::in_namespace(&elsewhere.namespace).await,
        // Of the operator's namespace, and not the operator.
        Stranger::in_namespace(lab::OPERATOR).await,
        // Elsewhere a label is a claim that anybody can make.
        Stranger::labelled(&elsewhere.namespace, "e2e-operator", &operator).await,
        Stranger::labelled(&elsewhere.namespace, "e2e-api", &api).await,
    ];
    let scraper = Stranger::in_namespace(&monitoring.namespace).await;
    // Members, API and operator reach what they need: else it would not be so.
    store.await_whole().await;
    other.await_whole().await;
    Kept::write(&store).await.assert_there(&store).await;

    let people = People {
        strangers: strangers.into(),
        scraper,
        api: process_of(&store, Part::Api, "sessionstore").await,
        member: process_of(&store, Part::Members, "mongod").await,
        other_api: process_of(&other, Part::Api, "sessionstore").await,
        outside: Ports::of(&other).await.api.swap_remove(0),
    };
    let ports = Ports::of(&store).await;
    let service = format!(
        "http://voice-api.{}.svc/v1/sessions?limit=1",
        place.namespace
    );
    // Policies come into force a moment after the pods that they are about.
    eventually("every way is open or closed as it is to be", async || {
        let wrong = people.wrong_ways(&ports, &service).await;
        if !wrong.is_empty() {
            eprintln!("{wrong}");
        }
        wrong.is_empty().then_some(())
    })
    .await;
}
