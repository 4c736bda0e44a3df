//! What is sent: kinds of load, and what has to be stored before each.
//!
//! `source` makes the requests and judges the answers, each known by its `turn`; `turns` is what is
//! said in them.

mod source;
mod turn;
mod turns;
mod view;

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub(crate) use source::{Failure, Source};
use source::{Kind, Page};
pub(crate) use turn::Turn;
pub(crate) use turns::{EVENT_ID, spoken};
use view::PAGE;
pub(crate) use view::View;

/// A kind of load.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Workload {
    /// New sessions
    Create,
    /// New events, in turn to each of 1,000 sessions that have begun
    Append,
    /// New events, all to one session
    AppendHot,
    /// Retries: events that are stored already
    Replay,
    /// The first 20 events of one of 1,000 sessions with 40 events
    Get20,
    /// 20 events from anywhere in a session with 1,000 events, by offset
    Get20Deep,
    /// Whole conversations: 1 create, 40 appends, 5 reads, 1 complete
    Mixed,
    /// New events, 100 in a request, in turn to each of 1,000 sessions
    Batch,
}

/// Requests that prepare a store, from number 0 up to the given one.
pub(crate) type Preparation = Vec<(Source, u64)>;

/// The number of sessions that an application has open at once, in a workload.
const SESSIONS: u64 = 1_000;

/// The events that are replayed: enough that they are not all in the newest block of the store.
const REPLAYED: u64 = 10 * SESSIONS;

/// Events of a session whose first page is read: a short conversation.
const SHORT: u64 = 40;

/// Events of a session that is read at any place.
const DEEP: u64 = 1_000;

/// Events in a request of a batch workload, and of a preparation. Those of 64 connections fit into
/// the service's queue of 10,000.
const BATCH: u64 = 100;

const PRELOADED_SESSIONS: u64 = 20_000;

impl Workload {
    pub(crate) const ALL: [Self; 8] = [
        Self::Create,
        Self::Append,
        Self::AppendHot,
        Self::Replay,
        Self::Get20,
        Self::Get20Deep,
        Self::Mixed,
        Self::Batch,
    ];

    /// What has to be stored before, in this order.
    pub(crate) fn preparation(self, group: &str) -> Preparation {
        let sessions = self.sessions();
        let source = |kind| Source::new(group, sessions, kind);
        let create = (source(Kind::Create), sessions);
        match self {
            // The first event of a session costs more, since it changes the session's status: it is
            // part of `mixed`, where it is as frequent as in life.
            Self::Append | Self::AppendHot => vec![create, (source(Kind::Begin), sessions)],
            Self::Batch => vec![create],
            Self::Create | Self::Mixed => Vec::new(),
            Self::Replay => vec![create, (source(Kind::Append), REPLAYED)],
            Self::Get20 => vec![create, (source(Kind::Batch { events: SHORT }), sessions)],
            Self::Get20Deep => {
                let fill = source(Kind::Batch { events: BATCH });
                vec![create, (fill, DEEP / BATCH * sessions)]
            }
        }
    }

    /// What is measured.
    pub(crate) fn source(self, group: &str) -> Source {
        let kind = match self {
            Self::Append | Self::AppendHot => Kind::Append,
            Self::Replay => Kind::Replay { stored: REPLAYED },
            Self::Create => Kind::Create,
            Self::Get20 => Kind::Page {
                page: Page::At(View::First, SHORT),
                events: PAGE,
            },
            Self::Get20Deep => Kind::Page {
                page: Page::Offset(DEEP),
                events: PAGE,
            },
            Self::Mixed => Kind::Mixed,
            Self::Batch => Kind::Batch { events: BATCH },
        };
        Source::new(group, self.sessions(), kind)
    }

    /// The same requests for a service that stores nothing, to which everything is new.
    pub(crate) fn source_without_store(self, group: &str) -> Source {
        match self {
            Self::Replay => Self::Append.source(group),
            other => other.source(group),
        }
    }

    /// What one request of it stores or reads that a database counts: events in a batch, else 1.
    pub(crate) fn items(self) -> u64 {
        match self {
            Self::Batch => BATCH,
            _ => 1,
        }
    }

    /// The most connections that it is meant for: beyond them a batch of each does not fit into
    /// the service's queue at once, and is refused, as it should be.
    pub(crate) fn most_connections(self) -> usize {
        match self {
            Self::Batch => 64,
            _ => usize::MAX,
        }
    }

    /// Whether its requests may be sent in any order, over any connection.
    pub(crate) fn has_independent_requests(self) -> bool {
        self != Self::Mixed
    }

    fn sessions(self) -> u64 {
        match self {
            Self::AppendHot => 1,
            Self::Get20Deep => 20,
            _ => SESSIONS,
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Create => "create",
            Self::Append => "append",
            Self::AppendHot => "append-hot",
            Self::Replay => "replay",
            Self::Get20 => "get20",
            Self::Get20Deep => "get20-deep",
            Self::Mixed => "mixed",
            Self::Batch => "batch",
        })
    }
}

/// Sessions that streams are open of.
pub(crate) const STREAMED_SESSIONS: u64 = 100;

/// Events in turn to each of the streamed sessions, and what has to be stored before.
pub(crate) fn streamed(group: &str) -> (Preparation, Source) {
    let source = |kind| Source::new(group, STREAMED_SESSIONS, kind);
    let create = (source(Kind::Create), STREAMED_SESSIONS);
    (vec![create], source(Kind::Append))
}

/// What stores one session of this many events.
pub(crate) fn session_of(group: &str, length: u64) -> Preparation {
    let source = |kind| Source::new(group, 1, kind);
    let events = length.clamp(1, BATCH);
    vec![
        (source(Kind::Create), 1),
        (source(Kind::Batch { events }), length.div_ceil(events)),
    ]
}

/// One page of it, again and again.
pub(crate) fn pages_of(group: &str, length: u64, view: View) -> Source {
    let kind = Kind::Page {
        page: Page::At(view, length),
        events: view.events(length),
    };
    Source::new(group, 1, kind)
}

/// What creates so many sessions and stores an event or more in each.
pub(crate) fn touched(group: &str, sessions: u64) -> Preparation {
    if sessions == 0 {
        return Vec::new();
    }
    let source = |kind| Source::new(group, sessions, kind);
    let batch = source(Kind::BatchAcross { events: BATCH });
    vec![
        (source(Kind::Create), sessions),
        (batch, sessions.div_ceil(BATCH)),
    ]
}

/// An event as a client sends it, as the given turn of a conversation.
pub(crate) fn event_text(turn: u64) -> String {
    turns::event(turn, turn, "")
}

/// What stores at least so many events in 20,000 sessions that no workload touches.
pub(crate) fn preload(run: &str, events: u64) -> Preparation {
    if events == 0 {
        return Vec::new();
    }
    let group = format!("{run}-preload");
    let source = |kind| Source::new(&group, PRELOADED_SESSIONS, kind);
    vec![
        (source(Kind::Create), PRELOADED_SESSIONS),
        (
            source(Kind::BatchAcross { events: BATCH }),
            events.div_ceil(BATCH),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::source::tests::{body, path};
    use super::*;

    #[test]
    fn a_replay_sends_exactly_what_was_stored() {
        let (append, stored) = Workload::Replay.preparation("r").remove(1);
        let replay = Workload::Replay.source("r");
        assert_eq!(body(&replay, stored + 7), body(&append, 7));
        assert_eq!(path(&replay, stored + 7), path(&append, 7));
    }

    #[test]
    fn sessions_that_are_appended_to_have_begun_with_an_event_of_their_own() {
        let (begin, sessions) = Workload::Append.preparation("r").remove(1);
        let append = Workload::Append.source("r");
        assert_eq!(sessions, 1_000);
        let paths = |source: &Source| -> HashSet<String> {
            (0..sessions).map(|it| path(source, it)).collect()
        };
        assert_eq!(paths(&begin), paths(&append));
        assert_ne!(body(&begin, 7)["eventId"], body(&append, 7)["eventId"]);
    }

    fn filled(workload: Workload) -> usize {
        let (fill, requests) = workload.preparation("r").remove(1);
        (0..requests)
            .filter(|number| path(&fill, *number) == "/v1/sessions/r-0/events:batch")
            .map(|number| body(&fill, number)["events"].as_array().unwrap().len())
            .sum()
    }

    #[test]
    fn pages_are_read_from_sessions_that_were_filled_before() {
        assert_eq!(filled(Workload::Get20), 40);
        assert_eq!(filled(Workload::Get20Deep), 1_000);
    }

    #[test]
    fn a_preload_reaches_every_one_of_its_sessions() {
        let (batches, requests) = preload("r", 20_000).remove(1);
        let sessions: HashSet<String> = (0..requests)
            .flat_map(|number| body(&batches, number)["events"].as_array().unwrap().clone())
            .map(|event| event["sessionId"].to_string())
            .collect();
        assert_eq!(sessions.len(), 20_000);
        assert!(preload("r", 0).is_empty());
    }

    #[test]
    fn a_session_of_any_length_is_filled_by_batches() {
        let stored = |length| {
            let (batches, requests) = session_of("r", length).remove(1);
            let sizes =
                (0..requests).map(|it| body(&batches, it)["events"].as_array().unwrap().len());
            sizes.sum::<usize>()
        };
        assert_eq!([10, 100, 10_000].map(stored), [10, 100, 10_000]);
        let page = pages_of("r", 10_000, View::Middle);
        let middle = "/v1/sessions/r-0/events?limit=20&afterSeq=5000";
        assert_eq!(path(&page, 7), middle);
    }

    #[test]
    fn every_session_is_touched() {
        let (batches, requests) = touched("r", 1_000).remove(1);
        let sessions: HashSet<String> = (0..requests)
            .flat_map(|number| body(&batches, number)["events"].as_array().unwrap().clone())
            .map(|event| event["sessionId"].to_string())
            .collect();
        assert_eq!(sessions.len(), 1_000);
    }

    #[test]
    fn names_are_the_same_on_the_command_line_and_in_files() {
        for workload in Workload::value_variants() {
            let option = workload.to_possible_value().unwrap();
            assert_eq!(option.get_name(), workload.to_string());
            assert_eq!(
                serde_json::to_value(workload).unwrap(),
                workload.to_string()
            );
        }
    }
}
