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
pub mod apply;
pub mod build;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod config;
pub mod controller;
pub mod crd;
pub mod dereference;
pub mod desired;
pub mod health;
pub mod install_key;
pub mod kind;
pub mod leader;
pub mod members;
pub mod metrics;
pub mod mongo;
pub mod names;
pub mod pods;
pub mod quantity;
pub mod reconcile;
pub mod run;
pub mod shutdown;
pub mod status;
pub mod telemetry;
pub mod validate;
pub mod version;
