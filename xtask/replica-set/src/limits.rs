//! How long things may take before they count as failed. All generous: a debug build on a busy
//! machine must not fail because it is slow.

use std::time::Duration;

/// For a process to start answering, or to end after it was asked to.
pub(crate) const PROCESS: Duration = Duration::from_secs(60);

/// For a set to have a primary.
pub(crate) const SET: Duration = Duration::from_secs(60);

/// For a set to be healthy. A member that takes back what no majority had goes to its last stable
/// checkpoint, which took more than a minute on a machine with half an hour of chaos behind it.
pub(crate) const HEALTH: Duration = Duration::from_secs(300);

/// For one command; those that wait for members have their own.
pub(crate) const COMMAND: Duration = Duration::from_secs(30);

/// For a member to say how it sees the set. One that is frozen costs each look this much.
pub(crate) const LOOK: Duration = Duration::from_millis(500);

/// The same through a driver that has to connect first.
pub(crate) const FIRST_LOOK: Duration = Duration::from_secs(3);

/// Between two looks at something that has no event.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);
