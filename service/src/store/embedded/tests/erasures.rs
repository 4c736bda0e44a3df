//! Erasing, and being interrupted while at it.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::store::embedded::codec::{self, LogRow, SessionRow};
use crate::store::embedded::erase::{self, Erasure};
use crate::store::embedded::view::View;
use crate::store::{EraseError, StoreError};

const EVENTS: u64 = 1_200;

/// A closed or open session of several chunks, and a neighbour on each side.
fn sessions(fixture: &Fixture, is_closed: bool) -> [SessionId; 3] {
    let ids = ["s", "s s", "s t"].map(|id| fixture.create(id));
    for id in [&ids[0], &ids[2]] {
        fixture.append(&[event(id, 1)]);
    }
    let events: Vec<_> = (1..=EVENTS).map(|seq| event(&ids[1], seq)).collect();
    fixture.append(&events);
    if is_closed {
        fixture.commit(vec![terminal(&ids[1], EVENTS + 1)]);
    }
    ids
}

fn assert_erased(fixture: &Fixture, ids: &[SessionId; 3]) {
    let [before, erased, after] = ids;
    let page = first_page(Order::TimeAscending);
    assert_eq!(fixture.page(erased, &page), Err(ReadError::Erased));
    let event_id = EventId::from_stored("event 7");
    let store = fixture.store();
    let found = fixture.run(store.event(erased, &event_id, Consistency::Strong));
    assert_eq!(found, Err(ReadError::Erased));
    let created = fixture.run(store.create(vec![new_session("s s", 0)]));
    assert_eq!(created, [CreateOutcome::Erased]);
    for neighbour in [before, after] {
        let page = fixture.page(neighbour, &page).unwrap();
        assert_eq!(page.events, [event(neighbour, 1)]);
    }
}

/// Nothing that was in the session is in any row that can be read.
fn assert_purged(fixture: &Fixture, id: &SessionId) {
    let check = |view: &View<'_>| {
        assert_eq!(view.pending_purges()?, []);
        let Some(SessionRow::Tombstone(tombstone)) = view.session_row(id)? else {
            panic!("no tombstone");
        };
        assert!(tombstone.purged);
        let records = || view.records(tombstone.number, 0..=u64::MAX);
        assert_eq!(records().count(), usize::try_from(EVENTS + 1).unwrap());
        for row in records() {
            assert_eq!(codec::log_row(&row.value()?), Ok(LogRow::Stub));
        }
        let event_id = EventId::from_stored("event 7");
        assert!(!view.has_event(tombstone.number, &event_id)?);
        Ok::<_, StoreError>(())
    };
    fixture.store().0.engine.read(check).unwrap();
}

#[test]
fn an_erased_session_leaves_stubs_and_nothing_else() {
    for is_closed in [false, true] {
        let fixture = Fixture::new();
        let ids = sessions(&fixture, is_closed);
        for _ in 0..2 {
            let erased = fixture.run(fixture.store().erase(&ids[1], at(60_000)));
            assert_eq!(erased, Ok(()));
            assert_erased(&fixture, &ids);
            assert_purged(&fixture, &ids[1]);
        }
    }
}

/// How many files in a folder hold these bytes.
fn files_with(folder: &Path, bytes: &[u8]) -> usize {
    let holds = |path: PathBuf| {
        if path.is_dir() {
            files_with(&path, bytes)
        } else {
            let content = fs::read(path).unwrap();
            usize::from(content.windows(bytes.len()).any(|window| window == bytes))
        }
    };
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| holds(entry.unwrap().path())).sum()
}

#[test]
fn after_a_merge_nothing_of_an_erased_session_is_on_the_disk() {
    let mut fixture = Fixture::new();
    let ids = sessions(&fixture, true);
    let tables = fixture.folder.path().join("store/keyspaces");
    let engine = &fixture.store().0.engine;
    engine.flush().unwrap();
    assert!(files_with(&tables, b"secret 777") > 0);

    let erased = fixture.run(fixture.store().erase(&ids[1], at(0)));
    assert_eq!(erased, Ok(()));
    engine.flush().unwrap();
    engine.merge().unwrap();
    fixture.reopen();
    for content in ["secret 777", "event 777"] {
        assert_eq!(files_with(&tables, content.as_bytes()), 0, "{content}");
    }
    assert!(
        files_with(&tables, b"secret 1") > 0,
        "the neighbours are gone, too"
    );
}

#[test]
fn what_was_never_created_cannot_be_erased() {
    let fixture = Fixture::new();
    let absent = SessionId::from_stored("absent");
    let erased = fixture.run(fixture.store().erase(&absent, at(0)));
    assert_eq!(erased, Err(EraseError::Absent));
}

#[test]
fn an_erasure_interrupted_after_any_step_is_finished_by_the_next_start() {
    for steps in 0..3 {
        let mut fixture = Fixture::new();
        let ids = sessions(&fixture, steps % 2 == 0);
        let id = &ids[1];
        let engine = &fixture.store().0.engine;
        let erasure = engine.write(|write| erase::put_tombstone(write, id, at(0)));
        assert_eq!(erasure, Ok(Erasure::Pending));
        let mut from = Seq::FIRST;
        for _ in 0..steps {
            let next = engine.write(|write| erase::purge_some(write, id, from));
            from = next.unwrap().expect("a chunk is left");
        }
        assert_erased(&fixture, &ids);

        fixture.reopen();
        assert_erased(&fixture, &ids);
        // Whoever erases it again waits for it, whether the start has finished it or not.
        let erased = fixture.run(fixture.store().erase(&ids[1], at(0)));
        assert_eq!(erased, Ok(()));
        assert_purged(&fixture, &ids[1]);
    }
}

#[test]
fn a_start_finishes_what_is_pending_by_itself() {
    let mut fixture = Fixture::new();
    let ids = sessions(&fixture, false);
    let engine = &fixture.store().0.engine;
    engine
        .write(|write| erase::put_tombstone(write, &ids[1], at(0)))
        .unwrap();
    fixture.reopen();
    let engine = &fixture.store().0.engine;
    let is_pending = |view: &View<'_>| Ok::<_, StoreError>(!view.pending_purges()?.is_empty());
    while engine.read(is_pending).unwrap() {
        std::thread::yield_now();
    }
    assert_purged(&fixture, &ids[1]);
}
