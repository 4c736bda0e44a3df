//! What an operator sees: the admin port, the metrics' names and labels, the OpenAPI document and
//! the page to read it.

use reqwest::Method;
use sessionstore_e2e::{
    client::Api,
    metrics::{assert_all_have_help, sum},
    sample::{event, fresh},
};

const METRICS: &[&str] = &[
    "http_server_request_duration_seconds_bucket",
    "http_server_request_duration_seconds_sum",
    "http_server_request_duration_seconds_count",
    "http_server_active_requests",
    "sessionstore_committer_batch_size",
    "sessionstore_committer_queue_depth",
    "sessionstore_committer_wait_seconds",
    "sessionstore_lanes",
    "sessionstore_store_operation_duration_seconds",
    "sessionstore_streams_open",
    "sessionstore_build_info",
];

const ROUTES: &[(&str, &str)] = &[
    ("/v1/sessions", "post"),
    ("/v1/sessions", "get"),
    ("/v1/sessions/{sessionId}", "get"),
    ("/v1/sessions/{sessionId}", "patch"),
    ("/v1/sessions/{sessionId}", "delete"),
    ("/v1/sessions/{sessionId}/events", "post"),
    ("/v1/sessions/{sessionId}/events", "get"),
    ("/v1/sessions/{sessionId}/events:batch", "post"),
    ("/v1/events:batch", "post"),
    ("/v1/sessions/{sessionId}/events/{eventId}", "get"),
    ("/v1/sessions/{sessionId}/stream", "get"),
    ("/v1/sessions/{sessionId}/complete", "post"),
    ("/v1/sessions/{sessionId}/fail", "post"),
];

#[tokio::test]
async fn the_admin_port_says_that_the_service_lives_and_is_ready() {
    let api = Api::shared().await;
    api.admin("/livez").await.expect(200);
    api.admin("/readyz").await.expect(200);
    let version = api.admin("/version").await.expect(200);
    assert!(version.text.contains(char::is_numeric), "{}", version.text);
    api.admin("/nothing").await.expect(404);
}

#[tokio::test]
async fn every_metric_that_dashboards_rely_on_is_there() {
    let api = Api::one_process().await;
    let session = api.new_session().await;
    session.append(&event("e1")).await.expect(201);
    let _stream = session.stream(&[]).await;

    let reply = api.admin("/metrics").await.expect(200);

    assert!(
        reply
            .header("content-type")
            .unwrap()
            .starts_with("text/plain")
    );
    for name in METRICS {
        let is_sample = |line: &str| line.starts_with(name);
        assert!(reply.text.lines().any(is_sample), "no {name}");
    }
    assert_all_have_help(&reply.text);
    assert!(sum(&reply.text, &["sessionstore_streams_open"]) >= 1.0);
}

#[tokio::test]
async fn requests_are_counted_by_method_route_and_status() {
    let api = Api::one_process().await;
    let session = api.new_session().await;
    let labels = [
        "http_server_request_duration_seconds_count",
        r#"http_request_method="POST""#,
        r#"http_route="/v1/sessions/{sessionId}/events""#,
    ];
    let count = async |status: &str| {
        let status = format!(r#"http_response_status_code="{status}""#);
        let metrics = api.admin("/metrics").await.expect(200).text;
        sum(&metrics, &[&labels[..], &[&status]].concat())
    };
    let (created, refused) = (count("201").await, count("400").await);
    for n in 0..5 {
        session.append(&event(&format!("e{n}"))).await.expect(201);
        session.append(&event("")).await.problem(400);
    }
    assert!(count("201").await >= created + 5.0);
    assert!(count("400").await >= refused + 5.0);
}

#[tokio::test]
async fn nothing_that_a_caller_chooses_becomes_a_label() {
    let api = Api::one_process().await;
    let secret = fresh("label").replace('-', "");
    let session = api.session(&secret);
    session.create().await.expect(201);
    session.append(&event(&secret)).await.expect(201);
    session.event(&secret).await.expect(200);
    session.events(&[(&*secret, "1")]).await.problem(400);
    api.get(&format!("/{secret}"), &[]).await.problem(404);
    api.get(&format!("/v1/sessions/{secret}/{secret}"), &[])
        .await
        .problem(404);
    let method: Method = secret.to_uppercase().parse().unwrap();
    api.send(api.request(method, "/v1/sessions"))
        .await
        .problem(405);
    api.send(
        api.request(Method::GET, "/v1/sessions")
            .header("x-request-id", &secret),
    )
    .await;

    let metrics = api.admin("/metrics").await.expect(200).text;

    assert!(
        !metrics.to_lowercase().contains(&secret),
        "an identifier is in the metrics"
    );
}

#[tokio::test]
async fn the_openapi_document_is_3_1_and_has_every_route() {
    let api = Api::shared().await;
    let document = api.get("/openapi.json", &[]).await.expect(200).json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for (path, method) in ROUTES {
        let operation = &document["paths"][path][method];
        assert!(operation.is_object(), "no {method} {path}");
        assert!(
            operation["operationId"].is_string(),
            "{method} {path} has no operationId"
        );
        assert!(
            operation["responses"].is_object(),
            "{method} {path} has no responses"
        );
    }
}

#[tokio::test]
async fn the_documentation_needs_no_other_host() {
    let api = Api::shared().await;
    let docs = fetch(&api, "/docs").await;
    assert!(
        docs.header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    assert!(docs.text.to_lowercase().contains("<html"));
    let assets = assets(&docs.text);
    assert!(!assets.is_empty(), "a page to try the API has scripts");
    for asset in assets {
        assert!(!asset.contains("//"), "{asset} lies on another host");
        let path = asset.trim_start_matches("./");
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/docs/{path}")
        };
        let reply = fetch(&api, &path).await;
        assert!(!reply.text.is_empty());
    }
}

/// GETs a page or its asset; one redirect to its folder is followed by the client.
async fn fetch(api: &Api, path: &str) -> sessionstore_e2e::client::Reply {
    api.try_send(api.request(Method::GET, path))
        .await
        .unwrap()
        .expect(200)
}

/// What a page's tags load: the values of `src` anywhere and of `href` in `<link>`.
fn assets(page: &str) -> Vec<String> {
    let mut assets = Vec::new();
    for tag in page.split('<').skip(1) {
        let is_link = tag.starts_with("link");
        for (attribute, counts) in [(" src=\"", true), (" href=\"", is_link)] {
            if counts && let Some((_, rest)) = tag.split_once(attribute) {
                let (value, _) = rest.split_once('"').expect("an attribute is closed");
                if !value.starts_with("data:") {
                    assets.push(value.to_owned());
                }
            }
        }
    }
    assets
}
