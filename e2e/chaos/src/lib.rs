//! Continuous writers and readers through several service processes, while members of the replica
//! set and the processes themselves are killed, frozen, cut off and held back by a seeded schedule;
//! then the proof, from what was answered and what is stored, that every promise was kept.
//!
//! What decides is apart from what does: `schedule` says what goes wrong and when, `checker` judges;
//! both are pure. `clients` and `world` do: requests there, signals here. `history` is what they leave
//! behind, `stored` what the store has at the end, `report` the figures. `run` puts it together.
//!
//! Nothing of the service's code is used: it is judged by its HTTP contract and its documents.

pub mod checker;
pub mod clients;
pub mod history;
pub mod report;
pub mod run;
pub mod schedule;
pub mod stored;
pub mod world;
