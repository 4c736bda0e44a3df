//! Results as tables, for people. `grid` lays out, `cells` writes figures.

mod cells;
mod grid;

use std::fmt::Write as _;

use grid::Grid;

use crate::{
    backend::Backend,
    goals::{Bound, GOALS, Goal},
    results::{Closed, Open, Overload, Results, Stream},
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

fn grids(results: &Results) -> Vec<Grid> {
    let closed = [Backend::Embedded, Backend::Mongodb, Backend::Given].map(|backend| {
        let rows = results.closed.iter().filter(|it| it.backend == backend);
        Grid {
            title: format!("Closed loop, {backend}"),
            heads: &CLOSED,
            rows: rows.map(closed_row).collect(),
        }
    });
    let others = [
        Grid {
            title: "Open loop: latencies from when requests were due".to_owned(),
            heads: &OPEN,
            rows: results.open.iter().map(open_row).collect(),
        },
        Grid {
            title: "Overload: three times of what a closed loop gets through".to_owned(),
            heads: &OVERLOAD,
            rows: results.overload.iter().map(overload_row).collect(),
        },
        Grid {
            title: "Streams: from when an append was due until it had arrived".to_owned(),
            heads: &STREAMS,
            rows: results.streams.iter().map(stream_row).collect(),
        },
        Grid {
            title: "Goals: what was measured of them".to_owned(),
            heads: &["goal", "bound", "measured", "met"],
            rows: goal_rows(results),
        },
    ];
    let mut grids: Vec<Grid> = closed.into_iter().chain(others).collect();
    grids.retain(|grid| !grid.rows.is_empty());
    grids
}

const CLOSED: [&str; 13] = [
    "workload",
    "conns",
    "answers/s",
    "±",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "service µs",
    "mongod µs",
    "own µs",
    "peak MiB",
    "errors",
    "ratio to ceilings",
];

fn closed_row(it: &Closed) -> Vec<String> {
    let all = &it.latency_micros.all;
    vec![
        it.workload.to_string(),
        it.connections.to_string(),
        cells::rate(&it.rate),
        cells::plus_minus(&it.rate),
        cells::millis(all.p50),
        cells::millis(all.p99),
        cells::millis(all.p999),
        cells::micros(it.cpu_micros.service.as_ref()),
        cells::micros(it.cpu_micros.mongods.as_ref()),
        cells::micros(Some(&it.cpu_micros.generator)),
        cells::peak(it.memory.as_ref()),
        cells::errors(&it.errors),
        cells::ratios(&it.ceilings),
    ]
}

const OPEN: [&str; 11] = [
    "workload",
    "due/s",
    "of capacity",
    "answers/s",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "sent late p99 ms",
    "service µs",
    "own µs",
    "errors",
];

fn open_row(it: &Open) -> Vec<String> {
    let all = &it.latency_micros.all;
    vec![
        format!("{} {}", it.backend, it.workload),
        format!("{:.0}", it.rate),
        it.share
            .map_or("-".to_owned(), |share| format!("{:.0} %", share * 100.0)),
        cells::rate(&it.answered),
        cells::millis(all.p50),
        cells::millis(all.p99),
        cells::millis(all.p999),
        cells::millis(it.lateness_micros.p99),
        cells::micros(it.cpu_micros.service.as_ref()),
        cells::micros(Some(&it.cpu_micros.generator)),
        cells::errors(&it.errors),
    ]
}

const OVERLOAD: [&str; 12] = [
    "backend",
    "capacity/s",
    "due/s",
    "goodput/s",
    "of capacity",
    "accepted p99 ms",
    "refused p99 ms",
    "from sent ms",
    "refused",
    "unsent",
    "own µs",
    "errors",
];

fn overload_row(it: &Overload) -> Vec<String> {
    vec![
        it.backend.to_string(),
        cells::rate(&it.capacity),
        cells::rate(&it.offered),
        cells::rate(&it.goodput),
        format!("{:.2}", it.ratio.median),
        cells::millis(it.accepted_micros.p99),
        cells::millis(it.refused_micros.p99),
        cells::millis(it.refused_from_sent_micros.p99),
        it.refused.to_string(),
        it.unsent.to_string(),
        cells::micros(Some(&it.cpu_micros.generator)),
        cells::errors(&it.errors),
    ]
}

const STREAMS: [&str; 10] = [
    "backend",
    "appends/s",
    "subscribers",
    "delivered",
    "append p50 ms",
    "delivery p50 ms",
    "p99 ms",
    "service µs",
    "peak MiB",
    "errors",
];

fn stream_row(it: &Stream) -> Vec<String> {
    vec![
        it.backend.to_string(),
        format!("{:.0}", it.rate),
        it.subscribers.to_string(),
        it.delivered.to_string(),
        cells::millis(it.append_micros.all.p50),
        cells::millis(it.delivery_micros.all.p50),
        cells::millis(it.delivery_micros.all.p99),
        cells::micros(it.cpu_micros.service.as_ref()),
        cells::peak(it.memory.as_ref()),
        cells::errors(&it.errors),
    ]
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
    use crate::{ceiling::CeilingKind, results::samples, workload::Workload};

    fn append(ratio: f64) -> Results {
        let append = samples::closed(Backend::Mongodb, Workload::Append, 64, 5_000.0);
        samples::results(vec![Closed {
            ceilings: vec![samples::ceiling(CeilingKind::InsertOne, ratio)],
            ..append
        }])
    }

    #[test]
    fn every_row_has_a_cell_for_every_head() {
        for grid in grids(&append(3.0)) {
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
