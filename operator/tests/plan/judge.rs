//! The promises.

use std::collections::BTreeSet;

use sessionstore_operator::mongo::plan::{Action, Change, Next, Restart, State};

use crate::event::ORDINALS;
use crate::operator::host;
use crate::server::{Disk, ServerConfig};
use crate::violation::{Violation, promise};
use crate::world::World;

/// How many entries a member may lack and still count as healthy, as the plan has it.
const CAUGHT_UP: u32 = 2;

impl World {
    /// The primary of our set that has the newest configuration.
    fn leader(&self) -> Option<usize> {
        let leads = |it: &usize| {
            let set_id = self.config(*it).map(|it| &it.set_id);
            self.state(*it) == Some(State::Primary) && set_id == self.known_set.as_ref()
        };
        let primaries = (0..ORDINALS).filter(leads);
        primaries.max_by_key(|it| self.config(*it).map(|it| it.version))
    }

    /// Whether a member really serves: it runs, is heard, and has nearly everything.
    fn is_healthy(&self, at: usize) -> bool {
        let Some(leader) = self.leader() else {
            return false;
        };
        if at == leader {
            return true;
        }
        let seconds = |it: usize| self.disk(it).map_or(0, |it| it.applied().seconds);
        let is_heard = self.processes[leader]
            .as_ref()
            .is_some_and(|it| it.heard[at].is_some());
        let stays = self.pods[at].as_ref().is_some_and(|it| !it.leaving);
        self.state(at) == Some(State::Secondary)
            && is_heard
            && stays
            && seconds(leader).saturating_sub(seconds(at)) <= CAUGHT_UP
    }

    /// Whether the operators reach it.
    fn is_seen(&self, at: usize) -> bool {
        !self.nodes[at].blind
    }

    fn healthy(&self, members: &[(usize, bool)]) -> usize {
        let ordinals = members.iter().map(|(it, _)| *it);
        ordinals.filter(|it| self.is_healthy(*it)).count()
    }

    /// What is decided on what is seen now must not cost the majority.
    pub(crate) fn check_decision(&self, next: &Next) -> Result<(), Violation> {
        const MAJORITY: &str = "the plan never takes away the majority";
        let finding = || format!("{next:?}\n{self}");
        if let Next::Do(Action::RestartPod { ordinal, .. }) = next {
            let leads = self.leader().filter(|it| self.is_seen(*it));
            let is_torn = leads.is_some_and(|it| !self.has_key(it)) && self.is_healthy(*ordinal);
            promise(
                "no member gets a key that the set has not",
                !is_torn,
                finding,
            )?;
        }
        let config = self.leader().and_then(|it| self.config(it));
        let members = config.map_or(&[][..], |it| &it.members[..]);
        let majority = members.len() / 2;
        match next {
            Next::Do(Action::RestartPod {
                ordinal,
                restart: Restart::Useless,
                ..
            }) => {
                let is_member = config.is_none_or(|it| it.lists(*ordinal));
                let serves = matches!(
                    self.state(*ordinal),
                    Some(State::Primary | State::Secondary)
                );
                let is_heard = self
                    .leader()
                    .is_none_or(|it| self.have_one_key(it, *ordinal));
                let serves = serves && is_member && is_heard;
                promise("a pod that is deleted serves nobody", !serves, finding)
            }
            Next::Do(Action::RestartPod { ordinal, .. }) => {
                let is_healthy = self.is_healthy(*ordinal);
                let others = self.healthy(members) - usize::from(is_healthy);
                let is_alone = members.len() == 1 && self.members == 1;
                let leads = self.leader() == Some(*ordinal);
                promise(
                    "a primary hands over before its pod goes",
                    is_alone || !leads,
                    finding,
                )?;
                let costs_nothing = !is_healthy && others + 1 == members.len();
                promise(
                    MAJORITY,
                    is_alone || costs_nothing || others > majority,
                    finding,
                )
            }
            Next::Do(Action::Reconfigure {
                primary,
                base,
                change,
            }) => {
                let mut after = members.to_vec();
                if let Change::Remove { host: gone } = change {
                    after.retain(|(it, _)| host(*it) != *gone);
                }
                let stays = after.iter().any(|(it, _)| it == primary);
                promise("the primary is never removed", stays, finding)?;
                let is_settled = config.is_some_and(|it| self.is_on_majority(it));
                promise("one change at a time", is_settled, finding)?;
                let is_newest = config.is_some_and(|it| it.version == *base);
                promise(
                    "a change is of the newest configuration",
                    is_newest,
                    finding,
                )?;
                promise(MAJORITY, self.healthy(&after) > after.len() / 2, finding)
            }
            Next::Do(Action::Initiate { .. }) => {
                let is_nowhere = (0..ORDINALS).all(|it| self.config(it).is_none());
                promise("no second set is begun", is_nowhere, finding)
            }
            Next::Do(Action::StepDown { primary }) => {
                let others = self.healthy(members) - usize::from(self.is_healthy(*primary));
                promise(
                    "a primary hands over to a secondary that has caught up",
                    others > 0,
                    finding,
                )
            }
            Next::Do(Action::Resync { ordinal, .. }) => {
                let leads_ours = self.leader() == Some(*ordinal);
                promise(
                    "no data of a member that serves is deleted",
                    !leads_ours,
                    finding,
                )
            }
            _ => Ok(()),
        }
    }

    /// Whether a majority has a configuration, or a newer one.
    fn is_on_majority(&self, config: &ServerConfig) -> bool {
        let has_it = |it: &&usize| {
            let own = self.config(**it);
            own.is_some_and(|it| it.set_id == config.set_id && it.version >= config.version)
        };
        config.is_majority(config.voters().iter().filter(has_it).count())
    }

    /// One member comes or goes, and a majority had the last configuration.
    pub(crate) fn check_change(
        &self,
        before: &ServerConfig,
        after: &ServerConfig,
    ) -> Result<(), Violation> {
        let ordinals = |it: &ServerConfig| -> BTreeSet<usize> {
            it.members.iter().map(|(ordinal, _)| *ordinal).collect()
        };
        let changed = ordinals(before)
            .symmetric_difference(&ordinals(after))
            .count();
        let is_joining = before.members.iter().any(|(_, is_new)| *is_new);
        let grows = after.members.len() > before.members.len();
        promise(
            "one change at a time",
            changed <= 1 && self.is_on_majority(before) && !(is_joining && grows),
            || format!("{before:?}\n{after:?}"),
        )
    }

    /// A new primary has all that was ever acknowledged.
    pub(crate) fn check_leader(&self, at: usize, set_id: &str) -> Result<(), Violation> {
        let acknowledged = self.acknowledged.get(set_id).map_or(&[][..], Vec::as_slice);
        let has_all = self
            .disk(at)
            .is_some_and(|it| it.common(acknowledged) == acknowledged.len());
        promise("acknowledged data is never lost", has_all, || {
            format!("m-{at} leads without all of {acknowledged:?}\n{self}")
        })
    }

    /// Never two primaries of one set in one term.
    pub(crate) fn check_terms(&self) -> Result<(), Violation> {
        let leads = |it: &usize| self.state(*it) == Some(State::Primary);
        let mut terms = BTreeSet::new();
        for at in (0..ORDINALS).filter(leads) {
            let term = self.disk(at).map(|it| it.term);
            let set = self.config(at).map(|it| it.set_id.clone());
            promise("one primary a term", terms.insert((set, term)), || {
                format!("m-{at}\n{self}")
            })?;
        }
        Ok(())
    }

    /// Whether everything that was asked for has been carried out by everybody.
    pub(crate) fn is_at_rest(&self) -> bool {
        // A pod on a node that is off cannot end.
        let has_pod = |it: usize| self.pods[it].is_some() && !self.nodes[it].off;
        (0..ORDINALS).all(|it| has_pod(it) == (it < self.members))
    }

    /// Everything is as it is wanted.
    pub(crate) fn check_rest(&self) -> Result<(), Violation> {
        let finding = || self.to_string();
        let primaries: Vec<usize> = (0..ORDINALS)
            .filter(|it| self.state(*it) == Some(State::Primary))
            .collect();
        promise(
            "in the end there is one primary",
            primaries.len() == 1,
            finding,
        )?;
        let primary = primaries[0];
        let config = self.config(primary);
        let mut members: Vec<usize> = config
            .map(|it| it.members.iter().map(|(ordinal, _)| *ordinal).collect())
            .unwrap_or_default();
        members.sort_unstable();
        let wanted: Vec<usize> = (0..self.members).collect();
        promise(
            "in the end all wanted members are members",
            members == wanted,
            finding,
        )?;
        let is_current = |it: &usize| {
            let pod = self.pods[*it].as_ref();
            pod.is_some_and(|pod| pod.revision == self.revision) && self.is_healthy(*it)
        };
        promise(
            "in the end all pods are current and well",
            wanted.iter().all(is_current),
            finding,
        )?;
        let lets_in = self.disk(primary).map(|it| it.secrets) == Some(Some(self.secrets));
        promise("in the end the users can log in", lets_in, finding)?;
        promise(
            "in the end there are as many pods as members",
            self.replicas == self.members,
            finding,
        )?;
        let set_id = config.map(|it| it.set_id.clone()).unwrap_or_default();
        let written = |disk: &Disk| disk.log.clone();
        let acknowledged = self.acknowledged.get(&set_id).cloned().unwrap_or_default();
        let log = self.disk(primary).map(written).unwrap_or_default();
        promise(
            "acknowledged data is never lost",
            log.starts_with(&acknowledged),
            finding,
        )
    }
}
