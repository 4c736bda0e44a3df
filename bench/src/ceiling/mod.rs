//! Ceilings: what the parts below the service do on the same machine, in the same minutes.

pub(crate) mod mongo;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::workload::Workload;

/// What a workload is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CeilingKind {
    /// The plain driver inserts one event.
    InsertOne,
    /// The plain driver finds 20 events.
    FindTwenty,
}

impl CeilingKind {
    /// What a workload on MongoDB is compared with.
    pub(crate) fn on_mongodb(workload: Workload) -> &'static [Self] {
        match workload {
            Workload::Append
            | Workload::AppendHot
            | Workload::Replay
            | Workload::Create
            | Workload::Mixed => &[Self::InsertOne],
            Workload::Get20 | Workload::Get20Deep => &[Self::FindTwenty],
            Workload::Batch => &[],
        }
    }
}

impl fmt::Display for CeilingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::InsertOne => "raw insert_one",
            Self::FindTwenty => "raw find of 20",
        })
    }
}
