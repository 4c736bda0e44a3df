//! A situation: what is wanted and what is seen, all well at first.

use crate::mongo::plan::{
    Answer, Config, ConfigMember, Desired, Logins, MAX_MEMBERS, Member, Next, Node, Observed,
    OpTime, Peer, Permit, Pod, SETTINGS, State, Version, View, Volume, plan,
};

pub(super) const OURS: &str = "ours";
pub(super) const FOREIGN: &str = "foreign";
/// The version of the configuration that all members of a scene have.
pub(super) const BASE: Version = Version {
    term: 1,
    version: 7,
};
const NOW: u32 = 1_000;

pub(super) struct Scene {
    pub(super) desired: Desired,
    pub(super) observed: Observed,
}

pub(super) fn host(ordinal: usize) -> String {
    format!("voice-mongodb-{ordinal}.voice-mongodb.ns.svc.cluster.local:27017")
}

pub(super) fn volume(uid: &str) -> Volume {
    Volume {
        uid: uid.to_owned(),
        leaving: false,
    }
}

fn at(seconds: u32) -> OpTime {
    OpTime {
        term: 1,
        seconds,
        increment: 1,
    }
}

pub(super) fn config(set_id: &str, members: &[usize]) -> Config {
    let member = |ordinal: &usize| ConfigMember {
        id: i32::try_from(*ordinal).unwrap(),
        host: host(*ordinal),
        votes: true,
    };
    Config {
        set_id: set_id.to_owned(),
        version: BASE,
        members: members.iter().map(member).collect(),
        settings: SETTINGS,
    }
}

impl Scene {
    /// So many pods with empty members.
    pub(super) fn fresh(members: usize) -> Self {
        let pod = |ordinal| Member {
            pod: Some(Pod {
                uid: format!("pod-{ordinal}"),
                revision: "new".to_owned(),
                serving: true,
                leaving: false,
                node: Some(Node {
                    name: format!("node-{ordinal}"),
                    lost: false,
                    cordoned: false,
                }),
            }),
            volume: Some(volume(&format!("volume-{ordinal}"))),
            answer: Answer::NotInitiated,
        };
        let none = |_| Member {
            pod: None,
            volume: None,
            answer: Answer::Unreachable("no pod".to_owned()),
        };
        let further = (members..MAX_MEMBERS).map(none);
        Self {
            desired: Desired {
                hosts: (0..MAX_MEMBERS).map(host).collect(),
                members,
                revision: "new".to_owned(),
                known_set: None,
                passwords_are_stored: true,
                permits: Vec::new(),
            },
            observed: Observed {
                replicas: members,
                members: (0..members).map(pod).chain(further).collect(),
            },
        }
    }

    /// A set of so many members, all well, led by the first.
    pub(super) fn healthy(members: usize) -> Self {
        let mut scene = Self::fresh(members);
        scene.desired.known_set = Some(OURS.to_owned());
        let all: Vec<usize> = (0..members).collect();
        for ordinal in 0..members {
            scene.observed.members[ordinal].answer =
                Answer::Member(Box::new(view(ordinal, OURS, &all)));
        }
        scene
    }

    /// The first so many of the members of a larger set of pods.
    pub(super) fn growing(configured: usize, members: usize) -> Self {
        let mut scene = Self::healthy(configured);
        let fresh = Self::fresh(members);
        for ordinal in configured..members {
            scene.observed.members[ordinal] = fresh.observed.members[ordinal].clone();
        }
        scene.desired.members = members;
        scene.observed.replicas = members;
        scene
    }

    pub(super) fn next(&self) -> Next {
        plan(&self.desired, &self.observed)
    }

    /// The reason of the wait, or what is done instead.
    pub(super) fn reason(&self) -> String {
        match self.next() {
            Next::Wait(why) => why.reason().to_owned(),
            other => format!("{other:?}"),
        }
    }

    pub(super) fn view(&mut self, ordinal: usize) -> &mut View {
        match &mut self.observed.members[ordinal].answer {
            Answer::Member(view) => view,
            other => panic!("{ordinal} is no member: {other:?}"),
        }
    }

    pub(super) fn pod(&mut self, ordinal: usize) -> &mut Pod {
        self.observed.members[ordinal].pod.as_mut().unwrap()
    }

    pub(super) fn node(&mut self, ordinal: usize) -> &mut Node {
        self.pod(ordinal).node.as_mut().unwrap()
    }

    /// Another member is primary.
    pub(super) fn led_by(mut self, primary: usize) -> Self {
        for ordinal in self.members() {
            self.view(ordinal).state = state_under(primary, ordinal);
            for peer in &mut self.view(ordinal).peers {
                let number = (0..MAX_MEMBERS).find(|it| host(*it) == peer.host);
                peer.state = state_under(primary, number.unwrap());
            }
        }
        self
    }

    /// A member does not answer, and the others do not hear it.
    pub(super) fn silence(&mut self, ordinal: usize) {
        self.answer(ordinal, Answer::Unreachable("no answer".to_owned()));
        for other in self.members() {
            let peers = self.view(other).peers.iter_mut();
            for peer in peers.filter(|it| it.host == host(ordinal)) {
                peer.healthy = false;
                peer.state = State::Down;
            }
        }
    }

    /// A member is in another state, as it says and as the others hear.
    pub(super) fn put(&mut self, ordinal: usize, state: State) {
        for other in self.members() {
            let peers = self.view(other).peers.iter_mut();
            for peer in peers.filter(|it| it.host == host(ordinal)) {
                peer.state = state;
            }
        }
        self.view(ordinal).state = state;
    }

    /// A secondary is so many seconds behind.
    pub(super) fn delay(&mut self, ordinal: usize, seconds: u32) {
        self.view(ordinal).applied = at(NOW - seconds);
        for other in self.members() {
            let peers = self.view(other).peers.iter_mut();
            for peer in peers.filter(|it| it.host == host(ordinal)) {
                peer.applied = at(NOW - seconds);
            }
        }
    }

    pub(super) fn answer(&mut self, ordinal: usize, answer: Answer) {
        self.observed.members[ordinal].answer = answer;
    }

    /// Somebody has deleted the claim of a member.
    pub(super) fn doom(&mut self, ordinal: usize) {
        self.observed.members[ordinal]
            .volume
            .as_mut()
            .unwrap()
            .leaving = true;
    }

    pub(super) fn permit(&mut self, ordinal: usize) {
        self.desired.permits.push(Permit {
            ordinal,
            volume: format!("volume-{ordinal}"),
        });
    }

    fn members(&self) -> Vec<usize> {
        let members = self.observed.members.iter().enumerate();
        let views = members.filter(|(_, it)| it.answer.view().is_some());
        views.map(|(ordinal, _)| ordinal).collect()
    }
}

/// How a member of a healthy set that is led by its first member sees it.
pub(super) fn view(ordinal: usize, set_id: &str, members: &[usize]) -> View {
    let peer = |other: &usize| Peer {
        host: host(*other),
        state: state_under(members[0], *other),
        healthy: true,
        applied: at(NOW),
    };
    let others = members.iter().filter(|it| **it != ordinal);
    View {
        state: state_under(members[0], ordinal),
        term: 1,
        applied: at(NOW),
        committed: at(NOW),
        too_stale: false,
        voters: members.len(),
        peers: others.map(peer).collect(),
        config: config(set_id, members),
        logins: Logins::Accepted,
        refuses_key: false,
    }
}

fn state_under(primary: usize, ordinal: usize) -> State {
    if ordinal == primary {
        State::Primary
    } else {
        State::Secondary
    }
}
