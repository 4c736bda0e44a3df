//! Whether fjall's journals are whole before it replays them. Only the tail of a journal can be
//! torn: a batch is synced before the next one is written.
//!
//! fjall by itself forgets everything after the first byte it cannot read, also when that is an
//! acknowledged batch that went bad; refuses to open when a page in the midst of the last,
//! unacknowledged batch was not written; and allocates whatever a torn length says. Here the two
//! cases are told apart: a broken batch with a whole one behind it is damage, one with nothing
//! behind it is a torn tail, and is cut off.
//!
//! The format is that of fjall 3 (`journal/entry.rs` there, all numbers little-endian): a start
//! with the number of items and a sequence number, the items, an end with the XXH3 of the items
//! and a magic. Journals of another version are left alone; the tests of the torn journal fail if
//! this version's change.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
/// What fjall writes into the file `version`, and at the end of each batch.
const VERSION: [u8; 4] = *b"FJL\x03";

/// The end of a journal that was being written when the process or the machine stopped.
#[derive(Debug)]
pub(super) struct TornTail {
    journal: PathBuf,
    /// Where the last whole batch ends.
    at: u64,
}

/// What was found in the journals of a store.
#[derive(Debug)]
pub(super) enum Inspection {
    /// Every batch is whole, but for these tails.
    Sound(Vec<TornTail>),
    /// A whole batch comes after one that is not, in this journal.
    Damaged(PathBuf),
}

impl TornTail {
    /// Removes it: none of it was ever acknowledged.
    pub(super) fn cut_off(&self) -> io::Result<()> {
        let journal = self.journal.display();
        tracing::warn!(%journal, at = self.at, "dropping a write that was cut short");
        cut_off(&self.journal, self.at)
    }
}

/// Reads every journal in `store`.
pub(super) fn inspect(store: &Path) -> io::Result<Inspection> {
    let mut torn = Vec::new();
    if fs::read(store.join("version"))? != VERSION {
        return Ok(Inspection::Sound(torn));
    }
    for journal in journals(store)? {
        let Some(at) = end_of_whole_batches(&journal)? else {
            continue;
        };
        if has_batch_after(&journal, at)? {
            return Ok(Inspection::Damaged(journal));
        }
        torn.push(TornTail { journal, at });
    }
    Ok(Inspection::Sound(torn))
}

/// The bytes that the next start would replay, or more: journals are allocated ahead.
pub(super) fn length(store: &Path) -> io::Result<u64> {
    let lengths = journals(store)?
        .into_iter()
        .map(|journal| Ok(fs::metadata(journal)?.len()));
    lengths.sum()
}

/// Empties the journal of a closed store that has flushed everything in it. Those that it has
/// filled before are for fjall to delete.
pub(super) fn empty(store: &Path) -> io::Result<()> {
    if let [journal] = &journals(store)?[..] {
        cut_off(journal, 0)?;
    }
    Ok(())
}

fn journals(store: &Path) -> io::Result<Vec<PathBuf>> {
    let mut journals = Vec::new();
    for entry in fs::read_dir(store)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jnl") {
            journals.push(path);
        }
    }
    Ok(journals)
}

fn cut_off(journal: &Path, at: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(journal)?;
    file.set_len(at)?;
    file.sync_all()
}

/// `None` if the journal ends with its last whole batch (journals are allocated ahead: zeros).
fn end_of_whole_batches(journal: &Path) -> io::Result<Option<u64>> {
    let mut reader = BufReader::with_capacity(64 * 1024, File::open(journal)?);
    let mut at = 0;
    loop {
        match read_batch(&mut reader)? {
            Batch::Whole(length) => at += length,
            Batch::Broken => return Ok(Some(at)),
            Batch::None => return Ok(None),
        }
    }
}

fn has_batch_after(journal: &Path, at: u64) -> io::Result<bool> {
    let mut file = File::open(journal)?;
    file.seek(SeekFrom::Start(at))?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    let written = rest.len() - rest.iter().rev().take_while(|byte| **byte == 0).count();
    for from in (1..written).filter(|from| rest[*from] == START) {
        if let Batch::Whole(_) = read_batch(&mut &rest[from..])? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is at one place of a journal.
enum Batch {
    /// A batch of this many bytes.
    Whole(u64),
    Broken,
    /// Nothing was written here.
    None,
}

fn read_batch(reader: &mut impl Read) -> io::Result<Batch> {
    let mut items = Items {
        reader,
        hash: Xxh3::new(),
        buffer: Vec::new(),
        length: 0,
    };
    match items.batch() {
        Ok(batch) => Ok(batch),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Batch::Broken),
        Err(error) => Err(error),
    }
}

/// Reads the parts of a batch one by one.
struct Items<'a, R> {
    reader: &'a mut R,
    hash: Xxh3,
    buffer: Vec<u8>,
    length: u64,
}

impl<R: Read> Items<'_, R> {
    fn batch(&mut self) -> io::Result<Batch> {
        match self.array() {
            Ok([START]) => {}
            Ok([0]) => return Ok(Batch::None),
            Ok(_) => return Ok(Batch::Broken),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Batch::None),
            Err(error) => return Err(error),
        }
        let count = u32::from_le_bytes(self.array()?);
        let _seqno: [u8; 8] = self.array()?;
        for _ in 0..count {
            if !self.item()? {
                return Ok(Batch::Broken);
            }
        }
        let [tag] = self.array()?;
        let hash = u64::from_le_bytes(self.array()?);
        let magic = self.array()?;
        let is_whole = tag == END && hash == self.hash.digest() && magic == VERSION;
        Ok(if is_whole {
            Batch::Whole(self.length)
        } else {
            Batch::Broken
        })
    }

    /// `false` if it is none.
    fn item(&mut self) -> io::Result<bool> {
        let tag: [u8; 1] = self.array()?;
        self.hash.update(&tag);
        match tag {
            [ITEM] => {
                // Kind, compression, keyspace, length of the key, of the value, and as stored.
                let head: [u8; 20] = self.array()?;
                self.hash.update(&head);
                let key = u16::from_le_bytes([head[10], head[11]]);
                let value = u32::from_le_bytes([head[16], head[17], head[18], head[19]]);
                self.bytes(u64::from(key) + u64::from(value))?;
                Ok(true)
            }
            [CLEAR] => {
                let keyspace: [u8; 8] = self.array()?;
                self.hash.update(&keyspace);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        self.length += N as u64;
        Ok(bytes)
    }

    /// Never allocates more than there is to read: the length may be garbage.
    fn bytes(&mut self, length: u64) -> io::Result<()> {
        self.buffer.clear();
        let mut part = self.reader.by_ref().take(length);
        if part.read_to_end(&mut self.buffer)? as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.hash.update(&self.buffer);
        self.length += length;
        Ok(())
    }
}
