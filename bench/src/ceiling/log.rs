//! What plain fjall does with the rows that an event takes in the embedded store: batches of the
//! size that the service committed, each synced before the next.

use std::{path::Path, time::Instant};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};
use tempfile::TempDir;

use crate::{
    ceiling::{Drive, Sample, mongo::sample},
    figures,
    workload::event_text,
};

/// A database as fjall makes it by itself: large memtables, no limit on memory.
pub(crate) struct Log {
    database: Database,
    records: Keyspace,
    event_ids: Keyspace,
    times: Keyspace,
    next: u64,
    _folder: TempDir,
}

/// Sessions that events are stored in, in turn.
const SESSIONS: u64 = 1_000;

impl Log {
    pub(super) fn open(parent: Option<&Path>) -> anyhow::Result<Self> {
        let folder = match parent {
            Some(parent) => TempDir::new_in(parent)?,
            None => TempDir::new()?,
        };
        let database = Database::builder(folder.path()).open()?;
        let keyspace = |name| database.keyspace(name, KeyspaceCreateOptions::default);
        Ok(Self {
            records: keyspace("log")?,
            event_ids: keyspace("event_ids")?,
            times: keyspace("times")?,
            database,
            next: 0,
            _folder: folder,
        })
    }

    /// One writer, as the service has.
    pub(super) fn measure(&mut self, drive: Drive) -> anyhow::Result<Sample> {
        let start = Instant::now();
        let mut latencies = figures::latencies()?;
        while start.elapsed() < drive.time {
            let began = Instant::now();
            self.store(drive.batch)?;
            figures::record(&mut latencies, began.elapsed());
        }
        Ok(sample(latencies, drive.batch, start.elapsed()))
    }

    fn store(&mut self, events: u64) -> anyhow::Result<()> {
        let batch = self.database.batch();
        let mut batch: OwnedWriteBatch = batch.durability(Some(PersistMode::SyncData));
        for number in self.next..self.next + events {
            let session = (number % SESSIONS).to_be_bytes();
            let seq = (number / SESSIONS + 1).to_be_bytes();
            let text = event_text(number);
            // Keys of the lengths that the embedded store has.
            let record = [&session[2..], &seq].concat();
            let event_id = [&session[2..], b"turn-", format!("{number:012}").as_bytes()].concat();
            let time = [&session[2..], &number.to_be_bytes()[2..], &seq].concat();
            batch.insert(&self.records, record, text);
            batch.insert(&self.event_ids, event_id, seq);
            batch.insert(&self.times, time, []);
        }
        batch.commit()?;
        self.next += events;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_event_of_every_batch_is_stored_and_counted() {
        let mut log = Log::open(None).unwrap();
        let drive = Drive {
            connections: 1,
            batch: 3,
            time: Duration::from_millis(20),
        };
        let sample = log.measure(drive).unwrap();
        assert_eq!(log.next, 3 * sample.latencies.len());
        assert_eq!(log.times.len().unwrap() as u64, log.next);
    }
}
