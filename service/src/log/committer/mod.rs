//! The committer: group commit of appends, closings and creations, as a pure state machine.
//!
//! What arrives goes in ([`Committer::submit`], [`Committer::looked_up`], [`Committer::committed`],
//! [`Committer::created`], [`Committer::tick`]); what is to be done comes out as [`Effect`]s. No
//! IO, no clock, no randomness: the shell (`log::shell`) and the simulator drive the same code.
//!
//! Every session with work has a **lane**: a queue, and what is known of its log. A lane is at
//! any moment in one place only: waiting for a look-up, waiting for a batch, in flight with one
//! of them, or delayed after a failure. While one batch is in flight the next one fills, so
//! batches grow with load and an idle service adds no delay.

mod batch;
mod lane;
#[cfg(test)]
mod tests;
mod types;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;

use crate::domain::{NewSession, SessionId};
use crate::store::{CreateOutcome, Known, LogState, LookUp, StoreError};

use batch::Batch;
use lane::{Item, Lane, Pace, Stage, Tail, Work};
pub use types::{Answer, CallId, Closing, Effect, Refusal, Request, Settings, Ticket};

/// See the module.
#[derive(Debug)]
pub struct Committer {
    settings: Settings,
    /// Sessions with work.
    lanes: HashMap<SessionId, Lane>,
    /// Tails of open sessions without work: what makes the next append cost no read.
    warm: LruCache<SessionId, (u64, Pace)>,
    /// Lanes that need a look-up, in order of need.
    to_look_up: VecDeque<SessionId>,
    /// Lanes that can go into a batch, in order of readiness.
    ready: VecDeque<SessionId>,
    /// Lanes that wait a moment, by when they go on.
    delayed: BTreeSet<(Duration, SessionId)>,
    look_ups: HashMap<CallId, Vec<Asked>>,
    batches: HashMap<CallId, Batch>,
    creations: Creations,
    next_call: u64,
    /// Requests that were not answered yet.
    unanswered: HashSet<Ticket>,
    /// All of them and some answered ones, by deadline (which is the order of arrival).
    deadlines: VecDeque<(Duration, Ticket)>,
    queued: usize,
    queued_bytes: usize,
}

/// A lane in a look-up: which session, how many of its items were waiting when it began, and how
/// many events were asked for.
#[derive(Debug)]
struct Asked {
    session_id: SessionId,
    waiting: usize,
    events: usize,
}

impl Asked {
    /// Whether this can be the answer.
    fn is_answered_by(&self, known: &Known) -> bool {
        match known.log {
            LogState::Absent | LogState::Erased => true,
            LogState::Open(_) | LogState::Closed(_) => known.events.len() == self.events,
        }
    }
}

#[derive(Debug, Default)]
struct Creations {
    waiting: VecDeque<(Ticket, NewSession)>,
    in_flight: Option<(CallId, Vec<(Ticket, NewSession)>)>,
    failures: u32,
    not_before: Duration,
}

/// Lanes and event ids in one look-up at most: keeps one question to the store small, and its
/// answer, which may hold an event of the largest size for each id.
const MAX_QUESTIONS: usize = 500;
/// Event ids of one lane in one look-up at most; the rest comes in the next ones. So a lane that
/// has much to settle leaves room for the others.
const MAX_EVENTS_OF_LANE: usize = 100;
/// Look-ups at the same time; a second one lets new lanes start while a large one is answered.
const MAX_LOOK_UPS: usize = 2;

impl Committer {
    /// A committer that knows nothing yet.
    pub fn new(settings: Settings) -> Self {
        let lanes = NonZeroUsize::new(settings.lanes).unwrap_or(NonZeroUsize::MIN);
        Self {
            settings,
            lanes: HashMap::new(),
            warm: LruCache::new(lanes),
            to_look_up: VecDeque::new(),
            ready: VecDeque::new(),
            delayed: BTreeSet::new(),
            look_ups: HashMap::new(),
            batches: HashMap::new(),
            creations: Creations::default(),
            next_call: 0,
            unanswered: HashSet::new(),
            deadlines: VecDeque::new(),
            queued: 0,
            queued_bytes: 0,
        }
    }

    /// Takes requests in the order in which they are to happen; refuses at once those that the
    /// queue has no room for.
    pub fn submit(
        &mut self,
        now: Duration,
        requests: impl IntoIterator<Item = (Ticket, Request)>,
        effects: &mut Vec<Effect>,
    ) {
        for (ticket, request) in requests {
            let bytes = request.bytes();
            if self.queued >= self.settings.queue_items
                || self.queued_bytes + bytes > self.settings.queue_bytes
            {
                effects.push(Effect::Answer(ticket, Answer::Refused(Refusal::Overloaded)));
                continue;
            }
            self.queued += 1;
            self.queued_bytes += bytes;
            self.unanswered.insert(ticket);
            self.deadlines
                .push_back((now + self.settings.deadline, ticket));
            match request {
                Request::Create(session) => self.creations.waiting.push_back((ticket, session)),
                Request::Append(event) => {
                    self.enqueue(now, Item::new(ticket, now, Work::Append(event)));
                }
                Request::Close(closing) => {
                    self.enqueue(now, Item::new(ticket, now, Work::Close(closing)));
                }
            }
        }
        self.pump(now, effects);
    }

    /// The answer to [`Effect::LookUp`].
    pub fn looked_up(
        &mut self,
        now: Duration,
        call: CallId,
        result: Result<Vec<Known>, StoreError>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(asked) = self.look_ups.remove(&call) else {
            return;
        };
        match result {
            Ok(known) if is_answered(&asked, &known) => {
                for (asked, known) in asked.into_iter().zip(known) {
                    self.lane_looked_up(now, &asked, known, effects);
                }
            }
            Ok(_) | Err(_) => {
                for asked in asked {
                    self.delay(now, &asked.session_id);
                }
            }
        }
        self.pump(now, effects);
    }

    /// The answer to [`Effect::Create`].
    pub fn created(
        &mut self,
        now: Duration,
        call: CallId,
        outcomes: Vec<CreateOutcome>,
        effects: &mut Vec<Effect>,
    ) {
        let Some((_, sent)) = self
            .creations
            .in_flight
            .take_if(|(current, _)| *current == call)
        else {
            return;
        };
        let mut outcomes = outcomes.into_iter();
        let mut again = Vec::new();
        for (ticket, session) in sent {
            let answer = match outcomes.next().unwrap_or(CreateOutcome::Unknown) {
                CreateOutcome::Created(session) => {
                    // A new session has an empty log, whatever others append meanwhile.
                    let id = &session.session_id;
                    if !self.lanes.contains_key(id) && !self.warm.contains(id) {
                        self.warm.put(id.clone(), (0, Pace::default()));
                    }
                    Answer::Created {
                        session,
                        replayed: false,
                    }
                }
                CreateOutcome::Existing(session) => Answer::Created {
                    session,
                    replayed: true,
                },
                CreateOutcome::Erased => Answer::Refused(Refusal::Erased),
                CreateOutcome::Unknown => {
                    again.push((ticket, session));
                    continue;
                }
            };
            self.leave(Request::creation_bytes(&session));
            self.answer(ticket, answer, effects);
        }
        if again.is_empty() {
            self.creations.failures = 0;
        } else {
            self.creations.not_before = now + self.settings.delay_after(self.creations.failures);
            self.creations.failures = self.creations.failures.saturating_add(1);
            for waiting in again.into_iter().rev() {
                self.creations.waiting.push_front(waiting);
            }
        }
        self.pump(now, effects);
    }

    /// Time has passed: refuses what is past its deadline, wakes what was delayed.
    pub fn tick(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        while let Some(&(deadline, ticket)) = self.deadlines.front() {
            if deadline > now {
                break;
            }
            self.deadlines.pop_front();
            self.answer(ticket, Answer::Refused(Refusal::TimedOut), effects);
        }
        while self.delayed.first().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, session_id)) = self.delayed.pop_first() {
                self.reschedule(now, &session_id);
            }
        }
        self.pump(now, effects);
    }

    /// When [`Self::tick`] is needed next.
    pub fn next_tick(&mut self) -> Option<Duration> {
        while let Some((_, ticket)) = self.deadlines.front() {
            if self.unanswered.contains(ticket) {
                break;
            }
            self.deadlines.pop_front();
        }
        let deadline = self.deadlines.front().map(|(due, _)| *due);
        let delayed = self.delayed.first().map(|(due, _)| *due);
        let creations = (!self.creations.waiting.is_empty() && self.creations.in_flight.is_none())
            .then_some(self.creations.not_before);
        [deadline, delayed, creations].into_iter().flatten().min()
    }

    /// Requests that are queued or in flight.
    pub fn queue_depth(&self) -> usize {
        self.queued
    }

    /// Whether the queue takes another request, if that is not too large for it.
    pub fn has_room(&self) -> bool {
        self.queued < self.settings.queue_items && self.queued_bytes < self.settings.queue_bytes
    }

    /// Sessions whose tail is known or being worked on.
    pub fn lane_count(&self) -> usize {
        self.lanes.len() + self.warm.len()
    }

    /// Whether nothing is queued or in flight.
    pub fn is_idle(&self) -> bool {
        self.queued == 0 && self.batches.is_empty() && self.look_ups.is_empty()
    }

    fn enqueue(&mut self, now: Duration, item: Item) {
        let session_id = item.work.session_id().clone();
        let lane = self.lanes.entry(session_id.clone()).or_insert_with(|| {
            match self.warm.pop(&session_id) {
                Some((tail, pace)) => Lane::new(Tail::Open(tail), pace),
                None => Lane::new(Tail::Unknown, Pace::default()),
            }
        });
        lane.waiting.push_back(item);
        if lane.stage == Stage::Idle {
            self.reschedule(now, &session_id);
        }
    }

    /// Puts a lane that is nowhere where it belongs next; one without work is dissolved.
    fn reschedule(&mut self, now: Duration, session_id: &SessionId) {
        let Some(lane) = self.lanes.get_mut(session_id) else {
            return;
        };
        if lane.waiting.is_empty() {
            if let Tail::Open(tail) = lane.tail {
                self.warm.put(session_id.clone(), (tail, lane.pace));
            }
            self.lanes.remove(session_id);
        } else if lane.needs_look_up() {
            lane.stage = Stage::Queued;
            self.to_look_up.push_back(session_id.clone());
        } else if lane.pace.not_before > now {
            lane.stage = Stage::Delayed;
            let due = lane.pace.not_before;
            self.delayed.insert((due, session_id.clone()));
        } else {
            lane.stage = Stage::Queued;
            self.ready.push_back(session_id.clone());
        }
    }

    /// Lets a lane wait after a failure, longer each time.
    fn delay(&mut self, now: Duration, session_id: &SessionId) {
        let Some(lane) = self.lanes.get_mut(session_id) else {
            return;
        };
        // A store that is away for long must not fill the queue with what nobody waits for.
        let (wanted, unwanted): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut lane.waiting)
            .into_iter()
            .partition(|item| self.unanswered.contains(&item.ticket));
        lane.waiting = wanted;
        if lane.waiting.is_empty() {
            self.reschedule(now, session_id);
        } else {
            let due = now + self.settings.delay_after(lane.failures);
            lane.failures = lane.failures.saturating_add(1);
            lane.stage = Stage::Delayed;
            self.delayed.insert((due, session_id.clone()));
        }
        for item in unwanted {
            self.leave(item.work.bytes());
        }
    }

    /// Starts whatever can start.
    fn pump(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        // Batches first: a lane that turns out to need a look-up is in this step's question.
        while self.batches.len() < self.settings.batches_in_flight && !self.ready.is_empty() {
            self.start_batch(now, effects);
        }
        while self.look_ups.len() < MAX_LOOK_UPS && !self.to_look_up.is_empty() {
            self.start_look_up(effects);
        }
        if self.creations.in_flight.is_none() && self.creations.not_before <= now {
            self.start_creation(effects);
        }
    }

    fn start_look_up(&mut self, effects: &mut Vec<Effect>) {
        let mut asked = Vec::new();
        let mut questions: Vec<LookUp> = Vec::new();
        let mut size = 0;
        while size < MAX_QUESTIONS {
            let Some(session_id) = self.to_look_up.pop_front() else {
                break;
            };
            let Some(lane) = self.lanes.get_mut(&session_id) else {
                continue;
            };
            lane.stage = Stage::InFlight;
            let room = MAX_EVENTS_OF_LANE.min(MAX_QUESTIONS - size);
            let event_ids = lane.suspect_event_ids(room);
            size += 1 + event_ids.len();
            asked.push(Asked {
                session_id: session_id.clone(),
                waiting: lane.waiting.len(),
                events: event_ids.len(),
            });
            questions.push(LookUp {
                session_id,
                event_ids,
            });
        }
        if !asked.is_empty() {
            let call = self.call_id();
            self.look_ups.insert(call, asked);
            effects.push(Effect::LookUp(call, questions));
        }
    }

    fn lane_looked_up(
        &mut self,
        now: Duration,
        asked: &Asked,
        known: Known,
        effects: &mut Vec<Effect>,
    ) {
        let Some(lane) = self.lanes.get_mut(&asked.session_id) else {
            return;
        };
        lane.stage = Stage::Idle;
        let verdict = match known.log {
            // Whoever came after the question was asked may have created the session meanwhile.
            LogState::Absent => lane.refuse_first(asked.waiting, &Refusal::SessionAbsent),
            LogState::Erased => lane.refuse_first(asked.waiting, &Refusal::Erased),
            LogState::Closed(terminal) => {
                lane.settle_closed(asked.waiting, &terminal, known.events)
            }
            LogState::Open(tail) => lane.settle_open(tail, known.events),
        };
        for (item, answer) in verdict.answers {
            self.leave(item.work.bytes());
            self.answer(item.ticket, answer, effects);
        }
        if verdict.look_again {
            self.delay(now, &asked.session_id);
        } else {
            self.reschedule(now, &asked.session_id);
        }
    }

    fn start_creation(&mut self, effects: &mut Vec<Effect>) {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < self.settings.batch_items && bytes < self.settings.batch_bytes {
            let Some((ticket, session)) = self.creations.waiting.pop_front() else {
                break;
            };
            let size = Request::creation_bytes(&session);
            if self.unanswered.contains(&ticket) {
                bytes += size;
                batch.push((ticket, session));
            } else {
                self.leave(size);
            }
        }
        if !batch.is_empty() {
            let call = self.call_id();
            let sessions = batch.iter().map(|(_, session)| session.clone()).collect();
            self.creations.in_flight = Some((call, batch));
            effects.push(Effect::Create(call, sessions));
        }
    }

    fn call_id(&mut self) -> CallId {
        self.next_call += 1;
        CallId(self.next_call)
    }

    /// One item is no longer queued.
    fn leave(&mut self, bytes: usize) {
        debug_assert!(self.queued > 0 && self.queued_bytes >= bytes);
        self.queued -= 1;
        self.queued_bytes -= bytes;
    }

    /// Answers a request, unless it was answered before.
    fn answer(&mut self, ticket: Ticket, answer: Answer, effects: &mut Vec<Effect>) {
        if self.unanswered.remove(&ticket) {
            effects.push(Effect::Answer(ticket, answer));
        }
    }
}

/// Whether every question has an answer.
fn is_answered(asked: &[Asked], known: &[Known]) -> bool {
    let mut both = asked.iter().zip(known);
    known.len() == asked.len() && both.all(|(asked, known)| asked.is_answered_by(known))
}
