//! A stream has neither gap nor duplicate: each connection goes on right after where it began, each
//! follower from connection to connection; the end is one after the last event; and at the end of a
//! run, what is stored has been delivered.

use std::collections::BTreeMap;

use super::{
    evidence::Log,
    verdict::{Promise, Verdict},
};
use crate::history::{Left, Stream};

pub(crate) fn check(log: &Log, verdict: &mut Verdict) {
    let mut followers: BTreeMap<u64, Vec<&Stream>> = BTreeMap::new();
    for stream in &log.streams {
        followers.entry(stream.follower).or_default().push(stream);
        for finding in faults_of(stream) {
            let finding = format!("{}: {finding}", log.session);
            verdict.find(Promise::StreamsAreWhole, finding, &[*stream]);
        }
    }
    for connections in followers.values() {
        for pair in connections.windows(2) {
            let [before, after] = pair else { continue };
            if after.after != before.reached() {
                let finding = format!("{}: the follower itself lost its place", log.session);
                verdict.find(Promise::StreamsAreWhole, finding, &[*before, *after]);
            }
        }
    }
    check_ends(log, verdict);
}

/// What is wrong with a connection by itself.
fn faults_of(stream: &Stream) -> Vec<String> {
    let mut faults = Vec::new();
    let mut last = stream.after;
    for (at, event) in &stream.delivered {
        if event.seq != last + 1 {
            faults.push(format!("{} came after {last}, at {at}", event.seq));
        }
        last = event.seq;
    }
    if let Some(end) = &stream.end
        && end.status != "erased"
        && end.id != last + 1
    {
        faults.push(format!("the end has id {} after {last}", end.id));
    }
    if stream.status() == Some(200) && stream.left == Left::Closed && stream.end.is_none() {
        // The service closes streams without an end when it stops; its clients connect again.
        // Whether it was stopping is the business of `connections`.
        return faults;
    }
    if let Some(wanted) = stream.wanted
        && stream.reached() < wanted
    {
        faults.push(format!("it never came to {wanted}, which was stored"));
    }
    faults
}

fn check_ends(log: &Log, verdict: &mut Verdict) {
    let Some(stored) = log.stored else { return };
    let Some(view) = stored.view() else { return };
    let count = stored.events().len() as u64;
    for stream in &log.streams {
        let Some(end) = &stream.end else { continue };
        if !view.status.is_closed() || end.id != count + 1 {
            let finding = format!(
                "{} has {count} events and is {:?}, and a stream ended with {} at {}",
                log.session, view.status, end.status, end.id
            );
            verdict.find(Promise::StreamsAreWhole, finding, &[*stream]);
        }
    }
    // 204 says that nothing will ever come.
    for stream in log.streams.iter().filter(|it| it.status() == Some(204)) {
        if !view.status.is_closed() || stream.after <= count {
            let finding = format!("{}: 204 although something may come", log.session);
            verdict.find(Promise::StreamsAreWhole, finding, &[*stream]);
        }
    }
}
