//! To be told when something changes in a set, instead of asking.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use mongodb::event::EventHandler;
use mongodb::event::sdam::{SdamEvent, TopologyDescription};
use mongodb::options::{ClientOptions, ServerAddress};
use mongodb::{Client, ServerType};

use super::error::CallError;
use super::lag::Lags;
use super::link::{APP_NAME, CONNECT};

/// Members tell of changes at once. One that freezes tells nothing: it is missed after this and the
/// time to connect. Each costs a member one message.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// What is told: who is what, and which configuration the members have. How fast they answer is not.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    servers: BTreeMap<String, String>,
    version: Option<i32>,
}

/// Watches a set for as long as it is kept. It logs in nowhere.
#[derive(Debug)]
pub struct Monitor {
    _client: Client,
    lags: Lags,
}

impl Monitor {
    /// Begins to watch the set of this name. `changed` is called with every change, from a task of
    /// the driver, so it must not wait.
    ///
    /// # Errors
    /// [`CallError::Refused`] when a host is none.
    pub fn start(
        set: &str,
        hosts: &[String],
        changed: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, CallError> {
        let wrong = |error: mongodb::error::Error| CallError::Refused(error.kind.to_string());
        let addresses = hosts.iter().map(ServerAddress::parse);
        let addresses: Vec<ServerAddress> = addresses.collect::<Result<_, _>>().map_err(wrong)?;
        let last = Mutex::new(Seen::default());
        let lags = Lags::default();
        let heard = lags.clone();
        let handler = EventHandler::callback(move |event| match event {
            SdamEvent::TopologyDescriptionChanged(event) => {
                let seen = Seen::of(&event.new_description);
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if *last != seen {
                    *last = seen;
                    changed();
                }
            }
            SdamEvent::ServerHeartbeatSucceeded(event) => {
                heard.heard(&event.server_address.to_string(), &event.reply);
            }
            SdamEvent::ServerHeartbeatFailed(event) => {
                heard.lost(&event.server_address.to_string());
            }
            SdamEvent::ServerClosed(event) => heard.lost(&event.address.to_string()),
            _ => {}
        });
        let mut options = ClientOptions::builder()
            .hosts(addresses)
            .repl_set_name(set.to_owned())
            .app_name(APP_NAME.to_owned())
            .connect_timeout(CONNECT)
            .heartbeat_freq(HEARTBEAT)
            .build();
        options.sdam_event_handler = Some(handler);
        let client = Client::with_options(options).map_err(wrong)?;
        Ok(Self {
            _client: client,
            lags,
        })
    }

    /// How far the members are behind.
    pub fn lags(&self) -> &Lags {
        &self.lags
    }
}

impl Seen {
    fn of(description: &TopologyDescription) -> Self {
        let servers = description.servers();
        let kinds = servers.iter().map(|(address, server)| {
            let kind: ServerType = server.server_type();
            (address.to_string(), format!("{kind:?}"))
        });
        Self {
            servers: kinds.collect(),
            version: servers
                .values()
                .filter_map(mongodb::ServerInfo::replica_set_version)
                .max(),
        }
    }
}
