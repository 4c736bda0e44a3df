//! The life of the real process, one file a subject, one test a promise. Each test starts servers of
//! its own; see the crate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the helpers of tests are tests: they fail by panicking"
)]

mod cli;
mod crash;
mod life_cycle;
mod logs;
mod restart;
mod settings;
mod slow_reader;
