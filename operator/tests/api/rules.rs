//! The rules of the definition, as the real API server judges by them.

use kube::api::{Patch, PatchParams, PostParams};
use serde_json::Value;

use crate::cases::cases;
use crate::place::Place;

#[tokio::test]
async fn the_api_server_refuses_what_is_wrong_and_nothing_else() {
    let place = Place::new("rules").await;
    let stores = place.stores();
    for (number, case) in cases().into_iter().enumerate() {
        let mut now = case.now;
        let dry_run = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let outcome = match case.before {
            None => {
                let now = serde_json::from_value(now).unwrap();
                stores.create(&dry_run, &now).await
            }
            Some(mut before) => {
                // No operator looks here, so these may stay.
                let name = format!("case-{number}");
                for store in [&mut before, &mut now] {
                    store["metadata"]["name"] = Value::from(name.as_str());
                }
                let before = serde_json::from_value(before).unwrap();
                let made = stores
                    .create(&PostParams::default(), &before)
                    .await
                    .unwrap();
                now["metadata"]["resourceVersion"] = made.metadata.resource_version.into();
                let now = serde_json::from_value(now).unwrap();
                stores.replace(&name, &dry_run, &now).await
            }
        };
        let message = match &outcome {
            Ok(_) => String::new(),
            Err(kube::Error::Api(status)) => status.message.clone(),
            Err(error) => panic!("{}: {error}", case.what),
        };
        assert_eq!(
            outcome.is_err(),
            !case.refused.is_empty(),
            "{}: {message}",
            case.what
        );
        for (path, text) in case.refused {
            assert!(message.contains(path), "{}: {message}", case.what);
            assert!(message.contains(text), "{}: {message}", case.what);
        }
    }
}

#[tokio::test]
async fn a_field_that_does_not_exist_is_refused_when_asked_to_be_strict() {
    let place = Place::new("strict").await;
    let store = serde_json::json!({
        "apiVersion": "sessionstore.dev/v1alpha1",
        "kind": "SessionStore",
        "metadata": {"name": "voice"},
        "spec": {"mongodb": {"memebers": 3}},
    });
    let params = PatchParams::apply("somebody").validation_strict().dry_run();
    let applied = place
        .stores()
        .patch("voice", &params, &Patch::Apply(store))
        .await;
    let error = applied.unwrap_err().to_string();
    assert!(error.contains("memebers"), "{error}");
}
