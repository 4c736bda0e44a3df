//! Pages of events and of sessions, and the walks through them.

use super::*;

fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let events = answer.json()["events"].as_array().unwrap().clone();
    let id = |event: &Value| event["eventId"].as_str().unwrap().to_owned();
    events.iter().map(id).collect()
}

fn next_cursor(answer: &Answer) -> Option<String> {
    let cursor = answer.json()["pagination"]["nextCursor"].clone();
    cursor.as_str().map(str::to_owned)
}

/// Follows a walk to its end.
async fn walk(server: &Server, path: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let page = match &cursor {
            None => server.get(path).await,
            Some(cursor) => server.get(&format!("{path}&cursor={cursor}")).await,
        };
        all.extend(ids(&page));
        cursor = next_cursor(&page);
        if cursor.is_none() {
            return all;
        }
    }
}

/// Seven events; two pairs of them at the same time, not in the order of their seq.
async fn conversation() -> Server {
    let server = Server::new();
    server.with_events("a", 0).await;
    let seconds = [5, 1, 3, 1, 5, 2, 4];
    for (number, second) in seconds.into_iter().enumerate() {
        let mut event = event(&format!("e{}", number + 1));
        event["timestamp"] = json!(format!("2026-11-25T09:00:0{second}Z"));
        if second == 5 {
            event["type"] = json!("system");
        }
        server.post("/v1/sessions/a/events", event).await;
    }
    server
}

#[tokio::test]
async fn a_walk_in_any_order_meets_every_event_once() {
    let server = conversation().await;
    for (order, expected) in [
        ("timestamp", ["e2", "e4", "e6", "e3", "e7", "e1", "e5"]),
        ("-timestamp", ["e5", "e1", "e7", "e3", "e6", "e4", "e2"]),
        ("seq", ["e1", "e2", "e3", "e4", "e5", "e6", "e7"]),
        ("-seq", ["e7", "e6", "e5", "e4", "e3", "e2", "e1"]),
    ] {
        for route in ["/v1/sessions/a/events", "/v1/sessions/a"] {
            for limit in [1, 2, 3, 7, 500] {
                let path = format!("{route}?order={order}&limit={limit}");
                assert_eq!(walk(&server, &path).await, expected, "{path}");
            }
        }
    }
    assert_eq!(walk(&server, "/v1/sessions/a?limit=3").await[0], "e2");
}

#[tokio::test]
async fn filters_choose_events_and_hide_the_total() {
    let server = conversation().await;
    let of = async |query: &str| server.get(&format!("/v1/sessions/a/events?{query}")).await;
    let plain = of("limit=2").await;
    assert_eq!(plain.json()["pagination"]["total"], 7);
    for (query, expected) in [
        ("type=system", vec!["e1", "e5"]),
        (
            "since=2026-11-25T09:00:03Z&until=2026-11-25T09:00:05Z",
            vec!["e3", "e7"],
        ),
        ("since=2026-11-25T10:00:05%2B01:00", vec!["e1", "e5"]),
        ("since=2026-11-25T10:00:05%2B01:00&type=user_speech", vec![]),
    ] {
        let page = of(query).await;
        assert_eq!(ids(&page), expected, "{query}");
        assert_eq!(page.json()["pagination"].get("total"), None);
    }
    let path = "/v1/sessions/a/events?type=user_speech&order=-seq&limit=2";
    assert_eq!(walk(&server, path).await, ["e7", "e6", "e4", "e3", "e2"]);
}

#[tokio::test]
async fn an_offset_page_is_followed_by_its_cursor() {
    let server = conversation().await;
    let page = server
        .get("/v1/sessions/a/events?order=seq&limit=3&offset=2")
        .await;
    assert_eq!(ids(&page), ["e3", "e4", "e5"]);
    assert_eq!(page.json()["pagination"]["offset"], 2);
    assert_eq!(page.json()["pagination"]["total"], 7);
    let cursor = next_cursor(&page).unwrap();
    let rest = format!("/v1/sessions/a/events?order=seq&limit=100&cursor={cursor}");
    let rest = server.get(&rest).await;
    assert_eq!(ids(&rest), ["e6", "e7"]);
    assert_eq!(next_cursor(&rest), None);
    assert_eq!(rest.json()["pagination"].get("offset"), None);
    let beyond = server.get("/v1/sessions/a/events?offset=10000").await;
    assert_eq!(ids(&beyond), Vec::<String>::new());
}

#[tokio::test]
async fn a_poll_goes_on_by_seq_and_has_no_cursor() {
    let server = conversation().await;
    let page = server.get("/v1/sessions/a/events?afterSeq=2&limit=3").await;
    assert_eq!(ids(&page), ["e3", "e4", "e5"]);
    assert_eq!(page.json()["pagination"], json!({"limit": 3, "total": 7}));
    for after in ["7", "8", "9223372036854775807"] {
        let page = server
            .get(&format!("/v1/sessions/a/events?afterSeq={after}"))
            .await;
        assert_eq!(ids(&page), Vec::<String>::new());
    }
    let filtered = server
        .get("/v1/sessions/a/events?afterSeq=0&type=system")
        .await;
    assert_eq!(ids(&filtered), ["e1", "e5"]);
}

#[tokio::test]
async fn wrong_parameters_of_a_page_are_told() {
    let server = conversation().await;
    let cursor = next_cursor(&server.get("/v1/sessions/a/events?limit=1").await).unwrap();
    let of = async |query: &str| {
        let answer = server.get(&format!("/v1/sessions/a/events?{query}")).await;
        answer.places()
    };
    for query in [
        "limit=0",
        "limit=501",
        "limit=-1",
        "limit=1.5",
        "limit=",
        "limit=1&limit=1",
    ] {
        assert_eq!(of(query).await, ["limit"], "{query}");
    }
    assert_eq!(of("offset=10001").await, ["offset"]);
    assert_eq!(
        of("order=time&type=speech&since=2026&until=x").await,
        ["order", "type", "since", "until"]
    );
    // A `+` in a query is a space.
    assert_eq!(of("since=2026-11-25T10:00:05+01:00").await, ["since"]);
    assert_eq!(of("consistency=weak").await, ["consistency"]);
    assert_eq!(
        of("afterSeq=1&order=seq&offset=1").await,
        ["offset", "order"]
    );
    assert_eq!(of(&format!("cursor={cursor}&offset=1")).await, ["offset"]);
    assert_eq!(
        of(&format!("cursor={cursor}&afterSeq=1")).await,
        ["afterSeq"]
    );
    for foreign in ["order=seq", "type=system", "since=2026-11-25T09:00:00Z"] {
        assert_eq!(of(&format!("cursor={cursor}&{foreign}")).await, ["cursor"]);
    }
    assert_eq!(of("cursor=garbage").await, ["cursor"]);
    let answer = server.get("/v1/sessions/a?afterSeq=1&type=system").await;
    assert_eq!(answer.places(), ["afterSeq", "type"]);
}

#[tokio::test]
async fn sessions_are_listed_newest_start_first_then_newest_created() {
    let server = Server::new();
    for (id, started) in [("a", 2), ("b", 3), ("c", 2), ("d", 1)] {
        let started = format!("2026-11-25T09:00:0{started}Z");
        let session = json!({"sessionId": id, "language": "pt-BR", "startedAt": started});
        server.post("/v1/sessions", session).await;
    }
    server.post("/v1/sessions/d/complete", "").await;
    let list = async |query: &str| {
        let answer = server.get(&format!("/v1/sessions?{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let sessions = answer.json()["sessions"].as_array().unwrap().clone();
        let id = |session: &Value| session["sessionId"].as_str().unwrap().to_owned();
        (
            sessions.iter().map(id).collect::<Vec<_>>(),
            next_cursor(&answer),
        )
    };
    assert_eq!(
        list("").await,
        (["b", "c", "a", "d"].map(String::from).to_vec(), None)
    );
    let (first, cursor) = list("limit=2&language=PT-br").await;
    assert_eq!(first, ["b", "c"]);
    let cursor = cursor.unwrap();
    let (second, end) = list(&format!("limit=3&language=pt-BR&cursor={cursor}")).await;
    assert_eq!((second, end), (vec!["a".to_owned(), "d".to_owned()], None));
    let foreign = server.get(&format!("/v1/sessions?cursor={cursor}")).await;
    assert_eq!(foreign.places(), ["cursor"]);
    assert_eq!(list("status=completed").await.0, ["d"]);
    assert_eq!(
        list("startedAfter=2026-11-25T09:00:02Z").await.0,
        ["b", "c", "a"]
    );
    assert_eq!(list("startedBefore=2026-11-25T09:00:02Z").await.0, ["d"]);
    let all = server.get("/v1/sessions").await.json();
    assert_eq!(all["pagination"], json!({"limit": 50}));
    assert_eq!(all["sessions"][0].get("eventCount"), None);
    assert_eq!(all["sessions"][3]["eventCount"], 0);
}
