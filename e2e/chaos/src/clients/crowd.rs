//! Clients that all write to the same few sessions, through all processes at once, until somebody
//! closes or erases one while the others still write; then they go on with the next.
//!
//! Each is loyal to one process, as behind a load balancer, and takes another one only when that
//! fails: those of the other processes do not stand still while one is frozen or cut off.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use rand::Rng;
use tokio_util::sync::CancellationToken;

use super::{
    caller::{Caller, item},
    registry::{Known, Registry},
};
use crate::history::{
    Operation,
    request::{Item, Request},
};

/// How many sessions are shared at a time.
const PLACES: usize = 3;

/// After how many events somebody ends a shared session: below the longest page.
const FULL: usize = 240;

/// The shared sessions, each with its generation.
#[derive(Debug, Default)]
pub(crate) struct Square(Mutex<HashMap<usize, (u64, Arc<Known>)>>);

impl Square {
    fn current(&self, place: usize, registry: &Registry) -> (u64, Arc<Known>) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = || (1, registry.share(place, format!("shared-{place}-1")));
        let (generation, known) = places.entry(place).or_insert_with(begin);
        (*generation, known.clone())
    }

    /// Somebody saw the end of a generation: the first one to say so begins the next.
    fn over(&self, place: usize, generation: u64, registry: &Registry) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = places.get_mut(&place)
            && current.0 == generation
        {
            let next = generation + 1;
            *current = (
                next,
                registry.share(place, format!("shared-{place}-{next}")),
            );
        }
    }
}

/// Writes to shared sessions until told to stop.
///
/// # Errors
///
/// When the history cannot be written.
pub(crate) async fn write(
    mut caller: Caller,
    square: Arc<Square>,
    registry: Arc<Registry>,
    stop: CancellationToken,
) -> io::Result<()> {
    let process = caller.client as usize % caller.wire.doors.count();
    let mut created = HashMap::new();
    let mut number = 0_u64;
    while !stop.is_cancelled() {
        let place = caller.rng.random_range(0..PLACES);
        let (generation, known) = square.current(place, &registry);
        let session = known.session.clone();
        if created.insert(place, generation) != Some(generation) {
            let create = Request::Create {
                session: session.clone(),
            };
            caller.insist(process, create).await?;
        }
        if known.count() > FULL && caller.rng.random_bool(0.2) {
            end(&mut caller, process, &session).await?;
            square.over(place, generation, &registry);
            continue;
        }
        let operation = append(&mut caller, process, &known, &mut number).await?;
        if is_over(&operation) {
            square.over(place, generation, &registry);
        }
        caller.think(5, 60).await;
    }
    Ok(())
}

async fn append(
    caller: &mut Caller,
    process: usize,
    known: &Known,
    number: &mut u64,
) -> io::Result<Operation> {
    let count = if caller.rng.random_bool(0.3) {
        caller.rng.random_range(2..6)
    } else {
        1
    };
    let items: Vec<Item> = (0..count)
        .map(|_| {
            *number += 1;
            let event = format!("c{}-{number}", caller.client);
            known.add(&event);
            item(&known.session, event, 0)
        })
        .collect();
    let request = match <[Item; 1]>::try_from(items) {
        Ok([item]) => Request::Append { item },
        Err(items) => Request::Batch {
            across: caller.rng.random_bool(0.3),
            items,
        },
    };
    caller.insist(process, request).await
}

/// Closes one way or the other, or erases, while others write.
async fn end(caller: &mut Caller, process: usize, session: &str) -> io::Result<()> {
    let session = session.to_owned();
    let request = match caller.rng.random_range(0..10) {
        0..2 => Request::Erase { session },
        2..6 => Request::Close {
            session,
            failed: true,
        },
        _ => Request::Close {
            session,
            failed: false,
        },
    };
    caller.insist(process, request).await.map(drop)
}

/// Whether an answer says that nothing more is taken.
fn is_over(operation: &Operation) -> bool {
    operation.answer().is_some_and(|answer| {
        let statuses = answer.results.iter().map(|result| result.status);
        statuses
            .chain([answer.status])
            .any(|status| matches!(status, 409 | 410))
    })
}
