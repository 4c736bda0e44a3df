//! The rules of the plan, one situation each. `operator/tests/plan` drives it through whole lives.

mod bootstrap;
mod membership;
mod restarts;
mod scene;
mod status;
mod trouble;
