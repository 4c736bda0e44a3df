//! The question about sessions: their documents and the ends of their logs, in one command. Pure.

use std::collections::HashMap;

use mongodb::bson::raw::RawArrayBuf;
use mongodb::bson::{RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};

use crate::domain::SessionId;
use crate::store::mongo::codec::{self, Garbled, LogDocument, SessionDocument};
use crate::store::mongo::known::{Found, Log};

/// Sessions to ask for.
pub(super) struct Question<'a> {
    /// Those whose logs were seen to reach so far.
    seen: Vec<(&'a SessionId, u64)>,
    /// Those of whose logs nothing is remembered.
    unseen: Vec<&'a SessionId>,
}

/// Records that other processes may have written since, in one answer. Where there are more, the
/// question is asked again, about the last ones only.
const NEWER: usize = 1_000;

impl<'a> Question<'a> {
    /// About these sessions, with what is remembered of each.
    pub(super) fn new(ids: &[&'a SessionId], tails: &[Option<u64>]) -> Self {
        let (mut seen, mut unseen) = (Vec::new(), Vec::new());
        for (id, tail) in ids.iter().zip(tails) {
            match tail {
                Some(tail) => seen.push((*id, *tail)),
                None => unseen.push(*id),
            }
        }
        Self { seen, unseen }
    }

    /// Whether something that is remembered is built upon.
    pub(super) fn is_from_memory(&self) -> bool {
        !self.seen.is_empty()
    }

    /// The command. It reads a document before the end of its log.
    pub(super) fn command(&self) -> RawDocumentBuf {
        let mut pipeline = RawArrayBuf::new();
        if self.seen.is_empty() {
            last_records(&mut pipeline, &self.unseen);
        } else {
            pipeline.push(those(self.seen.iter().map(|(id, _)| *id)));
            pipeline.push(rawdoc! {
                "$unionWith": {"coll": "events", "pipeline": newer_records(&self.seen)},
            });
            if !self.unseen.is_empty() {
                let mut others = RawArrayBuf::new();
                last_records(&mut others, &self.unseen);
                pipeline.push(rawdoc! {"$unionWith": {"coll": "sessions", "pipeline": others}});
            }
        }
        let rows = self.unseen.len() + 2 * self.seen.len() + NEWER;
        rawdoc! {
            "aggregate": "sessions",
            "pipeline": pipeline,
            "cursor": {"batchSize": i64::try_from(rows).unwrap_or(i64::MAX)},
        }
    }

    /// What the answer says of each session that is there.
    pub(super) fn found(&self, answer: Answer) -> impl Iterator<Item = (SessionId, Verdict)> {
        let mut tails: HashMap<SessionId, u64> = HashMap::with_capacity(self.seen.len());
        tails.extend(self.seen.iter().map(|(id, tail)| ((*id).clone(), *tail)));
        answer.0.into_iter().filter_map(move |(id, rows)| {
            let document = rows.document?;
            let tail = tails.get(&id).copied();
            let verdict = match (document, rows.log) {
                (Err(garbled), _) | (_, Some(Err(garbled))) => Verdict::Damaged(garbled),
                (Ok(document), Some(Ok(log))) => Verdict::Found(Found::new(document, log)),
                (Ok(document), None) if tail == Some(0) => {
                    Verdict::Found(Found::new(document, Log::EMPTY))
                }
                (Ok(_), None) => Verdict::Otherwise,
            };
            Some((id, verdict))
        })
    }
}

/// What an answer says of a session.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    Found(Found),
    Damaged(Garbled),
    /// Its log does not reach as far as is remembered: the database is another one.
    Otherwise,
}

fn those<'a>(ids: impl Iterator<Item = &'a SessionId>) -> RawDocumentBuf {
    let mut names = RawArrayBuf::new();
    ids.for_each(|id| names.push(id.as_str()));
    rawdoc! {"$match": {"sessionId": {"$in": names}}}
}

/// Each document with the last record of its log. Only a range over the whole `_id`, its fields in
/// this order, uses the index.
fn last_records(pipeline: &mut RawArrayBuf, ids: &[&SessionId]) {
    pipeline.push(those(ids.iter().copied()));
    pipeline.push(rawdoc! {"$lookup": {
        "from": "events",
        "let": {"session": "$sessionId"},
        "pipeline": [
            {"$match": {"$expr": {"$and": [
                {"$gte": ["$_id", {"sessionId": "$$session", "seq": 0_i64}]},
                {"$lte": ["$_id", {"sessionId": "$$session", "seq": i64::MAX}]},
            ]}}},
            {"$sort": {"_id": -1}},
            {"$limit": 1},
            {"$project": {"closed": 1}},
        ],
        "as": "last",
    }});
}

/// The record that is remembered of each log, and what has come after it.
fn newer_records(seen: &[(&SessionId, u64)]) -> RawArrayBuf {
    let mut ranges = RawArrayBuf::new();
    for (id, tail) in seen {
        let tail = i64::try_from(*tail).unwrap_or(i64::MAX);
        ranges.push(rawdoc! {"_id": {
            "$gte": {"sessionId": id.as_str(), "seq": tail},
            "$lte": {"sessionId": id.as_str(), "seq": i64::MAX},
        }});
    }
    let mut pipeline = RawArrayBuf::new();
    pipeline.push(rawdoc! {"$match": {"$or": ranges}});
    pipeline.push(rawdoc! {"$project": {"closed": 1}});
    pipeline
}

/// The rows of an answer, by session.
#[derive(Default)]
pub(super) struct Answer(HashMap<SessionId, Rows>);

#[derive(Default)]
struct Rows {
    document: Option<Result<SessionDocument, Garbled>>,
    /// The last record that came.
    log: Option<Result<Log, Garbled>>,
}

impl Answer {
    /// Takes a row: a document, with or without the last record of its log, or a record.
    ///
    /// # Errors
    /// When not even the session's id can be read.
    pub(super) fn take(&mut self, row: &RawDocument) -> Result<(), Garbled> {
        if let Ok(Some(RawBsonRef::Document(_))) = row.get("_id") {
            let (id, seq) = codec::id_of(row)?;
            let log = end_of_log(&id, row);
            let rows = self.0.entry(id).or_default();
            let is_last = match &rows.log {
                Some(Ok(log)) => log.tail() < seq.get(),
                Some(Err(_)) => false,
                None => true,
            };
            if is_last {
                rows.log = Some(log);
            }
            return Ok(());
        }
        let id = row
            .get_str("sessionId")
            .map_err(|_| Garbled::new("a session without sessionId"))?;
        let id = SessionId::from_stored(id);
        let log = match row.get("last") {
            Ok(None) => None,
            Ok(Some(RawBsonRef::Array(last))) => Some(match last.into_iter().next() {
                None => Ok(Log::EMPTY),
                Some(Ok(RawBsonRef::Document(last))) => end_of_log(&id, last),
                Some(_) => Err(Garbled::new("the end of a log")),
            }),
            _ => Some(Err(Garbled::new("a session without the end of its log"))),
        };
        let rows = self.0.entry(id).or_default();
        rows.document = Some(codec::session_document(row));
        rows.log = log.or_else(|| rows.log.take());
        Ok(())
    }

    /// The sessions that something was said of.
    pub(super) fn has(&self, id: &SessionId) -> bool {
        self.0.contains_key(id)
    }
}

fn end_of_log(id: &SessionId, last: &RawDocument) -> Result<Log, Garbled> {
    if matches!(last.get("closed"), Ok(Some(_)))
        && let LogDocument::Terminal(terminal) = codec::log_document(id, last)?
    {
        return Ok(Log {
            events: terminal.event_count(),
            terminal: Some(terminal),
        });
    }
    let (_, seq) = codec::id_of(last)?;
    Ok(Log {
        events: seq.get(),
        terminal: None,
    })
}

#[cfg(test)]
mod tests {
    use mongodb::bson::DateTime;
    use mongodb::bson::oid::ObjectId;

    use super::*;

    fn id(name: &str) -> SessionId {
        SessionId::from_stored(name)
    }

    fn document(name: &str) -> RawDocumentBuf {
        let at = DateTime::from_millis(1);
        rawdoc! {
            "_id": ObjectId::from_bytes([1; 12]), "sessionId": name, "status": "active",
            "language": "de", "startedAt": at, "createdAt": at, "updatedAt": at,
            "metadata": {}, "version": 1_i64,
        }
    }

    fn record(name: &str, seq: i64) -> RawDocumentBuf {
        rawdoc! {"_id": {"sessionId": name, "seq": seq}}
    }

    fn terminal(name: &str, seq: i64) -> RawDocumentBuf {
        let closed = rawdoc! {"status": "completed", "at": DateTime::from_millis(2)};
        rawdoc! {"_id": {"sessionId": name, "seq": seq}, "closed": closed}
    }

    /// What is said of session `a`, of which `tail` is remembered.
    fn verdict(tail: u64, rows: &[RawDocumentBuf]) -> Option<Verdict> {
        let a = id("a");
        let question = Question::new(&[&a], &[Some(tail)]);
        let mut answer = Answer::default();
        for row in rows {
            answer.take(row).unwrap();
        }
        let found: Vec<_> = question.found(answer).collect();
        found.into_iter().find(|(of, _)| *of == a).map(|(_, it)| it)
    }

    fn events(verdict: Option<Verdict>) -> Option<u64> {
        match verdict? {
            Verdict::Found(found) => Some(found.log().events),
            _ => None,
        }
    }

    #[test]
    fn the_last_of_the_newer_records_is_the_end_in_whatever_order_they_come() {
        let rows = [
            document("a"),
            record("a", 5),
            record("a", 7),
            record("a", 6),
        ];
        assert_eq!(events(verdict(5, &rows)), Some(7));
        let rows = [record("a", 5), document("a")];
        assert_eq!(events(verdict(5, &rows)), Some(5));
    }

    #[test]
    fn a_terminal_record_among_the_newer_ones_ends_the_log() {
        let rows = [document("a"), record("a", 5), terminal("a", 6)];
        let Some(Verdict::Found(found)) = verdict(5, &rows) else {
            panic!("it is there")
        };
        assert_eq!((found.log().events, found.log().tail()), (5, 6));
    }

    #[test]
    fn a_log_that_was_seen_empty_may_still_be_empty() {
        assert_eq!(events(verdict(0, &[document("a")])), Some(0));
    }

    #[test]
    fn a_log_that_is_shorter_than_it_was_is_asked_for_again() {
        assert_eq!(verdict(5, &[document("a")]), Some(Verdict::Otherwise));
    }

    #[test]
    fn records_without_a_session_say_nothing() {
        assert_eq!(verdict(5, &[record("a", 5)]), None);
    }

    #[test]
    fn sessions_that_are_remembered_and_others_are_asked_for_at_once() {
        let (a, b) = (id("a"), id("b"));
        let question = Question::new(&[&a, &b], &[Some(3), None]);
        let command = question.command();
        let stages = command.get_array("pipeline").unwrap().into_iter().count();
        assert_eq!(stages, 3);
        let mut answer = Answer::default();
        let mut other = document("b");
        let mut last = RawArrayBuf::new();
        last.push(record("b", 9));
        other.append(mongodb::bson::raw::cstr!("last"), last);
        for row in [document("a"), record("a", 4), other] {
            answer.take(&row).unwrap();
        }
        let mut tails: Vec<_> = question
            .found(answer)
            .map(|(id, verdict)| (id, events(Some(verdict))))
            .collect();
        tails.sort();
        assert_eq!(tails, [(a, Some(4)), (b, Some(9))]);
    }
}
