//! Ceilings: what the parts below the service do on the same machine, in the same minutes.
//!
//! `mongo` is the plain driver, with the `documents` that the service stores; `route` is axum
//! without a store, served by `serve`; `log` is plain fjall.

mod documents;
mod log;
mod mongo;
mod route;
pub(crate) mod serve;

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

#[cfg(test)]
pub(crate) use route::SUBCOMMAND;

use crate::{backend::Backend, figures::Latencies, lab::Lab, workload::Workload};

/// What a workload is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CeilingKind {
    /// The plain driver inserts one event.
    InsertOne,
    /// The plain driver inserts events in order, as many at once as the service committed.
    InsertMany,
    /// The plain driver creates a session that is not there.
    Upsert,
    /// The plain driver finds 20 events.
    FindTwenty,
    /// The plain driver finds one event.
    FindOne,
    /// An axum route parses the same body and answers, without a store.
    Route,
    /// Plain fjall stores and syncs as many events at once as the service committed.
    Log,
}

/// Something that can be measured between the rounds of the service.
pub(crate) enum Ceiling {
    Mongo(mongo::Mongo),
    Route(route::Route),
    Log(log::Log),
}

/// What came of a round of a ceiling.
pub(crate) struct Sample {
    /// Answers or, where several items go into one call, items a second.
    pub(crate) rate: f64,
    /// Of calls.
    pub(crate) latencies: Latencies,
}

/// How a ceiling is driven.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drive {
    /// Calls at the same time, where they are independent of each other.
    pub(crate) connections: usize,
    /// Items in a call, where several go into one.
    pub(crate) batch: u64,
    pub(crate) time: Duration,
}

impl CeilingKind {
    /// What a workload is compared with.
    pub(crate) fn of(backend: Backend, workload: Workload) -> &'static [Self] {
        match (backend, workload) {
            (Backend::Given, _) => &[],
            (Backend::Mongodb, Workload::Append | Workload::AppendHot) => {
                &[Self::InsertOne, Self::InsertMany]
            }
            (Backend::Mongodb, Workload::Replay | Workload::Mixed) => &[Self::InsertOne],
            (Backend::Mongodb, Workload::Create) => &[Self::Upsert],
            (Backend::Mongodb, Workload::Get20 | Workload::Get20Deep) => {
                &[Self::FindTwenty, Self::FindOne]
            }
            (Backend::Mongodb, Workload::Batch) => &[Self::InsertMany],
            (Backend::Embedded, Workload::Append | Workload::AppendHot | Workload::Batch) => {
                &[Self::Route, Self::Log]
            }
            (Backend::Embedded, _) => &[Self::Route],
        }
    }

    /// Whether it does with one call what the service does for many callers.
    pub(crate) fn is_batched(self) -> bool {
        matches!(self, Self::InsertMany | Self::Log)
    }

    /// The form of a rate that can be compared with its own: answers a second, or the items in
    /// them.
    pub(crate) fn comparable(self, answers: f64, items: f64) -> f64 {
        match self {
            Self::Route => answers,
            _ => answers * items,
        }
    }
}

impl Ceiling {
    pub(crate) async fn new(
        kind: CeilingKind,
        lab: &Lab,
        workload: Workload,
    ) -> anyhow::Result<Self> {
        Ok(match kind {
            CeilingKind::Route => Self::Route(route::Route::start(workload)?),
            CeilingKind::Log => Self::Log(log::Log::open(lab.folder())?),
            driver => Self::Mongo(mongo::Mongo::new(driver, lab.set()?).await?),
        })
    }

    pub(crate) async fn measure(&mut self, drive: Drive) -> anyhow::Result<Sample> {
        match self {
            Self::Mongo(mongo) => mongo.measure(drive),
            Self::Route(route) => route.measure(drive).await,
            Self::Log(log) => log.measure(drive),
        }
    }
}

impl fmt::Display for CeilingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::InsertOne => "raw insert_one",
            Self::InsertMany => "raw insert_many",
            Self::Upsert => "raw upsert",
            Self::FindTwenty => "raw find of 20",
            Self::FindOne => "raw find_one",
            Self::Route => "axum without a store",
            Self::Log => "raw fjall",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_has_a_ceiling_on_both_backends() {
        for backend in [Backend::Embedded, Backend::Mongodb] {
            for workload in Workload::ALL {
                assert!(!CeilingKind::of(backend, workload).is_empty());
            }
        }
    }

    #[test]
    fn batches_are_compared_by_their_items_except_with_a_route_that_takes_them_whole() {
        let in_items = CeilingKind::InsertMany.comparable(10.0, 100.0);
        let in_answers = CeilingKind::Route.comparable(10.0, 100.0);
        assert_eq!(
            [in_items, in_answers].map(|it| it.to_string()),
            ["1000", "10"]
        );
    }
}
