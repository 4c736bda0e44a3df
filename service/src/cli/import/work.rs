//! Cutting the lines of an import into pieces of work: a session, a batch of its events, its
//! closing. Pure; what carries the pieces out is in `worker`.

use crate::cli::import::line::{Closing, EventLine, Line, SessionLine};

/// Something of a line, with the number of the line, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbered<T> {
    pub(super) line: u64,
    pub(super) value: T,
}

/// What is to be done with one session, in this order. Pieces of one session are done in the
/// order in which they are cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) session_id: String,
    pub(super) create: Option<Numbered<SessionLine>>,
    pub(super) events: Vec<Numbered<EventLine>>,
    pub(super) close: Option<Numbered<Closing>>,
}

/// How large a piece may become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Events.
    pub(super) items: usize,
    /// Bytes of them; one event may exceed it.
    pub(super) bytes: usize,
}

/// Cuts lines into work. A session's events follow its line; it is closed before the line of
/// another session.
#[derive(Debug)]
pub(super) struct Cutter {
    bounds: Bounds,
    open: Option<Work>,
    bytes: usize,
}

impl Cutter {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            open: None,
            bytes: 0,
        }
    }

    /// Takes the next line; returns the work that is complete by it.
    pub(super) fn push(&mut self, line: u64, value: Line) -> Option<Work> {
        match value {
            Line::Session(mut session) => {
                let close = session.closing.take();
                self.begin(Work {
                    session_id: session.session_id.clone(),
                    close: close.map(|value| Numbered { line, value }),
                    create: Some(Numbered {
                        line,
                        value: session,
                    }),
                    events: Vec::new(),
                })
            }
            Line::Event(event) => self.add(Numbered { line, value: event }),
        }
    }

    /// The last work, after the last line.
    pub(super) fn finish(&mut self) -> Option<Work> {
        self.open.take()
    }

    fn add(&mut self, event: Numbered<EventLine>) -> Option<Work> {
        let bytes = event.value.item.len();
        let mut close = None;
        if let Some(open) = &mut self.open
            && open.session_id == event.value.session_id
        {
            let is_full = open.events.len() >= self.bounds.items
                || (self.bytes + bytes > self.bounds.bytes && !open.events.is_empty());
            if !is_full {
                self.bytes += bytes;
                open.events.push(event);
                return None;
            }
            close = open.close.take();
        }
        let complete = self.begin(Work {
            session_id: event.value.session_id.clone(),
            create: None,
            events: vec![event],
            close,
        });
        self.bytes = bytes;
        complete
    }

    fn begin(&mut self, work: Work) -> Option<Work> {
        self.bytes = 0;
        self.open.replace(work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is done, in short: `a:create,2,close` creates `a`, appends two events, closes it.
    fn cut(bounds: Bounds, lines: &[&str]) -> Vec<String> {
        let mut cutter = Cutter::new(bounds);
        let mut work = Vec::new();
        for (number, line) in (1..).zip(lines) {
            work.extend(cutter.push(number, Line::parse(line.as_bytes()).unwrap()));
        }
        work.extend(cutter.finish());
        work.iter().map(short).collect()
    }

    fn short(work: &Work) -> String {
        let create = work.create.as_ref().map(|_| "create".to_owned());
        let events = Some(work.events.len().to_string()).filter(|_| !work.events.is_empty());
        let close = work.close.as_ref().map(|_| "close".to_owned());
        let steps: Vec<_> = [create, events, close].into_iter().flatten().collect();
        format!("{}:{}", work.session_id, steps.join(","))
    }

    const WIDE: Bounds = Bounds {
        items: 100,
        bytes: 10_000,
    };
    const A: &str = r#"{"session":{"sessionId":"a","status":"completed"}}"#;
    const B: &str = r#"{"session":{"sessionId":"b"}}"#;
    const EVENT_OF_A: &str = r#"{"event":{"sessionId":"a","eventId":"e"}}"#;
    const EVENT_OF_B: &str = r#"{"event":{"sessionId":"b","eventId":"e"}}"#;

    #[test]
    fn a_session_goes_with_the_events_that_follow_it() {
        let lines = [A, EVENT_OF_A, EVENT_OF_A, B, EVENT_OF_B];
        assert_eq!(cut(WIDE, &lines), ["a:create,2,close", "b:create,1"]);
        assert_eq!(cut(WIDE, &[]), [""; 0]);
    }

    #[test]
    fn events_without_their_session_are_work_too() {
        let lines = [EVENT_OF_A, EVENT_OF_B, EVENT_OF_A];
        assert_eq!(cut(WIDE, &lines), ["a:1", "b:1", "a:1"]);
    }

    #[test]
    fn a_session_is_closed_after_the_last_of_its_pieces() {
        let bounds = Bounds { items: 2, ..WIDE };
        let lines = [
            A, EVENT_OF_A, EVENT_OF_A, EVENT_OF_A, EVENT_OF_A, EVENT_OF_A,
        ];
        assert_eq!(cut(bounds, &lines), ["a:create,2", "a:2", "a:1,close"]);
    }

    #[test]
    fn a_piece_ends_before_it_becomes_too_large() {
        let item = r#"{"eventId":"e"}"#.len();
        let bounds = Bounds {
            bytes: 2 * item,
            ..WIDE
        };
        let lines = [EVENT_OF_A; 5];
        assert_eq!(cut(bounds, &lines), ["a:2", "a:2", "a:1"]);
        let tiny = Bounds { bytes: 1, ..WIDE };
        assert_eq!(cut(tiny, &lines[..2]), ["a:1", "a:1"]);
    }

    #[test]
    fn every_piece_knows_the_lines_it_came_from() {
        let mut cutter = Cutter::new(WIDE);
        let line = |text: &str| Line::parse(text.as_bytes()).unwrap();
        assert_eq!(cutter.push(7, line(A)), None);
        assert_eq!(cutter.push(9, line(EVENT_OF_A)), None);
        let work = cutter.finish().unwrap();
        assert_eq!(work.create.unwrap().line, 7);
        assert_eq!(work.events[0].line, 9);
        assert_eq!(work.close.unwrap().line, 7);
    }
}
