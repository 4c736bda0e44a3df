//! Pages of events against a list that is filtered and sorted in memory.

use proptest::prelude::*;

use super::*;
use crate::domain::Position;

fn events(id: &SessionId, shapes: &[(i64, usize, usize)]) -> Vec<Event> {
    let shape = |(index, (millis, kind, size)): (usize, &(i64, usize, usize))| Event {
        kind: EventType::ALL[*kind],
        timestamp: at(*millis),
        payload: Document::from_stored(&format!(r#"{{"text":"{}"}}"#, "x".repeat(*size))),
        ..event(id, index as u64 + 1)
    };
    shapes.iter().enumerate().map(shape).collect()
}

/// Everything that a query is about, in its order.
fn model(events: &[Event], query: &PageQuery) -> Vec<Event> {
    let passes = |event: &&Event| query.filter.passes(event.kind, event.timestamp);
    let mut passing: Vec<_> = events.iter().filter(passes).cloned().collect();
    if query.order.is_by_time() {
        passing.sort_by_key(|event| (event.timestamp, event.seq));
    }
    if query.order.is_descending() {
        passing.reverse();
    }
    let skipped = match query.start {
        PageStart::Offset(offset) => usize::try_from(offset).unwrap(),
        PageStart::AfterSeq(seq) => passing.iter().filter(|it| it.seq.get() <= seq).count(),
        PageStart::After(position) => {
            let place = |it: &Event| match query.order {
                Order::TimeAscending => {
                    (it.timestamp, it.seq) <= (position.timestamp, position.seq)
                }
                Order::TimeDescending => {
                    (it.timestamp, it.seq) >= (position.timestamp, position.seq)
                }
                Order::SeqAscending => it.seq <= position.seq,
                Order::SeqDescending => it.seq >= position.seq,
            };
            passing.iter().filter(|it| place(it)).count()
        }
    };
    passing.split_off(skipped.min(passing.len()))
}

/// Follows `next` to the end; every page has to keep its limits.
fn walk(fixture: &Fixture, id: &SessionId, query: &PageQuery) -> Vec<Event> {
    let mut query = query.clone();
    let mut walked = Vec::new();
    loop {
        let page = fixture.page(id, &query).unwrap();
        let bytes: usize = page.events.iter().map(|it| it.payload.len()).sum();
        assert!(page.events.len() <= query.limit);
        assert!(bytes <= query.max_bytes || page.events.len() == 1);
        let is_first_page = walked.is_empty();
        assert!(is_first_page || !page.events.is_empty(), "a page too many");
        walked.extend(page.events);
        match page.next {
            Some(next) => query.start = PageStart::After(next),
            None => return walked,
        }
    }
}

fn orders() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::TimeAscending),
        Just(Order::TimeDescending),
        Just(Order::SeqAscending),
        Just(Order::SeqDescending),
    ]
}

fn starts() -> impl Strategy<Value = PageStart> {
    prop_oneof![
        (0..50_u64).prop_map(PageStart::Offset),
        (-1..25_i64, 1..45_u64).prop_map(|(millis, seq)| PageStart::After(Position {
            timestamp: at(millis),
            seq: Seq::new(seq).unwrap(),
        })),
    ]
}

prop_compose! {
    fn filters()(
        kind in proptest::option::of(0..3_usize),
        since in proptest::option::of(0..25_i64),
        until in proptest::option::of(0..25_i64),
    ) -> EventFilter {
        EventFilter {
            kind: kind.map(|kind| EventType::ALL[kind]),
            since: since.map(at),
            until: until.map(at),
        }
    }
}

prop_compose! {
    fn queries()(
        order in orders(),
        start in starts(),
        after_seq in proptest::option::of(0..45_u64),
        filter in prop_oneof![Just(EventFilter::default()), filters()],
        limit in 1..12_usize,
        max_bytes in prop_oneof![Just(usize::MAX), 1..200_usize],
    ) -> PageQuery {
        let consistency = Consistency::Strong;
        let query = PageQuery { order, start, filter, limit, max_bytes, consistency };
        match after_seq {
            Some(seq) if order == Order::SeqAscending => PageQuery {
                start: PageStart::AfterSeq(seq),
                ..query
            },
            _ => query,
        }
    }
}

/// Times that mostly go on, as in a conversation, or jump about.
fn shapes() -> impl Strategy<Value = Vec<(i64, usize, usize)>> {
    let calm =
        prop::collection::vec((0..2_i64, 0..3_usize, 0..40_usize), 0..40).prop_map(|steps| {
            let mut now = 0;
            let shape = |(step, kind, size)| {
                now += step;
                (now, kind, size)
            };
            steps.into_iter().map(shape).collect()
        });
    let wild = prop::collection::vec((0..20_i64, 0..3_usize, 0..40_usize), 0..40);
    prop_oneof![calm, wild]
}

#[test]
fn a_walk_yields_every_event_that_passes_once_and_in_order() {
    let fixture = Fixture::new();
    let number = std::cell::Cell::new(0);
    proptest!(ProptestConfig::with_cases(150), |(
        shapes in shapes(),
        queries in prop::collection::vec(queries(), 30),
        is_closed in any::<bool>(),
        is_flushed in proptest::bool::weighted(0.1),
    )| {
        let id = fixture.create(&format!("s{}", number.get()));
        number.set(number.get() + 1);
        let events = events(&id, &shapes);
        fixture.append(&events);
        if is_closed {
            fixture.commit(vec![terminal(&id, events.len() as u64 + 1)]);
        }
        if is_flushed {
            fixture.store().0.engine.flush().unwrap();
        }
        for query in queries {
            prop_assert_eq!(walk(&fixture, &id, &query), model(&events, &query), "{:?}", query);
            let page = fixture.page(&id, &query).unwrap();
            prop_assert_eq!(page.total, events.len() as u64);
            prop_assert_eq!(page.terminal.is_some(), is_closed);
        }
    });
}

#[test]
fn a_filter_that_skips_many_events_ends_its_page_early_and_goes_on() {
    let fixture = Fixture::new();
    let id = fixture.create("s");
    let shapes: Vec<_> = (0..12_000)
        .map(|n| (n, usize::from(n % 11_000 == 10_999), 0))
        .collect();
    let events = events(&id, &shapes);
    fixture.append(&events);
    for order in [Order::TimeAscending, Order::SeqAscending] {
        let mut query = first_page(order);
        query.filter.kind = Some(EventType::BotSpeech);
        let page = fixture.page(&id, &query).unwrap();
        assert_eq!(page.events, []);
        query.start = PageStart::After(page.next.unwrap());
        let page = fixture.page(&id, &query).unwrap();
        assert_eq!(page.events, events[10_999..11_000]);
        assert_eq!(page.next, None);
        query.start = PageStart::Offset(1);
        assert_eq!(walk(&fixture, &id, &query), []);
    }
}

#[test]
fn a_session_and_its_page_are_of_one_moment() {
    let fixture = Fixture::new();
    let id = fixture.create("s");
    fixture.append(&[event(&id, 1)]);
    let query = first_page(Order::TimeAscending);
    let read = || fixture.run(fixture.store().session_with_events(&id, &query));
    let (session, page) = read().unwrap();
    assert_eq!(session.event_count, Some(1));
    assert_eq!((page.events, page.total), (vec![event(&id, 1)], 1));
    fixture.run(fixture.store().erase(&id, at(0))).unwrap();
    assert_eq!(read(), Err(ReadError::Erased));
}
