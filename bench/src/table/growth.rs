//! What changes with what is stored, open or gone by. Pure.

use crate::{
    results::{Growth, Memories, Pages, Results, Soak},
    table::{cells, grid::Grid},
};

/// A table for each kind.
pub(super) fn grids(results: &Results) -> Vec<Grid> {
    vec![
        Grid {
            title: "Growth: an empty store, and one with many events".to_owned(),
            heads: &GROWTH,
            rows: results.growth.iter().map(growth_row).collect(),
        },
        Grid {
            title: "Pages of 20 events, by the length of the session".to_owned(),
            heads: &PAGES,
            rows: results.pages.iter().map(pages_row).collect(),
        },
        Grid {
            title: "Memory, by what is open or remembered".to_owned(),
            heads: &MEMORY,
            rows: results.memory.iter().map(memory_row).collect(),
        },
        Grid {
            title: "The same load for long".to_owned(),
            heads: &SOAKS,
            rows: results.soaks.iter().map(soak_row).collect(),
        },
    ]
}

const GROWTH: [&str; 10] = [
    "workload",
    "events",
    "empty/s",
    "±",
    "grown/s",
    "±",
    "p99 ms",
    "peak MiB",
    "grown through empty",
    "±",
];

fn growth_row(it: &Growth) -> Vec<String> {
    let Growth {
        events,
        empty,
        grown,
        ratio,
    } = it;
    vec![
        format!("{} {}", empty.backend, empty.workload),
        events.to_string(),
        cells::rate(&empty.rate),
        cells::plus_minus(&empty.rate),
        cells::rate(&grown.rate),
        cells::plus_minus(&grown.rate),
        cells::millis(grown.latency_micros.all.p99),
        cells::peak(grown.memory.as_ref()),
        format!("{:.2}", ratio.median),
        cells::plus_minus(ratio),
    ]
}

const PAGES: [&str; 8] = [
    "backend",
    "events",
    "page",
    "pages/s",
    "p50 ms",
    "p99 ms",
    "service µs",
    "errors",
];

fn pages_row(it: &Pages) -> Vec<String> {
    vec![
        it.backend.to_string(),
        it.length.to_string(),
        it.view.to_string(),
        cells::rate(&it.rate),
        cells::millis(it.latency_micros.all.p50),
        cells::millis(it.latency_micros.all.p99),
        cells::micros(it.cpu_micros.service.as_ref()),
        cells::errors(&it.errors),
    ]
}

const MEMORY: [&str; 4] = ["backend", "count", "RSS MiB", "of"];

fn memory_row(it: &Memories) -> Vec<String> {
    vec![
        it.backend.to_string(),
        it.count.to_string(),
        cells::mebibytes(it.resident_kib),
        it.what.to_string(),
    ]
}

const SOAKS: [&str; 6] = [
    "backend",
    "minutes",
    "answers/s",
    "RSS MiB at the end",
    "last quarter through second",
    "errors",
];

fn soak_row(it: &Soak) -> Vec<String> {
    let last = it.samples.last();
    let minutes = last.map_or(0.0, |last| last.seconds / 60.0);
    vec![
        format!("{} {}", it.backend, it.workload),
        format!("{minutes:.0}"),
        format!("{:.0}", it.rate),
        cells::mebibytes(last.map_or(0, |last| last.resident_kib)),
        format!("{:.2}", it.growth),
        cells::errors(&it.errors),
    ]
}
