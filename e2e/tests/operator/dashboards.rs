//! The dashboards, against a real Prometheus that scrapes the real thing.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{Load, Place, eventually, specs, support::prometheus::Prometheus};

/// Where dashboards and alerts are.
const K8S: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../k8s");

/// Panels that show nothing while all is well: what they ask for is counted only once it happens.
const QUIET: [&str; 4] = [
    "Errors of the server",
    "Not done",
    "Errors by reason",
    "Calls that were refused or lost",
];

/// Of the queries that found nothing, as many are named.
const FEW: usize = 5;

/// A query of a dashboard.
struct Query {
    /// Where it is, for whoever has to mend it.
    place: String,
    title: String,
    expression: String,
}

/// All queries of all dashboards, as Grafana sends them when nothing is chosen.
fn queries() -> Vec<Query> {
    let mut queries = Vec::new();
    for file in fs::read_dir(Path::new(K8S).join("dashboards")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|it| it != "json") {
            continue;
        }
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let items = |list: &Value| list.as_array().cloned().unwrap_or_default();
        let variables = items(&dashboard["templating"]["list"]);
        let names: Vec<&str> = variables
            .iter()
            .filter_map(|it| it["name"].as_str())
            .collect();
        let mut add = |title: &str, expression: &str| {
            queries.push(Query {
                place: format!("{} in {}", title, path.display()),
                title: title.to_owned(),
                expression: filled_in(expression, &names),
            });
        };
        for panel in items(&dashboard["panels"]) {
            for target in items(&panel["targets"]) {
                add(
                    panel["title"].as_str().unwrap(),
                    target["expr"].as_str().unwrap(),
                );
            }
        }
        for variable in &variables {
            if let Some((series, label)) = values_of(variable) {
                add(
                    &variable["name"].to_string(),
                    &format!("count by ({label}) ({series})"),
                );
            }
        }
    }
    queries
}

/// What a variable is chosen from: `label_values(SERIES, LABEL)`.
fn values_of(variable: &Value) -> Option<(&str, &str)> {
    let asked = variable["definition"].as_str()?;
    let inner = asked.strip_prefix("label_values(")?.strip_suffix(')')?;
    let (series, label) = inner.rsplit_once(',')?;
    Some((series, label.trim()))
}

fn filled_in(expression: &str, variables: &[&str]) -> String {
    // Those with the longer names first: one may begin like another.
    let mut variables = variables.to_vec();
    variables.sort_by_key(|it| std::cmp::Reverse(it.len()));
    let expression = expression.replace("$__rate_interval", "1m");
    variables.iter().fold(expression, |expression, variable| {
        expression.replace(&format!("${variable}"), ".+")
    })
}

#[tokio::test]
async fn every_query_of_every_dashboard_finds_what_a_real_prometheus_scrapes() {
    // What is wrong with a store beside it would raise alerts too.
    let place = Place::alone("dashboards").await;
    let mut spec = specs::members(3);
    // Only who is let in may scrape.
    spec["monitoring"] = json!({"scraperNamespace": place.namespace});
    let store = place.store("voice", &spec).await;
    store.await_ready().await;
    let alerts = fs::read_to_string(Path::new(K8S).join("alerts/sessionstore.yaml")).unwrap();
    let prometheus = Prometheus::start(&store, &alerts).await;
    let load = Load::start(&store).await;
    let session = store.client().await.new_session().await;
    let _stream = session.stream(&[]).await;

    let all = queries();
    for quiet in QUIET {
        let is_there = all.iter().any(|it| it.title == quiet);
        assert!(is_there, "no panel is called {quiet} any more");
    }
    let mut waiting: Vec<Query> = all;
    waiting.retain(|it| !QUIET.contains(&it.title.as_str()));
    eventually("every panel shows something", async || {
        // Pages are what secondaries serve.
        session.get(&[]).await.expect(200);
        let mut empty = Vec::new();
        for query in waiting.drain(..) {
            if prometheus.query(&query.expression).await.is_empty() {
                empty.push(query);
            }
        }
        waiting = empty;
        for query in waiting.iter().take(FEW) {
            eprintln!("nothing yet: {}: {}", query.place, query.expression);
        }
        waiting.is_empty().then_some(())
    })
    .await;
    for query in queries() {
        // Also those that find nothing are understood.
        prometheus.query(&query.expression).await;
    }
    let nothing: Vec<Value> = Vec::new();
    assert_eq!(prometheus.query("up == 0").await, nothing);
    assert_eq!(
        prometheus.query("ALERTS").await,
        nothing,
        "nothing is wrong"
    );
    load.stop(&store).await.assert_no_error();
}
