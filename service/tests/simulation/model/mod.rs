//! The model of a store: a primary's log, how far the majority has it, and failovers that roll
//! the rest back.
//!
//! It arbitrates by keys and by nothing else, as an index does: that there is no gap, and nothing
//! after a terminal record, is what the committers have to see to and what is checked here.

mod branch;
mod cluster;

pub(crate) use branch::{Branch, Op, SessionOps};
pub(crate) use cluster::Cluster;
