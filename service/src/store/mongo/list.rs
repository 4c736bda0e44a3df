//! Pages of sessions, newest start first.

use std::collections::HashMap;

use futures::FutureExt;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::{RawArrayBuf, cstr};
use mongodb::bson::{DateTime, RawDocumentBuf, rawdoc};
use mongodb::options::ServerAddress;
use tokio::time::Instant;

use crate::domain::{
    Consistency, Session, SessionId, SessionListQuery, SessionPosition, SessionStatus,
};
use crate::store::mongo::MongoStore;
use crate::store::mongo::codec::{self, SessionDocument};
use crate::store::mongo::error::CallError;
use crate::store::mongo::known::{self, Asked, Found};
use crate::store::mongo::link::{Link, Reply};
use crate::store::mongo::read::first_answer;
use crate::store::mongo::schema;
use crate::store::mongo::write::FollowUps;
use crate::store::{SessionPage, StoreError};

pub(super) async fn read(
    store: &MongoStore,
    query: &SessionListQuery,
    deadline: Instant,
) -> Result<SessionPage, StoreError> {
    let link = store.link();
    let command = command(query);
    let reply = if query.consistency == Consistency::Eventual {
        let command = &command;
        let ask = |member: Option<ServerAddress>| {
            async move {
                let reply = match &member {
                    Some(member) => link.read_from(member, command, None, deadline).await,
                    None => link.read_snapshot(command, deadline).await,
                };
                (reply, member)
            }
            .boxed()
        };
        let (reply, member) = first_answer(store, ask).await?;
        if member.is_some() {
            return Ok(page(query, stored_sessions(&reply)?, reply.is_cut()));
        }
        reply
    } else {
        link.read_snapshot(&command, deadline).await?
    };
    let sessions = stored_sessions(&reply)?;
    let behind = behind_their_logs(link, &sessions, deadline).await?;
    Ok(corrected(
        page(query, sessions, reply.is_cut()),
        query,
        behind,
    ))
}

/// The command that reads a page and one session more, which tells whether it is the last page.
fn command(query: &SessionListQuery) -> RawDocumentBuf {
    let filter = &query.filter;
    // Every status is named: the index gives the order within each, and the server merges them.
    let mut statuses = RawArrayBuf::new();
    match filter.status {
        Some(status) => statuses.push(status.as_str()),
        None => SessionStatus::ALL
            .iter()
            .for_each(|status| statuses.push(status.as_str())),
    }
    let mut conditions = rawdoc! {"status": {"$in": statuses}};
    let mut started = RawDocumentBuf::new();
    if let Some(after) = filter.started_after {
        started.append(cstr!("$gte"), DateTime::from_millis(after.millis()));
    }
    if let Some(before) = filter.started_before {
        started.append(cstr!("$lt"), DateTime::from_millis(before.millis()));
    }
    if let Some(SessionPosition {
        started_at,
        creation_id,
    }) = query.after
    {
        let at = DateTime::from_millis(started_at.millis());
        started.append(cstr!("$lte"), at);
        let mut same_start = RawArrayBuf::new();
        let id = ObjectId::from_bytes(creation_id.0);
        same_start.push(rawdoc! {"startedAt": at, "_id": {"$gte": id}});
        conditions.append(cstr!("$nor"), same_start);
    }
    if started.iter().next().is_some() {
        conditions.append(cstr!("startedAt"), started);
    }
    if let Some(language) = &filter.language {
        conditions.append(cstr!("language"), language.as_str());
    }
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX - 1) + 1;
    let mut command = rawdoc! {
        "find": "sessions",
        "filter": conditions,
        "sort": {"startedAt": -1, "_id": -1},
        "limit": limit,
        "batchSize": limit,
    };
    if filter.language.is_some() {
        command.append(cstr!("hint"), schema::SESSIONS_BY_LANGUAGE);
        command.append(cstr!("collation"), schema::ignoring_case_in_bytes());
    } else {
        command.append(cstr!("hint"), schema::SESSIONS_BY_STATUS);
    }
    command
}

fn stored_sessions(reply: &Reply) -> Result<Vec<Session>, StoreError> {
    let mut sessions = Vec::new();
    for document in reply.documents()? {
        if let SessionDocument::Live(session) = codec::session_document(document?)? {
            sessions.push(session);
        }
    }
    Ok(sessions)
}

fn page(query: &SessionListQuery, mut sessions: Vec<Session>, is_cut: bool) -> SessionPage {
    let has_more = is_cut || sessions.len() > query.limit;
    sessions.truncate(query.limit);
    let next = sessions
        .last()
        .filter(|_| has_more)
        .map(|last| SessionPosition {
            started_at: last.started_at,
            creation_id: last.creation_id,
        });
    SessionPage { sessions, next }
}

/// The open ones of these sessions whose logs say that they are closed, or have begun; they are
/// repaired.
async fn behind_their_logs(
    link: &Link,
    sessions: &[Session],
    deadline: Instant,
) -> Result<HashMap<SessionId, Found>, CallError> {
    let is_open = |session: &&Session| session.ended_at.is_none();
    let open = sessions.iter().filter(is_open);
    let open: Vec<&SessionId> = open.map(|it| &it.session_id).collect();
    let mut found = known::find(link, None, &open, Asked::Primary, deadline)
        .await?
        .sessions;
    found.retain(|_, it| it.unseen_terminal().is_some() || it.is_unseen_beginning());
    let repairs = FollowUps::of(&found);
    if let Err(error) = repairs.write(link, deadline).await {
        tracing::warn!(%error, "sessions were not repaired");
    }
    Ok(found)
}

/// The page as it would be had their documents been right; sessions that do not belong into it
/// are left out.
fn corrected(
    mut page: SessionPage,
    query: &SessionListQuery,
    mut behind: HashMap<SessionId, Found>,
) -> SessionPage {
    page.sessions.retain_mut(|session| {
        let Some(found) = behind.remove(&session.session_id) else {
            return true;
        };
        let Ok((true_session, log)) = found.into_session() else {
            return false;
        };
        *session = Session {
            event_count: log.terminal.as_ref().map(|_| log.events),
            ..true_session
        };
        query
            .filter
            .status
            .is_none_or(|wanted| wanted == session.status)
    });
    page
}
