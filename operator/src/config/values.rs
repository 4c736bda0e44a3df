//! The texts that settings are given as, and what they mean.

use std::time::Duration;

use jiff::SignedDuration;
use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Why a text is no value of its setting.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ValueError {
    /// No time with a unit.
    #[error("expected a duration with its unit, such as 500ms, 15s or 2m")]
    NoDuration,
    /// A duration that makes no sense here.
    #[error("must be from {min:?} to {max:?}")]
    OutOfRange {
        /// The least that does.
        min: Duration,
        /// The most that does.
        max: Duration,
    },
    /// No name of a domain.
    #[error("expected a domain without a dot at either end, such as cluster.local")]
    NoDomain,
    /// Directives that the log filter does not understand.
    #[error(
        "expected a level (error, warn, info, debug, trace, off) or directives such as \
         info,sessionstore_operator::mongo=debug: {0}"
    )]
    NoFilter(String),
}

/// Reads a duration from `min` to `max`.
pub(super) fn duration(
    min: Duration,
    max: Duration,
) -> impl Fn(&str) -> Result<Duration, ValueError> + Clone + Send + Sync + 'static {
    move |text| {
        let duration: SignedDuration = text.parse().map_err(|_| ValueError::NoDuration)?;
        let duration = Duration::try_from(duration).map_err(|_| ValueError::NoDuration)?;
        if !(min..=max).contains(&duration) {
            return Err(ValueError::OutOfRange { min, max });
        }
        Ok(duration)
    }
}

/// Reads the name of a domain: labels of letters, digits and hyphens with dots between them.
pub(super) fn domain(text: &str) -> Result<String, ValueError> {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_label = |label: &str| {
        let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = label.as_bytes();
        bytes.len() <= 63
            && is_edge(bytes.first())
            && is_edge(bytes.last())
            && bytes.iter().copied().all(is_inner)
    };
    if text.len() > 253 || !text.split('.').all(is_label) {
        return Err(ValueError::NoDomain);
    }
    Ok(text.to_owned())
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
        let read = duration(Duration::from_secs(3), Duration::from_secs(300));
        assert_eq!(read("15s"), Ok(Duration::from_secs(15)));
        assert_eq!(read("3500ms"), Ok(Duration::from_millis(3_500)));
        assert_eq!(read("5m"), Ok(Duration::from_secs(300)));
        for wrong in ["", "15", "s", "-5s", "fifteen"] {
            assert_eq!(read(wrong), Err(ValueError::NoDuration), "{wrong}");
        }
        let error = read("1s").unwrap_err();
        assert_eq!(error.to_string(), "must be from 3s to 300s");
    }

    #[test]
    fn a_domain_has_no_dot_at_either_end() {
        assert_eq!(domain("cluster.local").unwrap(), "cluster.local");
        for wrong in [
            "",
            ".",
            "cluster.local.",
            ".local",
            "a..b",
            "-a.b",
            "a_b",
            "a b",
        ] {
            assert_eq!(domain(wrong), Err(ValueError::NoDomain), "{wrong}");
        }
    }

    #[test]
    fn a_mistyped_level_is_no_filter() {
        assert!(LogFilter::parse("info,kube=debug").is_ok());
        assert!(LogFilter::parse("inof").is_err());
        assert!(LogFilter::parse("").is_err());
    }
}
