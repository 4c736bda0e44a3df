//! What the members of a replica set do among each other: heartbeats, elections, replication,
//! changes of the configuration, by the rules of the real server.

use sessionstore_operator::mongo::plan::{State, Version};

use crate::event::ORDINALS;
use crate::server::{Disk, Entry, Heard, Process, Role, ServerConfig, WINDOW};
use crate::violation::{Violation, promise};
use crate::world::World;

impl World {
    /// The state of a running member; `None` without a process or configuration.
    pub(crate) fn state(&self, at: usize) -> Option<State> {
        let (process, disk) = (self.processes[at].as_ref()?, self.disk(at)?);
        let config = disk.config.as_ref()?;
        Some(match process.role {
            Role::Reading => return None,
            Role::Lost => State::Removed,
            _ if !config.lists(at) => State::Removed,
            _ if !disk.has_data => State::Startup2,
            Role::Primary => State::Primary,
            Role::Follower if process.too_stale => State::Recovering,
            Role::Follower => State::Secondary,
        })
    }

    fn is_member(&self, at: usize) -> bool {
        !matches!(self.state(at), None | Some(State::Removed))
    }

    pub(crate) fn is_empty(&self, at: usize) -> bool {
        let role = self.processes[at].as_ref().map(|it| it.role);
        role == Some(Role::Follower) && self.disk(at).is_some_and(|it| it.config.is_none())
    }

    /// Whether one running member reaches another one.
    fn reaches(&self, one: usize, other: usize) -> bool {
        let runs = |at: usize| {
            let process = self.processes[at].as_ref();
            process.is_some_and(|it| it.role != Role::Reading)
        };
        let is_open = one == other || (!self.nodes[one].cut && !self.nodes[other].cut);
        runs(one) && runs(other) && is_open && self.have_one_key(one, other)
    }

    pub(crate) fn config(&self, at: usize) -> Option<&ServerConfig> {
        self.disk(at)?.config.as_ref()
    }

    fn are_of_one_set(&self, one: usize, other: usize) -> bool {
        let id = |at: usize| self.config(at).map(|it| &it.set_id);
        id(one).is_some() && id(one) == id(other)
    }

    /// All members hear of each other, in the order of their numbers.
    pub(crate) fn heartbeats(&mut self) {
        for one in 0..ORDINALS {
            for other in (0..ORDINALS).filter(|it| *it != one) {
                let listed = self.config(one).is_some_and(|it| it.lists(other));
                if listed && self.reaches(one, other) {
                    self.exchange(one, other);
                }
                let heard = (listed && self.reaches(one, other))
                    .then(|| self.heard(one, other))
                    .flatten();
                if let Some(process) = &mut self.processes[one] {
                    process.heard[other] = heard;
                }
            }
        }
        for at in 0..ORDINALS {
            self.count_majority(at);
            self.count_in_newcomers(at);
        }
    }

    /// A heartbeat brings the newer configuration and term to whoever has an older one.
    fn exchange(&mut self, one: usize, other: usize) {
        if self.is_empty(other) {
            let config = self.config(one).cloned();
            if let Some(disk) = self.disk_mut(other) {
                disk.config = config;
            }
        }
        if !self.are_of_one_set(one, other) {
            return;
        }
        let term = |it: &Disk| it.term;
        let terms = [one, other].map(|it| self.disk(it).map_or(0, term));
        let newest = terms.into_iter().max().unwrap_or(0);
        for (at, term) in [one, other].into_iter().zip(terms) {
            if term < newest {
                self.learn_term(at, newest);
            }
        }
        let versions = [one, other].map(|it| self.config(it).map(|it| it.version));
        if versions[0] > versions[1] {
            self.install(other, self.config(one).cloned());
        } else if versions[1] > versions[0] {
            self.install(one, self.config(other).cloned());
        }
    }

    fn install(&mut self, at: usize, config: Option<ServerConfig>) {
        let stays = config.as_ref().is_some_and(|it| it.lists(at));
        if let Some(disk) = self.disk_mut(at) {
            disk.config = config;
        }
        if let Some(process) = &mut self.processes[at]
            && (!stays || process.role == Role::Lost)
        {
            process.role = Role::Follower;
        }
    }

    fn learn_term(&mut self, at: usize, term: i64) {
        if let Some(disk) = self.disk_mut(at) {
            disk.term = term;
        }
        if let Some(process) = &mut self.processes[at]
            && process.role == Role::Primary
        {
            process.role = Role::Follower;
        }
    }

    fn heard(&self, one: usize, other: usize) -> Option<Heard> {
        if !self.are_of_one_set(one, other) {
            return None;
        }
        let state = self.state(other);
        Some(Heard {
            is_primary: state == Some(State::Primary),
            is_secondary: state == Some(State::Secondary),
            applied: self.disk(other)?.applied(),
            version: self.config(other).map(|it| it.version),
        })
    }

    /// A primary that does not hear a majority any more becomes a secondary.
    fn count_majority(&mut self, at: usize) {
        let is_primary = self.state(at) == Some(State::Primary);
        let Some(config) = self.config(at).cloned() else {
            return;
        };
        let Some(process) = &mut self.processes[at] else {
            return;
        };
        let heard = |it: &usize| *it == at || process.heard[*it].is_some();
        let has_majority =
            config.is_majority(config.voters().iter().filter(|it| heard(it)).count());
        process.patience = match (is_primary, has_majority) {
            (true, false) => process.patience + 1,
            (true, true) => 0,
            (false, _) => process.patience.saturating_sub(1),
        };
        if is_primary && process.patience >= 2 {
            process.role = Role::Follower;
        }
    }

    /// A member that was added counts from when the primary hears that it has caught up.
    fn count_in_newcomers(&mut self, at: usize) {
        if self.state(at) != Some(State::Primary) || !self.is_committed(at) {
            return;
        }
        let Some(process) = &self.processes[at] else {
            return;
        };
        let heard = process.heard.clone();
        let Some(config) = self.disk_mut(at).and_then(|it| it.config.as_mut()) else {
            return;
        };
        let newcomer = config.members.iter_mut().find(|(ordinal, is_new)| {
            *is_new && heard[*ordinal].as_ref().is_some_and(|it| it.is_secondary)
        });
        if let Some((_, is_new)) = newcomer {
            *is_new = false;
            config.version.version += 1;
        }
    }

    /// Whether a primary knows that a majority has its configuration, and its own first entry.
    fn is_committed(&self, primary: usize) -> bool {
        let (Some(config), Some(process), Some(disk)) = (
            self.config(primary),
            &self.processes[primary],
            self.disk(primary),
        ) else {
            return false;
        };
        let has = |it: &usize| {
            let heard = process.heard[*it].as_ref();
            *it == primary || heard.is_some_and(|it| it.version == Some(config.version))
        };
        let has_own = process.commit > 0 && disk.log[process.commit - 1].term == disk.term;
        has_own && config.is_majority(config.voters().iter().filter(|it| has(it)).count())
    }

    /// The primary that a member follows: of the highest term that it can reach.
    fn followed(&self, at: usize) -> Option<usize> {
        let leads = |it: &usize| {
            self.state(*it) == Some(State::Primary)
                && *it != at
                && self.are_of_one_set(*it, at)
                && self.reaches(*it, at)
                && self.config(*it).is_some_and(|it| it.lists(at))
        };
        let primaries = (0..ORDINALS).filter(leads);
        primaries.max_by_key(|it| self.disk(*it).map(|it| it.term))
    }

    /// A member copies so many entries of the primary's log, or everything if it has nothing.
    pub(crate) fn replicate(&mut self, at: usize, count: usize) -> Result<(), Violation> {
        if !self.is_member(at) || self.state(at) == Some(State::Primary) {
            return Ok(());
        }
        let Some(primary) = self.followed(at) else {
            return Ok(());
        };
        let (Some(source), Some(process)) = (self.disk(primary).cloned(), &self.processes[primary])
        else {
            return Ok(());
        };
        let commit = process.commit;
        let Some(disk) = self.disk_mut(at) else {
            return Ok(());
        };
        if disk.term > source.term {
            return Ok(());
        }
        disk.term = source.term;
        // What a majority may lack is never forgotten.
        let oldest = source.log.len().saturating_sub(WINDOW).min(commit);
        let common = disk.common(&source.log);
        let is_stale = disk.has_data && oldest > 0 && common <= oldest;
        let mut length = 0;
        if !is_stale {
            let end = if disk.has_data {
                source.log.len().min(common.saturating_add(count))
            } else {
                source.log.len()
            };
            disk.log = source.log[..end].to_vec();
            disk.has_data = true;
            if end == source.log.len() {
                disk.secrets = source.secrets;
            }
            length = end;
        }
        if let Some(process) = &mut self.processes[at] {
            process.too_stale = is_stale;
            process.commit = commit.min(length);
        }
        if is_stale {
            return Ok(());
        }
        if let Some(process) = &mut self.processes[primary] {
            process.acknowledged[at] = length;
        }
        self.advance(primary)
    }

    /// A primary learns how far a majority is, and answers those who wait for it.
    pub(crate) fn advance(&mut self, primary: usize) -> Result<(), Violation> {
        let (Some(disk), Some(process)) = (self.disk(primary), &self.processes[primary]) else {
            return Ok(());
        };
        let Some(config) = &disk.config else {
            return Ok(());
        };
        let has =
            |voter: usize, length: usize| voter == primary || process.acknowledged[voter] >= length;
        let is_common = |length: &usize| {
            let voters = config.voters();
            let having = voters.iter().filter(|it| has(**it, *length)).count();
            disk.log[length - 1].term == disk.term && config.is_majority(having)
        };
        let Some(commit) = (1..=disk.log.len()).rev().find(is_common) else {
            return Ok(());
        };
        let (set_id, log) = (config.set_id.clone(), disk.log[..commit].to_vec());
        if let Some(process) = &mut self.processes[primary] {
            process.commit = commit;
        }
        let acknowledged = self.acknowledged.entry(set_id).or_default();
        let same = acknowledged
            .iter()
            .zip(&log)
            .all(|(one, other)| one == other);
        promise("what is acknowledged stays", same, || {
            format!("m-{primary}: {acknowledged:?} and {log:?}")
        })?;
        if log.len() > acknowledged.len() {
            *acknowledged = log;
        }
        Ok(())
    }

    /// Clients write at every primary that lets them in.
    pub(crate) fn write(&mut self, count: usize) -> Result<(), Violation> {
        for at in 0..ORDINALS {
            let is_open = self.disk(at).is_some_and(|it| it.secrets.is_some());
            if self.state(at) == Some(State::Primary) && is_open {
                for _ in 0..count {
                    self.append(at);
                }
                self.advance(at)?;
            }
        }
        Ok(())
    }

    pub(crate) fn append(&mut self, at: usize) {
        self.clock += 1;
        let seconds = self.clock;
        if let Some(disk) = self.disk_mut(at) {
            let term = disk.term;
            disk.log.push(Entry { term, seconds });
        }
    }

    /// Members, the best candidates first.
    pub(crate) fn by_progress(&self) -> Vec<usize> {
        let mut ordinals: Vec<usize> = (0..ORDINALS).collect();
        ordinals.sort_by_key(|it| std::cmp::Reverse(self.disk(*it).map(Disk::applied)));
        ordinals
    }

    /// A member that hears no primary asks for votes.
    pub(crate) fn elect(&mut self, at: usize) -> Result<(), Violation> {
        let (Some(disk), Some(process)) = (self.disk(at), &self.processes[at]) else {
            return Ok(());
        };
        let Some(config) = disk.config.clone() else {
            return Ok(());
        };
        let is_free = self.state(at) == Some(State::Secondary) && process.patience == 0;
        let voters = config.voters();
        if !is_free || self.followed(at).is_some() || !voters.contains(&at) {
            return Ok(());
        }
        let (applied, own_term) = (disk.applied(), disk.term);
        let reached = |it: &usize| {
            self.is_member(*it) && self.reaches(at, *it) && self.are_of_one_set(at, *it)
        };
        let reached: Vec<usize> = voters.into_iter().filter(reached).collect();
        let terms = reached.iter().filter_map(|it| Some(self.disk(*it)?.term));
        let term = terms.max().unwrap_or(own_term) + 1;
        let agrees = |it: &usize| {
            let version = self.config(*it).map(|it| it.version);
            let is_behind = self.disk(*it).is_some_and(|it| it.applied() <= applied);
            version <= Some(config.version) && is_behind
        };
        let agreeing: Vec<usize> = reached.into_iter().filter(agrees).collect();
        if !config.is_majority(agreeing.len()) {
            return Ok(());
        }
        self.trace(|| format!("m-{at} leads in term {term}"));
        for voter in agreeing {
            self.learn_term(voter, term);
        }
        self.check_leader(at, &config.set_id)?;
        if let Some(config) = self.disk_mut(at).and_then(|it| it.config.as_mut()) {
            config.version.term = term;
        }
        if let Some(process) = &mut self.processes[at] {
            *process = Process {
                heard: process.heard.clone(),
                ..Process::new(Role::Primary, ORDINALS)
            };
        }
        self.append(at);
        self.advance(at)
    }

    /// A planned step-down: only to a secondary that has everything, which is elected at once.
    pub(crate) fn hand_over(&mut self, at: usize) -> Result<(), Violation> {
        if self.state(at) != Some(State::Primary) {
            return Ok(());
        }
        let voters = self
            .config(at)
            .map(ServerConfig::voters)
            .unwrap_or_default();
        for other in voters.into_iter().filter(|it| *it != at) {
            self.replicate(other, usize::MAX)?;
            let is_equal = self.disk(other).map(|it| &it.log) == self.disk(at).map(|it| &it.log);
            let is_free = self.processes[other]
                .as_ref()
                .is_some_and(|it| it.patience == 0);
            let is_candidate = self.state(other) == Some(State::Secondary)
                && is_free
                && self.reaches(at, other)
                && self.followed(other) == Some(at);
            if is_candidate && is_equal {
                if let Some(process) = &mut self.processes[at] {
                    process.role = Role::Follower;
                    process.patience = 4;
                }
                return self.elect(other);
            }
        }
        Ok(())
    }

    /// `replSetInitiate`: refused unless all that are listed are there and empty.
    pub(crate) fn initiate(&mut self, at: usize, members: &[usize]) {
        let is_possible = |it: &usize| self.is_empty(*it) && self.reaches(at, *it);
        if !self.is_empty(at) || !members.iter().all(is_possible) {
            return;
        }
        let config = ServerConfig {
            set_id: format!("set-{}", self.number()),
            version: Version {
                term: 0,
                version: 1,
            },
            members: members.iter().map(|it| (*it, false)).collect(),
        };
        if let Some(disk) = self.disk_mut(at) {
            disk.config = Some(config);
            disk.has_data = true;
        }
        self.append(at);
    }

    /// `replSetReconfig`: refused by who is no primary, or has not settled the last change.
    pub(crate) fn reconfigure(
        &mut self,
        at: usize,
        base: Version,
        change: impl FnOnce(&mut Vec<(usize, bool)>),
    ) -> Result<(), Violation> {
        let is_base = self.config(at).is_some_and(|it| it.version == base);
        if self.state(at) != Some(State::Primary) || !is_base || !self.is_committed(at) {
            return Ok(());
        }
        let Some(mut config) = self.config(at).cloned() else {
            return Ok(());
        };
        let before = config.clone();
        change(&mut config.members);
        config.version.version += 1;
        let is_heard = |it: &usize| {
            let process = self.processes[at].as_ref();
            *it == at || process.is_some_and(|process| process.heard[*it].is_some())
        };
        let heard = config.voters().iter().filter(|it| is_heard(it)).count();
        if !config.lists(at) || !config.is_majority(heard) {
            return Ok(());
        }
        self.check_change(&before, &config)?;
        self.install(at, Some(config));
        Ok(())
    }

    /// A volume is gone. Only if it is not needed: what the world itself destroys is not held against
    /// the plan.
    pub(crate) fn lose_volume(&mut self, at: usize) {
        if self.is_needed(at) {
            return;
        }
        self.processes[at] = None;
        self.pods[at] = None;
        self.volumes[at] = None;
    }

    /// Whether something that was acknowledged is not on a majority without this volume, or a primary
    /// is about to acknowledge something by what this member has said to have, or somebody goes by an
    /// older configuration, of which an empty member could be a majority.
    pub(crate) fn is_needed(&self, at: usize) -> bool {
        let Some(config) = self.config(at) else {
            return false;
        };
        let acknowledged = self.acknowledged.get(&config.set_id);
        let acknowledged = acknowledged.map_or(&[][..], Vec::as_slice);
        let ours = |it: &usize| self.are_of_one_set(*it, at);
        let configs = || {
            (0..ORDINALS)
                .filter(ours)
                .filter_map(|it| Some((it, self.config(it)?)))
        };
        let newest = configs().map(|(_, it)| it).max_by_key(|it| it.version);
        let is_misled = |(ordinal, it): (usize, &ServerConfig)| {
            it.lists(ordinal) && Some(it.version) != newest.map(|it| it.version)
        };
        let voters = newest.map(ServerConfig::voters).unwrap_or_default();
        let has_all = |it: &usize| {
            let disk = self.disk(*it);
            let is_stale = self.processes[*it].as_ref().is_some_and(|it| it.too_stale);
            *it != at
                && !is_stale
                && self.are_of_one_set(*it, at)
                && disk
                    .is_some_and(|it| it.has_data && it.common(acknowledged) == acknowledged.len())
        };
        let having = voters.iter().filter(|it| has_all(it)).count();
        let counts_on_it = |it: &Process| it.acknowledged[at] > it.commit;
        let mut processes = self.processes.iter().flatten();
        processes.any(counts_on_it) || configs().any(is_misled) || having <= voters.len() / 2
    }

    /// Whether a claim is deleted whose data is needed, so that it must not go with its pod.
    pub(crate) fn is_doomed(&self, at: usize) -> bool {
        self.volumes[at].as_ref().is_some_and(|it| it.leaving) && self.is_needed(at)
    }
}
