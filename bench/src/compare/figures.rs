//! Every figure of a run that can be compared with that of another, by a name that says what it
//! is. Pure.

use crate::{
    figures::{RoundLatency, Spread, float},
    process::Memory,
    results::{Closed, Growth, Memories, Open, Overload, Pages, Results, Stream},
};

/// A figure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: Spread,
    pub(crate) better: Better,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    More,
    Less,
}

use Better::{Less, More};

/// All of them.
pub(super) fn of(results: &Results) -> Vec<Figure> {
    let closed = results.closed.iter().flat_map(closed);
    let open = results.open.iter().flat_map(open);
    let overload = results.overload.iter().flat_map(overload);
    let streams = results.streams.iter().flat_map(stream);
    let growth = results.growth.iter().flat_map(growth);
    let pages = results.pages.iter().flat_map(pages);
    let memory = results.memory.iter().map(memory);
    let loops = closed.chain(open).chain(overload).chain(streams);
    loops.chain(growth).chain(pages).chain(memory).collect()
}

/// The rates of all ceilings, by name.
pub(super) fn ceilings(results: &Results) -> Vec<(String, f64)> {
    let ceilings = results.closed.iter().flat_map(|closed| {
        let Closed {
            backend,
            workload,
            connections,
            ..
        } = closed;
        closed.ceilings.iter().map(move |it| {
            let name = format!("{backend} {workload} over {connections}: {}", it.kind);
            (name, it.rate.median)
        })
    });
    ceilings.collect()
}

fn closed(it: &Closed) -> Vec<Figure> {
    let subject = format!("{} {} over {}", it.backend, it.workload, it.connections);
    let mut figures = Figures(subject, Vec::new());
    figures.add("answers/s", it.rate, More);
    figures.latency("", &it.latency_micros);
    figures.cpu(it.cpu_micros.service);
    figures.memory(it.memory.as_ref());
    for ceiling in &it.ceilings {
        figures.add(&format!("× {}", ceiling.kind), ceiling.ratio, More);
    }
    figures.1
}

fn open(it: &Open) -> Vec<Figure> {
    // Rates of capacity differ from run to run, the share is what stays.
    let at = match it.share {
        Some(share) => format!("{:.0} % of capacity", share * 100.0),
        None => format!("{:.0}/s", it.rate),
    };
    let subject = format!("{} {} at {at}", it.backend, it.workload);
    let mut figures = Figures(subject, Vec::new());
    figures.latency("", &it.latency_micros);
    figures.cpu(it.cpu_micros.service);
    figures.1
}

fn overload(it: &Overload) -> Vec<Figure> {
    let mut figures = Figures(format!("{} overload", it.backend), Vec::new());
    figures.add("goodput/s", it.goodput, More);
    figures.add("× capacity", it.ratio, More);
    figures.add(
        "accepted p99 µs",
        single(it.accepted_from_sent_micros.p99),
        Less,
    );
    let refused = it.refused_from_sent_micros.p99;
    figures.add("refused p99 µs", single(refused), Less);
    figures.memory(it.memory.as_ref());
    figures.1
}

fn stream(it: &Stream) -> Vec<Figure> {
    let subject = format!("{} streams at {:.0}/s", it.backend, it.rate);
    let mut figures = Figures(subject, Vec::new());
    figures.latency("delivery ", &it.delivery_micros);
    figures.cpu(it.cpu_micros.service);
    figures.memory(it.memory.as_ref());
    figures.1
}

fn growth(it: &Growth) -> Vec<Figure> {
    let Growth {
        events,
        grown,
        ratio,
        ..
    } = it;
    let subject = format!("{} {} with {events} events", grown.backend, grown.workload);
    let mut figures = Figures(subject, Vec::new());
    figures.add("answers/s", grown.rate, More);
    figures.add("× empty", *ratio, More);
    figures.latency("", &grown.latency_micros);
    figures.memory(grown.memory.as_ref());
    figures.1
}

fn pages(it: &Pages) -> Vec<Figure> {
    let subject = format!("{} {} page of {} events", it.backend, it.view, it.length);
    let mut figures = Figures(subject, Vec::new());
    figures.latency("", &it.latency_micros);
    figures.cpu(it.cpu_micros.service);
    figures.1
}

fn memory(it: &Memories) -> Figure {
    Figure {
        name: format!("{} {} {}: resident KiB", it.backend, it.count, it.what),
        value: single(float(it.resident_kib)),
        better: Less,
    }
}

/// Figures of one subject.
struct Figures(String, Vec<Figure>);

impl Figures {
    fn add(&mut self, what: &str, value: Spread, better: Better) {
        let name = format!("{}: {what}", self.0);
        self.1.push(Figure {
            name,
            value,
            better,
        });
    }

    fn latency(&mut self, what: &str, latency: &RoundLatency) {
        self.add(&format!("{what}p50 µs"), latency.p50, Less);
        self.add(&format!("{what}p99 µs"), latency.p99, Less);
    }

    fn cpu(&mut self, service: Option<Spread>) {
        if let Some(service) = service {
            self.add("service CPU µs", service, Less);
        }
    }

    fn memory(&mut self, memory: Option<&Memory>) {
        if let Some(memory) = memory {
            self.add("peak KiB", single(float(memory.peak_kib)), Less);
        }
    }
}

/// A figure of which there is one only.
fn single(value: f64) -> Spread {
    Spread::of([value])
}
