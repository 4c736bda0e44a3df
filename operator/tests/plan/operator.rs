//! Two operators that both believe to lead: they look, decide by the plan, and act when they get to
//! it.

use sessionstore_operator::mongo::plan::{
    self, Action, Answer, Change, Desired, Logins, Member, Next, Node, Observed, Peer, Permit, Pod,
    Restart, State, Summary, View, Why, plan, ready_members, replicas,
};

use crate::event::ORDINALS;
use crate::server::{Role, optime};
use crate::violation::Violation;
use crate::world::{self, Volume, World};

pub(crate) fn host(ordinal: usize) -> String {
    format!("m-{ordinal}.svc:27017")
}

fn ordinal(host: &str) -> Option<usize> {
    (0..ORDINALS).find(|it| self::host(*it) == host || format!("m-{it}") == host)
}

impl World {
    pub(crate) fn desired(&self) -> Desired {
        Desired {
            hosts: (0..ORDINALS).map(host).collect(),
            members: self.members,
            revision: format!("r{}", self.revision),
            known_set: self.known_set.clone(),
            passwords_are_stored: true,
            permits: self.permits.clone(),
        }
    }

    pub(crate) fn observed(&self) -> Observed {
        let member = |at: usize| Member {
            pod: self.pods[at].as_ref().map(|pod| Pod {
                uid: pod.uid.to_string(),
                revision: format!("r{}", pod.revision),
                serving: self.processes[at].is_some(),
                leaving: pod.leaving,
                node: Some(Node {
                    name: format!("n-{at}"),
                    lost: self.nodes[at].lost,
                    cordoned: self.nodes[at].cordoned,
                }),
            }),
            volume: self.volumes[at].as_ref().map(|it| plan::Volume {
                uid: it.uid.to_string(),
                leaving: it.leaving,
            }),
            answer: self.answer(at),
        };
        Observed {
            replicas: self.replicas,
            members: (0..ORDINALS).map(member).collect(),
        }
    }

    fn answer(&self, at: usize) -> Answer {
        let silent = || Answer::Unreachable("no answer".to_owned());
        let (Some(process), Some(disk)) = (&self.processes[at], self.disk(at)) else {
            return silent();
        };
        if self.nodes[at].blind {
            return silent();
        }
        let has_users = disk.has_data && disk.secrets == Some(self.secrets);
        if !self.has_key(at) && !has_users {
            return Answer::KeyRefused;
        }
        let Some(config) = &disk.config else {
            return Answer::NotInitiated;
        };
        if process.role == Role::Reading {
            return Answer::Starting;
        }
        let told = config.told(host);
        let Some(state) = self.state(at).filter(|it| *it != State::Removed) else {
            return if self.has_key(at) {
                Answer::Removed(Some(told))
            } else {
                Answer::KeyRefused
            };
        };
        let peer = |other: &usize| {
            let heard = process.heard[*other].as_ref();
            let state = match heard {
                Some(heard) if heard.is_primary => State::Primary,
                Some(heard) if heard.is_secondary => State::Secondary,
                Some(_) => State::Startup2,
                None => State::Down,
            };
            Peer {
                host: host(*other),
                state,
                healthy: heard.is_some(),
                applied: heard.map(|it| it.applied).unwrap_or_default(),
            }
        };
        let others = (0..ORDINALS).filter(|it| *it != at && config.lists(*it));
        let lets_in = disk.secrets == Some(self.secrets);
        let is_led = process.heard.iter().flatten().any(|it| it.is_primary);
        Answer::Member(Box::new(View {
            state,
            term: disk.term,
            applied: disk.applied(),
            committed: optime(disk.log[..process.commit].last()),
            too_stale: process.too_stale,
            voters: config.voters().len(),
            peers: others.map(|it| peer(&it)).collect(),
            config: told,
            logins: if state == State::Primary && !lets_in {
                Logins::Refused
            } else {
                Logins::Accepted
            },
            refuses_key: (state == State::Primary || !is_led) && !self.has_key(at),
        }))
    }

    /// Looks, keeps what the status keeps, scales the pods, opens the gates, decides.
    pub(crate) fn look(&mut self, operator: usize) -> Result<(), Violation> {
        let (desired, observed) = (self.desired(), self.observed());
        self.replicas = replicas(&desired, &observed);
        self.gates = ready_members(&desired, &observed);
        if let Some(id) = Summary::of(&desired, &observed).set_id {
            self.known_set = Some(id);
        }
        let next = plan(&desired, &observed);
        self.trace(|| format!("    o-{operator} {next:?}"));
        self.check_decision(&next)?;
        self.last = Some(next.clone());
        self.decided[operator] = Some(next);
        Ok(())
    }

    /// Does what was decided; only the first half of what has two.
    pub(crate) fn act(&mut self, operator: usize, half: bool) -> Result<(), Violation> {
        let Some(Next::Do(action)) = self.decided[operator].take() else {
            return Ok(());
        };
        match action {
            Action::Initiate { members } => {
                let members: Vec<usize> = (0..members).collect();
                self.initiate(0, &members);
            }
            Action::EnsureUsers { primary } => {
                let secrets = self.secrets;
                if self.state(primary) == Some(State::Primary)
                    && self.has_key(primary)
                    && !half
                    && let Some(disk) = self.disk_mut(primary)
                {
                    disk.secrets = Some(secrets);
                    self.append(primary);
                    self.advance(primary)?;
                }
            }
            Action::Reconfigure {
                primary,
                base,
                change,
            } => self.reconfigure(primary, base, |members| apply(&change, members))?,
            Action::StepDown { primary } => self.hand_over(primary)?,
            Action::RestartPod {
                ordinal,
                pod,
                restart,
            } => self.restart(ordinal, &pod, restart),
            Action::Resync {
                ordinal,
                volume,
                pod,
                node_lost,
            } => self.resync(ordinal, &volume, pod.as_deref(), node_lost, half),
        }
        Ok(())
    }

    fn restart(&mut self, at: usize, uid: &str, restart: Restart) {
        let is_it = |pod: &&mut world::Pod| pod.uid.to_string() == uid;
        if let Some(pod) = self.pods[at].as_mut().filter(is_it) {
            match restart {
                Restart::Planned => self.evict(at),
                Restart::Useless => pod.leaving = true,
            }
        }
    }

    /// First the claim, which goes with the pod, then the pod. An operator that dies in between leaves
    /// a pod that goes on, and a member that may recover meanwhile.
    fn resync(&mut self, at: usize, volume: &str, pod: Option<&str>, node_lost: bool, half: bool) {
        let is_it = |it: &&mut Volume| it.uid.to_string() == volume;
        let is_other = |it: &world::Pod| Some(&*it.uid.to_string()) != pod;
        if let Some(volume) = self.volumes[at].as_mut().filter(is_it) {
            volume.leaving = true;
        }
        if half || self.pods[at].as_ref().is_some_and(is_other) {
            return;
        }
        if node_lost && self.nodes[at].off {
            self.replace_node(at);
        } else if let Some(pod) = &mut self.pods[at] {
            pod.leaving = true;
            self.processes[at] = None;
        }
    }

    /// A person does what the last wait asks for.
    pub(crate) fn help(&mut self, choice: usize) {
        let Some(Next::Wait(why)) = self.last.clone() else {
            return;
        };
        self.trace(|| format!("    a person helps: {why}"));
        match why {
            Why::ForeignMember(members) => {
                let stuck = &members[choice % members.len()];
                self.permit(&stuck.pod, stuck.volume.as_ref());
            }
            Why::TooStale(stuck) => self.permit(&stuck.pod, stuck.volume.as_ref()),
            Why::NodeLost { stuck, .. } => match ordinal(&stuck.pod) {
                Some(at) if choice.is_multiple_of(2) => self.power_on(at),
                _ => self.permit(&stuck.pod, stuck.volume.as_ref()),
            },
            Why::MajorityLost(_) | Why::NotAllReachable(_) => {
                for at in 0..ORDINALS {
                    self.power_on(at);
                    self.nodes[at].cut = false;
                    self.nodes[at].blind = false;
                }
            }
            Why::RetainedVolumes(_) => self.members = ORDINALS,
            Why::DataGone => self.recreate(),
            Why::KeyRefused(pod) => self.help_with_key(&pod, choice),
            _ => {}
        }
    }

    /// Either all pods get the new key, which nobody does that would cost what is needed, or the old
    /// one is found again.
    fn help_with_key(&mut self, pod: &str, choice: usize) {
        let is_needed = (0..ORDINALS).any(|it| self.is_doomed(it));
        if choice.is_multiple_of(2) && !is_needed {
            self.delete_pods();
        } else if let Some(pod) = ordinal(pod).and_then(|it| self.pods[it].as_ref()) {
            self.give_key(pod.key);
        }
    }

    fn permit(&mut self, pod: &str, volume: Option<&String>) {
        if let (Some(ordinal), Some(volume)) = (ordinal(pod), volume.cloned()) {
            self.permits.push(Permit { ordinal, volume });
        }
    }
}

fn apply(change: &Change, members: &mut Vec<(usize, bool)>) {
    match change {
        Change::Settings => {}
        Change::Add { host, .. } => members.extend(ordinal(host).map(|it| (it, true))),
        Change::Remove { host } => {
            let gone = ordinal(host);
            members.retain(|(it, _)| Some(*it) != gone);
        }
    }
}
