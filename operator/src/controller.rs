//! Looks at every `SessionStore` whose world has changed, and never at one whose has not: while
//! nothing happens, no object costs a call or a question.

use std::convert::Infallible;
use std::sync::Arc;

use futures::{FutureExt, Stream, StreamExt, stream};
use kube::runtime::controller::{Action, Config, Error, applier};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::cache::{Target, Trigger};
use crate::clock;
use crate::reconcile::{Context, reconcile};

/// Works until it is told to stop; then the reconciles in flight are finished.
///
/// `concurrency` is how many may be looked at at once in each namespace that is watched by itself.
pub async fn run(context: Arc<Context>, concurrency: u16, stop: CancellationToken) {
    let scopes = context.caches.scopes();
    let controllers = scopes.into_iter().map(|(namespace, store)| {
        let context = context.clone();
        // Before the first look, so that nothing is missed between the two.
        let triggers = context.caches.triggers();
        let due = context.metrics.queue.clone();
        let queue = queue(context.clone(), namespace, triggers)
            .take_until(stop.clone().cancelled_owned())
            .inspect(move |target| due.put(target, clock::now()));
        let results = applier(
            |stored, context| Box::pin(reconcile(stored, context).map(Ok)),
            |_, never: &Infallible, _| match *never {},
            context.clone(),
            store,
            queue.map(Ok::<_, Infallible>),
            Config::default().concurrency(concurrency),
        );
        results.for_each(move |result| {
            note(result, &context);
            std::future::ready(())
        })
    });
    futures::future::join_all(controllers).await;
}

/// First all that there are in the namespace (the empty name is all of them), then those whose
/// world has changed.
fn queue(
    context: Arc<Context>,
    namespace: String,
    triggers: Receiver<Trigger>,
) -> impl Stream<Item = Target> {
    let all = context.caches.targets(&namespace);
    let later = stream::unfold(triggers, move |mut triggers| {
        let (context, namespace) = (context.clone(), namespace.clone());
        async move {
            let targets = match triggers.recv().await {
                Ok(Trigger::One(target)) => vec![target],
                // More has changed than could be counted.
                Ok(Trigger::All) | Err(RecvError::Lagged(_)) => context.caches.targets(&namespace),
                Err(RecvError::Closed) => return None,
            };
            let is_here = |target: &Target| {
                namespace.is_empty() || target.namespace.as_deref() == Some(namespace.as_str())
            };
            let here: Vec<Target> = targets.into_iter().filter(is_here).collect();
            Some((stream::iter(here), triggers))
        }
    });
    stream::iter(all).chain(later.flatten())
}

fn note(result: Result<(Target, Action), Error<Infallible, Infallible>>, context: &Arc<Context>) {
    if let Err(Error::ObjectNotFound(gone)) = result {
        let gone = Target::new(&gone.name).within(gone.namespace.as_deref().unwrap_or_default());
        context.forget(&gone);
    }
}
