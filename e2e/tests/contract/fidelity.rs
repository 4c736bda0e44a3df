//! What is put in comes out: numbers, keys and text of payloads and metadata, compared as text.

use sessionstore_e2e::{client::Api, sample, sample::event_text, session::Session};

/// Payloads in compact form that must come back byte for byte.
const KEPT: &[&str] = &[
    "{}",
    r#"{"n":0}"#,
    r#"{"n":9223372036854775807}"#,
    r#"{"n":-9223372036854775808}"#,
    r#"{"n":9007199254740993}"#,
    r#"{"n":1.0}"#,
    r#"{"n":-1.0}"#,
    r#"{"n":0.0}"#,
    r#"{"n":-0.0}"#,
    r#"{"n":0.1}"#,
    r#"{"n":0.30000000000000004}"#,
    r#"{"n":[1,1.0,-0.0,0]}"#,
    r#"{"z":1,"a":2,"m":{"y":3,"b":4}}"#,
    r#"{"10":1,"9":2,"1":3}"#,
    r#"{"$set":{"$where":"1"},"$":0}"#,
    r#"{"a.b":1,"a":{"b":2},".":3,"..":4,"a.":5,".b":6}"#,
    r#"{"":1,"a":{"":{"":2}}}"#,
    r#"{"_id":1,"id":2,"__proto__":3,"constructor":4}"#,
    r#"{"sessionId":"x","seq":0,"eventId":null,"type":[]}"#,
    r#"{"$numberLong":"5","$oid":"5f","$date":0}"#,
    r#"{"é":"é","日本":"語","👩‍👩‍👧":"𝒳"}"#,
    "{\"\u{e9}\":1,\"e\u{301}\":2}",
    r#"{"a":null,"b":[],"c":{},"d":[null,true,false,"",[[]]]}"#,
    r#"{"quotes":"\"\\/","controls":"\n\r\t\b\f"}"#,
    r#"{"text":"  spaces  inside and around  "}"#,
    r#"{"nul":"a\u0000b"}"#,
    "{\"line\":\"\u{2028}\u{2029}\u{85}\u{feff}\"}",
    "{\"max\":\"\u{10ffff}\u{e000}\u{fffd}\"}",
];

/// Numbers, and the shortest text of the same double.
const SHORTEST: &[(&str, f64)] = &[
    ("1.50", 1.5),
    ("5e-1", 0.5),
    ("1E2", 100.0),
    ("1e+2", 100.0),
    ("0.10000000000000000555", 0.1),
    ("123456789012345.678", 123_456_789_012_345.67),
    ("1.7976931348623157e308", f64::MAX),
    ("2.2250738585072014e-308", f64::MIN_POSITIVE),
    ("5e-324", 5e-324),
    ("1e23", 1e23),
    ("9223372036854775808.0", 9_223_372_036_854_775_808.0),
    ("1e21", 1e21),
    ("1e-7", 1e-7),
    ("1e16", 1e16),
];

/// Appends this payload and returns the event as text: in the acknowledgement and on a page.
async fn stored(session: &Session, id: &str, payload: &str) -> String {
    let reply = session
        .append_text(&event_text(id, payload))
        .await
        .expect(201);
    let read = session.event(id).await.expect(200);
    assert_eq!(
        read.text, reply.text,
        "what is read is what was acknowledged"
    );
    reply.text
}

/// The text of the payload in an answer about one event.
fn payload_in(text: &str) -> &str {
    let (_, payload) = text
        .split_once(r#""payload":"#)
        .expect("an event has a payload");
    payload
}

#[tokio::test]
async fn a_payload_comes_back_byte_for_byte() {
    let session = Api::shared().await.new_session().await;
    for (n, payload) in KEPT.iter().enumerate() {
        let answer = stored(&session, &format!("e{n}"), payload).await;
        assert!(
            payload_in(&answer).starts_with(payload),
            "{payload} became {answer}"
        );
    }
    let page = session.events(&[("order", "seq")]).await.expect(200);
    for payload in KEPT {
        assert!(
            page.text.contains(&format!(r#""payload":{payload}"#)),
            "{payload} on a page"
        );
    }
    let mut stream = session.stream(&[]).await;
    for (message, payload) in stream.take(KEPT.len()).await.iter().zip(KEPT) {
        assert!(
            payload_in(&message.data).starts_with(payload),
            "{payload} in a stream"
        );
    }
}

#[tokio::test]
async fn metadata_comes_back_byte_for_byte() {
    let api = Api::shared().await;
    for metadata in KEPT {
        let session = api.session(sample::fresh("fidelity"));
        let body = format!(
            r#"{{"sessionId":"{}","language":"en","metadata":{metadata}}}"#,
            session.id
        );
        let created = api.post_text("/v1/sessions", &body).await.expect(201);
        let expected = format!(r#""metadata":{metadata}"#);
        assert!(
            created.text.contains(&expected),
            "{metadata} became {}",
            created.text
        );
        assert!(session.get(&[]).await.expect(200).text.contains(&expected));
    }
}

#[tokio::test]
async fn a_patch_keeps_numbers_and_keys_as_they_are() {
    let api = Api::shared().await;
    for metadata in KEPT.iter().filter(|metadata| !metadata.contains("null")) {
        let session = api.new_session().await;
        let request = session.patch_request(&format!(r#"{{"metadata":{metadata}}}"#));
        let reply = api.send(request).await.expect(200);
        assert!(
            reply.text.contains(&format!(r#""metadata":{metadata}"#)),
            "{}",
            reply.text
        );
    }
}

#[tokio::test]
async fn a_double_comes_back_as_the_same_double() {
    let session = Api::shared().await.new_session().await;
    for (n, (given, double)) in SHORTEST.iter().enumerate() {
        let answer = stored(&session, &format!("e{n}"), &format!(r#"{{"n":{given}}}"#)).await;
        let (_, number) = payload_in(&answer).split_once(r#"{"n":"#).unwrap();
        let (number, _) = number.split_once('}').unwrap();
        assert_eq!(
            number.parse::<f64>().unwrap().to_bits(),
            double.to_bits(),
            "{given}: {number}"
        );
        assert!(
            number.contains(['.', 'e', 'E']),
            "{given} became the integer {number}"
        );
        let digits = |text: &str| {
            let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
            mantissa
                .chars()
                .filter(char::is_ascii_digit)
                .collect::<String>()
                .trim_matches('0')
                .len()
        };
        assert_eq!(
            digits(number),
            digits(&format!("{double:e}")),
            "{number} is not the shortest"
        );
    }
}

#[tokio::test]
async fn underflow_rounds_to_the_nearest_double() {
    let session = Api::shared().await.new_session().await;
    for (n, (given, double)) in [
        ("1e-400", 0.0),
        ("-1e-400", -0.0),
        ("4e-324", 5e-324),
        ("2e-324", 0.0),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = stored(&session, &format!("e{n}"), &format!(r#"{{"n":{given}}}"#)).await;
        let (_, number) = payload_in(&answer).split_once(r#"{"n":"#).unwrap();
        let (number, _) = number.split_once('}').unwrap();
        assert_eq!(
            number.parse::<f64>().unwrap().to_bits(),
            f64::to_bits(double),
            "{given}: {number}"
        );
    }
}

#[tokio::test]
async fn numbers_beyond_int64_or_a_double_are_refused_never_rounded() {
    let session = Api::shared().await.new_session().await;
    for number in [
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "123456789012345678901234567890",
        "1e400",
        "-1e400",
        "1.8e308",
        "1e99999999999",
    ] {
        let body = event_text("e", &format!(r#"{{"deep":[0,{{"n":{number}}}]}}"#));
        session
            .append_text(&body)
            .await
            .problem(400)
            .names(&["/payload/deep/1/n"]);
    }
    let digits = "9".repeat(2000);
    session
        .append_text(&event_text("e", &format!(r#"{{"n":{digits}}}"#)))
        .await
        .problem(400);
    assert_eq!(session.log().await.len(), 0);
}

#[tokio::test]
async fn escapes_come_back_as_the_text_they_mean() {
    let session = Api::shared().await.new_session().await;
    for (n, (given, kept)) in [
        (r#"{"a":"\u00e9\u65e5\/"}"#, r#"{"a":"é日/"}"#),
        (r#"{"a":"\ud83d\udcde"}"#, r#"{"a":"📞"}"#),
        (r#"{"\u0061":"\u0022\u005c"}"#, r#"{"a":"\"\\"}"#),
        (" { \"a\" :\t[ 1 ,\r\n 2 ] } ", r#"{"a":[1,2]}"#),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = stored(&session, &format!("e{n}"), given).await;
        assert!(
            payload_in(&answer).starts_with(kept),
            "{given} became {answer}"
        );
    }
}

#[tokio::test]
async fn what_json_cannot_mean_is_refused() {
    let session = Api::shared().await.new_session().await;
    for (payload, pointer) in [
        (r#"{"a":1,"a":1}"#, Some("/payload/a")),
        (r#"{"a":{"b":1,"c":2,"b":3}}"#, Some("/payload/a/b")),
        (r#"{"a":1,"\u0061":2}"#, Some("/payload/a")),
        (r#"{"a\u0000b":1}"#, Some("/payload/a\0b")),
        (r#"{"x":[{"\u0000":1}]}"#, Some("/payload/x/0/\0")),
        (r#"{"a":"\ud800"}"#, None),
        (r#"{"a":"\udc00\ud800"}"#, None),
        (r#"{"a":"\ud83dx"}"#, None),
        (r#"{"\ud800":1}"#, None),
    ] {
        let problem = session
            .append_text(&event_text("e", payload))
            .await
            .problem(400);
        if let Some(pointer) = pointer {
            problem.names(&[pointer]);
        }
    }
    assert_eq!(session.log().await.len(), 0);
}

#[tokio::test]
async fn ids_and_reasons_come_back_as_they_are() {
    let api = Api::shared().await;
    let session = api.session(sample::fresh("ünïcode \"quoted\" \\ 📞"));
    session.create().await.expect(201);
    let body = serde_json::json!({ "eventId": "é \"1\" \\", "type": "system", "payload": {} });
    session.append(&body).await.expect(201);
    assert_eq!(
        session
            .event("é \"1\" \\")
            .await
            .expect(200)
            .at("/event/eventId"),
        "é \"1\" \\"
    );
    let reason = serde_json::json!({ "reason": "näh – \"no\"\n" });
    session.complete_with(&reason).await.expect(200);
    let current = session.current().await;
    assert_eq!(current["endReason"], reason["reason"]);
    assert_eq!(current["sessionId"], session.id.as_str());
}
