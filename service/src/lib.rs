//! SessionStore: the record of every conversation, as a service.
//!
//! Layers, arrows one way: `http` → `log` → `store`, all of them → `domain`. Around them is the
//! program: `cli` reads what it is told to do, `config` its settings; `server` and `admin` serve,
//! `telemetry` tells, `shutdown` ends.

pub mod admin;
pub mod cli;
pub mod config;
pub mod domain;
pub mod http;
pub mod json;
pub mod log;
pub mod server;
pub mod shutdown;
pub mod store;
pub mod telemetry;
mod tls;
pub mod version;
