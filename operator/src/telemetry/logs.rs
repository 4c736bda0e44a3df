//! Lines of the log, one object or one line of text each, to standard error; and the spans that
//! become traces, if any are wanted.

use std::io::{self, IsTerminal};
use std::panic;

use opentelemetry_sdk::trace::SdkTracer;
use thiserror::Error;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::{LogFormat, LogSettings};

/// There is a log already.
#[derive(Debug, Error)]
#[error("this process has a log already")]
pub struct LogError;

/// Starts the log of this process, panics included, and the traces of this tracer.
///
/// # Errors
/// When it has been started before.
pub fn start(settings: &LogSettings, tracer: Option<SdkTracer>) -> Result<(), LogError> {
    let is_terminal = io::stderr().is_terminal();
    let format = settings.log_format.unwrap_or(if is_terminal {
        LogFormat::Text
    } else {
        LogFormat::Json
    });
    let lines = lines(settings.log.filter(), format, is_terminal, io::stderr);
    let spans = tracer.map(|tracer| {
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_filter(dynamic_filter_fn(is_traced))
    });
    let subscriber = Registry::default().with(lines).with(spans);
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

/// Our own spans, and beneath them the calls to the API server, which kube makes spans of. Calls that
/// belong to no work, such as the renewals of the Lease, would be a trace each, every few seconds.
fn is_traced<S>(metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let of = |crate_name| metadata.target().starts_with(crate_name);
    let is_ours = of("sessionstore_operator");
    let is_call_of_ours = || of("kube_client") && context.lookup_current().is_some();
    metadata.is_span() && (is_ours || is_call_of_ours())
}

/// Writes the lines that `filter` lets pass to `writer`.
fn lines<S, W>(filter: EnvFilter, format: LogFormat, colours: bool, writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer).with_ansi(colours);
    let lines: Box<dyn Layer<S> + Send + Sync> = match format {
        LogFormat::Text => lines.boxed(),
        // Which object a line is about is in the span around it.
        LogFormat::Json => lines.json().with_span_list(false).boxed(),
    };
    lines.with_filter(filter)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use crate::config::LogFilter;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log(filter: &str, say: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = {
            let written = written.clone();
            move || written.clone()
        };
        let filter = LogFilter::parse(filter).unwrap().filter();
        let lines = lines(filter, LogFormat::Json, false, writer);
        tracing::subscriber::with_default(Registry::default().with(lines), say);
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_says_which_object_it_is_about() {
        let text = log("info", || {
            let _span = tracing::info_span!("reconcile", object = "voice/voice").entered();
            tracing::info!(replicas = 3, "scaled");
        });
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["fields"]["message"], "scaled");
        assert_eq!(line["fields"]["replicas"], 3);
        assert_eq!(line["span"]["object"], "voice/voice");
    }

    #[test]
    fn the_filter_decides_which_lines_there_are() {
        let text = log("warn", || tracing::info!("too much"));
        assert_eq!(text, "");
    }

    /// Remembers the names of the spans that it is given.
    #[derive(Clone, Default)]
    struct Names(Arc<Mutex<Vec<&'static str>>>);

    impl<S: Subscriber> Layer<S> for Names {
        fn on_new_span(
            &self,
            span: &tracing::span::Attributes<'_>,
            _id: &tracing::span::Id,
            _context: Context<'_, S>,
        ) {
            self.0.lock().unwrap().push(span.metadata().name());
        }
    }

    #[test]
    fn calls_are_traced_as_part_of_some_work_alone() {
        let names = Names::default();
        let layer = names.clone().with_filter(dynamic_filter_fn(is_traced));
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            let call = || tracing::debug_span!(target: "kube_client::client", "call").entered();
            drop(call());
            let _work = tracing::info_span!("reconcile").entered();
            drop(call());
            let _other = tracing::info_span!(target: "hyper", "connection").entered();
            tracing::info!("said");
        });
        assert_eq!(*names.0.lock().unwrap(), ["reconcile", "call"]);
    }
}
