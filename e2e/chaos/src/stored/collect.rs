//! Asking the API for all that is stored, when all is calm.

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep};

use super::{Answered, Session, Stored};
use crate::{
    clients::{
        caller::Wire,
        http::{self, WHOLE},
    },
    history::{
        Outcome,
        answer::Answer,
        request::{Consistency, Order, Request},
    },
};

/// How many sessions are asked for at a time.
const AT_ONCE: usize = 8;

/// How long one question is repeated: all is calm, so it should be answered at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why it is not known what is stored.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// A question was not answered, or not in a way that makes sense.
    #[error("what is stored of {session} cannot be read: {answer}")]
    Unanswered {
        /// The session.
        session: String,
        /// The last answer.
        answer: String,
    },
}

/// Asks for all of these sessions, with consistency=linearizable, through all processes in turn.
///
/// # Errors
///
/// [`CollectError`] when a session cannot be read.
pub async fn collect(wire: &Wire, sessions: &BTreeSet<String>) -> Result<Stored, CollectError> {
    let asking = sessions.iter().enumerate().map(async |(number, session)| {
        let process = number % wire.doors.count();
        let answered = answered(wire, process, session).await?;
        let known = Session {
            answered,
            raw: None,
        };
        Ok::<_, CollectError>((session.clone(), known))
    });
    let sessions = stream::iter(asking)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    Ok(Stored { sessions })
}

async fn answered(wire: &Wire, process: usize, session: &str) -> Result<Answered, CollectError> {
    let get = Request::Get {
        session: session.to_owned(),
        consistency: Consistency::Linearizable,
        limit: WHOLE,
    };
    let unanswered = |answer: &Answer| CollectError::Unanswered {
        session: session.to_owned(),
        answer: answer.to_string(),
    };
    let first = ask(wire, process, session, &get).await?;
    let view = match (first.status, &first.session) {
        (404, _) => return Ok(Answered::Absent),
        (410, _) => return Ok(Answered::Erased),
        (200, Some(view)) => view.clone(),
        _ => return Err(unanswered(&first)),
    };
    let mut events = first.events;
    loop {
        let after = events.last().map_or(0, |event| event.seq);
        let page = Request::Page {
            session: session.to_owned(),
            consistency: Consistency::Linearizable,
            order: Order::Seq,
            limit: WHOLE,
            after: Some(after),
            walk: None,
        };
        let answer = ask(wire, process, session, &page).await?;
        if answer.status != 200 {
            return Err(unanswered(&answer));
        }
        if answer.events.is_empty() {
            return Ok(Answered::Present {
                session: view,
                events,
            });
        }
        events.extend(answer.events);
    }
}

async fn ask(
    wire: &Wire,
    process: usize,
    session: &str,
    request: &Request,
) -> Result<Answer, CollectError> {
    let limit = Instant::now() + PATIENCE;
    loop {
        let url = wire.doors.url(process);
        let sending = http::request(&wire.http, &url, request, None).timeout(wire.patience);
        let (outcome, _) = http::outcome(sending.send().await).await;
        match outcome {
            Outcome::Answer(answer) if !answer.is_undecided() => return Ok(answer),
            outcome if limit < Instant::now() => {
                return Err(CollectError::Unanswered {
                    session: session.to_owned(),
                    answer: outcome.to_string(),
                });
            }
            _ => sleep(Duration::from_millis(200)).await,
        }
    }
}
