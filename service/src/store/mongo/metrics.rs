//! What the driver and its connections are doing.

use std::time::Duration;

use mongodb::event::EventHandler;
use mongodb::event::cmap::CmapEvent;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};

use crate::store::mongo::error::CallError;
use crate::store::mongo::topology::View;

/// The metrics of a store on MongoDB. Cheap to clone.
///
/// Commands are timed where they are called, not by the driver's command events: those carry a
/// parsed copy of every command, which costs more than the insert of a batch itself.
#[derive(Clone, Debug)]
pub struct MongoMetrics {
    commands: HistogramVec,
    connections: IntGauge,
    connections_in_use: IntGauge,
    pool_events: IntCounterVec,
    topology_changes: IntCounterVec,
    members_unreachable: IntGauge,
    has_primary: IntGauge,
    replica_reads: IntCounterVec,
}

/// Why a page of events came from where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageSource {
    /// From a secondary that was proven to hold the tail.
    Secondary,
    /// From a secondary, for a reader that asked for no more.
    Unverified,
    /// From the primary: the secondary did not have all of it yet.
    Behind,
    /// From the primary: the secondary took too long.
    Slow,
    /// From the primary: the secondary failed.
    Failed,
    /// From the primary: there is no secondary to ask.
    Alone,
}

impl PageSource {
    fn labels(self) -> [&'static str; 2] {
        match self {
            Self::Secondary => ["secondary", "verified"],
            Self::Unverified => ["secondary", "eventual"],
            Self::Behind => ["primary", "behind"],
            Self::Slow => ["primary", "slow"],
            Self::Failed => ["primary", "failed"],
            Self::Alone => ["primary", "alone"],
        }
    }
}

impl MongoMetrics {
    /// Creates the metrics and registers them.
    ///
    /// # Errors
    /// When a name is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let commands = HistogramVec::new(
            HistogramOpts::new(
                "sessionstore_mongodb_command_duration_seconds",
                "How long one command to the database took, as the service saw it.",
            )
            // From a warm find (some 100 µs) to the time limit of a command (seconds).
            .buckets(prometheus::exponential_buckets(0.000_2, 3.0, 10)?),
            &["command", "outcome"],
        )?;
        let metrics = Self {
            commands,
            connections: IntGauge::new(
                "sessionstore_mongodb_connections",
                "Open connections to members, those of the monitors not counted.",
            )?,
            connections_in_use: IntGauge::new(
                "sessionstore_mongodb_connections_in_use",
                "Connections that carry a command now.",
            )?,
            pool_events: IntCounterVec::new(
                Opts::new(
                    "sessionstore_mongodb_pool_events_total",
                    "Pools that were cleared because a member was lost, and commands that got no \
                     connection.",
                ),
                &["event"],
            )?,
            topology_changes: IntCounterVec::new(
                Opts::new(
                    "sessionstore_mongodb_topology_changes_total",
                    "Changes of the replica set: a primary came or went, a member was lost or \
                     came back.",
                ),
                &["change"],
            )?,
            members_unreachable: IntGauge::new(
                "sessionstore_mongodb_members_unreachable",
                "Members that do not answer this process.",
            )?,
            has_primary: IntGauge::new(
                "sessionstore_mongodb_primary",
                "1 while this process knows a primary.",
            )?,
            replica_reads: IntCounterVec::new(
                Opts::new(
                    "sessionstore_replica_reads_total",
                    "Pages of events by the member that gave them, and why that one.",
                ),
                &["member", "reason"],
            )?,
        };
        registry.register(Box::new(metrics.commands.clone()))?;
        registry.register(Box::new(metrics.connections.clone()))?;
        registry.register(Box::new(metrics.connections_in_use.clone()))?;
        registry.register(Box::new(metrics.pool_events.clone()))?;
        registry.register(Box::new(metrics.topology_changes.clone()))?;
        registry.register(Box::new(metrics.members_unreachable.clone()))?;
        registry.register(Box::new(metrics.has_primary.clone()))?;
        registry.register(Box::new(metrics.replica_reads.clone()))?;
        // Counters that a dashboard divides by have to be there before they first count.
        for source in [
            PageSource::Secondary,
            PageSource::Unverified,
            PageSource::Behind,
            PageSource::Slow,
            PageSource::Failed,
            PageSource::Alone,
        ] {
            metrics.replica_reads.with_label_values(&source.labels());
        }
        Ok(metrics)
    }

    pub(super) fn observe<T>(&self, command: &str, took: Duration, result: &Result<T, CallError>) {
        let outcome = match result {
            Ok(_) => "ok",
            Err(CallError::TimedOut) => "timed_out",
            Err(CallError::NotDone(_)) => "not_done",
            Err(CallError::Lost(_)) => "lost",
            Err(CallError::Refused(_)) => "refused",
        };
        self.commands
            .with_label_values(&[command, outcome])
            .observe(took.as_secs_f64());
    }

    pub(super) fn page_from(&self, source: PageSource) {
        self.replica_reads.with_label_values(&source.labels()).inc();
    }

    pub(super) fn pool_handler(&self) -> EventHandler<CmapEvent> {
        let metrics = self.clone();
        EventHandler::callback(move |event| match event {
            CmapEvent::ConnectionCreated(_) => metrics.connections.inc(),
            CmapEvent::ConnectionClosed(_) => metrics.connections.dec(),
            CmapEvent::ConnectionCheckedOut(_) => metrics.connections_in_use.inc(),
            CmapEvent::ConnectionCheckedIn(_) => metrics.connections_in_use.dec(),
            CmapEvent::PoolCleared(_) => metrics.count_pool_event("cleared"),
            CmapEvent::ConnectionCheckoutFailed(_) => metrics.count_pool_event("checkout_failed"),
            _ => {}
        })
    }

    fn count_pool_event(&self, event: &str) {
        self.pool_events.with_label_values(&[event]).inc();
    }

    pub(super) fn topology_changed(&self, before: &View, after: &View) {
        let count = |change: &str| self.topology_changes.with_label_values(&[change]).inc();
        if before.term != after.term {
            count(if after.term.is_some() {
                "primary_found"
            } else {
                "primary_lost"
            });
        }
        if after.unreachable.len() > before.unreachable.len() {
            count("member_lost");
        } else if after.unreachable.len() < before.unreachable.len() {
            count("member_back");
        }
        self.members_unreachable
            .set(i64::try_from(after.unreachable.len()).unwrap_or(i64::MAX));
        self.has_primary.set(i64::from(after.term.is_some()));
    }
}
