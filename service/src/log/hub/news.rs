//! What a follower makes of what it hears. No IO.

use crate::domain::Seq;

/// What the followers of a session are told, in the order in which it became known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Heard {
    /// The log reaches at least this far.
    Grown(Seq),
    /// Anything may have happened to it.
    Changed,
}

/// What is new for a follower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum News {
    /// There may be something that the store has to be asked for.
    Look,
}

/// All that waited for a follower, as one piece of news.
pub(super) struct Gathering {
    /// Up to where the follower knows the log.
    seen: u64,
    reach: u64,
    has_changed: bool,
}

impl Gathering {
    pub(super) fn after(seen: u64) -> Self {
        Self {
            seen,
            reach: 0,
            has_changed: false,
        }
    }

    pub(super) fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Grown(seq) => self.reach = self.reach.max(seq.get()),
            Heard::Changed => self.has_changed = true,
        }
    }

    /// `None` if the follower knows all of it.
    pub(super) fn news(self) -> Option<News> {
        let must_look = self.has_changed || self.reach > self.seen;
        must_look.then_some(News::Look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(seq: u64) -> Heard {
        Heard::Grown(Seq::after(seq - 1))
    }

    /// The news of a follower that has seen so much.
    fn news<const N: usize>(seen: u64, heard: [Heard; N]) -> Option<News> {
        let mut gathering = Gathering::after(seen);
        for heard in heard {
            gathering.hear(heard);
        }
        gathering.news()
    }

    #[test]
    fn what_was_seen_is_no_news() {
        assert_eq!(news(7, []), None);
        assert_eq!(news(7, [grown(6), grown(7)]), None);
        assert_eq!(news(7, [grown(8)]), Some(News::Look));
    }

    #[test]
    fn the_record_after_the_last_event_is_news_since_it_may_be_the_end() {
        assert_eq!(news(0, [grown(1)]), Some(News::Look));
    }

    #[test]
    fn a_change_is_news_whatever_was_seen() {
        assert_eq!(news(7, [Heard::Changed, grown(7)]), Some(News::Look));
    }
}
