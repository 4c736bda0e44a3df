//! Pages of sessions: the ranges of the statuses, merged by start.

use std::ops::Bound;

use fjall::{Iter, Slice};

use crate::domain::{
    Language, SessionFilter, SessionListQuery, SessionPosition, SessionStatus, Timestamp,
};
use crate::store::embedded::codec::{self, Garbled, SessionRow};
use crate::store::embedded::keys;
use crate::store::embedded::view::{Bounds, View, session_in_status};
use crate::store::{SessionPage, StoreError};

/// Rows that a page looks at before it ends, whatever it has found. The walk goes on with the next
/// page.
const SCAN: usize = 10_000;

pub(super) fn read(view: &View<'_>, query: &SessionListQuery) -> Result<SessionPage, StoreError> {
    let wanted = query.filter.language.as_ref().map(Language::folded);
    let mut rows = Merged::of(view, query)?;
    let mut sessions = Vec::new();
    let mut last = query.after;
    for _ in 0..SCAN {
        let Some(row) = rows.next()? else {
            return Ok(SessionPage {
                sessions,
                next: None,
            });
        };
        let (language, id) = codec::listed_row(&row.value)?;
        if wanted.as_deref().is_none_or(|wanted| wanted == language) {
            if sessions.len() == query.limit {
                break;
            }
            let Some(SessionRow::Live(header)) = view.session_row(&id)? else {
                return Err(Garbled.into());
            };
            sessions.push(session_in_status(id, header, row.status));
        }
        last = Some(row.position);
    }
    Ok(SessionPage {
        sessions,
        next: last,
    })
}

/// The ranges of some statuses as one, newest start first.
struct Merged {
    ranges: Vec<Range>,
}

/// The sessions in one status.
struct Range {
    status: SessionStatus,
    rows: Iter,
    next: Option<Row>,
}

/// A row of the listing.
struct Row {
    status: SessionStatus,
    position: SessionPosition,
    value: Slice,
}

impl Merged {
    fn of(view: &View<'_>, query: &SessionListQuery) -> Result<Self, StoreError> {
        let wanted = |status: &SessionStatus| query.filter.status.is_none_or(|it| it == *status);
        let mut ranges = Vec::new();
        for status in SessionStatus::ALL.into_iter().filter(wanted) {
            let Some(bounds) = bounds(status, &query.filter, query.after) else {
                continue;
            };
            let mut range = Range {
                status,
                rows: view.listing(bounds),
                next: None,
            };
            range.advance()?;
            ranges.push(range);
        }
        Ok(Self { ranges })
    }

    fn next(&mut self) -> Result<Option<Row>, StoreError> {
        let newest = self
            .ranges
            .iter_mut()
            .max_by_key(|range| range.next.as_ref().map(Row::newness));
        match newest {
            Some(range) => range.advance(),
            None => Ok(None),
        }
    }
}

impl Range {
    /// The next row of this range; the one after it comes to the front.
    fn advance(&mut self) -> Result<Option<Row>, StoreError> {
        let next = match self.rows.next() {
            None => None,
            Some(row) => {
                let (key, value) = row.into_inner()?;
                Some(Row {
                    status: self.status,
                    position: keys::session_position_of(&key).ok_or(Garbled)?,
                    value,
                })
            }
        };
        Ok(std::mem::replace(&mut self.next, next))
    }
}

impl Row {
    fn newness(&self) -> (Timestamp, [u8; 12]) {
        (self.position.started_at, self.position.creation_id.0)
    }
}

/// The part of a status's range that a query is about; `None` if it is empty.
fn bounds(
    status: SessionStatus,
    filter: &SessionFilter,
    after: Option<SessionPosition>,
) -> Option<Bounds> {
    // Newest first: a later start is a smaller key.
    const NEWEST: [u8; 12] = [0; 12];
    const OLDEST: [u8; 12] = [u8::MAX; 12];
    let first = match filter.started_before {
        Some(before) => Bound::Excluded(keys::listing_bound(status, before, OLDEST)),
        None => Bound::Included(keys::listing_bound(
            status,
            Timestamp::from_millis(i64::MAX),
            NEWEST,
        )),
    };
    let first = match (after.map(|position| keys::listing(status, position)), first) {
        (Some(after), Bound::Excluded(first) | Bound::Included(first)) if after >= first => {
            Bound::Excluded(after)
        }
        (_, first) => first,
    };
    let last = filter.started_after.unwrap_or(Timestamp::from_millis(0));
    let last = keys::listing_bound(status, last, OLDEST);
    let is_empty = match &first {
        Bound::Included(first) => *first > last,
        Bound::Excluded(first) => *first >= last,
        Bound::Unbounded => false,
    };
    (!is_empty).then(|| (first.map(Vec::from), Bound::Included(last.to_vec())))
}
