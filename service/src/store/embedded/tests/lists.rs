//! Lists of sessions against a list that is filtered and sorted in memory.

use proptest::prelude::*;

use super::*;
use crate::domain::{Session, SessionFilter, SessionListQuery, SessionStatus};

/// A session to be: its start, its language, and where it ends up.
type Shape = (i64, usize, usize);

const LANGUAGES: [&str; 3] = ["en", "EN", "pt-BR"];

fn make(fixture: &Fixture, shapes: &[Shape]) -> Vec<Session> {
    let mut new = Vec::new();
    for (number, (start, language, _)) in shapes.iter().enumerate() {
        new.push(NewSession {
            started_at: at(*start),
            language: Language::from_stored(LANGUAGES[*language]),
            ..new_session(&format!("s{number}"), u8::try_from(number).unwrap())
        });
    }
    let ids: Vec<_> = new.iter().map(|it| it.session_id.clone()).collect();
    fixture.run(fixture.store().create(new));
    for ((_, _, status), id) in shapes.iter().zip(&ids) {
        let records = match SessionStatus::ALL[*status] {
            SessionStatus::Initiated => vec![],
            SessionStatus::Active => vec![Record::Event(event(id, 1))],
            SessionStatus::Completed => vec![Record::Event(event(id, 1)), terminal(id, 2)],
            SessionStatus::Failed => vec![Record::Terminal(
                id.clone(),
                Terminal {
                    seq: Seq::FIRST,
                    status: ClosingStatus::Failed,
                    at: at(40_000),
                    reason: None,
                },
            )],
        };
        fixture.commit(records);
    }
    let stored = |id: &SessionId| {
        let session = fixture.run(fixture.store().session(id, Consistency::Strong));
        let mut session = session.unwrap();
        session.event_count = session.ended_at.and(session.event_count);
        session
    };
    ids.iter().map(stored).collect()
}

fn model(sessions: &[Session], filter: &SessionFilter) -> Vec<Session> {
    let passes = |it: &&Session| {
        filter.status.is_none_or(|status| status == it.status)
            && filter
                .started_after
                .is_none_or(|after| it.started_at >= after)
            && filter
                .started_before
                .is_none_or(|before| it.started_at < before)
            && filter
                .language
                .as_ref()
                .is_none_or(|it_is| it_is.folded() == it.language.folded())
    };
    let mut passing: Vec<_> = sessions.iter().filter(passes).cloned().collect();
    passing.sort_by_key(|it| std::cmp::Reverse((it.started_at, it.creation_id)));
    passing
}

fn walk(fixture: &Fixture, filter: &SessionFilter, limit: usize) -> Vec<Session> {
    let mut query = SessionListQuery {
        filter: filter.clone(),
        after: None,
        limit,
        consistency: Consistency::Strong,
    };
    let mut walked = Vec::new();
    loop {
        let page = fixture.run(fixture.store().list(&query)).unwrap();
        assert!(page.sessions.len() <= limit);
        assert!(
            query.after.is_none() || !page.sessions.is_empty(),
            "a page too many"
        );
        walked.extend(page.sessions);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return walked,
        }
    }
}

prop_compose! {
    fn filters()(
        status in proptest::option::of(0..4_usize),
        language in proptest::option::of(0..3_usize),
        after in proptest::option::of(0..8_i64),
        before in proptest::option::of(0..8_i64),
    ) -> SessionFilter {
        SessionFilter {
            status: status.map(|it| SessionStatus::ALL[it]),
            language: language.map(|it| Language::from_stored(LANGUAGES[it])),
            started_after: after.map(at),
            started_before: before.map(at),
        }
    }
}

#[test]
fn a_walk_yields_every_session_that_passes_once_newest_first() {
    proptest!(ProptestConfig::with_cases(12), |(
        shapes in prop::collection::vec((0..6_i64, 0..3_usize, 0..4_usize), 0..24),
        filters in prop::collection::vec((filters(), 1..8_usize), 40),
        is_flushed in any::<bool>(),
    )| {
        let fixture = Fixture::new();
        let sessions = make(&fixture, &shapes);
        if is_flushed {
            fixture.store().0.engine.flush().unwrap();
        }
        for (filter, limit) in filters {
            let walked = walk(&fixture, &filter, limit);
            prop_assert_eq!(walked, model(&sessions, &filter), "{:?}", filter);
        }
    });
}

#[test]
fn a_walk_goes_on_where_it_was_when_statuses_change() {
    let fixture = Fixture::new();
    let shapes: Vec<_> = (0..20).map(|start| (start, 0, 0)).collect();
    let sessions = make(&fixture, &shapes);
    let mut query = SessionListQuery {
        filter: SessionFilter::default(),
        after: None,
        limit: 3,
        consistency: Consistency::Strong,
    };
    let mut walked = Vec::new();
    loop {
        let page = fixture.run(fixture.store().list(&query)).unwrap();
        for session in &page.sessions {
            fixture.append(&[event(&session.session_id, 1)]);
        }
        walked.extend(page.sessions.into_iter().map(|it| it.session_id));
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    let newest_first = sessions.into_iter().rev().map(|it| it.session_id);
    assert_eq!(walked, newest_first.collect::<Vec<_>>());
}

#[test]
fn erased_sessions_are_not_listed_and_changed_languages_are() {
    let fixture = Fixture::new();
    let sessions = make(&fixture, &[(1, 0, 1), (2, 0, 2), (3, 0, 0)]);
    let id = &sessions[1].session_id;
    fixture.run(fixture.store().erase(id, at(0))).unwrap();
    let change = crate::store::SessionChange {
        base: sessions[0].version,
        language: Language::from_stored("de"),
        metadata: Document::empty(),
        at: at(0),
    };
    let id = &sessions[0].session_id;
    fixture.run(fixture.store().update(id, change)).unwrap();
    let listed = |language| {
        let filter = SessionFilter {
            language: Some(Language::from_stored(language)),
            ..SessionFilter::default()
        };
        let sessions = walk(&fixture, &filter, 10);
        sessions
            .into_iter()
            .map(|it| it.session_id)
            .collect::<Vec<_>>()
    };
    assert_eq!(listed("EN"), [sessions[2].session_id.clone()]);
    assert_eq!(listed("DE"), [sessions[0].session_id.clone()]);
}
