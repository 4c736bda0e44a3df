//! How fjall is set up, and why so. The shape of a keyspace is written down when it is made: a
//! change here reaches new stores only.

use std::path::Path;
use std::time::Duration;

use fjall::compaction::Leveled;
use fjall::config::{
    BlockSizePolicy, BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry,
    PartitioningPolicy, PinningPolicy,
};
use fjall::{CompressionType, Database, DatabaseBuilder, KeyspaceCreateOptions};

/// What a process may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Memory for blocks read from disk, in bytes.
    pub cache_bytes: u64,
    /// How long to wait between two attempts to open a store again that failed to write.
    pub reopen_every: Duration,
    /// How long a write may wait for flushes and compactions that lag behind.
    pub stall_limit: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cache_bytes: 8 * MIB,
            reopen_every: Duration::from_secs(1),
            stall_limit: Duration::from_secs(5),
        }
    }
}

const MIB: u64 = 1024 * 1024;

/// Journals are deleted once every keyspace has written out what is in them; beyond this much,
/// fjall makes those that lag do it. The least that it accepts. Bounds the disk that journals take
/// and the time that a start needs to replay them.
const JOURNALS: u64 = 64 * MIB;

pub(super) fn database(path: &Path, settings: &Settings) -> DatabaseBuilder<Database> {
    Database::builder(path)
        .cache_size(settings.cache_bytes)
        .max_journaling_size(JOURNALS)
        .worker_threads(2)
}

/// A keyspace whose point reads mostly look for what is not there (is this event id new?): filters
/// on every level.
pub(super) fn mostly_absent(memtable: u64) -> KeyspaceCreateOptions {
    keyspace(memtable)
}

/// A keyspace that is read by range, or whose point reads find what they look for: no filter on
/// the last level, which holds nine tenths of the data.
pub(super) fn mostly_present(memtable: u64) -> KeyspaceCreateOptions {
    keyspace(memtable).expect_point_read_hits(true)
}

fn keyspace(memtable: u64) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(memtable)
        // Every write goes through a batch that is synced before it counts.
        .manual_journal_persist(true)
        .data_block_size_policy(BlockSizePolicy::all(4 * 1024))
        .data_block_compression_policy(CompressionPolicy::new([
            // Flushing and the first merge are where a burst of writes waits.
            CompressionType::None,
            CompressionType::None,
            CompressionType::Lz4,
        ]))
        .filter_policy(FilterPolicy::all(FilterPolicyEntry::Bloom(
            BloomConstructionPolicy::BitsPerKey(10.0),
        )))
        // Nothing but the memtables may hold memory that grows with the data: indexes and filters
        // are cut into partitions, which the cache holds or drops like any other block.
        .index_block_partitioning_policy(PartitioningPolicy::all(true))
        .filter_block_partitioning_policy(PartitioningPolicy::all(true))
        .index_block_pinning_policy(PinningPolicy::all(false))
        .filter_block_pinning_policy(PinningPolicy::all(false))
        // Small tables make short merges: a flush waits for one of them at most.
        .compaction_strategy(std::sync::Arc::new(
            Leveled::default().with_table_target_size(8 * MIB),
        ))
}
