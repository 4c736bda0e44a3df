//! How long things may take before they count as failed. All generous: a busy machine must not
//! fail because it is slow.

use std::time::Duration;

/// For a process to start answering, or to end after it was killed.
pub(crate) const PROCESS: Duration = Duration::from_secs(60);

/// For the API server to be ready: two seconds on an idle machine.
pub(crate) const API: Duration = Duration::from_secs(120);

/// For nodes and the pods of the cluster itself to be ready: some ten seconds on an idle machine.
pub(crate) const READY: Duration = Duration::from_secs(180);

/// For a process to become another program, which reads that from disk first.
pub(crate) const BECOMING: Duration = Duration::from_secs(2);

/// Between two looks at something that has no event.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// What is shown of the log of a part that ended.
pub(crate) const SHOWN_LOG_BYTES: u64 = 2 * 1024;
