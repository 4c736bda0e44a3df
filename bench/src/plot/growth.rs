//! Pictures of what changes with what is stored, open or gone by. Pure.

use crate::{
    backend::Backend,
    figures::float,
    plot::{
        axis::Scale,
        charts::{Chart, Line, axis},
    },
    results::{Pages, Remembered, Results},
    workload::View,
};

const BACKENDS: [Backend; 3] = [Backend::Embedded, Backend::Mongodb, Backend::Given];

pub(super) fn of(results: &Results) -> Vec<Chart> {
    let mut charts = BACKENDS.map(|backend| growth(results, backend)).to_vec();
    charts.extend([
        pages(results),
        memory(results, Remembered::Streams, "open streams"),
        memory(results, Remembered::Lanes, "sessions that were appended to"),
        soak(results),
    ]);
    charts
}

fn growth(results: &Results, backend: Backend) -> Chart {
    let growth = results.growth.iter();
    let growth = growth.filter(|it| it.empty.backend == backend);
    let lines = growth.map(|it| Line {
        name: it.empty.workload.to_string(),
        points: vec![
            (0.0, it.empty.rate.median),
            (float(it.events), it.grown.rate.median),
        ],
    });
    Chart {
        name: format!("growth-{backend}"),
        title: format!("Throughput with events stored before, {backend}"),
        x: axis("events in the store", Scale::Linear),
        y: axis("answers a second", Scale::Log),
        lines: lines.collect(),
    }
}

fn pages(results: &Results) -> Chart {
    let views = BACKENDS
        .iter()
        .flat_map(|backend| View::ALL.map(|view| (*backend, view)));
    let lines = views.map(|(backend, view)| {
        let pages = results.pages.iter();
        let pages = pages.filter(|it| it.backend == backend && it.view == view);
        let point = |it: &Pages| (float(it.length), it.latency_micros.p50.median / 1e3);
        Line {
            name: format!("{backend} {view}"),
            points: pages.map(point).collect(),
        }
    });
    Chart {
        name: "pages".to_owned(),
        title: "Latency (p50) of a page of 20 events".to_owned(),
        x: axis("events of the session", Scale::Log),
        y: axis("milliseconds", Scale::Linear),
        lines: lines.collect(),
    }
}

fn memory(results: &Results, what: Remembered, label: &'static str) -> Chart {
    let lines = BACKENDS.map(|backend| {
        let memory = results.memory.iter();
        let memory = memory.filter(|it| it.backend == backend && it.what == what);
        Line {
            name: backend.to_string(),
            points: memory
                .map(|it| (float(it.count), mebibytes(it.resident_kib)))
                .collect(),
        }
    });
    Chart {
        name: format!("memory-{what}"),
        title: format!("Memory against {label}"),
        x: axis(label, Scale::Linear),
        y: axis("resident MiB", Scale::Linear),
        lines: lines.into(),
    }
}

fn soak(results: &Results) -> Chart {
    let lines = results.soaks.iter().map(|it| {
        let samples = it.samples.iter();
        Line {
            name: it.backend.to_string(),
            points: samples
                .map(|sample| (sample.seconds / 60.0, mebibytes(sample.resident_kib)))
                .collect(),
        }
    });
    Chart {
        name: "soak".to_owned(),
        title: "Memory over time, under whole conversations".to_owned(),
        x: axis("minutes", Scale::Linear),
        y: axis("resident MiB", Scale::Linear),
        lines: lines.collect(),
    }
}

fn mebibytes(kib: u64) -> f64 {
    float(kib) / 1_024.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::samples;

    #[test]
    fn pages_have_a_line_for_each_view_from_short_to_long_sessions() {
        let mut results = samples::results(Vec::new());
        for (length, micros) in [(10, 500.0), (1_000, 600.0)] {
            results
                .pages
                .push(samples::pages(length, View::Last, micros));
        }
        let chart = pages(&results);
        let drawn = chart.lines.iter().find(|it| !it.points.is_empty()).unwrap();
        assert_eq!(drawn.name, "mongodb last");
        assert_eq!(drawn.points, [(10.0, 0.5), (1_000.0, 0.6)]);
    }
}
