//! What the scenarios share: the cluster that is up, a place in it, a store in the place, clients
//! of the store, and what is known of the operator.

pub(crate) mod audit;
pub(crate) mod forward;
pub(crate) mod kept;
pub(crate) mod key;
pub(crate) mod lab;
pub(crate) mod load;
pub(crate) mod nodes;
pub(crate) mod operator;
pub(crate) mod place;
pub(crate) mod processes;
pub(crate) mod prometheus;
pub(crate) mod specs;
pub(crate) mod store;
pub(crate) mod told;
pub(crate) mod wait;
