//! Creating and changing sessions.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::{NewSession, Session, SessionId, SessionPosition};
use crate::store::embedded::codec::{self, Header, SessionRow};
use crate::store::embedded::engine::Engine;
use crate::store::embedded::error::WriteError;
use crate::store::embedded::keys;
use crate::store::embedded::tables::Write;
use crate::store::embedded::tails::Tail;
use crate::store::embedded::view::{Log, session};
use crate::store::{CreateOutcome, SessionChange, UpdateError};

pub(super) fn create(engine: &Arc<Engine>, sessions: &[NewSession]) -> Vec<CreateOutcome> {
    let mut verdicts = Vec::with_capacity(sessions.len());
    let result = engine.write(|write| {
        let mut fresh: HashMap<&SessionId, Session> = HashMap::new();
        let mut last_number = None;
        let mut batch = write.batch(2 * sessions.len() + 1);
        for new in sessions {
            let id = &new.session_id;
            let verdict = if let Some(first) = fresh.get(id) {
                Verdict::Pending(outcome(new, first.clone()))
            } else {
                match write.view().session_row(id)? {
                    Some(SessionRow::Tombstone(_)) => Verdict::Known(CreateOutcome::Erased),
                    Some(SessionRow::Live(header)) => {
                        let log = write.view().log_of(&header)?;
                        let stored = session(id.clone(), header, &log);
                        Verdict::Known(outcome(new, stored))
                    }
                    None => {
                        let number = write.new_number();
                        let header = Header::of(new, number);
                        batch.insert(
                            &write.tables().sessions,
                            id.as_bytes(),
                            codec::header(&header),
                        );
                        let log = Log::open(Tail::empty(number));
                        let stored = session(id.clone(), header, &log);
                        batch.insert(
                            &write.tables().listing,
                            keys::listing(stored.status, position(&stored)),
                            codec::listed(id, &stored.language.folded()),
                        );
                        last_number = Some(number);
                        fresh.insert(id, stored.clone());
                        Verdict::Pending(CreateOutcome::Created(stored))
                    }
                }
            };
            verdicts.push(verdict);
        }
        if let Some(number) = last_number {
            let row = codec::last_number(number);
            batch.insert(&write.tables().meta, keys::LAST_NUMBER, row);
        }
        write.commit(batch)
    });
    let mut outcomes: Vec<_> = verdicts
        .into_iter()
        .map(|verdict| match verdict {
            Verdict::Pending(_) if result.is_err() => CreateOutcome::Unknown,
            Verdict::Pending(outcome) | Verdict::Known(outcome) => outcome,
        })
        .collect();
    outcomes.resize(sessions.len(), CreateOutcome::Unknown);
    outcomes
}

enum Verdict {
    /// True if the batch is stored.
    Pending(CreateOutcome),
    /// True in any case.
    Known(CreateOutcome),
}

fn outcome(new: &NewSession, stored: Session) -> CreateOutcome {
    if stored.creation_id == new.creation_id {
        CreateOutcome::Created(stored)
    } else {
        CreateOutcome::Existing(stored)
    }
}

pub(super) fn update(
    engine: &Arc<Engine>,
    id: &SessionId,
    change: SessionChange,
) -> Result<Session, UpdateError> {
    let result = engine.write(|write| change_session(write, id, change));
    match result {
        Ok(result) => result,
        Err(error) => Err(UpdateError::Store(error.into())),
    }
}

fn change_session(
    write: Write<'_>,
    id: &SessionId,
    change: SessionChange,
) -> Result<Result<Session, UpdateError>, WriteError> {
    let mut header = match write.view().session_row(id)? {
        None => return Ok(Err(UpdateError::Absent)),
        Some(SessionRow::Tombstone(_)) => return Ok(Err(UpdateError::Erased)),
        Some(SessionRow::Live(header)) => header,
    };
    if header.version != change.base {
        return Ok(Err(UpdateError::Moved));
    }
    header.version = header.version.next();
    header.updated_at = change.at;
    header.language = change.language;
    header.metadata = change.metadata;
    let row = codec::header(&header);
    let log = write.view().log_of(&header)?;
    let changed = session(id.clone(), header, &log);
    let mut batch = write.batch(2);
    batch.insert(&write.tables().sessions, id.as_bytes(), row);
    batch.insert(
        &write.tables().listing,
        keys::listing(changed.status, position(&changed)),
        codec::listed(id, &changed.language.folded()),
    );
    write.commit(batch)?;
    Ok(Ok(changed))
}

fn position(session: &Session) -> SessionPosition {
    SessionPosition {
        started_at: session.started_at,
        creation_id: session.creation_id,
    }
}
