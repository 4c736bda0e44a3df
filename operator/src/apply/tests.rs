//! What the API server is asked, and what its answers mean.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};
use tower::service_fn;

use super::*;

/// An API server that gives these answers one after the other, and keeps what it was asked.
#[derive(Clone)]
struct Server {
    answers: Arc<Mutex<VecDeque<Value>>>,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Server {
    fn that_answers<const N: usize>(answers: [Value; N]) -> Self {
        Self {
            answers: Arc::new(Mutex::new(answers.into())),
            asked: Arc::default(),
        }
    }

    fn client(&self) -> Client {
        let server = self.clone();
        let service = service_fn(move |request: Request<kube::client::Body>| {
            let server = server.clone();
            async move {
                let (head, body) = request.map(Body::new).into_parts();
                let body = to_bytes(body, usize::MAX).await?;
                let body = serde_json::from_slice(&body).unwrap_or_default();
                let asked = (format!("{} {}", head.method, head.uri), body);
                server.asked.lock().unwrap().push(asked);
                let answer = server.answers.lock().unwrap().pop_front().unwrap();
                let code = answer["code"].as_u64().unwrap_or(200);
                let response = Response::builder().status(u16::try_from(code).unwrap());
                response
                    .body(Body::from(answer.to_string()))
                    .map_err(axum::Error::new)
            }
        });
        Client::new(service, "default")
    }

    async fn take(&self, step: Step<'_>) -> Result<Vec<Conflict>, ApplyError> {
        let (client, owner, leadership) = (self.client(), owner(), leading());
        let applier = Applier::new(&client, &owner, &leadership);
        applier.take(vec![step], &mut Applied::default()).await
    }

    fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }
}

fn owner() -> Owner {
    Owner {
        name: "chat".to_owned(),
        namespace: "default".to_owned(),
        uid: "mine".to_owned(),
    }
}

fn leading() -> Leadership {
    Leadership::new(clock::now() + Duration::from_secs(3_600))
}

fn refusal(code: u16, reason: &str, cause: &str) -> Value {
    json!({
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": "no",
        "details": {"causes": [{"reason": cause, "message": "m", "field": "f"}]},
    })
}

fn of_fields() -> Value {
    refusal(409, "Conflict", "FieldManagerConflict")
}

fn of_another() -> Value {
    let mut refusal = refusal(422, "Invalid", "FieldValueInvalid");
    refusal["details"]["causes"][0]["field"] = json!("metadata.uid");
    refusal
}

fn of_one_that_is_gone() -> Value {
    refusal(409, "Conflict", "")
}

fn live() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "chat-api", "uid": "7", "resourceVersion": "5"},
    })
}

fn wanted() -> Object {
    Object {
        kind: Kind::Service,
        name: "chat-api".to_owned(),
        manifest: json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "chat-api"},
        }),
    }
}

fn observed() -> Observed {
    Observed::of(Kind::Service, &serde_json::from_value(live()).unwrap())
}

#[tokio::test]
async fn what_was_seen_is_written_to_that_very_object_and_to_no_other() {
    let (wanted, observed) = (wanted(), observed());
    for refusal in [of_another(), of_one_that_is_gone()] {
        let server = Server::that_answers([refusal]);
        let result = server.take(Step::Apply(&wanted, &observed)).await;
        assert!(matches!(result, Err(ApplyError::Outdated(_))), "{result:?}");
        let asked = server.asked();
        assert_eq!(asked.len(), 1, "nothing is forced: {asked:#?}");
        assert_eq!(asked[0].1["metadata"]["uid"], "7");
    }
}

#[tokio::test]
async fn fields_of_others_are_set_back_and_told_of() {
    let (wanted, observed) = (wanted(), observed());
    let server = Server::that_answers([of_fields(), live()]);
    let told = server.take(Step::Apply(&wanted, &observed)).await.unwrap();
    assert_eq!(told.len(), 1);
    let asked = server.asked();
    assert!(asked[1].0.contains("force=true"), "{asked:#?}");
    assert_eq!(asked[1].1["metadata"]["uid"], "7");
}

#[tokio::test]
async fn what_somebody_makes_while_it_is_made_is_looked_at_first() {
    let wanted = wanted();
    let server = Server::that_answers([refusal(404, "NotFound", ""), of_fields()]);
    let result = server.take(Step::Make(&wanted)).await;
    assert!(matches!(result, Err(ApplyError::Outdated(_))), "{result:?}");
    assert_eq!(server.asked()[1].1["metadata"].get("uid"), None);
}

#[tokio::test]
async fn an_own_object_that_has_lost_its_label_is_taken_back_by_its_uid() {
    let wanted = wanted();
    let mut loose = live();
    loose["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "sessionstore.dev/v1alpha1",
        "kind": "SessionStore", "name": "chat", "uid": "mine", "controller": true,
    }]);
    let server = Server::that_answers([loose, live()]);
    server.take(Step::Make(&wanted)).await.unwrap();
    assert_eq!(server.asked()[1].1["metadata"]["uid"], "7");
}

#[tokio::test]
async fn a_count_is_set_only_on_what_it_was_decided_on() {
    let server = Server::that_answers([refusal(409, "Conflict", "")]);
    let (client, owner, leadership) = (server.client(), owner(), leading());
    let applier = Applier::new(&client, &owner, &leadership);
    let key = Key::new(Kind::Deployment, "chat-api");
    let found = Count {
        pods: 1,
        version: 5,
    };
    let result = applier.scale(&key, found, 3).await;
    assert!(matches!(result, Err(ApplyError::Outdated(_))), "{result:?}");
    assert_eq!(server.asked()[0].1["metadata"]["resourceVersion"], "5");
}

#[test]
fn a_namespace_that_is_being_deleted_is_told_from_a_right_that_is_missing() {
    let forbidden = |cause: &str| -> Status {
        serde_json::from_value(refusal(403, "Forbidden", cause)).unwrap()
    };
    assert!(is_terminating(&forbidden("NamespaceTerminating")));
    assert!(!is_terminating(&forbidden("FieldValueForbidden")));
    assert!(!is_terminating(&Status::default()));
}
