//! Several processes that append to one session all the time, with nothing else going wrong: each
//! must make progress, and together they must not be much slower than one alone.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use sessionstore::log::{Answer, Settings};

use crate::plan::{Mix, Plan, Span};
use crate::world::World;

const CLIENTS: usize = 24;
const TIME: Duration = Duration::from_millis(800);

/// Events that each process appended in [`TIME`] for clients that never pause.
fn appended(seed: u64, processes: usize) -> Vec<usize> {
    let plan = Plan {
        processes,
        clients: CLIENTS,
        sessions: 1,
        operations: usize::MAX,
        pinned: true,
        mix: Mix {
            append: 1,
            retry: 0,
            conflict: 0,
            batch: 0,
            close: 0,
            create: 0,
            read: 0,
            erase: 0,
        },
        expecting: 0.0,
        think: Span::micros(50, 500),
        settings: Settings::default(),
        per_session: false,
        torn_look_ups: false,
        // A cluster in one place: a round trip of half a millisecond, a majority after two.
        network: Span::micros(200, 300),
        lag: Span::micros(1_000, 3_000),
        patience: Duration::from_secs(1),
        fault_rate: 0.0,
        trouble: None,
        bug: None,
    };
    let mut world = World::new(StdRng::seed_from_u64(seed), plan, false);
    world.run_until(TIME).expect("every promise holds");
    let mut appended = vec![0; processes];
    for entry in world.history.entries() {
        if let Some(Answer::Appended { .. }) = entry.answer() {
            appended[entry.process] += 1;
        }
    }
    appended
}

#[test]
fn processes_that_append_to_one_session_all_the_time_all_make_progress() {
    for seed in 0..4 {
        let alone: usize = appended(seed, 1).iter().sum();
        for processes in [2, 3] {
            let each = appended(seed, processes);
            let together: usize = each.iter().sum();
            println!("seed {seed}: alone {alone}, {processes} together {each:?}");
            assert!(3 * together >= alone, "{each:?}, alone {alone}");
            for one in &each {
                assert!(3 * processes * one >= together, "{each:?}");
            }
        }
    }
}
