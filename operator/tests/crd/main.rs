//! The custom resource definition, offline: its schema, and every rule of it with what it refuses.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod cases;
mod manifest;
mod rules;
mod schema;
mod told;
mod walk;
