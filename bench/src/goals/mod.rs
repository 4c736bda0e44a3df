//! The goals, beside what was measured. `table` says what they are. Pure.

mod table;

use crate::{
    backend::Backend,
    ceiling::CeilingKind,
    figures::float,
    results::{Closed, Growth, Overload, Results},
    workload::Workload,
};

pub(crate) use table::GOALS;

/// What the service is to reach.
#[derive(Debug)]
pub(crate) struct Goal {
    /// In words, as far as the bound does not say it.
    pub(crate) what: &'static str,
    measure: Measure,
    pub(crate) bound: Bound,
    /// Behind a figure; ` ×` for ratios.
    pub(crate) unit: &'static str,
}

/// Which figures are good.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// How to find the figure among the results.
#[derive(Debug)]
enum Measure {
    /// Answers a second.
    Rate(Cell),
    /// Rate through that of a ceiling.
    OfCeiling(Cell, CeilingKind),
    /// Rate through that of another one.
    OfCell(Cell, Cell),
    /// Median latency through that of a ceiling.
    LatencyOfCeiling(Cell, CeilingKind),
    /// CPU time of the service for an answer, in microseconds.
    ServiceCpu(Cell),
    /// The most memory of the service under any workload, in megabytes.
    Memory(Backend),
    /// A figure of overload, if it has it.
    Overload(Backend, fn(&Overload) -> Option<f64>),
    /// The most memory of the service on a store that has grown, in megabytes.
    MemoryGrown(Backend),
    /// Rate on the store that has grown through that on an empty one: of the workload that loses
    /// most.
    Growth(Backend),
    /// Median latency of a page of the longest session through that of one of 100 events: of the
    /// view that loses most.
    PageOfLongest(Backend),
    /// Memory at the end of a soak through that in its first half.
    Soak(Backend),
}

/// A workload in a closed loop.
#[derive(Debug, Clone, Copy)]
struct Cell(Backend, Workload, usize);

impl Goal {
    /// `None` if it was not measured.
    pub(crate) fn measured(&self, results: &Results) -> Option<f64> {
        match &self.measure {
            Measure::Rate(cell) => Some(cell.find(results)?.rate.median),
            Measure::OfCeiling(cell, kind) => {
                let ceilings = &cell.find(results)?.ceilings;
                Some(ceilings.iter().find(|it| it.kind == *kind)?.ratio.median)
            }
            Measure::OfCell(cell, other) => {
                Some(cell.find(results)?.rate.median / other.find(results)?.rate.median)
            }
            Measure::LatencyOfCeiling(cell, kind) => {
                let own = cell.find(results)?;
                let ceiling = own.ceilings.iter().find(|it| it.kind == *kind)?;
                Some(own.latency_micros.p50.median / ceiling.latency_micros.p50.median)
            }
            Measure::ServiceCpu(cell) => {
                let cpu = cell.find(results)?.cpu_micros;
                Some(cpu.service?.median)
            }
            Measure::Memory(backend) => peak_megabytes(results, *backend),
            Measure::Overload(backend, figure) => {
                let mut overload = results.overload.iter();
                overload.find(|it| it.backend == *backend).and_then(figure)
            }
            Measure::MemoryGrown(backend) => {
                let peaks = growth(results, *backend).filter_map(|it| it.grown.memory);
                peaks.map(|it| it.peak_kib).max().map(megabytes)
            }
            Measure::Growth(backend) => {
                let growth = growth(results, *backend);
                let ratios = growth.map(|it| it.ratio.median);
                ratios.min_by(f64::total_cmp)
            }
            Measure::PageOfLongest(backend) => page_of_longest(results, *backend),
            Measure::Soak(backend) => {
                let mut soaks = results.soaks.iter().filter(|it| it.backend == *backend);
                let long = soaks.find(|it| it.samples.last().is_some_and(|it| it.seconds >= LONG));
                long.map(|it| it.growth)
            }
        }
    }
}

impl Bound {
    pub(crate) fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(least) => figure >= least,
            Self::AtMost(most) => figure <= most,
        }
    }
}

impl Cell {
    fn find(self, results: &Results) -> Option<&Closed> {
        let Self(backend, workload, connections) = self;
        results.closed.iter().find(|it| {
            it.backend == backend && it.workload == workload && it.connections == connections
        })
    }
}

fn peak_megabytes(results: &Results, backend: Backend) -> Option<f64> {
    let closed = results.closed.iter().map(|it| (it.backend, it.memory));
    let streams = results.streams.iter().map(|it| (it.backend, it.memory));
    let of_backend = closed.chain(streams).filter(|(it, _)| *it == backend);
    let peaks = of_backend.filter_map(|(_, memory)| Some(memory?.peak_kib));
    peaks.max().map(megabytes)
}

/// Events in the store of which goals speak.
const GROWN: u64 = 1_000_000;

/// Seconds of which goals speak: ten minutes, as far as they are looked at.
const LONG: f64 = 590.0;

fn growth(results: &Results, backend: Backend) -> impl Iterator<Item = &Growth> {
    let growth = results.growth.iter();
    growth.filter(move |it| it.empty.backend == backend && it.events >= GROWN)
}

/// Events of the session that others are compared with: it has a whole page in every view.
const ORDINARY: u64 = 100;

fn page_of_longest(results: &Results, backend: Backend) -> Option<f64> {
    let pages = || results.pages.iter().filter(|it| it.backend == backend);
    let longest = pages().map(|it| it.length).max()?;
    let ratios = pages()
        .filter(|it| it.length == longest)
        .filter_map(|long| {
            let mut ordinary = pages().filter(|it| it.length == ORDINARY && it.view == long.view);
            Some(long.latency_micros.p50.median / ordinary.next()?.latency_micros.p50.median)
        });
    ratios.max_by(f64::total_cmp)
}

fn megabytes(kib: u64) -> f64 {
    float(kib * 1_024) / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{results::samples, workload::View};

    fn measured(what: &str, results: &Results) -> Option<f64> {
        let goal = GOALS.iter().find(|it| it.what == what).unwrap();
        goal.measured(results)
    }

    #[test]
    fn a_goal_that_was_not_measured_has_no_figure() {
        let nothing = samples::results(Vec::new());
        assert!(GOALS.iter().all(|goal| goal.measured(&nothing).is_none()));
    }

    #[test]
    fn a_ratio_to_a_ceiling_is_that_of_the_rounds() {
        let ceiling = samples::ceiling(CeilingKind::InsertOne, 2.0);
        let append = Closed {
            ceilings: vec![ceiling],
            ..samples::closed(Backend::Mongodb, Workload::Append, 64, 5_000.0)
        };
        let results = samples::results(vec![append]);
        let figure = measured(
            "append, 64 connections, MongoDB: raw insert_one at 64",
            &results,
        );
        assert_eq!(figure, Some(2.0));
    }

    #[test]
    fn a_workload_is_compared_with_another_one_of_the_same_run() {
        let results = samples::results(vec![
            samples::closed(Backend::Mongodb, Workload::Append, 64, 5_000.0),
            samples::closed(Backend::Mongodb, Workload::AppendHot, 64, 4_500.0),
        ]);
        let figure = measured("append-hot, 64: append at 64", &results);
        assert_eq!(figure, Some(0.9));
    }

    #[test]
    fn memory_is_the_most_of_all_workloads() {
        let with_peak = |workload, peak_kib| {
            let mut closed = samples::closed(Backend::Mongodb, workload, 64, 1.0);
            closed.memory.as_mut().unwrap().peak_kib = peak_kib;
            closed
        };
        let results = samples::results(vec![
            with_peak(Workload::Append, 20_000),
            with_peak(Workload::Get20, 30_000),
        ]);
        assert_eq!(
            measured("RSS, MongoDB, any workload", &results),
            Some(30.72)
        );
    }

    #[test]
    fn growth_is_that_of_the_workload_that_loses_most() {
        let mut results = samples::results(Vec::new());
        results.growth = vec![
            samples::growth(Workload::Append, 1_000_000, 0.95),
            samples::growth(Workload::Get20, 1_000_000, 0.7),
        ];
        let figure = measured(
            "growth, embedded: with 1,000,000 events through empty",
            &results,
        );
        assert_eq!(figure, Some(0.7));
    }

    #[test]
    fn a_store_that_has_grown_little_says_nothing_of_growth() {
        let mut results = samples::results(Vec::new());
        results.growth = vec![samples::growth(Workload::Append, 20_000, 1.0)];
        let figure = measured("RSS, embedded, with 1,000,000 events", &results);
        assert_eq!(figure, None);
    }

    #[test]
    fn pages_are_as_flat_as_the_view_that_loses_most() {
        let mut results = samples::results(Vec::new());
        for (length, view, micros) in [
            // A page of ten events is cheaper, and says nothing about length.
            (10, View::First, 50.0),
            (100, View::First, 100.0),
            (100, View::Last, 100.0),
            (100_000, View::First, 110.0),
            (100_000, View::Last, 150.0),
        ] {
            results.pages.push(samples::pages(length, view, micros));
        }
        let figure = measured(
            "pages, MongoDB: p50 of the longest session through 100",
            &results,
        );
        assert_eq!(figure, Some(1.5));
    }

    #[test]
    fn a_bound_is_met_up_to_itself() {
        assert!(Bound::AtLeast(2.5).is_met(2.5));
        assert!(!Bound::AtLeast(2.5).is_met(2.4));
        assert!(Bound::AtMost(50.0).is_met(50.0));
        assert!(!Bound::AtMost(50.0).is_met(50.1));
    }
}
