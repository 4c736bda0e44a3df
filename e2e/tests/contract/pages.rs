//! `GET /v1/sessions/{sessionId}/events`: one page, its order, its filters and what goes together.

use serde_json::{Value, json};
use sessionstore_e2e::{
    client::Api,
    sample::{self, event, event_at, time, with},
    session::{Session, texts},
};

const ORDERS: [&str; 4] = ["timestamp", "-timestamp", "seq", "-seq"];

/// A session whose events have these times, `e1` the first.
async fn at_times(seconds: &[i64]) -> Session {
    let session = Api::shared().await.new_session().await;
    let events: Vec<_> = (1..)
        .zip(seconds)
        .map(|(n, seconds)| event_at(&format!("e{n}"), &time(*seconds)))
        .collect();
    session.append_batch(&events).await.expect(200);
    session
}

async fn ids(session: &Session, query: &[(&str, &str)]) -> Vec<String> {
    texts(
        &session.events(query).await.expect(200).list("/events"),
        "eventId",
    )
}

#[tokio::test]
async fn there_are_four_orders_and_time_is_the_default() {
    let session = at_times(&[5, 1, 9, 5]).await;
    assert_eq!(ids(&session, &[]).await, ["e2", "e1", "e4", "e3"]);
    assert_eq!(
        ids(&session, &[("order", "timestamp")]).await,
        ["e2", "e1", "e4", "e3"]
    );
    assert_eq!(
        ids(&session, &[("order", "-timestamp")]).await,
        ["e3", "e4", "e1", "e2"]
    );
    assert_eq!(
        ids(&session, &[("order", "seq")]).await,
        ["e1", "e2", "e3", "e4"]
    );
    assert_eq!(
        ids(&session, &[("order", "-seq")]).await,
        ["e4", "e3", "e2", "e1"]
    );
}

#[tokio::test]
async fn a_descending_order_is_the_exact_reverse_also_among_equal_times() {
    let session = at_times(&[3, 1, 3, 1, 2, 3, 3, 1, 2, 2, 1]).await;
    for order in ["timestamp", "seq"] {
        let ascending = ids(&session, &[("order", order)]).await;
        let mut descending = ids(&session, &[("order", &format!("-{order}"))]).await;
        descending.reverse();
        assert_eq!(ascending, descending, "{order}");
    }
}

#[tokio::test]
async fn a_page_has_exactly_the_limit_while_there_is_more() {
    let session = Api::shared().await.new_session().await;
    session.fill(120).await;
    for order in ORDERS {
        let default = session.events(&[("order", order)]).await.expect(200);
        assert_eq!(default.list("/events").len(), 50);
        assert_eq!(default.at("/pagination/limit"), 50);
        for limit in [1, 2, 119, 120, 500] {
            let text = limit.to_string();
            let page = session
                .events(&[("order", order), ("limit", &text)])
                .await
                .expect(200);
            assert_eq!(page.list("/events").len(), limit.min(120));
            assert_eq!(page.at("/pagination/limit"), json!(limit));
            assert_eq!(page.at("/pagination/total"), 120);
            assert_eq!(page.next_cursor().is_some(), limit < 120, "{order} {limit}");
        }
    }
}

#[tokio::test]
async fn an_offset_skips_in_every_order() {
    let session = at_times(&[4, 4, 1, 1, 3, 2]).await;
    for order in ORDERS {
        let whole = ids(&session, &[("order", order)]).await;
        for offset in 0..=7 {
            let text = offset.to_string();
            let query = [("order", order), ("offset", &*text), ("limit", "2")];
            let page = session.events(&query).await.expect(200);
            let rest = whole.get(offset..).unwrap_or_default();
            let expected = &rest[..rest.len().min(2)];
            assert_eq!(
                texts(&page.list("/events"), "eventId"),
                expected,
                "{order} {offset}"
            );
            assert_eq!(page.at("/pagination/offset"), json!(offset));
            assert_eq!(page.at("/pagination/total"), 6);
            assert_eq!(
                page.next_cursor().is_some(),
                rest.len() > 2,
                "{order} {offset}"
            );
        }
    }
}

#[tokio::test]
async fn an_offset_page_is_followed_by_its_cursor() {
    let session = at_times(&[1, 1, 1, 2, 2, 2, 0]).await;
    for order in ORDERS {
        let whole = ids(&session, &[("order", order)]).await;
        let walked = session
            .walk(&[("order", order), ("offset", "2"), ("limit", "2")])
            .await;
        assert_eq!(texts(&walked, "eventId"), whole[2..], "{order}");
    }
}

#[tokio::test]
async fn an_offset_goes_up_to_ten_thousand() {
    let session = Api::shared().await.new_session().await;
    session.fill(1).await;
    assert!(ids(&session, &[("offset", "10000")]).await.is_empty());
    session
        .events(&[("offset", "10001")])
        .await
        .problem(400)
        .names(&["?offset"]);
}

#[tokio::test]
async fn after_seq_polls_on_in_seq_order() {
    let session = at_times(&[9, 8, 7, 6, 5]).await;
    assert_eq!(
        ids(&session, &[("afterSeq", "0")]).await,
        ["e1", "e2", "e3", "e4", "e5"]
    );
    let page = session
        .events(&[("afterSeq", "1"), ("limit", "2")])
        .await
        .expect(200);
    assert_eq!(texts(&page.list("/events"), "eventId"), ["e2", "e3"]);
    assert_eq!(page.next_cursor(), None, "one goes on from the last seq");
    assert!(ids(&session, &[("afterSeq", "5")]).await.is_empty());
    assert!(ids(&session, &[("afterSeq", "99")]).await.is_empty());
    session.append(&event("e6")).await.expect(201);
    assert_eq!(ids(&session, &[("afterSeq", "5")]).await, ["e6"]);
    session.complete().await.expect(200);
    assert!(
        ids(&session, &[("afterSeq", "6")]).await.is_empty(),
        "the terminal record is no event"
    );
}

#[tokio::test]
async fn the_terminal_record_is_on_no_page() {
    let session = at_times(&[1, 0]).await;
    session.complete().await.expect(200);
    for order in ORDERS {
        let page = session.events(&[("order", order)]).await.expect(200);
        assert_eq!(page.list("/events").len(), 2);
        assert_eq!(page.at("/pagination/total"), 2);
        let first = session
            .events(&[("order", order), ("limit", "2")])
            .await
            .expect(200);
        assert_eq!(first.next_cursor(), None);
    }
}

#[tokio::test]
async fn a_filter_by_type_holds_in_every_order() {
    let session = Api::shared().await.new_session().await;
    let kinds = ["user_speech", "bot_speech", "system"].into_iter().cycle();
    let events: Vec<Value> = (1..=9)
        .zip(kinds)
        .map(|(n, kind)| {
            with(
                event_at(&format!("e{n}"), &time(n / 4)),
                "type",
                json!(kind),
            )
        })
        .collect();
    session.append_batch(&events).await.expect(200);
    for order in ORDERS {
        let whole = session
            .events(&[("order", order)])
            .await
            .expect(200)
            .list("/events");
        for kind in ["user_speech", "bot_speech", "system"] {
            let mut expected = whole.clone();
            expected.retain(|event| event["type"] == kind);
            let query = [("order", order), ("type", kind)];
            let page = session.events(&query).await.expect(200);
            assert_eq!(page.list("/events"), expected);
            assert_eq!(page.json().pointer("/pagination/total"), None);
            let walked = session.walk(&[query[0], query[1], ("limit", "1")]).await;
            assert_eq!(walked, expected, "{order} {kind}");
        }
    }
}

#[tokio::test]
async fn since_is_inclusive_and_until_exclusive_in_every_order() {
    let session = at_times(&[2, 0, 1, 3, 2, 1]).await;
    for order in ORDERS {
        let whole = session
            .events(&[("order", order)])
            .await
            .expect(200)
            .list("/events");
        for (since, until) in [
            (Some(1), None),
            (None, Some(2)),
            (Some(1), Some(3)),
            (Some(9), None),
        ] {
            let (from, to) = (since.map(time), until.map(time));
            let mut query = vec![("order", order)];
            query.extend(from.as_deref().map(|from| ("since", from)));
            query.extend(to.as_deref().map(|to| ("until", to)));
            let mut expected = whole.clone();
            expected.retain(|event| {
                let at = event["timestamp"].as_str().unwrap();
                from.as_deref().is_none_or(|from| at >= from)
                    && to.as_deref().is_none_or(|to| at < to)
            });
            let page = session.events(&query).await.expect(200);
            assert_eq!(page.list("/events"), expected, "{query:?}");
            assert_eq!(page.json().pointer("/pagination/total"), None);
            query.push(("limit", "1"));
            assert_eq!(session.walk(&query).await, expected, "{query:?}");
        }
    }
}

#[tokio::test]
async fn filters_combine_with_each_other_and_with_polling() {
    let session = Api::shared().await.new_session().await;
    let events: Vec<Value> = (1..=6)
        .map(|n| {
            let kind = if n % 2 == 0 { "system" } else { "user_speech" };
            with(event_at(&format!("e{n}"), &time(n)), "type", json!(kind))
        })
        .collect();
    session.append_batch(&events).await.expect(200);
    let query = [
        ("type", "system"),
        ("since", &*time(3)),
        ("until", &*time(6)),
    ];
    assert_eq!(ids(&session, &query).await, ["e4"]);
    assert_eq!(
        ids(&session, &[("type", "system"), ("afterSeq", "2")]).await,
        ["e4", "e6"]
    );
}

#[tokio::test]
async fn large_events_make_a_short_page_that_says_there_is_more() {
    let session = Api::shared().await.new_session().await;
    let payload = sample::payload_of(200 * 1024);
    let large: Vec<_> = (1..=20)
        .map(|n| {
            with(
                event_at(&format!("e{n}"), &time(n % 3)),
                "payload",
                payload.clone(),
            )
        })
        .collect();
    session.append_batch(&large).await.expect(200);
    for order in ORDERS {
        let page = session.events(&[("order", order)]).await.expect(200);
        let count = page.list("/events").len();
        assert!((1..20).contains(&count), "{count} of 20 events of 200 KiB");
        assert!(
            page.text.len() < 2 * 1024 * 1024,
            "a page of {} bytes",
            page.text.len()
        );
        assert!(page.next_cursor().is_some());
        assert_eq!(page.at("/pagination/total"), 20);
        assert_eq!(session.walk(&[("order", order)]).await.len(), 20, "{order}");
    }

    let (mut seen, mut after) = (0, 0);
    loop {
        let page = session
            .events(&[("afterSeq", &after.to_string())])
            .await
            .expect(200)
            .list("/events");
        let Some(last) = page.last() else { break };
        after = last["seq"].as_u64().unwrap();
        seen += page.len();
    }
    assert_eq!(seen, 20);
}

#[tokio::test]
async fn a_cursor_is_bound_to_session_order_and_filters_but_not_to_its_limit() {
    let api = Api::shared().await;
    let session = at_times(&[0, 1, 2, 3]).await;
    let other = at_times(&[0, 1, 2, 3]).await;
    let query = [("order", "-seq"), ("limit", "1")];
    let cursor = session
        .events(&query)
        .await
        .expect(200)
        .next_cursor()
        .unwrap();
    let cursor = ("cursor", &*cursor);

    assert_eq!(
        ids(&session, &[("order", "-seq"), cursor]).await,
        ["e3", "e2", "e1"]
    );
    other
        .events(&[("order", "-seq"), cursor])
        .await
        .problem(400)
        .names(&["?cursor"]);
    let since = ("since", &*time(0));
    let until = ("until", &*time(9));
    let wrong: [&[(&str, &str)]; 6] = [
        &[cursor],
        &[("order", "seq"), cursor],
        &[("order", "-timestamp"), cursor],
        &[("order", "-seq"), ("type", "user_speech"), cursor],
        &[("order", "-seq"), since, cursor],
        &[("order", "-seq"), until, cursor],
    ];
    for query in wrong {
        session.events(query).await.problem(400).names(&["?cursor"]);
        api.get(&session.path(""), query).await;
    }
}

#[tokio::test]
async fn a_cursor_of_a_filtered_walk_needs_the_same_filters() {
    let session = at_times(&[0, 1, 2, 3]).await;
    let since = ("since", &*time(1));
    let first = session.events(&[since, ("limit", "1")]).await.expect(200);
    let cursor = first.next_cursor().unwrap();
    let cursor = ("cursor", &*cursor);
    assert_eq!(ids(&session, &[since, cursor]).await, ["e3", "e4"]);
    session
        .events(&[cursor])
        .await
        .problem(400)
        .names(&["?cursor"]);
    session
        .events(&[("since", &time(2)), cursor])
        .await
        .problem(400)
        .names(&["?cursor"]);
}

#[tokio::test]
async fn no_text_is_taken_for_a_cursor_that_is_none() {
    let session = at_times(&[0, 1, 2, 3]).await;
    let cursor = session
        .events(&[("limit", "1")])
        .await
        .expect(200)
        .next_cursor()
        .unwrap();
    let mut spoilt: Vec<String> = ["", " ", "x", "AAAA", "null", "0", "-1", "==", "🎙", "%00"]
        .map(str::to_owned)
        .to_vec();
    spoilt.push(format!("{cursor}A"));
    spoilt.push("A".repeat(5000));
    for (at, character) in cursor.char_indices() {
        spoilt.push(cursor[..at].to_owned());
        let other = if character == 'A' { 'B' } else { 'A' };
        spoilt.push(format!(
            "{}{other}{}",
            &cursor[..at],
            &cursor[at + character.len_utf8()..]
        ));
    }
    for text in spoilt {
        let reply = session.events(&[("cursor", &text)]).await;
        // A changed letter may make another valid position; what is none is a 400 that says so.
        if reply.status != 200 {
            reply.problem(400).names(&["?cursor"]);
        }
    }
}
