//! What is remembered of a `SessionStore` while the process lives. Nothing depends on it but how
//! much there is to do: a new process begins without.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};

use tokio::sync::Mutex;

use crate::apply::{Applied, Key, Scaled};
use crate::build::Credentials;
use crate::cache::Target;
use crate::crd::{SessionStore, SessionStoreStatus};
use crate::desired::Desired;
use crate::mongo::{Members, Monitor, Versions};
use crate::reconcile::patience::Patience;

/// What is remembered of one.
#[derive(Default)]
pub(super) struct Memory {
    /// Which one of its name.
    uid: String,
    /// The version that it had when this process began to look after it.
    pub(super) begun_at: Option<String>,
    /// What was applied.
    pub(super) applied: Applied,
    /// When what was last given its count of pods.
    pub(super) scaled: BTreeMap<Key, Scaled>,
    /// The key and the passwords, in case that a Secret is deleted.
    pub(super) credentials: Option<Credentials>,
    /// What it asked for when it was last looked at.
    pub(super) desired: Option<Desired>,
    /// The status that was written last, which the cache may not have yet.
    pub(super) status: Option<Written>,
    /// The way to its members, while there is something to do for them.
    pub(super) members: Option<Members>,
    /// Tells when something changes in its replica set.
    pub(super) monitor: Option<Monitor>,
    /// The versions of the primary whose pod has this uid.
    pub(super) versions: Option<(String, Versions)>,
    /// Of which generation it was told that it cannot be read, and why.
    pub(super) unreadable: Option<(Option<i64>, String)>,
    /// What is waited for in its replica set.
    pub(super) patience: Patience,
    /// Its namespace is being deleted, which nobody can take back: nothing can be made there.
    pub(super) is_leaving: bool,
    /// How often in a row it has failed.
    pub(super) failures: u32,
}

/// A status that was written.
pub(super) struct Written {
    /// The version of the resource that it made.
    pub(super) version: String,
    pub(super) status: SessionStoreStatus,
}

impl Memory {
    /// Whether a version is not older than the one to begin at. Not as long as none is known.
    pub(super) fn is_up_to_date(&self, version: &str) -> bool {
        let begun_at = self.begun_at.as_deref();
        begun_at.is_some_and(|it| !is_before(version, it))
    }

    /// The newest status that is known: that of the cache, unless what was written is newer.
    pub(super) fn status_of<'a>(
        &'a self,
        store: &'a SessionStore,
    ) -> Option<&'a SessionStoreStatus> {
        let seen = store.metadata.resource_version.as_deref();
        match &self.status {
            Some(written) if is_before(seen.unwrap_or_default(), &written.version) => {
                Some(&written.status)
            }
            _ => store.status.as_ref(),
        }
    }
}

/// Whether one version of a resource is older than another. They count up, which Kubernetes
/// promises from 1.35 on and has always done (KEP-5504).
fn is_before(version: &str, other: &str) -> bool {
    let number = |version: &str| version.parse::<u64>().ok();
    match (number(version), number(other)) {
        (Some(version), Some(other)) => version < other,
        _ => version != other,
    }
}

/// What is remembered of all.
#[derive(Default)]
pub struct Memories(StdMutex<HashMap<Target, Arc<Mutex<Memory>>>>);

impl Memories {
    /// What is remembered of this one; nothing yet if it is another one of its name.
    pub(super) async fn of(&self, target: &Target, uid: &str) -> Arc<Mutex<Memory>> {
        let found = self.lock().entry(target.clone()).or_default().clone();
        let mut memory = found.lock().await;
        if memory.uid != uid {
            *memory = Memory {
                uid: uid.to_owned(),
                ..Memory::default()
            };
        }
        drop(memory);
        found
    }

    /// Forgets one that is gone, and gives what was remembered.
    pub(super) fn forget(&self, target: &Target) -> Option<Arc<Mutex<Memory>>> {
        self.lock().remove(target)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Target, Arc<Mutex<Memory>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(version: &str, generation: i64) -> SessionStore {
        let mut store = SessionStore::default();
        store.metadata.resource_version = Some(version.to_owned());
        store.status = Some(status(generation));
        store
    }

    fn status(generation: i64) -> SessionStoreStatus {
        SessionStoreStatus {
            observed_generation: Some(generation),
            ..SessionStoreStatus::default()
        }
    }

    fn wrote(version: &str, generation: i64) -> Memory {
        Memory {
            status: Some(Written {
                version: version.to_owned(),
                status: status(generation),
            }),
            ..Memory::default()
        }
    }

    #[test]
    fn what_was_written_counts_until_the_cache_has_it() {
        let memory = wrote("100", 2);
        assert_eq!(memory.status_of(&store("99", 1)), Some(&status(2)));
    }

    #[test]
    fn a_status_that_somebody_has_edited_is_seen() {
        let memory = wrote("100", 2);
        assert_eq!(memory.status_of(&store("101", 7)), Some(&status(7)));
    }

    #[test]
    fn a_cache_that_lags_behind_the_beginning_of_a_term_does_not_count() {
        let mut memory = Memory::default();
        assert!(!memory.is_up_to_date("99"), "nobody has been asked");
        memory.begun_at = Some("100".to_owned());
        let count = ["99", "100", "101"].map(|it| memory.is_up_to_date(it));
        assert_eq!(count, [false, true, true]);
    }

    #[tokio::test]
    async fn another_one_of_the_same_name_is_unknown() {
        let memories = Memories::default();
        let target = Target::new("voice").within("default");
        memories.of(&target, "first").await.lock().await.failures = 3;
        assert_eq!(memories.of(&target, "first").await.lock().await.failures, 3);
        assert_eq!(
            memories.of(&target, "second").await.lock().await.failures,
            0
        );
    }
}
