//! Made-up results, for tests of what is done with them.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    backend::Backend,
    ceiling::CeilingKind,
    figures::{Percentiles, RoundLatency, Spread},
    machine::Machine,
    plan::Pace,
    process::Memory,
    results::{Ceiling, Closed, Cpu, Growth, Open, Pages, Results},
    workload::{View, Workload},
};

/// A run with nothing but these.
pub(crate) fn results(closed: Vec<Closed>) -> Results {
    let pace = Pace {
        warm_up: Duration::from_secs(1),
        round: Duration::from_secs(5),
        rounds: 3,
        ceiling_round: Duration::from_secs(2),
    };
    Results {
        measured_at: "2026-01-01T00:00:00Z".to_owned(),
        commit: Some("0123456789ab".to_owned()),
        machine: Machine {
            processor: "a processor".to_owned(),
            cores: 2,
            memory_kib: Some(8_000_000),
            kernel: "6.0".to_owned(),
        },
        closed,
        ..Results::new(pace, 0)
    }
}

/// A closed loop whose rounds lie 10 % around this rate.
pub(crate) fn closed(
    backend: Backend,
    workload: Workload,
    connections: usize,
    rate: f64,
) -> Closed {
    Closed {
        backend,
        workload,
        connections,
        answers: 1_000,
        rate: spread(rate),
        latency_micros: latency(1e6 / rate),
        errors: BTreeMap::new(),
        cpu_micros: Cpu {
            service: Some(spread(50.0)),
            mongods: None,
            generator: spread(10.0),
        },
        memory: Some(Memory {
            resident_kib: 20_000,
            peak_kib: 20_000,
        }),
        batch: None,
        ceilings: Vec::new(),
    }
}

/// A ceiling that the service reaches so many times.
pub(crate) fn ceiling(kind: CeilingKind, ratio: f64) -> Ceiling {
    Ceiling {
        kind,
        batch: None,
        rate: spread(1_000.0),
        latency_micros: latency(1_000.0),
        ratio: spread(ratio),
    }
}

/// An open loop at this rate.
pub(crate) fn open(backend: Backend, rate: f64, p50: f64) -> Open {
    Open {
        backend,
        workload: Workload::Append,
        rate,
        share: Some(0.5),
        answered: spread(rate),
        latency_micros: latency(p50),
        lateness_micros: latency(10.0).all,
        errors: BTreeMap::new(),
        cpu_micros: Cpu {
            service: None,
            mongods: None,
            generator: spread(10.0),
        },
        memory: None,
    }
}

/// A page on MongoDB.
pub(crate) fn pages(length: u64, view: View, p50: f64) -> Pages {
    Pages {
        backend: Backend::Mongodb,
        length,
        view,
        rate: spread(1e6 / p50),
        latency_micros: latency(p50),
        errors: BTreeMap::new(),
        cpu_micros: Cpu {
            service: None,
            mongods: None,
            generator: spread(10.0),
        },
    }
}

/// 10 % around a figure.
pub(crate) fn spread(median: f64) -> Spread {
    Spread {
        min: 0.9 * median,
        median,
        max: 1.1 * median,
    }
}

fn latency(p50: f64) -> RoundLatency {
    RoundLatency {
        p50: spread(p50),
        p99: spread(4.0 * p50),
        all: Percentiles {
            p50,
            p75: 1.5 * p50,
            p90: 2.0 * p50,
            p95: 3.0 * p50,
            p99: 4.0 * p50,
            p999: 8.0 * p50,
            p9999: 16.0 * p50,
            max: 20.0 * p50,
        },
    }
}

/// A workload on an empty embedded store, and on one with so many events.
pub(crate) fn growth(workload: Workload, events: u64, ratio: f64) -> Growth {
    Growth {
        events,
        empty: closed(Backend::Embedded, workload, 64, 1_000.0),
        grown: closed(Backend::Embedded, workload, 64, 1_000.0 * ratio),
        ratio: Spread::of([ratio]),
    }
}
