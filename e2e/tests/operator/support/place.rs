//! A namespace for a test, and its turn on the cluster.

use std::{sync::LazyLock, thread};

use serde_json::Value;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, SemaphorePermit, watch};

use super::{
    audit,
    lab::{self, cluster, output_of},
    store::Store,
};

/// Those that hurt nobody share it; one that hurts nodes or the operator has it for itself.
static TURN: RwLock<()> = RwLock::const_new(());

/// As many as two cores carry: they wait more than they compute.
static SEATS: Semaphore = Semaphore::const_new(3);

/// How many of those that share run or are about to. They go first: one that has the cluster for
/// itself in between would keep all seats but one empty before it and after it.
static SHARING: LazyLock<watch::Sender<usize>> = LazyLock::new(watch::Sender::default);

/// One of those that share, from the moment it is there.
struct Sharing;

impl Sharing {
    fn begin() -> Self {
        SHARING.send_modify(|count| *count += 1);
        Self
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        SHARING.send_modify(|count| *count -= 1);
    }
}

/// A namespace of its own for a test. It goes, with all that is in it, when this is dropped.
pub(crate) struct Place {
    pub(crate) namespace: String,
    begun: audit::Mark,
    _turn: Turn,
}

/// Held for what its end means.
enum Turn {
    Shared {
        _turn: RwLockReadGuard<'static, ()>,
        _seat: SemaphorePermit<'static>,
        _sharing: Sharing,
    },
    Alone {
        _turn: RwLockWriteGuard<'static, ()>,
    },
}

impl Place {
    /// For a test that hurts nothing but what it has made.
    pub(crate) async fn beside_others(name: &str) -> Self {
        let sharing = Sharing::begin();
        let turn = Turn::Shared {
            _turn: TURN.read().await,
            _seat: SEATS.acquire().await.unwrap(),
            _sharing: sharing,
        };
        Self::make(name, turn).await
    }

    /// For a test that hurts nodes or the operator, or needs the whole machine.
    pub(crate) async fn alone(name: &str) -> Self {
        let mut sharing = SHARING.subscribe();
        let turn = loop {
            sharing.wait_for(|count| *count == 0).await.unwrap();
            let turn = TURN.write().await;
            if *sharing.borrow() == 0 {
                break turn;
            }
        };
        Self::make(name, Turn::Alone { _turn: turn }).await
    }

    async fn make(name: &str, turn: Turn) -> Self {
        let namespace = format!("e2e-{name}");
        // That of a run that was killed.
        lab::kubectl(&["delete", "namespace", &namespace, "--ignore-not-found"]).await;
        lab::kubectl(&["create", "namespace", &namespace]).await;
        Self {
            namespace,
            begun: audit::now(),
            _turn: turn,
        }
    }

    /// Applies a `SessionStore`; it is not waited for.
    pub(crate) async fn store(&self, name: &str, spec: &Value) -> Store {
        let store = Store::new(&self.namespace, name);
        store.apply(spec).await;
        store
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let kubectl = |args: &[&str]| output_of(cluster().kubectl().args(args));
        if thread::panicking() {
            let logs = [
                "logs",
                "--selector=app.kubernetes.io/name=sessionstore-operator",
            ];
            let logs = [
                &logs[..],
                &["--namespace", lab::OPERATOR, "--prefix", "--tail=60"],
            ];
            let here = ["--namespace", &self.namespace];
            for args in [
                [&here[..], &["get", "sst,pods,pvc", "--output=wide"]].concat(),
                [&here[..], &["get", "sst", "--output=yaml"]].concat(),
                [&here[..], &["get", "events", "--sort-by=.lastTimestamp"]].concat(),
                logs.concat(),
            ] {
                let said = kubectl(&args).unwrap_or_else(|error| error);
                eprintln!("$ kubectl {}\n{said}\n", args.join(" "));
            }
        }
        // From all tests together: of the whole run.
        let refused = audit::refused(self.begun);
        // A test may have deleted it.
        let delete = ["delete", "namespace", "--wait=false", "--ignore-not-found"];
        let deleted = kubectl(&[&delete[..], &[&self.namespace]].concat());
        // Nobody has to close anything in it, and by now nobody makes them anew.
        let here = ["--namespace", &self.namespace];
        let pods = ["delete", "pods", "--all", "--grace-period=1"];
        let _ = kubectl(&[&here[..], &pods[..]].concat());
        let it = format!("namespace/{}", self.namespace);
        let gone = kubectl(&["wait", "--for=delete", &it, "--timeout=240s"]);
        if !thread::panicking() {
            deleted.unwrap();
            gone.unwrap();
            assert!(refused.is_empty(), "refused to the operator: {refused:#?}");
        }
    }
}
