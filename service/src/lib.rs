//! SessionStore: the record of every conversation, as a service.
//!
//! Layers, arrows one way: `http` → `log` → `store`, all of them → `domain`.

pub mod domain;
pub mod json;
pub mod log;
pub mod store;
