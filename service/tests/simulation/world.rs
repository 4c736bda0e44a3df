//! The simulated world: virtual time, what happens next, and the run of one seed.

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sessionstore::domain::NewEvent;
use sessionstore::log::{Answer, Refusal, Request, Ticket};
use sessionstore::store::Record;

use crate::agenda::{Agenda, Event};
use crate::calls::{Call, Insert};
use crate::checks::{Judge, ToldNew};
use crate::clients::Client;
use crate::figures::Figures;
use crate::history::{Entry, History, Outcome};
use crate::model::Cluster;
use crate::plan::{Bug, Plan};
use crate::process::Process;
use crate::violation::{Violation, promise};

/// More than any run needs by far: a run that takes more steps never comes to rest.
const MAX_STEPS: usize = 200_000;

pub(crate) struct World {
    pub(crate) rng: StdRng,
    pub(crate) plan: Plan,
    pub(crate) now: Duration,
    /// Counts what has happened: the order of everything in a history.
    pub(crate) step: usize,
    pub(crate) agenda: Agenda,
    pub(crate) cluster: Cluster,
    pub(crate) processes: Vec<Process>,
    pub(crate) clients: Vec<Client>,
    /// Every call to the store, by its number.
    pub(crate) calls: Vec<Call>,
    /// Every insert, by its number; a call may be sent more than once.
    pub(crate) inserts: Vec<Insert>,
    /// Inserts that are done and wait for the majority.
    pub(crate) unacknowledged_inserts: Vec<usize>,
    /// Calls that create and wait for the majority.
    pub(crate) unacknowledged_creations: Vec<usize>,
    pub(crate) advance_is_due: bool,
    pub(crate) stalled_until: Duration,
    pub(crate) history: History,
    /// Events that somebody tried to append, as they were given first.
    pub(crate) attempted: Vec<NewEvent>,
    pub(crate) names_given: u64,
    told_new: ToldNew,
    /// From now on nothing goes wrong any more.
    pub(crate) is_calm: bool,
    pub(crate) figures: Figures,
    is_traced: bool,
}

/// Runs one seed from its beginning until everything has come to rest.
pub(crate) fn run(seed: u64, bug: Option<Bug>, is_traced: bool) -> Result<Figures, Violation> {
    let mut world = finished(seed, bug, is_traced)?;
    world.figures.seeds = 1;
    world.figures.steps = world.step as u64;
    Ok(world.figures)
}

/// What was asked for in the run of one seed, in the order in which it was.
pub(crate) fn requests(seed: u64) -> Result<Vec<Entry>, Violation> {
    Ok(finished(seed, None, false)?.history.entries().to_vec())
}

fn finished(seed: u64, bug: Option<Bug>, is_traced: bool) -> Result<World, Violation> {
    let mut rng = StdRng::seed_from_u64(seed);
    let plan = Plan::of(&mut rng, bug);
    let mut world = World::new(rng, plan, is_traced);
    world.trace(format_args!("{:#?}", world.plan));
    world.run()?;
    world.settle()?;
    world.judge().check_all()?;
    Ok(world)
}

impl World {
    pub(crate) fn new(rng: StdRng, plan: Plan, is_traced: bool) -> Self {
        let mut world = Self {
            rng,
            now: Duration::ZERO,
            step: 0,
            agenda: Agenda::default(),
            cluster: Cluster::new(),
            processes: Vec::new(),
            clients: Vec::new(),
            calls: Vec::new(),
            inserts: Vec::new(),
            unacknowledged_inserts: Vec::new(),
            unacknowledged_creations: Vec::new(),
            advance_is_due: false,
            stalled_until: Duration::ZERO,
            history: History::default(),
            attempted: Vec::new(),
            names_given: 0,
            told_new: ToldNew::default(),
            is_calm: false,
            figures: Figures::default(),
            is_traced,
            plan,
        };
        for _ in 0..world.plan.processes {
            world.processes.push(Process::new(&world.plan.settings));
        }
        for number in 0..world.plan.clients {
            let home = number % world.plan.processes;
            world.clients.push(Client::new(home, world.plan.operations));
            let first = world.plan.think.pick(&mut world.rng);
            world.agenda.enter(first, Event::Think(number));
        }
        if let Some(span) = world.plan.trouble {
            let first = span.pick(&mut world.rng);
            world.agenda.enter(first, Event::Trouble);
        }
        world
    }

    /// Lets happen what happens, until nothing more will.
    pub(crate) fn run(&mut self) -> Result<(), Violation> {
        self.run_until(Duration::MAX)
    }

    /// The same up to a moment.
    pub(crate) fn run_until(&mut self, end: Duration) -> Result<(), Violation> {
        while let Some((at, event)) = self.agenda.next() {
            debug_assert!(at >= self.now, "time goes on");
            if at > end {
                break;
            }
            self.now = at;
            self.step += 1;
            promise("everything comes to rest", self.step < MAX_STEPS, || {
                format!("{} steps, now {event:?}", self.step)
            })?;
            self.happen(event)?;
        }
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Think(client) => self.think(client),
            Event::HangUp(client, operation) => {
                self.hang_up(client, operation);
                Ok(())
            }
            Event::Tick(process, generation) => self.tick(process, generation),
            Event::Insert(insert) => self.insert_next(insert),
            Event::Create(call) => self.create(call),
            Event::Ask(call) => {
                self.ask(call);
                Ok(())
            }
            Event::AskOn(call, half) => {
                self.ask_on(call, half);
                Ok(())
            }
            Event::Read(call) => {
                self.read(call);
                Ok(())
            }
            Event::Reply(call, reply) => self.reply(call, reply),
            Event::GiveUp(call) => self.give_up(call),
            Event::Advance(branch) => self.advance(branch),
            Event::Erase(session_id) => self.erase(session_id),
            Event::Trouble => self.trouble(),
            Event::Restart(process) => {
                self.restart(process);
                Ok(())
            }
            Event::Heal(process) => {
                self.heal(process);
                Ok(())
            }
        }
    }

    /// Hands requests to a process, all at once.
    pub(crate) fn submit(
        &mut self,
        client: usize,
        process: usize,
        requests: Vec<Request>,
    ) -> Result<Vec<Ticket>, Violation> {
        let group = self.history.entries().len();
        let may_be_stale = self.processes[process].branch != self.cluster.current();
        let mut tickets = Vec::new();
        for request in &requests {
            self.trace(format_args!("c{client} → p{process} {request:?}"));
            tickets.push(self.history.begin(Entry {
                client,
                process,
                group,
                began: self.step,
                began_at: self.now,
                request: request.clone(),
                outcome: Outcome::Waiting,
                may_be_stale,
            }));
        }
        self.figures.requests += tickets.len() as u64;
        self.clients[client].waiting.extend(&tickets);
        let requests: Vec<_> = tickets.iter().copied().zip(requests).collect();
        self.drive(process, |committer, now, effects| {
            committer.submit(now, requests, effects);
        })?;
        Ok(tickets)
    }

    /// A committer has answered a request.
    pub(crate) fn answered(&mut self, ticket: Ticket, answer: &Answer) -> Result<(), Violation> {
        self.trace(format_args!("{ticket:?} answered {answer:?}"));
        self.figures.answered(answer);
        self.history.answer(self.step, ticket, answer);
        self.check_time(self.history.entry(ticket), answer)?;
        let mut told_new = std::mem::take(&mut self.told_new);
        self.judge().check_answer(ticket, answer, &mut told_new)?;
        self.told_new = told_new;
        self.client_answered(ticket, answer);
        Ok(())
    }

    /// A committer tells followers of records.
    pub(crate) fn announced(&self, records: &[Record]) -> Result<(), Violation> {
        self.trace(format_args!("followers are told {records:?}"));
        self.judge().check_announced(records)
    }

    fn judge(&self) -> Judge<'_> {
        Judge {
            history: &self.history,
            cluster: &self.cluster,
            step: self.step,
        }
    }

    fn check_time(&self, entry: &Entry, answer: &Answer) -> Result<(), Violation> {
        let deadline = entry.began_at + self.plan.settings.deadline;
        let is_timed_out = matches!(answer, Answer::Refused(Refusal::TimedOut));
        promise(
            "a request is answered within its deadline, and not given up before",
            self.now <= deadline && (!is_timed_out || self.now == deadline),
            || format!("at {:?}: {entry:?}", self.now),
        )
    }

    /// Everything is well and at rest: nothing may be left over, and every further request must
    /// be answered, by every process and for every session.
    fn settle(&mut self) -> Result<(), Violation> {
        self.check_rest()?;
        self.trace(format_args!("all is well from here on"));
        for process in 0..self.processes.len() {
            for request in self.parting_requests(process) {
                let tickets = self.submit(0, process, vec![request])?;
                self.run()?;
                let entry = self.history.entry(tickets[0]);
                promise(
                    "in a healthy system every request is done or refused for good",
                    entry.answer().is_some_and(is_final),
                    || format!("{entry:?}"),
                )?;
            }
        }
        self.check_rest()
    }

    /// Nothing is queued, in flight or due.
    fn check_rest(&mut self) -> Result<(), Violation> {
        for (number, process) in self.processes.iter_mut().enumerate() {
            let Some(committer) = &mut process.committer else {
                continue;
            };
            promise(
                "everything leaves the queue",
                committer.queue_depth() == 0
                    && committer.is_idle()
                    && committer.next_tick().is_none(),
                || format!("p{number}: {committer:?}"),
            )?;
        }
        let waiting = |entry: &&Entry| matches!(entry.outcome, Outcome::Waiting);
        let unanswered = self.history.entries().iter().find(waiting);
        promise("every request is answered", unanswered.is_none(), || {
            format!("{unanswered:?}")
        })
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    /// A moment from now.
    pub(crate) fn soon(&mut self, from_micros: u64, to_micros: u64) -> Duration {
        self.now + Duration::from_micros(self.rng.random_range(from_micros..=to_micros))
    }

    /// One way over the network from now.
    pub(crate) fn over_network(&mut self) -> Duration {
        self.now + self.plan.network.pick(&mut self.rng)
    }

    pub(crate) fn trace(&self, line: fmt::Arguments<'_>) {
        if self.is_traced {
            println!("{:>5} {:>11?} {line}", self.step, self.now);
        }
    }
}

/// Whether an answer would be the same if the request were repeated now.
pub(crate) fn is_final(answer: &Answer) -> bool {
    !matches!(
        answer,
        Answer::Refused(Refusal::Overloaded | Refusal::TimedOut)
    )
}
