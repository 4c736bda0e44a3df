//! What may happen.

use proptest::prelude::*;

/// More ordinals than any wish: all that have a host name.
pub(crate) const ORDINALS: usize = 5;

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// All that is due happens once, in good order.
    Round,
    /// An operator (of two that both believe to lead) looks and decides.
    Look(usize),
    /// An operator does what it has decided, however long ago.
    Act(usize),
    /// It does the first half of it and dies.
    ActHalf(usize),
    /// It dies before it does anything.
    Die(usize),
    /// The kubelet or a controller goes on with a pod.
    Kubelet(usize),
    /// The same; if a member starts by that, names do not resolve yet.
    KubeletDnsLate(usize),
    /// Members hear of each other.
    Heartbeats,
    /// A member copies what the primary has.
    Replicate(usize),
    /// A member wants to lead.
    Elect(usize),
    /// Clients write.
    Write(usize),
    Crash(usize),
    /// A member and the others do not reach each other any more.
    Cut(usize),
    Mend(usize),
    /// The operators do not reach a member any more.
    Blind(usize),
    See(usize),
    PowerOff(usize),
    PowerOn(usize),
    /// Kubernetes notices that a node is off.
    Notice(usize),
    Cordon(usize),
    Uncordon(usize),
    /// A drain evicts a pod, if the budget permits.
    Evict(usize),
    /// A volume is gone with its data, if the others have all that was acknowledged.
    LoseVolume(usize),
    /// Somebody who has the key initiates an empty member alone.
    Hijack(usize),
    /// So many members are wanted.
    Want(usize),
    /// Somebody scales the `StatefulSet` by hand.
    Scale(usize),
    /// Another template is wanted; a broken one does not start.
    Roll {
        is_broken: bool,
    },
    /// The Secrets are made anew.
    ChangeSecrets,
    /// The Secret of the key is lost, and another key is drawn.
    LoseKey,
    /// The `SessionStore` is deleted and created again on the volumes that stay.
    Recreate,
    /// A person does what the last wait asks for.
    Help(usize),
}

pub(crate) fn events() -> impl Strategy<Value = Vec<Event>> {
    // Sets that stand are more interesting than those that never come to be.
    let calm = prop::collection::vec(Just(Event::Round), 0..14);
    let wild = prop::collection::vec(event(), 1..90);
    (calm, wild).prop_map(|(mut calm, wild)| {
        calm.extend(wild);
        calm
    })
}

fn event() -> impl Strategy<Value = Event> {
    let at = |event: fn(usize) -> Event| (0..ORDINALS).prop_map(event);
    let by = |event: fn(usize) -> Event| (0..2_usize).prop_map(event);
    prop_oneof![
        20 => Just(Event::Round),
        6 => by(Event::Look),
        6 => by(Event::Act),
        2 => by(Event::ActHalf),
        1 => by(Event::Die),
        6 => at(Event::Kubelet),
        2 => at(Event::KubeletDnsLate),
        6 => Just(Event::Heartbeats),
        6 => at(Event::Replicate),
        4 => at(Event::Elect),
        4 => (1..4_usize).prop_map(Event::Write),
        1 => (8..20_usize).prop_map(Event::Write),
        2 => at(Event::Crash),
        2 => at(Event::Cut),
        3 => at(Event::Mend),
        1 => at(Event::Blind),
        2 => at(Event::See),
        1 => at(Event::PowerOff),
        2 => at(Event::PowerOn),
        1 => at(Event::Notice),
        1 => at(Event::Cordon),
        2 => at(Event::Uncordon),
        2 => at(Event::Evict),
        1 => at(Event::LoseVolume),
        1 => at(Event::Hijack),
        2 => prop::sample::select(vec![1, 3, 5]).prop_map(Event::Want),
        2 => (0..=ORDINALS + 1).prop_map(Event::Scale),
        1 => Just(Event::Roll { is_broken: false }),
        1 => Just(Event::Roll { is_broken: true }),
        1 => Just(Event::ChangeSecrets),
        1 => Just(Event::LoseKey),
        1 => Just(Event::Recreate),
        2 => at(Event::Help),
    ]
}
