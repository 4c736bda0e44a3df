//! Walks over many pages: complete and without duplicates at any limit, among equal times, and while
//! others append.

use std::collections::HashMap;

use serde_json::Value;
use sessionstore_e2e::{
    client::Api,
    sample::{event_at, time},
    session::{Session, texts},
};

const ORDERS: [&str; 4] = ["timestamp", "-timestamp", "seq", "-seq"];

/// A session of `count` events on only three different times.
async fn on_equal_times(count: i64) -> Session {
    let session = Api::shared().await.new_session().await;
    let events: Vec<_> = (0..count)
        .map(|n| event_at(&format!("e{n}"), &time(n * 7 % 3)))
        .collect();
    for part in events.chunks(500) {
        session.append_batch(part).await.expect(200);
    }
    session
}

/// Asserts that `walked` has each event of `stored` exactly once, and nothing twice.
#[track_caller]
fn assert_complete(walked: &[Value], stored: &[Value], walk: &str) {
    let mut counts = HashMap::new();
    for id in texts(walked, "eventId") {
        *counts.entry(id).or_insert(0) += 1;
    }
    for id in texts(stored, "eventId") {
        assert_eq!(counts.get(&id), Some(&1), "{id} on {walk}");
    }
    assert!(
        counts.values().all(|count| *count == 1),
        "an event came twice on {walk}"
    );
}

#[tokio::test]
async fn a_walk_is_the_same_at_any_limit() {
    let session = on_equal_times(60).await;
    for order in ORDERS {
        let whole = session
            .events(&[("order", order), ("limit", "500")])
            .await
            .expect(200);
        let whole = whole.list("/events");
        assert_eq!(whole.len(), 60);
        for limit in ["1", "2", "7", "20", "59", "60"] {
            let walked = session.walk(&[("order", order), ("limit", limit)]).await;
            assert_eq!(walked, whole, "{order} by {limit}");
        }
    }
}

#[tokio::test]
async fn a_walk_may_change_its_limit_on_the_way() {
    let session = on_equal_times(30).await;
    for order in ORDERS {
        let whole = session
            .events(&[("order", order)])
            .await
            .expect(200)
            .list("/events");
        let mut walked = Vec::new();
        let mut cursor: Option<String> = None;
        for limit in ["1", "3", "2", "10", "500"] {
            let mut query = vec![("order", order), ("limit", limit)];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page = session.events(&query).await.expect(200);
            walked.extend(page.list("/events"));
            cursor = page.next_cursor();
        }
        assert_eq!(cursor, None);
        assert_eq!(walked, whole, "{order}");
    }
}

#[tokio::test]
async fn a_cursor_may_be_used_again() {
    let session = on_equal_times(10).await;
    let first = session.events(&[("limit", "3")]).await.expect(200);
    let cursor = first.next_cursor().unwrap();
    let query = [("limit", "3"), ("cursor", &*cursor)];
    let page = session.events(&query).await.expect(200).list("/events");
    assert_eq!(
        session.events(&query).await.expect(200).list("/events"),
        page
    );
}

#[tokio::test]
async fn a_walk_while_others_append_meets_what_was_there_exactly_once() {
    let session = on_equal_times(150).await;
    let stored = session.log().await;

    let appending = async {
        for n in 0..150 {
            // Before, among and behind the times that are there.
            let at = time(n % 5 - 1);
            session
                .append(&event_at(&format!("new{n}"), &at))
                .await
                .expect(201);
        }
    };
    let walking = async {
        for order in ORDERS {
            let walked = session.walk(&[("order", order), ("limit", "4")]).await;
            assert_complete(&walked, &stored, order);
        }
    };
    let filtered = async {
        let (since, until) = (time(0), time(3));
        let query = [
            ("since", &*since),
            ("until", &*until),
            ("type", "user_speech"),
            ("limit", "5"),
        ];
        assert_complete(&session.walk(&query).await, &stored, "a filtered walk");
    };
    tokio::join!(appending, walking, filtered);
    assert_eq!(session.log().await.len(), 300);
}

#[tokio::test]
async fn a_walk_goes_on_when_the_session_is_closed_on_the_way() {
    let session = on_equal_times(20).await;
    for order in ORDERS {
        let first = session
            .events(&[("order", order), ("limit", "5")])
            .await
            .expect(200);
        session.complete().await.expect(200);
        let cursor = first.next_cursor().unwrap();
        let rest = session
            .events(&[("order", order), ("cursor", &cursor)])
            .await
            .expect(200);
        let walked = [first.list("/events"), rest.list("/events")].concat();
        assert_eq!(walked.len(), 20);
        assert_complete(&walked, &session.log().await, order);
    }
}

#[tokio::test]
async fn polling_while_others_append_sees_every_seq_once_and_in_order() {
    let session = Api::shared().await.new_session().await;
    let appending = async {
        for n in 0..120 {
            session
                .append(&event_at(&format!("e{n}"), &time(-n)))
                .await
                .expect(201);
        }
        session.complete().await.expect(200);
    };
    let polling = async {
        let mut after = 0;
        loop {
            let closed = session.current().await["status"] == "completed";
            let after_text = after.to_string();
            let page = session
                .events(&[("afterSeq", &after_text), ("limit", "9")])
                .await
                .expect(200);
            let page = page.list("/events");
            for event in &page {
                after += 1;
                assert_eq!(event["seq"], after);
            }
            if closed && page.is_empty() {
                return after;
            }
        }
    };
    let ((), seen) = tokio::join!(appending, polling);
    assert_eq!(seen, 120);
}

#[tokio::test]
async fn a_long_session_is_walked_in_every_order() {
    let session = on_equal_times(2500).await;
    for order in ORDERS {
        let walked = session.walk(&[("order", order), ("limit", "500")]).await;
        assert_eq!(walked.len(), 2500, "{order}");
        assert_complete(&walked, &walked, order);
    }
    let page = session
        .events(&[("offset", "2400"), ("limit", "500")])
        .await
        .expect(200);
    assert_eq!(page.list("/events").len(), 100);
    assert_eq!(page.at("/pagination/total"), 2500);
}
