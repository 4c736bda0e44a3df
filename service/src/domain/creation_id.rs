//! The internal identity of a session document: tells who created it, and in which order.

use std::fmt;

use crate::domain::Timestamp;

/// Twelve bytes in the shape of a MongoDB `ObjectId`: seconds, then the millisecond and a counter,
/// then five bytes that are this process's own. Ordered by time of creation; within one process
/// strictly increasing. A create whose answer was lost recognises its own document by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CreationId(pub [u8; 12]);

impl fmt::Debug for CreationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Hands out the creation ids of one process.
#[derive(Debug)]
pub struct CreationIds {
    process: [u8; 5],
    /// Milliseconds times [`PER_MILLISECOND`], plus the counter.
    last: u64,
}

/// Ids within one millisecond before the next one is borrowed: the counter has 14 bits.
const PER_MILLISECOND: u64 = 1 << 14;

impl CreationIds {
    /// `process` should be random: it keeps ids of several processes apart.
    pub fn new(process: [u8; 5]) -> Self {
        Self { process, last: 0 }
    }

    /// The next id; greater than every one before it, even if the clock went backwards.
    pub fn next(&mut self, now: Timestamp) -> CreationId {
        let millis = u64::try_from(now.millis()).unwrap_or(0);
        self.last = (millis * PER_MILLISECOND).max(self.last + 1);
        let (millis, counter) = (self.last / PER_MILLISECOND, self.last % PER_MILLISECOND);
        // Seconds keep their low 32 bits, as an ObjectId does (they wrap in 2106).
        let seconds = (millis / 1000) & 0xffff_ffff;
        let fine = (millis % 1000) * PER_MILLISECOND + counter;
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&seconds.to_be_bytes()[4..]);
        bytes[4..7].copy_from_slice(&fine.to_be_bytes()[5..]);
        bytes[7..].copy_from_slice(&self.process);
        CreationId(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_increase_even_when_the_clock_goes_backwards() {
        let mut ids = CreationIds::new([7; 5]);
        let mut last = ids.next(Timestamp::from_millis(1_700_000_000_999));
        for step in 0..40_000_i64 {
            let next = ids.next(Timestamp::from_millis(1_700_000_000_999 - step % 3));
            assert!(next > last);
            last = next;
        }
    }

    #[test]
    fn ids_of_a_later_second_are_greater_in_every_process() {
        let early = CreationIds::new([255; 5]).next(Timestamp::from_millis(1_000));
        let late = CreationIds::new([0; 5]).next(Timestamp::from_millis(2_000));
        assert!(early < late);
    }
}
