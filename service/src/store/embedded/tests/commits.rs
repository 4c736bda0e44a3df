//! What goes in and what is refused.

use std::sync::Arc;

use super::*;
use crate::domain::{SessionStatus, Version};
use crate::store::CommitOutcome::{NotTried, Refused, Stored};
use crate::store::embedded::engine::Engine;
use crate::store::embedded::{events, journals};
use crate::store::{Known, LogState, LookUp, SessionChange, UpdateError};

fn log_state(fixture: &Fixture, id: &SessionId) -> LogState {
    let question = LookUp {
        session_id: id.clone(),
        event_ids: vec![],
    };
    let known = fixture.run(fixture.store().look_up(vec![question]));
    known.unwrap().remove(0).log
}

#[test]
fn records_go_in_at_the_next_place_only() {
    let fixture = Fixture::new();
    let id = fixture.create("s");
    fixture.append(&[event(&id, 1), event(&id, 2)]);
    for seq in [1, 2, 4] {
        let mut other = event(&id, seq);
        other.event_id = EventId::from_stored("new");
        assert_eq!(fixture.commit(vec![Record::Event(other)]), [Refused]);
    }
    assert_eq!(log_state(&fixture, &id), LogState::Open(2));
}

#[test]
fn an_event_id_goes_in_once_per_session_also_within_a_batch() {
    let fixture = Fixture::new();
    let (a, b) = (fixture.create("a"), fixture.create("b"));
    let same_id = |id: &SessionId, seq| {
        let event_id = EventId::from_stored("same");
        Record::Event(Event {
            event_id,
            ..event(id, seq)
        })
    };
    let outcomes = fixture.commit(vec![same_id(&a, 1), same_id(&a, 2), same_id(&b, 1)]);
    assert_eq!(outcomes, [Stored, Refused, Stored]);
    assert_eq!(fixture.commit(vec![same_id(&a, 2)]), [Refused]);
}

#[test]
fn after_a_refusal_nothing_of_the_same_session_goes_in_and_others_go_on() {
    let fixture = Fixture::new();
    let (a, b) = (fixture.create("a"), fixture.create("b"));
    let outcomes = fixture.commit(vec![
        Record::Event(event(&a, 2)),
        Record::Event(event(&b, 1)),
        Record::Event(event(&a, 1)),
        Record::Event(event(&b, 2)),
        terminal(&a, 1),
    ]);
    assert_eq!(outcomes, [Refused, Stored, NotTried, Stored, NotTried]);
    assert_eq!(log_state(&fixture, &a), LogState::Open(0));
    assert_eq!(log_state(&fixture, &b), LogState::Open(2));
}

#[test]
fn nothing_goes_in_where_there_is_no_open_session() {
    let mut fixture = Fixture::new();
    let absent = SessionId::from_stored("absent");
    assert_eq!(
        fixture.commit(vec![Record::Event(event(&absent, 1))]),
        [Refused]
    );

    let closed = fixture.create("closed");
    let outcomes = fixture.commit(vec![
        Record::Event(event(&closed, 1)),
        terminal(&closed, 2),
        Record::Event(event(&closed, 3)),
    ]);
    assert_eq!(outcomes, [Stored, Stored, Refused]);

    let erased = fixture.create("erased");
    fixture.append(&[event(&erased, 1)]);
    fixture.run(fixture.store().erase(&erased, at(0))).unwrap();

    for _ in 0..2 {
        for id in [&closed, &erased] {
            for seq in 1..5 {
                let new = Event {
                    event_id: EventId::from_stored("new"),
                    ..event(id, seq)
                };
                assert_eq!(fixture.commit(vec![Record::Event(new)]), [Refused]);
                assert_eq!(fixture.commit(vec![terminal(id, seq)]), [Refused]);
            }
        }
        fixture.reopen();
    }
}

#[test]
fn the_first_event_makes_a_session_active_and_the_terminal_record_closes_it() {
    let fixture = Fixture::new();
    let id = fixture.create("s");
    let session = || {
        fixture
            .run(fixture.store().session(&id, Consistency::Strong))
            .unwrap()
    };
    let initiated = session();
    assert_eq!(initiated.status, SessionStatus::Initiated);
    assert_eq!(initiated.event_count, Some(0));

    fixture.append(&[event(&id, 1)]);
    let active = session();
    assert_eq!(active.status, SessionStatus::Active);
    assert_eq!(active.event_count, Some(1));
    assert_eq!(active.version, Version::FIRST);
    assert_eq!(active.updated_at, initiated.updated_at);

    assert_eq!(fixture.commit(vec![terminal(&id, 2)]), [Stored]);
    let closed = session();
    assert_eq!(closed.status, SessionStatus::Completed);
    assert_eq!(closed.event_count, Some(1));
    assert_eq!(closed.version, Version(2));
    assert_eq!(
        (closed.ended_at, closed.updated_at),
        (Some(at(30_000)), at(30_000))
    );
    assert_eq!(closed.end_reason.as_deref(), Some("done"));
}

#[test]
fn a_look_up_finds_events_by_id_whatever_became_of_the_session() {
    let mut fixture = Fixture::new();
    let id = fixture.create("s");
    fixture.append(&[event(&id, 1), event(&id, 2)]);
    fixture.commit(vec![terminal(&id, 3)]);
    fixture.reopen();
    let known = fixture.run(fixture.store().look_up(vec![
        LookUp {
            session_id: SessionId::from_stored("other"),
            event_ids: vec![EventId::from_stored("event 1")],
        },
        LookUp {
            session_id: id.clone(),
            event_ids: ["event 2", "event 3"].map(EventId::from_stored).to_vec(),
        },
    ]));
    let Record::Terminal(_, terminal) = terminal(&id, 3) else {
        unreachable!()
    };
    assert_eq!(
        known.unwrap(),
        [
            Known {
                log: LogState::Absent,
                events: vec![]
            },
            Known {
                log: LogState::Closed(terminal),
                events: vec![Some(event(&id, 2)), None]
            }
        ]
    );
}

#[test]
fn the_first_creation_of_an_id_wins_and_knows_itself_again() {
    let fixture = Fixture::new();
    let create = |sessions: Vec<NewSession>| fixture.run(fixture.store().create(sessions));
    let outcomes = create(vec![
        new_session("s", 1),
        new_session("s", 2),
        new_session("t", 3),
    ]);
    let [
        CreateOutcome::Created(s),
        CreateOutcome::Existing(same),
        CreateOutcome::Created(_),
    ] = &outcomes[..]
    else {
        panic!("{outcomes:?}");
    };
    assert_eq!(s, same);
    fixture.append(&[event(&s.session_id, 1)]);

    let outcomes = create(vec![new_session("s", 2), new_session("s", 1)]);
    let [CreateOutcome::Existing(other), CreateOutcome::Created(own)] = &outcomes[..] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(own.status, SessionStatus::Active);
    assert_eq!((own, own.creation_id), (other, s.creation_id));
}

#[test]
fn a_change_made_from_an_older_version_is_refused() {
    let fixture = Fixture::new();
    let id = fixture.create("s");
    let change = |base| SessionChange {
        base: Version(base),
        language: Language::from_stored("fr"),
        metadata: Document::from_stored(r#"{"b":2}"#),
        at: at(50_000),
    };
    let update = |id: &SessionId, base| fixture.run(fixture.store().update(id, change(base)));
    let changed = update(&id, 1).unwrap();
    assert_eq!(
        (changed.version, changed.updated_at),
        (Version(2), at(50_000))
    );
    assert_eq!(changed.metadata.as_str(), r#"{"b":2}"#);
    assert_eq!(update(&id, 1), Err(UpdateError::Moved));

    fixture.commit(vec![terminal(&id, 1)]);
    assert_eq!(update(&id, 2), Err(UpdateError::Moved));
    let changed = update(&id, 3).unwrap();
    assert_eq!(changed.status, SessionStatus::Completed);
    let stored = fixture.run(fixture.store().session(&id, Consistency::Strong));
    assert_eq!(stored.unwrap(), changed);

    let absent = SessionId::from_stored("absent");
    assert_eq!(update(&absent, 1), Err(UpdateError::Absent));
    fixture.run(fixture.store().erase(&id, at(0))).unwrap();
    assert_eq!(update(&id, 4), Err(UpdateError::Erased));
}

#[test]
fn a_close_leaves_nothing_to_replay_and_everything_to_read() {
    let mut fixture = Fixture::new();
    let id = fixture.create("s");
    let large = |seq| Event {
        payload: Document::from_stored(&format!(r#"{{"text":"{}"}}"#, "x".repeat(4_000))),
        ..event(&id, seq)
    };
    let events: Vec<_> = (1..=400).map(large).collect();
    fixture.append(&events);
    let store = fixture.folder.path().join("store");
    assert!(journals::length(&store).unwrap() > 1_600_000);

    fixture.store = None;
    assert_eq!(journals::length(&store).unwrap(), 0);
    fixture.reopen();
    let page = fixture.page(&id, &first_page(Order::SeqAscending)).unwrap();
    assert_eq!(page.events, events);
    fixture.append(&[large(401)]);
    assert_eq!(fixture.create("t"), SessionId::from_stored("t"));
}

/// Two sessions grow by the same batches while a reader looks on and flushes move what is visible;
/// `look` tells how far they are.
fn watch_growth(look: impl Fn(&Engine, &[SessionId; 2]) -> u64 + Send + 'static) {
    const EVENTS: u64 = 300;
    let fixture = Fixture::new();
    let ids = [fixture.create("a"), fixture.create("b")];
    let engine = Arc::clone(&fixture.store().0.engine);
    let reader = {
        let (engine, ids) = (Arc::clone(&engine), ids.clone());
        std::thread::spawn(move || while look(&engine, &ids) < EVENTS {})
    };
    for seq in 1..=EVENTS {
        let flusher = (seq % 20 == 0).then(|| {
            let engine = Arc::clone(&engine);
            std::thread::spawn(move || engine.flush())
        });
        let out_of_order = |id| Event {
            timestamp: at((seq * 7 % 11).cast_signed()),
            ..event(id, seq)
        };
        fixture.append(&ids.each_ref().map(out_of_order));
        if let Some(flusher) = flusher {
            flusher.join().unwrap().unwrap();
        }
    }
    reader.join().unwrap();
}

#[test]
fn no_reader_sees_half_a_batch() {
    watch_growth(|engine, [a, b]| {
        let logs = engine.read(|view| Ok((view.log(a, None)?, view.log(b, None)?)));
        let (a, b) = logs.map_err(|error: ReadError| error).unwrap();
        assert_eq!(a.events, b.events);
        a.events
    });
}

#[test]
fn a_page_has_what_its_total_says_while_the_log_grows() {
    for order in [
        Order::TimeAscending,
        Order::TimeDescending,
        Order::SeqDescending,
    ] {
        watch_growth(move |engine, [a, _]| {
            let page = events(engine, a, &first_page(order)).unwrap();
            assert_eq!(page.events.len() as u64, page.total);
            assert_eq!(page.next, None);
            page.total
        });
    }
}
