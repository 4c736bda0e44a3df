//! A session that is followed: what its followers are told, and what they know anyway.

use tokio::sync::broadcast::{Receiver, Sender};

use crate::domain::Seq;
use crate::log::hub::news::Heard;
use crate::store::Record;

/// How much may wait for a follower that is busy; one that missed more looks into the store.
pub(super) const WAITING: usize = 4;

pub(super) struct Followed {
    sender: Sender<Heard>,
    followers: usize,
    /// How far followers were told that the log reaches. Who comes later reads that far itself.
    reach: Option<Seq>,
    /// The last place at which this process is storing something now.
    storing: Option<Seq>,
    /// How far an announcement said that the log reaches that may be of what is being stored.
    withheld: Option<Seq>,
}

impl Followed {
    pub(super) fn new() -> Self {
        Self {
            sender: Sender::new(WAITING),
            followers: 0,
            reach: None,
            storing: None,
            withheld: None,
        }
    }

    /// A follower has come.
    pub(super) fn joined(&mut self) -> Receiver<Heard> {
        self.followers += 1;
        self.sender.subscribe()
    }

    /// A follower has left: how many are there still.
    pub(super) fn left(&mut self) -> usize {
        self.followers -= 1;
        self.followers
    }

    /// This process begins to store records, the last of them here.
    pub(super) fn storing(&mut self, last: Seq) {
        self.storing = Some(last);
    }

    /// It has come to an end, and what was stored has been told.
    pub(super) fn stored(&mut self, last: Seq) {
        // The next records may be on their way already.
        self.storing = self.storing.filter(|storing| *storing != last);
        if let Some(seq) = self.withheld.take() {
            self.grown(seq);
        }
    }

    /// This process has stored these records.
    pub(super) fn committed(&mut self, records: &[Record], last: Seq) {
        self.reach = self.reach.max(Some(last));
        self.tell(Heard::of(records, last));
    }

    /// The store has announced that the log reaches so far. What this process commits comes back
    /// like this, before or after the store's own answer.
    pub(super) fn grown(&mut self, seq: Seq) {
        if Some(seq) <= self.reach {
            return;
        }
        if Some(seq) <= self.storing {
            self.withheld = self.withheld.max(Some(seq));
            return;
        }
        self.reach = Some(seq);
        self.tell(Heard::Grown(seq));
    }

    /// Anything may have happened to the log.
    pub(super) fn changed(&self) {
        self.tell(Heard::Changed);
    }

    fn tell(&self, heard: Heard) {
        // It goes to nobody if the last follower is just leaving.
        let _ = self.sender.send(heard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::hub::news::{Gathering, News};
    use crate::log::hub::tests::{record, seq};

    /// A session with one follower, who knows its log up to here.
    struct Scene {
        followed: Followed,
        receiver: Receiver<Heard>,
        seen: u64,
    }

    impl Scene {
        fn after(seen: u64) -> Self {
            let mut followed = Followed::new();
            let receiver = followed.joined();
            Self {
                followed,
                receiver,
                seen,
            }
        }

        fn commits(&mut self, number: u64) {
            self.followed.committed(&[record("s", number)], seq(number));
        }

        /// The next piece of news alone.
        fn hears(&mut self) -> Option<News> {
            let mut gathering = Gathering::after(self.seen);
            gathering.hear(self.receiver.try_recv().ok()?);
            gathering.news()
        }

        fn is_told(&mut self, number: u64) -> bool {
            matches!(self.hears(), Some(News::Events(events)) if events[0].seq == seq(number))
        }
    }

    #[test]
    fn what_every_follower_has_taken_is_kept_by_nobody() {
        let mut scene = Scene::after(6);
        let mut other = scene.followed.joined();
        scene.commits(7);
        assert!(scene.is_told(7));
        assert_eq!(scene.followed.sender.len(), 1);
        assert!(matches!(other.try_recv(), Ok(Heard::Committed(_))));
        assert_eq!(scene.followed.sender.len(), 0);
    }

    #[test]
    fn an_echo_that_comes_before_the_answer_is_not_told() {
        let mut scene = Scene::after(6);
        scene.followed.storing(seq(7));
        scene.followed.grown(seq(7));
        scene.commits(7);
        scene.followed.stored(seq(7));
        assert!(scene.is_told(7));
        assert_eq!(scene.hears(), None);
    }

    #[test]
    fn what_another_process_stored_in_its_place_is_told() {
        let mut scene = Scene::after(6);
        scene.followed.storing(seq(7));
        scene.followed.grown(seq(7));
        assert_eq!(scene.hears(), None);
        scene.followed.stored(seq(7));
        assert_eq!(scene.hears(), Some(News::Look));
    }

    #[test]
    fn what_lies_beyond_what_is_being_stored_is_told_at_once() {
        let mut scene = Scene::after(6);
        scene.followed.storing(seq(7));
        scene.followed.grown(seq(8));
        assert_eq!(scene.hears(), Some(News::Look));
    }

    #[test]
    fn an_echo_waits_for_the_next_records_that_are_being_stored_too() {
        let mut scene = Scene::after(6);
        scene.followed.storing(seq(7));
        scene.commits(7);
        scene.followed.storing(seq(8));
        scene.followed.grown(seq(8));
        scene.followed.stored(seq(7));
        assert!(scene.is_told(7));
        assert_eq!(scene.hears(), None);
        scene.followed.stored(seq(8));
        assert_eq!(scene.hears(), Some(News::Look));
    }
}
