//! Loops: closed, open, beyond capacity, and with subscribers. Pure.

use crate::{
    backend::Backend,
    results::{Closed, Open, Overload, Results, Stream},
    table::{cells, grid::Grid},
};

/// A table for each kind, and for each backend where there are many rows.
pub(super) fn grids(results: &Results) -> Vec<Grid> {
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
    ];
    closed.into_iter().chain(others).collect()
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

const OVERLOAD: [&str; 14] = [
    "backend",
    "capacity/s",
    "due/s",
    "goodput/s",
    "of capacity",
    "accepted p99 ms",
    "from sent ms",
    "refused p99 ms",
    "from sent ms",
    "refused",
    "unsent",
    "service µs",
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
        cells::millis(it.accepted_from_sent_micros.p99),
        cells::millis(it.refused_micros.p99),
        cells::millis(it.refused_from_sent_micros.p99),
        it.refused.to_string(),
        it.unsent.to_string(),
        cells::micros(it.cpu_micros.service.as_ref()),
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
