//! The operator on a real Kubernetes of three nodes: black box, by kubectl and HTTP alone.
//!
//! The cluster must be up, with the chart installed; the first test that misses it says which
//! commands do that. `cargo xtask test --only operator` does all of it.
//!
//! **How a scenario is written**: a file a subject, a test a promise.
//! - [`Place::beside_others`] gives a namespace, while another test may run beside; a test that hurts a
//!   node or the operator takes [`Place::alone`], and nobody else runs meanwhile. The namespace goes
//!   at the end, and a test that fails shows first what is in it.
//! - [`Place::store`] applies a `SessionStore` of a spec such as those in [`specs`], and gives a
//!   `Store`, which waits for it, changes it, and knows its pods and its addresses.
//! - [`Load`] writes and reads all the time, as clients outside of the cluster do; its report
//!   says at the end whether anybody met an error and whether anything acknowledged is missing.
//! - What kubectl can wait for is waited for by kubectl, everything else by [`eventually`].
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the helpers of tests are tests: they fail by panicking"
)]

mod autoscale;
mod blackout;
mod chart;
mod dashboards;
mod drain;
mod external;
mod foreign;
mod frozen;
mod idle;
mod invalid;
mod killed;
mod leaders;
mod lifecycle;
mod lost_volume;
mod network;
mod paused;
mod power;
mod retained;
mod scale;
mod stale;
mod support;

use support::{load::Load, place::Place, specs, wait::eventually};
