//! Several candidates and one API server in simulated real time: clocks that run at different
//! rates, messages that are late or lost, writes that arrive after their sender gave up, processes
//! that crash, freeze and leave. Two promises are checked: never two that believe to lead, and
//! always one again soon after the last fault.

mod world;

use proptest::collection::vec;
use proptest::prelude::*;

use world::{Fault, Real, Trouble, World};

/// Within this time after the last fault there is a leader: the longest message of a slow time,
/// the duration of the Lease on the slowest clock, and the calls around it.
const CALM: Real = 60_000;

fn fault(candidates: usize, troubles: &'static [Trouble]) -> impl Strategy<Value = Fault> {
    let trouble = prop::sample::select(troubles);
    (0..120_000_u64, 1..40_000_u64, 0..candidates, trouble).prop_map(
        |(from, length, candidate, trouble)| Fault {
            from,
            to: from + length,
            candidate,
            trouble,
        },
    )
}

fn world(troubles: &'static [Trouble]) -> impl Strategy<Value = (Vec<u64>, Vec<Fault>, u64)> {
    // Clocks that differ by up to a fifth: real ones do by less than a thousandth.
    vec(900..=1_100_u64, 2..=3).prop_flat_map(move |rates| {
        let faults = vec(fault(rates.len(), troubles), 0..14);
        (Just(rates), faults, any::<u64>())
    })
}

fn check((rates, faults, seed): (Vec<u64>, Vec<Fault>, u64)) -> Result<(), TestCaseError> {
    let calm = faults.iter().map(|fault| fault.to).max().unwrap_or(0) + CALM;
    let mut world = World::new(&rates, faults, seed);
    world.run(calm)?;
    let leaders = world.leaders();
    prop_assert_eq!(leaders.len(), 1, "nobody leads though all is well");
    // It stays the leader at every moment.
    for later in 1..=200 {
        let now = calm + later * 300;
        world.run(now)?;
        prop_assert_eq!(world.leaders(), leaders.clone(), "at {}", now);
    }
    Ok(())
}

const OUTAGES: &[Trouble] = &[
    Trouble::Down,
    Trouble::Cut,
    Trouble::Deaf,
    Trouble::Slow,
    Trouble::Frozen,
    Trouble::Crashed,
    Trouble::Left,
];

/// Without processes that begin: after a deletion they do not know that there was a Lease.
const DELETIONS: &[Trouble] = &[
    Trouble::Down,
    Trouble::Cut,
    Trouble::Deaf,
    Trouble::Slow,
    Trouble::Frozen,
    Trouble::Deleted,
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn never_two_lead_and_always_one_again_whatever_fails(world in world(OUTAGES)) {
        check(world)?;
    }

    #[test]
    fn never_two_lead_when_somebody_deletes_the_lease(world in world(DELETIONS)) {
        check(world)?;
    }
}
