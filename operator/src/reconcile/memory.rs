//! What is remembered of a `SessionStore` while the process lives. Nothing depends on it but how
//! much there is to do: a new process begins without.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};

use tokio::sync::Mutex;

use crate::apply::Applied;
use crate::build::Credentials;
use crate::cache::Target;
use crate::crd::SessionStoreStatus;
use crate::desired::Desired;
use crate::mongo::{Members, Monitor, Versions};

/// What is remembered of one.
#[derive(Default)]
pub(super) struct Memory {
    /// Which one of its name.
    uid: String,
    /// What was applied.
    pub(super) applied: Applied,
    /// The key and the passwords, in case that a Secret is deleted.
    pub(super) credentials: Option<Credentials>,
    /// What it asked for when it was last looked at.
    pub(super) desired: Option<Desired>,
    /// The status that was written last, which the cache may not have yet.
    pub(super) status: Option<SessionStoreStatus>,
    /// The way to its members, while there is something to do for them.
    pub(super) members: Option<Members>,
    /// Tells when something changes in its replica set.
    pub(super) monitor: Option<Monitor>,
    /// The versions of the primary of this name.
    pub(super) versions: Option<(String, Versions)>,
    /// Why it cannot be read, as the status says already.
    pub(super) unreadable: Option<String>,
    /// How often in a row it has failed.
    pub(super) failures: u32,
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
