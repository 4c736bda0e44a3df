//! Three processes of the service on one replica set: whatever races, they agree. One file a
//! subject, one test a promise.
//!
//! The tests of the contract run against three processes too, by `cargo xtask test --only
//! contract-mongodb`; here each process is named.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the helpers of tests are tests: they fail by panicking"
)]

mod hot_session;
mod races;
mod streams;
