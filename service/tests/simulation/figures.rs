//! What a run has seen: proves that the interesting paths are reached.

use std::collections::BTreeMap;
use std::fmt;

use sessionstore::log::{Answer, Refusal};

/// What goes wrong in the simulated world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A call to the store never arrives.
    CallLost,
    /// A commit fails before anything is tried, and says so.
    NotTried,
    /// A commit or creation is done, but its answer never comes.
    AnswerLost,
    /// A commit arrives after its caller gave up.
    Late,
    /// A commit arrives twice.
    Duplicated,
    /// A call panics: its answer has no outcomes.
    NoOutcomes,
    /// A look-up fails.
    LookUpFailed,
    /// A look-up takes longer than its caller waits.
    LookUpSlow,
    /// A process dies with everything it has in memory.
    Crash,
    /// Another member becomes primary.
    Failover,
    /// … and what the majority did not have is gone.
    RolledBack,
    /// … and a commit that was under way there is sent again to the new primary.
    Resent,
    /// … and a process keeps talking to the deposed primary.
    CutOff,
    /// The majority stands still for a while.
    Stall,
    /// A session is erased.
    Erasure,
    /// A client stops waiting and goes on.
    HungUp,
}

impl Fault {
    pub(crate) const ALL: [Self; 16] = [
        Self::CallLost,
        Self::NotTried,
        Self::AnswerLost,
        Self::Late,
        Self::Duplicated,
        Self::NoOutcomes,
        Self::LookUpFailed,
        Self::LookUpSlow,
        Self::Crash,
        Self::Failover,
        Self::RolledBack,
        Self::Resent,
        Self::CutOff,
        Self::Stall,
        Self::Erasure,
        Self::HungUp,
    ];
}

/// Every kind of answer there is.
pub(crate) const ANSWERS: [&str; 13] = [
    "appended",
    "appended before",
    "closed",
    "created",
    "created before",
    "refused: absent",
    "refused: erased",
    "refused: closed",
    "refused: closed otherwise",
    "refused: event id taken",
    "refused: not next",
    "refused: overloaded",
    "refused: timed out",
];

pub(crate) fn kind_of(answer: &Answer) -> &'static str {
    match answer {
        Answer::Appended {
            replayed: false, ..
        } => "appended",
        Answer::Appended { replayed: true, .. } => "appended before",
        Answer::Closed(_) => "closed",
        Answer::Created {
            replayed: false, ..
        } => "created",
        Answer::Created { replayed: true, .. } => "created before",
        Answer::Refused(refusal) => match refusal {
            Refusal::SessionAbsent => "refused: absent",
            Refusal::Erased => "refused: erased",
            Refusal::Closed(_) => "refused: closed",
            Refusal::ClosedOtherwise(_) => "refused: closed otherwise",
            Refusal::EventIdTaken => "refused: event id taken",
            Refusal::NotNext { .. } => "refused: not next",
            Refusal::Overloaded => "refused: overloaded",
            Refusal::TimedOut => "refused: timed out",
        },
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) seeds: u64,
    pub(crate) steps: u64,
    pub(crate) requests: u64,
    pub(crate) reads: u64,
    pub(crate) faults: BTreeMap<Fault, u64>,
    pub(crate) answers: BTreeMap<&'static str, u64>,
}

impl Figures {
    pub(crate) fn count(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }

    pub(crate) fn answered(&mut self, answer: &Answer) {
        *self.answers.entry(kind_of(answer)).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.requests += other.requests;
        self.reads += other.reads;
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        for (answer, count) in &other.answers {
            *self.answers.entry(answer).or_default() += count;
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} seeds, {} steps, {} requests, {} reads",
            self.seeds, self.steps, self.requests, self.reads
        )?;
        writeln!(f, "faults: {:?}", self.faults)?;
        write!(f, "answers: {:?}", self.answers)
    }
}
