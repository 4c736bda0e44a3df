//! A seeded simulation of several committers over one model store.
//!
//! Everything is decided by the seed: no thread, no clock, no IO. The world (`world`) lets happen
//! what is on the agenda; processes (`process`) drive real committers; calls (`calls`) travel to a
//! primary (`primary`, `model`) and are delayed, lost, doubled or answered late; troubles
//! (`troubles`) are crashes, failovers and partitions. Invariants of the stored logs are checked
//! with every operation, answers when they are given, histories at the end (`checks`, `reads`).
//!
//! One module is no simulation: `mongodb` plays what the simulated clients asked for against a real
//! replica set, and judges by the same checks.
//!
//! `SESSIONSTORE_SIM_SEEDS=N` runs N seeds, `SESSIONSTORE_SIM_SEED=S` replays one and prints what
//! happens.

// A test may say what it expects; the lint only sees `#[test]` functions as tests.
#![expect(clippy::expect_used)]

mod agenda;
mod calls;
mod checks;
mod clients;
mod contention;
mod figures;
mod history;
mod model;
mod mongodb;
mod plan;
mod planted;
mod primary;
mod process;
mod reads;
mod troubles;
mod violation;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use figures::{ANSWERS, Fault, Figures};
use plan::Bug;
use violation::Violation;

/// Seeds of a plain test run: a few seconds, and enough to reach every kind of fault and answer.
const DEFAULT_SEEDS: u64 = 400;

#[test]
fn every_promise_holds_whatever_goes_wrong() {
    if let Some(seed) = setting("SESSIONSTORE_SIM_SEED") {
        match simulate(seed, None, true) {
            Ok(figures) => println!("seed {seed} is well\n{figures}"),
            Err(violation) => panic!("seed {seed}: {violation}"),
        }
        return;
    }
    let seeds = setting("SESSIONSTORE_SIM_SEEDS").unwrap_or(DEFAULT_SEEDS);
    let mut total = Figures::default();
    for seed in 0..seeds {
        match simulate(seed, None, false) {
            Ok(figures) => total.add(&figures),
            Err(violation) => {
                panic!("seed {seed}: {violation}\nreplay it with: cargo xtask sim --seed {seed}")
            }
        }
    }
    println!("{total}");
    if seeds >= DEFAULT_SEEDS {
        for fault in Fault::ALL {
            assert!(total.faults.contains_key(&fault), "{fault:?} never came");
        }
        for answer in ANSWERS {
            assert!(total.answers.contains_key(answer), "nobody was {answer:?}");
        }
    }
}

#[test]
fn a_seed_decides_everything() {
    for seed in [3, 17] {
        assert_eq!(simulate(seed, None, false), simulate(seed, None, false));
    }
}

/// Runs one seed; a panic counts as a violation.
fn simulate(seed: u64, bug: Option<Bug>, is_traced: bool) -> Result<Figures, Violation> {
    let run = AssertUnwindSafe(|| world::run(seed, bug, is_traced));
    catch_unwind(run).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Violation {
            promise: "nothing panics",
            finding: message.unwrap_or_default(),
        })
    })
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("the setting is a number"))
}
