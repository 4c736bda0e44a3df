//! What the operator promises of the objects that it makes, against a real API server: one without
//! nodes, so pods stay Pending, and what needs members that answer is tested elsewhere.
//!
//! The tests share a control plane, each in a namespace of its own with an operator of its own, which
//! is the real binary. They run only when they are asked for by name.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod audit;
mod broken;
mod conflicts;
mod drift;
mod external;
mod idle;
mod lab;
mod leaders;
mod life;
mod monitors;
mod operator;
mod outdated;
mod paths;
mod place;
mod rules;
mod samples;
mod scale;
mod secrets;
mod specs;
mod status;

#[path = "../crd/cases.rs"]
mod cases;
