//! What one service process has: a store and the log over it.

use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use prometheus::proto::LabelPair;
use sessionstore::log::{Log, LogMetrics, Settings};
use sessionstore::store::{Health, MongoMetrics, MongoSettings, MongoStore, Patience, Store};

use crate::set::until;

pub(crate) struct Process {
    pub(crate) store: Arc<MongoStore>,
    pub(crate) log: Log,
    registry: Registry,
}

/// So that a test of waiting in vain is short.
pub(crate) fn impatient() -> Patience {
    Patience {
        deadline: Duration::from_secs(2),
        command: Duration::from_secs(1),
        ..Patience::default()
    }
}

/// The same for the log.
pub(crate) fn hasty() -> Settings {
    Settings {
        deadline: Duration::from_secs(2),
        ..Settings::default()
    }
}

/// A log that waits for as long as an election takes on a busy machine.
pub(crate) fn patient() -> (Patience, Settings) {
    let deadline = Duration::from_secs(60);
    let patience = Patience {
        deadline,
        ..Patience::default()
    };
    let settings = Settings {
        deadline,
        ..Settings::default()
    };
    (patience, settings)
}

impl Process {
    /// A process on this database, which it has found fit to serve.
    pub(crate) async fn serving(url: &str) -> Self {
        let process = Self::start(url, Patience::default(), Settings::default()).await;
        process.until_serving().await;
        process
    }

    pub(crate) async fn start(url: &str, patience: Patience, settings: Settings) -> Self {
        let registry = Registry::new();
        let metrics = MongoMetrics::register(&registry).unwrap();
        let store = MongoStore::connect(url, MongoSettings { patience }, metrics).await;
        let store = Arc::new(store.unwrap());
        let metrics = LogMetrics::register(&registry).unwrap();
        let log = Log::new(Arc::clone(&store) as Arc<dyn Store>, settings, metrics);
        Self {
            store,
            log,
            registry,
        }
    }

    pub(crate) async fn until_serving(&self) {
        self.until_health("a process that serves", |health| *health == Health::Serving)
            .await;
    }

    pub(crate) async fn until_health(
        &self,
        what: &str,
        wanted: impl Fn(&Health) -> bool,
    ) -> Health {
        until(what, async || {
            Some(self.store.health()).filter(|health| wanted(health))
        })
        .await
    }

    /// How many pages have come from this kind of member for this reason.
    pub(crate) fn pages(&self, member: &str, reason: &str) -> u64 {
        let families = self.registry.gather();
        let family = families
            .iter()
            .find(|it| it.name() == "sessionstore_replica_reads_total")
            .unwrap();
        let labels = |metric: &&prometheus::proto::Metric| {
            let values: Vec<&str> = metric.get_label().iter().map(LabelPair::value).collect();
            values == [member, reason]
        };
        let metric = family.get_metric().iter().find(labels).unwrap();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count"
        )]
        let count = metric.get_counter().get_value() as u64;
        count
    }
}
