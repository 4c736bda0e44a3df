//! The documentation says what the code does: the OpenAPI document against the router and the
//! readers, `docs/api.md` against the answers.

use proptest::prelude::*;
use regex::Regex;

use crate::domain::{EventId, Language};
use crate::http::openapi::{openapi, openapi_json, patterns};

use super::*;

fn document() -> Value {
    serde_json::from_str(&openapi_json()).unwrap()
}

/// Method, path and operation of everything in the document.
fn operations() -> Vec<(String, String, Value)> {
    let document = document();
    let paths = document["paths"].as_object().unwrap().clone();
    let of_path = |(path, item): (String, Value)| {
        let item = item.as_object().unwrap().clone();
        let of_method = move |(method, operation): (String, Value)| {
            (method.to_uppercase(), path.clone(), operation)
        };
        item.into_iter().map(of_method)
    };
    paths.into_iter().flat_map(of_path).collect()
}

/// The first example of a schema.
fn example(schema: &str) -> Value {
    let document = document();
    let example = &document["components"]["schemas"][schema]["examples"][0];
    assert!(!example.is_null(), "{schema} has no example");
    example.clone()
}

#[test]
fn the_document_is_the_one_that_is_checked_in() {
    checked_in("docs/openapi.json", &openapi_json());
}

#[tokio::test]
async fn the_document_is_served() {
    let served = Server::new().get("/openapi.json").await;
    assert_eq!(served.header("content-type"), "application/json");
    assert_eq!(served.body, openapi_json());
}

#[tokio::test]
async fn every_operation_of_the_document_is_a_route_and_no_other() {
    let server = Server::new();
    for (method, path, _) in operations() {
        let path = path.replace("{sessionId}", "a").replace("{eventId}", "b");
        let wrong = server.send_json("BREW", &path, "").await;
        assert_eq!(wrong.status, 405, "{path}");
        let mut allowed = wrong.header("allow").split(", ");
        assert!(allowed.any(|allowed| allowed == method), "{method} {path}");
    }
    let documented = operations().len();
    let router = include_str!("../mod.rs");
    let handlers = Regex::new(r"\b(?:get|post|patch|delete)\(\w+::\w+\)").unwrap();
    // The files behind the page are no part of the API.
    let assets = 1;
    assert_eq!(handlers.find_iter(router).count(), documented + assets);
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    let document = document();
    let text = document.to_string();
    let references = Regex::new(r##""\$ref":"#([^"]+)""##).unwrap();
    for reference in references.captures_iter(&text) {
        assert!(
            document.pointer(&reference[1]).is_some(),
            "{}",
            &reference[1]
        );
    }
}

#[tokio::test]
async fn the_examples_of_the_document_are_real() {
    let server = Server::new();
    let created = server.post("/v1/sessions", example("NewSession")).await;
    assert_eq!(created.status, 201);
    assert_eq!(created.json()["session"], example("Session"));
    let path = created.header("location").to_owned();
    let appended = server
        .post(&format!("{path}/events"), example("NewEvent"))
        .await;
    assert_eq!(appended.status, 201);
    assert_eq!(appended.json()["event"], example("Event"));
    for (path, schema) in [
        ("/v1/events:batch".to_owned(), "SessionsBatch"),
        (format!("{path}/events:batch"), "Batch"),
    ] {
        let results = server.post(&path, example(schema)).await.json()["results"].clone();
        let results = results.as_array().unwrap().clone();
        assert!(
            results.iter().all(|result| result["status"] == 201),
            "{results:?}"
        );
    }
    let another = json!({"events": [example("NewSessionEvent")]});
    let results = server.post("/v1/events:batch", another).await.json();
    assert_eq!(results["results"][0]["status"], 201);
    let patched = server.patch(&path, example("SessionPatch")).await;
    assert_eq!(patched.header("etag"), "\"2\"");
    let closed = server
        .post(&format!("{path}/fail"), example("Closing"))
        .await;
    assert_eq!(closed.status, 200);
}

/// Whether an answer has exactly the fields that its schema has, as far as they are required.
fn assert_fields(answer: &Value, schema: &str) {
    let document = document();
    let schema = &document["components"]["schemas"][schema];
    let properties = schema["properties"].as_object().unwrap();
    let required = schema["required"].as_array().unwrap();
    let answer = answer.as_object().unwrap();
    for field in answer.keys() {
        assert!(properties.contains_key(field), "{field} is not in {schema}");
    }
    for field in required {
        let field = field.as_str().unwrap();
        assert!(
            answer.contains_key(field),
            "{field} is missing in {answer:?}"
        );
    }
}

#[tokio::test]
async fn answers_have_the_fields_of_their_schemas() {
    let server = Server::new();
    server.with_events("a", 2).await;
    let page = server.get("/v1/sessions/a?limit=1&offset=0").await.json();
    assert_fields(&page, "SessionPageAnswer");
    assert_fields(&page["session"], "Session");
    assert_fields(&page["events"][0], "Event");
    assert_fields(&page["pagination"], "Pagination");
    let list = server.get("/v1/sessions").await.json();
    assert_fields(&list, "SessionListAnswer");
    assert_fields(&list["sessions"][0], "ListedSession");
    assert_fields(&list["pagination"], "ListPagination");
    let batch = server
        .post("/v1/events:batch", json!({"events": [1]}))
        .await
        .json();
    assert_fields(&batch, "BatchAnswer");
    assert_fields(&batch["results"][0], "BatchResult");
    assert_fields(&batch["results"][0]["problem"], "Problem");
    assert_fields(&batch["results"][0]["problem"]["errors"][0], "Violation");
}

#[test]
fn every_operation_tells_what_it_is_and_what_can_go_wrong() {
    for (method, path, operation) in operations() {
        let name = format!("{method} {path}");
        assert!(operation["summary"].is_string(), "{name}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.contains_key("400"), "{name}");
        let takes_body = operation.get("requestBody").is_some();
        assert_eq!(responses.contains_key("415"), takes_body, "{name}");
        let of_session = path.contains("{sessionId}");
        assert_eq!(responses.contains_key("404"), of_session, "{name}");
    }
    assert_eq!(openapi().info.version, env!("CARGO_PKG_VERSION"));
}

/// Runs the requests of `docs/api.md` in their order; the block after each is its real answer.
#[tokio::test]
async fn the_examples_of_the_api_are_real() {
    const FENCE: &str = "```http\n";
    let written = checked_in_text("docs/api.md");
    let server = Server::new();
    let mut generated = String::new();
    let mut blocks = written.split_inclusive(FENCE);
    generated.push_str(blocks.next().unwrap());
    while let (Some(request), Some(answer)) = (blocks.next(), blocks.next()) {
        let (text, _) = request.split_once("```\n").unwrap();
        let real = server.send(parse(text)).await;
        generated.push_str(request);
        generated.push_str(&render_answer(&real));
        let (_, after) = answer.split_once("```\n").unwrap_or_default();
        generated.push_str("```\n");
        generated.push_str(after);
    }
    checked_in("docs/api.md", &generated);
}

/// A request as it is written in the documentation.
fn parse(text: &str) -> Request {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let (method, path) = lines.next().unwrap().split_once(' ').unwrap();
    let request = lines.fold(request(method, path), |request, line| {
        let (name, value) = line.split_once(": ").unwrap();
        request.header(name, value)
    });
    request.body(body.to_owned().into()).unwrap()
}

/// An answer as it is written in the documentation.
fn render_answer(answer: &Answer) -> String {
    let mut lines = vec![format!("HTTP/1.1 {}", answer.status)];
    for name in ["Content-Type", "Location", "ETag", "Idempotent-Replayed"] {
        if !answer.header(name).is_empty() {
            lines.push(format!("{name}: {}", answer.header(name)));
        }
    }
    if !answer.body.is_empty() {
        let is_json = answer.header("content-type").ends_with("json");
        lines.push(String::new());
        lines.push(if is_json {
            serde_json::to_string_pretty(&answer.json()).unwrap()
        } else {
            answer.body.trim_end().to_owned()
        });
    }
    lines.join("\n") + "\n"
}

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

proptest! {
    #[test]
    fn the_pattern_of_ids_is_their_rule(text in "\\PC{0,3}|[. a\u{85}\u{a0}\u{2003}é\n]{0,4}") {
        let is_id = EventId::parse(&text, 256).is_ok();
        prop_assert_eq!(pattern(patterns::ID).is_match(&text), is_id);
    }

    #[test]
    fn the_pattern_of_languages_is_their_rule(
        text in "[a-zA-Z]{1,4}(-[a-zA-Z0-9x]{1,9}){0,4}|x(-[a-z0-9]{1,3}){0,2}|en-GB-oed|i-[a-z]{3}|i-klingon|sgn-BE-FR",
    ) {
        let is_language = Language::parse(&text, usize::MAX).is_ok();
        prop_assert_eq!(pattern(patterns::LANGUAGE).is_match(&text), is_language, "{}", text);
    }

    #[test]
    fn the_pattern_of_times_is_their_rule(
        year in 1965_i32..2110, month in 0..14, day in 0..33, hour in 0..26, minute in 0..62,
        rest in "(|\\.|\\.[0-9]{1,5})(Z|z|\\+01:00|-23:59|\\+24:00|)",
    ) {
        let text = format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:00{rest}");
        // At both ends of the range the offset decides, which no pattern tells.
        prop_assume!(!text.starts_with("1969-12-31") && !text.starts_with("1970-01-01"));
        let is_time = Timestamp::parse(&text).is_ok();
        prop_assert_eq!(pattern(patterns::TIME).is_match(&text), is_time, "{}", text);
    }
}

#[test]
fn the_pattern_of_times_knows_every_leap_day() {
    let times = pattern(patterns::TIME);
    for year in 1970..=9999 {
        let leap_day = format!("{year}-02-29T12:00:00Z");
        assert_eq!(
            times.is_match(&leap_day),
            Timestamp::parse(&leap_day).is_ok(),
            "{year}"
        );
    }
}
