//! Settings of the server: one list for flags, environment variables and the keys of a file.
//!
//! The list is [`Settings`]. `values` says how each kind of value is written, `sources` where
//! values come from and which source wins. Nothing is opened, bound or connected here.

mod sources;
mod values;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};
use thiserror::Error;

use crate::domain::Limits;
use crate::log;

pub use sources::{Environment, Given, Origin, SourceError, Sources};
pub use values::{ListenAddr, LogFilter, StoreUrl, ValueError};

pub(crate) use values::{bytes, count, duration};

/// Everything that can be set.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// A TOML file with settings; its keys are the names of the flags
    #[arg(long, env = "SESSIONSTORE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where it listens and where it stores.
    #[command(flatten)]
    pub places: PlaceSettings,
    /// What it logs.
    #[command(flatten)]
    pub logging: LogSettings,
    /// How long things may take.
    #[command(flatten)]
    pub times: TimeSettings,
    /// How much it takes on at once.
    #[command(flatten)]
    pub load: LoadSettings,
    /// How large the things a client sends may be.
    #[command(flatten)]
    pub limits: LimitSettings,
}

/// Where the server listens and where it stores.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Places")]
pub struct PlaceSettings {
    /// Where the API listens; port 0 takes a free one
    #[arg(
        long,
        env = "SESSIONSTORE_HTTP_ADDR",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8080",
        value_parser = ListenAddr::parse,
    )]
    pub http_addr: ListenAddr,
    /// Where /livez, /readyz, /metrics and /version are served; keep it from the public
    #[arg(
        long,
        env = "SESSIONSTORE_ADMIN_ADDR",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9090",
        value_parser = ListenAddr::parse,
    )]
    pub admin_addr: ListenAddr,
    /// Where sessions are kept: embedded:PATH is a folder that this process has for itself;
    /// `mongodb://HOST,HOST,HOST/DATABASE` (or `mongodb+srv://…`) is a replica set that several
    /// processes share, with every option that connection strings have
    #[arg(
        long,
        env = "SESSIONSTORE_STORE_URL",
        value_name = "URL",
        default_value = "embedded:./data",
        value_parser = StoreUrl::parse,
    )]
    pub store_url: StoreUrl,
    /// A file that holds the store's URL, for one that contains a password
    #[arg(long, env = "SESSIONSTORE_STORE_URL_FILE", value_name = "FILE")]
    pub store_url_file: Option<PathBuf>,
}

/// What the server logs, to standard error.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logging")]
pub struct LogSettings {
    /// A level, or directives such as `info,sessionstore::log=debug`; a request that failed is one
    /// line at info or above, a good one a line at debug
    #[arg(
        long,
        env = "SESSIONSTORE_LOG",
        value_name = "FILTER",
        default_value = "info",
        value_parser = LogFilter::parse,
    )]
    pub log: LogFilter,
    /// The form of a line [default: text on a terminal, else json]
    #[arg(
        long,
        env = "SESSIONSTORE_LOG_FORMAT",
        value_name = "FORMAT",
        value_enum
    )]
    pub log_format: Option<LogFormat>,
}

/// The form of a line of the log.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

/// How long things may take.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Times")]
pub struct TimeSettings {
    /// How long a write may wait for the store before it is answered 503
    #[arg(
        long,
        env = "SESSIONSTORE_REQUEST_TIMEOUT",
        value_name = "DURATION",
        default_value = "10s",
        value_parser = duration(100, 600_000),
    )]
    pub request_timeout: Duration,
    /// How long the head of a connection's first request may take to arrive
    #[arg(
        long,
        env = "SESSIONSTORE_HEADER_TIMEOUT",
        value_name = "DURATION",
        default_value = "10s",
        value_parser = duration(100, 600_000),
    )]
    pub header_timeout: Duration,
    /// How long a request's body may take to arrive
    #[arg(
        long,
        env = "SESSIONSTORE_BODY_TIMEOUT",
        value_name = "DURATION",
        default_value = "30s",
        value_parser = duration(100, 3_600_000),
    )]
    pub body_timeout: Duration,
    /// How long a connection may wait for its next request; longer than that of a proxy in front
    #[arg(
        long,
        env = "SESSIONSTORE_IDLE_TIMEOUT",
        value_name = "DURATION",
        default_value = "75s",
        value_parser = duration(100, 86_400_000),
    )]
    pub idle_timeout: Duration,
    /// How often a stream that has nothing to say sends a comment, so that proxies keep it open
    #[arg(
        long,
        env = "SESSIONSTORE_STREAM_HEARTBEAT",
        value_name = "DURATION",
        default_value = "15s",
        value_parser = duration(100, 3_600_000),
    )]
    pub stream_heartbeat: Duration,
    /// How long a stream waits for a reader that takes nothing before it is dropped
    #[arg(
        long,
        env = "SESSIONSTORE_STREAM_STALL_TIMEOUT",
        value_name = "DURATION",
        default_value = "30s",
        value_parser = duration(100, 3_600_000),
    )]
    pub stream_stall_timeout: Duration,
    /// How long the port stays open after readiness has failed, for balancers to notice
    #[arg(
        long,
        env = "SESSIONSTORE_SHUTDOWN_DELAY",
        value_name = "DURATION",
        default_value = "0s",
        value_parser = duration(0, 600_000),
    )]
    pub shutdown_delay: Duration,
    /// How long requests in flight may take to finish after that; 5 s less than what kills
    #[arg(
        long,
        env = "SESSIONSTORE_SHUTDOWN_TIMEOUT",
        value_name = "DURATION",
        default_value = "25s",
        value_parser = duration(100, 3_600_000),
    )]
    pub shutdown_timeout: Duration,
}

/// How much the server takes on at once.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Load")]
pub struct LoadSettings {
    /// Threads that serve [default: the number of cores]
    #[arg(
        long,
        env = "SESSIONSTORE_WORKER_THREADS",
        value_name = "COUNT",
        value_parser = count(1, 1024),
    )]
    pub worker_threads: Option<usize>,
    /// Connections to the API; more wait in the system's queue
    #[arg(
        long,
        env = "SESSIONSTORE_MAX_CONNECTIONS",
        value_name = "COUNT",
        default_value = "10000",
        value_parser = count(1, 1_000_000),
    )]
    pub max_connections: usize,
    /// Writes queued or in flight; more are answered 503 at once
    #[arg(
        long,
        env = "SESSIONSTORE_QUEUE_ITEMS",
        value_name = "COUNT",
        default_value = "10000",
        value_parser = count(1, 10_000_000),
    )]
    pub queue_items: usize,
    /// Bytes of them
    #[arg(
        long,
        env = "SESSIONSTORE_QUEUE_BYTES",
        value_name = "BYTES",
        default_value = "32MiB",
        value_parser = bytes(1 << 20, 64 << 30),
    )]
    pub queue_bytes: usize,
    /// Writes in one commit to the store
    #[arg(
        long,
        env = "SESSIONSTORE_BATCH_ITEMS",
        value_name = "COUNT",
        default_value = "1000",
        value_parser = count(1, 100_000),
    )]
    pub batch_items: usize,
    /// Bytes of them
    #[arg(
        long,
        env = "SESSIONSTORE_BATCH_BYTES",
        value_name = "BYTES",
        default_value = "4MiB",
        value_parser = bytes(64 << 10, 32 << 20),
    )]
    pub batch_bytes: usize,
    /// Sessions whose place in the log is remembered while nothing is written to them
    #[arg(
        long,
        env = "SESSIONSTORE_LANES",
        value_name = "COUNT",
        default_value = "20000",
        value_parser = count(16, 10_000_000),
    )]
    pub lanes: usize,
}

/// How large the things a client sends may be. The contract of the API names the defaults: to
/// change one is to change what clients may rely on.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits of requests (sizes are those of compact JSON)")]
pub struct LimitSettings {
    /// Session and event ids
    #[arg(
        long,
        env = "SESSIONSTORE_LIMIT_ID",
        value_name = "BYTES",
        default_value = "256",
        value_parser = bytes(16, 1024),
    )]
    pub limit_id: usize,
    /// Language tags
    #[arg(
        long,
        env = "SESSIONSTORE_LIMIT_LANGUAGE",
        value_name = "BYTES",
        default_value = "35",
        value_parser = bytes(2, 255),
    )]
    pub limit_language: usize,
    /// The metadata of a session, also after a patch
    #[arg(
        long,
        env = "SESSIONSTORE_LIMIT_METADATA",
        value_name = "BYTES",
        default_value = "16KiB",
        value_parser = bytes(2, 1 << 20),
    )]
    pub limit_metadata: usize,
    /// The payload of an event
    #[arg(
        long,
        env = "SESSIONSTORE_LIMIT_PAYLOAD",
        value_name = "BYTES",
        default_value = "256KiB",
        value_parser = bytes(2, 8 << 20),
    )]
    pub limit_payload: usize,
    /// Levels of nesting of payload and metadata, themselves the first
    #[arg(
        long,
        env = "SESSIONSTORE_LIMIT_NESTING",
        value_name = "COUNT",
        default_value = "64",
        // Stored documents are compared as trees by serde_json, which stops at 128 levels.
        value_parser = count(1, 100),
    )]
    pub limit_nesting: usize,
    /// The body of a request that carries one thing
    #[arg(
        long,
        env = "SESSIONSTORE_LIMIT_BODY",
        value_name = "BYTES",
        default_value = "1MiB",
        value_parser = bytes(1 << 10, 64 << 20),
    )]
    pub limit_body: usize,
    /// The body of a batch
    #[arg(
        long,
        env = "SESSIONSTORE_LIMIT_BATCH_BODY",
        value_name = "BYTES",
        default_value = "8MiB",
        value_parser = bytes(1 << 10, 64 << 20),
    )]
    pub limit_batch_body: usize,
    /// Events in a batch
    #[arg(
        long,
        env = "SESSIONSTORE_LIMIT_BATCH_ITEMS",
        value_name = "COUNT",
        default_value = "500",
        value_parser = count(1, 10_000),
    )]
    pub limit_batch_items: usize,
    /// The reason of a closing, as text
    #[arg(
        long,
        env = "SESSIONSTORE_LIMIT_REASON",
        value_name = "BYTES",
        default_value = "1KiB",
        value_parser = bytes(1, 64 << 10),
    )]
    pub limit_reason: usize,
    /// Rows of a page, at most
    #[arg(
        long,
        env = "SESSIONSTORE_LIMIT_PAGE",
        value_name = "COUNT",
        default_value = "500",
        value_parser = count(1, 10_000),
    )]
    pub limit_page: usize,
    /// Rows of a page when the request does not say
    #[arg(
        long,
        env = "SESSIONSTORE_LIMIT_PAGE_DEFAULT",
        value_name = "COUNT",
        default_value = "50",
        value_parser = count(1, 10_000),
    )]
    pub limit_page_default: usize,
    /// Payloads after which a page ends early
    #[arg(
        long,
        env = "SESSIONSTORE_LIMIT_PAGE_BYTES",
        value_name = "BYTES",
        default_value = "1MiB",
        value_parser = bytes(1 << 10, 64 << 20),
    )]
    pub limit_page_bytes: usize,
    /// The largest offset of a page; beyond it a cursor is the way
    #[arg(
        long,
        env = "SESSIONSTORE_LIMIT_OFFSET",
        value_name = "COUNT",
        default_value = "10000",
        value_parser = count(0, 1_000_000),
    )]
    pub limit_offset: usize,
}

/// Settings that are good each, and make no sense together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ContradictionError {
    /// The second server would find the port taken.
    #[error("--http-addr and --admin-addr are both {0}: give one of them another port")]
    SamePort(String),
    /// What is allowed could never be sent, or the like.
    #[error("{smaller} ({smaller_value}) must not be greater than {larger} ({larger_value})")]
    Greater {
        /// The flag that should be smaller.
        smaller: &'static str,
        /// Its value.
        smaller_value: usize,
        /// The flag that should be larger.
        larger: &'static str,
        /// Its value.
        larger_value: usize,
    },
}

impl Settings {
    /// Replaces the store's URL by what its file holds, if the file is the one that counts.
    ///
    /// # Errors
    /// When the file cannot be read, holds no URL, or one source gives both.
    pub fn resolve_store_url(&mut self, given: &Given) -> Result<(), SourceError> {
        let (Some(path), Some(file)) =
            (&self.places.store_url_file, given.origin("store_url_file"))
        else {
            return Ok(());
        };
        if let Some(direct) = given.origin("store_url") {
            if direct.rank() == file.rank() {
                return Err(SourceError::Both {
                    first: direct.clone(),
                    second: file.clone(),
                });
            }
            if direct.rank() > file.rank() {
                return Ok(());
            }
        }
        let url = sources::read_secret(file, path)?;
        self.places.store_url = StoreUrl::parse(&url).map_err(|error| SourceError::BadSecret {
            origin: file.clone(),
            path: path.clone(),
            error,
        })?;
        Ok(())
    }

    /// Finds settings that contradict each other.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), ContradictionError> {
        let PlaceSettings {
            http_addr,
            admin_addr,
            ..
        } = &self.places;
        if http_addr == admin_addr && !http_addr.is_any_port() {
            return Err(ContradictionError::SamePort(http_addr.as_str().to_owned()));
        }
        let limits = &self.limits;
        let body = ("--limit-body", limits.limit_body);
        let batch_body = ("--limit-batch-body", limits.limit_batch_body);
        let payload = ("--limit-payload", limits.limit_payload);
        let pairs = [
            (payload, body),
            (payload, batch_body),
            (("--limit-metadata", limits.limit_metadata), body),
            (
                ("--limit-page-default", limits.limit_page_default),
                ("--limit-page", limits.limit_page),
            ),
            // A batch that could never be queued would be answered 503 for ever.
            (batch_body, ("--queue-bytes", self.load.queue_bytes)),
            (
                ("--limit-batch-items", limits.limit_batch_items),
                ("--queue-items", self.load.queue_items),
            ),
        ];
        for ((smaller, smaller_value), (larger, larger_value)) in pairs {
            if smaller_value > larger_value {
                return Err(ContradictionError::Greater {
                    smaller,
                    smaller_value,
                    larger,
                    larger_value,
                });
            }
        }
        Ok(())
    }

    /// The committer's part.
    pub fn committer(&self) -> log::Settings {
        log::Settings {
            queue_items: self.load.queue_items,
            queue_bytes: self.load.queue_bytes,
            batch_items: self.load.batch_items,
            batch_bytes: self.load.batch_bytes,
            lanes: self.load.lanes,
            deadline: self.times.request_timeout,
            is_shared: matches!(self.places.store_url, StoreUrl::MongoDb(_)),
            ..log::Settings::default()
        }
    }

    /// How many threads serve.
    pub fn worker_threads(&self) -> usize {
        let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.load.worker_threads.unwrap_or_else(cores)
    }
}

impl LimitSettings {
    /// The same, as the domain has them.
    pub fn limits(&self) -> Limits {
        Limits {
            id_bytes: self.limit_id,
            language_bytes: self.limit_language,
            metadata_bytes: self.limit_metadata,
            payload_bytes: self.limit_payload,
            nesting: self.limit_nesting,
            body_bytes: self.limit_body,
            batch_body_bytes: self.limit_batch_body,
            batch_items: self.limit_batch_items,
            reason_bytes: self.limit_reason,
            page_limit: self.limit_page,
            page_default: self.limit_page_default,
            page_bytes: self.limit_page_bytes,
            offset: self.limit_offset as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    fn settings(arguments: &[&str]) -> Settings {
        let command = Settings::augment_args(Command::new("test"));
        let arguments = std::iter::once("test").chain(arguments.iter().copied());
        let matches = command.try_get_matches_from(arguments).unwrap();
        Settings::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let defaults = settings(&[]);
        assert_eq!(defaults.limits.limits(), Limits::default());
        let committer = format!("{:?}", defaults.committer());
        // The folder of the embedded store has one process.
        let alone = log::Settings {
            is_shared: false,
            ..log::Settings::default()
        };
        assert_eq!(committer, format!("{alone:?}"));
        assert_eq!(defaults.check(), Ok(()));
    }

    #[test]
    fn every_setting_has_an_environment_variable_of_its_name() {
        let command = Settings::augment_args(Command::new("test"));
        for arg in command.get_arguments() {
            let name = arg.get_long().unwrap().to_uppercase().replace('-', "_");
            let variable = arg.get_env().unwrap().to_str().unwrap();
            assert_eq!(variable, format!("SESSIONSTORE_{name}"));
            assert_eq!(arg.get_id().as_str().to_uppercase(), name);
        }
    }

    #[test]
    fn settings_that_contradict_each_other_are_named_both() {
        let same = settings(&["--http-addr", "[::]:80", "--admin-addr", "[::]:80"]);
        assert!(
            same.check()
                .unwrap_err()
                .to_string()
                .contains("another port")
        );
        let free = settings(&["--http-addr", "[::]:0", "--admin-addr", "[::]:0"]);
        assert_eq!(free.check(), Ok(()));
        let large = settings(&["--limit-payload", "2MiB"]);
        assert_eq!(
            large.check().unwrap_err().to_string(),
            "--limit-payload (2097152) must not be greater than --limit-body (1048576)"
        );
    }
}
