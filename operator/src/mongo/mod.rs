//! The replica set behind a `SessionStore`: what is seen of it, what to do next, and doing it.
//!
//! `plan` decides and is pure, as are `wire` (what members answer, in the plan's words) and `users`
//! (who may do what). The rest talks to members: `link` one command at a time, `observe` and `act`
//! for the plan, `monitor` to be told when something changes, and how far members are behind (`lag`). `metrics` counts the commands.

mod act;
mod error;
mod lag;
mod link;
mod metrics;
mod monitor;
mod observe;
pub mod plan;
mod users;
mod wire;

pub use act::{ActError, Outcome};
pub use error::CallError;
pub use lag::Lags;
pub use link::{Access, Login, Members};
pub use metrics::CommandMetrics;
pub use monitor::Monitor;
pub use observe::Versions;
