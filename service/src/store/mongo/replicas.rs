//! Which secondary is asked: each in turn, but none that was slow or failed a moment ago.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mongodb::options::ServerAddress;
use tokio::time::Instant;

use crate::store::mongo::topology::View;

/// How long a member that was slow is left alone: it costs one read its hedge so often, and
/// before the driver itself finds out that a member is frozen (some seconds), little more.
const REST: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct Replicas {
    /// Whether secondaries are asked at all.
    is_wanted: bool,
    turn: AtomicUsize,
    resting: Mutex<HashMap<ServerAddress, Instant>>,
}

impl Replicas {
    pub(super) fn new(is_wanted: bool) -> Self {
        Self {
            is_wanted,
            turn: AtomicUsize::new(0),
            resting: Mutex::default(),
        }
    }

    /// The next secondary to ask; `None` if there is none that is worth it. Without a primary,
    /// nobody rests.
    pub(super) fn choose(&self, view: &View) -> Option<ServerAddress> {
        if !self.is_wanted || view.secondaries.is_empty() {
            return None;
        }
        let now = Instant::now();
        let mut resting = self.lock();
        resting.retain(|_, until| *until > now);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = view.secondaries.len();
        (0..count)
            .map(|step| &view.secondaries[(turn + step) % count])
            .find(|member| view.term.is_none() || !resting.contains_key(*member))
            .cloned()
    }

    /// Leaves a member alone for a moment.
    pub(super) fn avoid(&self, member: &ServerAddress) {
        self.lock().insert(member.clone(), Instant::now() + REST);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServerAddress, Instant>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(members: &[&str]) -> View {
        View {
            secondaries: members.iter().map(|host| address(host)).collect(),
            ..View::reigned_by("p")
        }
    }

    fn address(host: &str) -> ServerAddress {
        ServerAddress::parse(host).unwrap()
    }

    #[test]
    fn every_secondary_is_asked_in_turn() {
        let (replicas, view) = (Replicas::new(true), view(&["a", "b"]));
        let asked = [0; 4].map(|_| replicas.choose(&view).unwrap());
        assert_eq!(asked, ["a", "b", "a", "b"].map(address));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_secondary_rests_and_comes_back() {
        let (replicas, view) = (Replicas::new(true), view(&["a", "b"]));
        replicas.avoid(&address("a"));
        let asked = [0; 2].map(|_| replicas.choose(&view).unwrap());
        assert_eq!(asked, ["b", "b"].map(address));
        replicas.avoid(&address("b"));
        assert_eq!(replicas.choose(&view), None);
        tokio::time::advance(REST).await;
        assert!(replicas.choose(&view).is_some());
    }

    #[test]
    fn without_a_primary_a_slow_secondary_is_better_than_none() {
        let replicas = Replicas::new(true);
        let orphans = View {
            term: None,
            ..view(&["a"])
        };
        replicas.avoid(&address("a"));
        assert_eq!(replicas.choose(&orphans), Some(address("a")));
    }

    #[test]
    fn without_secondaries_the_primary_is_asked() {
        assert_eq!(Replicas::new(true).choose(&view(&[])), None);
        assert_eq!(Replicas::new(false).choose(&view(&["a"])), None);
    }
}
