//! What is in the pictures. Pure.

use crate::{
    backend::Backend,
    figures::{Percentiles, float},
    plot::{
        axis::{Axis, Scale},
        growth,
    },
    results::{Closed, Open, Results},
    workload::Workload,
};

/// A picture.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    /// Of its file.
    pub(super) name: String,
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
}

/// Figures that belong together, from left to right.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// Connections at which percentiles are shown.
const TYPICAL: usize = 64;

/// Every picture that there are figures for.
pub(super) fn of(results: &Results) -> Vec<Chart> {
    let mut charts = Vec::new();
    for backend in [Backend::Embedded, Backend::Mongodb, Backend::Given] {
        charts.push(throughput(results, backend));
        charts.push(percentiles(results, backend));
        charts.push(latency_by_rate(results, backend));
    }
    charts.extend(growth::of(results));
    for chart in &mut charts {
        chart.lines.retain(|line| !line.points.is_empty());
    }
    charts.retain(|chart| !chart.lines.is_empty());
    charts
}

fn throughput(results: &Results, backend: Backend) -> Chart {
    Chart {
        name: format!("throughput-{backend}"),
        title: format!("Throughput of a closed loop, {backend}"),
        x: axis("connections", Scale::Log),
        y: axis("answers a second", Scale::Log),
        lines: by_workload(results, backend, |closed| {
            let each = closed.iter();
            each.map(|it| (connections(it), it.rate.median)).collect()
        }),
    }
}

fn percentiles(results: &Results, backend: Backend) -> Chart {
    Chart {
        name: format!("latency-{backend}"),
        title: format!("Latency of a closed loop over {TYPICAL} connections, {backend}"),
        x: axis("so many answers came within", Scale::Nines),
        y: axis("milliseconds", Scale::Log),
        lines: by_workload(results, backend, |closed| {
            let typical = closed.iter().find(|it| it.connections == TYPICAL);
            typical.map_or(Vec::new(), |it| curve(&it.latency_micros.all))
        }),
    }
}

fn latency_by_rate(results: &Results, backend: Backend) -> Chart {
    let open: Vec<&Open> = results
        .open
        .iter()
        .filter(|it| it.backend == backend)
        .collect();
    let lines = Workload::ALL.iter().flat_map(|workload| {
        let open: Vec<&&Open> = open.iter().filter(|it| it.workload == *workload).collect();
        let line = |name, percentile: fn(&Percentiles) -> f64| Line {
            name: format!("{workload} {name}"),
            points: open
                .iter()
                .map(|it| (it.rate, percentile(&it.latency_micros.all) / 1e3))
                .collect(),
        };
        [
            line("p50", |it| it.p50),
            line("p99", |it| it.p99),
            line("p99.9", |it| it.p999),
        ]
    });
    Chart {
        name: format!("open-{backend}"),
        title: format!("Latency at a given rate (open loop), {backend}"),
        x: axis("requests a second", Scale::Linear),
        y: axis("milliseconds", Scale::Log),
        lines: lines.collect(),
    }
}

fn by_workload(
    results: &Results,
    backend: Backend,
    points: impl Fn(&[&Closed]) -> Vec<(f64, f64)>,
) -> Vec<Line> {
    let lines = Workload::ALL.iter().map(|workload| {
        let closed = results.closed.iter();
        let closed = closed.filter(|it| it.backend == backend && it.workload == *workload);
        Line {
            name: workload.to_string(),
            points: points(&closed.collect::<Vec<_>>()),
        }
    });
    lines.collect()
}

/// Percentiles in milliseconds.
fn curve(latency: &Percentiles) -> Vec<(f64, f64)> {
    let Percentiles {
        p50,
        p75,
        p90,
        p95,
        p99,
        p999,
        p9999,
        max: _,
    } = *latency;
    let shares = [
        (0.5, p50),
        (0.75, p75),
        (0.9, p90),
        (0.95, p95),
        (0.99, p99),
        (0.999, p999),
        (0.9999, p9999),
    ];
    shares.map(|(share, micros)| (share, micros / 1e3)).to_vec()
}

pub(super) fn axis(label: &'static str, scale: Scale) -> Axis {
    Axis { label, scale }
}

fn connections(closed: &Closed) -> f64 {
    float(closed.connections as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::samples;

    #[test]
    fn throughput_has_a_line_for_each_workload_with_a_point_for_each_number_of_connections() {
        let closed = |workload, connections, rate| {
            samples::closed(Backend::Embedded, workload, connections, rate)
        };
        let results = samples::results(vec![
            closed(Workload::Append, 1, 100.0),
            closed(Workload::Append, 64, 900.0),
            closed(Workload::Create, 64, 500.0),
        ]);
        let charts = of(&results);
        let throughput = charts
            .iter()
            .find(|it| it.name == "throughput-embedded")
            .unwrap();
        let line = |name: &str, points: &[(f64, f64)]| Line {
            name: name.to_owned(),
            points: points.to_vec(),
        };
        assert_eq!(
            throughput.lines,
            [
                line("create", &[(64.0, 500.0)]),
                line("append", &[(1.0, 100.0), (64.0, 900.0)]),
            ]
        );
    }

    #[test]
    fn an_open_loop_is_drawn_by_its_rate() {
        let mut results = samples::results(Vec::new());
        results
            .open
            .push(samples::open(Backend::Mongodb, 1_000.0, 500.0));
        results
            .open
            .push(samples::open(Backend::Mongodb, 2_000.0, 800.0));
        let charts = of(&results);
        assert_eq!(charts.len(), 1);
        assert_eq!(charts[0].lines[0].name, "append p50");
        assert_eq!(charts[0].lines[0].points, [(1_000.0, 0.5), (2_000.0, 0.8)]);
    }

    #[test]
    fn what_has_no_figures_has_no_picture() {
        assert!(of(&samples::results(Vec::new())).is_empty());
    }
}
