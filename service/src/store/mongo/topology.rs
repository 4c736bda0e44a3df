//! What the driver's monitors know of the replica set: who is primary, in which term, who can be
//! read. Fed by driver events, awaited by everything else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mongodb::ServerType;
use mongodb::bson::oid::ObjectId;
use mongodb::error::{Error, ErrorKind};
use mongodb::event::EventHandler;
use mongodb::event::sdam::{SdamEvent, TopologyDescription};
use mongodb::options::ServerAddress;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::store::mongo::error::{CallError, why_unreachable};

/// One reign of one primary. Answers of two terms must not be mixed: the second primary may for a
/// moment know less than the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) primary: ServerAddress,
    /// Differs between two reigns of the same member.
    election: Option<ObjectId>,
}

/// The set at one moment, as far as this process can see it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct View {
    pub(super) term: Option<Term>,
    /// Secondaries that can be read, in the order of their addresses.
    pub(super) secondaries: Vec<ServerAddress>,
    /// Members that do not answer, and why.
    pub(super) unreachable: BTreeMap<String, String>,
    /// The driver cannot work with what it found.
    pub(super) incompatible: Option<String>,
}

/// Watches the set. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Topology {
    views: Arc<watch::Sender<View>>,
    /// The last refusal that a member gave to a login. Views do not tell: the next heartbeat, which
    /// needs no login, has made the member a good one again.
    refusal: Arc<Mutex<Option<CallError>>>,
}

impl Topology {
    pub(super) fn new() -> Self {
        Self {
            views: Arc::new(watch::Sender::new(View::default())),
            refusal: Arc::default(),
        }
    }

    /// What the driver has to be given, so that this knows what it knows. `changed` is called
    /// with every view that differs from the one before it.
    pub(super) fn handler(
        &self,
        changed: impl Fn(&View, &View) + Send + Sync + 'static,
    ) -> EventHandler<SdamEvent> {
        let views = Arc::clone(&self.views);
        let refusal = Arc::clone(&self.refusal);
        EventHandler::callback(move |event| {
            if let SdamEvent::TopologyDescriptionChanged(event) = event {
                if let Some(refused) = refused_login(&event.new_description) {
                    *refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refused);
                }
                let view = View::of(&event.new_description);
                views.send_if_modified(|current| {
                    let is_new = *current != view;
                    if is_new {
                        changed(current, &view);
                        *current = view;
                    }
                    is_new
                });
            }
        })
    }

    pub(super) fn view(&self) -> View {
        self.views.borrow().clone()
    }

    /// The refusal of a login, if a member gave one since the last time this was asked.
    pub(super) fn take_refusal(&self) -> Option<CallError> {
        let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        refusal.take()
    }

    /// The term that holds now, or the next one; `None` if there is none before `deadline`.
    pub(super) async fn some_term(&self, deadline: Instant) -> Option<Term> {
        let mut changes = self.views.subscribe();
        let waiting = changes.wait_for(|view| view.term.is_some());
        let view = timeout_at(deadline, waiting).await.ok()?.ok()?;
        view.term.clone()
    }

    /// Returns a while (`grace`) after another primary than that of `term` has come: time enough
    /// for an answer that is on its way.
    pub(super) async fn superseded(&self, term: &Term, grace: Duration) {
        let mut changes = self.views.subscribe();
        let is_other = |view: &View| view.term.as_ref().is_some_and(|other| other != term);
        if changes.wait_for(is_other).await.is_err() {
            // Nobody watches any more, so nobody waits for this either.
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(grace).await;
    }
}

impl View {
    fn of(description: &TopologyDescription) -> Self {
        let mut view = Self {
            incompatible: description.compatibility_error().cloned(),
            ..Self::default()
        };
        for (address, server) in description.servers() {
            if server.max_wire_version().is_some_and(is_too_old) {
                view.incompatible = Some(format!(
                    "{address} runs a MongoDB that is too old: version 6.0 or newer is needed"
                ));
            }
            match server.server_type() {
                ServerType::RsPrimary => {
                    view.term = Some(Term {
                        primary: address.clone(),
                        election: description.max_election_id(),
                    });
                }
                ServerType::RsSecondary => view.secondaries.push(address.clone()),
                ServerType::Unknown => {
                    let why = match server.error() {
                        Some(error) => why_unreachable(error),
                        None => "not reached yet".to_owned(),
                    };
                    view.unreachable.insert(address.to_string(), why);
                }
                ServerType::Standalone | ServerType::Mongos | ServerType::LoadBalancer => {
                    view.incompatible = Some(format!(
                        "{address} is no member of a replica set: start mongod with --replSet and \
                         initiate it, or name another host in --store-url"
                    ));
                }
                _ => {}
            }
        }
        // A map gives another order each time.
        view.secondaries.sort_by_key(ToString::to_string);
        view
    }
}

/// What a member said that let nobody log in.
fn refused_login(description: &TopologyDescription) -> Option<CallError> {
    let servers = description.servers();
    let mut errors = servers.values().filter_map(|server| server.error());
    let is_refusal = |error: &&Error| matches!(&*error.kind, ErrorKind::Authentication { .. });
    errors.find(is_refusal).map(CallError::from)
}

/// Whether a server of this wire version is older than MongoDB 6.0, the first with all that the
/// log needs.
fn is_too_old(wire_version: i32) -> bool {
    /// Of 6.0, see the server's `wire_version.h`.
    const NEEDED: i32 = 17;
    wire_version < NEEDED
}

#[cfg(test)]
impl View {
    /// A set with this primary and nobody else.
    pub(super) fn reigned_by(host: &str) -> Self {
        Self {
            term: ServerAddress::parse(host).ok().map(|primary| Term {
                primary,
                election: None,
            }),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(host: &str, election: u8) -> Term {
        Term {
            primary: ServerAddress::parse(host).unwrap(),
            election: Some(ObjectId::from_bytes([election; 12])),
        }
    }

    fn topology(term: Option<Term>) -> Topology {
        let topology = Topology::new();
        topology.views.send_modify(|view| view.term = term);
        topology
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[test]
    fn versions_before_6_0_are_too_old() {
        // 5.0 speaks 13, 6.0 speaks 17, 8.0 speaks 25.
        assert_eq!([13, 17, 25].map(is_too_old), [true, false, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_term_is_waited_for_until_the_deadline() {
        let topology = topology(None);
        assert_eq!(topology.some_term(soon()).await, None);
        let waiting = tokio::spawn({
            let topology = topology.clone();
            async move { topology.some_term(soon()).await }
        });
        tokio::task::yield_now().await;
        topology
            .views
            .send_modify(|view| view.term = Some(term("a", 1)));
        assert_eq!(waiting.await.unwrap(), Some(term("a", 1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_term_is_superseded_by_another_reign_not_by_having_no_primary() {
        let grace = Duration::from_millis(200);
        let first = term("a", 1);
        let topology = topology(Some(first.clone()));
        let mut waiting = tokio::spawn({
            let (topology, first) = (topology.clone(), first.clone());
            async move { topology.superseded(&first, grace).await }
        });
        topology.views.send_modify(|view| view.term = None);
        let early = tokio::time::timeout(Duration::from_secs(60), &mut waiting).await;
        assert!(early.is_err(), "no primary is no other primary");
        topology
            .views
            .send_modify(|view| view.term = Some(term("a", 2)));
        waiting.await.unwrap();
    }
}
