//! What a watch tells becomes what is seen: it fills a store, and tells whom each change concerns.

use std::hash::Hash;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::stream::{BoxStream, Stream, StreamExt};
use k8s_openapi::api::core::v1::Node;
use kube::api::DynamicObject;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{Lookup, Store};
use kube::runtime::watcher::{self, Event};
use kube::{Resource, ResourceExt};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::news::News;
use super::routes::by_owner;
use super::service_monitors::Known;
use super::{Target, Trigger};
use crate::apply::version;
use crate::health::Watch;

/// How far a watch has got: the newest version of all that it has told, deletions too.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<AtomicU64>);

impl Progress {
    /// The store shows at least all that had happened up to this version.
    pub(super) fn version(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    fn reach(&self, version: u64) {
        self.0.fetch_max(version, Ordering::Release);
    }
}

/// What a watch fills.
pub(super) struct Sink<K>
where
    K: Lookup + Clone + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    kind: K::DynamicType,
    writer: Writer<K>,
    reader: Store<K>,
    triggers: broadcast::Sender<Trigger>,
    is_news: News<K>,
    pub(super) progress: Progress,
    /// The newest version in a list that is not complete yet.
    listed: u64,
}

impl<K> Sink<K>
where
    K: Resource + Clone + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    pub(super) fn new(
        kind: K::DynamicType,
        writer: Writer<K>,
        triggers: broadcast::Sender<Trigger>,
        is_news: News<K>,
    ) -> Self {
        Self {
            kind,
            reader: writer.as_reader(),
            writer,
            triggers,
            is_news,
            progress: Progress::default(),
            listed: 0,
        }
    }

    fn take(
        &mut self,
        event: watcher::Result<Event<K>>,
        watch: &Watch,
        route: &impl Fn(&K) -> Option<Target>,
    ) {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(%error, "a watch is interrupted, and begins again");
                return;
            }
        };
        let version = |object: &K| version(object.meta().resource_version.as_deref());
        let (trigger, reached) = match &event {
            Event::Apply(object) => {
                let before = self.reader.get(&object.to_object_ref(self.kind.clone()));
                let is_news = before.is_none_or(|it| (self.is_news)(&it, object));
                let concerned = is_news.then(|| route(object)).flatten();
                (concerned.map(Trigger::One), version(object))
            }
            Event::Delete(object) => (route(object).map(Trigger::One), version(object)),
            // What vanished while nobody looked is in no event.
            Event::InitDone => {
                watch.synced();
                (Some(Trigger::All), mem::take(&mut self.listed))
            }
            Event::InitApply(object) => {
                self.listed = self.listed.max(version(object));
                (None, 0)
            }
            Event::Init => (None, 0),
        };
        self.writer.apply_watcher_event(&event);
        // Not before the store has it.
        self.progress.reach(reached);
        if let Some(trigger) = trigger {
            // Nobody listens while another process leads.
            let _ = self.triggers.send(trigger);
        }
    }

    /// Nothing of it is there any more.
    fn clear(&mut self) {
        self.writer.apply_watcher_event(&Event::Init);
        self.writer.apply_watcher_event(&Event::InitDone);
    }
}

/// Follows a watch for ever.
pub(super) async fn follow<K>(
    stream: impl Stream<Item = watcher::Result<Event<K>>> + Send,
    watch: Watch,
    mut sink: Sink<K>,
    route: impl Fn(&K) -> Option<Target> + Send,
) where
    K: Resource + Clone + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    let mut stream = pin!(slim(stream));
    while let Some(event) = stream.next().await {
        sink.take(event, &watch, &route);
    }
}

/// The same until somebody has had enough.
pub(super) async fn follow_until<K>(
    ended: CancellationToken,
    stream: impl Stream<Item = watcher::Result<Event<K>>> + Send,
    watch: Watch,
    mut sink: Sink<K>,
    route: impl Fn(&K) -> Option<Target> + Send,
) where
    K: Resource + Clone + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    let mut stream = pin!(slim(stream).take_until(ended.cancelled_owned()));
    while let Some(event) = stream.next().await {
        sink.take(event, &watch, &route);
    }
    watch.retire();
}

/// The same while the cluster knows the kind; otherwise there is nothing of it.
pub(super) async fn follow_while(
    mut known: Known,
    start: impl Fn() -> (
        Watch,
        BoxStream<'static, watcher::Result<Event<DynamicObject>>>,
    ),
    mut sink: Sink<DynamicObject>,
) {
    while known.becomes(true).await {
        let (watch, stream) = start();
        let mut stream = pin!(slim(stream));
        loop {
            tokio::select! {
                _ = known.becomes(false) => break,
                Some(event) = stream.next() => {
                    if let Err(error) = &event {
                        known.hear(error);
                    }
                    sink.take(event, &watch, &by_owner);
                }
            }
        }
        watch.retire();
        sink.clear();
    }
}

/// A node that is drained or lost concerns whoever has members there.
pub(super) async fn follow_nodes(
    stream: impl Stream<Item = watcher::Result<Event<Node>>> + Send,
    watch: Watch,
    mut writer: Writer<Node>,
    triggers: broadcast::Sender<Trigger>,
) {
    let reader = writer.as_reader();
    let mut stream = pin!(slim(stream));
    while let Some(event) = stream.next().await {
        match event {
            Ok(event) => {
                if matches!(event, Event::InitDone) {
                    watch.synced();
                }
                let has_changed = match &event {
                    Event::Apply(node) => reader
                        .get(&node.to_object_ref(()))
                        .is_none_or(|before| *before != *node),
                    Event::Delete(_) | Event::InitDone => true,
                    Event::Init | Event::InitApply(_) => false,
                };
                writer.apply_watcher_event(&event);
                if has_changed {
                    let _ = triggers.send(Trigger::All);
                }
            }
            Err(error) => tracing::warn!(%error, "the watch of nodes is interrupted"),
        }
    }
}

/// Who set which field is of no use here, and half of an object's size.
fn slim<K: ResourceExt>(
    stream: impl Stream<Item = watcher::Result<Event<K>>>,
) -> impl Stream<Item = watcher::Result<Event<K>>> {
    stream
        .default_backoff()
        .modify(|object| object.meta_mut().managed_fields = None)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Secret;
    use kube::runtime::reflector::store::store;

    use super::*;
    use crate::cache::news;
    use crate::health::Streams;

    fn secret(version: u64) -> Secret {
        let mut secret = Secret::default();
        secret.metadata.name = Some(format!("secret-{version}"));
        secret.metadata.resource_version = Some(version.to_string());
        secret
    }

    #[test]
    fn a_watch_has_got_as_far_as_its_newest_event_and_its_last_complete_list() {
        let (_reader, writer) = store();
        let (triggers, _) = broadcast::channel(1);
        let mut sink = Sink::new((), writer, triggers, news::always());
        let progress = sink.progress.clone();
        let watch = Streams::default().watch("secrets", "");
        let mut after = |event| {
            sink.take(Ok(event), &watch, &|_: &Secret| None);
            progress.version()
        };
        assert_eq!(after(Event::Init), 0);
        // In the store it is only when the list is complete.
        assert_eq!(after(Event::InitApply(secret(7))), 0);
        assert_eq!(after(Event::InitApply(secret(5))), 0);
        assert_eq!(after(Event::InitDone), 7);
        assert_eq!(after(Event::Apply(secret(8))), 8);
        assert_eq!(after(Event::Delete(secret(9))), 9);
        // Begun again, from a server that lags behind.
        assert_eq!(after(Event::Init), 9);
        assert_eq!(after(Event::InitApply(secret(8))), 9);
        assert_eq!(after(Event::InitDone), 9);
    }

    #[test]
    fn what_is_no_news_is_kept_and_triggers_nothing() {
        let (reader, writer) = store();
        let (triggers, mut heard) = broadcast::channel(4);
        let mut sink = Sink::new((), writer, triggers, news::of_secret());
        let watch = Streams::default().watch("secrets", "");
        let its = Target::new("voice");
        let at = |version: &str| {
            let mut secret = secret(1);
            secret.metadata.resource_version = Some(version.to_owned());
            secret
        };
        let mut take = |event| sink.take(Ok(event), &watch, &|_: &Secret| Some(its.clone()));
        take(Event::Apply(at("1")));
        assert_eq!(heard.try_recv(), Ok(Trigger::One(its.clone())));
        take(Event::Apply(at("2")));
        assert!(heard.try_recv().is_err());
        let kept = reader.state()[0].metadata.resource_version.clone();
        assert_eq!(kept.as_deref(), Some("2"));
        take(Event::Delete(at("3")));
        assert_eq!(heard.try_recv(), Ok(Trigger::One(its.clone())));
    }
}
