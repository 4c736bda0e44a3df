//! What a seed decides before anything happens: how many of everything, how slow, how faulty.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use sessionstore::log::Settings;

/// From one duration to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    from: Duration,
    to: Duration,
}

impl Span {
    pub(crate) fn micros(from: u64, to: u64) -> Self {
        Self {
            from: Duration::from_micros(from),
            to: Duration::from_micros(to),
        }
    }

    pub(crate) fn pick(self, rng: &mut StdRng) -> Duration {
        rng.random_range(self.from..=self.to)
    }
}

/// How often clients do what, as weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix {
    pub(crate) append: u32,
    pub(crate) retry: u32,
    pub(crate) conflict: u32,
    pub(crate) batch: u32,
    pub(crate) close: u32,
    pub(crate) create: u32,
    pub(crate) read: u32,
    pub(crate) erase: u32,
}

/// A mistake that a test plants in the simulated world, to show that the checks find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Look-ups take the end of a log from what the primary has, whether or not a majority has
    /// it.
    LocalTails,
    /// Look-ups find events that the primary has, whether or not a majority has them.
    LocalEvents,
    /// An insert counts as stored before a majority has it.
    AcknowledgedByOne,
    /// Look-ups count the terminal record like any other, so that the log seems open.
    TerminalUnchecked,
    /// An insert goes on after a record that was refused, within the same session.
    UnorderedInsert,
    /// A new primary is believed before it knows how far the majority got.
    NewPrimaryTrusted,
    /// A look-up reads the events first and the end of the log later.
    EventsBeforeLog,
    /// An answer that does not come is taken for a success.
    SilenceIsSuccess,
}

/// Everything that does not change while a seed runs.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) processes: usize,
    pub(crate) clients: usize,
    pub(crate) sessions: usize,
    /// Operations of each client.
    pub(crate) operations: usize,
    /// Each client stays with one process.
    pub(crate) pinned: bool,
    pub(crate) mix: Mix,
    /// How many of the new events name the place they expect.
    pub(crate) expecting: f64,
    /// Between an answer and the client's next operation.
    pub(crate) think: Span,
    pub(crate) settings: Settings,
    /// A refusal stops its session only, as in the embedded store; else the whole batch, as an
    /// ordered `insertMany` does.
    pub(crate) per_session: bool,
    /// A look-up reads the end of the log first and the events a moment later.
    pub(crate) torn_look_ups: bool,
    /// One way between a process and the store.
    pub(crate) network: Span,
    /// How far the majority is behind the primary.
    pub(crate) lag: Span,
    /// When a process stops waiting for the store.
    pub(crate) patience: Duration,
    /// How often a call to the store goes wrong.
    pub(crate) fault_rate: f64,
    /// Between crashes, failovers and the like; never without.
    pub(crate) trouble: Option<Span>,
    pub(crate) bug: Option<Bug>,
}

impl Plan {
    pub(crate) fn of(rng: &mut StdRng, bug: Option<Bug>) -> Self {
        let deadline = Duration::from_millis(rng.random_range(150..=600));
        let slow = rng.random_range(200..=4_000);
        let is_faulty = rng.random_bool(0.9);
        Self {
            processes: rng.random_range(1..=3),
            clients: rng.random_range(2..=6),
            sessions: rng.random_range(1..=4),
            operations: rng.random_range(5..=20),
            pinned: rng.random_bool(0.2),
            mix: Mix {
                append: 40,
                retry: rng.random_range(0..=25),
                conflict: rng.random_range(0..=6),
                batch: rng.random_range(0..=20),
                close: rng.random_range(0..=5),
                create: rng.random_range(3..=12),
                read: rng.random_range(2..=15),
                erase: rng.random_range(0..=2),
            },
            expecting: 0.2,
            think: Span::micros(0, rng.random_range(1..=20_000)),
            settings: Settings {
                queue_items: pick(rng, [4, 12, 10_000]),
                queue_bytes: pick(rng, [2_000, 32 * 1024 * 1024, 32 * 1024 * 1024]),
                batch_items: rng.random_range(1..=8),
                batch_bytes: pick(rng, [700, 4 * 1024 * 1024]),
                batches_in_flight: rng.random_range(1..=2),
                is_shared: rng.random_bool(0.7),
                lanes: pick(rng, [1, 2, 20_000]),
                deadline,
                delay_min: Duration::from_millis(rng.random_range(1..=5)),
                delay_max: Duration::from_millis(rng.random_range(10..=100)),
            },
            per_session: rng.random_bool(0.3),
            torn_look_ups: rng.random_bool(0.5),
            network: Span::micros(50, slow),
            lag: Span::micros(0, rng.random_range(1..=10_000)),
            patience: Duration::from_millis(rng.random_range(15..=80)),
            fault_rate: if is_faulty {
                rng.random_range(0.0..=0.3)
            } else {
                0.0
            },
            trouble: is_faulty.then(|| Span::micros(5_000, rng.random_range(20_000..=200_000))),
            bug,
        }
    }

    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }
}

fn pick<T: Copy, const N: usize>(rng: &mut StdRng, choices: [T; N]) -> T {
    choices[rng.random_range(0..N)]
}
