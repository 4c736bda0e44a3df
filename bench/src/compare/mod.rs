//! What changed between two runs, beyond the noise that the rounds of each show. `figures` lists
//! what is compared. Pure.

mod figures;

use std::fmt;

use crate::{figures::Spread, results::Results};

pub(crate) use figures::{Better, Figure};

/// What two runs say of each other.
pub(crate) struct Comparison {
    /// What makes them hard to compare.
    pub(crate) notes: Vec<String>,
    /// How many figures both have.
    pub(crate) compared: usize,
    /// Those that differ beyond noise, the largest change first.
    pub(crate) changes: Vec<Change>,
}

/// A figure that is another one now.
#[derive(Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) name: String,
    pub(crate) before: Spread,
    pub(crate) after: Spread,
    pub(crate) is_better: bool,
}

/// A smaller change than this is none, however close the rounds of each run are: two runs differ
/// by more than two rounds do.
const LEAST: f64 = 0.03;

/// What a figure of which only one value is known may differ by.
const UNKNOWN_NOISE: f64 = 0.10;

/// From here on a change of the ceilings says that the machine was in another state.
const ANOTHER_STATE: f64 = 0.10;

/// Compares a run with one before.
pub(crate) fn compare(before: &Results, after: &Results) -> Comparison {
    let figures_before = figures::of(before);
    let mut compared = 0;
    let mut changes = Vec::new();
    for figure in figures::of(after) {
        let Some(old) = figures_before.iter().find(|it| it.name == figure.name) else {
            continue;
        };
        compared += 1;
        changes.extend(change(old, figure));
    }
    changes.sort_by(|a, b| b.size().total_cmp(&a.size()));
    Comparison {
        notes: notes(before, after),
        compared,
        changes,
    }
}

/// `None` if the two runs lie no farther apart than the rounds of one: then either could be the
/// other. That they do not overlap is not enough: of two times three rounds of the very same kind
/// one time in ten all of the first three lie on one side.
fn change(before: &Figure, after: Figure) -> Option<Change> {
    let gap = distance(&before.value, &after.value);
    let noise = noise(&before.value).max(noise(&after.value));
    let grew = after.value.median > before.value.median;
    let change = Change {
        name: after.name,
        before: before.value,
        after: after.value,
        is_better: grew == (after.better == Better::More),
    };
    (gap > noise && change.size() >= LEAST).then_some(change)
}

/// Between the rounds of two runs; negative where they overlap.
fn distance(a: &Spread, b: &Spread) -> f64 {
    a.min.max(b.min) - a.max.min(b.max)
}

/// How far the rounds of one run are apart.
fn noise(spread: &Spread) -> f64 {
    let Spread { min, median, max } = *spread;
    if max > min {
        max - min
    } else {
        median * UNKNOWN_NOISE
    }
}

fn notes(before: &Results, after: &Results) -> Vec<String> {
    let mut notes = Vec::new();
    if before.machine != after.machine {
        notes.push(format!(
            "other machines ({}; {}): only ratios can be compared",
            before.machine, after.machine
        ));
    }
    if before.pace != after.pace {
        notes.push("rounds of other lengths or numbers".to_owned());
    }
    if before.pace.rounds.min(after.pace.rounds) < 3 {
        notes.push("fewer than three rounds: their noise is hardly known".to_owned());
    }
    if let Some(change) = ceilings(before, after)
        && change.abs() >= ANOTHER_STATE
    {
        notes.push(format!(
            "the ceilings, which have nothing of the service in them, are {:+.0} % beside those \
             before: the machine was in another state, look at the ratios (×) only",
            change * 100.0
        ));
    }
    if before.preloaded_events != after.preloaded_events {
        notes.push("another number of events stored before".to_owned());
    }
    notes
}

/// How much faster the same machine did what the service has no part in: the median.
fn ceilings(before: &Results, after: &Results) -> Option<f64> {
    let before = figures::ceilings(before);
    let changes = figures::ceilings(after)
        .into_iter()
        .filter_map(|(name, rate)| {
            let (_, old) = before.iter().find(|(it, _)| *it == name)?;
            Some(rate / old - 1.0)
        });
    let changes: Vec<f64> = changes.collect();
    (!changes.is_empty()).then(|| Spread::of(changes).median)
}

impl Change {
    /// From before to after, as a share of before.
    pub(crate) fn relative(&self) -> f64 {
        self.after.median / self.before.median - 1.0
    }

    /// How many times as much it is, or as little: a rate that was halved has changed as much as
    /// one that was doubled.
    fn size(&self) -> f64 {
        let ratio = self.after.median / self.before.median;
        ratio.max(1.0 / ratio) - 1.0
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        for change in &self.changes {
            writeln!(f, "{change}")?;
        }
        let Self {
            compared, changes, ..
        } = self;
        let changed = changes.len();
        write!(f, "{changed} of {compared} figures changed beyond noise")
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_better { "better" } else { "WORSE" };
        let percent = self.relative() * 100.0;
        let [before, after] = [&self.before, &self.after].map(in_range);
        write!(
            f,
            "{verdict:<6}  {percent:>+6.0} %  {:<55} {before} → {after}",
            self.name
        )
    }
}

fn in_range(spread: &Spread) -> String {
    let Spread { min, median, max } = *spread;
    let digits = if median < 100.0 { 2 } else { 0 };
    if max > min {
        format!("{median:.digits$} ({min:.digits$} to {max:.digits$})")
    } else {
        format!("{median:.digits$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::Backend,
        ceiling::CeilingKind,
        results::{Closed, samples},
        workload::Workload,
    };

    fn run(rate: f64) -> Results {
        let append = samples::closed(Backend::Mongodb, Workload::Append, 64, rate);
        samples::results(vec![append])
    }

    #[test]
    fn a_run_has_not_changed_against_itself() {
        let comparison = compare(&run(1_000.0), &run(1_000.0));
        assert!(comparison.changes.is_empty());
        assert!(comparison.notes.is_empty());
        assert!(comparison.compared > 3);
    }

    #[test]
    fn what_lies_within_the_rounds_of_the_other_run_is_noise() {
        // The rounds lie 10 % around each: the first two overlap, the others nearly do.
        for other in [1_150.0, 1_350.0] {
            assert!(compare(&run(1_000.0), &run(other)).changes.is_empty());
        }
    }

    #[test]
    fn a_rate_that_rose_and_a_latency_that_fell_beyond_noise_are_better() {
        let changes = compare(&run(1_000.0), &run(2_000.0)).changes;
        assert!(changes.iter().all(|it| it.is_better));
        let rate = changes
            .iter()
            .find(|it| it.name.ends_with("answers/s"))
            .unwrap();
        assert!((rate.relative() - 1.0).abs() < 1e-9);
        assert!(changes.iter().any(|it| it.name.contains("p50")));
    }

    #[test]
    fn a_rate_that_fell_is_worse_and_said_so() {
        let comparison = compare(&run(2_000.0), &run(1_000.0));
        assert!(comparison.changes.iter().all(|it| !it.is_better));
        let text = comparison.to_string();
        assert!(text.contains("WORSE"), "{text}");
        assert!(text.ends_with("figures changed beyond noise"), "{text}");
    }

    #[test]
    fn the_largest_change_comes_first_whichever_way_it_goes() {
        let both = |append, create| {
            samples::results(vec![
                samples::closed(Backend::Embedded, Workload::Append, 64, append),
                samples::closed(Backend::Embedded, Workload::Create, 64, create),
            ])
        };
        let changes = compare(&both(1_000.0, 4_000.0), &both(1_500.0, 1_000.0)).changes;
        assert!(changes[0].name.contains("create"), "{changes:?}");
    }

    #[test]
    fn open_loops_are_compared_by_their_share_of_what_each_run_could_carry() {
        let run = |rate, p50| {
            let mut results = samples::results(Vec::new());
            results
                .open
                .push(samples::open(Backend::Mongodb, rate, p50));
            results
        };
        let changes = compare(&run(1_000.0, 500.0), &run(1_100.0, 2_000.0)).changes;
        assert!(
            changes[0]
                .name
                .starts_with("mongodb append at 50 % of capacity")
        );
        assert!(!changes[0].is_better);
    }

    #[test]
    fn another_machine_is_noted() {
        let mut other = run(1_000.0);
        other.machine.cores = 64;
        let notes = compare(&run(1_000.0), &other).notes;
        assert!(notes[0].contains("64 cores"), "{notes:?}");
    }

    #[test]
    fn ceilings_that_changed_say_that_the_machine_was_in_another_state() {
        let run = |rate| {
            let mut ceiling = samples::ceiling(CeilingKind::Route, 0.5);
            ceiling.rate = samples::spread(rate);
            let append = samples::closed(Backend::Embedded, Workload::Append, 64, rate);
            samples::results(vec![Closed {
                ceilings: vec![ceiling],
                ..append
            }])
        };
        let comparison = compare(&run(1_000.0), &run(500.0));
        assert!(
            comparison.notes[0].contains("-50 %"),
            "{:?}",
            comparison.notes
        );
        // The ratio is what it was.
        let ratios = comparison.changes.iter().filter(|it| it.name.contains('×'));
        assert_eq!(ratios.count(), 0);
    }

    #[test]
    fn figures_that_only_one_run_has_are_left_out() {
        assert_eq!(
            compare(&run(1.0), &samples::results(Vec::new())).compared,
            0
        );
    }
}
