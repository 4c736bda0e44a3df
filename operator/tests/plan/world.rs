//! The modelled world, and what happens in it.

use std::collections::BTreeMap;

use sessionstore_operator::mongo::plan::{Next, Permit};

use crate::event::{Event, ORDINALS};
use crate::server::{Disk, Entry, Process};
use crate::violation::{Violation, promise};

/// More rounds than any recovery needs by far.
const MAX_ROUNDS: usize = 200;

#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) uid: u32,
    pub(crate) revision: u32,
    /// Which key it was given when it was made.
    pub(crate) key: u32,
    pub(crate) leaving: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Volume {
    pub(crate) uid: u32,
    pub(crate) disk: Disk,
    /// Its claim is deleted; it goes with the pod.
    pub(crate) leaving: bool,
}

#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fault of its own, and all of them can come together"
)]
pub(crate) struct Node {
    pub(crate) off: bool,
    /// Kubernetes has noticed that.
    pub(crate) lost: bool,
    pub(crate) cordoned: bool,
    /// The other members are not reached from here.
    pub(crate) cut: bool,
    /// The operators do not reach it.
    pub(crate) blind: bool,
}

/// The world: one node for each ordinal, whose volumes are pinned to it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) pods: Vec<Option<Pod>>,
    pub(crate) processes: Vec<Option<Process>>,
    pub(crate) volumes: Vec<Option<Volume>>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) gates: Vec<bool>,
    pub(crate) replicas: usize,
    pub(crate) members: usize,
    pub(crate) revision: u32,
    pub(crate) broken: Vec<u32>,
    pub(crate) secrets: u32,
    /// Which key is in its Secret.
    pub(crate) key: u32,
    /// Volumes of pods that are scaled away are deleted.
    pub(crate) deletes_scaled: bool,
    pub(crate) known_set: Option<String>,
    pub(crate) permits: Vec<Permit>,
    /// What each operator has decided and not done.
    pub(crate) decided: Vec<Option<Next>>,
    /// What was decided last.
    pub(crate) last: Option<Next>,
    /// By set, what a majority once had.
    pub(crate) acknowledged: BTreeMap<String, Vec<Entry>>,
    pub(crate) clock: u32,
    pub(crate) numbers: u32,
    pub(crate) is_traced: bool,
}

/// Lets all of this happen, then nothing bad any more; what was to be must come to be.
pub(crate) fn run(
    members: usize,
    deletes_scaled: bool,
    events: &[Event],
    is_traced: bool,
) -> Result<(), Violation> {
    let mut world = World::new(members, deletes_scaled, is_traced);
    for event in events {
        world.trace(|| format!("{event:?}"));
        world.happen(*event)?;
        world.check_terms()?;
    }
    world.settle()
}

impl World {
    pub(crate) fn new(members: usize, deletes_scaled: bool, is_traced: bool) -> Self {
        Self {
            pods: vec![None; ORDINALS],
            processes: vec![None; ORDINALS],
            volumes: vec![None; ORDINALS],
            nodes: vec![Node::default(); ORDINALS],
            gates: vec![false; ORDINALS],
            replicas: members,
            members,
            revision: 0,
            broken: Vec::new(),
            secrets: 0,
            key: 0,
            deletes_scaled,
            known_set: None,
            permits: Vec::new(),
            decided: vec![None, None],
            last: None,
            acknowledged: BTreeMap::new(),
            clock: 0,
            numbers: 0,
            is_traced,
        }
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Round => self.round()?,
            Event::Look(operator) => self.look(operator)?,
            Event::Act(operator) => self.act(operator, false)?,
            Event::ActHalf(operator) => self.act(operator, true)?,
            Event::Die(operator) => self.decided[operator] = None,
            Event::Kubelet(at) => self.kubelet(at, false)?,
            Event::KubeletDnsLate(at) => self.kubelet(at, true)?,
            Event::Heartbeats => self.heartbeats(),
            Event::Replicate(at) => self.replicate(at, 3)?,
            Event::Elect(at) => self.elect(at)?,
            Event::Write(count) => self.write(count)?,
            Event::Crash(at) => self.processes[at] = None,
            Event::Cut(at) => self.nodes[at].cut = true,
            Event::Mend(at) => self.nodes[at].cut = false,
            Event::Blind(at) => self.nodes[at].blind = true,
            Event::See(at) => self.nodes[at].blind = false,
            Event::PowerOff(at) => {
                self.nodes[at].off = true;
                self.processes[at] = None;
            }
            Event::PowerOn(at) => self.power_on(at),
            Event::Notice(at) => self.nodes[at].lost = self.nodes[at].off,
            Event::Cordon(at) => self.nodes[at].cordoned = true,
            Event::Uncordon(at) => self.nodes[at].cordoned = false,
            Event::Evict(at) => self.evict(at),
            Event::LoseVolume(at) => self.lose_volume(at),
            Event::Hijack(at) => self.initiate(at, &[at]),
            Event::Want(members) => self.members = members,
            Event::Scale(pods) => self.scale(pods),
            Event::Roll { is_broken } => self.roll(is_broken),
            Event::ChangeSecrets => self.secrets += 1,
            Event::LoseKey => {
                let another = self.number();
                self.give_key(another);
            }
            Event::Recreate => self.recreate(),
            Event::Help(choice) => self.help(choice),
        }
        Ok(())
    }

    /// All that is due happens once.
    fn round(&mut self) -> Result<(), Violation> {
        for ordinal in 0..ORDINALS {
            self.kubelet(ordinal, false)?;
        }
        self.heartbeats();
        for ordinal in 0..ORDINALS {
            self.replicate(ordinal, usize::MAX)?;
        }
        self.heartbeats();
        for ordinal in self.by_progress() {
            self.elect(ordinal)?;
        }
        self.write(1)?;
        self.look(0)?;
        self.act(0, false)
    }

    /// Another key is in the Secret, and its digest in the template; that changes no pod.
    pub(crate) fn give_key(&mut self, key: u32) {
        self.key = key;
        self.roll(false);
    }

    fn roll(&mut self, is_broken: bool) {
        self.revision += 1;
        if is_broken {
            self.broken.push(self.revision);
        }
    }

    /// From here on nothing bad happens, and a person helps where the plan asks for it.
    fn settle(&mut self) -> Result<(), Violation> {
        self.trace(|| "all is well from here on".to_owned());
        for at in 0..ORDINALS {
            self.nodes[at].cut = false;
            self.nodes[at].blind = false;
            self.nodes[at].cordoned = false;
            self.nodes[at].lost = self.nodes[at].off;
        }
        if self.broken.contains(&self.revision) {
            self.roll(false);
        }
        self.act(1, false)?;
        for round in 0..MAX_ROUNDS {
            self.round()?;
            self.check_terms()?;
            if self.last == Some(Next::Done) && self.is_at_rest() {
                return self.check_rest();
            }
            self.help(round);
        }
        promise("everything comes to rest", false, || {
            format!("after {MAX_ROUNDS} rounds: {:?}\n{self}", self.last)
        })
    }

    pub(crate) fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    pub(crate) fn trace(&self, line: impl FnOnce() -> String) {
        if self.is_traced {
            println!("{}", line());
        }
    }
}
