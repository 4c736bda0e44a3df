//! What the observation means: which set is ours, who leads it, how each member stands.

use std::collections::BTreeMap;

use super::desired::{Desired, Ordinal};
use super::next::{Missing, Stuck};
use super::observed::{Answer, Config, Member, Observed, OpTime, Peer, State, View};

/// How far a secondary may be behind and still count as caught up, in seconds. A planned step-down
/// refuses writes until a secondary has everything, so it is to begin with one that has nearly all;
/// below a second, the clock of the log does not tell.
const CAUGHT_UP_SECONDS: u32 = 2;

/// Our set, as far as it can be seen.
#[derive(Debug)]
pub(super) struct Picture<'a> {
    pub(super) desired: &'a Desired,
    pub(super) observed: &'a Observed,
    /// The newest configuration that anybody has.
    pub(super) config: &'a Config,
    pub(super) primary: Option<(Ordinal, &'a View)>,
    /// How far the set is.
    newest: OpTime,
}

/// Why there is no picture.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unclear {
    /// Nobody who answers is a member of a set that could be ours.
    NoSet,
    /// These are members of sets of which none is known to be ours.
    Foreign(Vec<Ordinal>),
}

/// How a member stands in our set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing<'a> {
    Primary,
    /// A secondary that has caught up, by its own word and the primary's.
    Follows,
    /// A secondary that is so many seconds behind.
    Behind(u32),
    /// It copies everything, or is about to.
    Syncing,
    /// Another state, which passes.
    Passing(State),
    TooStale,
    /// It is no member by its own configuration.
    Removed,
    /// It is a member of another set.
    Foreign,
    KeyRefused,
    /// It does not answer, and its node is lost.
    NodeLost(&'a str),
    Unreachable(&'a str),
}

impl<'a> Picture<'a> {
    pub(super) fn of(desired: &'a Desired, observed: &'a Observed) -> Result<Self, Unclear> {
        let set_id = our_set(desired, observed)?;
        let ours = |it: &&'a Member| it.answer.config().is_some_and(|it| it.set_id == set_id);
        let members = observed.members.iter().filter(ours);
        let configs = members.filter_map(|it| it.answer.config());
        let config = configs.max_by_key(|it| it.version).ok_or(Unclear::NoSet)?;
        let views = || {
            let members = observed.members.iter().enumerate();
            let views = members.filter_map(|(ordinal, it)| Some((ordinal, it.answer.view()?)));
            views.filter(|(_, view)| view.config.set_id == config.set_id)
        };
        let terms = views().map(|(_, view)| view.term);
        let term = terms.fold(config.version.term, i64::max);
        // One that does not know the newest term has been deposed; one that does not know the newest
        // configuration was asked before it made that, and leads.
        let primary = views().find(|(_, it)| it.state == State::Primary && it.term == term);
        let newest = match primary {
            Some((_, view)) => view.applied,
            None => views().map(|(_, it)| it.applied).max().unwrap_or_default(),
        };
        Ok(Self {
            desired,
            observed,
            config,
            primary,
            newest,
        })
    }

    /// The members of the configuration. Hosts that are not ours are left out.
    pub(super) fn configured(&self) -> impl DoubleEndedIterator<Item = Ordinal> + '_ {
        let hosts = self.desired.hosts.iter().enumerate();
        hosts.filter_map(|(ordinal, host)| self.config.lists(host).then_some(ordinal))
    }

    pub(super) fn is_configured(&self, ordinal: Ordinal) -> bool {
        let host = self.desired.hosts.get(ordinal);
        host.is_some_and(|it| self.config.lists(it))
    }

    /// A host of the configuration that is not ours.
    pub(super) fn unknown_host(&self) -> Option<&'a str> {
        let hosts = self.config.members.iter().map(|it| it.host.as_str());
        hosts
            .into_iter()
            .find(|it| self.desired.ordinal(it).is_none())
    }

    pub(super) fn standing(&self, ordinal: Ordinal) -> Standing<'a> {
        let Some(member) = self.observed.members.get(ordinal) else {
            return Standing::Unreachable("there is no such pod");
        };
        match &member.answer {
            Answer::Unreachable(why) => match member.pod.as_ref().and_then(|it| it.node.as_ref()) {
                Some(node) if node.lost => Standing::NodeLost(&node.name),
                _ => Standing::Unreachable(why),
            },
            Answer::KeyRefused => Standing::KeyRefused,
            Answer::Starting => Standing::Passing(State::Startup),
            // It gets the configuration with the next heartbeat.
            Answer::NotInitiated => Standing::Syncing,
            Answer::Removed(Some(config)) if config.set_id != self.config.set_id => {
                Standing::Foreign
            }
            Answer::Removed(_) => Standing::Removed,
            Answer::Member(view) => self.standing_of(ordinal, view),
        }
    }

    fn standing_of(&self, ordinal: Ordinal, view: &View) -> Standing<'a> {
        if view.config.set_id != self.config.set_id {
            return Standing::Foreign;
        }
        if view.too_stale {
            return Standing::TooStale;
        }
        let is_primary = self.primary.is_some_and(|(it, _)| it == ordinal);
        match view.state {
            State::Primary if is_primary => Standing::Primary,
            State::Startup2 => Standing::Syncing,
            State::Secondary => self.standing_of_secondary(ordinal, view),
            state => Standing::Passing(state),
        }
    }

    fn standing_of_secondary(&self, ordinal: Ordinal, view: &View) -> Standing<'a> {
        let heard = self.peer(ordinal);
        if self.primary.is_some() {
            match heard {
                Some(peer) if !peer.healthy => return Standing::Passing(State::Down),
                Some(peer) if peer.state != State::Secondary => {
                    return Standing::Passing(peer.state);
                }
                Some(_) => {}
                None => return Standing::Passing(State::Unknown),
            }
        }
        let applied = heard.map_or(view.applied, |peer| peer.applied.max(view.applied));
        match self.seconds_behind(applied) {
            0..=CAUGHT_UP_SECONDS => Standing::Follows,
            seconds => Standing::Behind(seconds),
        }
    }

    fn seconds_behind(&self, applied: OpTime) -> u32 {
        self.newest.seconds.saturating_sub(applied.seconds)
    }

    /// A member as the primary hears of it.
    pub(super) fn peer(&self, ordinal: Ordinal) -> Option<&'a Peer> {
        let host = self.desired.hosts.get(ordinal)?;
        let (_, view) = self.primary?;
        view.peers.iter().find(|it| it.host == *host)
    }

    /// Whether the primary hears a secondary that has caught up, whatever we hear of it.
    pub(super) fn is_followed_by(&self, ordinal: Ordinal) -> bool {
        self.peer(ordinal).is_some_and(|peer| {
            peer.healthy
                && peer.state == State::Secondary
                && self.seconds_behind(peer.applied) <= CAUGHT_UP_SECONDS
        })
    }

    /// Whether a member serves, has caught up, and is not about to go.
    pub(super) fn is_well(&self, ordinal: Ordinal) -> bool {
        let serves = matches!(
            self.standing(ordinal),
            Standing::Primary | Standing::Follows
        );
        serves && self.pod(ordinal).is_some_and(|it| !it.leaving)
    }

    /// Whether a member loses its data as soon as its pod goes.
    pub(super) fn is_doomed(&self, ordinal: Ordinal) -> bool {
        is_doomed(self.observed, ordinal)
    }

    pub(super) fn pod(&self, ordinal: Ordinal) -> Option<&'a super::observed::Pod> {
        self.observed.members.get(ordinal)?.pod.as_ref()
    }

    /// Whether the set would have a majority of members that are well if it were these.
    pub(super) fn has_majority(&self, members: impl Iterator<Item = Ordinal>) -> bool {
        let (mut all, mut well) = (0, 0);
        for ordinal in members {
            all += 1;
            well += usize::from(self.is_well(ordinal));
        }
        well > all / 2
    }

    /// Whether so many members live that there is or can be a primary. Members that were just added
    /// have no vote, and without a primary nobody tells who they are.
    pub(super) fn has_living_majority(&self) -> bool {
        let (voters, without_vote) = if let Some((_, view)) = self.primary {
            (view.voters, 0)
        } else {
            let views = self.observed.members.iter();
            let views = views.filter_map(|it| it.answer.view());
            let informed = views.filter(|it| it.config.version == self.config.version);
            let all = self.config.members.len();
            let voters = informed.map(|it| it.voters).max().unwrap_or(all);
            (voters, all.saturating_sub(voters))
        };
        let living: Vec<Ordinal> = self.configured().filter(|it| self.is_living(*it)).collect();
        let is_electable = |it: Ordinal| {
            let behind = living
                .iter()
                .filter(|other| self.applied(**other) <= self.applied(it));
            self.can_lead(it) && behind.count().saturating_sub(without_vote) > voters / 2
        };
        match self.primary {
            Some(_) => living.len() > voters / 2,
            None => self.configured().any(is_electable),
        }
    }

    fn can_lead(&self, ordinal: Ordinal) -> bool {
        matches!(
            self.standing(ordinal),
            Standing::Follows | Standing::Behind(_) | Standing::Passing(_)
        )
    }

    /// How far a member says that it is.
    pub(super) fn applied(&self, ordinal: Ordinal) -> Option<OpTime> {
        let view = self.observed.members[ordinal].answer.view()?;
        (view.config.set_id == self.config.set_id).then_some(view.applied)
    }

    /// Whether a member has a voice in elections.
    fn is_living(&self, ordinal: Ordinal) -> bool {
        match self.standing(ordinal) {
            Standing::Primary
            | Standing::Follows
            | Standing::Behind(_)
            | Standing::Syncing
            | Standing::Passing(_)
            | Standing::TooStale => true,
            Standing::Unreachable(_) | Standing::NodeLost(_) | Standing::KeyRefused => {
                self.peer(ordinal).is_some_and(|it| it.healthy)
            }
            Standing::Removed | Standing::Foreign => false,
        }
    }

    /// Whether the next change can begin: the last one is in force, and a majority has something that
    /// the primary has written since it leads. Members refuse a change before that.
    pub(super) fn is_settled(&self) -> bool {
        let has_written = |(_, view): (Ordinal, &View)| view.committed.term == view.term;
        self.primary.is_some_and(has_written) && self.is_in_force()
    }

    /// Whether the primary was asked before it made the newest configuration, so that nobody tells who
    /// counts by that one.
    pub(super) fn is_outrun(&self) -> bool {
        let is_older = |(_, view): (Ordinal, &View)| view.config.version != self.config.version;
        self.primary.is_some_and(is_older)
    }

    /// Whether a majority of the members has said itself that it has the newest configuration: no
    /// other can be in force then.
    pub(super) fn is_in_force(&self) -> bool {
        if self.is_outrun() {
            return false;
        }
        let has_it = |it: &Ordinal| {
            let config = self.observed.members[*it].answer.config();
            config.is_some_and(|it| {
                it.set_id == self.config.set_id && it.version == self.config.version
            })
        };
        let having = self.configured().filter(has_it).count();
        let all = self.config.members.len();
        match self.primary {
            // Those that were just added have no vote; the primary is none of them.
            Some((_, view)) => {
                let newcomers = all.saturating_sub(view.voters);
                having.saturating_sub(newcomers).max(1) > view.voters / 2
            }
            None => having > all / 2,
        }
    }

    /// Whether a member has a vote for certain. Nobody tells who was just added, but a primary lets
    /// a newcomer count as soon as it hears that it has caught up.
    pub(super) fn has_vote(&self, ordinal: Ordinal) -> bool {
        let is_primary = self.primary.is_some_and(|(it, _)| it == ordinal);
        let is_secondary = self
            .peer(ordinal)
            .is_some_and(|it| it.healthy && it.state == State::Secondary);
        !self.is_joining() || is_primary || (is_secondary && self.is_settled())
    }

    /// Whether a member that was added does not count yet.
    pub(super) fn is_joining(&self) -> bool {
        let voting = self.config.members.iter().filter(|it| it.votes).count();
        self.primary.is_some_and(|(_, view)| view.voters < voting)
    }

    /// A member that is missing, and what is there instead.
    pub(super) fn missing(&self, ordinal: Ordinal) -> Missing {
        let because = match self.standing(ordinal) {
            Standing::Primary => "primary".to_owned(),
            Standing::Follows => "secondary".to_owned(),
            Standing::Behind(seconds) => format!("{seconds} s behind"),
            Standing::Syncing => "has no data yet".to_owned(),
            Standing::Passing(state) => state.name().to_owned(),
            Standing::TooStale => "too stale".to_owned(),
            Standing::Removed => "not a member by its own configuration".to_owned(),
            Standing::Foreign => "a member of another set".to_owned(),
            Standing::KeyRefused => "has another key".to_owned(),
            Standing::NodeLost(node) => format!("node {node} is lost"),
            Standing::Unreachable(why) => why.to_owned(),
        };
        let pod = self.desired.pod(ordinal).to_owned();
        Missing { pod, because }
    }

    pub(super) fn stuck(&self, ordinal: Ordinal) -> Stuck {
        stuck(self.desired, self.observed, ordinal)
    }
}

pub(super) fn stuck(desired: &Desired, observed: &Observed, ordinal: Ordinal) -> Stuck {
    let member = observed.members.get(ordinal);
    Stuck {
        pod: desired.pod(ordinal).to_owned(),
        volume: member.and_then(|it| Some(it.volume.as_ref()?.uid.clone())),
    }
}

/// Whether a member loses its data as soon as its pod goes: somebody has deleted its claim, an
/// operator that died before it deleted the pod too, or a person.
pub(super) fn is_doomed(observed: &Observed, ordinal: Ordinal) -> bool {
    let member = observed.members.get(ordinal);
    member.is_some_and(|it| it.volume.as_ref().is_some_and(|it| it.leaving))
}

/// Whether a person permits to delete the data of a member.
pub(super) fn is_permitted(desired: &Desired, observed: &Observed, ordinal: Ordinal) -> bool {
    let member = observed.members.get(ordinal);
    let volume = member.and_then(|it| Some(&it.volume.as_ref()?.uid));
    let mut permits = desired.permits.iter();
    permits.any(|it| it.ordinal == ordinal && Some(&it.volume) == volume)
}

/// Which set is ours: the one that is known, whatever else there is. If none is known yet, an answer
/// of one member is not enough as long as others are silent: somebody may have initiated it alone.
fn our_set<'a>(desired: &Desired, observed: &'a Observed) -> Result<&'a str, Unclear> {
    let mut sets: BTreeMap<&str, Vec<Ordinal>> = BTreeMap::new();
    for (ordinal, member) in observed.members.iter().enumerate() {
        if let Some(config) = member.answer.config() {
            sets.entry(&config.set_id).or_default().push(ordinal);
        }
    }
    let found: Vec<Ordinal> = sets.values().flatten().copied().collect();
    if found.is_empty() {
        return Err(Unclear::NoSet);
    }
    if let Some(known) = &desired.known_set {
        let ours = sets.get_key_value(known.as_str()).map(|(id, _)| *id);
        return ours.ok_or(Unclear::Foreign(found));
    }
    let is_silent = |ordinal: Ordinal| {
        let answer = observed.members.get(ordinal).map(|it| &it.answer);
        matches!(
            answer,
            None | Some(Answer::Unreachable(_) | Answer::KeyRefused | Answer::Starting)
        )
    };
    let mut wanted = 0..desired.members;
    let mut all = 0..desired.members.max(observed.ordinals());
    let may_change = all.any(is_silent);
    let id = match chosen_set(desired, observed, &sets) {
        Some((id, is_certain)) if is_certain || !may_change => id,
        // Whoever is silent may decide it, so nobody is asked before.
        _ if may_change => return Err(Unclear::NoSet),
        _ => return Err(Unclear::Foreign(found)),
    };
    let is_listed = |ordinal: Ordinal| {
        let answers = sets[id].iter().map(|it| &observed.members[*it].answer);
        let mut configs = answers.filter_map(Answer::config);
        configs.any(|it| it.lists(&desired.hosts[ordinal]))
    };
    if wanted.any(|it| is_silent(it) && !is_listed(it)) {
        return Err(Unclear::NoSet);
    }
    Ok(id)
}

/// The set of most members, and whether those who are silent cannot change that. Between two of as
/// many a person chooses, by letting the data of all members of one be deleted.
fn chosen_set<'a>(
    desired: &Desired,
    observed: &Observed,
    sets: &BTreeMap<&'a str, Vec<Ordinal>>,
) -> Option<(&'a str, bool)> {
    let stays = |members: &&Vec<Ordinal>| {
        let mut members = members.iter();
        sets.len() == 1 || members.any(|it| !is_permitted(desired, observed, *it))
    };
    let left = || sets.iter().filter(|(_, members)| stays(members));
    let most = left().map(|(_, members)| members.len()).max()?;
    let mut largest = left().filter(|(_, members)| members.len() == most);
    let (id, _) = largest.next()?;
    let all = desired.members.max(observed.ordinals());
    let is_certain = sets.len() == 1 || most > all / 2;
    largest.next().is_none().then_some((*id, is_certain))
}
