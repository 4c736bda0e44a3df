//! What commands to members show of themselves.

use std::time::Duration;

use mongodb::bson::Document;
use prometheus::{HistogramOpts, HistogramVec, Registry, exponential_buckets};

use super::error::CallError;

/// The metrics of commands to members. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CommandMetrics(HistogramVec);

impl CommandMetrics {
    /// Creates the metrics and registers them.
    ///
    /// # Errors
    /// When a name is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let durations = HistogramVec::new(
            HistogramOpts::new(
                "sessionstore_operator_mongodb_command_duration_seconds",
                "How long one command to a member of a replica set took, by its name; done, refused \
                 by the member, or lost without an answer.",
            )
            // From a status of a member nearby (1 ms) to a step-down that waits for the others to
            // catch up (10 s).
            .buckets(exponential_buckets(0.001, 4.0, 8)?),
            &["command", "outcome"],
        )?;
        registry.register(Box::new(durations.clone()))?;
        Ok(Self(durations))
    }

    /// A command took so long. Its name is one of those that the operator has uses for.
    pub(super) fn observe(&self, name: &str, took: Duration, result: &Result<Document, CallError>) {
        self.0
            .with_label_values(&[name, outcome(result)])
            .observe(took.as_secs_f64());
    }
}

fn outcome(result: &Result<Document, CallError>) -> &'static str {
    match result {
        Ok(_) => "done",
        // It may have been done.
        Err(CallError::Unreachable(_)) => "lost",
        Err(
            CallError::LoginRefused
            | CallError::NotInitiated
            | CallError::Removed
            | CallError::DoneBefore
            | CallError::NotNow(_)
            | CallError::Refused(_)
            | CallError::Garbled(_),
        ) => "refused",
    }
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn a_command_without_an_answer_is_told_from_one_that_was_refused() {
        let registry = Registry::new();
        let metrics = CommandMetrics::register(&registry).unwrap();
        let unreachable = Err(CallError::Unreachable("gone".to_owned()));
        let refused = Err(CallError::LoginRefused);
        for result in [Ok(Document::new()), unreachable, refused] {
            metrics.observe("replSetGetStatus", Duration::from_millis(2), &result);
        }
        let text = TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap();
        for outcome in ["done", "lost", "refused"] {
            let line = format!(
                "sessionstore_operator_mongodb_command_duration_seconds_count\
                 {{command=\"replSetGetStatus\",outcome=\"{outcome}\"}} 1"
            );
            assert!(text.contains(&line), "no {line} in {text}");
        }
    }
}
