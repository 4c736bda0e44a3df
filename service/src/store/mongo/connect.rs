//! From a connection string to a client: what the string leaves open is set here.

use std::time::Duration;

use mongodb::Client;
use mongodb::options::{ClientOptions, ReadPreference, SelectionCriteria};
use thiserror::Error;

use crate::store::mongo::link::{Link, Patience};
use crate::store::mongo::metrics::MongoMetrics;
use crate::store::mongo::replicas::Replicas;
use crate::store::mongo::topology::Topology;

/// How a store on MongoDB behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// How long to wait for what.
    pub patience: Patience,
}

/// Why no store can be made of a connection string.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// The string cannot be read, or what it names cannot be resolved or read.
    #[error("--store-url: {0}")]
    Url(String),
}

/// Without a database in the path.
const DATABASE: &str = "sessionstore";

/// A frozen member is found out after this and the heartbeat: the elections of a set that is
/// tuned for it (`electionTimeoutMillis` 3000) take longer than both.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_500);
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long the driver itself looks for a member: short, since the store waits for events.
const SELECTION_TIMEOUT: Duration = Duration::from_secs(2);

/// Connections to one member. Writes are batches, few at a time, so this is about reads.
const MAX_POOL: u32 = 32;
/// Kept open, so that the first requests do not wait for handshakes (some 10 ms each).
const MIN_POOL: u32 = 4;

pub(super) async fn link(
    url: &str,
    settings: &Settings,
    metrics: MongoMetrics,
) -> Result<(Link, Replicas), ConnectError> {
    let wrong = |error: mongodb::error::Error| ConnectError::Url(error.kind.to_string());
    let mut options = ClientOptions::parse(url).await.map_err(wrong)?;
    // Who asks for the primary by name gets every page from it.
    let primary = SelectionCriteria::ReadPreference(ReadPreference::Primary);
    let reads_replicas = options.selection_criteria != Some(primary);
    let topology = Topology::new();
    options
        .app_name
        .get_or_insert_with(|| "sessionstore".to_owned());
    options.connect_timeout.get_or_insert(CONNECT_TIMEOUT);
    options.heartbeat_freq.get_or_insert(HEARTBEAT);
    options
        .server_selection_timeout
        .get_or_insert(SELECTION_TIMEOUT);
    let most = *options.max_pool_size.get_or_insert(MAX_POOL);
    // The driver opens the least number of connections even where it is beyond the largest.
    options.min_pool_size.get_or_insert(MIN_POOL.min(most));
    // An answer that was lost is looked up, not asked for twice.
    options.retry_writes = Some(false);
    options.retry_reads = Some(false);
    let changes = metrics.clone();
    options.sdam_event_handler = Some(topology.handler(move |before, after| {
        if before.term != after.term {
            if let Some(term) = &after.term {
                tracing::info!(primary = %term.primary, "a primary is known");
            } else {
                tracing::warn!("the replica set has no primary");
            }
        }
        changes.topology_changed(before, after);
    }));
    options.cmap_event_handler = Some(metrics.pool_handler());
    let database = options.default_database.clone();
    let client = Client::with_options(options).map_err(wrong)?;
    let database = client.database(database.as_deref().unwrap_or(DATABASE));
    let link = Link::new(client, database, topology, settings.patience, metrics);
    Ok((link, Replicas::new(reads_replicas)))
}
