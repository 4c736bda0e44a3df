//! What a conversation is made of: sessions, events, their identifiers, times and limits.
//!
//! Values only. No IO, no clock, and no serde: neither the wire format (`http`) nor the stored
//! format (`store`) is known here, so that one may change without the other. Everything here is
//! parsed once, at the edge, and trusted from then on.

mod creation_id;
mod document;
mod event;
mod ids;
mod language;
mod limits;
mod page;
mod patch;
mod session;
mod timestamp;

pub use creation_id::{CreationId, CreationIds};
pub use document::{Document, DocumentError};
pub use event::{Event, EventType, NewEvent, Terminal, UnknownEventType};
pub use ids::{EventId, IdError, Seq, SessionId};
pub use language::{Language, LanguageError};
pub use limits::Limits;
pub use page::{Consistency, EventFilter, Order, PageQuery, PageStart, Position};
pub use page::{SessionFilter, SessionListQuery, SessionPosition};
pub use patch::{MetadataPatch, SessionPatch};
pub use session::{
    ClosingStatus, NewSession, Session, SessionStatus, UnknownSessionStatus, Version,
};
pub use timestamp::{Timestamp, TimestampError};
