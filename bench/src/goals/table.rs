//! What is to be reached, on two shared cores, with a majority and its journals, at the default
//! consistency.

use crate::{
    backend::Backend::{Embedded, Mongodb},
    ceiling::CeilingKind,
    goals::{
        Bound::{AtLeast, AtMost},
        Cell, Goal,
        Measure::{
            Growth, LatencyOfCeiling, Memory, MemoryGrown, OfCeiling, OfCell, Overload,
            PageOfLongest, Rate, ServiceCpu, Soak,
        },
    },
    results,
    workload::Workload::{Append, AppendHot, Create, Get20, Mixed, Replay},
};

const RATIO: &str = " ×";

/// From when they were sent: what the generator was late, with no core left for it, is not the
/// service's. Without a refusal there was no overload, and nothing to tell of it.
fn refused_p99(overload: &results::Overload) -> Option<f64> {
    (overload.refused > 0).then(|| overload.refused_from_sent_micros.p99 / 1e3)
}

/// From when they were sent.
fn accepted_p99(overload: &results::Overload) -> f64 {
    overload.accepted_from_sent_micros.p99 / 1e3
}

/// All goals, in the order in which they are shown.
pub(crate) const GOALS: &[Goal] = &[
    // 0.23 × of this ceiling is what the best measured peer reaches: ten times that.
    Goal {
        what: "append, 64 connections, MongoDB: raw insert_one at 64",
        measure: OfCeiling(Cell(Mongodb, Append, 64), CeilingKind::InsertOne),
        bound: AtLeast(2.5),
        unit: RATIO,
    },
    Goal {
        what: "append, 256 connections: raw insert_one at 256",
        measure: OfCeiling(Cell(Mongodb, Append, 256), CeilingKind::InsertOne),
        bound: AtLeast(5.0),
        unit: RATIO,
    },
    Goal {
        what: "append, 1 connection, p50: raw insert_one at 1",
        measure: LatencyOfCeiling(Cell(Mongodb, Append, 1), CeilingKind::InsertOne),
        bound: AtMost(1.25),
        unit: RATIO,
    },
    Goal {
        what: "append-hot, 64: append at 64",
        measure: OfCell(Cell(Mongodb, AppendHot, 64), Cell(Mongodb, Append, 64)),
        bound: AtLeast(0.8),
        unit: RATIO,
    },
    Goal {
        what: "replay, 64: append at 64",
        measure: OfCell(Cell(Mongodb, Replay, 64), Cell(Mongodb, Append, 64)),
        bound: AtLeast(1.0),
        unit: RATIO,
    },
    Goal {
        what: "create, 64: raw upsert at 64",
        measure: OfCeiling(Cell(Mongodb, Create, 64), CeilingKind::Upsert),
        bound: AtLeast(2.5),
        unit: RATIO,
    },
    Goal {
        what: "get20, 16: raw find of 20 at 16",
        measure: OfCeiling(Cell(Mongodb, Get20, 16), CeilingKind::FindTwenty),
        bound: AtLeast(0.5),
        unit: RATIO,
    },
    // The best peer did 400/s with the same three mongods on two cores.
    Goal {
        what: "mixed, 64",
        measure: Rate(Cell(Mongodb, Mixed, 64)),
        bound: AtLeast(4_000.0),
        unit: "/s",
    },
    Goal {
        what: "embedded append, 64: MongoDB append at 64",
        measure: OfCell(Cell(Embedded, Append, 64), Cell(Mongodb, Append, 64)),
        bound: AtLeast(2.5),
        unit: RATIO,
    },
    Goal {
        what: "embedded append, 64: axum without a store",
        measure: OfCeiling(Cell(Embedded, Append, 64), CeilingKind::Route),
        bound: AtLeast(0.4),
        unit: RATIO,
    },
    Goal {
        what: "service CPU of an append at 256, MongoDB",
        measure: ServiceCpu(Cell(Mongodb, Append, 256)),
        bound: AtMost(60.0),
        unit: " µs",
    },
    Goal {
        what: "service CPU of a get20 at 16, MongoDB",
        measure: ServiceCpu(Cell(Mongodb, Get20, 16)),
        bound: AtMost(80.0),
        unit: " µs",
    },
    Goal {
        what: "RSS, MongoDB, any workload",
        measure: Memory(Mongodb),
        bound: AtMost(40.0),
        unit: " MB",
    },
    Goal {
        what: "RSS, embedded, with 1,000,000 events",
        measure: MemoryGrown(Embedded),
        bound: AtMost(64.0),
        unit: " MB",
    },
    // "Flat": what an allocator keeps now and then is no leak, which would double it.
    Goal {
        what: "RSS over 10 minutes, MongoDB: last quarter through second",
        measure: Soak(Mongodb),
        bound: AtMost(1.1),
        unit: RATIO,
    },
    Goal {
        what: "RSS over 10 minutes, embedded: last quarter through second",
        measure: Soak(Embedded),
        bound: AtMost(1.1),
        unit: RATIO,
    },
    Goal {
        what: "growth, MongoDB: with 1,000,000 events through empty",
        measure: Growth(Mongodb),
        bound: AtLeast(0.8),
        unit: RATIO,
    },
    Goal {
        what: "growth, embedded: with 1,000,000 events through empty",
        measure: Growth(Embedded),
        bound: AtLeast(0.8),
        unit: RATIO,
    },
    Goal {
        what: "pages, MongoDB: p50 of the longest session through 100",
        measure: PageOfLongest(Mongodb),
        bound: AtMost(1.2),
        unit: RATIO,
    },
    Goal {
        what: "pages, embedded: p50 of the longest session through 100",
        measure: PageOfLongest(Embedded),
        bound: AtMost(1.2),
        unit: RATIO,
    },
    Goal {
        what: "overload 3 ×, MongoDB: goodput through capacity",
        measure: Overload(Mongodb, |it| Some(it.ratio.median)),
        bound: AtLeast(0.9),
        unit: RATIO,
    },
    Goal {
        what: "overload 3 ×, MongoDB: refused, p99",
        measure: Overload(Mongodb, refused_p99),
        bound: AtMost(50.0),
        unit: " ms",
    },
    // "Bounded": a queue of 500 is worked off in a second even at 500 a second.
    Goal {
        what: "overload 3 ×, MongoDB: accepted, p99",
        measure: Overload(Mongodb, |it| Some(accepted_p99(it))),
        bound: AtMost(1_000.0),
        unit: " ms",
    },
    Goal {
        what: "overload 3 ×, embedded: goodput through capacity",
        measure: Overload(Embedded, |it| Some(it.ratio.median)),
        bound: AtLeast(0.9),
        unit: RATIO,
    },
    Goal {
        what: "overload 3 ×, embedded: refused, p99",
        measure: Overload(Embedded, refused_p99),
        bound: AtMost(50.0),
        unit: " ms",
    },
    Goal {
        what: "overload 3 ×, embedded: accepted, p99",
        measure: Overload(Embedded, |it| Some(accepted_p99(it))),
        bound: AtMost(1_000.0),
        unit: " ms",
    },
];
