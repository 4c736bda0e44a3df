//! One node and three: volumes, names, policies, power, cables. A cluster takes a while to come up,
//! so what does not hurt it shares one.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use sessionstore_cluster::{Cluster, Image, Options};

use crate::{Lab, eventually, output_of, traces, turn, up};

/// A pod that waits, with a volume of its own.
const KEEPER: &str = include_str!("manifests/keeper.yaml");

/// A server, a client that it lets in, and one that it does not.
const POLICIES: &str = include_str!("manifests/policies.yaml");

fn size_in_pod(lab: &Lab) -> u64 {
    let table = lab.inside("keeper", &["df", "-k", "/data"]).unwrap();
    let line = table.lines().last().unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn one_node_is_a_whole_cluster() {
    let lab = Lab::up(1);
    volumes_have_a_size_grow_while_in_use_and_go_with_their_claim(&lab);
    names_of_the_cluster_are_known_and_others_are_not(&lab);
    policies_block_what_they_should_and_nothing_else(&lab);
    nothing_leaves_the_machine(&lab);
    an_image_is_loaded_once_and_again_when_it_has_changed(&lab);
    metrics_are_measured(&lab);
    a_second_up_changes_nothing_and_repairs_what_has_died(&lab);

    let folder = lab.folder().to_owned();
    assert!(Cluster::down(&folder).unwrap());
    assert_eq!(traces::of(&folder), Vec::<String>::new());
}

fn volumes_have_a_size_grow_while_in_use_and_go_with_their_claim(lab: &Lab) {
    lab.apply(KEEPER);
    lab.await_ready("keeper");
    let small = size_in_pod(lab);
    assert!(small < 320 * 1024, "{small} KiB");
    let filled = ["dd", "if=/dev/zero", "of=/data/big", "bs=1M", "count=400"];
    let error = lab.inside("keeper", &filled).unwrap_err();
    assert!(error.contains("No space left on device"), "{error}");
    lab.inside("keeper", &["rm", "/data/big"]).unwrap();

    let larger = r#"{"spec":{"resources":{"requests":{"storage":"512Mi"}}}}"#;
    lab.kubectl(&["patch", "pvc", "data", "--patch", larger]);
    eventually("the volume has grown in the pod", || {
        size_in_pod(lab) > 400 * 1024
    });
    eventually("the claim says so", || {
        let capacity = "--output=jsonpath={.status.capacity.storage}";
        lab.kubectl(&["get", "pvc", "data", capacity]) == "512Mi"
    });
    let restarts = "--output=jsonpath={.status.containerStatuses[0].restartCount}";
    assert_eq!(lab.kubectl(&["get", "pod", "keeper", restarts]), "0");

    // Another pod finds what the first has written.
    lab.inside("keeper", &["sh", "-c", "echo here > /data/note && sync"])
        .unwrap();
    lab.kubectl(&["delete", "pod", "keeper"]);
    lab.apply(&KEEPER.replace("300Mi", "512Mi"));
    lab.await_ready("keeper");
    assert_eq!(
        lab.inside("keeper", &["cat", "/data/note"]).unwrap(),
        "here"
    );

    lab.kubectl(&["delete", "pod/keeper", "pvc/data"]);
    let files = || lab.folder().join("volumes").read_dir().unwrap().count();
    eventually("the file of the volume is gone", || files() == 0);
}

fn names_of_the_cluster_are_known_and_others_are_not(lab: &Lab) {
    lab.apply(POLICIES);
    for pod in ["server", "friend", "stranger"] {
        lab.await_ready(pod);
    }
    let address = |name: &str| lab.inside("friend", &["nslookup", name]);
    let api = address("kubernetes.default.svc.cluster.local.").unwrap();
    assert!(api.contains("10.96.0.1"), "{api}");
    assert!(address("example.com.").is_err());
}

/// Asks from inside a pod. (Debian's wget of busybox dies of its own option for a time limit.)
fn fetch(lab: &Lab, pod: &str, url: &str) -> Result<String, String> {
    lab.inside(pod, &["timeout", "2", "wget", "-q", "-O", "-", url])
}

/// The server's page, through its Service.
fn asks(lab: &Lab, pod: &str) -> Result<String, String> {
    fetch(lab, pod, "http://server/hostname")
}

fn policies_block_what_they_should_and_nothing_else(lab: &Lab) {
    eventually("the stranger is locked out", || {
        asks(lab, "stranger").is_err()
    });
    eventually("the friend is let in", || asks(lab, "friend").is_ok());
    lab.kubectl(&["delete", "networkpolicy", "--all"]);
    eventually("without a policy everybody is let in", || {
        asks(lab, "stranger").is_ok()
    });
}

/// Addresses that are nobody's, for documentation only.
const NOWHERE: &str = "203.0.113.1";

fn nothing_leaves_the_machine(lab: &Lab) {
    let before = lab.cluster.leaks().unwrap();
    assert_eq!(before.escaping, 0);
    let node = lab.cluster.node(1);
    let on_node =
        |program: &str, args: &[&str]| output_of(node.command(program).unwrap().args(args));
    // A node knows no way out.
    let error = on_node("ip", &["route", "get", NOWHERE]).unwrap_err();
    assert!(error.contains("unreachable"), "{error}");
    // One that finds one is stopped at the bridge.
    on_node("ip", &["route", "add", NOWHERE, "via", "10.89.0.1"]).unwrap();
    let lost = on_node("busybox", &["ping", "-c", "3", "-W", "1", NOWHERE]);
    assert!(lost.is_err());
    on_node("ip", &["route", "delete", NOWHERE]).unwrap();
    let after = lab.cluster.leaks().unwrap();
    assert_eq!(after.stopped, before.stopped + 3);
    assert_eq!(after.escaping, 0);

    // The machine itself finds no way to a pod that is not there.
    let route = output_of(Command::new("ip").args(["route", "get", "10.244.200.1"]));
    assert!(route.is_err(), "{route:?}");
}

fn an_image_is_loaded_once_and_again_when_it_has_changed(lab: &Lab) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    fs::copy("/bin/true", &program).unwrap();
    let load = || {
        lab.cluster
            .load(&Image::operator(&program).unwrap())
            .unwrap()
    };
    let first = load();
    assert_eq!(first.new_on, ["node1"]);
    assert_eq!(load().new_on, Vec::<String>::new());
    // The same content, written anew.
    fs::copy("/bin/true", &program).unwrap();
    assert_eq!(load().digest, first.digest);
    fs::copy("/bin/false", &program).unwrap();
    let second = load();
    assert_eq!(second.new_on, ["node1"]);
    assert_ne!(second.digest, first.digest);
    // What a pod gets is the new one: it fails.
    lab.kubectl(&[
        "run",
        "moved",
        "--restart=Never",
        "--image-pull-policy=Never",
        "--image=localhost/sessionstore-operator:dev",
    ]);
    eventually("the pod of the new image has failed", || {
        lab.kubectl(&["get", "pod", "moved", "--output=jsonpath={.status.phase}"]) == "Failed"
    });
}

fn metrics_are_measured(lab: &Lab) {
    eventually("the load of the node is known", || {
        lab.try_kubectl(&["top", "node", "node1"]).is_ok()
    });
}

fn a_second_up_changes_nothing_and_repairs_what_has_died(lab: &Lab) {
    let pids = || -> Vec<_> {
        let status = lab.cluster.status().unwrap();
        status
            .parts
            .into_iter()
            .map(|it| (it.name, it.pid))
            .collect()
    };
    let before = pids();
    up(&lab.options).unwrap();
    assert_eq!(pids(), before);
    for (_, pid) in before
        .iter()
        .filter(|(name, _)| name == "kubelet@node1" || name == "volumes")
    {
        traces::kill(pid.unwrap());
    }
    eventually("two have died", || {
        pids().iter().filter(|it| it.1.is_none()).count() == 2
    });
    up(&lab.options).unwrap();
    assert!(lab.cluster.status().unwrap().is_well());
}

#[test]
fn three_nodes_are_three_machines() {
    let lab = Lab::up(3);
    lab.apply(include_str!("manifests/everywhere.yaml"));
    lab.kubectl(&[
        "rollout",
        "status",
        "daemonset/everywhere",
        "--timeout=120s",
    ]);
    every_pod_reaches_every_other(&lab);
    a_node_without_power_is_lost_and_comes_back_with_its_volumes(&lab);
    a_node_without_a_cable_runs_on_unseen(&lab);
    two_nodes_can_be_cut_from_each_other_alone(&lab);
    assert_eq!(lab.cluster.leaks().unwrap().escaping, 0);

    // A crash of everything in the middle of something leaves nothing either.
    for part in lab.cluster.status().unwrap().parts {
        if part.name.starts_with("containerd") || part.name.starts_with("etcd") {
            traces::kill(part.pid.unwrap());
        }
    }
    let folder = lab.folder().to_owned();
    assert!(Cluster::down(&folder).unwrap());
    assert_eq!(traces::of(&folder), Vec::<String>::new());
}

/// The pod of the daemon set on a node, with its address.
fn pod_on(lab: &Lab, node: usize) -> (String, String) {
    let field = format!("--field-selector=spec.nodeName=node{node}");
    let line = lab.kubectl(&[
        "get",
        "pods",
        "--selector=app=everywhere",
        &field,
        "--output=jsonpath={.items[0].metadata.name} {.items[0].status.podIP}",
    ]);
    let (name, address) = line.split_once(' ').unwrap();
    (name.to_owned(), address.to_owned())
}

fn reaches(lab: &Lab, from: &str, address: &str) -> bool {
    fetch(lab, from, &format!("http://{address}:8080/hostname")).is_ok()
}

fn every_pod_reaches_every_other(lab: &Lab) {
    let pods = [1, 2, 3].map(|node| pod_on(lab, node));
    for (from, _) in &pods {
        for (_, to) in &pods {
            eventually("a pod reaches another", || reaches(lab, from, to));
        }
    }
}

fn readiness(lab: &Lab, node: &str) -> String {
    let ready = "--output=jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
    lab.kubectl(&["get", "node", node, ready])
}

/// When a node has last told the API server that it lives.
fn renewed(lab: &Lab, node: &str) -> String {
    let time = "--output=jsonpath={.spec.renewTime}";
    lab.kubectl(&["--namespace", "kube-node-lease", "get", "lease", node, time])
}

fn a_node_without_power_is_lost_and_comes_back_with_its_volumes(lab: &Lab) {
    lab.apply(KEEPER);
    lab.await_ready("keeper");
    let name = lab.kubectl(&["get", "pod", "keeper", "--output=jsonpath={.spec.nodeName}"]);
    let number: usize = name.trim_start_matches("node").parse().unwrap();
    lab.inside("keeper", &["sh", "-c", "echo here > /data/note && sync"])
        .unwrap();

    let node = lab.cluster.node(number);
    node.power_off().unwrap();
    assert!(node.command("true").is_err());
    eventually("the node counts as lost", || {
        readiness(lab, &name) == "Unknown"
    });
    node.power_on().unwrap();
    lab.cluster.await_ready().unwrap();
    lab.await_ready("keeper");
    eventually("the pod answers again, with its data", || {
        lab.inside("keeper", &["cat", "/data/note"]).as_deref() == Ok("here")
    });
}

fn a_node_without_a_cable_runs_on_unseen(lab: &Lab) {
    let node = lab.cluster.node(2);
    let started = || {
        let mut count = node.command("sh").unwrap();
        count.args([
            "-c",
            "ls /run/containerd/io.containerd.runtime.v2.task/k8s.io",
        ]);
        output_of(&mut count).unwrap()
    };
    let before = started();
    node.cut().unwrap();
    eventually("the node counts as lost", || {
        readiness(lab, "node2") == "Unknown"
    });
    assert_eq!(started(), before);
    node.heal().unwrap();
    lab.cluster.await_ready().unwrap();
}

fn two_nodes_can_be_cut_from_each_other_alone(lab: &Lab) {
    lab.kubectl(&[
        "rollout",
        "status",
        "daemonset/everywhere",
        "--timeout=120s",
    ]);
    let [(first, one), (second, two), (third, _)] = [1, 2, 3].map(|node| pod_on(lab, node));
    let [a, b] = [lab.cluster.node(1), lab.cluster.node(2)];
    a.cut_from(&b).unwrap();
    assert!(!reaches(lab, &first, &two));
    assert!(!reaches(lab, &second, &one));
    assert!(reaches(lab, &third, &one));
    assert!(reaches(lab, &third, &two));
    for node in ["node1", "node2"] {
        // The first may have been on its way before the cut.
        for _ in 0..2 {
            let before = renewed(lab, node);
            eventually("the node tells that it lives", || {
                renewed(lab, node) != before
            });
        }
    }
    assert_eq!(
        [readiness(lab, "node1"), readiness(lab, "node2")],
        ["True", "True"]
    );
    a.heal_from(&b).unwrap();
    assert!(reaches(lab, &first, &two));
}

/// Names the folder to a process of this test that is to be killed.
const VICTIM: &str = "SESSIONSTORE_TEST_CLUSTER";

#[test]
fn a_start_that_is_killed_leaves_nothing_after_down() {
    if let Some(folder) = env::var_os(VICTIM) {
        let options = Options {
            folder: Some(folder.into()),
            ..Options::default()
        };
        up(&options).unwrap();
        return;
    }
    let _turn = turn();
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("cluster");
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("nodes::a_start_that_is_killed_leaves_nothing_after_down")
        .env(VICTIM, &folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let steps = BufReader::new(victim.stderr.take().unwrap()).lines();
    let loading = steps
        .map_while(Result::ok)
        .any(|it| it.contains("pause:1 is loaded"));
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(loading);
    assert_ne!(traces::of(&folder), Vec::<String>::new());

    assert!(Cluster::down(&folder).unwrap());
    assert_eq!(traces::of(&folder), Vec::<String>::new());
}

#[test]
fn a_cluster_that_has_forgotten_itself_leaves_nothing_after_down() {
    let lab = Lab::up(1);
    let folder = lab.folder().to_owned();
    fs::remove_file(folder.join("cluster.json")).unwrap();
    assert!(Cluster::down(&folder).unwrap());
    assert_eq!(traces::of(&folder), Vec::<String>::new());
}
