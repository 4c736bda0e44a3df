//! Verified reads: the primary says where the log ends, a secondary that is proven to know as
//! much gives the events.

use std::pin::pin;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use mongodb::bson::{RawDocument, Timestamp, rawdoc};
use mongodb::options::ServerAddress;
use tokio::time::Instant;

use crate::domain::{Consistency, Event, EventId, PageQuery, Session, SessionId};
use crate::store::mongo::MongoStore;
use crate::store::mongo::codec::{self, LogDocument};
use crate::store::mongo::error::CallError;
use crate::store::mongo::finder::{Answer, Moment};
use crate::store::mongo::gather::Documents;
use crate::store::mongo::known::{self, Asked, Log};
use crate::store::mongo::link::{Link, Reign, Reply};
use crate::store::mongo::metrics::PageSource;
use crate::store::mongo::page::{self, NoPage, Page};
use crate::store::{EventPage, ReadError, StoreError};

/// What a reader is told of a session before it reads any event.
struct Standing {
    session: Session,
    log: Log,
    /// What a secondary has to have reached to know the same.
    at: Option<Timestamp>,
    /// The secondary that said so, if one was asked.
    member: Option<ServerAddress>,
    /// The primary that said so, if it was asked.
    reign: Option<Reign>,
    /// A page that was read with those of other sessions.
    page: Option<Result<(Arc<Documents>, PageSource), PageSource>>,
}

pub(super) async fn session(
    store: &MongoStore,
    id: &SessionId,
    consistency: Consistency,
    deadline: Instant,
) -> Result<Session, ReadError> {
    let standing = standing(store, id, None, consistency, deadline).await?;
    Ok(standing.session)
}

pub(super) async fn session_with_events(
    store: &MongoStore,
    id: &SessionId,
    query: &PageQuery,
    deadline: Instant,
) -> Result<(Session, EventPage), ReadError> {
    for _ in 0..LOOKS {
        let mut standing = standing(store, id, Some(query), query.consistency, deadline).await?;
        if let Some((events, next)) = read_page(store, id, query, &mut standing, deadline).await? {
            let page = EventPage {
                events,
                total: standing.log.events,
                terminal: standing.log.terminal,
                next,
            };
            return Ok((standing.session, page));
        }
        // Erased since: the next look at the session says so.
    }
    Err(StoreError::Damaged(format!("the log of session {id} has a gap")).into())
}

/// How often a log is looked at whose events are not all there. One that is being erased is found
/// erased at the second look.
const LOOKS: usize = 3;

pub(super) async fn event(
    store: &MongoStore,
    id: &SessionId,
    event_id: &EventId,
    consistency: Consistency,
    deadline: Instant,
) -> Result<Option<Event>, ReadError> {
    let link = store.link();
    let command = rawdoc! {
        "find": "events",
        "filter": {"_id.sessionId": id.as_str(), "eventId": event_id.as_str()},
        "limit": 1,
        "singleBatch": true,
    };
    if consistency == Consistency::Eventual
        && let Ok(standing) = standing(store, id, None, consistency, deadline).await
        && let Some(member) = standing.member
        && let Ok(reply) = link.read_from(&member, &command, None, deadline).await
        && let Some(event) = only_event(id, &reply)?
    {
        return Ok(Some(event));
    }
    loop {
        // The event first: one that is missing was missing in the log that is looked at then.
        let reply = link.read(&command, deadline).await.map_err(store_error)?;
        let standing = standing(store, id, None, strong(consistency), deadline).await?;
        if standing.reign.as_ref() == reply.reign() {
            return Ok(only_event(id, &reply)?);
        }
    }
}

/// What was not found on a secondary is looked for at the primary.
fn strong(consistency: Consistency) -> Consistency {
    match consistency {
        Consistency::Eventual => Consistency::Strong,
        other => other,
    }
}

fn only_event(id: &SessionId, reply: &Reply) -> Result<Option<Event>, StoreError> {
    match reply.first()? {
        None => Ok(None),
        Some(document) => match codec::log_document(id, document)? {
            LogDocument::Event(event) => Ok(Some(event)),
            LogDocument::Terminal(_) | LogDocument::Stub(_) => Ok(None),
        },
    }
}

async fn standing(
    store: &MongoStore,
    id: &SessionId,
    page: Option<&PageQuery>,
    consistency: Consistency,
    deadline: Instant,
) -> Result<Standing, ReadError> {
    let link = store.link();
    if consistency == Consistency::Eventual {
        let ask = |member: Option<ServerAddress>| {
            async move {
                let asked = member.as_ref().map_or(Asked::Primary, Asked::Member);
                let found = known::find_one(link, id, asked, deadline).await;
                (found, member)
            }
            .boxed()
        };
        let ((found, at), member) = first_answer(store, ask).await.map_err(store_error)?;
        // A secondary may not know it yet.
        if let Some(found) = found {
            let (session, log) = found.into_session()?;
            return Ok(Standing {
                session,
                log,
                at,
                member,
                reign: None,
                page: None,
            });
        }
    }
    // What is still to be proven to be the end is read when it is.
    let page = page.filter(|_| consistency != Consistency::Linearizable);
    loop {
        let asking = store.finder().find(id, page, deadline);
        let Answer {
            found,
            moment: Moment { at, reign },
            page,
        } = asking.await.map_err(store_error)?;
        let tail = found.as_ref().map_or(0, |found| found.log().tail());
        if consistency == Consistency::Linearizable
            && is_still_the_end(link, id, tail, found.is_some(), deadline).await? != reign
        {
            continue;
        }
        let (session, log) = found.ok_or(ReadError::Absent)?.into_session()?;
        return Ok(Standing {
            session,
            log,
            at,
            member: None,
            reign,
            page,
        });
    }
}

/// What was answered, and by which secondary; `None` is the primary.
type FirstAnswer<T> = (Result<T, CallError>, Option<ServerAddress>);

/// Asks one secondary; when it takes long or fails, also the next one, and the primary (`None`)
/// at last. The first answer counts, and who gave it.
pub(super) async fn first_answer<'a, T>(
    store: &MongoStore,
    ask: impl Fn(Option<ServerAddress>) -> BoxFuture<'a, FirstAnswer<T>> + Send,
) -> Result<(T, Option<ServerAddress>), CallError> {
    let (link, replicas) = (store.link(), store.replicas());
    let mut asked = FuturesUnordered::new();
    let view = link.topology.view();
    for _ in &view.secondaries {
        let Some(member) = replicas.choose(&view) else {
            break;
        };
        asked.push(ask(Some(member.clone())));
        match tokio::time::timeout(link.patience.hedge, asked.next()).await {
            Ok(Some((Ok(answer), member))) => return Ok((answer, member)),
            Ok(Some((Err(error), Some(failed)))) => {
                tracing::debug!(%error, member = %failed, "a secondary failed");
                replicas.avoid(&failed);
            }
            _ => {
                tracing::debug!(%member, "a secondary takes long");
                replicas.avoid(&member);
            }
        }
    }
    asked.push(ask(None));
    let mut last = CallError::NotDone("nobody was asked".to_owned());
    while let Some((answer, member)) = asked.next().await {
        match answer {
            Ok(answer) => return Ok((answer, member)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Asks for exactly the record after the last one, in the way that proves that the primary still
/// is one, and says which. `None` if the log has grown, or the session come to be, meanwhile.
async fn is_still_the_end(
    link: &Link,
    id: &SessionId,
    tail: u64,
    exists: bool,
    deadline: Instant,
) -> Result<Option<Reign>, ReadError> {
    let next = i64::try_from(tail).unwrap_or(i64::MAX).saturating_add(1);
    let (collection, filter) = if exists {
        (
            "events",
            rawdoc! {"_id": {"sessionId": id.as_str(), "seq": next}},
        )
    } else {
        ("sessions", rawdoc! {"sessionId": id.as_str()})
    };
    let command = rawdoc! {"find": collection, "filter": filter, "limit": 1, "singleBatch": true};
    let reply = link.read_linearizable(&command, deadline).await;
    let reply = reply.map_err(store_error)?;
    let is_there = reply.first().map_err(StoreError::from)?.is_some();
    Ok(reply.reign().filter(|_| !is_there).cloned())
}

/// Reads the events; `None` if the session was erased meanwhile.
async fn read_page(
    store: &MongoStore,
    id: &SessionId,
    query: &PageQuery,
    standing: &mut Standing,
    deadline: Instant,
) -> Result<Option<Page>, ReadError> {
    let total = standing.log.events;
    let link = store.link();
    // Why no other member gave it, if one was asked.
    let shared = match standing.page.take() {
        Some(Ok((documents, source))) => match shared_page(id, total, query, &documents) {
            Ok(page) => {
                link.metrics.page_from(source);
                return Ok(Some(page));
            }
            Err(source) => Some(source),
        },
        Some(Err(source)) => Some(source),
        None => None,
    };
    let Some(command) = page::command(id, total, query) else {
        return Ok(Some((Vec::new(), None)));
    };
    let source = match shared {
        Some(source) => source,
        None => match replica_page(store, id, query, standing, &command, deadline).await? {
            Ok((page, source)) => {
                link.metrics.page_from(source);
                return Ok(Some(page));
            }
            Err(source) => source,
        },
    };
    link.metrics.page_from(source);
    let reply = link.read(&command, deadline).await.map_err(store_error)?;
    from_primary(page::events(id, total, query, &reply))
}

/// The page from what was read with those of other sessions; or why only the primary can give it.
fn shared_page(
    id: &SessionId,
    total: u64,
    query: &PageQuery,
    documents: &Documents,
) -> Result<Page, PageSource> {
    match page::page(id, total, query, documents.iter(), false) {
        Ok(page) => Ok(page),
        Err(NoPage::Stale) => Err(PageSource::Behind),
        Err(NoPage::Garbled(garbled)) => {
            tracing::error!(%garbled, "a page that was read with others is damaged");
            Err(PageSource::Failed)
        }
    }
}

/// The primary has what it said it had, unless the session was erased.
fn from_primary(page: Result<Page, NoPage>) -> Result<Option<Page>, ReadError> {
    match page {
        Ok(page) => Ok(Some(page)),
        Err(NoPage::Stale) => Ok(None),
        Err(NoPage::Garbled(garbled)) => Err(StoreError::from(garbled).into()),
    }
}

/// Reads the events from a secondary, and from the primary too if that takes long; or says why
/// only the primary can give them.
async fn replica_page(
    store: &MongoStore,
    id: &SessionId,
    query: &PageQuery,
    standing: &Standing,
    command: &RawDocument,
    deadline: Instant,
) -> Result<Result<(Page, PageSource), PageSource>, ReadError> {
    let link = store.link();
    let total = standing.log.events;
    let chosen = match &standing.member {
        // The one that said where the log ends.
        Some(member) => Some(member.clone()),
        None => store.replicas().choose(&link.topology.view()),
    };
    let Some(member) = chosen else {
        return Ok(Err(PageSource::Alone));
    };
    let verified = if standing.member.is_some() {
        PageSource::Unverified
    } else {
        PageSource::Secondary
    };
    let judge = |reply: Result<Reply, CallError>| match reply {
        Ok(reply) => match page::events(id, total, query, &reply) {
            Ok(page) => Ok(page),
            Err(NoPage::Stale) => Err(PageSource::Behind),
            Err(NoPage::Garbled(garbled)) => {
                tracing::error!(%garbled, %member, "a secondary holds damaged data");
                Err(PageSource::Failed)
            }
        },
        // It has not got so far within the time of a command.
        Err(CallError::TimedOut) => Err(PageSource::Behind),
        Err(error) => {
            tracing::debug!(%error, %member, "a secondary gave no page");
            store.replicas().avoid(&member);
            Err(PageSource::Failed)
        }
    };
    let mut reading = pin!(link.read_from(&member, command, standing.at, deadline));
    let patience = link.patience.hedge;
    match tokio::time::timeout(patience, reading.as_mut()).await {
        Ok(reply) => return Ok(judge(reply).map(|page| (page, verified))),
        Err(_) => store.replicas().avoid(&member),
    }
    let mut asking_primary = pin!(link.read(command, deadline));
    let reply = tokio::select! {
        reply = reading => match judge(reply) {
            Ok(page) => return Ok(Ok((page, verified))),
            // The primary is on its way to an answer already.
            Err(_) => asking_primary.as_mut().await,
        },
        reply = asking_primary.as_mut() => reply,
    };
    let reply = reply.map_err(store_error)?;
    match from_primary(page::events(id, total, query, &reply))? {
        Some(page) => Ok(Ok((page, PageSource::Slow))),
        None => Ok(Err(PageSource::Slow)),
    }
}

fn store_error(error: CallError) -> ReadError {
    ReadError::Store(error.into())
}
