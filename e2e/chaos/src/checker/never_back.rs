//! Reads never go back: what a strong read or a stream has shown to anybody, every strong read that
//! begins later shows too, acknowledged or not. Otherwise what was shown may have been rolled back.

use super::{
    evidence::{Highest, Log, Witness},
    reads::reach,
    verdict::{Promise, Verdict},
};
use crate::history::request::Consistency;

pub(crate) fn check(log: &Log, verdict: &mut Verdict) {
    let read = log
        .reads()
        .filter(|(_, consistency)| *consistency != Consistency::Eventual)
        .filter_map(|(read, _)| Some((read.ended, reach(read)?, Witness::Operation(read))));
    let delivered = log.streams.iter().flat_map(|stream| {
        let events = stream.delivered.iter();
        events.map(|(at, event)| (*at, event.seq, Witness::Stream(stream)))
    });
    let seen = Highest::of(read.chain(delivered));
    for (read, consistency) in log.reads() {
        if consistency == Consistency::Eventual {
            continue;
        }
        let (Some((highest, witness)), Some(reach)) = (seen.before(read.began), reach(read)) else {
            continue;
        };
        if reach < highest {
            let finding = format!(
                "{} was read up to {reach} after {highest} was shown",
                log.session
            );
            verdict.find(Promise::ReadsNeverGoBack, finding, &[&witness, read]);
        }
    }
}
