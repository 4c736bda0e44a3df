//! A process: one committer, and a shell around it that has no threads and no clock.

use std::time::Duration;

use sessionstore::log::{Committer, Effect, Settings};

use crate::agenda::Event;
use crate::history::Outcome;
use crate::violation::Violation;
use crate::world::World;

pub(crate) struct Process {
    /// `None` while it is dead.
    pub(crate) committer: Option<Committer>,
    /// Tells a restarted process from the one before.
    pub(crate) generation: u64,
    /// When its timer is set to go off.
    armed: Option<Duration>,
    /// The primary it talks to.
    pub(crate) branch: usize,
}

impl Process {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            committer: Some(Committer::new(settings.clone())),
            generation: 0,
            armed: None,
            branch: 0,
        }
    }
}

impl World {
    /// One step of a process's committer and everything that follows from it.
    pub(crate) fn drive(
        &mut self,
        process: usize,
        step: impl FnOnce(&mut Committer, Duration, &mut Vec<Effect>),
    ) -> Result<(), Violation> {
        let now = self.now;
        let state = &mut self.processes[process];
        let Some(committer) = &mut state.committer else {
            return Ok(());
        };
        let mut effects = Vec::new();
        step(committer, now, &mut effects);
        if let Some(next) = committer.next_tick()
            && state.armed.is_none_or(|armed| next < armed)
        {
            let due = next.max(now);
            state.armed = Some(due);
            let tick = Event::Tick(process, state.generation);
            self.agenda.enter(due, tick);
        }
        for effect in effects {
            match effect {
                Effect::Answer(ticket, answer) => self.answered(ticket, &answer)?,
                Effect::LookUp(call, questions) => self.start_look_up(process, call, questions),
                Effect::Commit { call, records, .. } => self.start_commit(process, call, records),
                Effect::Create(call, sessions) => self.start_create(process, call, sessions),
                Effect::Announce(records, stored) => self.announced(&records[stored])?,
            }
        }
        Ok(())
    }

    pub(crate) fn tick(&mut self, process: usize, generation: u64) -> Result<(), Violation> {
        let state = &mut self.processes[process];
        // A timer that was set to an earlier moment since then has gone off in its place.
        if state.generation != generation || state.armed != Some(self.now) {
            return Ok(());
        }
        state.armed = None;
        self.drive(process, |committer, now, effects| {
            committer.tick(now, effects);
        })
    }

    /// A process dies, and what its callers waited for with it. What it has sent goes on.
    pub(crate) fn crash(&mut self, process: usize) {
        self.trace(format_args!("p{process} crashes"));
        let state = &mut self.processes[process];
        state.committer = None;
        state.generation += 1;
        state.armed = None;
        for entry in self.history.waiting_at(process) {
            entry.outcome = Outcome::Lost;
        }
        self.clients_lost(process);
        let back = self.soon(1_000, 100_000);
        self.agenda.enter(back, Event::Restart(process));
    }

    pub(crate) fn restart(&mut self, process: usize) {
        let state = &mut self.processes[process];
        if state.committer.is_none() {
            state.committer = Some(Committer::new(self.plan.settings.clone()));
            state.branch = self.cluster.current();
            self.trace(format_args!("p{process} is back"));
        }
    }
}
