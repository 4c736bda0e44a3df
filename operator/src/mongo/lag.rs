//! How far members are behind, as their heartbeats tell it. Pure.
//!
//! A heartbeat says how far a member is. A monitor hears all of them, so that nobody is asked: what
//! is shown here costs neither a call nor a command.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mongodb::bson::Document;

use super::plan::OpTime;
use super::wire;

/// How far each member was behind when it was last heard. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lags(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    /// Who says that it leads, and how far it is. For a moment that may be two.
    primaries: BTreeMap<String, OpTime>,
    /// In seconds.
    behind: BTreeMap<String, u32>,
}

impl Lags {
    /// By host, how many seconds a member is behind what the primary was heard to have before: never
    /// more than it is, and by no more than the time between two heartbeats less. A member that is
    /// not heard is left out, as all are while no primary is heard.
    pub fn seconds(&self) -> BTreeMap<String, u32> {
        self.lock().behind.clone()
    }

    /// A member has answered a heartbeat.
    pub(super) fn heard(&self, host: &str, reply: &Document) {
        let Some((leads, written)) = wire::beat(reply) else {
            // It has nothing yet.
            return self.lost(host);
        };
        let mut heard = self.lock();
        if leads {
            heard.primaries.insert(host.to_owned(), written);
        } else {
            heard.primaries.remove(host);
        }
        // One that was deposed and does not know it has an older term.
        match heard.primaries.values().max().copied() {
            Some(newest) => {
                let seconds = newest.seconds.saturating_sub(written.seconds);
                heard.behind.insert(host.to_owned(), seconds);
            }
            None => {
                heard.behind.remove(host);
            }
        }
    }

    /// A member does not answer, or is none any more.
    pub(super) fn lost(&self, host: &str) {
        let mut heard = self.lock();
        heard.primaries.remove(host);
        heard.behind.remove(host);
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{Timestamp, doc};

    use super::*;

    const HOSTS: [&str; 3] = ["a-0:27017", "a-1:27017", "a-2:27017"];

    fn beat(leads: bool, term: i64, seconds: u32) -> Document {
        let ts = Timestamp {
            time: seconds,
            increment: 1,
        };
        doc! {"isWritablePrimary": leads, "lastWrite": {"opTime": {"ts": ts, "t": term}}}
    }

    fn all(lags: &Lags) -> [Option<u32>; 3] {
        HOSTS.map(|host| lags.seconds().get(host).copied())
    }

    #[test]
    fn a_member_is_behind_by_what_it_lacks_of_what_the_primary_had_before() {
        let lags = Lags::default();
        lags.heard(HOSTS[0], &beat(true, 1, 100));
        lags.heard(HOSTS[1], &beat(false, 1, 100));
        lags.heard(HOSTS[2], &beat(false, 1, 40));
        assert_eq!(all(&lags), [Some(0), Some(0), Some(60)]);
        // What is written between two heartbeats makes nobody late.
        lags.heard(HOSTS[0], &beat(true, 1, 105));
        lags.heard(HOSTS[1], &beat(false, 1, 107));
        assert_eq!(all(&lags), [Some(0), Some(0), Some(60)]);
    }

    #[test]
    fn a_deposed_primary_measures_nobody() {
        let lags = Lags::default();
        lags.heard(HOSTS[0], &beat(true, 1, 900));
        lags.heard(HOSTS[1], &beat(true, 2, 100));
        lags.heard(HOSTS[2], &beat(false, 2, 97));
        assert_eq!(all(&lags)[2], Some(3));
    }

    #[test]
    fn without_a_primary_or_an_answer_nothing_is_known() {
        let lags = Lags::default();
        lags.heard(HOSTS[1], &beat(false, 1, 100));
        assert_eq!(all(&lags), [None; 3]);
        lags.heard(HOSTS[0], &beat(true, 1, 100));
        lags.heard(HOSTS[1], &beat(false, 1, 100));
        lags.lost(HOSTS[1]);
        assert_eq!(all(&lags), [Some(0), None, None]);
    }

    #[test]
    fn a_member_that_copies_everything_is_not_half_a_century_behind() {
        let lags = Lags::default();
        lags.heard(HOSTS[0], &beat(true, 1, 1_700_000_000));
        lags.heard(HOSTS[1], &beat(false, -1, 0));
        lags.heard(HOSTS[2], &doc! {"isreplicaset": true});
        assert_eq!(all(&lags), [Some(0), None, None]);
    }
}
