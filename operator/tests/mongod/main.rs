//! The plan on real members: every step as the operator takes it, with `mongod` processes in place
//! of pods.
//!
//! On loopback every name resolves, so a member that starts before its name does (93) is left to
//! the cluster's tests.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

mod bootstrap;
mod deaths;
mod facts;
mod lives;
mod stage;
