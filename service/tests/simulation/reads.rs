//! Reading a log's committed part, and what a reader must see.

use sessionstore::domain::{Event, SessionId, Terminal};
use sessionstore::store::LogState;

use crate::history::History;
use crate::model::Cluster;
use crate::violation::{Violation, promise};

/// What a reader was shown.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) log: LogState,
    pub(crate) events: Vec<Event>,
}

/// A read that was begun in this step.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) client: usize,
    pub(crate) session_id: SessionId,
    pub(crate) began: usize,
    /// It may have been answered by a deposed primary.
    pub(crate) may_be_stale: bool,
}

impl Read {
    /// Whatever is shown is true, and nothing is missing that was acknowledged before.
    pub(crate) fn check(
        &self,
        seen: &Seen,
        history: &History,
        cluster: &Cluster,
    ) -> Result<(), Violation> {
        let id = &self.session_id;
        let terminal = match &seen.log {
            LogState::Erased => return Ok(()),
            LogState::Absent => {
                return promise(
                    "a session that was acknowledged is found",
                    self.may_be_stale || !history.was_known_before(id, self.began),
                    || format!("{id} is absent"),
                );
            }
            LogState::Open(_) => None,
            LogState::Closed(terminal) => Some(terminal),
        };
        promise(
            "an erased session is shown to nobody",
            self.may_be_stale || !history.was_erased_before(id, self.began),
            || format!("{id}: {seen:?}"),
        )?;
        let shown = seen.events.len() as u64 + u64::from(terminal.is_some());
        let due = history.acknowledged_before(id, self.began);
        promise(
            "a read sees every append acknowledged before it began",
            self.may_be_stale || shown >= due,
            || format!("{id}: {shown} records shown, {due} acknowledged"),
        )?;
        self.check_truth(seen, terminal, cluster)
    }

    fn check_truth(
        &self,
        seen: &Seen,
        terminal: Option<&Terminal>,
        cluster: &Cluster,
    ) -> Result<(), Violation> {
        let committed = cluster.canon().session(&self.session_id);
        let is_true = committed.is_some_and(|session| {
            let same_events = session.events(usize::MAX).take(seen.events.len());
            same_events.eq(&seen.events)
                && terminal.is_none_or(|shown| session.terminal(usize::MAX) == Some(shown))
        });
        promise("what a read shows is committed", is_true, || {
            format!("{}: {seen:?}", self.session_id)
        })
    }
}
