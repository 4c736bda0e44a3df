//! A client that has conversations of its own, one after the other: it creates a session, appends,
//! looks at what it wrote through another process, repeats itself, closes or erases, and sees what is
//! refused then.

use std::{io, sync::Arc};

use rand::Rng;
use tokio_util::sync::CancellationToken;

use super::{
    caller::{Caller, item},
    http::WHOLE,
    registry::{Known, Registry},
};
use crate::history::request::{Consistency, Item, Order, Request};

/// One conversation.
struct Conversation<'a> {
    caller: &'a mut Caller,
    known: Arc<Known>,
    appended: Vec<Item>,
}

/// Has conversations until it is told to stop, and finishes the last one.
///
/// # Errors
///
/// When the history cannot be written.
pub(crate) async fn write(
    mut caller: Caller,
    registry: Arc<Registry>,
    stop: CancellationToken,
) -> io::Result<()> {
    let client = caller.client;
    for number in 1_u64.. {
        if stop.is_cancelled() {
            break;
        }
        let known = registry.begin(format!("own-{client}-{number}"));
        let mut conversation = Conversation {
            caller: &mut caller,
            known,
            appended: Vec::new(),
        };
        conversation.have(&stop).await?;
    }
    Ok(())
}

impl Conversation<'_> {
    async fn have(&mut self, stop: &CancellationToken) -> io::Result<()> {
        self.create().await?;
        let turns = self.caller.rng.random_range(3..25);
        for _ in 0..turns {
            if stop.is_cancelled() {
                break;
            }
            match self.caller.rng.random_range(0..100) {
                0..55 => self.append(1).await?,
                55..75 => {
                    let count = self.caller.rng.random_range(2..9);
                    self.append(count).await?;
                }
                75..82 => self.repeat().await?,
                82..85 => self.contradict().await?,
                _ => self.look(None).await?,
            }
            self.caller.think(5, 80).await;
        }
        match self.caller.rng.random_range(0..100) {
            0..55 => self.close().await,
            55..70 => {
                self.close().await?;
                self.erase().await
            }
            70..80 => self.erase().await,
            _ => Ok(()),
        }
    }

    fn session(&self) -> String {
        self.known.session.clone()
    }

    async fn create(&mut self) -> io::Result<()> {
        let session = self.session();
        let process = self.caller.any_process();
        let create = Request::Create { session };
        self.caller.insist(process, create.clone()).await?;
        if self.caller.rng.random_bool(0.3) {
            let other = self.caller.another_process(process);
            self.caller.insist(other, create).await?;
        }
        Ok(())
    }

    async fn append(&mut self, count: usize) -> io::Result<()> {
        let items: Vec<Item> = (0..count)
            .map(|_| {
                let event = format!("e{}", self.known.count() + 1);
                self.known.add(&event);
                item(&self.known.session, event, 0)
            })
            .collect();
        self.appended.extend(items.iter().cloned());
        let request = match <[Item; 1]>::try_from(items) {
            Ok([item]) => Request::Append { item },
            Err(items) => Request::Batch {
                across: self.caller.rng.random_bool(0.2),
                items,
            },
        };
        let process = self.caller.any_process();
        let operation = self.caller.insist(process, request).await?;
        // What was just acknowledged has to be there for everybody.
        if self.caller.rng.random_bool(0.35) {
            self.look(Some(operation.process)).await?;
        }
        Ok(())
    }

    /// Sends an event again, sometimes through two processes at once.
    async fn repeat(&mut self) -> io::Result<()> {
        let Some(item) = self.any_item() else {
            return Ok(());
        };
        let process = self.caller.any_process();
        let other = self.caller.another_process(process);
        let append = Request::Append { item };
        if self.caller.rng.random_bool(0.5) {
            self.caller.insist(process, append).await?;
            return Ok(());
        }
        let both = (
            self.caller.call(process, append.clone()),
            self.caller.call(other, append),
        );
        futures::future::try_join(both.0, both.1).await.map(drop)
    }

    /// Sends other content under an id that is taken.
    async fn contradict(&mut self) -> io::Result<()> {
        let Some(taken) = self.any_item() else {
            return Ok(());
        };
        let process = self.caller.any_process();
        let item = item(&taken.session, taken.event, 1);
        self.caller
            .call(process, Request::Append { item })
            .await
            .map(drop)
    }

    fn any_item(&mut self) -> Option<Item> {
        let count = self.appended.len();
        (count > 0).then(|| self.appended[self.caller.rng.random_range(0..count)].clone())
    }

    /// Reads its own session, through another process than the one that wrote last.
    async fn look(&mut self, written_by: Option<usize>) -> io::Result<()> {
        let process = match written_by {
            Some(process) => self.caller.another_process(process),
            None => self.caller.any_process(),
        };
        let consistency = if self.caller.rng.random_bool(0.2) {
            Consistency::Linearizable
        } else {
            Consistency::Strong
        };
        let session = self.session();
        let last = self.appended.last().map(|item| item.event.clone());
        let request = match (self.caller.rng.random_range(0..4), last) {
            (0, Some(event)) => Request::Event {
                session,
                event,
                consistency,
            },
            (1, _) => Request::Page {
                session,
                consistency,
                order: Order::SeqDescending,
                limit: 5,
                after: None,
                walk: None,
            },
            (2, _) => Request::Page {
                session,
                consistency,
                order: Order::Time,
                limit: WHOLE,
                after: None,
                walk: None,
            },
            _ => Request::Get {
                session,
                consistency,
                limit: 20,
            },
        };
        self.caller.call(process, request).await.map(drop)
    }

    /// Closes, sometimes through two processes at once, with the same outcome or the other one.
    async fn close(&mut self) -> io::Result<()> {
        let session = self.session();
        let process = self.caller.any_process();
        let other = self.caller.another_process(process);
        let failed = self.caller.rng.random_bool(0.3);
        let close = |failed| Request::Close {
            session: session.clone(),
            failed,
        };
        if self.caller.rng.random_bool(0.3) {
            let rival = self.caller.rng.random_bool(0.3) != failed;
            let both = (
                self.caller.call(process, close(failed)),
                self.caller.call(other, close(rival)),
            );
            futures::future::try_join(both.0, both.1).await?;
        }
        self.caller.insist(process, close(failed)).await?;
        // Nothing comes after, through whatever process, and everybody sees the end.
        let event = format!("e{}", self.known.count() + 1);
        self.known.add(&event);
        let late = item(&session, event, 0);
        self.caller
            .call(other, Request::Append { item: late })
            .await?;
        self.repeat().await?;
        self.look(Some(process)).await
    }

    async fn erase(&mut self) -> io::Result<()> {
        let session = self.session();
        let process = self.caller.any_process();
        let erase = Request::Erase {
            session: session.clone(),
        };
        self.caller.insist(process, erase.clone()).await?;
        let other = self.caller.another_process(process);
        self.look(Some(process)).await?;
        self.repeat().await?;
        self.caller.call(other, Request::Create { session }).await?;
        self.caller.call(other, erase).await.map(drop)
    }
}
