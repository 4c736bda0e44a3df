//! A model of a replica set on Kubernetes, driven by the plan.
//!
//! Members crash, lag, vanish and come back on whatever is on their volumes; they elect and
//! replicate by the rules of the real server. Two operators that both believe to lead look, decide
//! by the plan, and act at once, late, in part or never. After whatever has happened nothing bad
//! happens any more, a person does what the plan asks for, and what is wanted must come to be.
//!
//! `judge` has the promises. A history that breaks one is made as short as possible and printed.
//! `SESSIONSTORE_PLAN_CASES=N` runs N histories, `SESSIONSTORE_PLAN_SEED=S` others than usual.
//!
//! That nothing is ever forced needs no test: no action of the plan can say so.

// A test may say what it expects; the lint only sees `#[test]` functions as tests.
#![expect(clippy::expect_used)]

mod cluster;
mod event;
mod judge;
mod operator;
mod server;
mod set;
mod sketch;
mod violation;
mod world;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Histories of a plain test run: a few seconds.
const DEFAULT_CASES: u32 = 2_000;

#[test]
fn whatever_happens_the_set_keeps_its_promises_and_comes_to_be() {
    let cases = setting("SESSIONSTORE_PLAN_CASES").unwrap_or(DEFAULT_CASES);
    let seed = setting("SESSIONSTORE_PLAN_SEED").unwrap_or(0);
    let config = Config {
        cases,
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let strategy = (
        prop::sample::select(vec![1, 3, 5]),
        any::<bool>(),
        event::events(),
    );
    let result =
        TestRunner::new_with_rng(config, rng).run(&strategy, |(members, deletes, events)| {
            world::run(members, deletes, &events, false)
                .map_err(|violation| TestCaseError::fail(violation.promise))
        });
    if let Err(proptest::test_runner::TestError::Fail(_, (members, deletes, events))) = &result {
        let again = world::run(*members, *deletes, events, true);
        println!("{members} members, volumes deleted: {deletes}, {events:?}");
        panic!("{}", again.expect_err("it failed before"));
    }
    result.expect("all histories can be made");
}

fn setting(name: &str) -> Option<u32> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("the setting is a number"))
}
