//! Real-time order: an append that was acknowledged before another began has the smaller seq, and
//! the new events of one batch keep its order.

use std::collections::HashMap;

use super::{
    evidence::{Attempt, Highest, Log},
    verdict::{Promise, Verdict},
};
use crate::history::Operation;

pub(crate) fn check(log: &Log, verdict: &mut Verdict) {
    check_real_time(log, verdict);
    check_batches(log, verdict);
}

fn check_real_time(log: &Log, verdict: &mut Verdict) {
    let acknowledged = Highest::of(
        log.acknowledgements()
            .map(|(attempt, event)| (attempt.operation.ended, event.seq, attempt.operation)),
    );
    let mut first_attempts: HashMap<&str, &Operation> = HashMap::new();
    for attempt in &log.attempts {
        let first = first_attempts
            .entry(&attempt.item.event)
            .or_insert(attempt.operation);
        if attempt.operation.began < first.began {
            *first = attempt.operation;
        }
    }
    let places: HashMap<&str, u64> = log
        .sightings()
        .map(|sighting| (sighting.event.event.as_str(), sighting.event.seq))
        .collect();
    for (event, seq) in places {
        // An event that nobody sent is the business of `once`.
        let Some(first) = first_attempts.get(event) else {
            continue;
        };
        if let Some((before, operation)) = acknowledged.before(first.began)
            && before >= seq
        {
            let finding = format!(
                "{}/{event} got seq {seq} although {before} was acknowledged before it began",
                log.session
            );
            verdict.find(Promise::RealTimeOrder, finding, &[operation, *first]);
        }
    }
}

fn check_batches(log: &Log, verdict: &mut Verdict) {
    let mut last: Option<(&Attempt, u64)> = None;
    for attempt in log.attempts.iter().filter(|attempt| attempt.is_new()) {
        let Some(event) = attempt.acknowledged() else {
            continue;
        };
        if let Some((before, seq)) = last
            && before.operation.id == attempt.operation.id
            && seq >= event.seq
        {
            let finding = format!(
                "in a batch {} came first and got {seq}, {} got {}",
                before.item, attempt.item, event.seq
            );
            verdict.find(Promise::RealTimeOrder, finding, &[attempt.operation]);
        }
        last = Some((attempt, event.seq));
    }
}
