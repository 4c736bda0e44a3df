//! What goes wrong apart from single calls: crashes, failovers, partitions, a slow majority. And
//! erasures, which the model store carries out by itself.

use rand::Rng;
use sessionstore::domain::SessionId;

use crate::agenda::Event;
use crate::calls::{AnswerFate, Kind};
use crate::figures::Fault;
use crate::violation::Violation;
use crate::world::World;

impl World {
    pub(crate) fn trouble(&mut self) -> Result<(), Violation> {
        if self.is_calm {
            return Ok(());
        }
        match self.rng.random_range(0..4) {
            0 => {
                let process = self.rng.random_range(0..self.processes.len());
                if self.processes[process].committer.is_some() {
                    self.figures.count(Fault::Crash);
                    self.crash(process);
                }
            }
            1 => self.fail_over(false)?,
            2 => self.fail_over(true)?,
            _ => {
                self.figures.count(Fault::Stall);
                let longest = 2 * self.plan.settings.deadline;
                self.stalled_until = self.now + longest.mul_f64(self.rng.random());
                self.trace(format_args!(
                    "majority stalls until {:?}",
                    self.stalled_until
                ));
            }
        }
        if let Some(span) = self.plan.trouble {
            let next = self.now + span.pick(&mut self.rng);
            self.agenda.enter(next, Event::Trouble);
        }
        Ok(())
    }

    /// Another member becomes primary; with `cuts_off`, some processes do not notice for a while.
    fn fail_over(&mut self, cuts_off: bool) -> Result<(), Violation> {
        self.figures.count(Fault::Failover);
        let old = self.cluster.current();
        let rolled_back = self.cluster.fail_over(&mut self.rng)?;
        let new = self.cluster.current();
        self.trace(format_args!("primary {new}, {rolled_back} rolled back"));
        if rolled_back > 0 {
            self.figures.count(Fault::RolledBack);
        }
        for process in 0..self.processes.len() {
            if self.processes[process].branch != old {
                continue;
            }
            if cuts_off && self.processes[process].committer.is_some() && self.chance(0.6) {
                self.cut_off(process);
            } else {
                self.processes[process].branch = new;
            }
        }
        self.leave_behind(old);
        self.advance_is_due = false;
        self.advance_later();
        Ok(())
    }

    /// A process keeps talking to the deposed primary.
    fn cut_off(&mut self, process: usize) {
        self.figures.count(Fault::CutOff);
        self.trace(format_args!("p{process} is cut off"));
        for entry in self.history.waiting_at(process) {
            entry.may_be_stale = true;
        }
        for call in &mut self.calls {
            if let Kind::Read(read) = &mut call.kind
                && call.process == process
            {
                read.may_be_stale = true;
            }
        }
        let healed = self.soon(10_000, 300_000);
        self.agenda.enter(healed, Event::Heal(process));
    }

    /// Calls that were under way at the old primary: their callers notice soon, or at the end of
    /// their patience. Some commits are sent again to the new one.
    fn leave_behind(&mut self, old: usize) {
        for call in 0..self.calls.len() {
            let state = &self.calls[call];
            let is_left = state.branch == old && !self.is_reachable(call, old);
            if is_left && !state.is_settled && self.chance(0.7) {
                let noticed = self.soon(0, 3_000);
                self.agenda.enter(noticed, Event::GiveUp(call));
            }
        }
        for insert in 0..self.inserts.len() {
            let state = &self.inserts[insert];
            let call = state.call;
            let is_left = state.branch == old && !self.is_reachable(call, old);
            let is_young = self.calls[call].branch == old && !self.calls[call].is_settled;
            if is_left && is_young && self.chance(0.3) {
                self.figures.count(Fault::Resent);
                let again = self.over_network() + self.plan.patience.mul_f64(self.rng.random());
                self.send_insert(call, again, AnswerFate::Comes);
            }
        }
    }

    /// A process finds the present primary; what it asked the old one is lost.
    pub(crate) fn heal(&mut self, process: usize) {
        let current = self.cluster.current();
        let state = &mut self.processes[process];
        if state.branch == current {
            return;
        }
        state.branch = current;
        self.trace(format_args!("p{process} finds the primary"));
        for (call, state) in self.calls.iter().enumerate() {
            if state.process == process && state.branch != current && !state.is_settled {
                self.agenda.enter(self.now, Event::GiveUp(call));
            }
        }
    }

    /// From now on nothing goes wrong any more, and what is broken heals.
    pub(crate) fn calm_down(&mut self) {
        if self.is_calm {
            return;
        }
        self.trace(format_args!("nothing goes wrong from here on"));
        self.is_calm = true;
        self.stalled_until = self.now;
        let current = self.cluster.current();
        self.agenda.enter(self.now, Event::Advance(current));
        for process in 0..self.processes.len() {
            self.agenda.enter(self.now, Event::Restart(process));
            self.agenda.enter(self.now, Event::Heal(process));
        }
    }

    pub(crate) fn erase(&mut self, id: SessionId) -> Result<(), Violation> {
        if self.plan.per_session {
            self.cluster.erase_at_once(&id)?;
        }
        let is_done = self.cluster.erase_step(&id)?;
        self.advance_later();
        if !is_done {
            let next = self.soon(100, 3_000);
            self.agenda.enter(next, Event::Erase(id));
        } else if self
            .cluster
            .canon()
            .session(&id)
            .is_some_and(|session| session.tombstone.is_some())
        {
            self.trace(format_args!("{id} is erased"));
            let step = self.step;
            self.history.erased_since.entry(id).or_insert(step);
        }
        Ok(())
    }
}
