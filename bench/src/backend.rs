//! What the service stores in.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Where the service that is measured keeps its data.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Backend {
    /// A folder of its own, on this machine
    Embedded,
    /// A replica set of three members, started here
    Mongodb,
    /// Unknown: the server was running already.
    #[value(skip)]
    Given,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Embedded => "embedded",
            Self::Mongodb => "mongodb",
            Self::Given => "given",
        })
    }
}
