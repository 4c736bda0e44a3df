//! `GET /v1/sessions`: filters, order, and the walk by cursor. A language tag of its own gives each
//! test a list of its own on a shared server.

use serde_json::{Value, json};
use sessionstore_e2e::{
    client::Api,
    sample::{self, fresh, fresh_language, session_at, time},
    session::texts,
};

/// Creates a session for each of these starts, one after the other, and returns their ids.
async fn create(api: &Api, language: &str, starts: &[impl AsRef<str>]) -> Vec<String> {
    let mut ids = Vec::new();
    for start in starts {
        let id = fresh("list");
        api.create(&session_at(&id, language, start.as_ref()))
            .await
            .expect(201);
        ids.push(id);
    }
    ids
}

async fn listed(api: &Api, query: &[(&str, &str)]) -> Vec<String> {
    texts(
        &api.sessions(query).await.expect(200).list("/sessions"),
        "sessionId",
    )
}

#[tokio::test]
async fn sessions_come_newest_start_first() {
    let api = Api::shared().await;
    let language = fresh_language();
    let ids = create(&api, &language, &[&time(20), &time(0), &time(10)]).await;
    let expected = [0, 2, 1].map(|n| ids[n].clone());
    assert_eq!(listed(&api, &[("language", &language)]).await, expected);
}

#[tokio::test]
async fn of_sessions_that_started_together_the_newest_created_comes_first() {
    let api = Api::shared().await;
    let language = fresh_language();
    let mut ids = create(&api, &language, &[&time(0); 12]).await;
    ids.reverse();
    assert_eq!(listed(&api, &[("language", &language)]).await, ids);
    let walked = api.list(&[("language", &language), ("limit", "5")]).await;
    assert_eq!(texts(&walked, "sessionId"), ids);
}

#[tokio::test]
async fn a_listed_session_is_the_session_but_for_the_count_of_an_open_one() {
    let api = Api::shared().await;
    let language = fresh_language();
    let ids = create(&api, &language, &[&time(0), &time(1)]).await;
    let (open, closed) = (api.session(&ids[0]), api.session(&ids[1]));
    open.fill(2).await;
    closed.fill(3).await;
    closed
        .complete_with(&json!({ "reason": "hung up" }))
        .await
        .expect(200);

    let page = api
        .sessions(&[("language", &language)])
        .await
        .expect(200)
        .list("/sessions");

    assert_eq!(page[0], closed.current().await);
    assert_eq!(page[0]["eventCount"], 3);
    let mut counted = open.current().await;
    assert_eq!(counted["eventCount"], 2);
    let mut uncounted = page[1].clone();
    let count = uncounted
        .as_object_mut()
        .unwrap()
        .shift_remove("eventCount");
    assert!(
        count.is_none_or(|count| count.is_null()),
        "an open session's count costs a read"
    );
    counted.as_object_mut().unwrap().shift_remove("eventCount");
    assert_eq!(uncounted, counted);
}

#[tokio::test]
async fn the_page_says_its_limit_and_no_total() {
    let api = Api::shared().await;
    let language = fresh_language();
    create(&api, &language, &[&time(0)]).await;

    let page = api.sessions(&[("language", &language)]).await.expect(200);
    assert_eq!(page.at("/pagination/limit"), 50);
    assert_eq!(page.json().pointer("/pagination/total"), None);
    assert_eq!(page.next_cursor(), None);

    let page = api
        .sessions(&[("language", &language), ("limit", "500")])
        .await
        .expect(200);
    assert_eq!(page.at("/pagination/limit"), 500);
}

#[tokio::test]
async fn each_status_has_its_list() {
    let api = Api::shared().await;
    let language = fresh_language();
    let ids = create(&api, &language, &[&time(0); 4]).await;
    api.session(&ids[1])
        .append(&sample::event("e"))
        .await
        .expect(201);
    api.session(&ids[2]).complete().await.expect(200);
    api.session(&ids[3]).fail().await.expect(200);
    for (n, status) in ["initiated", "active", "completed", "failed"]
        .into_iter()
        .enumerate()
    {
        let query = [("language", &*language), ("status", status)];
        assert_eq!(listed(&api, &query).await, [&*ids[n]], "{status}");
    }
}

#[tokio::test]
async fn a_language_is_found_whatever_its_case() {
    let api = Api::shared().await;
    let language = fresh_language();
    let upper = language.to_uppercase();
    let lower_id = create(&api, &language, &[&time(1)]).await;
    let upper_id = create(&api, &upper, &[&time(0)]).await;
    let both = [lower_id, upper_id].concat();
    assert_eq!(listed(&api, &[("language", &language)]).await, both);
    assert_eq!(listed(&api, &[("language", &upper)]).await, both);
}

#[tokio::test]
async fn a_language_matches_as_a_whole() {
    let api = Api::shared().await;
    let language = fresh_language();
    create(&api, &language, &[&time(0)]).await;
    assert!(
        listed(&api, &[("language", &language[..language.len() - 1])])
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn started_after_is_inclusive_and_started_before_exclusive() {
    let api = Api::shared().await;
    let language = fresh_language();
    let ids = create(&api, &language, &[&time(0), &time(1), &time(2), &time(3)]).await;
    let language = ("language", &*language);
    let from = listed(&api, &[language, ("startedAfter", &time(2))]).await;
    assert_eq!(from, [&*ids[3], &*ids[2]]);
    let until = listed(&api, &[language, ("startedBefore", &time(2))]).await;
    assert_eq!(until, [&*ids[1], &*ids[0]]);
    let between = listed(
        &api,
        &[
            language,
            ("startedAfter", &time(1)),
            ("startedBefore", &time(3)),
        ],
    )
    .await;
    assert_eq!(between, [&*ids[2], &*ids[1]]);
}

#[tokio::test]
async fn a_time_filter_may_have_any_offset() {
    let api = Api::shared().await;
    let language = fresh_language();
    let ids = create(
        &api,
        &language,
        &["2024-05-06T10:00:00+02:00", "2024-05-06T09:00:00Z"],
    )
    .await;
    let query = [
        ("language", &*language),
        ("startedBefore", "2024-05-06T10:30:00+02:00"),
    ];
    assert_eq!(listed(&api, &query).await, [&*ids[0]]);
}

#[tokio::test]
async fn filters_combine() {
    let api = Api::shared().await;
    let language = fresh_language();
    let ids = create(&api, &language, &[&time(0), &time(1), &time(2)]).await;
    for id in [&ids[0], &ids[2]] {
        api.session(id).complete().await.expect(200);
    }
    let query = [
        ("language", &*language),
        ("status", "completed"),
        ("startedAfter", &time(1)),
    ];
    assert_eq!(listed(&api, &query).await, [&*ids[2]]);
}

#[tokio::test]
async fn a_patched_language_moves_the_session_to_its_new_list() {
    let api = Api::shared().await;
    let (before, after) = (fresh_language(), fresh_language());
    let ids = create(&api, &before, &[&time(0)]).await;
    api.session(&ids[0])
        .patch(&json!({ "language": after }))
        .await
        .expect(200);
    assert!(listed(&api, &[("language", &before)]).await.is_empty());
    assert_eq!(listed(&api, &[("language", &after)]).await, ids);
}

#[tokio::test]
async fn a_walk_meets_every_session_exactly_once_at_any_limit() {
    let api = Api::shared().await;
    let language = fresh_language();
    let starts: Vec<_> = (0..23).map(|n| time(n % 4)).collect();
    create(&api, &language, &starts).await;
    let whole = listed(&api, &[("language", &language), ("limit", "500")]).await;
    assert_eq!(whole.len(), 23);
    for limit in ["1", "2", "7", "23", "24"] {
        let walked = api.list(&[("language", &language), ("limit", limit)]).await;
        assert_eq!(texts(&walked, "sessionId"), whole, "limit {limit}");
    }
}

#[tokio::test]
async fn a_walk_under_concurrent_creates_meets_what_was_there_exactly_once() {
    let api = Api::shared().await;
    let language = fresh_language();
    let starts: Vec<_> = (0..40).map(|n| time(n % 5)).collect();
    let there = create(&api, &language, &starts).await;

    let creating = async {
        for n in 0..60 {
            create(&api, &language, &[&time(n % 7 - 1)]).await;
        }
    };
    let query = [("language", &*language), ("limit", "3")];
    let (walked, ()) = tokio::join!(api.list(&query), creating);

    let walked = texts(&walked, "sessionId");
    for id in &there {
        assert_eq!(
            walked.iter().filter(|listed| *listed == id).count(),
            1,
            "{id}"
        );
    }
    let mut once = walked.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), walked.len(), "a session came twice");
}

#[tokio::test]
async fn an_erased_session_is_not_listed_not_even_on_a_walk_that_has_begun() {
    let api = Api::shared().await;
    let language = fresh_language();
    let ids = create(&api, &language, &[&time(3), &time(2), &time(1), &time(0)]).await;
    let query = [("language", &*language), ("limit", "2")];
    let first = api.sessions(&query).await.expect(200);
    api.session(&ids[1]).delete().await.expect(204);
    api.session(&ids[2]).delete().await.expect(204);

    let cursor = first.next_cursor().unwrap();
    let rest = listed(
        &api,
        &[("language", &language), ("limit", "2"), ("cursor", &cursor)],
    )
    .await;
    assert_eq!(rest, [&*ids[3]]);
    assert_eq!(
        listed(&api, &[("language", &language)]).await,
        [&*ids[0], &*ids[3]]
    );
}

#[tokio::test]
async fn a_cursor_is_bound_to_its_filters_but_not_to_its_limit() {
    let api = Api::shared().await;
    let language = fresh_language();
    let ids = create(&api, &language, &[&time(2), &time(1), &time(0)]).await;
    let first = api
        .sessions(&[("language", &language), ("limit", "1")])
        .await
        .expect(200);
    let cursor = first.next_cursor().unwrap();
    let cursor = ("cursor", &*cursor);

    assert_eq!(
        listed(&api, &[("language", &language), cursor]).await,
        ids[1..]
    );
    let wrong: [&[(&str, &str)]; 3] = [
        &[cursor],
        &[("language", "en-x-other"), cursor],
        &[("language", &language), ("status", "initiated"), cursor],
    ];
    for query in wrong {
        api.sessions(query).await.problem(400).names(&["?cursor"]);
    }
}

#[tokio::test]
async fn a_cursor_of_another_kind_is_refused() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    session.fill(2).await;
    let events = session
        .events(&[("limit", "1")])
        .await
        .expect(200)
        .next_cursor()
        .unwrap();
    api.sessions(&[("cursor", &events)])
        .await
        .problem(400)
        .names(&["?cursor"]);

    let language = fresh_language();
    create(&api, &language, &[&time(0), &time(1)]).await;
    let sessions = api
        .sessions(&[("language", &language), ("limit", "1")])
        .await
        .expect(200);
    let sessions = sessions.next_cursor().unwrap();
    session
        .events(&[("cursor", &sessions)])
        .await
        .problem(400)
        .names(&["?cursor"]);
}

#[tokio::test]
async fn a_session_that_was_just_created_is_listed() {
    let api = Api::shared().await;
    let language = fresh_language();
    for _ in 0..10 {
        let ids = create(&api, &language, &[&time(0)]).await;
        let first: Value = api
            .sessions(&[("language", &language), ("limit", "1")])
            .await
            .expect(200)
            .at("/sessions/0");
        assert_eq!(first["sessionId"], json!(ids[0]));
    }
}
