//! `sessionstore-operator run`: the parts of the operator, put together, and taken apart again.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, io};

use kube::client::ClientBuilder;
use kube::runtime::events::{Recorder, Reporter};
use kube::{Client, Config};
use prometheus::Registry;
use thiserror::Error;
use tokio::runtime;
use tokio_util::sync::CancellationToken;
use tower::timeout::TimeoutLayer;

use crate::admin::{self, Admin, BindError};
use crate::build::Environment;
use crate::cache::Caches;
use crate::config::{self, Settings};
use crate::controller;
use crate::health::Streams;
use crate::leader::{Campaign, CampaignError, Candidacy, LeaderMetrics, Reign, Terms};
use crate::metrics::{self, ApiMetrics, Metrics, StreamAges};
use crate::names::FIELD_MANAGER;
use crate::reconcile::{Context, Memories};
use crate::shutdown::Signals;
use crate::telemetry::{self, LogError, TraceError, Traces};
use crate::validate::Defaults;

/// Two are enough for what one operator does, and each costs memory: its stack, and the allocator's
/// arena.
const WORKER_THREADS: usize = 2;

/// How long the work in flight may take to end. With the Lease given away after it, another operator
/// goes on within 5 s.
const DRAIN: Duration = Duration::from_secs(3);

/// How long the last traces may take to be exported: the collector may be gone already.
const FLUSH_LIMIT: Duration = Duration::from_secs(3);

/// How long an answer of the admin port that is under way may take at the end.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// How long the API server may take to begin an answer. It gives a webhook 30 s at most
/// (`timeoutSeconds` in its configuration); who takes longer is not there any more, and a connection
/// that nobody has closed would hold up the work for ever.
const CALL_LIMIT: Duration = Duration::from_secs(35);

/// Why it does not run. Each text is one line that says what to do.
#[derive(Debug, Error)]
enum RunError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error("there is no cluster to look after: {0}")]
    NoCluster(#[from] kube::config::InferConfigError),
    #[error("there is no client for the cluster: {0}")]
    Client(#[from] kube::Error),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Campaign(#[from] CampaignError),
    #[error("the metrics contradict each other: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error("the system does not let this process run: {0}")]
    System(#[from] io::Error),
}

/// What the work of every term begins with. Cheap to clone.
#[derive(Clone)]
struct Parts {
    client: Client,
    settings: Arc<Settings>,
    environment: Environment,
    caches: Arc<Caches>,
    metrics: Metrics,
    reporter: Reporter,
}

/// Runs until it is told to stop.
pub(crate) fn run(settings: Settings) -> ExitCode {
    match start(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            // Where nothing is logged, it is told nevertheless.
            if !tracing::enabled!(tracing::Level::ERROR) {
                eprintln!("error: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

fn start(settings: Settings) -> Result<(), RunError> {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build()?;
    let ended = runtime.block_on(operate(settings));
    // Work that did not stop when it had to is not waited for either.
    runtime.shutdown_background();
    ended
}

async fn operate(settings: Settings) -> Result<(), RunError> {
    let stop = CancellationToken::new();
    // Before anything that takes time: a signal during the start is not lost.
    tokio::spawn(Signals::listen()?.obey(stop.clone()));

    let traces = Traces::wanted(&|name| env::var_os(name))?;
    telemetry::start_logs(&settings.logging, traces.as_ref().map(Traces::tracer))?;
    let registry = metrics::registry()?;
    let streams = Streams::default();
    registry.register(Box::new(StreamAges::new(streams.clone())?))?;
    tokio::spawn(streams.heartbeat());

    let cluster = Config::infer().await?;
    let candidacy = candidacy(&settings, &cluster);
    let namespace = cluster.default_namespace.clone();
    let client = client(cluster, &registry)?;
    let listener = admin::bind(settings.work.admin_address).await?;
    let address = listener.local_addr()?;
    let closed = CancellationToken::new();
    let admin = Admin {
        streams: streams.clone(),
        registry: registry.clone(),
        stop: stop.clone(),
    };
    let serving = tokio::spawn(admin::serve(listener, admin, closed.clone()));
    let scope = settings.work.scope();
    tracing::info!(%address, identity = candidacy.identity, ?scope, "started");

    let parts = Parts {
        environment: environment(&settings, namespace),
        // A standby watches too, so that it can go on at once.
        caches: Arc::new(Caches::start(&client, &streams, scope)),
        metrics: Metrics::register(&registry)?,
        reporter: Reporter {
            controller: FIELD_MANAGER.to_owned(),
            instance: Some(candidacy.identity.clone()),
        },
        settings: Arc::new(settings),
        client: client.clone(),
    };
    let leader = LeaderMetrics::register(&registry)?;
    let campaign = Campaign::new(&client, candidacy, &streams, leader);
    let ended = campaign
        .run(stop, DRAIN, |reign| work(parts.clone(), reign))
        .await;

    closed.cancel();
    if tokio::time::timeout(CLOSE_LIMIT, serving).await.is_err() {
        tracing::debug!("answers of the admin port are cut off");
    }
    if let Some(traces) = traces {
        traces.flush(FLUSH_LIMIT).await;
    }
    ended?;
    tracing::info!("stopped");
    Ok(())
}

/// What is done while this process leads. It ends by itself only if a watch has died, and then
/// the process does too.
async fn work(parts: Parts, reign: Reign) {
    // Without rights, or without the custom resource, the caches are never filled: to be told to
    // stop must not wait for them.
    tokio::select! {
        () = reign.stop.cancelled() => return,
        ready = parts.caches.ready() => if ready.is_err() {
            return;
        },
    }
    let _telling = parts.metrics.lead();
    let work = &parts.settings.work;
    let concurrency = u16::try_from(work.concurrency.get()).unwrap_or(u16::MAX);
    let context = Context {
        recorder: Recorder::new(parts.client.clone(), parts.reporter),
        client: parts.client,
        environment: parts.environment,
        defaults: Defaults {
            api_image: work.api_image.clone(),
            mongodb_image: work.mongodb_image.clone(),
        },
        caches: parts.caches,
        leadership: reign.leadership,
        metrics: parts.metrics,
        memories: Memories::default(),
    };
    controller::run(Arc::new(context), concurrency, reign.stop).await;
}

fn client(cluster: Config, registry: &Registry) -> Result<Client, RunError> {
    let calls = ApiMetrics::register(registry)?;
    let builder = ClientBuilder::try_from(cluster)?
        .with_layer(&TimeoutLayer::new(CALL_LIMIT))
        .with_layer(&calls);
    Ok(builder.build())
}

fn candidacy(settings: &Settings, cluster: &Config) -> Candidacy {
    let lease = &settings.lease;
    let namespace = lease.lease_namespace.as_ref();
    Candidacy {
        namespace: namespace.unwrap_or(&cluster.default_namespace).clone(),
        name: lease.lease_name.clone(),
        identity: lease.identity.clone().unwrap_or_else(config::identity),
        terms: Terms {
            lease: lease.lease_duration,
        },
    }
}

fn environment(settings: &Settings, operator_namespace: String) -> Environment {
    let found = || {
        let resolv_conf = fs::read_to_string("/etc/resolv.conf").ok()?;
        config::cluster_domain(&resolv_conf)
    };
    let cluster_domain = settings.work.cluster_domain.clone().or_else(found);
    Environment {
        operator_image: settings.work.operator_image.clone(),
        operator_namespace,
        cluster_domain: cluster_domain.unwrap_or_else(|| config::DEFAULT_DOMAIN.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_api_server_that_never_answers_holds_up_no_call_longer_than_the_limit() {
        // The kernel takes connections that nobody accepts.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap();
        let mut cluster = Config::new(format!("http://{address}").parse().unwrap());
        // No other limit is to be in the way.
        (cluster.connect_timeout, cluster.read_timeout) = (None, None);
        let client = client(cluster, &Registry::new()).unwrap();
        let begun = Instant::now();
        assert!(client.apiserver_version().await.is_err());
        // To the millisecond, which is what the timer can tell.
        assert_eq!(begun.elapsed().as_secs(), CALL_LIMIT.as_secs());
    }
}
