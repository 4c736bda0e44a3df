//! Subscribers of streams, and how long events take to reach them.

mod events;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use futures::future::try_join_all;
use http_body_util::BodyExt;
use hyper::{StatusCode, Uri, body::Incoming};
use tokio::task::JoinHandle;

use crate::{
    client,
    figures::{self, Latencies},
    open::Schedule,
    stream::events::Events,
    workload::Source,
};

/// Open streams. They are closed when the value is dropped.
pub(crate) struct Subscribers {
    deliveries: Arc<Mutex<Deliveries>>,
    readers: Vec<JoinHandle<()>>,
}

/// What arrived of the events that are counted at the moment.
struct Deliveries {
    counted: Option<Counted>,
    delays: Latencies,
}

/// Which events are counted, and when they were due to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    /// The number of the first.
    pub(crate) first: u64,
    pub(crate) schedule: Schedule,
    pub(crate) start: Instant,
}

impl Subscribers {
    /// Opens so many streams, each of one of the source's sessions in turn.
    pub(crate) async fn open(urls: &[Uri], source: &Source, streams: u64) -> anyhow::Result<Self> {
        let count = usize::try_from(streams)?;
        let connections = client::connect(urls, count).await?;
        let opening = (0..streams)
            .zip(connections)
            .map(async |(number, connection)| {
                let request = source.stream_request(number, connection.host());
                let (status, body) = connection.into_stream(request).await?;
                anyhow::ensure!(status == StatusCode::OK, "a stream is refused: {status}");
                Ok(body)
            });
        let bodies = try_join_all(opening).await?;
        let deliveries = Arc::new(Mutex::new(Deliveries {
            counted: None,
            delays: figures::latencies()?,
        }));
        let readers = bodies.into_iter().map(|body| {
            let deliveries = Arc::clone(&deliveries);
            tokio::spawn(read(body, deliveries))
        });
        Ok(Self {
            readers: readers.collect(),
            deliveries,
        })
    }

    /// Counts these events from now on, and no others.
    pub(crate) fn count(&self, counted: Counted) {
        self.lock().counted = Some(counted);
    }

    /// How many deliveries were counted.
    pub(crate) fn delivered(&self) -> u64 {
        self.lock().delays.len()
    }

    /// Ends a count: how long after they were due events arrived.
    pub(crate) fn take(&self) -> anyhow::Result<Latencies> {
        let mut deliveries = self.lock();
        deliveries.counted = None;
        Ok(std::mem::replace(
            &mut deliveries.delays,
            figures::latencies()?,
        ))
    }

    fn lock(&self) -> MutexGuard<'_, Deliveries> {
        // A reader that panicked has counted a delivery or not.
        self.deliveries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Subscribers {
    fn drop(&mut self) {
        for reader in &self.readers {
            reader.abort();
        }
    }
}

/// Reads a stream to its end.
async fn read(mut body: Incoming, deliveries: Arc<Mutex<Deliveries>>) {
    let mut events = Events::default();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(bytes) = frame.into_data() else {
            continue;
        };
        let now = Instant::now();
        let numbers = events.push(&bytes);
        let mut deliveries = deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        for number in numbers {
            deliveries.arrived(number, now);
        }
    }
}

impl Deliveries {
    fn arrived(&mut self, number: u64, now: Instant) {
        let Some(counted) = self.counted else { return };
        let Some(number) = number.checked_sub(counted.first) else {
            return;
        };
        if number < counted.schedule.requests() {
            let due = counted.start + counted.schedule.due_at(number);
            figures::record(&mut self.delays, now.saturating_duration_since(due));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_events_of_the_present_round_count_each_from_when_it_was_due() {
        let start = Instant::now();
        let mut deliveries = Deliveries {
            counted: Some(Counted {
                first: 10,
                schedule: Schedule::new(100.0, Duration::from_secs(1)),
                start,
            }),
            delays: figures::latencies().unwrap(),
        };
        for number in [9, 10, 20, 110] {
            deliveries.arrived(number, start + Duration::from_millis(150));
        }
        let millis = |nanos: u64| nanos.div_ceil(1_000_000);
        assert_eq!(deliveries.delays.len(), 2);
        // The second was due 100 ms after the first.
        assert!(millis(deliveries.delays.max()) >= 150);
        assert!(millis(deliveries.delays.min()) <= 51);
    }
}
