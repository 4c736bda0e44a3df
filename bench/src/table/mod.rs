//! Results as tables, for people: `loops` and `growth` say what stands in them, `cells` how a figure
//! is written, `grid` lays out.

mod cells;
mod grid;
mod growth;
mod loops;

use std::fmt::Write as _;

use grid::Grid;

use crate::{
    goals::{Bound, GOALS, Goal},
    results::Results,
};

/// Everything that was measured, for a terminal.
pub(crate) fn text(results: &Results) -> String {
    let mut text = format!("\n{}\n", head(results).join("\n"));
    for grid in grids(results) {
        text += &grid.text();
    }
    for failed in &results.failed {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\nFAILED {}: {}", failed.step, failed.error);
    }
    text
}

/// The same, for a document.
pub(crate) fn markdown(results: &Results) -> String {
    let mut text = head(results).join("  \n") + "\n";
    for grid in grids(results) {
        text += &grid.markdown();
    }
    for failed in &results.failed {
        let _ = writeln!(text, "\n**Failed**: {}: {}", failed.step, failed.error);
    }
    text
}

/// What the figures depend on, and how they are written.
fn head(results: &Results) -> [String; 3] {
    let Results {
        machine,
        commit,
        measured_at,
        pace,
        preloaded_events,
        ..
    } = results;
    let commit = commit.as_deref().unwrap_or("unknown");
    let rounds = pace.rounds;
    let round = pace.round;
    [
        format!("{machine}; commit {commit}; {measured_at}"),
        format!("{rounds} rounds of {round:?}; {preloaded_events} events stored before"),
        "±: half of what lies between the rounds; µs: CPU time an answer".to_owned(),
    ]
}

/// All tables that have rows; the goals come last.
fn grids(results: &Results) -> Vec<Grid> {
    let goals = Grid {
        title: "Goals: what was measured of them".to_owned(),
        heads: &["goal", "bound", "measured", "met"],
        rows: goal_rows(results),
    };
    let mut grids = loops::grids(results);
    grids.extend(growth::grids(results));
    grids.push(goals);
    grids.retain(|grid| !grid.rows.is_empty());
    grids
}

/// Those that were measured; none if none was.
fn goal_rows(results: &Results) -> Vec<Vec<String>> {
    let measured = GOALS
        .iter()
        .filter_map(|goal| Some((goal, goal.measured(results)?)));
    measured
        .map(|(goal, figure)| goal_row(goal, figure))
        .collect()
}

fn goal_row(goal: &Goal, figure: f64) -> Vec<String> {
    let unit = goal.unit;
    let bound = match goal.bound {
        Bound::AtLeast(least) => format!("≥ {least}{unit}"),
        Bound::AtMost(most) => format!("≤ {most}{unit}"),
    };
    let met = if goal.bound.is_met(figure) {
        "yes"
    } else {
        "NO"
    };
    let digits = if figure < 10.0 { 2 } else { 0 };
    let figure = format!("{figure:.digits$}{unit}");
    vec![goal.what.to_owned(), bound, figure, met.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::Backend,
        ceiling::CeilingKind,
        results::{Closed, Memories, Remembered, Sample, Soak, samples},
        workload::{View, Workload},
    };

    fn append(ratio: f64) -> Results {
        let append = samples::closed(Backend::Mongodb, Workload::Append, 64, 5_000.0);
        samples::results(vec![Closed {
            ceilings: vec![samples::ceiling(CeilingKind::InsertOne, ratio)],
            ..append
        }])
    }

    #[test]
    fn every_row_has_a_cell_for_every_head() {
        let mut results = append(3.0);
        results
            .open
            .push(samples::open(Backend::Mongodb, 100.0, 500.0));
        results.pages.push(samples::pages(100, View::First, 500.0));
        results
            .growth
            .push(samples::growth(Workload::Append, 1_000_000, 0.9));
        results.memory.push(Memories {
            backend: Backend::Mongodb,
            what: Remembered::Lanes,
            count: 100,
            resident_kib: 20_000,
        });
        let sample = Sample {
            seconds: 60.0,
            resident_kib: 20_000,
        };
        results.soaks.push(Soak {
            backend: Backend::Mongodb,
            workload: Workload::Mixed,
            connections: 64,
            rate: 1_000.0,
            growth: 1.0,
            samples: vec![sample],
            errors: std::collections::BTreeMap::new(),
        });
        let grids = grids(&results);
        assert_eq!(grids.len(), 7);
        for grid in grids {
            let heads = grid.heads.len();
            assert!(
                grid.rows.iter().all(|row| row.len() == heads),
                "{}",
                grid.title
            );
        }
    }

    #[test]
    fn a_result_is_shown_with_its_ratio_to_its_ceiling() {
        let text = text(&append(3.0));
        assert!(text.contains("3.00 × raw insert_one (1000/s)"), "{text}");
    }

    #[test]
    fn a_goal_stands_beside_what_was_measured() {
        let line = |ratio| {
            let text = text(&append(ratio));
            let mut lines = text.lines().map(str::to_owned);
            lines
                .find(|it| it.starts_with("append, 64 connections"))
                .unwrap()
        };
        assert!(
            line(3.0).ends_with("≥ 2.5 ×    3.00 ×  yes"),
            "{}",
            line(3.0)
        );
        assert!(line(2.0).ends_with("NO"));
    }

    #[test]
    fn what_was_not_measured_has_no_table() {
        assert!(grids(&samples::results(Vec::new())).is_empty());
    }
}
