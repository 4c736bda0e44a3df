//! What a check finds, in words and with the operations that prove it.

use std::fmt;

/// How many violations of one promise are shown in full.
const SHOWN: usize = 3;

/// What is promised. One file of the checker each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// What was acknowledged is stored.
    NothingLost,
    /// An event is stored once, at one place, as it was sent.
    StoredOnce,
    /// Events are 1 to n without a gap.
    Contiguous,
    /// Acknowledged before another began means before it in the log.
    RealTimeOrder,
    /// Nothing comes after a terminal record.
    ClosedIsFrozen,
    /// Everybody sees the same end.
    OneEnd,
    /// A strong read sees what was acknowledged before it began.
    ReadsSeeAcknowledged,
    /// A strong read sees what somebody else has seen before it began.
    ReadsNeverGoBack,
    /// A page is a right part of the log, a walk brings all of it once.
    PagesAreWhole,
    /// An erased session never comes back, and only erasing makes it erased.
    ErasedStaysErased,
    /// A stream has neither gap nor duplicate, and goes on to the end.
    StreamsAreWhole,
    /// Every answer is one that the contract knows; 503 is the only 5xx and names `Retry-After`.
    ProperAnswers,
    /// A connection breaks only when its process was killed, frozen or restarted.
    ConnectionsHold,
    /// An answer comes within the deadline.
    InTime,
    /// A repeated write is answered like the first one.
    RepeatsAgree,
    /// Nobody is told that the store is unavailable while nothing is wrong with it.
    UnavailableForACause,
}

impl Promise {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::NothingLost,
        Self::StoredOnce,
        Self::Contiguous,
        Self::RealTimeOrder,
        Self::ClosedIsFrozen,
        Self::OneEnd,
        Self::ReadsSeeAcknowledged,
        Self::ReadsNeverGoBack,
        Self::PagesAreWhole,
        Self::ErasedStaysErased,
        Self::StreamsAreWhole,
        Self::ProperAnswers,
        Self::ConnectionsHold,
        Self::InTime,
        Self::RepeatsAgree,
        Self::UnavailableForACause,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::NothingLost => "nothing acknowledged is lost",
            Self::StoredOnce => "an event is stored once, at one place, as it was sent",
            Self::Contiguous => "the events of a session are 1 to n without a gap",
            Self::RealTimeOrder => "what was acknowledged before another began is before it",
            Self::ClosedIsFrozen => "nothing comes after a terminal record",
            Self::OneEnd => "a session has one end, the same for everybody",
            Self::ReadsSeeAcknowledged => "a strong read sees what was acknowledged before it",
            Self::ReadsNeverGoBack => "a strong read sees what others saw before it",
            Self::PagesAreWhole => "a page is a right part of the log, a walk all of it once",
            Self::ErasedStaysErased => "an erased session never comes back",
            Self::StreamsAreWhole => "a stream has neither gap nor duplicate nor a false end",
            Self::ProperAnswers => "every answer is proper, and no 5xx but 503 with Retry-After",
            Self::ConnectionsHold => "connections break only with the process that served them",
            Self::InTime => "every answer comes within the deadline",
            Self::RepeatsAgree => "a repeated write is answered like the first one",
            Self::UnavailableForACause => "the store is unavailable only for a cause",
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The promise.
    pub promise: Promise,
    /// What happened instead.
    pub finding: String,
    /// The operations and streams that prove it.
    pub proof: Vec<String>,
}

/// All that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The broken promises, in the order of [`Promise::ALL`].
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// Whether every promise was kept.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// The promises that were broken, each once.
    pub fn broken(&self) -> Vec<Promise> {
        let mut broken: Vec<Promise> = self.violations.iter().map(|it| it.promise).collect();
        broken.sort_unstable();
        broken.dedup();
        broken
    }

    pub(crate) fn find(
        &mut self,
        promise: Promise,
        finding: impl Into<String>,
        proof: &[&dyn fmt::Display],
    ) {
        self.violations.push(Violation {
            promise,
            finding: finding.into(),
            proof: proof.iter().map(ToString::to_string).collect(),
        });
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for promise in Promise::ALL {
            let violations: Vec<&Violation> = self
                .violations
                .iter()
                .filter(|violation| violation.promise == promise)
                .collect();
            if violations.is_empty() {
                writeln!(f, "kept    {promise}")?;
                continue;
            }
            writeln!(f, "BROKEN  {promise}: {} times", violations.len())?;
            for violation in violations.iter().take(SHOWN) {
                writeln!(f, "        - {}", violation.finding)?;
                for proof in &violation.proof {
                    writeln!(f, "            {proof}")?;
                }
            }
            if violations.len() > SHOWN {
                writeln!(f, "        - and {} more", violations.len() - SHOWN)?;
            }
        }
        Ok(())
    }
}
