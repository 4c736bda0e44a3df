//! What goes wrong, and when: from a seed, without a clock.
//!
//! A schedule is a row of episodes: a quiet time in which everything recovers, then one fault, or
//! two at once. Every kind of fault comes before one comes again. Rules that no seed breaks:
//!
//! - At most one member is away, but in [`FaultKind::LoseMajority`]: there two are, one killed and
//!   one frozen, for seconds, so that a majority never loses what it had in memory.
//! - A connection is never cut while a member is frozen or killed, since the service documents that
//!   a process cut off together with a deposed primary may read what is out of date.
//! - Service processes are hurt one at a time, and none is started again without a majority.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use crate::history::values::FaultKind;

/// The time before the first fault, and after the last one.
const CALM: Duration = Duration::from_secs(4);

/// How many service processes there are.
pub const PROCESSES: usize = 3;

/// How many members the replica set has.
pub const MEMBERS: usize = 3;

/// What goes wrong in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// One after the other.
    pub episodes: Vec<Episode>,
    /// The quiet time after the last one.
    pub calm: Duration,
}

/// A quiet time, and then faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// How long it is quiet before.
    pub quiet: Duration,
    /// What happens at once. All of it is mended before the next episode.
    pub faults: Vec<Planned>,
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// How long after the quiet time it begins.
    pub delay: Duration,
    /// After how long it is mended. Of no meaning for what mends itself.
    pub lasts: Duration,
    /// What is done.
    pub kind: FaultKind,
    /// To which service process, if it concerns one.
    pub process: usize,
    /// Which one of the secondaries or members, counted from 0, if there is a choice.
    pub pick: usize,
}

impl Schedule {
    /// The schedule of a seed: about `length` in all, of faults of these kinds, which last as long
    /// as suits each, or all `lasting`.
    pub fn of(seed: u64, length: Duration, kinds: &[FaultKind], lasting: Option<Duration>) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut episodes = Vec::new();
        let mut deck = Vec::new();
        let mut left = length.saturating_sub(CALM);
        while !kinds.is_empty() {
            if deck.is_empty() {
                deck = kinds.to_vec();
                deck.shuffle(&mut rng);
            }
            let Some(kind) = deck.pop() else { break };
            let mut episode = Episode::of(&mut rng, kind);
            if let Some(lasting) = lasting {
                // Alone, since it is measured.
                episode.faults.truncate(1);
                episode.faults[0].lasts = lasting;
            }
            let Some(rest) = left.checked_sub(episode.length()) else {
                break;
            };
            left = rest;
            episodes.push(episode);
        }
        Self {
            episodes,
            calm: CALM + left,
        }
    }

    /// How long it takes if everything recovers at once.
    pub fn length(&self) -> Duration {
        let episodes: Duration = self.episodes.iter().map(Episode::length).sum();
        episodes + self.calm
    }
}

impl Episode {
    fn of(rng: &mut StdRng, kind: FaultKind) -> Self {
        let first = Planned::of(rng, kind);
        let mut faults = vec![first];
        // Losing a majority is enough at a time; and see the rules above.
        let is_of_a_member = !FaultKind::OF_SERVICES.contains(&kind);
        if is_of_a_member && kind != FaultKind::LoseMajority && rng.random_bool(0.3) {
            let beside = FaultKind::OF_SERVICES[rng.random_range(0..FaultKind::OF_SERVICES.len())];
            let mut second = Planned::of(rng, beside);
            second.delay = millis(rng, 0, 1_500);
            faults.push(second);
        }
        Self {
            quiet: millis(rng, 3_000, 4_000),
            faults,
        }
    }

    /// How long it takes if everything recovers at once.
    pub fn length(&self) -> Duration {
        let ends = self.faults.iter().map(|fault| fault.delay + fault.lasts);
        self.quiet + ends.max().unwrap_or_default()
    }
}

impl Planned {
    fn of(rng: &mut StdRng, kind: FaultKind) -> Self {
        let (least, most) = lengths(kind);
        Self {
            delay: Duration::ZERO,
            lasts: millis(rng, least, most),
            kind,
            process: rng.random_range(0..PROCESSES),
            pick: rng.random_range(0..MEMBERS),
        }
    }
}

/// From the shortest to the longest, in milliseconds: the primary is away long enough for an
/// election, or short enough for none; a majority long enough for requests to wait in vain, or not.
fn lengths(kind: FaultKind) -> (u64, u64) {
    match kind {
        FaultKind::FreezePrimary => (1_500, 8_000),
        FaultKind::KillPrimary => (1_000, 7_000),
        FaultKind::StepDown => (0, 1),
        FaultKind::LoseMajority => (4_000, 14_000),
        FaultKind::KillService | FaultKind::RestartService => (0, 2_000),
        FaultKind::FreezeService => (500, 4_000),
        FaultKind::KillSecondary
        | FaultKind::FreezeSecondary
        | FaultKind::HoldBack
        | FaultKind::CutRefuse
        | FaultKind::CutBlackHole => (2_000, 6_000),
    }
}

fn millis(rng: &mut StdRng, least: u64, most: u64) -> Duration {
    Duration::from_millis(rng.random_range(least..=most))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const TWO_MINUTES: Duration = Duration::from_secs(120);

    fn schedule(seed: u64) -> Schedule {
        Schedule::of(seed, TWO_MINUTES, &FaultKind::ALL, None)
    }

    fn faults(schedule: &Schedule) -> impl Iterator<Item = &Planned> {
        schedule.episodes.iter().flat_map(|episode| &episode.faults)
    }

    #[test]
    fn the_same_seed_gives_the_same_schedule() {
        assert_eq!(schedule(7), schedule(7));
        assert_ne!(schedule(7), schedule(8));
    }

    #[test]
    fn faults_that_are_measured_come_alone_and_last_as_long_as_wanted() {
        let lasting = Duration::from_secs(20);
        let kinds = [FaultKind::KillPrimary, FaultKind::FreezePrimary];
        let schedule = Schedule::of(7, TWO_MINUTES, &kinds, Some(lasting));
        assert!(schedule.episodes.len() >= 4);
        for episode in schedule.episodes {
            assert_eq!(episode.faults.len(), 1);
            assert_eq!(episode.faults[0].lasts, lasting);
        }
    }

    #[test]
    fn two_minutes_are_enough_for_every_kind() {
        for seed in 0..200 {
            let kinds: HashSet<FaultKind> = faults(&schedule(seed)).map(|it| it.kind).collect();
            assert_eq!(kinds.len(), FaultKind::ALL.len(), "seed {seed}");
        }
    }

    #[test]
    fn everything_is_mended_at_the_end_with_time_to_recover() {
        for seed in 0..200 {
            let schedule = schedule(seed);
            assert!(schedule.length() <= TWO_MINUTES, "seed {seed}");
            assert!(schedule.calm >= CALM, "seed {seed}");
        }
    }

    #[test]
    fn it_is_quiet_before_every_fault() {
        for seed in 0..200 {
            for episode in schedule(seed).episodes {
                assert!(episode.quiet >= Duration::from_secs(3), "seed {seed}");
            }
        }
    }

    #[test]
    fn what_happens_at_once_is_one_fault_of_the_store_and_one_of_a_process() {
        let of_a_process = |fault: &&Planned| FaultKind::OF_SERVICES.contains(&fault.kind);
        for seed in 0..200 {
            for episode in schedule(seed).episodes {
                let hurt = episode.faults.iter().filter(of_a_process).count();
                let count = episode.faults.len();
                assert!(hurt <= 1 && count - hurt <= 1, "seed {seed}: {episode:?}");
            }
        }
    }

    #[test]
    fn without_a_majority_no_process_is_hurt() {
        for seed in 0..200 {
            for episode in schedule(seed).episodes {
                let kinds: Vec<_> = episode.faults.iter().map(|fault| fault.kind).collect();
                let is_alone = kinds.len() == 1;
                assert!(is_alone || !kinds.contains(&FaultKind::LoseMajority));
            }
        }
    }

    #[test]
    fn without_a_replica_set_only_processes_are_hurt() {
        let schedule = Schedule::of(3, TWO_MINUTES, &FaultKind::OF_SERVICES, None);
        assert!(faults(&schedule).all(|it| FaultKind::OF_SERVICES.contains(&it.kind)));
        assert!(schedule.episodes.len() > 10);
    }

    #[test]
    fn a_schedule_of_no_faults_is_calm() {
        let schedule = Schedule::of(3, TWO_MINUTES, &[], None);
        assert_eq!(schedule.episodes, []);
        assert_eq!(schedule.length(), TWO_MINUTES);
    }
}
