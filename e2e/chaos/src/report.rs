//! The figures of a run, from its history alone.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::history::{
    Fault, History, Operation, Outcome,
    request::Request,
    values::{FaultKind, Moment},
};

/// Below so many acknowledged writes a second a run has hardly tried anything.
const ENOUGH_A_SECOND: u64 = 5;

/// The figures of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    seed: u64,
    processes: usize,
    length: Moment,
    operations: BTreeMap<&'static str, u64>,
    answers: BTreeMap<String, u64>,
    acknowledged_writes: u64,
    acknowledged_events: u64,
    slowest: BTreeMap<&'static str, Moment>,
    connections: usize,
    delivered: usize,
    faults: BTreeMap<FaultKind, Vec<Moment>>,
    longest: Moment,
}

impl Report {
    /// The figures of a history.
    pub fn of(history: &History) -> Self {
        let mut operations = BTreeMap::new();
        let mut answers = BTreeMap::new();
        let mut slowest: BTreeMap<&'static str, Moment> = BTreeMap::new();
        for operation in &history.operations {
            let name = operation.request.name();
            *operations.entry(name).or_default() += 1;
            *answers.entry(answer_of(operation)).or_default() += 1;
            if operation.answer().is_some() {
                let took = operation.ended.since(operation.began);
                let longest = slowest.entry(name).or_default();
                *longest = took.max(*longest);
            }
        }
        let writes = || {
            let operations = history.operations.iter();
            operations.filter(|it| it.request.is_write() && it.is_acknowledged())
        };
        let length = writes().map(|it| it.ended).max().unwrap_or_default();
        let gaps = Gaps::of(writes().filter(|it| appends(it) > 0).map(|it| it.ended));
        Self {
            seed: history.run.seed,
            processes: history.run.processes,
            length,
            operations,
            answers,
            acknowledged_writes: writes().count() as u64,
            acknowledged_events: writes().map(appends).sum(),
            slowest,
            connections: history.streams.len(),
            delivered: history.streams.iter().map(|it| it.delivered.len()).sum(),
            faults: pauses(&history.faults, length, &gaps),
            longest: gaps.longest(Moment::default(), length),
        }
    }

    /// Whether enough was tried that a clean verdict says something.
    pub fn is_enough(&self) -> bool {
        let seconds = Duration::from(self.length).as_secs();
        self.acknowledged_writes > ENOUGH_A_SECOND * seconds.max(1) && self.delivered > 0
    }

    /// The kinds of faults that happened.
    pub fn kinds(&self) -> impl Iterator<Item = FaultKind> {
        self.faults.keys().copied()
    }
}

/// How many events an answer acknowledges.
fn appends(operation: &Operation) -> u64 {
    let Some(answer) = operation.answer().filter(|answer| answer.is_good()) else {
        return 0;
    };
    match operation.request {
        Request::Append { .. } => 1,
        Request::Batch { .. } => {
            let good = answer.results.iter().filter(|result| result.status < 300);
            good.count() as u64
        }
        _ => 0,
    }
}

fn answer_of(operation: &Operation) -> String {
    match &operation.outcome {
        Outcome::Failed(failure) => failure.kind.name().to_owned(),
        Outcome::Answer(answer) => match &answer.problem {
            Some(problem) => format!("{} {problem}", answer.status),
            None => answer.status.to_string(),
        },
    }
}

/// For each kind of fault, the longest time without an acknowledged append from each fault's
/// beginning to the next one's.
fn pauses(faults: &[Fault], end: Moment, gaps: &Gaps) -> BTreeMap<FaultKind, Vec<Moment>> {
    let mut pauses: BTreeMap<FaultKind, Vec<Moment>> = BTreeMap::new();
    for fault in faults {
        let next = faults
            .iter()
            .map(|other| other.began)
            .filter(|began| *began > fault.recovered)
            .min()
            .unwrap_or(end);
        let pause = gaps.longest(fault.began, next);
        pauses.entry(fault.kind).or_default().push(pause);
    }
    for pauses in pauses.values_mut() {
        pauses.sort_unstable();
    }
    pauses
}

/// The times between one acknowledgement and the next.
struct Gaps(Vec<Moment>);

impl Gaps {
    fn of(acknowledged: impl Iterator<Item = Moment>) -> Self {
        let mut moments: Vec<Moment> = acknowledged.collect();
        moments.push(Moment::default());
        moments.sort_unstable();
        Self(moments)
    }

    /// The longest one, as far as it is in this span.
    fn longest(&self, from: Moment, to: Moment) -> Moment {
        let gaps = self.0.windows(2).filter_map(|pair| match pair {
            [start, end] => Some((*end).min(to).since((*start).max(from))),
            _ => None,
        });
        gaps.max().unwrap_or_default()
    }
}

fn median(sorted: &[Moment]) -> Moment {
    let middle = sorted.len().saturating_sub(1) / 2;
    sorted.get(middle).copied().unwrap_or_default()
}

fn seconds(moment: Moment) -> String {
    format!("{:.2} s", Duration::from(moment).as_secs_f64())
}

fn list<K: fmt::Display>(counts: &BTreeMap<K, u64>) -> String {
    let parts: Vec<String> = counts
        .iter()
        .map(|(key, n)| format!("{key}: {n}"))
        .collect();
    parts.join(", ")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: u64 = self.operations.values().sum();
        writeln!(
            f,
            "seed {}, {} with {} service processes",
            self.seed,
            seconds(self.length),
            self.processes
        )?;
        writeln!(f, "operations    {total} ({})", list(&self.operations))?;
        writeln!(f, "answers       {}", list(&self.answers))?;
        writeln!(
            f,
            "acknowledged  {} writes, {} events",
            self.acknowledged_writes, self.acknowledged_events
        )?;
        writeln!(
            f,
            "streams       {} connections, {} events delivered",
            self.connections, self.delivered
        )?;
        let slowest: Vec<String> = self
            .slowest
            .iter()
            .map(|(name, took)| format!("{name} {}", seconds(*took)))
            .collect();
        writeln!(f, "slowest       {}", slowest.join(", "))?;
        writeln!(
            f,
            "longest time without an acknowledged append: {}",
            seconds(self.longest)
        )?;
        if self.faults.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "  {:<18} {:>5} {:>9} {:>9}",
            "fault", "times", "median", "longest"
        )?;
        for (kind, pauses) in &self.faults {
            writeln!(
                f,
                "  {kind:<18} {:>5} {:>9} {:>9}",
                pauses.len(),
                seconds(median(pauses)),
                seconds(pauses.last().copied().unwrap_or_default())
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: FaultKind, began: u64, recovered: u64) -> Fault {
        Fault {
            kind,
            target: "a member".to_owned(),
            process: None,
            began: Moment(began),
            mended: Moment(recovered),
            recovered: Moment(recovered),
        }
    }

    #[test]
    fn a_pause_belongs_to_the_fault_in_whose_time_it_is() {
        let faults = [
            fault(FaultKind::HoldBack, 100, 200),
            fault(FaultKind::KillPrimary, 300, 500),
        ];
        let acknowledged = (0..290).step_by(10).chain([400, 410, 500, 600]);
        let gaps = Gaps::of(acknowledged.map(Moment));
        let pauses = pauses(&faults, Moment(600), &gaps);
        assert_eq!(pauses[&FaultKind::HoldBack], [Moment(20)]);
        assert_eq!(pauses[&FaultKind::KillPrimary], [Moment(100)]);
    }

    #[test]
    fn a_run_of_nothing_is_not_enough() {
        let history = History {
            run: crate::history::Run {
                format: String::new(),
                seed: 0,
                processes: 1,
                deadline: Moment(1),
                slack: Moment(1),
            },
            operations: Vec::new(),
            streams: Vec::new(),
            faults: Vec::new(),
        };
        assert!(!Report::of(&history).is_enough());
    }
}
