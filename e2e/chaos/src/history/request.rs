//! What clients ask for.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::values::Digest;

/// A request. What it sends follows from this alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Request {
    /// Create a session.
    Create {
        /// Its id.
        session: String,
    },
    /// Append one event.
    Append {
        /// The event.
        item: Item,
    },
    /// Append many events.
    Batch {
        /// By the route across sessions, or by that of the one session they all have.
        across: bool,
        /// The events, in order.
        items: Vec<Item>,
    },
    /// Close a session.
    Close {
        /// Its id.
        session: String,
        /// As failed, or as completed.
        failed: bool,
    },
    /// Erase a session.
    Erase {
        /// Its id.
        session: String,
    },
    /// Read a session with its first events in the order of seq.
    Get {
        /// Its id.
        session: String,
        /// How fresh it has to be.
        consistency: Consistency,
        /// How many events at most.
        limit: u64,
    },
    /// Read a page of events.
    Page {
        /// The session.
        session: String,
        /// How fresh it has to be.
        consistency: Consistency,
        /// In which order.
        order: Order,
        /// How many events at most.
        limit: u64,
        /// Only those after this place, in the order of seq (`afterSeq`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
        /// The operation that read the first page, if this one goes on by its cursor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        walk: Option<u64>,
    },
    /// Read one event.
    Event {
        /// The session.
        session: String,
        /// The event.
        event: String,
        /// How fresh it has to be.
        consistency: Consistency,
    },
}

/// An event to append.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The session.
    pub session: String,
    /// The id of the event.
    pub event: String,
    /// Which content is sent under this id: 0, or another one to provoke a refusal.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub variant: u8,
    /// The digest of that content.
    pub content: Digest,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(variant: &u8) -> bool {
    *variant == 0
}

/// How fresh a read has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consistency {
    /// Sees what was acknowledged before it began.
    Strong,
    /// The same, also beside a deposed primary.
    Linearizable,
    /// May be behind.
    Eventual,
}

impl Consistency {
    /// The value of the query parameter.
    pub fn name(self) -> &'static str {
        match self {
            Self::Strong => "strong",
            Self::Linearizable => "linearizable",
            Self::Eventual => "eventual",
        }
    }
}

/// In which order events are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// By place.
    #[serde(rename = "seq")]
    Seq,
    /// By place, the last first.
    #[serde(rename = "-seq")]
    SeqDescending,
    /// By time.
    #[serde(rename = "timestamp")]
    Time,
    /// By time, the last first.
    #[serde(rename = "-timestamp")]
    TimeDescending,
}

impl Order {
    /// The value of the query parameter.
    pub fn name(self) -> &'static str {
        match self {
            Self::Seq => "seq",
            Self::SeqDescending => "-seq",
            Self::Time => "timestamp",
            Self::TimeDescending => "-timestamp",
        }
    }
}

impl Request {
    /// The sessions that it is about, each once.
    pub fn sessions(&self) -> Vec<&str> {
        match self {
            Self::Create { session }
            | Self::Close { session, .. }
            | Self::Erase { session }
            | Self::Get { session, .. }
            | Self::Page { session, .. }
            | Self::Event { session, .. } => vec![session],
            Self::Append { item } => vec![&item.session],
            Self::Batch { items, .. } => {
                let mut sessions: Vec<&str> =
                    items.iter().map(|item| item.session.as_str()).collect();
                sessions.sort_unstable();
                sessions.dedup();
                sessions
            }
        }
    }

    /// The events that it appends.
    pub fn items(&self) -> &[Item] {
        match self {
            Self::Append { item } => std::slice::from_ref(item),
            Self::Batch { items, .. } => items,
            _ => &[],
        }
    }

    /// How fresh its answer has to be. Writes answer from the truth.
    pub fn consistency(&self) -> Consistency {
        match self {
            Self::Get { consistency, .. }
            | Self::Page { consistency, .. }
            | Self::Event { consistency, .. } => *consistency,
            _ => Consistency::Strong,
        }
    }

    /// Its kind, in a word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Append { .. } => "append",
            Self::Batch { .. } => "batch",
            Self::Close { .. } => "close",
            Self::Erase { .. } => "erase",
            Self::Get { .. } => "get",
            Self::Page { .. } => "page",
            Self::Event { .. } => "event",
        }
    }

    /// Whether it changes something.
    pub fn is_write(&self) -> bool {
        matches!(
            self,
            Self::Create { .. }
                | Self::Append { .. }
                | Self::Batch { .. }
                | Self::Close { .. }
                | Self::Erase { .. }
        )
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::Create { session } | Self::Erase { session } => write!(f, "{name} {session}"),
            Self::Close { session, failed } => {
                let outcome = if *failed { "failed" } else { "completed" };
                write!(f, "{name} {session} as {outcome}")
            }
            Self::Append { item } => write!(f, "{name} {item}"),
            Self::Batch { items, .. } => {
                write!(f, "{name} of {}:", items.len())?;
                items.iter().try_for_each(|item| write!(f, " {item}"))
            }
            Self::Get {
                session,
                consistency,
                limit,
            } => write!(f, "{name} {session} {} limit {limit}", consistency.name()),
            Self::Page {
                session,
                consistency,
                order,
                limit,
                after,
                walk,
            } => {
                write!(
                    f,
                    "{name} {session} {} by {} limit {limit}",
                    consistency.name(),
                    order.name()
                )?;
                if let Some(after) = after {
                    write!(f, " after seq {after}")?;
                }
                match walk {
                    Some(walk) => write!(f, " on from operation {walk}"),
                    None => Ok(()),
                }
            }
            Self::Event {
                session,
                event,
                consistency,
            } => write!(f, "{name} {session}/{event} {}", consistency.name()),
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.session, self.event)?;
        if self.variant > 0 {
            write!(f, " (other content {})", self.variant)?;
        }
        Ok(())
    }
}
