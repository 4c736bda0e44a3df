//! What is measured, in which order, and about how long it takes. Pure.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{backend::Backend, ceiling::CeilingKind, workload::Workload};

/// Everything that is to be measured.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) pace: Pace,
    pub(crate) steps: Vec<Step>,
}

/// One measurement, with a store of its own.
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
    pub(crate) backends: Vec<Backend>,
    pub(crate) workloads: Vec<Workload>,
    pub(crate) connections: Vec<usize>,
    pub(crate) warm_up: Option<Duration>,
    pub(crate) round: Option<Duration>,
    pub(crate) rounds: Option<usize>,
}

const FULL: Pace = Pace {
    warm_up: Duration::from_secs(2),
    round: Duration::from_secs(5),
    rounds: 3,
    ceiling_round: Duration::from_secs(2),
};

const QUICK: Pace = Pace {
    warm_up: Duration::from_millis(500),
    round: Duration::from_secs(1),
    rounds: 2,
    ceiling_round: Duration::from_millis(500),
};

/// Of a closed loop.
const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];

/// About how long a server takes to start and a workload to be prepared.
const PREPARATION: Duration = Duration::from_millis(1_500);

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
        let steps = backends
            .into_iter()
            .flat_map(|backend| closed_loops(backend, wish));
        Self {
            pace,
            steps: steps.collect(),
        }
    }

    /// About how long the steps from this one on take.
    pub(crate) fn estimate_from(&self, step: usize) -> Duration {
        let steps = self.steps.iter().skip(step);
        steps.map(|it| it.estimate(&self.pace)).sum()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{:>6}  {step}", minutes(step.estimate(&self.pace)))?;
        }
        let Pace { rounds, round, .. } = self.pace;
        let all = minutes(self.estimate_from(0));
        write!(f, "{all:>6}  in all, with {rounds} rounds of {round:?}")
    }
}

/// Minutes and seconds, for people.
pub(crate) fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

fn closed_loops(backend: Backend, wish: &Wish) -> impl Iterator<Item = Step> {
    let workloads = given_or(&wish.workloads, &Workload::ALL);
    workloads.into_iter().map(move |workload| {
        let default = if wish.quick {
            goals_of(workload)
        } else {
            &CONNECTIONS
        };
        let mut connections = given_or(&wish.connections, default);
        connections.retain(|it| *it <= workload.most_connections());
        Step {
            backend,
            what: What::Closed {
                workload,
                connections,
            },
        }
    })
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

impl Step {
    fn estimate(&self, pace: &Pace) -> Duration {
        let Self { backend, what } = self;
        match what {
            What::Closed {
                workload,
                connections,
            } => {
                let ceilings = CeilingKind::of(*backend, *workload).len();
                let round = pace.round + times(pace.ceiling_round, ceilings);
                let rounds = pace.warm_up + times(round, pace.rounds);
                PREPARATION + times(rounds, connections.len())
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backend, what } = self;
        match what {
            What::Closed {
                workload,
                connections,
            } => {
                let connections: Vec<String> = connections.iter().map(usize::to_string).collect();
                let connections = connections.join(", ");
                write!(f, "{backend}: {workload} over {connections} connections")
            }
        }
    }
}

fn times(duration: Duration, factor: usize) -> Duration {
    duration.saturating_mul(u32::try_from(factor).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(plan: &Plan) -> Vec<(Backend, Workload, Vec<usize>)> {
        let steps = plan.steps.iter().cloned();
        steps
            .map(|step| match step.what {
                What::Closed {
                    workload,
                    connections,
                } => (step.backend, workload, connections),
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
    fn the_quick_plan_finishes_in_three_minutes() {
        let wish = Wish {
            quick: true,
            ..Wish::default()
        };
        assert!(Plan::of(&wish).estimate_from(0) < Duration::from_secs(170));
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
}
