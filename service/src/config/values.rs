//! The texts that settings are given as, and what they mean. Nothing here knows which setting it
//! reads, or where the text came from.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Why a text is no value of its setting. Completes the sentence "`--setting`: …".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ValueError {
    /// No time with a unit.
    #[error("expected a duration with its unit, such as 500ms, 10s, 2m or 1h")]
    NoDuration,
    /// No number of bytes.
    #[error("expected a number of bytes, such as 4096, 256KiB or 8MiB")]
    NoBytes,
    /// No whole number.
    #[error("expected a whole number")]
    NoCount,
    /// A number or duration that makes no sense here.
    #[error("must be from {min} to {max}")]
    OutOfRange {
        /// The least that does.
        min: String,
        /// The most that does.
        max: String,
    },
    /// No place to listen.
    #[error("expected HOST:PORT, such as 127.0.0.1:8080 or [::]:8080")]
    NoAddress,
    /// No store.
    #[error(
        "expected embedded:PATH, such as embedded:./data, or mongodb://HOST,HOST,HOST/DATABASE"
    )]
    NoStore,
    /// No connection string.
    #[error("this is no connection string of MongoDB: {0}")]
    NoConnectionString(String),
    /// Directives that the log filter does not understand.
    #[error(
        "expected a level (error, warn, info, debug, trace, off) or directives such as \
         info,sessionstore::log=debug: {0}"
    )]
    NoFilter(String),
}

/// Reads a duration from `min` to `max`, both in milliseconds.
pub(crate) fn duration(
    min: u64,
    max: u64,
) -> impl Fn(&str) -> Result<Duration, ValueError> + Clone + Send + Sync + 'static {
    move |text| {
        let millis = parse_millis(text).ok_or(ValueError::NoDuration)?;
        in_range(millis, min, max, |millis| Millis(millis).to_string())?;
        Ok(Duration::from_millis(millis))
    }
}

/// Reads a size from `min` to `max` bytes.
pub(crate) fn bytes(
    min: usize,
    max: usize,
) -> impl Fn(&str) -> Result<usize, ValueError> + Clone + Send + Sync + 'static {
    move |text| {
        let size = parse_bytes(text).ok_or(ValueError::NoBytes)?;
        in_range(size, min, max, |size| Bytes(size).to_string())
    }
}

/// Reads a number from `min` to `max`.
pub(crate) fn count(
    min: usize,
    max: usize,
) -> impl Fn(&str) -> Result<usize, ValueError> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().map_err(|_| ValueError::NoCount)?;
        in_range(number, min, max, |number| number.to_string())
    }
}

fn in_range<T: PartialOrd + Copy>(
    value: T,
    min: T,
    max: T,
    show: impl Fn(T) -> String,
) -> Result<T, ValueError> {
    if value < min || value > max {
        return Err(ValueError::OutOfRange {
            min: show(min),
            max: show(max),
        });
    }
    Ok(value)
}

const DURATION_UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
const BYTE_UNITS: [(&str, usize); 4] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("", 1),
];

fn parse_millis(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let (_, factor) = DURATION_UNITS.into_iter().find(|(name, _)| *name == unit)?;
    u64::try_from(number).ok()?.checked_mul(factor)
}

fn parse_bytes(text: &str) -> Option<usize> {
    let (number, unit) = split_unit(text)?;
    let (_, factor) = BYTE_UNITS.into_iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(factor)
}

fn split_unit(text: &str) -> Option<(usize, &str)> {
    let end = text
        .find(|symbol: char| !symbol.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit))
}

/// A duration in the largest unit that shows it exactly.
struct Millis(u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, factor): &(&str, u64)| self.0 >= *factor && self.0.is_multiple_of(*factor);
        match DURATION_UNITS.into_iter().rev().find(fits) {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}s", self.0),
        }
    }
}

/// A size in the largest unit that shows it exactly.
struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits =
            |(_, factor): &(&str, usize)| self.0 >= *factor && self.0.is_multiple_of(*factor);
        match BYTE_UNITS[..3].iter().rev().find(|unit| fits(unit)) {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

/// Where to listen: an address or a name, and a port. Names are looked up when it is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddr(String);

impl ListenAddr {
    /// Reads `HOST:PORT`; port 0 takes a free one.
    ///
    /// # Errors
    /// [`ValueError::NoAddress`].
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let is_name = || {
            text.rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty() && !host.contains([':', '/', ' ']) && port.parse::<u16>().is_ok()
            })
        };
        if text.parse::<SocketAddr>().is_ok() || is_name() {
            Ok(Self(text.to_owned()))
        } else {
            Err(ValueError::NoAddress)
        }
    }

    /// The text, as the system's resolver takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether any free port will do.
    pub fn is_any_port(&self) -> bool {
        self.0.ends_with(":0")
    }
}

/// Which store keeps the logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// The embedded store in this folder.
    Embedded(PathBuf),
    /// The replica set that this connection string names.
    MongoDb(ConnectionString),
}

/// A connection string of MongoDB, which may hold a password: it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionString(String);

impl ConnectionString {
    /// The text, for the driver.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mongodb://***")
    }
}

impl StoreUrl {
    /// Reads `embedded:PATH`, `mongodb://…` or `mongodb+srv://…`.
    ///
    /// # Errors
    /// [`ValueError::NoStore`], [`ValueError::NoConnectionString`].
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        match text.split_once(':') {
            Some(("embedded", path)) if !path.is_empty() => Ok(Self::Embedded(path.into())),
            Some(("mongodb" | "mongodb+srv", _)) => {
                match mongodb::options::ConnectionString::parse(text) {
                    Ok(_) => Ok(Self::MongoDb(ConnectionString(text.to_owned()))),
                    Err(error) => Err(ValueError::NoConnectionString(error.kind.to_string())),
                }
            }
            _ => Err(ValueError::NoStore),
        }
    }

    /// The kind of store, for logs and answers.
    pub fn backend(&self) -> &'static str {
        match self {
            Self::Embedded(_) => "embedded",
            Self::MongoDb(_) => "mongodb",
        }
    }
}

/// Which lines are logged: the directives of `tracing_subscriber`'s `EnvFilter`, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// Reads a level or directives.
    ///
    /// # Errors
    /// [`ValueError::NoFilter`].
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        // A lone word is taken for a target: a mistyped level would silence the log.
        let is_typo = |directive: &&str| {
            let is_level = !directive.is_empty() && directive.parse::<LevelFilter>().is_ok();
            !is_level && !directive.contains(['=', '['])
        };
        if let Some(typo) = text.split(',').find(is_typo) {
            return Err(ValueError::NoFilter(format!("`{typo}` is no level")));
        }
        match EnvFilter::builder().parse(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(ValueError::NoFilter(error.to_string())),
        }
    }

    /// The filter itself.
    pub fn filter(&self) -> EnvFilter {
        EnvFilter::builder().parse_lossy(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_and_a_range() {
        let read = duration(100, 3_600_000);
        assert_eq!(read("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(read("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(read("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(read("1h"), Ok(Duration::from_secs(3600)));
        for wrong in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "1.5s",
            "5d",
            "99999999999999999999s",
        ] {
            assert_eq!(read(wrong), Err(ValueError::NoDuration), "{wrong}");
        }
        assert_eq!(
            read("1ms").unwrap_err().to_string(),
            "must be from 100ms to 1h"
        );
        assert_eq!(
            read("61m").unwrap_err().to_string(),
            "must be from 100ms to 1h"
        );
    }

    #[test]
    fn a_size_is_in_bytes_or_in_binary_units() {
        let read = bytes(16, 1 << 30);
        assert_eq!(read("4096"), Ok(4096));
        assert_eq!(read("256KiB"), Ok(256 * 1024));
        assert_eq!(read("8MiB"), Ok(8 * 1024 * 1024));
        for wrong in [
            "",
            "KiB",
            "8 MiB",
            "8MB",
            "8mib",
            "-1",
            "1.5MiB",
            "99999999999GiB",
        ] {
            assert_eq!(read(wrong), Err(ValueError::NoBytes), "{wrong}");
        }
        assert_eq!(
            read("15").unwrap_err().to_string(),
            "must be from 16 bytes to 1GiB"
        );
    }

    #[test]
    fn a_count_is_a_whole_number_in_its_range() {
        let read = count(1, 100);
        assert_eq!(read("64"), Ok(64));
        assert_eq!(read("many"), Err(ValueError::NoCount));
        assert_eq!(read("0").unwrap_err().to_string(), "must be from 1 to 100");
    }

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for good in [
            "127.0.0.1:8080",
            "[::]:0",
            "localhost:80",
            "db.example.org:65535",
        ] {
            assert_eq!(ListenAddr::parse(good).unwrap().as_str(), good);
        }
        for wrong in [
            "",
            "8080",
            ":8080",
            "localhost",
            "localhost:99999",
            "::1:80",
            "http://a:1",
        ] {
            assert_eq!(
                ListenAddr::parse(wrong),
                Err(ValueError::NoAddress),
                "{wrong}"
            );
        }
        assert!(ListenAddr::parse("[::1]:0").unwrap().is_any_port());
    }

    #[test]
    fn a_store_is_named_by_its_url() {
        let data = StoreUrl::Embedded("./data".into());
        assert_eq!(StoreUrl::parse("embedded:./data"), Ok(data));
        for set in [
            "mongodb://a,b:27018,c/x?replicaSet=rs0",
            "mongodb+srv://db.example.org",
        ] {
            assert_eq!(StoreUrl::parse(set).unwrap().backend(), "mongodb");
        }
        assert!(matches!(
            StoreUrl::parse("mongodb://db:99999/x"),
            Err(ValueError::NoConnectionString(_))
        ));
        for wrong in ["", "embedded:", "./data", "redis://x"] {
            assert_eq!(StoreUrl::parse(wrong), Err(ValueError::NoStore), "{wrong}");
        }
    }

    #[test]
    fn a_connection_string_does_not_show_its_password() {
        let url = StoreUrl::parse("mongodb://user:secret@db/x").unwrap();
        assert!(!format!("{url:?}").contains("secret"));
    }

    #[test]
    fn a_log_filter_is_checked_before_it_is_used() {
        assert!(LogFilter::parse("info,sessionstore::log=debug").is_ok());
        for wrong in ["", "loud", "inof,hyper=debug", "sessionstore=loud"] {
            let result = LogFilter::parse(wrong);
            assert!(
                matches!(result, Err(ValueError::NoFilter(_))),
                "{wrong}: {result:?}"
            );
        }
    }
}
