//! A history sorted by session: what each check looks at.

use std::{collections::BTreeMap, fmt};

use crate::{
    history::{
        History, Operation, Outcome, Stream,
        request::{Consistency, Item, Request},
        values::{Event, Moment, SessionView},
    },
    stored::{Session, Stored},
};

/// A history sorted by session, beside what is stored.
pub(crate) struct Evidence<'a> {
    pub(crate) logs: BTreeMap<&'a str, Log<'a>>,
}

/// All that is known about one session.
#[derive(Default)]
pub(crate) struct Log<'a> {
    pub(crate) session: &'a str,
    pub(crate) operations: Vec<&'a Operation>,
    pub(crate) attempts: Vec<Attempt<'a>>,
    pub(crate) streams: Vec<&'a Stream>,
    pub(crate) stored: Option<&'a Session>,
}

/// One attempt to append one event, alone or in a batch.
#[derive(Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) operation: &'a Operation,
    pub(crate) item: &'a Item,
    /// What this item was answered; absent without an answer.
    pub(crate) status: Option<u16>,
    pub(crate) problem: Option<&'a str>,
    pub(crate) event: Option<&'a Event>,
}

/// What somebody was told about whether a session exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Known,
    Absent,
    Erased,
    /// Nothing: 503, no answer.
    Nothing,
}

/// Who was told: an operation or a stream.
#[derive(Clone, Copy)]
pub(crate) enum Witness<'a> {
    Operation(&'a Operation),
    Stream(&'a Stream),
}

/// An event as somebody saw it.
pub(crate) struct Sighting<'a> {
    pub(crate) event: &'a Event,
    pub(crate) at: Moment,
    /// Absent: the end of the run.
    pub(crate) witness: Option<Witness<'a>>,
}

impl<'a> Evidence<'a> {
    pub(crate) fn of(history: &'a History, stored: &'a Stored) -> Self {
        let mut logs: BTreeMap<&str, Log> = BTreeMap::new();
        let log = |logs: &mut BTreeMap<&'a str, Log<'a>>, session: &'a str| {
            logs.entry(session).or_default().session = session;
        };
        for operation in &history.operations {
            for session in operation.request.sessions() {
                log(&mut logs, session);
                if let Some(log) = logs.get_mut(session) {
                    log.operations.push(operation);
                }
            }
            for (index, item) in operation.request.items().iter().enumerate() {
                if let Some(log) = logs.get_mut(item.session.as_str()) {
                    log.attempts.push(Attempt::of(operation, index, item));
                }
            }
        }
        for stream in &history.streams {
            log(&mut logs, &stream.session);
            if let Some(log) = logs.get_mut(stream.session.as_str()) {
                log.streams.push(stream);
            }
        }
        for (session, known) in &stored.sessions {
            log(&mut logs, session);
            if let Some(log) = logs.get_mut(session.as_str()) {
                log.stored = Some(known);
            }
        }
        Self { logs }
    }
}

impl<'a> Attempt<'a> {
    fn of(operation: &'a Operation, index: usize, item: &'a Item) -> Self {
        let nothing = Self {
            operation,
            item,
            status: None,
            problem: None,
            event: None,
        };
        let Some(answer) = operation.answer() else {
            return nothing;
        };
        match (&operation.request, answer.results.get(index)) {
            (Request::Batch { .. }, Some(result)) => Self {
                status: Some(result.status),
                problem: result.problem.as_deref(),
                event: result.event.as_ref(),
                ..nothing
            },
            _ => Self {
                status: Some(answer.status),
                problem: answer.problem.as_deref(),
                event: answer.events.first(),
                ..nothing
            },
        }
    }

    /// The event, if this attempt acknowledged it.
    pub(crate) fn acknowledged(&self) -> Option<&'a Event> {
        let is_good = self.status.is_some_and(|status| status < 300);
        self.event.filter(|_| is_good)
    }

    /// Whether the answer says that this very attempt stored it.
    pub(crate) fn is_new(&self) -> bool {
        self.status == Some(201)
    }

    fn word(&self) -> Word {
        word(self.status, self.problem)
    }
}

fn word(status: Option<u16>, problem: Option<&str>) -> Word {
    match (status, problem) {
        (Some(404), Some("session-not-found")) => Word::Absent,
        (Some(410), _) => Word::Erased,
        (Some(200 | 201 | 204 | 404 | 409), _) => Word::Known,
        _ => Word::Nothing,
    }
}

impl<'a> Log<'a> {
    /// The events that were acknowledged, with the attempts that say so.
    pub(crate) fn acknowledgements(&self) -> impl Iterator<Item = (&Attempt<'a>, &'a Event)> {
        self.attempts
            .iter()
            .filter_map(|attempt| Some((attempt, attempt.acknowledged()?)))
    }

    /// What was said about whether the session exists, by answers that have to be fresh.
    pub(crate) fn words(&self) -> impl Iterator<Item = (Witness<'a>, Word)> {
        let whole = self.operations.iter().filter_map(|operation| {
            let is_fresh = operation.request.consistency() != Consistency::Eventual;
            let answer = operation.answer();
            // The items of a batch have a word each.
            let is_split = answer.is_some_and(|answer| !answer.results.is_empty());
            if !is_fresh || is_split {
                return None;
            }
            let status = answer.map(|answer| answer.status);
            let problem = answer.and_then(|answer| answer.problem.as_deref());
            let is_erasure =
                matches!(operation.request, Request::Erase { .. }) && status == Some(204);
            let word = if is_erasure {
                Word::Erased
            } else {
                word(status, problem)
            };
            Some((Witness::Operation(operation), word))
        });
        let items = self.attempts.iter().filter_map(|attempt| {
            let answer = attempt.operation.answer()?;
            let is_split = !answer.results.is_empty();
            is_split.then(|| (Witness::Operation(attempt.operation), attempt.word()))
        });
        let streams = self.streams.iter().map(|stream| {
            let problem = match &stream.opened {
                Outcome::Answer(answer) => answer.problem.as_deref(),
                Outcome::Failed(_) => None,
            };
            (Witness::Stream(stream), word(stream.status(), problem))
        });
        whole.chain(items).chain(streams)
    }

    /// Every event that anybody ever saw, and those that are stored.
    pub(crate) fn sightings(&self) -> impl Iterator<Item = Sighting<'a>> {
        let acknowledged = self.acknowledgements().map(|(attempt, event)| Sighting {
            event,
            at: attempt.operation.ended,
            witness: Some(Witness::Operation(attempt.operation)),
        });
        let read = self.reads().flat_map(|(operation, _)| {
            let events = operation.answer().map_or(&[][..], |answer| &answer.events);
            events.iter().map(move |event| Sighting {
                event,
                at: operation.ended,
                witness: Some(Witness::Operation(operation)),
            })
        });
        let delivered = self.streams.iter().flat_map(|stream| {
            stream.delivered.iter().map(move |(at, event)| Sighting {
                event,
                at: *at,
                witness: Some(Witness::Stream(stream)),
            })
        });
        let events = self.stored.map_or(&[][..], Session::events);
        let stored = events.iter().map(|event| Sighting {
            event,
            at: Moment(u64::MAX),
            witness: None,
        });
        acknowledged.chain(read).chain(delivered).chain(stored)
    }

    /// The reads that were answered, with how fresh they had to be.
    pub(crate) fn reads(&self) -> impl Iterator<Item = (&'a Operation, Consistency)> {
        self.operations.iter().filter_map(|operation| {
            let is_good = operation.is_acknowledged() && !operation.request.is_write();
            is_good.then(|| (*operation, operation.request.consistency()))
        })
    }

    /// The session as answers showed it.
    pub(crate) fn views(&self) -> impl Iterator<Item = (&'a Operation, &'a SessionView)> {
        self.operations.iter().filter_map(|operation| {
            let view = operation.answer()?.session.as_ref()?;
            Some((*operation, view))
        })
    }

    /// Whether anybody ever tried to erase it.
    pub(crate) fn may_be_erased(&self) -> bool {
        self.erasures().next().is_some()
    }

    /// The attempts to erase it.
    pub(crate) fn erasures(&self) -> impl Iterator<Item = &'a Operation> {
        self.operations
            .iter()
            .copied()
            .filter(|operation| matches!(operation.request, Request::Erase { .. }))
    }

    /// The closings that were acknowledged.
    pub(crate) fn closings(&self) -> impl Iterator<Item = (&'a Operation, &'a SessionView)> {
        self.views()
            .filter(|(operation, _)| matches!(operation.request, Request::Close { .. }))
    }
}

impl Witness<'_> {
    pub(crate) fn began(self) -> Moment {
        match self {
            Self::Operation(operation) => operation.began,
            Self::Stream(stream) => stream.began,
        }
    }

    /// When what it says was there: for a stream that is open, not before its end.
    pub(crate) fn ended(self) -> Moment {
        match self {
            Self::Operation(operation) => operation.ended,
            Self::Stream(stream) => stream.ended,
        }
    }
}

impl fmt::Display for Witness<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operation(operation) => operation.fmt(f),
            Self::Stream(stream) => stream.fmt(f),
        }
    }
}

impl fmt::Display for Sighting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.witness {
            Some(witness) => witness.fmt(f),
            None => write!(f, "stored at the end: {}", self.event),
        }
    }
}

/// The highest of some values that was there before a moment.
pub(crate) struct Highest<W> {
    /// By moment, each higher than the one before.
    steps: Vec<(Moment, u64, W)>,
}

impl<W: Copy> Highest<W> {
    pub(crate) fn of(values: impl Iterator<Item = (Moment, u64, W)>) -> Self {
        let mut values: Vec<_> = values.collect();
        values.sort_by_key(|(at, value, _)| (*at, *value));
        let mut steps: Vec<(Moment, u64, W)> = Vec::new();
        for (at, value, witness) in values {
            if steps.last().is_none_or(|(_, highest, _)| *highest < value) {
                steps.push((at, value, witness));
            }
        }
        Self { steps }
    }

    /// The highest value strictly before `at`, and who saw it.
    pub(crate) fn before(&self, at: Moment) -> Option<(u64, W)> {
        let count = self.steps.partition_point(|(since, _, _)| *since < at);
        let (_, value, witness) = self.steps.get(count.checked_sub(1)?)?;
        Some((*value, *witness))
    }
}
