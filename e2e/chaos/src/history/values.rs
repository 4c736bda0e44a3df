//! The small values that histories are made of.

use std::{fmt, time::Duration};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Microseconds since the run began; also a length of time.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    /// This much later.
    #[must_use]
    pub fn plus(self, length: Self) -> Self {
        Self(self.0.saturating_add(length.0))
    }

    /// How long after `earlier` this is; nothing if it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

impl From<Duration> for Moment {
    fn from(length: Duration) -> Self {
        Self(u64::try_from(length.as_micros()).unwrap_or(u64::MAX))
    }
}

impl From<Moment> for Duration {
    fn from(moment: Moment) -> Self {
        Self::from_micros(moment.0)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// A digest of content. Not safe against an adversary; nobody here is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest(pub u64);

impl Digest {
    /// The digest of these parts in this order (FNV-1a of 64 bits, parts kept apart).
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for part in parts {
            for byte in part.bytes().chain([0xff]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        Self(hash)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u64::from_str_radix(&text, 16).map(Self)
    }
}

/// An event as somebody saw it: `[seq, eventId, content, stamp]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    from = "(u64, String, Digest, Digest)",
    into = "(u64, String, Digest, Digest)"
)]
pub struct Event {
    /// Its place in the log.
    pub seq: u64,
    /// Its id.
    pub event: String,
    /// The digest of what the client said.
    pub content: Digest,
    /// The digest of the times that the service gave it.
    pub stamp: Digest,
}

impl From<(u64, String, Digest, Digest)> for Event {
    fn from((seq, event, content, stamp): (u64, String, Digest, Digest)) -> Self {
        Self {
            seq,
            event,
            content,
            stamp,
        }
    }
}

impl From<Event> for (u64, String, Digest, Digest) {
    fn from(event: Event) -> Self {
        (event.seq, event.event, event.content, event.stamp)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{} ({} at {})",
            self.seq, self.event, self.content, self.stamp
        )
    }
}

/// The state of a session as it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Created, without an event.
    Initiated,
    /// With an event.
    Active,
    /// Closed well.
    Completed,
    /// Closed badly.
    Failed,
}

impl Status {
    /// Whether nothing more is appended.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// A session as somebody saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// Its state.
    pub status: Status,
    /// When it was created: the same for everybody.
    pub created_at: String,
    /// When it was closed: the same for everybody who sees it closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Why it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<String>,
    /// How many events it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_count: Option<u64>,
}

/// The terminal record as a stream delivers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamEnd {
    /// Its place: one more than the last event's.
    pub id: u64,
    /// `completed`, `failed` or `erased`.
    pub status: String,
    /// When the session was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
}

/// What can be done to a member or a process.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// SIGKILL of the primary, started again later.
    KillPrimary,
    /// SIGKILL of a secondary, started again later.
    KillSecondary,
    /// SIGSTOP of the primary, SIGCONT later.
    FreezePrimary,
    /// SIGSTOP of a secondary, SIGCONT later.
    FreezeSecondary,
    /// The primary is told to step down.
    StepDown,
    /// A secondary stops applying the log, and is let go later.
    HoldBack,
    /// Connections between one service process and one member are refused, later mended.
    CutRefuse,
    /// Connections between one service process and one member swallow everything, later mended.
    CutBlackHole,
    /// Two of three members away at once: no majority, and no primary.
    LoseMajority,
    /// SIGKILL of a service process, started again later.
    KillService,
    /// SIGTERM of a service process, started again when it has ended.
    RestartService,
    /// SIGSTOP of a service process, SIGCONT later.
    FreezeService,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::KillPrimary,
        Self::KillSecondary,
        Self::FreezePrimary,
        Self::FreezeSecondary,
        Self::StepDown,
        Self::HoldBack,
        Self::CutRefuse,
        Self::CutBlackHole,
        Self::LoseMajority,
        Self::KillService,
        Self::RestartService,
        Self::FreezeService,
    ];

    /// Those that need no replica set.
    pub const OF_SERVICES: [Self; 3] =
        [Self::KillService, Self::RestartService, Self::FreezeService];

    /// Its name, as in histories.
    pub fn name(self) -> &'static str {
        match self {
            Self::KillPrimary => "kill-primary",
            Self::KillSecondary => "kill-secondary",
            Self::FreezePrimary => "freeze-primary",
            Self::FreezeSecondary => "freeze-secondary",
            Self::StepDown => "step-down",
            Self::HoldBack => "hold-back",
            Self::CutRefuse => "cut-refuse",
            Self::CutBlackHole => "cut-black-hole",
            Self::LoseMajority => "lose-majority",
            Self::KillService => "kill-service",
            Self::RestartService => "restart-service",
            Self::FreezeService => "freeze-service",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
