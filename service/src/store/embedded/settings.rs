//! How fjall is set up, and why so. The shape of a keyspace is written down when it is made: a
//! change of it here reaches new stores only. Sizes of memtables and of the cache reach all.

use std::path::Path;
use std::sync::Arc;
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
    /// Memory for what is not in tables yet.
    pub memtables: Memtables,
    /// How long to wait between two attempts to open a store again that failed to write.
    pub reopen_every: Duration,
    /// How long a write may wait for flushes and merges that lag behind.
    pub stall_limit: Duration,
}

/// Sizes of memtables, in bytes. One may grow to twice its size while the one before it, which may
/// have done so too, is flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memtables {
    /// Of the log itself.
    pub log: u64,
    /// Of each of the two indexes that every event goes into.
    pub index: u64,
    /// Of each of the others.
    pub other: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cache_bytes: 4 * MIB,
            memtables: Memtables {
                log: 2 * MIB,
                index: MIB,
                other: MIB / 2,
            },
            reopen_every: Duration::from_secs(1),
            stall_limit: Duration::from_secs(5),
        }
    }
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Journals are deleted once every keyspace has flushed what is in them; beyond this much, fjall
/// makes those that lag do it. The least that it accepts. Bounds the disk that journals take and
/// the time that a start needs to replay them.
const JOURNALS: u64 = 64 * MIB;

/// Tables in level 0 before writes wait. From twenty on fjall makes them wait itself, and from
/// thirty on without end.
pub(super) const LEVEL_0: usize = 20;

pub(super) fn database(path: &Path, settings: &Settings) -> DatabaseBuilder<Database> {
    Database::builder(path)
        .cache_size(settings.cache_bytes)
        .max_journaling_size(JOURNALS)
        // With more than one, the first is kept free for flushes, and while the others merge it
        // does so by passing merges on to itself all the time: half of all CPU time, measured.
        .worker_threads(1)
}

/// A keyspace whose point reads mostly look for what is not there (is this event id new?): filters
/// on every level.
pub(super) fn mostly_absent() -> KeyspaceCreateOptions {
    mostly_present().expect_point_read_hits(false)
}

/// A keyspace that is read by range, or whose point reads find what they look for: no filter on
/// the last level, which holds nine tenths of the data.
pub(super) fn mostly_present() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .expect_point_read_hits(true)
        // Far beyond what is ever reached: see `Tables::make_room`.
        .max_memtable_size(256 * MIB)
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
        // Small tables make short merges: a flush waits for the one that is under way. Level 0 is
        // merged at six tables, not four: a seventh less CPU time in all.
        .compaction_strategy(Arc::new(
            Leveled::default()
                .with_table_target_size(4 * MIB)
                .with_l0_threshold(6),
        ))
}
