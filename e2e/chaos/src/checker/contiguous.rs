//! The events of a session are 1 to n without a gap, and the session counts them right.

use super::{
    evidence::Log,
    verdict::{Promise, Verdict},
};
use crate::stored::{Record, What};

pub(crate) fn check(log: &Log, verdict: &mut Verdict) {
    let Some(stored) = log.stored else { return };
    let events = stored.events().iter().map(|event| event.seq);
    check_places(log, "events", events, verdict);
    if let Some(raw) = &stored.raw {
        let records = raw.records.iter().map(|record| record.seq);
        check_places(log, "documents", records, verdict);
        let is_event = |record: &&Record| matches!(record.what, What::Event { .. });
        let documents = raw.records.iter().filter(is_event).count();
        let answered = stored.events().len();
        if stored.view().is_some() && documents != answered {
            let finding = format!(
                "{} has {documents} events, and shows {answered}",
                log.session
            );
            verdict.find(Promise::Contiguous, finding, &[]);
        }
    }
    let counted = stored.view().and_then(|view| view.event_count);
    let count = stored.events().len() as u64;
    if stored.view().is_some() && counted != Some(count) {
        let finding = format!("{} has {count} events, and counts {counted:?}", log.session);
        verdict.find(Promise::Contiguous, finding, &[]);
    }
}

fn check_places(log: &Log, what: &str, places: impl Iterator<Item = u64>, verdict: &mut Verdict) {
    if let Some((expected, place)) = (1..).zip(places).find(|(n, place)| n != place) {
        let finding = format!("the {what} of {} have {place} for {expected}", log.session);
        verdict.find(Promise::Contiguous, finding, &[]);
    }
}
