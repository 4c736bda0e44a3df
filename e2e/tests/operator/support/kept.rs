//! What is written before a fault, to be found again after it.

use serde_json::Value;
use sessionstore_e2e::{
    client::Api,
    session::{Session, texts},
};

use super::store::Store;

/// A session that goes on, and one that is completed.
const SESSIONS: usize = 2;

/// In each.
const EVENTS: usize = 20;

/// Sessions whose every write was acknowledged.
pub(crate) struct Kept {
    /// The first is completed.
    sessions: Vec<String>,
}

impl Kept {
    /// Writes them, into a store that takes writes.
    pub(crate) async fn write(store: &Store) -> Self {
        let api = store.client().await;
        let mut sessions = Vec::new();
        for _ in 0..SESSIONS {
            let session = api.new_session().await;
            session.fill(EVENTS).await;
            sessions.push(session.id);
        }
        api.session(&sessions[0]).complete().await.expect(200);
        Self { sessions }
    }

    /// Fails if anything of it is missing or another thing than it was, or if the session that goes
    /// on does not go on.
    pub(crate) async fn assert_there(&self, store: &Store) {
        let api = store.client().await;
        for id in &self.sessions {
            assert_is_whole(&api, id).await;
        }
        let completed = api.session(&self.sessions[0]).current().await;
        assert_eq!(completed["status"], "completed");
        // A replay of what is stored, and nothing that is stored anew.
        let open = api.session(&self.sessions[1]);
        open.fill(EVENTS).await;
        assert_is_whole(&api, &open.id).await;
    }
}

async fn assert_is_whole(api: &Api, id: &str) {
    let session: Session = api.session(id);
    let log: Vec<Value> = session.log().await;
    let expected = (1..=EVENTS).map(|number| format!("e{number}"));
    assert!(texts(&log, "eventId").into_iter().eq(expected), "{log:?}");
}
