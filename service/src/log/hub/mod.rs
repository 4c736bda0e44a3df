//! Who follows which session. `followed` knows what they are told, `news` what it means to each.

mod followed;
mod news;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::domain::{Seq, SessionId};
use crate::store::{Announcement, Record, Store};

pub use news::News;

use followed::Followed;
use news::{Gathering, Heard};

/// Tells followers what is committed. Cheap to clone.
#[derive(Clone)]
pub(super) struct Hub(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    followed: HashMap<SessionId, Followed>,
    /// Forwards what other processes commit; runs while somebody follows, and lingers then.
    foreign: Option<JoinHandle<()>>,
    /// When the last follower left, unless another has come since.
    deserted: Option<Instant>,
}

/// How long the store's announcements are still listened to when nobody follows any more. To open
/// them costs the store a query and may take it a moment; requests for streams that end at once
/// would open them each time, and so would a lonely client that comes back, after a second or a
/// few, since its connection broke.
const LINGER: Duration = Duration::from_secs(10);

/// Waits for news of one session.
pub struct Follower {
    session_id: SessionId,
    receiver: Receiver<Heard>,
    hub: Hub,
}

impl Follower {
    /// What came since the last call (or since the follower was made), once there is something
    /// that one who knows the log up to `seen` does not know. Nothing is lost when the caller
    /// stops waiting.
    pub async fn news(&mut self, seen: u64) -> News {
        loop {
            let mut gathering = Gathering::after(seen);
            match self.receiver.recv().await {
                Ok(heard) => gathering.hear(heard),
                Err(RecvError::Lagged(_)) => gathering.hear(Heard::Changed),
                // The hub is gone: nothing will ever come.
                Err(RecvError::Closed) => std::future::pending().await,
            }
            loop {
                match self.receiver.try_recv() {
                    Ok(heard) => gathering.hear(heard),
                    Err(TryRecvError::Lagged(_)) => gathering.hear(Heard::Changed),
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
            if let Some(news) = gathering.news() {
                return news;
            }
        }
    }
}

/// Records that this process is storing.
pub(super) struct Storing {
    records: Arc<[Record]>,
    hub: Hub,
}

impl Drop for Storing {
    fn drop(&mut self) {
        self.hub.at_the_ends(&self.records, Followed::stored);
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.hub.leave(&self.session_id);
    }
}

impl Hub {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self(Arc::new(Inner {
            store,
            state: Mutex::default(),
        }))
    }

    pub(super) fn follow(&self, session_id: &SessionId) -> Follower {
        let mut state = self.lock();
        let followed = state
            .followed
            .entry(session_id.clone())
            .or_insert_with(Followed::new);
        let receiver = followed.joined();
        state.deserted = None;
        // A stream that has ended is opened again by the next one who follows.
        let is_pumped = state
            .foreign
            .as_ref()
            .is_some_and(|pump| !pump.is_finished());
        if !is_pumped && let Some(announcements) = self.0.store.subscribe() {
            state.foreign = Some(tokio::spawn(self.clone().pump(announcements)));
        }
        Follower {
            session_id: session_id.clone(),
            receiver,
            hub: self.clone(),
        }
    }

    /// These records are being stored until the result is dropped; by then those that are stored
    /// have to be told.
    pub(super) fn storing(&self, records: Arc<[Record]>) -> Storing {
        self.at_the_ends(&records, Followed::storing);
        let hub = self.clone();
        Storing { records, hub }
    }

    /// For each followed session of a batch, with the last of its records.
    fn at_the_ends(&self, batch: &[Record], act: impl Fn(&mut Followed, Seq)) {
        let mut state = self.lock();
        if state.followed.is_empty() {
            return;
        }
        let sessions = batch.chunk_by(|one, next| one.session_id() == next.session_id());
        for last in sessions.filter_map(<[Record]>::last) {
            if let Some(followed) = state.followed.get_mut(last.session_id()) {
                act(followed, last.seq());
            }
        }
    }

    /// These records of one session are stored, one after the other.
    pub(super) fn committed(&self, records: &[Record]) {
        let Some(last) = records.last() else {
            return;
        };
        if let Some(followed) = self.lock().followed.get_mut(last.session_id()) {
            followed.committed(records, last.seq());
        }
    }

    /// The log of a session reaches at least this far.
    fn grown(&self, session_id: &SessionId, seq: Seq) {
        if let Some(followed) = self.lock().followed.get_mut(session_id) {
            followed.grown(seq);
        }
    }

    /// Something else happened to the log of a session.
    pub(super) fn changed(&self, session_id: &SessionId) {
        if let Some(followed) = self.lock().followed.get(session_id) {
            followed.changed();
        }
    }

    /// Anything may have happened to every session.
    fn all_changed(&self) {
        for followed in self.lock().followed.values() {
            followed.changed();
        }
    }

    fn leave(&self, session_id: &SessionId) {
        let mut state = self.lock();
        if let Some(followed) = state.followed.get_mut(session_id)
            && followed.left() == 0
        {
            state.followed.remove(session_id);
        }
        if state.followed.is_empty() {
            state.deserted = Some(Instant::now());
        }
    }

    /// Forwards announcements until they end, or nobody has followed for a while.
    async fn pump(self, mut announcements: BoxStream<'static, Announcement>) {
        loop {
            let due = self.lingers_until();
            tokio::select! {
                announcement = announcements.next() => match announcement {
                    Some(Announcement::Grown(session_id, seq)) => self.grown(&session_id, seq),
                    Some(Announcement::Changed(session_id)) => self.changed(&session_id),
                    Some(Announcement::Everything) => self.all_changed(),
                    None => return,
                },
                () = sleep_until(due) => {
                    if self.forget_pump() {
                        return;
                    }
                }
            }
        }
    }

    /// When to look whether the announcements are still wanted.
    fn lingers_until(&self) -> Instant {
        self.lock().deserted.unwrap_or_else(Instant::now) + LINGER
    }

    /// Lets go of the pump, if nobody has followed for a while. Whoever follows next starts
    /// another one, so this is decided under the lock.
    fn forget_pump(&self) -> bool {
        let mut state = self.lock();
        let is_over = state
            .deserted
            .is_some_and(|since| since.elapsed() >= LINGER);
        if is_over {
            state.foreign = None;
        }
        is_over
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
