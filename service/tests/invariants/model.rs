//! The reference: sessions and their logs in maps, every operation in its plainest form.

use std::collections::BTreeMap;

use sessionstore::domain::{
    ClosingStatus, Event, Language, NewEvent, NewSession, Order, PageQuery, PageStart, Position,
    Seq, Session, SessionId, SessionListQuery, SessionPatch, SessionStatus, Terminal, Timestamp,
    Version,
};
use sessionstore::log::{Appended, Closing, Created, Refusal};

/// Every session there ever was.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model {
    entries: BTreeMap<SessionId, Entry>,
}

#[derive(Clone, Debug, PartialEq)]
enum Entry {
    Live(Box<Row>),
    Erased,
}

/// A session and its log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) session: Session,
    pub(crate) events: Vec<Event>,
    pub(crate) terminal: Option<Terminal>,
}

/// Why a session was not patched.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PatchRefusal {
    Gone(Refusal),
    OtherVersion,
}

impl Model {
    pub(crate) fn row(&self, id: &SessionId) -> Result<&Row, Refusal> {
        match self.entries.get(id) {
            None => Err(Refusal::SessionAbsent),
            Some(Entry::Erased) => Err(Refusal::Erased),
            Some(Entry::Live(row)) => Ok(row),
        }
    }

    pub(crate) fn row_mut(&mut self, id: &SessionId) -> Result<&mut Row, Refusal> {
        match self.entries.get_mut(id) {
            None => Err(Refusal::SessionAbsent),
            Some(Entry::Erased) => Err(Refusal::Erased),
            Some(Entry::Live(row)) => Ok(row),
        }
    }

    pub(crate) fn create(&mut self, new: &NewSession) -> Result<Created, Refusal> {
        match self.row(&new.session_id) {
            Ok(row) => Ok(Created {
                session: row.session.clone(),
                replayed: true,
            }),
            Err(Refusal::SessionAbsent) => {
                let session = new_session(new);
                let row = Row {
                    session: session.clone(),
                    events: Vec::new(),
                    terminal: None,
                };
                let entry = Entry::Live(Box::new(row));
                self.entries.insert(new.session_id.clone(), entry);
                Ok(Created {
                    session,
                    replayed: false,
                })
            }
            Err(refusal) => Err(refusal),
        }
    }

    pub(crate) fn append(&mut self, new: &NewEvent) -> Result<Appended, Refusal> {
        let row = self.row_mut(&new.session_id)?;
        if let Some(stored) = row.events.iter().find(|it| it.event_id == new.event_id) {
            return if stored.has_content_of(new) {
                Ok(Appended {
                    event: stored.clone(),
                    replayed: true,
                })
            } else {
                Err(Refusal::EventIdTaken)
            };
        }
        if let Some(terminal) = &row.terminal {
            return Err(Refusal::Closed(terminal.clone()));
        }
        let next = row.next();
        if new.expected_seq.is_some_and(|expected| expected != next) {
            return Err(Refusal::NotNext { next });
        }
        let event = Event::at(next, new);
        row.push(event.clone());
        Ok(Appended {
            event,
            replayed: false,
        })
    }

    pub(crate) fn close(&mut self, closing: &Closing) -> Result<Session, Refusal> {
        let row = self.row_mut(&closing.session_id)?;
        match &row.terminal {
            None => {
                let seq = row.next();
                row.close(Terminal {
                    seq,
                    status: closing.status,
                    at: closing.at,
                    reason: closing.reason.clone(),
                });
            }
            Some(terminal) if terminal.status != closing.status => {
                return Err(Refusal::ClosedOtherwise(terminal.clone()));
            }
            Some(_) => {}
        }
        Ok(row.session.clone())
    }

    pub(crate) fn patch(
        &mut self,
        id: &SessionId,
        patch: &SessionPatch,
        if_match: Option<Version>,
        at: Timestamp,
    ) -> Result<Session, PatchRefusal> {
        let session = &mut self.row_mut(id).map_err(PatchRefusal::Gone)?.session;
        if if_match.is_some_and(|wanted| wanted != session.version) {
            return Err(PatchRefusal::OtherVersion);
        }
        let metadata = patch.patched_metadata(&session.metadata);
        let language = patch.language.clone().unwrap_or(session.language.clone());
        if !metadata.same_content(&session.metadata) || language != session.language {
            session.metadata = metadata;
            session.language = language;
            session.version = session.version.next();
            session.updated_at = at;
        }
        Ok(session.clone())
    }

    /// Says whether there was such a session.
    pub(crate) fn erase(&mut self, id: &SessionId) -> bool {
        self.entries
            .get_mut(id)
            .map(|entry| *entry = Entry::Erased)
            .is_some()
    }

    /// Every session that passes, in the order of a list.
    pub(crate) fn list(&self, query: &SessionListQuery) -> Vec<Session> {
        let filter = &query.filter;
        let mut sessions: Vec<_> = self
            .entries
            .values()
            .filter_map(|entry| match entry {
                Entry::Live(row) => Some(row.session.clone()),
                Entry::Erased => None,
            })
            .filter(|session| {
                let language = filter.language.as_ref().map(Language::folded);
                filter.status.is_none_or(|status| status == session.status)
                    && language.is_none_or(|tag| tag == session.language.folded())
                    && filter.started_after.is_none_or(|t| session.started_at >= t)
                    && filter.started_before.is_none_or(|t| session.started_at < t)
            })
            .collect();
        sessions.sort_by_key(|session| (session.started_at, session.creation_id));
        sessions.reverse();
        let place = query.after.map(|it| (it.started_at, it.creation_id));
        sessions.retain(|session| {
            place.is_none_or(|place| (session.started_at, session.creation_id) < place)
        });
        for session in &mut sessions {
            if session.ended_at.is_none() {
                session.event_count = None;
            }
        }
        sessions
    }
}

impl Row {
    pub(crate) fn next(&self) -> Seq {
        Seq::after(self.events.len() as u64)
    }

    pub(crate) fn push(&mut self, event: Event) {
        self.events.push(event);
        self.session.status = SessionStatus::Active;
        self.session.event_count = Some(self.events.len() as u64);
    }

    pub(crate) fn close(&mut self, terminal: Terminal) {
        self.session.status = terminal.status.into();
        self.session.ended_at = Some(terminal.at);
        self.session.end_reason.clone_from(&terminal.reason);
        self.session.updated_at = terminal.at;
        self.session.version = self.session.version.next();
        self.terminal = Some(terminal);
    }

    /// Every event that a page may show and those after it, in the order of the page.
    pub(crate) fn page(&self, query: &PageQuery) -> Vec<Event> {
        let mut events: Vec<_> = self
            .events
            .iter()
            .filter(|event| query.filter.passes(event.kind, event.timestamp))
            .cloned()
            .collect();
        events.sort_by_key(|event| place(query.order, event.timestamp, event.seq));
        if query.order.is_descending() {
            events.reverse();
        }
        match query.start {
            PageStart::Offset(offset) => {
                let offset = usize::try_from(offset).unwrap_or(usize::MAX);
                events.drain(..offset.min(events.len()));
            }
            PageStart::AfterSeq(seq) => events.retain(|event| event.seq.get() > seq),
            PageStart::After(Position { timestamp, seq }) => {
                let start = place(query.order, timestamp, seq);
                events.retain(|event| {
                    let place = place(query.order, event.timestamp, event.seq);
                    if query.order.is_descending() {
                        place < start
                    } else {
                        place > start
                    }
                });
            }
        }
        events
    }
}

fn place(order: Order, timestamp: Timestamp, seq: Seq) -> (Timestamp, Seq) {
    if order.is_by_time() {
        (timestamp, seq)
    } else {
        (Timestamp::from_millis(0), seq)
    }
}

fn new_session(new: &NewSession) -> Session {
    Session {
        session_id: new.session_id.clone(),
        creation_id: new.creation_id,
        status: SessionStatus::Initiated,
        language: new.language.clone(),
        started_at: new.started_at,
        created_at: new.created_at,
        updated_at: new.created_at,
        ended_at: None,
        end_reason: None,
        event_count: Some(0),
        metadata: new.metadata.clone(),
        version: Version::FIRST,
    }
}

/// A wish to close.
pub(crate) fn closing(id: &SessionId, status: ClosingStatus, at: Timestamp) -> Closing {
    Closing {
        session_id: id.clone(),
        status,
        reason: Some("the reason".into()),
        at,
    }
}
