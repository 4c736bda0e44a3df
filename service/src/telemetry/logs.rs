//! Lines of the log: one object or one line of text each, to standard error.

use std::io::{self, IsTerminal};
use std::panic;

use thiserror::Error;
use tracing::Subscriber;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::{LogFormat, LogSettings};

/// There is a log already.
#[derive(Debug, Error)]
#[error("this process has a log already")]
pub struct LogError;

/// Starts the log of this process, panics included.
///
/// # Errors
/// When it has been started before.
pub fn start(settings: &LogSettings) -> Result<(), LogError> {
    let is_terminal = io::stderr().is_terminal();
    let format = settings.log_format.unwrap_or(if is_terminal {
        LogFormat::Text
    } else {
        LogFormat::Json
    });
    let subscriber = subscriber(settings.log.filter(), format, is_terminal, io::stderr);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError)?;
    // The default hook would write lines that are no JSON.
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        let payload = panic.payload();
        let literal = payload.downcast_ref::<&str>().copied();
        let message = literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let message = message.unwrap_or("(no message)");
        tracing::error!(location, "panicked: {message}");
    }));
    Ok(())
}

/// What writes the lines that `filter` lets pass to `writer`.
pub fn subscriber<W>(
    filter: EnvFilter,
    format: LogFormat,
    colours: bool,
    writer: W,
) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer).with_ansi(colours);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Text => lines.boxed(),
        // What a line needs is in its own fields.
        LogFormat::Json => lines
            .json()
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
    };
    // Spans of libraries cost time, and no line is made of them.
    let no_spans = filter_fn(|metadata| !metadata.is_span());
    Registry::default()
        .with(lines.with_filter(no_spans))
        .with(filter)
}
