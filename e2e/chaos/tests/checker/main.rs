//! The checker against histories that are wrong in each way it is there for, and a right one.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says what it expects in the words of the builder"
)]

mod builder;
mod right;
mod wrong_answers;
mod wrong_reads;
mod wrong_store;
mod wrong_streams;
