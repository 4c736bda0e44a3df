//! What is stored at the end of a run: the state of every session that a history speaks of, as the
//! API answers it and, where somebody looked, as the documents of the database say.
//!
//! A file of it has one session a line. `collect` asks for it.

pub mod collect;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::history::{
    reader::{self, ReadError},
    values::{Digest, Event, SessionView},
};

/// All sessions, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// What is known of each.
    pub sessions: BTreeMap<String, Session>,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// As the API answers it, with consistency=linearizable.
    pub answered: Answered,
    /// As the documents say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<Raw>,
}

/// A session as the API answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum Answered {
    /// 404.
    Absent,
    /// 410.
    Erased,
    /// 200.
    Present {
        /// The session.
        session: SessionView,
        /// All its events in the order of seq.
        events: Vec<Event>,
    },
}

/// A session as the documents say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Raw {
    /// How many documents of the collection `sessions` have its id.
    pub sessions: u64,
    /// Whether one of them is a tombstone.
    pub tombstone: bool,
    /// The documents of the collection `events`, in the order of seq.
    pub records: Vec<Record>,
}

/// A document of the collection `events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Its place.
    pub seq: u64,
    /// What it is.
    pub what: What,
}

/// What a document of the log is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// An event.
    Event {
        /// Its id.
        event: String,
    },
    /// The terminal record.
    Terminal,
    /// What an erased event leaves.
    Stub,
    /// None of these.
    Other {
        /// The digest of the document.
        digest: Digest,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    session_id: String,
    #[serde(flatten)]
    session: Session,
}

impl Stored {
    /// Reads the file of an earlier run.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when it cannot be read.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let mut sessions = BTreeMap::new();
        reader::for_each_line(path, |line: Line| {
            sessions.insert(line.session_id, line.session);
        })?;
        Ok(Self { sessions })
    }

    /// Adds what the documents say. A session that only they know was never answered.
    pub fn look_behind(&mut self, documents: BTreeMap<String, Raw>) {
        for (id, raw) in documents {
            let unknown = || Session {
                answered: Answered::Absent,
                raw: None,
            };
            self.sessions.entry(id).or_insert_with(unknown).raw = Some(raw);
        }
    }

    /// Writes all to a file.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        for (session_id, session) in &self.sessions {
            let line = Line {
                session_id: session_id.clone(),
                session: session.clone(),
            };
            serde_json::to_writer(&mut file, &line)?;
            file.write_all(b"\n")?;
        }
        file.flush()
    }
}

impl Session {
    /// The events, if there is anything to read.
    pub fn events(&self) -> &[Event] {
        match &self.answered {
            Answered::Present { events, .. } => events,
            Answered::Absent | Answered::Erased => &[],
        }
    }

    /// The session, if there is anything to read.
    pub fn view(&self) -> Option<&SessionView> {
        match &self.answered {
            Answered::Present { session, .. } => Some(session),
            Answered::Absent | Answered::Erased => None,
        }
    }

    /// Whether it is erased.
    pub fn is_erased(&self) -> bool {
        self.answered == Answered::Erased
    }
}
