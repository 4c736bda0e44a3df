//! What a crash between any two steps of closing or erasing leaves, and who repairs it.
//!
//! The steps are done for real; then the documents of those that were not to happen are taken
//! back to what they were.

mod closing;
mod erasing;

use mongodb::bson::{Bson, Document};
use sessionstore::domain::{ClosingStatus, Session};
use sessionstore::store::CommitOutcome::Refused;
use sessionstore::store::Store;

use sessionstore_replica_set::ReplicaSet;
use tokio::sync::RwLockReadGuard;

use crate::process::Process;
use crate::sample::{at, commit, create, event, id, new_event, terminal};
use crate::set::{Base, Stored, field, unhurt};

const EVENTS: u64 = 3;
const ENDED: i64 = 4_000;
const ERASED: i64 = 6_000;

/// One process that meets what another one has left, and one that was there before and remembers
/// where the log ended.
struct Scene {
    /// As long as this is held, nobody hurts the members.
    _set: RwLockReadGuard<'static, &'static ReplicaSet>,
    base: Base,
    process: Process,
    early: Process,
}

impl Scene {
    async fn new() -> Self {
        let set = unhurt().await;
        let base = Base::fresh(&set).await;
        let process = Process::serving(&base.url).await;
        let early = Process::serving(&base.url).await;
        Self {
            _set: set,
            base,
            process,
            early,
        }
    }

    fn store(&self) -> &dyn Store {
        &*self.process.store
    }

    /// An open session, whose tail `early` knows.
    async fn open(&self, name: &str) {
        create(self.store(), name).await;
        for number in 1..=EVENTS {
            let event = new_event(name, &format!("e{number}"));
            self.early.log.append(event).await.unwrap();
        }
    }

    async fn close(&self, name: &str) -> Session {
        let reason = Some("secret reason".into());
        let closing = self
            .process
            .log
            .close(id(name), ClosingStatus::Completed, reason, at(ENDED));
        closing.await.unwrap()
    }

    /// A session whose closing crashed between its two steps; what readers have to be told of it,
    /// and what is to be stored once it is repaired.
    async fn half_closed(&self, name: &str) -> (Session, Stored) {
        self.open(name).await;
        let before = self.base.stored(name).await;
        let closed = self.close(name).await;
        let after = self.base.stored(name).await;
        self.base.put_session(&before.session).await;
        (closed, after)
    }

    async fn assert_stored(&self, name: &str, expected: &Stored) {
        assert_eq!(&self.base.stored(name).await, expected);
    }

    /// What never can be stored any more, whatever a writer believes.
    async fn assert_nothing_fits(&self, name: &str) {
        for seq in 1..=EVENTS + 1 {
            let late = event(seq, &new_event(name, "late"));
            assert_eq!(commit(self.store(), late).await, Refused);
            let end = terminal(name, seq, ClosingStatus::Failed);
            assert_eq!(commit(self.store(), end).await, Refused);
        }
    }
}

fn int64(document: &Document, path: &str) -> Option<i64> {
    field(document, path).and_then(Bson::as_i64)
}
