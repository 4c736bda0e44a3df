//! The custom resource: what a user may say, with its defaults and rules, and what the status says
//! back. Types and schema only.
