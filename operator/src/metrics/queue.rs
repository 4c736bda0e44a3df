//! How many `SessionStore`s wait for a reconcile that is due, counted when it is asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, Registry};

use crate::cache::Target;
use crate::clock::{self, Time};

/// When which `SessionStore` is to be looked at. Cheap to clone.
///
/// The queue itself is the controller's, which does not show it; this is told the same.
#[derive(Clone, Debug)]
pub struct Queue {
    due: Arc<Mutex<HashMap<Target, Time>>>,
    depth: IntGauge,
}

impl Queue {
    /// Creates the metric and registers it. Nothing is queued yet.
    ///
    /// # Errors
    /// When the name is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let queue = Self {
            due: Arc::default(),
            depth: IntGauge::new(
                "sessionstore_operator_queue_depth",
                "SessionStores that wait for a reconcile that is due; more than 0 for long means \
                 that --concurrency is too small.",
            )?,
        };
        registry.register(Box::new(queue.clone()))?;
        Ok(queue)
    }

    /// One is to be looked at then; the sooner of two times counts.
    pub fn put(&self, target: &Target, at: Time) {
        let mut due = self.lock();
        let time = due.entry(target.clone()).or_insert(at);
        *time = at.min(*time);
    }

    /// One is being looked at, or is gone.
    pub fn take(&self, target: &Target) {
        self.lock().remove(target);
    }

    /// Nobody looks any more.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn depth(&self, now: Time) -> usize {
        self.lock().values().filter(|due| **due <= now).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Target, Time>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Queue {
    fn desc(&self) -> Vec<&Desc> {
        self.depth.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let depth = self.depth(clock::now());
        self.depth.set(i64::try_from(depth).unwrap_or(i64::MAX));
        self.depth.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Time = Duration::from_secs(100);
    const LATER: Time = Duration::from_secs(200);

    fn target(name: &str) -> Target {
        Target::new(name).within("shop")
    }

    #[test]
    fn what_is_due_waits_until_it_is_looked_at_and_what_is_not_due_does_not() {
        let queue = Queue::register(&Registry::new()).unwrap();
        queue.put(&target("voice"), NOW);
        queue.put(&target("voice"), NOW);
        queue.put(&target("chat"), LATER);
        assert_eq!((queue.depth(NOW), queue.depth(LATER)), (1, 2));
        queue.take(&target("voice"));
        assert_eq!((queue.depth(NOW), queue.depth(LATER)), (0, 1));
    }

    #[test]
    fn what_has_changed_while_it_was_looked_at_is_due_at_once() {
        let queue = Queue::register(&Registry::new()).unwrap();
        queue.put(&target("voice"), NOW);
        queue.put(&target("voice"), LATER);
        assert_eq!(queue.depth(NOW), 1);
    }
}
