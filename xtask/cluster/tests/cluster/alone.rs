//! A control plane without nodes.

use std::fs;

use sessionstore_cluster::{Cluster, ClusterError, Options};

use crate::{Lab, eventually, traces, up};

#[test]
fn a_control_plane_alone_keeps_objects_and_writes_down_who_asked_for_them() {
    let lab = Lab::up(0);
    lab.kubectl(&["create", "configmap", "here", "--from-literal=a=1"]);
    let kept = lab.kubectl(&["get", "configmap", "here", "--output=jsonpath={.data.a}"]);
    assert_eq!(kept, "1");
    // The controllers are there too.
    eventually("the namespace has got its service account", || {
        lab.try_kubectl(&["get", "serviceaccount", "default"])
            .is_ok()
    });
    let log = lab.cluster.audit_log().unwrap();
    eventually("the request is in the audit log", || {
        let log = fs::read_to_string(&log).unwrap_or_default();
        log.lines()
            .any(|line| line.contains(r#""verb":"create""#) && line.contains(r#""name":"here""#))
    });
}

#[test]
fn several_control_planes_run_side_by_side() {
    let [first, second] = [Lab::up(0), Lab::up(0)];
    first.kubectl(&["create", "configmap", "here", "--from-literal=a=1"]);
    let error = second
        .try_kubectl(&["get", "configmap", "here"])
        .unwrap_err();
    assert!(error.contains("not found"), "{error}");
}

#[test]
fn what_has_died_comes_back_and_the_rest_stays() {
    let lab = Lab::up(0);
    let pid = |part: &str| {
        let status = lab.cluster.status().unwrap();
        let part = status.parts.into_iter().find(|it| it.name == part).unwrap();
        part.pid
    };
    let (etcd, api_server) = (pid("etcd").unwrap(), pid("kube-apiserver").unwrap());
    traces::kill(api_server);
    eventually("the API server has died", || {
        pid("kube-apiserver").is_none()
    });
    assert!(!lab.cluster.status().unwrap().is_well());

    up(&lab.options).unwrap();
    assert_eq!(pid("etcd"), Some(etcd));
    assert_ne!(pid("kube-apiserver"), Some(api_server));
    assert!(lab.cluster.status().unwrap().is_well());
}

#[test]
fn a_cluster_that_is_down_has_left_nothing() {
    let lab = Lab::up(0);
    let folder = lab.folder().to_owned();
    assert!(Cluster::find(&folder).unwrap().is_some());
    assert!(Cluster::down(&folder).unwrap());
    assert_eq!(traces::of(&folder), Vec::<String>::new());
    assert!(Cluster::find(&folder).unwrap().is_none());
    assert!(!Cluster::down(&folder).unwrap());
}

#[test]
fn a_cluster_does_not_become_another_while_it_runs() {
    let lab = Lab::up(0);
    let other = Options {
        nodes: 1,
        ..lab.options.clone()
    };
    let error = up(&other).unwrap_err();
    assert!(
        matches!(
            error,
            ClusterError::OtherOptions { .. } | ClusterError::AnotherRuns { .. }
        ),
        "{error}"
    );
}
