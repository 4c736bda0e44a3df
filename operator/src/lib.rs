//! The operator: one `SessionStore` manifest becomes a running store.
//!
//! A reconcile is a straight line, one module a step:
//! `dereference → validate → build → apply → mongo → status`. What decides (validate, build, the
//! plan, the status) has no client and no clock; what does it is a thin shell around.
//!
//! Around that is the program: `cli` and `config` say what it is told, `run` puts the parts
//! together, `leader` decides whether it may work, `health`, `metrics`, `telemetry` and `admin` say
//! how it is, `shutdown` ends it. `install_key` is the other thing that the binary can do.

pub mod admin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crd;
pub mod health;
pub mod install_key;
pub mod leader;
pub mod metrics;
pub mod mongo;
pub mod run;
pub mod shutdown;
pub mod telemetry;
pub mod version;
