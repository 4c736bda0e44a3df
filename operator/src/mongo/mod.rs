//! The replica set behind a `SessionStore`: what is seen of it, what to do next, and doing it.
//!
//! `plan` decides and is pure; everything else here talks to members.

pub mod plan;
