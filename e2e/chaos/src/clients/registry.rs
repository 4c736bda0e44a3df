//! The sessions that readers and followers may look at: what writers have begun lately.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use rand::{Rng, rngs::StdRng};

/// So many sessions are looked at: few enough that each is looked at often.
const RECENT: usize = 24;

/// A session that somebody has begun to create.
#[derive(Debug)]
pub(crate) struct Known {
    /// Its id.
    pub(crate) session: String,
    /// The ids of the events that somebody has begun to append.
    events: Mutex<Vec<String>>,
}

impl Known {
    fn new(session: String) -> Arc<Self> {
        Arc::new(Self {
            session,
            events: Mutex::default(),
        })
    }

    /// Somebody begins to append this event.
    pub(crate) fn add(&self, event: &str) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.push(event.to_owned());
    }

    /// Any event, the newest more often.
    pub(crate) fn any_event(&self, rng: &mut StdRng) -> Option<String> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let last = events.len().checked_sub(1)?;
        let newest = rng.random_bool(0.5);
        let index = if newest {
            last
        } else {
            rng.random_range(0..=last)
        };
        Some(events[index].clone())
    }

    /// How many events somebody has begun to append.
    pub(crate) fn count(&self) -> usize {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.len()
    }
}

/// The sessions of late.
#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<Sessions>);

#[derive(Debug, Default)]
struct Sessions {
    recent: VecDeque<Arc<Known>>,
    /// Those that many write to now, by their place.
    shared: BTreeMap<usize, Arc<Known>>,
}

impl Registry {
    /// Somebody begins to create a session of its own.
    pub(crate) fn begin(&self, session: String) -> Arc<Known> {
        let known = Known::new(session);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.remember(known.clone());
        known
    }

    /// Somebody begins to create the session that is shared at a place from now on.
    pub(crate) fn share(&self, place: usize, session: String) -> Arc<Known> {
        let known = Known::new(session);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = sessions.shared.insert(place, known.clone()) {
            sessions.remember(before);
        }
        known
    }

    /// Any of them, the shared ones more often; `None` at the very beginning.
    pub(crate) fn any(&self, rng: &mut StdRng) -> Option<Arc<Known>> {
        let Sessions { recent, shared } = &*self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !shared.is_empty() && rng.random_bool(0.4) {
            let number = rng.random_range(0..shared.len());
            return shared.values().nth(number).cloned();
        }
        let count = recent.len();
        (count > 0).then(|| recent[rng.random_range(0..count)].clone())
    }
}

impl Sessions {
    fn remember(&mut self, known: Arc<Known>) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(known);
    }
}
