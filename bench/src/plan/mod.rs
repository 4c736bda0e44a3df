//! What is measured, in which order, and about how long it takes (`estimate`); in words, too
//! (`describe`). `defaults` is what is measured if nobody says otherwise. Pure.

mod defaults;
mod describe;
mod estimate;

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use defaults::{
    CONNECTIONS, EVENTS, FULL, GIVEN_PARTS, GROWTH, LANES, LENGTHS, QUICK, QUICK_PARTS, SHARES,
    SOAK, STREAM_RATE, STREAMS,
};
pub(crate) use describe::minutes;

use crate::{backend::Backend, workload::Workload};

/// Everything that is to be measured.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) pace: Pace,
    pub(crate) steps: Vec<Step>,
}

/// One measurement, with stores of its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) backend: Backend,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    /// A workload in a closed loop, at each of these numbers of connections.
    Closed {
        workload: Workload,
        connections: Vec<usize>,
    },
    /// A workload in an open loop, at each of these rates.
    Open { workload: Workload, rates: Rates },
    /// Three times as many appends as the service can carry.
    Overload,
    /// So many appends a second, on their way to subscribers.
    Stream { rate: f64 },
    /// Workloads on an empty store, and on one with so many events.
    Growth {
        workloads: Vec<Workload>,
        events: u64,
    },
    /// Pages of sessions of so many events.
    Pages { lengths: Vec<u64> },
    /// Memory while so many streams are open.
    Streams { counts: Vec<u64> },
    /// Memory after so many sessions were appended to.
    Lanes { counts: Vec<u64> },
    /// Whole conversations for so long.
    Soak { time: Duration },
}

/// Parts of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Workloads in a closed loop: each connection sends when the last request is answered
    Closed,
    /// Workloads in an open loop: requests are sent when they are due
    Open,
    /// Three times as many appends as the service can carry
    Overload,
    /// 100 sessions with 10 subscribers each: how long events are under way
    Stream,
    /// Pages of sessions of 10 to 100,000 events
    Pages,
    /// Workloads on an empty store and on one with 1,000,000 events in 20,000 sessions
    Growth,
    /// Memory against open streams, and against sessions that were appended to
    Memory,
    /// Whole conversations for ten minutes: memory against time
    Soak,
}

/// Rates of an open loop.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rates {
    /// Requests a second.
    Absolute(Vec<f64>),
    /// Shares of what a closed loop gets through.
    OfCapacity(Vec<f64>),
}

/// How long things are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pace {
    /// Before the first round; does not count.
    pub(crate) warm_up: Duration,
    pub(crate) round: Duration,
    pub(crate) rounds: usize,
    /// Of a ceiling, after each round.
    pub(crate) ceiling_round: Duration,
}

/// What somebody wants to have measured. Nothing given: everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    /// A coarse picture in three minutes.
    pub(crate) quick: bool,
    pub(crate) parts: Vec<Part>,
    pub(crate) backends: Vec<Backend>,
    pub(crate) workloads: Vec<Workload>,
    /// Of open loops, in requests a second.
    pub(crate) rates: Vec<f64>,
    pub(crate) connections: Vec<usize>,
    /// Of the store that has grown.
    pub(crate) events: Option<u64>,
    pub(crate) soak: Option<Duration>,
    pub(crate) warm_up: Option<Duration>,
    pub(crate) round: Option<Duration>,
    pub(crate) rounds: Option<usize>,
}

impl Plan {
    pub(crate) fn of(wish: &Wish) -> Self {
        let default = if wish.quick { QUICK } else { FULL };
        let pace = Pace {
            warm_up: wish.warm_up.unwrap_or(default.warm_up),
            round: wish.round.unwrap_or(default.round),
            rounds: wish.rounds.unwrap_or(default.rounds),
            ceiling_round: default.ceiling_round,
        };
        let backends = given_or(&wish.backends, &[Backend::Embedded, Backend::Mongodb]);
        // The parts of a backend together: most share a database, which starts slowly.
        let steps = backends.into_iter().flat_map(|backend| {
            let parts = parts(backend, wish).into_iter();
            let whats = parts.flat_map(|part| whats(part, wish));
            whats.map(move |what| Step { backend, what })
        });
        Self {
            pace,
            steps: steps.collect(),
        }
    }
}

/// All parts, unless some were asked for, or something that only some have.
fn parts(backend: Backend, wish: &Wish) -> Vec<Part> {
    let all: &[Part] = if !wish.rates.is_empty() {
        &[Part::Open]
    } else if !wish.workloads.is_empty() || !wish.connections.is_empty() {
        &[Part::Closed]
    } else if backend == Backend::Given {
        &GIVEN_PARTS
    } else if wish.quick {
        &QUICK_PARTS
    } else {
        Part::value_variants()
    };
    let mut parts = given_or(&wish.parts, all);
    // What needs a service with settings or a store of its own cannot be measured with one that
    // runs.
    let needs_own = |part: &Part| matches!(part, Part::Overload | Part::Growth);
    parts.retain(|part| backend != Backend::Given || !needs_own(part));
    parts
}

fn whats(part: Part, wish: &Wish) -> Vec<What> {
    match part {
        Part::Closed => {
            let workloads = given_or(&wish.workloads, &Workload::ALL);
            workloads.into_iter().map(|it| closed(it, wish)).collect()
        }
        Part::Open => open(wish),
        Part::Overload => vec![What::Overload],
        Part::Stream => vec![What::Stream { rate: STREAM_RATE }],
        Part::Pages => vec![What::Pages {
            lengths: LENGTHS.to_vec(),
        }],
        Part::Growth => vec![What::Growth {
            workloads: given_or(&wish.workloads, &GROWTH),
            events: wish.events.unwrap_or(EVENTS),
        }],
        Part::Memory => vec![
            What::Streams {
                counts: STREAMS.to_vec(),
            },
            What::Lanes {
                counts: LANES.to_vec(),
            },
        ],
        Part::Soak => vec![What::Soak {
            time: wish.soak.unwrap_or(SOAK),
        }],
    }
}

fn closed(workload: Workload, wish: &Wish) -> What {
    let default = if wish.quick {
        goals_of(workload)
    } else {
        &CONNECTIONS
    };
    let mut connections = given_or(&wish.connections, default);
    connections.retain(|it| *it <= workload.most_connections());
    What::Closed {
        workload,
        connections,
    }
}

fn open(wish: &Wish) -> Vec<What> {
    let rates = match (wish.rates.as_slice(), wish.quick) {
        ([], true) => Rates::OfCapacity(vec![0.5]),
        ([], false) => Rates::OfCapacity(SHARES.to_vec()),
        (rates, _) => Rates::Absolute(rates.to_vec()),
    };
    let default: &[Workload] = if wish.quick {
        &[Workload::Append]
    } else {
        &[Workload::Append, Workload::Get20]
    };
    let mut workloads = given_or(&wish.workloads, default);
    workloads.retain(|it| it.has_independent_requests());
    let whats = workloads.into_iter().map(|workload| What::Open {
        workload,
        rates: rates.clone(),
    });
    whats.collect()
}

/// The numbers of connections that the goals speak of, or that tell most.
fn goals_of(workload: Workload) -> &'static [usize] {
    match workload {
        Workload::Append => &[1, 64, 256],
        Workload::Get20 | Workload::Get20Deep | Workload::Batch => &[16],
        Workload::Create | Workload::AppendHot | Workload::Replay | Workload::Mixed => &[64],
    }
}

fn given_or<T: Copy>(given: &[T], default: &[T]) -> Vec<T> {
    if given.is_empty() { default } else { given }.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(plan: &Plan) -> Vec<(Backend, Workload, Vec<usize>)> {
        let steps = plan.steps.iter().cloned();
        steps
            .filter_map(|step| match step.what {
                What::Closed {
                    workload,
                    connections,
                } => Some((step.backend, workload, connections)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn without_a_wish_every_workload_runs_on_both_backends_at_1_16_64_and_256_connections() {
        let steps = closed(&Plan::of(&Wish::default()));
        assert_eq!(steps.len(), 2 * Workload::ALL.len());
        let append = (Backend::Mongodb, Workload::Append, vec![1, 16, 64, 256]);
        assert!(steps.contains(&append));
    }

    #[test]
    fn batches_are_not_sent_over_more_connections_than_the_queue_has_room_for() {
        let steps = closed(&Plan::of(&Wish::default()));
        let batch = (Backend::Embedded, Workload::Batch, vec![1, 16, 64]);
        assert!(steps.contains(&batch));
    }

    #[test]
    fn without_a_wish_each_part_is_measured_on_both_backends() {
        let plan = Plan::of(&Wish::default());
        for backend in [Backend::Embedded, Backend::Mongodb] {
            let steps = plan.steps.iter().filter(|it| it.backend == backend);
            let whats: Vec<&What> = steps.map(|it| &it.what).collect();
            let has = |wanted: fn(&What) -> bool| whats.iter().any(|it| wanted(it));
            assert!(has(|it| matches!(it, What::Open { .. })));
            assert!(has(|it| matches!(it, What::Overload)));
            assert!(has(|it| matches!(it, What::Stream { .. })));
            assert!(has(|it| matches!(
                it,
                What::Growth {
                    events: 1_000_000,
                    ..
                }
            )));
            assert!(has(|it| matches!(it, What::Pages { .. })));
            assert!(has(|it| matches!(it, What::Streams { .. })));
            assert!(has(|it| matches!(it, What::Lanes { .. })));
            assert!(has(|it| matches!(it, What::Soak { .. })));
        }
    }

    #[test]
    fn the_quick_plan_finishes_in_three_minutes() {
        let wish = Wish {
            quick: true,
            ..Wish::default()
        };
        // The rest is for starting the database, and for a slow machine.
        assert!(Plan::of(&wish).estimate_from(0) < Duration::from_secs(150));
    }

    #[test]
    fn what_is_wished_for_replaces_the_default() {
        let wish = Wish {
            backends: vec![Backend::Embedded],
            workloads: vec![Workload::Append],
            connections: vec![8],
            rounds: Some(5),
            ..Wish::default()
        };
        let plan = Plan::of(&wish);
        let only = (Backend::Embedded, Workload::Append, vec![8]);
        assert_eq!(closed(&plan), [only]);
        assert_eq!(plan.pace.rounds, 5);
        assert_eq!(plan.pace.round, FULL.round);
    }

    #[test]
    fn a_rate_asks_for_open_loops_alone() {
        let wish = Wish {
            backends: vec![Backend::Embedded],
            workloads: vec![Workload::Append, Workload::Mixed],
            rates: vec![2_000.0],
            ..Wish::default()
        };
        // What goes in order within a conversation cannot be sent by whoever is free.
        let open = What::Open {
            workload: Workload::Append,
            rates: Rates::Absolute(vec![2_000.0]),
        };
        let step = Step {
            backend: Backend::Embedded,
            what: open,
        };
        assert_eq!(Plan::of(&wish).steps, [step]);
    }

    #[test]
    fn a_service_that_runs_already_is_not_overloaded() {
        let wish = Wish {
            backends: vec![Backend::Given],
            ..Wish::default()
        };
        let steps = Plan::of(&wish).steps;
        assert!(steps.iter().all(|step| step.what != What::Overload));
        assert!(!steps.is_empty());
    }
}
