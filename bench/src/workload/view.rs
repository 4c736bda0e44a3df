//! Which page of a session is read. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Events in a page.
pub(super) const PAGE: u64 = 20;

/// A place in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum View {
    /// The first page, in the order of time.
    First,
    /// What follows after the event in the middle, as somebody who polls asks.
    Middle,
    /// The last page, newest first, as a console shows it.
    Last,
}

impl View {
    pub(crate) const ALL: [Self; 3] = [Self::First, Self::Middle, Self::Last];

    /// What asks for it in a session of this many events.
    pub(super) fn query(self, length: u64) -> String {
        match self {
            Self::First => format!("?limit={PAGE}"),
            Self::Middle => format!("?limit={PAGE}&afterSeq={}", length / 2),
            Self::Last => format!("?limit={PAGE}&order=-timestamp"),
        }
    }

    /// How many events are answered.
    pub(super) fn events(self, length: u64) -> u64 {
        match self {
            Self::First | Self::Last => length.min(PAGE),
            Self::Middle => (length - length / 2).min(PAGE),
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::First => "first",
            Self::Middle => "middle",
            Self::Last => "last",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_session_has_shorter_pages() {
        let events = View::ALL.map(|view| [view.events(10), view.events(1_000)]);
        assert_eq!(events, [[10, 20], [5, 20], [10, 20]]);
    }
}
