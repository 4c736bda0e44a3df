//! The task behind a stream: reads the log page by page, then tells what it hears was committed,
//! and waits for the reader before it goes on. At most one page is in memory here and one on its
//! way out.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use thiserror::Error;
use tokio::sync::mpsc::{self, Permit, Sender};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use crate::domain::{Event, PageQuery, SessionId};
use crate::http::Api;
use crate::http::stream::frame;
use crate::http::wire;
use crate::log::{Follower, News};
use crate::store::{EventPage, ReadError};

/// The stream broke off; the client notices, and connects again.
#[derive(Debug, Error)]
#[error("the stream broke off")]
struct BrokenOff;

/// A piece of the body.
struct Chunk {
    bytes: Bytes,
    is_last: bool,
}

impl Chunk {
    fn new(text: String, is_last: bool) -> Self {
        let bytes = text.into();
        Self { bytes, is_last }
    }
}

/// Starts to feed a stream with what comes after `seen`, of which `first` is the first page.
pub(super) fn start(
    api: &Arc<Api>,
    session_id: SessionId,
    seen: u64,
    follower: Follower,
    first: EventPage,
) -> Body {
    // In boxes, since a channel has 32 places for what it carries, of whatever size.
    let (sender, receiver) = mpsc::channel::<Box<Chunk>>(1);
    let feed = Feed {
        api: Arc::clone(api),
        session_id,
        seen,
        tail: 0,
    };
    tokio::spawn(feed.run(sender, follower, first));
    // A feed that goes without a last chunk has broken off, for whatever reason.
    let chunks = stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        Some(match receiver.recv().await {
            Some(chunk) => (Ok(chunk.bytes), (!chunk.is_last).then_some(receiver)),
            None => (Err(BrokenOff), None),
        })
    });
    Body::from_stream(chunks)
}

struct Feed {
    api: Arc<Api>,
    session_id: SessionId,
    /// The seq up to which the reader was sent everything.
    seen: u64,
    /// Where the log ended when it was read last. Less than `seen` for a reader that wants only
    /// what comes much later.
    tail: u64,
}

/// How far a feed is after it wrote what it read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// There is more to read.
    Behind,
    /// There is nothing more for now.
    CaughtUp,
    /// It could not be read now.
    Failed,
    /// Nothing will ever come.
    Ended,
}

/// How long to wait before a failed read is tried again.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// How long a stream waits for its reader when the process is about to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

impl Feed {
    async fn run(mut self, sender: Sender<Box<Chunk>>, mut follower: Follower, first: EventPage) {
        let _counted = self.api.streams.opened();
        let api = Arc::clone(&self.api);
        let period = api.timing.heartbeat;
        let mut heartbeats = interval_at(Instant::now() + period, period);
        heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut text = String::new();
        frame::retry(&mut text, api.timing.reconnect);
        let mut progress = self.write_page(&mut text, Ok(first));

        // The reader has taken what it was sent before: now there is room for one page. What
        // waits in memory is taken no sooner, since the session may be erased until then.
        while let Some(room) = free(&api, &sender).await {
            if progress == Progress::Ended {
                return room.send(Box::new(Chunk::new(text, true)));
            }
            if api.stopping.is_cancelled() {
                frame::stopping(&mut text, api.timing.reconnect);
                return room.send(Box::new(Chunk::new(text, true)));
            }
            if !text.is_empty() {
                room.send(Box::new(Chunk::new(std::mem::take(&mut text), false)));
                continue;
            }
            let news = if progress == Progress::Behind {
                News::Look
            } else {
                let again = if progress == Progress::Failed {
                    READ_AGAIN
                } else {
                    Duration::MAX
                };
                tokio::select! {
                    news = follower.news(self.seen.min(self.tail)) => news,
                    () = sleep(again) => News::Look,
                    () = api.stopping.cancelled() => continue,
                    _ = heartbeats.tick() => {
                        frame::heartbeat(&mut text);
                        News::Look
                    }
                    () = sender.closed() => return,
                }
            };
            progress = match news {
                News::Events(events) if progress == Progress::CaughtUp => {
                    self.write_events(&mut text, &events);
                    Progress::CaughtUp
                }
                // What could not be read may be that the session was erased.
                News::Events(_) | News::Look => self.write_page(&mut text, self.read().await),
            };
        }
    }

    async fn read(&self) -> Result<EventPage, ReadError> {
        let query = PageQuery::following(self.seen, &self.api.limits);
        self.api.log.events(&self.session_id, &query).await
    }

    fn write_page(&mut self, text: &mut String, read: Result<EventPage, ReadError>) -> Progress {
        let page = match read {
            Ok(page) => page,
            Err(ReadError::Erased) => {
                frame::erased(text, self.seen);
                return Progress::Ended;
            }
            Err(error) => {
                tracing::debug!(%error, "a stream could not read on, will try again");
                return Progress::Failed;
            }
        };
        self.write_events(text, &page.events);
        self.tail = page.total;
        match page.terminal {
            _ if page.next.is_some() => Progress::Behind,
            Some(terminal) if self.seen >= terminal.event_count() => {
                frame::end(text, &terminal);
                Progress::Ended
            }
            Some(_) => Progress::Failed,
            None => Progress::CaughtUp,
        }
    }

    /// Writes events that follow each other, but for those that the reader does not want.
    fn write_events(&mut self, text: &mut String, events: &[Event]) {
        let bytes = events.iter().map(wire::event_bytes);
        text.reserve(bytes.map(|bytes| bytes + frame::FRAME_BYTES).sum());
        for event in events {
            let seq = event.seq.get();
            self.tail = seq;
            if seq > self.seen {
                debug_assert_eq!(seq, self.seen + 1, "a log has no gap");
                frame::event(text, event);
                self.seen = seq;
            }
        }
    }
}

/// Room for one chunk, once the reader has taken the last one. `None` if it is gone, or takes
/// nothing for too long.
async fn free<'s>(api: &Api, sender: &'s Sender<Box<Chunk>>) -> Option<Permit<'s, Box<Chunk>>> {
    let stopped = async {
        api.stopping.cancelled().await;
        sleep(STOP_PATIENCE).await;
    };
    tokio::select! {
        biased;
        room = sender.reserve() => room.ok(),
        () = sleep(api.timing.stalled) => None,
        () = stopped => None,
    }
}
