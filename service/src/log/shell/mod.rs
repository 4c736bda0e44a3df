//! Carries out what the committer says: calls the store, answers the callers, keeps the time.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::log::hub::Hub;
use crate::log::{Answer, Committer, Effect, LogMetrics, Refusal, Request, Settings, Ticket};
use crate::store::{Store, StoreError};

pub(super) struct Shell {
    store: Arc<dyn Store>,
    hub: Hub,
    metrics: LogMetrics,
    started: Instant,
    state: Mutex<State>,
    /// Whether the committer had room when it was last asked.
    has_room: AtomicBool,
    /// The next tick has moved closer.
    rearm: Arc<Notify>,
    /// The committer has become idle.
    idle: Notify,
}

struct State {
    committer: Committer,
    callers: HashMap<Ticket, oneshot::Sender<Answer>>,
    next_ticket: u64,
    /// When the timer is set to go off.
    armed: Option<Duration>,
}

impl Shell {
    pub(super) fn start(
        store: Arc<dyn Store>,
        settings: Settings,
        metrics: LogMetrics,
        hub: Hub,
    ) -> Arc<Self> {
        let shell = Arc::new(Self {
            store,
            hub,
            metrics,
            started: Instant::now(),
            state: Mutex::new(State {
                committer: Committer::new(settings),
                callers: HashMap::new(),
                next_ticket: 0,
                armed: None,
            }),
            has_room: AtomicBool::new(true),
            rearm: Arc::default(),
            idle: Notify::new(),
        });
        tokio::spawn(Self::keep_time(
            Arc::downgrade(&shell),
            Arc::clone(&shell.rearm),
        ));
        shell
    }

    /// Hands in one request and waits for its answer. A caller that stops waiting withdraws
    /// nothing: what was accepted is carried out.
    pub(super) async fn request(self: &Arc<Self>, request: Request) -> Answer {
        let receiver = self.submit([request]).pop();
        match receiver {
            Some(receiver) => receiver.await.unwrap_or(LOST),
            None => LOST,
        }
    }

    /// Hands in several requests at once, so that they go into one batch as far as possible.
    pub(super) async fn requests(self: &Arc<Self>, requests: Vec<Request>) -> Vec<Answer> {
        let receivers = self.submit(requests);
        let mut answers = Vec::with_capacity(receivers.len());
        for receiver in receivers {
            answers.push(receiver.await.unwrap_or(LOST));
        }
        answers
    }

    /// Whether a request that is handed in now would probably be taken.
    pub(super) fn has_room(&self) -> bool {
        self.has_room.load(Ordering::Relaxed)
    }

    /// Waits until nothing is queued or in flight.
    pub(super) async fn drained(&self) {
        loop {
            let idle = self.idle.notified();
            if self.lock().committer.is_idle() {
                return;
            }
            idle.await;
        }
    }

    fn submit(
        self: &Arc<Self>,
        requests: impl IntoIterator<Item = Request>,
    ) -> Vec<oneshot::Receiver<Answer>> {
        let mut receivers = Vec::new();
        self.drive(|state, now, effects| {
            let State {
                committer,
                callers,
                next_ticket,
                ..
            } = state;
            let requests = requests.into_iter().map(|request| {
                let (sender, receiver) = oneshot::channel();
                let ticket = Ticket(*next_ticket);
                *next_ticket += 1;
                callers.insert(ticket, sender);
                receivers.push(receiver);
                (ticket, request)
            });
            committer.submit(now, requests, effects);
        });
        receivers
    }

    /// One step of the committer and everything that follows from it.
    fn drive(self: &Arc<Self>, step: impl FnOnce(&mut State, Duration, &mut Vec<Effect>)) {
        let mut effects = Vec::new();
        let mut answers = Vec::new();
        let mut news = Vec::new();
        let mut calls = Vec::new();
        let now = self.started.elapsed();
        {
            let mut state = self.lock();
            step(&mut state, now, &mut effects);
            for effect in effects {
                match effect {
                    Effect::Answer(ticket, answer) => {
                        answers.push((state.callers.remove(&ticket), answer));
                    }
                    Effect::Announce(records, stored) => news.push((records, stored)),
                    call => calls.push(call),
                }
            }
            let next = state.committer.next_tick();
            if let Some(next) = next
                && state.armed.is_none_or(|armed| next < armed)
            {
                state.armed = Some(next);
                self.rearm.notify_one();
            }
            let has_room = state.committer.has_room();
            self.has_room.store(has_room, Ordering::Relaxed);
            self.metrics
                .queue_depth
                .set(gauge(state.committer.queue_depth()));
            self.metrics.lanes.set(gauge(state.committer.lane_count()));
            if state.committer.is_idle() {
                self.idle.notify_waiters();
            }
        }
        for (records, stored) in news {
            self.hub.committed(&records[stored]);
        }
        for (caller, answer) in answers {
            if let Some(caller) = caller {
                // A caller that hung up does not want it any more.
                let _ = caller.send(answer);
            }
        }
        // Last, since a large batch takes its time to be encoded.
        for call in calls {
            self.perform(call);
        }
    }

    /// Every call to the store runs in its own task, to its end, whoever still waits for it.
    fn perform(self: &Arc<Self>, effect: Effect) {
        let shell = Arc::clone(self);
        let store = Arc::clone(&self.store);
        match effect {
            Effect::Answer(..) | Effect::Announce(..) => {}
            Effect::LookUp(call, questions) => {
                let look_up = async move { store.look_up(questions).await };
                begin(look_up, move |result| {
                    let result = result.unwrap_or(Err(StoreError::TimedOut));
                    if let Err(error) = &result {
                        tracing::warn!(%error, "look-up failed, will be repeated");
                    }
                    shell.drive(|state, now, effects| {
                        state.committer.looked_up(now, call, result, effects);
                    });
                });
            }
            Effect::Commit {
                call,
                records,
                waits,
            } => {
                #[expect(clippy::cast_precision_loss, reason = "batches are small")]
                self.metrics.batch_size.observe(records.len() as f64);
                for wait in waits {
                    self.metrics.wait.observe(wait.as_secs_f64());
                }
                let storing = self.hub.storing(Arc::clone(&records));
                let commit = async move { store.commit(records).await };
                begin(commit, move |outcomes| {
                    let outcomes = outcomes.unwrap_or_default();
                    shell.drive(|state, now, effects| {
                        state.committer.committed(now, call, &outcomes, effects);
                    });
                    // Followers have been told what is stored.
                    drop(storing);
                });
            }
            Effect::Create(call, sessions) => {
                let create = async move { store.create(sessions).await };
                begin(create, move |outcomes| {
                    let outcomes = outcomes.unwrap_or_default();
                    shell.drive(|state, now, effects| {
                        state.committer.created(now, call, outcomes, effects);
                    });
                });
            }
        }
    }

    /// Ticks when the committer needs it, until the shell is gone.
    async fn keep_time(shell: std::sync::Weak<Self>, rearm: Arc<Notify>) {
        loop {
            let Some(due) = shell.upgrade().map(|shell| shell.next_tick()) else {
                return;
            };
            tokio::select! {
                () = rearm.notified() => continue,
                () = sleep_until(due) => {}
            }
            if let Some(shell) = shell.upgrade() {
                shell.drive(|state, now, effects| {
                    state.armed = None;
                    state.committer.tick(now, effects);
                });
            }
        }
    }

    fn next_tick(&self) -> Option<Instant> {
        self.lock().armed.map(|armed| self.started + armed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in the committer is a bug, but the other sessions' lanes are still sound.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.rearm.notify_one();
    }
}

/// The answer when the committer let go of a request without one, which only a panic can cause:
/// nothing is known, repeating is safe.
const LOST: Answer = Answer::Refused(Refusal::TimedOut);

/// Makes a call to the store, and what follows from its result, in a task of its own. The call begins
/// right here: a new task would have its turn behind all that is ready already, such as the requests
/// that the batch before has just answered, and the store would wait meanwhile.
fn begin<T: Send + 'static>(
    call: impl Future<Output = T> + Send + 'static,
    then: impl FnOnce(Option<T>) + Send + 'static,
) {
    let mut call = Box::pin(survive(call));
    let at_once = call.as_mut().now_or_never();
    tokio::spawn(async move {
        then(match at_once {
            Some(result) => result,
            None => call.await,
        });
    });
}

/// The result of a call to the store; `None` if it panicked, which leaves its outcome unknown.
/// The call is made inside the future that comes in, so that a panic on the way to the first
/// `await` is caught too.
async fn survive<T>(call: impl Future<Output = T>) -> Option<T> {
    let result = AssertUnwindSafe(call).catch_unwind().await;
    if result.is_err() {
        tracing::error!("a call to the store panicked; its outcome is unknown");
    }
    result.ok()
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn gauge(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
