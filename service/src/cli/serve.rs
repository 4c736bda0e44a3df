//! `sessionstore serve`: the parts of the server, put together, and taken apart again.

use std::process::{self, ExitCode};
use std::sync::Arc;
use std::time::Duration;
use std::{env, io};

use prometheus::Registry;
use rustix::process::{Resource, getrlimit, setrlimit};
use thiserror::Error;
use tokio::runtime;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Admin, Health};
use crate::config::{Settings, StoreUrl};
use crate::domain::{CreationIds, Timestamp};
use crate::http::observe::{HttpMetrics, Observer};
use crate::http::{self, Api, StreamMetrics, Timing};
use crate::log::{Log, LogMetrics};
use crate::server::{BindError, ConnectionLimits, Listener, Server};
use crate::shutdown::{Ended, Shutdown, Signals};
use crate::store::{
    ConnectError, EmbeddedSettings, EmbeddedStore, Measured, MongoMetrics, MongoSettings,
    MongoStore, OpenError, Patience, Store, StoreMetrics,
};
use crate::telemetry::{self, LogError, TraceError, Traces};

/// Why it does not serve. Each text is one line that says what to do.
#[derive(Debug, Error)]
enum ServeError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the metrics contradict each other: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error("the system does not let this process run: {0}")]
    System(#[from] io::Error),
}

/// Serves until it is told to stop.
pub(super) fn run(settings: Settings) -> ExitCode {
    match start(settings) {
        Ok(Ended::Drained) => ExitCode::SUCCESS,
        Ok(Ended::CutOff) => ExitCode::FAILURE,
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

fn start(settings: Settings) -> Result<Ended, ServeError> {
    telemetry::start_logs(&settings.logging)?;
    raise_file_limit();
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(settings.worker_threads())
        .enable_all()
        .build()?;
    runtime.block_on(serve(settings))
}

/// Every connection is a file, and so is every table of the store: as many as the system allows
/// this process, rather than the 1,024 that a shell begins with.
fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

async fn serve(settings: Settings) -> Result<Ended, ServeError> {
    // Before anything that takes time: a signal during the start is not lost.
    let mut signals = Signals::listen()?;
    let traces = Traces::wanted(&|name| env::var_os(name))?;
    let registry = telemetry::registry()?;
    let places = &settings.places;
    let http_listener = Listener::bind("http-addr", &places.http_addr).await?;
    let admin_listener = Listener::bind("admin-addr", &places.admin_addr).await?;
    let (http_addr, admin_addr) = (http_listener.addr(), admin_listener.addr());

    let health = Health::default();
    let store = places.store_url.backend();
    let admin = admin::router(Admin {
        health: health.clone(),
        registry: registry.clone(),
        store,
    });
    let mut admin_server = Server::start(admin_listener, admin, ADMIN_LIMITS);

    let opened = Measured::new(
        open_store(&settings, &registry).await?,
        StoreMetrics::register(&registry)?,
    );
    let log = Log::new(
        Arc::new(opened),
        settings.committer(),
        LogMetrics::register(&registry)?,
    );
    let streams = CancellationToken::new();
    let api = Api::new(
        log.clone(),
        Arc::new(settings.limits.limits()),
        timing(&settings),
        streams.clone(),
        StreamMetrics::register(&registry)?,
        now,
        CreationIds::new(rand::random()),
    );
    let observer = Observer::new(
        HttpMetrics::register(&registry)?,
        traces.as_ref().map(Traces::tracer),
    );
    let router = observer.observe(http::router(api));
    let mut server = Server::start(http_listener, router, limits(&settings));
    health.serve(log.clone());
    tracing::info!(%http_addr, %admin_addr, store, "serving");

    signals.next().await;
    tracing::info!("stopping");
    tokio::spawn(async move {
        signals.next().await;
        tracing::warn!("told to stop twice: stopping at once");
        process::exit(1);
    });
    let shutdown = Shutdown {
        health,
        delay: settings.times.shutdown_delay,
        streams,
        limit: settings.times.shutdown_timeout,
    };
    let ended = shutdown.run(&mut server, &log).await;
    if ended == Ended::CutOff {
        let connections = server.connections();
        tracing::warn!(connections, "time ran out: connections are cut off");
    }
    admin_server.stop_accepting().await;
    if let Some(traces) = traces {
        traces.flush(FLUSH_LIMIT).await;
    }
    tracing::info!("stopped");
    Ok(ended)
}

async fn open_store(
    settings: &Settings,
    registry: &Registry,
) -> Result<Arc<dyn Store>, ServeError> {
    match &settings.places.store_url {
        StoreUrl::MongoDb(url) => {
            let patience = Patience {
                deadline: settings.times.request_timeout,
                ..Patience::default()
            };
            let metrics = MongoMetrics::register(registry)?;
            let store = MongoStore::connect(url.secret(), MongoSettings { patience }, metrics);
            Ok(Arc::new(store.await?))
        }
        StoreUrl::Embedded(path) => {
            let path = path.clone();
            // A store that was killed is repaired while it is opened, which may take a while.
            let opening = move || EmbeddedStore::open(&path, EmbeddedSettings::default());
            let store = match tokio::task::spawn_blocking(opening).await {
                Ok(opened) => opened?,
                Err(panic) => return Err(io::Error::other(panic).into()),
            };
            Ok(Arc::new(store))
        }
    }
}

/// What may be scraped and probed at the same time is little, and comes from this platform.
const ADMIN_LIMITS: ConnectionLimits = ConnectionLimits {
    connections: 256,
    first_head: Duration::from_secs(10),
    next_head: Duration::from_secs(75),
};

/// How long the last traces may take to be exported: the collector may be gone already.
const FLUSH_LIMIT: Duration = Duration::from_secs(3);

fn limits(settings: &Settings) -> ConnectionLimits {
    ConnectionLimits {
        connections: settings.load.max_connections,
        first_head: settings.times.header_timeout,
        next_head: settings.times.idle_timeout,
    }
}

fn timing(settings: &Settings) -> Timing {
    Timing {
        body: settings.times.body_timeout,
        heartbeat: settings.times.stream_heartbeat,
        stalled: settings.times.stream_stall_timeout,
        ..Timing::default()
    }
}

fn now() -> Timestamp {
    Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
}
