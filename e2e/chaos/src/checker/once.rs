//! An event is stored once: one id has one place and one content, in every answer, in every stream
//! and at the end; and what is stored is what somebody sent.

use std::collections::{HashMap, HashSet};

use super::{
    evidence::{Log, Sighting},
    verdict::{Promise, Verdict},
};
use crate::stored::What;

pub(crate) fn check(log: &Log, verdict: &mut Verdict) {
    check_sightings(log, verdict);
    check_final(log, verdict);
    check_raw(log, verdict);
}

fn check_sightings(log: &Log, verdict: &mut Verdict) {
    let sent: HashMap<&str, Vec<_>> = log.attempts.iter().fold(HashMap::new(), |mut sent, it| {
        let contents: &mut Vec<_> = sent.entry(it.item.event.as_str()).or_default();
        contents.push((it.item.content, it.operation));
        sent
    });
    let mut by_event: HashMap<&str, Sighting> = HashMap::new();
    let mut by_seq: HashMap<u64, Sighting> = HashMap::new();
    for sighting in log.sightings() {
        let event = sighting.event;
        let was_sent = sent.get(event.event.as_str()).is_some_and(|contents| {
            contents.iter().any(|(content, operation)| {
                *content == event.content && operation.began <= sighting.at
            })
        });
        if !was_sent {
            let finding = format!("nobody had sent {}/{event}", log.session);
            verdict.find(Promise::StoredOnce, finding, &[&sighting]);
        }
        if let Some(first) = by_event.get(event.event.as_str())
            && first.event != event
        {
            let finding = format!("{0}/{1} is also {0}/{event}", log.session, first.event);
            verdict.find(Promise::StoredOnce, finding, &[first, &sighting]);
        } else if let Some(first) = by_seq.get(&event.seq)
            && first.event.event != event.event
        {
            let finding = format!("{0}/{1} has the place of {event}", log.session, first.event);
            verdict.find(Promise::StoredOnce, finding, &[first, &sighting]);
        } else {
            by_event.insert(event.event.as_str(), again(&sighting));
            by_seq.insert(event.seq, sighting);
        }
    }
}

fn again<'a>(sighting: &Sighting<'a>) -> Sighting<'a> {
    Sighting {
        event: sighting.event,
        at: sighting.at,
        witness: sighting.witness,
    }
}

fn check_final(log: &Log, verdict: &mut Verdict) {
    let Some(stored) = log.stored else { return };
    let mut seen = HashSet::new();
    for event in stored.events() {
        // With two places it has been found among the sightings already.
        if !seen.insert((event.event.as_str(), event.seq)) {
            let finding = format!("{}/{event} is stored twice", log.session);
            verdict.find(Promise::StoredOnce, finding, &[]);
        }
    }
}

fn check_raw(log: &Log, verdict: &mut Verdict) {
    let Some(raw) = log.stored.and_then(|stored| stored.raw.as_ref()) else {
        return;
    };
    if raw.sessions > 1 {
        let finding = format!("{} has {} session documents", log.session, raw.sessions);
        verdict.find(Promise::StoredOnce, finding, &[]);
    }
    let mut seen = HashSet::new();
    for record in &raw.records {
        let What::Event { event } = &record.what else {
            continue;
        };
        if !seen.insert(event) {
            let finding = format!("{}/{event} has more than one document", log.session);
            verdict.find(Promise::StoredOnce, finding, &[]);
        }
        if !log
            .attempts
            .iter()
            .any(|attempt| attempt.item.event == *event)
        {
            let finding = format!("{}/{event} has a document, and nobody sent it", log.session);
            verdict.find(Promise::StoredOnce, finding, &[]);
        }
    }
}
