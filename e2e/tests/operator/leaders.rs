//! Two pods of the operator: one leads, and dies.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    thread,
};

use serde_json::json;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::{
    Load, Place, specs,
    support::{
        lab::cluster,
        operator,
        store::{Part, Store},
        wait::PATIENCE,
    },
};

#[tokio::test]
async fn when_the_leader_ends_or_dies_the_other_takes_over() {
    let place = Place::alone("leaders").await;
    operator::await_ready(2).await;
    let ended = operator::delete_leader().await;
    let took = operator::await_other_leader(&ended).await;
    eprintln!(
        "after SIGTERM another pod leads after {:.1} s",
        took.as_secs_f64()
    );
    operator::await_ready(2).await;
    let killed = operator::kill_leader().await;
    let took = operator::await_other_leader(&killed).await;
    eprintln!(
        "after SIGKILL another pod leads after {:.1} s",
        took.as_secs_f64()
    );
    let store = place.store("voice", &specs::members(1)).await;
    store.await_whole().await;
    operator::await_ready(2).await;
}

/// What can be seen of the operator's work: a line whenever it changes.
struct Steps {
    process: Child,
    lines: UnboundedReceiver<String>,
    last: String,
}

impl Steps {
    /// The reason that the status gives, and what the replica set looks like.
    fn of(store: &Store) -> Self {
        let line = concat!(
            r#"--output=jsonpath={.status.conditions[?(@.type=="Ready")].reason} "#,
            r#"{.status.mongodb.primary} {.status.mongodb.members[*].state}{"\n"}"#,
        );
        let args = ["--namespace", &store.namespace, "get", "sst", &store.name];
        let mut process = cluster()
            .kubectl()
            .args(args)
            .args(["--watch", line])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        let (into, lines) = mpsc::unbounded_channel();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if into.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            process,
            lines,
            last: String::new(),
        }
    }

    /// What is seen now, once it is something else than before.
    async fn next(&mut self) -> String {
        let mut now = self.last.clone();
        while now == self.last {
            let line = tokio::time::timeout(PATIENCE, self.lines.recv()).await;
            let line = line.unwrap_or_else(|_| panic!("nothing comes after {}", self.last));
            now = line.expect("kubectl goes on watching");
            while let Ok(newer) = self.lines.try_recv() {
                now = newer;
            }
        }
        self.last.clone_from(&now);
        now
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let ended = self.process.wait();
        if !thread::panicking() {
            ended.unwrap();
        }
    }
}

/// Kills the leader at each step that is seen until there are so many members, all well.
async fn kill_at_each_step(steps: &mut Steps, members: usize) {
    let count = |line: &str, state: &str| line.split(' ').filter(|it| *it == state).count();
    loop {
        let step = steps.next().await;
        let states = [count(&step, "PRIMARY"), count(&step, "SECONDARY")];
        if step.starts_with("AsSpecified ") && states == [1, members - 1] {
            return;
        }
        let killed = operator::kill_leader().await;
        eprintln!("killed {killed} at: {step}");
        operator::await_other_leader(&killed).await;
    }
}

#[tokio::test]
async fn the_leader_dies_at_each_step_of_a_bootstrap_and_of_a_scale() {
    let place = Place::alone("steps").await;
    operator::await_ready(2).await;
    let store = place.store("voice", &specs::members(3)).await;
    let mut steps = Steps::of(&store);
    kill_at_each_step(&mut steps, 3).await;
    store.await_whole().await;

    let load = Load::start(&store).await;
    store.change(&json!({"mongodb": {"members": 5}})).await;
    kill_at_each_step(&mut steps, 5).await;
    store.await_whole().await;
    store.change(&json!({"mongodb": {"members": 3}})).await;
    kill_at_each_step(&mut steps, 3).await;
    store.await_whole().await;
    load.go_on().await;
    load.stop(&store).await.assert_no_error();
    assert_eq!(store.pods(Part::Members).await.len(), 3);
    operator::await_ready(2).await;
}
