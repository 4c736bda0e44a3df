//! Changing a session by a client.

use mongodb::bson::{Bson, DateTime, Document, RawDocumentBuf, doc};
use tokio::time::Instant;

use crate::domain::{Document as Json, Session, SessionId};
use crate::store::mongo::bson_text;
use crate::store::mongo::error::CallError;
use crate::store::mongo::known::{self, Asked};
use crate::store::mongo::link::{Link, pause_after, settled};
use crate::store::mongo::write::FollowUps;
use crate::store::{ReadError, SessionChange, StoreError, UpdateError};

pub(super) async fn update(
    link: &Link,
    id: &SessionId,
    change: &SessionChange,
    deadline: Instant,
) -> Result<Session, UpdateError> {
    let command = doc! {"update": "sessions", "updates": [statement(id, change)?]};
    let command = RawDocumentBuf::try_from(&command)
        .map_err(|error| StoreError::Damaged(error.to_string()))?;
    let mut is_doubtful = false;
    loop {
        let reply = link.write("update", command.clone(), deadline).await;
        let sent = reply.and_then(|reply| settled(&reply).map(|()| reply));
        let session = current(link, id, deadline).await?;
        match sent {
            Ok(reply) if reply.get_i32("n").is_ok_and(|matched| matched == 1) => {
                return Ok(session);
            }
            Ok(_) => {}
            Err(error) => {
                pause_after(error, deadline)
                    .await
                    .map_err(|error| UpdateError::Store(error.into()))?;
                is_doubtful = true;
            }
        }
        // After a lost answer, the same change under the next version is this one.
        let is_this_one = session.version == change.base.next()
            && session.updated_at == change.at
            && session.language == change.language
            && session.metadata == change.metadata;
        if is_doubtful && is_this_one {
            return Ok(session);
        }
        if session.version != change.base {
            return Err(UpdateError::Moved);
        }
    }
}

/// The session as it is; its document too, which may have missed its closing: a change that builds
/// on what readers are told would not match it.
async fn current(link: &Link, id: &SessionId, deadline: Instant) -> Result<Session, UpdateError> {
    let failed = |error: CallError| UpdateError::Store(error.into());
    let found = known::find_one(link, id, Asked::Primary, deadline).await;
    let found = found.map_err(failed)?.0.ok_or(UpdateError::Absent)?;
    let behind = FollowUps::of([(id, &found)]);
    behind.write(link, deadline).await.map_err(failed)?;
    match found.into_session() {
        Ok((session, _)) => Ok(session),
        Err(ReadError::Absent) => Err(UpdateError::Absent),
        Err(ReadError::Erased) => Err(UpdateError::Erased),
        Err(ReadError::Store(error)) => Err(UpdateError::Store(error)),
    }
}

fn statement(id: &SessionId, change: &SessionChange) -> Result<Document, StoreError> {
    let base = i64::try_from(change.base.0).unwrap_or(i64::MAX);
    Ok(doc! {
        "q": {
            "sessionId": id.as_str(),
            "version": base,
            // A tombstone has no version, and no language that could be brought back.
            "erased": {"$exists": false},
        },
        "u": {
            "$set": {
                "language": change.language.as_str(),
                "metadata": tree(&change.metadata)?,
                "updatedAt": DateTime::from_millis(change.at.millis()),
                "version": base.saturating_add(1),
            },
        },
    })
}

fn tree(json: &Json) -> Result<Bson, StoreError> {
    let garbled = || StoreError::Damaged("metadata that is no document".to_owned());
    let mut bytes = Vec::with_capacity(json.len() + 64);
    bson_text::append_object(&mut bytes, json.as_str());
    let raw = RawDocumentBuf::from_bytes(bytes).map_err(|_| garbled())?;
    let tree = Document::try_from(&*raw).map_err(|_| garbled())?;
    Ok(tree.into())
}
