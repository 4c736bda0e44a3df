//! Runs against one service process on the embedded store, without faults and with its process
//! killed: every promise is kept, and the files of a run prove it again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{path::Path, time::Duration};

use sessionstore_chaos::{
    clients::Numbers,
    history::values::FaultKind,
    run::{self, Outcome, Settings},
    world::World,
};
use sessionstore_e2e::binary;

fn settings(folder: &Path, seconds: u64, kinds: &[FaultKind]) -> Settings {
    Settings {
        seed: 11,
        length: Duration::from_secs(seconds),
        kinds: kinds.to_vec(),
        lasting: None,
        numbers: Numbers::default(),
        slack: Duration::from_secs(20),
        folder: folder.to_owned(),
    }
}

async fn run(settings: &Settings) -> Outcome {
    let world = World::embedded(binary::path(), &settings.folder).await;
    run::run(settings, &world.unwrap()).await.unwrap()
}

#[tokio::test]
async fn without_faults_every_promise_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = run(&settings(folder.path(), 6, &[])).await;
    assert!(outcome.verdict.is_clean(), "{}", outcome.verdict);
    assert!(outcome.report.is_enough(), "{}", outcome.report);
}

#[tokio::test]
async fn every_promise_is_kept_when_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), 16, &[FaultKind::KillService]);
    let outcome = run(&settings).await;
    assert!(outcome.verdict.is_clean(), "{}", outcome.verdict);
    assert!(outcome.report.is_enough(), "{}", outcome.report);
    let kinds: Vec<FaultKind> = outcome.report.kinds().collect();
    assert_eq!(kinds, [FaultKind::KillService]);

    let again = run::judge_files(&settings.history(), &settings.stored()).unwrap();
    assert_eq!(again.verdict, outcome.verdict);
    assert_eq!(again.report, outcome.report);
}

#[tokio::test]
async fn a_history_without_what_is_stored_proves_a_loss() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), 5, &[]);
    run(&settings).await;
    std::fs::write(settings.stored(), "").unwrap();
    let outcome = run::judge_files(&settings.history(), &settings.stored()).unwrap();
    assert!(!outcome.verdict.is_clean());
}
