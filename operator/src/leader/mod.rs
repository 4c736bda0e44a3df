//! Which of several operators works: a Lease that one of them holds.
//!
//! `election` decides, with readings of a clock handed in; `campaign` is the shell that reads,
//! watches and writes the Lease; `lease` is what that object looks like and what the API server's
//! refusals mean; `leadership` is what the one that works asks before every change it makes. Why
//! this is not left to a library: `docs/decisions/0007-leader-election.md`.

mod campaign;
mod election;
mod leadership;
mod lease;
mod metrics;

pub use campaign::{Campaign, CampaignError, Candidacy, Reign};
pub use election::{Claim, Election, Failure, Observed, Step, Terms, Why};
pub use leadership::{Leadership, NotLeader};
pub use lease::LeaseError;
pub use metrics::LeaderMetrics;
