//! Whatever is sent, the answer is one of those that are documented, and nothing breaks.

use std::sync::LazyLock;

use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::*;

/// Bodies that each route takes, as something to damage.
const BODIES: [(&str, &str, &str); 6] = [
    (
        "POST",
        "/v1/sessions",
        r#"{"sessionId":"a","language":"en","metadata":{"a":[1,2.5,"x"]},"startedAt":"2026-11-25T09:30:00Z"}"#,
    ),
    (
        "PATCH",
        "/v1/sessions/a",
        r#"{"metadata":{"a":null,"b":{"c":true}},"language":"de"}"#,
    ),
    (
        "POST",
        "/v1/sessions/a/events",
        r#"{"eventId":"e","type":"system","payload":{"a":{"b":[]}},"timestamp":"2026-11-25T09:30:00Z","expectedSeq":1}"#,
    ),
    (
        "POST",
        "/v1/sessions/a/events:batch",
        r#"{"events":[{"eventId":"e","type":"system","payload":{}},{"eventId":"f","type":"bot_speech","payload":{"a":1}}]}"#,
    ),
    (
        "POST",
        "/v1/events:batch",
        r#"{"events":[{"sessionId":"a","eventId":"e","type":"system","payload":{"\u00e9":"\ud83d\ude00"}}]}"#,
    ),
    ("POST", "/v1/sessions/a/complete", r#"{"reason":"done"}"#),
];

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// Sends one body to a server of its own, so that every failure can be repeated.
fn check(route: usize, body: Vec<u8>) -> Result<(), TestCaseError> {
    let (method, path, _) = BODIES[route];
    RUNTIME.block_on(async {
        let server = Server::new();
        server.with_events("a", 0).await;
        let request = request(method, path).header("content-type", "application/json");
        let answer = server.send(request.body(body.into()).unwrap()).await;
        let status = answer.status.as_u16();
        prop_assert!(matches!(status, 200 | 201 | 400 | 404 | 409), "{answer:?}");
        prop_assert!(serde_json::from_str::<Value>(&answer.body).is_ok());
        Ok(())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_answered(route in 0..BODIES.len(), body in any::<Vec<u8>>()) {
        check(route, body)?;
    }

    #[test]
    fn arbitrary_json_is_answered(route in 0..BODIES.len(), body in r#"[\[\]{}",:0-9eE.\\u\-a-f ntrl]{0,80}"#) {
        check(route, body.into_bytes())?;
    }

    #[test]
    fn damaged_bodies_are_answered(
        route in 0..BODIES.len(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_usize..6), 1..6),
    ) {
        let mut body = BODIES[route].2.as_bytes().to_vec();
        for (at, byte, cut) in damages {
            let at = at.index(body.len());
            let end = (at + cut).min(body.len());
            body.splice(at..end, [byte]);
        }
        check(route, body)?;
    }

    #[test]
    fn swapped_pieces_are_answered(
        route in 0..BODIES.len(),
        pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12),
        at in any::<prop::sample::Index>(),
    ) {
        let mut body = BODIES[route].2.to_owned();
        let at = at.index(body.len());
        body.replace_range(at.., "");
        for piece in pieces {
            body.push_str(piece);
        }
        check(route, body.into_bytes())?;
    }

    #[test]
    fn arbitrary_paths_and_queries_are_answered(text in r"[a-z0-9%/?&=+:.\-]{0,60}") {
        RUNTIME.block_on(async {
            let server = Server::new();
            server.with_events("a", 1).await;
            for prefix in ["/", "/v1/sessions/", "/v1/sessions/a/events?", "/v1/sessions?", "/v1/sessions/a?cursor="] {
                if let Ok(request) = request("GET", &format!("{prefix}{text}")).body(Body::empty()) {
                    let status = server.answer(request).await.status().as_u16();
                    prop_assert!(matches!(status, 200 | 400 | 404 | 405), "{prefix}{text}: {status}");
                }
            }
            Ok(())
        })?;
    }
}

/// Tokens of JSON, and some that are only nearly so.
const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\"a\"",
    "\"events\":",
    "\"payload\":",
    "\"eventId\":",
    "null",
    "true",
    "1",
    "-0",
    "1.0",
    "1e999",
    "9223372036854775808",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\u{feff}",
    " ",
    "\n",
    "\\",
];
