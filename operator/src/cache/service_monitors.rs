//! Whether the cluster knows the kind `ServiceMonitor`, which Prometheus' operator brings: it may
//! come and go at any time.
//!
//! Where the operator looks after the whole cluster it watches the definition of that kind, and no
//! other. An operator of single namespaces has no rights outside of these, and a definition belongs
//! to none: it asks once what the API server serves, as everybody may.

use std::pin::pin;
use std::time::Duration;

use futures::stream::StreamExt;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::{broadcast, watch};

use super::Trigger;
use super::watches::config;
use crate::health::{Streams, Watch};
use crate::kind::Kind;

/// Of the definition.
const NAME: &str = "servicemonitors.monitoring.coreos.com";

/// How soon to ask again when the API server has not answered.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What is known of it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Known {
    /// Nothing before the first answer.
    answer: watch::Receiver<Option<bool>>,
    /// Where nobody else tells that the kind is gone.
    gone: Option<Tell>,
}

/// Says what is known.
#[derive(Clone)]
struct Tell {
    answer: watch::Sender<Option<bool>>,
    triggers: broadcast::Sender<Trigger>,
}

impl Tell {
    fn tell(&self, is_known: bool) {
        if self.answer.send_replace(Some(is_known)) != Some(is_known) {
            // Nobody listens while another process leads.
            let _ = self.triggers.send(Trigger::All);
        }
    }
}

impl Known {
    /// By a watch of the definition.
    pub(super) fn by_definition(
        client: &Client,
        streams: &Streams,
        triggers: broadcast::Sender<Trigger>,
    ) -> Self {
        let watch = streams.watch("customresourcedefinitions", NAME);
        let (tell, answer) = channel(triggers);
        tokio::spawn(watch_definition(watch.client(client), watch, tell));
        Self { answer, gone: None }
    }

    /// By asking once.
    pub(super) fn by_discovery(client: &Client, triggers: broadcast::Sender<Trigger>) -> Self {
        let (tell, answer) = channel(triggers);
        tokio::spawn(ask(client.clone(), tell.clone()));
        Self {
            answer,
            gone: Some(tell),
        }
    }

    /// Whether the cluster knows the kind, as far as that is known.
    pub(super) fn now(&self) -> bool {
        *self.answer.borrow() == Some(true)
    }

    /// The same, when it is known.
    pub(super) async fn first(&self) -> bool {
        let mut answer = self.answer.clone();
        let first = answer.wait_for(Option::is_some).await;
        first.is_ok_and(|it| *it == Some(true))
    }

    /// Returns when it is so; says whether it can still change.
    pub(super) async fn becomes(&mut self, is_known: bool) -> bool {
        let is_so = |answer: &Option<bool>| *answer == Some(is_known);
        self.answer.wait_for(is_so).await.is_ok()
    }

    /// Takes note of why a watch of the kind was interrupted.
    pub(super) fn hear(&self, error: &watcher::Error) {
        if let Some(tell) = &self.gone
            && is_not_found(error)
        {
            tell.tell(false);
        }
    }
}

fn channel(triggers: broadcast::Sender<Trigger>) -> (Tell, watch::Receiver<Option<bool>>) {
    let (answer, receiver) = watch::channel(None);
    (Tell { answer, triggers }, receiver)
}

fn is_not_found(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status.code == 404,
        _ => false,
    }
}

async fn watch_definition(client: Client, watch: Watch, tell: Tell) {
    let api = Api::<PartialObjectMeta<CustomResourceDefinition>>::all(client);
    let config = config().fields(&format!("metadata.name={NAME}"));
    let mut stream = pin!(watcher(api, config).default_backoff());
    let mut is_listed = false;
    while let Some(event) = stream.next().await {
        match event {
            Ok(Event::Init) => is_listed = false,
            Ok(Event::InitApply(it)) => is_listed = can_be_made(&it),
            Ok(Event::InitDone) => {
                watch.synced();
                tell.tell(is_listed);
            }
            Ok(Event::Apply(it)) => tell.tell(can_be_made(&it)),
            Ok(Event::Delete(_)) => tell.tell(false),
            Err(error) => tracing::warn!(%error, "cannot see whether there are ServiceMonitors"),
        }
    }
}

/// A kind that is being deleted takes no new objects.
fn can_be_made(definition: &PartialObjectMeta<CustomResourceDefinition>) -> bool {
    definition.metadata.deletion_timestamp.is_none()
}

async fn ask(client: Client, tell: Tell) {
    let resource = Kind::ServiceMonitor.resource();
    loop {
        match client.list_api_group_resources(&resource.api_version).await {
            Ok(served) => {
                let names = served.resources.iter().map(|it| it.name.as_str());
                return tell.tell(names.into_iter().any(|it| it == resource.plural));
            }
            // An unknown group is answered in plain text, so that there is no reason but the code.
            Err(kube::Error::Api(status)) if status.code == 404 => return tell.tell(false),
            Err(error) => {
                tracing::warn!(%error, "cannot see whether there are ServiceMonitors");
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
    }
}
