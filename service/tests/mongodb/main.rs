//! The store on MongoDB itself: what a crash leaves half done, what it answers while members die,
//! hang and lag, and what it says of itself then.

// A helper of a test fails the test, as the test itself would.
#![expect(clippy::unwrap_used)]

mod degraded;
mod elections;
mod fidelity;
mod half_done;
mod process;
mod replica_reads;
mod sample;
mod set;
mod standalone;
mod streams;
mod tls;
mod uri;
