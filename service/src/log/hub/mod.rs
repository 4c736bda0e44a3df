//! Who follows which session, and the hints that there is something new.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::domain::SessionId;
use crate::store::{Announcement, Store};

/// Spreads announcements to followers. Cheap to clone.
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

struct Followed {
    sender: watch::Sender<()>,
    followers: usize,
}

/// Waits for news of one session.
pub struct Follower {
    session_id: SessionId,
    receiver: watch::Receiver<()>,
    hub: Hub,
}

impl Follower {
    /// Returns when the log may have grown since the last call (or since the follower was made).
    pub async fn news(&mut self) {
        // An error means that the hub is gone: then nothing will ever come.
        if self.receiver.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
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
            .or_insert_with(|| Followed {
                sender: watch::Sender::new(()),
                followers: 0,
            });
        followed.followers += 1;
        let receiver = followed.sender.subscribe();
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

    /// Hints that there is something new in this session.
    pub(super) fn announce(&self, session_id: &SessionId) {
        if let Some(followed) = self.lock().followed.get(session_id) {
            followed.sender.send_replace(());
        }
    }

    /// Hints that there may be something new in every session.
    fn announce_all(&self) {
        for followed in self.lock().followed.values() {
            followed.sender.send_replace(());
        }
    }

    fn leave(&self, session_id: &SessionId) {
        let mut state = self.lock();
        if let Some(followed) = state.followed.get_mut(session_id) {
            followed.followers -= 1;
            if followed.followers == 0 {
                state.followed.remove(session_id);
            }
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
                    Some(Announcement::Session(session_id)) => self.announce(&session_id),
                    Some(Announcement::Everything) => self.announce_all(),
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
