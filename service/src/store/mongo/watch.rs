//! What other processes commit: one change stream of keys, for everybody in this process.

use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use mongodb::bson::{RawDocument, RawDocumentBuf, doc};
use mongodb::change_stream::ChangeStream;
use mongodb::change_stream::event::ResumeToken;
use tokio::sync::mpsc;

use crate::store::Announcement;
use crate::store::mongo::MongoStore;
use crate::store::mongo::codec;

/// How long the server may hold back an answer when there is nothing to tell.
const QUIET: Duration = Duration::from_millis(500);

/// An answer that takes so much longer will not come: the member is frozen, or cut off.
const STALLED: Duration = Duration::from_secs(2);

/// Between two attempts to open the stream.
const PAUSE: Duration = Duration::from_millis(100);

/// Announcements that may wait to be spread. What does not fit is no loss for long: `Everything`
/// follows as soon as there is room.
const ROOM: usize = 1_024;

/// The announcements, until the stream is dropped.
pub(super) fn announcements(store: &MongoStore) -> BoxStream<'static, Announcement> {
    let (sender, receiver) = mpsc::channel(ROOM);
    tokio::spawn(follow(store.clone(), sender));
    stream::unfold(receiver, |mut receiver| async move {
        let announcement = receiver.recv().await?;
        Some((announcement, receiver))
    })
    .boxed()
}

/// Keeps a change stream open as long as somebody listens.
async fn follow(store: MongoStore, sender: mpsc::Sender<Announcement>) {
    let mut token = None;
    while !sender.is_closed() {
        // The driver's futures run to their end on a task of their own, whoever still waits.
        let (store, changes) = (store.clone(), sender.clone());
        let (progress, mut seen) = mpsc::channel(1);
        let resumed = token.take();
        let running = tokio::spawn(async move { pump(&store, resumed, &changes, progress).await });
        loop {
            match tokio::time::timeout(QUIET + STALLED, seen.recv()).await {
                Ok(Some(now)) => token = now,
                Ok(None) => break,
                Err(_) => {
                    tracing::debug!("the change stream stalls and is opened again");
                    break;
                }
            }
        }
        if running.is_finished()
            && let Ok(Err(error)) = running.await
        {
            tracing::debug!(%error, "the change stream broke and is opened again");
            // The place it had got to may not be there any more.
            token = None;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Reads one change stream until it breaks or nobody listens any more, and tells how far it got.
async fn pump(
    store: &MongoStore,
    token: Option<ResumeToken>,
    sender: &mpsc::Sender<Announcement>,
    progress: mpsc::Sender<Option<ResumeToken>>,
) -> mongodb::error::Result<()> {
    let is_resumed = token.is_some();
    let events = store
        .link()
        .database()
        .collection::<RawDocumentBuf>("events");
    let stream = events
        .watch()
        .pipeline([
            doc! {"$match": {"operationType": {"$in": ["insert", "update", "replace"]}}},
            doc! {"$project": {"documentKey": 1, "operationType": 1}},
        ])
        .resume_after(token)
        .max_await_time(QUIET)
        .batch_size(1_000)
        .await?;
    let mut stream: ChangeStream<RawDocumentBuf> = stream.with_type();
    if !is_resumed {
        // What was committed between a reader's last look and now was announced to nobody.
        let _ = sender.send(Announcement::Everything).await;
    }
    let mut has_missed = false;
    loop {
        let change = stream.next_if_any().await?;
        if let Some(change) = change {
            has_missed |= sender.try_send(announced(&change)).is_err();
        }
        if has_missed && sender.try_send(Announcement::Everything).is_ok() {
            has_missed = false;
        }
        // From where something is still to be told, the next stream begins anew.
        let place = stream.resume_token().filter(|_| !has_missed);
        let is_over = sender.is_closed() || progress.send(place).await.is_err();
        if is_over {
            return Ok(());
        }
    }
}

/// What a change of a record says. One that cannot be read may be of any session.
fn announced(change: &RawDocument) -> Announcement {
    let key = change.get_document("documentKey").ok();
    let Some((session_id, seq)) = key.and_then(|key| codec::id_of(key).ok()) else {
        return Announcement::Everything;
    };
    // A record is inserted once, at the end; only erasing touches it again.
    if matches!(change.get_str("operationType"), Ok("insert")) {
        Announcement::Grown(session_id, seq)
    } else {
        Announcement::Changed(session_id)
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::rawdoc;

    use super::*;
    use crate::domain::{Seq, SessionId};

    fn change(operation: &str) -> RawDocumentBuf {
        let key = rawdoc! {"_id": {"sessionId": "s", "seq": 7_i64}};
        rawdoc! {"operationType": operation, "documentKey": key}
    }

    fn session() -> SessionId {
        SessionId::from_stored("s")
    }

    #[test]
    fn an_inserted_record_says_how_far_its_log_reaches() {
        let grown = Announcement::Grown(session(), Seq::after(6));
        assert_eq!(announced(&change("insert")), grown);
    }

    #[test]
    fn a_record_that_is_written_over_says_only_that_its_log_changed() {
        for operation in ["update", "replace"] {
            assert_eq!(
                announced(&change(operation)),
                Announcement::Changed(session())
            );
        }
    }

    #[test]
    fn a_change_that_cannot_be_read_may_be_of_any_session() {
        let garbled = rawdoc! {"operationType": "insert"};
        assert_eq!(announced(&garbled), Announcement::Everything);
    }
}
