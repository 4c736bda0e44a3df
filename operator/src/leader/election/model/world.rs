//! The candidates, the API server between them, and what goes wrong.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::*;

/// Real time, in milliseconds.
pub(super) type Real = u64;

const TERMS: Terms = Terms {
    lease: Duration::from_secs(15),
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The API server answers nobody.
    Down,
    /// Nothing reaches this candidate, and nothing comes from it.
    Cut,
    /// Its requests are carried out, but it never learns of it.
    Deaf,
    /// Its messages take up to 20 s, in any order.
    Slow,
    /// The process stands still; its clock does not.
    Frozen,
    /// The process dies, and another one takes its place at the end.
    Crashed,
    /// The process is told to stop, and another one takes its place at the end.
    Left,
    /// Somebody deletes the Lease.
    Deleted,
}

#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) from: Real,
    pub(super) to: Real,
    pub(super) candidate: usize,
    pub(super) trouble: Trouble,
}

#[derive(Clone, Debug)]
enum Request {
    Get,
    Put(Claim, Option<String>),
}

#[derive(Clone, Debug)]
enum Answer {
    Lease(Option<Observed>),
    Conflict,
}

#[derive(Clone, Debug)]
enum Event {
    Wake {
        process: u64,
    },
    Arrive {
        process: u64,
        call: u64,
        request: Request,
    },
    Answered {
        process: u64,
        call: u64,
        answer: Answer,
    },
    GaveUp {
        process: u64,
        call: u64,
    },
    Heard {
        process: u64,
        lease: Option<Observed>,
    },
    Begins(Fault),
    Ends(Fault),
}

struct Process {
    id: u64,
    election: Election,
    /// The call in flight: its number, when it was sent, and whether it was a claim.
    call: Option<(u64, Time, bool)>,
    /// What waits for the end of a freeze.
    asleep: Option<Vec<Event>>,
}

struct Candidate {
    /// Local milliseconds in 1,000 real ones.
    rate: u64,
    origin: u64,
    process: Option<Process>,
}

pub(super) struct World {
    now: Real,
    lease: Option<Observed>,
    version: u64,
    /// The first version of this Lease.
    created: u64,
    candidates: Vec<Candidate>,
    faults: Vec<Fault>,
    queue: BinaryHeap<Reverse<(Real, u64)>>,
    events: HashMap<u64, Event>,
    ids: u64,
    rng: StdRng,
}

impl World {
    pub(super) fn new(rates: &[u64], faults: Vec<Fault>, seed: u64) -> Self {
        let mut world = Self {
            now: 0,
            lease: None,
            version: 0,
            created: 0,
            candidates: Vec::new(),
            faults: Vec::new(),
            queue: BinaryHeap::new(),
            events: HashMap::new(),
            ids: 0,
            rng: StdRng::seed_from_u64(seed),
        };
        for rate in rates {
            let origin = world.rng.random_range(0..1_000_000_000);
            let rate = *rate;
            world.candidates.push(Candidate {
                rate,
                origin,
                process: None,
            });
        }
        for candidate in 0..rates.len() {
            world.start(candidate);
        }
        for fault in faults {
            world.at(fault.from, Event::Begins(fault.clone()));
            world.at(fault.to, Event::Ends(fault));
        }
        world
    }

    fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    fn at(&mut self, when: Real, event: Event) {
        let id = self.id();
        self.queue.push(Reverse((when, id)));
        self.events.insert(id, event);
    }

    fn local(&self, candidate: usize) -> Time {
        let Candidate { rate, origin, .. } = self.candidates[candidate];
        Duration::from_micros(origin * 1_000 + self.now * rate)
    }

    /// The first real millisecond at which this candidate's clock shows `local`.
    fn real(&self, candidate: usize, local: Time) -> Real {
        let Candidate { rate, origin, .. } = self.candidates[candidate];
        let micros = u64::try_from(local.as_micros()).unwrap();
        micros
            .saturating_sub(origin * 1_000)
            .div_ceil(rate)
            .max(self.now)
    }

    fn place(&self, process: u64) -> Option<usize> {
        let is_it = |candidate: &Candidate| {
            candidate
                .process
                .as_ref()
                .is_some_and(|it| it.id == process)
        };
        self.candidates.iter().position(is_it)
    }

    fn process(&mut self, candidate: usize) -> &mut Process {
        self.candidates[candidate].process.as_mut().unwrap()
    }

    fn has(&self, trouble: Trouble, candidate: usize) -> bool {
        let is_it = |fault: &Fault| fault.trouble == trouble && fault.candidate == candidate;
        self.faults.iter().any(is_it)
    }

    /// Whether every process has seen this Lease, and none is about to create one. A Lease that is
    /// not there has no version, so its creation alone is not guarded: who does not know of the
    /// Lease that is deleted could not wait for its holder.
    fn is_known_to_all(&self) -> bool {
        let mut processes = self.candidates.iter().filter_map(|it| it.process.as_ref());
        let has_seen = |process: &Process| match process.election.latest() {
            Some(latest) => latest.parse::<u64>().unwrap() >= self.created,
            None => false,
        };
        let is_creation = |event: &Event| matches!(event, Event::Arrive { request: Request::Put(claim, _), .. } if claim.version.is_none());
        processes.all(has_seen) && !self.events.values().any(is_creation)
    }

    fn is_unreachable(&self, candidate: usize) -> bool {
        let is_down = self
            .faults
            .iter()
            .any(|fault| fault.trouble == Trouble::Down);
        is_down || self.has(Trouble::Cut, candidate)
    }

    fn delay(&mut self, candidate: usize) -> Real {
        let longest = if self.has(Trouble::Slow, candidate) {
            20_000
        } else {
            50
        };
        self.now + self.rng.random_range(1..longest)
    }

    fn start(&mut self, candidate: usize) {
        let id = self.id();
        self.candidates[candidate].process = Some(Process {
            id,
            election: Election::new(format!("process-{id}"), TERMS),
            call: None,
            asleep: None,
        });
        self.at(self.now, Event::Wake { process: id });
        self.relist(candidate);
    }

    /// A watch that begins again tells of the state at that time.
    fn relist(&mut self, candidate: usize) {
        if let Some(process) = self.candidates[candidate].process.as_ref().map(|it| it.id) {
            let lease = self.lease.clone();
            let when = self.delay(candidate);
            self.at(when, Event::Heard { process, lease });
        }
    }

    fn changed(&mut self, lease: Option<Observed>) {
        self.lease = lease;
        for candidate in 0..self.candidates.len() {
            self.relist(candidate);
        }
    }

    fn carry_out(&mut self, request: Request) -> Answer {
        let Request::Put(claim, holder) = request else {
            return Answer::Lease(self.lease.clone());
        };
        if claim.version != self.lease.as_ref().map(|lease| lease.version.clone()) {
            return Answer::Conflict;
        }
        self.version += 1;
        if claim.version.is_none() {
            self.created = self.version;
        }
        let lease = Observed {
            version: self.version.to_string(),
            holder,
            duration: Some(TERMS.lease),
            transitions: claim.transitions,
        };
        self.changed(Some(lease.clone()));
        Answer::Lease(Some(lease))
    }

    fn send(&mut self, candidate: usize, request: Request) {
        let call = self.id();
        let sent = self.local(candidate);
        let is_claim = matches!(request, Request::Put(..));
        let process = self.process(candidate);
        process.call = Some((call, sent, is_claim));
        let process = process.id;
        if !self.is_unreachable(candidate) {
            let when = self.delay(candidate);
            self.at(
                when,
                Event::Arrive {
                    process,
                    call,
                    request,
                },
            );
        }
        let limit = self.real(candidate, sent + TERMS.call());
        self.at(limit, Event::GaveUp { process, call });
    }

    /// What the shell does: one step after another, one call at a time.
    fn go_on(&mut self, candidate: usize) {
        let now = self.local(candidate);
        let process = self.process(candidate);
        if process.call.is_some() {
            return;
        }
        let (id, me) = (process.id, process.election.me.clone());
        match process.election.next(now) {
            Step::Wait(until) => {
                let when = self.real(candidate, until).max(self.now + 1);
                self.at(when, Event::Wake { process: id });
            }
            Step::StepAside(_) => self.at(self.now, Event::Wake { process: id }),
            Step::Look => self.send(candidate, Request::Get),
            Step::Acquire(claim) | Step::Renew(claim) => {
                self.send(candidate, Request::Put(claim, Some(me)));
            }
        }
    }

    fn begin(&mut self, fault: Fault) {
        let candidate = fault.candidate;
        match fault.trouble {
            Trouble::Crashed => self.candidates[candidate].process = None,
            Trouble::Left => {
                // It stops its work before it gives the Lease away.
                let process = self.candidates[candidate].process.take();
                let claim = process.and_then(|process| process.election.release());
                if let Some(claim) = claim
                    && !self.is_unreachable(candidate)
                {
                    let when = self.delay(candidate);
                    let request = Request::Put(claim, None);
                    self.at(
                        when,
                        Event::Arrive {
                            process: 0,
                            call: 0,
                            request,
                        },
                    );
                }
            }
            Trouble::Frozen => {
                if let Some(process) = &mut self.candidates[candidate].process {
                    process.asleep.get_or_insert_default();
                }
            }
            Trouble::Deleted => {
                if self.is_known_to_all() {
                    self.version += 1;
                    self.changed(None);
                }
            }
            Trouble::Down | Trouble::Cut | Trouble::Deaf | Trouble::Slow => {}
        }
        self.faults.push(fault);
    }

    fn end(&mut self, fault: &Fault) {
        let candidate = fault.candidate;
        let same = |it: &Fault| (it.from, it.to, it.candidate) == (fault.from, fault.to, candidate);
        if let Some(index) = self.faults.iter().position(same) {
            self.faults.swap_remove(index);
        }
        let process = &mut self.candidates[candidate].process;
        match (fault.trouble, process) {
            (Trouble::Crashed | Trouble::Left, None) => self.start(candidate),
            (Trouble::Frozen, Some(process)) => {
                for event in process.asleep.take().unwrap_or_default() {
                    self.at(self.now, event);
                }
            }
            _ => {}
        }
        for candidate in 0..self.candidates.len() {
            self.relist(candidate);
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Begins(fault) => self.begin(fault),
            Event::Ends(fault) => self.end(&fault),
            Event::Arrive {
                process,
                call,
                request,
            } => {
                let place = self.place(process);
                // What is on its way arrives even when its sender is gone.
                if place.map_or_else(
                    || self.is_unreachable(usize::MAX),
                    |it| self.is_unreachable(it),
                ) {
                    return;
                }
                let answer = self.carry_out(request);
                if let Some(candidate) = place
                    && !self.has(Trouble::Deaf, candidate)
                {
                    let when = self.delay(candidate);
                    self.at(
                        when,
                        Event::Answered {
                            process,
                            call,
                            answer,
                        },
                    );
                }
            }
            Event::Wake { process }
            | Event::Answered { process, .. }
            | Event::GaveUp { process, .. }
            | Event::Heard { process, .. } => {
                if let Some(candidate) = self.place(process) {
                    self.tell(candidate, event);
                }
            }
        }
    }

    fn tell(&mut self, candidate: usize, event: Event) {
        let now = self.local(candidate);
        let is_unreachable = self.is_unreachable(candidate);
        let process = self.process(candidate);
        if let Some(asleep) = &mut process.asleep {
            asleep.push(event);
            return;
        }
        match event {
            Event::Heard { .. } | Event::Answered { .. } if is_unreachable => return,
            Event::Heard { lease, .. } => process.election.heard(now, lease),
            Event::Answered { call, answer, .. } => match (process.call, answer) {
                (Some((id, sent, is_claim)), answer) if id == call => {
                    process.call = None;
                    match answer {
                        Answer::Conflict => process.election.failed(now, Failure::Conflict),
                        Answer::Lease(Some(lease)) if is_claim => {
                            process.election.claimed(sent, now, lease);
                        }
                        Answer::Lease(lease) => process.election.read(now, lease),
                    }
                }
                _ => return,
            },
            Event::GaveUp { call, .. } => match process.call {
                Some((id, ..)) if id == call => {
                    process.call = None;
                    process.election.failed(now, Failure::Unknown);
                }
                _ => return,
            },
            _ => {}
        }
        self.go_on(candidate);
    }

    pub(super) fn leaders(&self) -> Vec<u64> {
        let leads = |index: usize| {
            let process = self.candidates[index].process.as_ref()?;
            let until = process.election.leads_until()?;
            (self.local(index) < until).then_some(process.id)
        };
        (0..self.candidates.len()).filter_map(leads).collect()
    }

    /// Runs on to this time, and checks after every event that at most one leads.
    pub(super) fn run(&mut self, until: Real) -> Result<(), TestCaseError> {
        while let Some(Reverse((when, id))) = self.queue.peek().copied()
            && when <= until
        {
            self.queue.pop();
            self.now = when;
            let event = self.events.remove(&id).unwrap();
            self.handle(event);
            let leaders = self.leaders();
            prop_assert!(leaders.len() <= 1, "at {}: {leaders:?} lead", self.now);
        }
        self.now = until;
        Ok(())
    }
}
