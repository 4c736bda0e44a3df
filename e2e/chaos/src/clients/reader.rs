//! A client that only reads: any session of late, any way, through any process.

use std::{io, sync::Arc};

use rand::Rng;
use tokio_util::sync::CancellationToken;

use super::{
    caller::Caller,
    http::WHOLE,
    registry::{Known, Registry},
};
use crate::history::request::{Consistency, Order, Request};

/// How often one page of a walk is tried before the walk is given up.
const ATTEMPTS: usize = 5;

/// Reads until told to stop.
///
/// # Errors
///
/// When the history cannot be written.
pub(crate) async fn read(
    mut caller: Caller,
    registry: Arc<Registry>,
    stop: CancellationToken,
) -> io::Result<()> {
    while !stop.is_cancelled() {
        if let Some(known) = registry.any(&mut caller.rng) {
            let consistency = any_consistency(&mut caller);
            if caller.rng.random_bool(0.15) {
                walk(&mut caller, &known, consistency).await?;
            } else {
                let request = any_read(&mut caller, &known, consistency);
                let process = caller.any_process();
                caller.call(process, request).await?;
            }
        }
        caller.think(20, 120).await;
    }
    Ok(())
}

fn any_consistency(caller: &mut Caller) -> Consistency {
    match caller.rng.random_range(0..100) {
        0..65 => Consistency::Strong,
        65..80 => Consistency::Linearizable,
        _ => Consistency::Eventual,
    }
}

fn any_read(caller: &mut Caller, known: &Known, consistency: Consistency) -> Request {
    let session = known.session.clone();
    let page = |order, limit, after| Request::Page {
        session: known.session.clone(),
        consistency,
        order,
        limit,
        after,
        walk: None,
    };
    match caller.rng.random_range(0..10) {
        0..3 => Request::Get {
            session,
            consistency,
            limit: 10,
        },
        3 => page(Order::Time, WHOLE, None),
        4 => page(Order::TimeDescending, WHOLE, None),
        5 => page(Order::SeqDescending, 10, None),
        6..8 => {
            let begun = u64::try_from(known.count()).unwrap_or(0);
            let after = caller.rng.random_range(0..=begun);
            page(Order::Seq, 20, Some(after))
        }
        _ => match known.any_event(&mut caller.rng) {
            Some(event) => Request::Event {
                session,
                event,
                consistency,
            },
            None => page(Order::Seq, 20, None),
        },
    }
}

/// Goes from page to page, each through any process.
async fn walk(caller: &mut Caller, known: &Known, consistency: Consistency) -> io::Result<()> {
    let orders = [
        Order::Seq,
        Order::SeqDescending,
        Order::Time,
        Order::TimeDescending,
    ];
    let order = orders[caller.rng.random_range(0..orders.len())];
    let limit = caller.rng.random_range(3..40);
    let mut first = None;
    let mut cursor: Option<String> = None;
    let mut attempts = 0;
    while attempts < ATTEMPTS {
        let process = caller.any_process();
        let request = Request::Page {
            session: known.session.clone(),
            consistency,
            order,
            limit,
            after: None,
            walk: first,
        };
        let reply = caller.call_on(process, request, cursor.as_deref()).await?;
        let Some(answer) = reply.operation.answer().filter(|it| !it.is_undecided()) else {
            attempts += 1;
            caller.think(100, 300).await;
            continue;
        };
        if !answer.more {
            return Ok(());
        }
        attempts = 0;
        first = first.or(Some(reply.operation.id));
        cursor = reply.cursor;
        caller.think(2, 30).await;
    }
    Ok(())
}
