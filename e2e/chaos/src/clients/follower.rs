//! A client that follows sessions live, connects again where it stopped when a connection breaks, and
//! at the end of the run waits until all that is stored has come.

use std::{io, sync::Arc, time::Duration};

use futures::StreamExt;
use rand::Rng;
use reqwest::Response;
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    caller::Caller,
    content::event_of,
    http,
    registry::Registry,
    sse::{Message, Parser},
};
use crate::history::{
    Left, Line, Outcome, Stream,
    answer::{Answer, Failure, FailureKind},
    request::{Consistency, Request},
    values::StreamEnd,
};

/// How long the last events may take at the end of a run.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a follower is.
struct Place {
    session: String,
    follower: Option<u64>,
    after: u64,
    process: usize,
    leaves: Instant,
}

/// Follows one session after the other until told to finish.
///
/// # Errors
///
/// When the history cannot be written.
pub(crate) async fn follow(
    mut caller: Caller,
    registry: Arc<Registry>,
    finish: CancellationToken,
) -> io::Result<()> {
    while !finish.is_cancelled() {
        let Some(known) = registry.any(&mut caller.rng) else {
            caller.think(20, 50).await;
            continue;
        };
        let place = Place {
            session: known.session.clone(),
            follower: None,
            after: 0,
            process: caller.any_process(),
            leaves: Instant::now() + Duration::from_millis(caller.rng.random_range(2_000..20_000)),
        };
        follow_one(&mut caller, place, &finish).await?;
        caller.think(10, 100).await;
    }
    Ok(())
}

async fn follow_one(
    caller: &mut Caller,
    mut place: Place,
    finish: &CancellationToken,
) -> io::Result<()> {
    loop {
        let stream = connect(caller, &place, finish).await?;
        place.follower = Some(stream.follower);
        place.after = stream.reached();
        let is_over = match stream.status() {
            Some(200) => match &stream.end {
                // Whoever connects again after the end must be told that it is the end.
                Some(end) => end.status == "erased" || caller.rng.random_bool(0.7),
                None => stream.left == Left::ByClient,
            },
            Some(503) | None => finish.is_cancelled() || place.leaves < Instant::now(),
            Some(_) => true,
        };
        if is_over {
            return Ok(());
        }
        place.process = caller.another_process(place.process);
        caller.think(20, 200).await;
    }
}

/// One connection, from its request to its end, recorded.
async fn connect(caller: &Caller, place: &Place, finish: &CancellationToken) -> io::Result<Stream> {
    let wire = &caller.wire;
    let url = wire.doors.url(place.process);
    let request = http::stream(&wire.http, &url, &place.session, place.after);
    let id = wire.recorder.number();
    let mut stream = Stream {
        id,
        follower: place.follower.unwrap_or(id),
        client: caller.client,
        process: place.process,
        session: place.session.clone(),
        after: place.after,
        began: wire.recorder.now(),
        ended: wire.recorder.now(),
        opened: Outcome::Failed(Failure {
            kind: FailureKind::TimedOut,
            detail: "the stream did not open".to_owned(),
        }),
        delivered: Vec::new(),
        end: None,
        left: Left::Refused,
        wanted: None,
    };
    match timeout(wire.patience, request.send()).await {
        Err(_) => {}
        Ok(Ok(response)) if response.status() == 200 => {
            stream.opened = Outcome::Answer(Answer {
                status: 200,
                ..Answer::default()
            });
            take(caller, place, response, finish, &mut stream).await?;
        }
        Ok(response) => (stream.opened, _) = http::outcome(response).await,
    }
    stream.ended = wire.recorder.now();
    wire.recorder.write(&Line::Stream(stream.clone()))?;
    Ok(stream)
}

/// Takes what comes until the connection is over or the follower has enough.
async fn take(
    caller: &Caller,
    place: &Place,
    response: Response,
    finish: &CancellationToken,
    stream: &mut Stream,
) -> io::Result<()> {
    let mut body = response.bytes_stream();
    let mut parser = Parser::default();
    let mut leaves = place.leaves;
    loop {
        if stream
            .wanted
            .is_some_and(|wanted| wanted <= stream.reached())
        {
            stream.left = Left::ByClient;
            return Ok(());
        }
        tokio::select! {
            chunk = body.next() => match chunk {
                Some(Ok(chunk)) => {
                    for message in parser.feed(&chunk) {
                        if let Err(failure) = deliver(caller, &message, stream) {
                            stream.opened = Outcome::Failed(failure);
                        }
                    }
                }
                Some(Err(_)) => {
                    stream.left = Left::Broken;
                    return Ok(());
                }
                None => {
                    stream.left = Left::Closed;
                    return Ok(());
                }
            },
            () = sleep_until(leaves) => {
                stream.left = Left::ByClient;
                return Ok(());
            }
            () = finish.cancelled(), if stream.wanted.is_none() => {
                stream.wanted = stored(caller, place).await?;
                leaves = Instant::now() + PATIENCE;
            }
        }
    }
}

/// How much there is to come. Nothing, if the session is erased or its process does not answer.
async fn stored(caller: &Caller, place: &Place) -> io::Result<Option<u64>> {
    let request = Request::Get {
        session: place.session.clone(),
        consistency: Consistency::Linearizable,
        limit: 1,
    };
    let reply = caller.call(place.process, request).await?;
    let total = reply.operation.answer().and_then(|answer| answer.total);
    Ok(Some(total.unwrap_or(0)))
}

fn deliver(caller: &Caller, message: &Message, stream: &mut Stream) -> Result<(), Failure> {
    let at = caller.wire.recorder.now();
    let unreadable = || Failure {
        kind: FailureKind::Unreadable,
        detail: format!("{message:?}"),
    };
    let json: Value = serde_json::from_str(&message.data).map_err(|_| unreadable())?;
    if message.event.as_deref() == Some("end") {
        let text = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
        stream.end = Some(StreamEnd {
            id: message.id.ok_or_else(unreadable)?,
            status: text("status").ok_or_else(unreadable)?,
            ended_at: text("endedAt"),
        });
        return Ok(());
    }
    let event = event_of(&json)
        .filter(|event| message.id == Some(event.seq))
        .ok_or_else(unreadable)?;
    stream.delivered.push((at, event));
    Ok(())
}
