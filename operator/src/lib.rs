//! The operator: one `SessionStore` manifest becomes a running store.
//!
//! A reconcile is a straight line, one module a step:
//! `dereference → validate → build → apply → mongo → status`. What decides (validate, build, the
//! plan, the status) has no client and no clock; what does it is a thin shell around.

pub mod crd;
pub mod mongo;
