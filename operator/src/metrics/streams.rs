//! The age of the watches, computed when it is asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, Opts};

use crate::clock;
use crate::health::{Standing, Streams};

/// The ages of all streams, as one metric.
#[derive(Debug)]
pub struct StreamAges {
    streams: Streams,
    ages: GaugeVec,
}

impl StreamAges {
    /// To be registered.
    ///
    /// # Errors
    /// None that can happen: the name and the label are valid.
    pub fn new(streams: Streams) -> Result<Self, prometheus::Error> {
        let ages = GaugeVec::new(
            Opts::new(
                "sessionstore_operator_watch_age_seconds",
                "How long ago something last came through a watch, of several of one kind the \
                 longest; a healthy one gets a bookmark every minute.",
            ),
            &["stream"],
        )?;
        Ok(Self { streams, ages })
    }
}

impl Collector for StreamAges {
    fn desc(&self) -> Vec<&Desc> {
        self.ages.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // A kind that is watched no longer must not stay.
        self.ages.reset();
        for (kind, age) in oldest(&self.streams.standing(clock::now())) {
            self.ages.with_label_values(&[kind]).set(age.as_secs_f64());
        }
        self.ages.collect()
    }
}

fn oldest(standing: &[Standing]) -> BTreeMap<&'static str, Duration> {
    let mut ages = BTreeMap::new();
    for stream in standing {
        let age: &mut Duration = ages.entry(stream.kind).or_default();
        *age = stream.heard.max(*age);
    }
    ages
}

#[cfg(test)]
mod tests {
    use prometheus::{Registry, TextEncoder};

    use super::*;

    fn text(registry: &Registry) -> String {
        TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap()
    }

    #[test]
    fn there_is_one_series_a_kind_however_many_are_watched() {
        let streams = Streams::default();
        let registry = Registry::new();
        let ages = StreamAges::new(streams.clone()).unwrap();
        registry.register(Box::new(ages)).unwrap();
        let watches = ["voice/uri", "chat/uri"].map(|name| streams.watch("secrets", name));
        let _pods = streams.watch("pods", "");
        let name = "sessionstore_operator_watch_age_seconds{stream=";
        assert_eq!(text(&registry).matches(name).count(), 2);
        watches.into_iter().for_each(crate::health::Watch::retire);
        assert_eq!(text(&registry).matches(name).count(), 1);
    }

    #[test]
    fn the_oldest_of_a_kind_counts() {
        let standing = |seconds| Standing {
            kind: "secrets",
            detail: String::new(),
            heard: Duration::from_secs(seconds),
            tried: Duration::ZERO,
            limit: Duration::ZERO,
            is_synced: true,
        };
        let ages = oldest(&[standing(3), standing(70), standing(5)]);
        assert_eq!(ages["secrets"], Duration::from_secs(70));
    }
}
