//! The HTTP contract, one file a subject, one test a promise. Runs against any URL; see the crate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the helpers of tests are tests: they fail by panicking"
)]

mod append;
mod bad_inputs;
mod batch;
mod close;
mod create;
mod delete;
mod event;
mod fidelity;
mod get;
mod limits;
mod list;
mod malformed;
mod operations;
mod page_walks;
mod pages;
mod patch;
mod problems;
mod races;
mod stream;
