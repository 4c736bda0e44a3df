//! What the API server was asked, by its own account.

use serde_json::Value;

use crate::lab::Lab;

/// A request that has been answered.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) verb: String,
    pub(crate) resource: String,
    pub(crate) path: String,
    /// How it was answered, as in HTTP.
    pub(crate) code: u64,
}

impl Request {
    pub(crate) fn is_of_lease(&self) -> bool {
        self.resource == "leases"
    }

    pub(crate) fn is_watch(&self) -> bool {
        self.verb == "watch"
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.code >= 400
    }

    /// Whether it changes something that others see, but for the Lease itself and Events.
    pub(crate) fn is_work(&self) -> bool {
        let changes = ["create", "update", "patch", "delete"];
        changes.contains(&self.verb.as_str()) && !["leases", "events"].contains(&&*self.resource)
    }
}

/// Where the account stands now.
pub(crate) fn now(lab: &Lab) -> u64 {
    lab.audit_length()
}

/// The requests since then with who has made them, in their order.
pub(crate) fn since(lab: &Lab, start: u64) -> Vec<(String, Request)> {
    let log = lab.audit_from(start);
    let lines = log.lines();
    lines
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|it| it["stage"] == "ResponseComplete")
        .map(|it| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let user = match &it["impersonatedUser"]["username"] {
                Value::String(user) => user.clone(),
                _ => text(&it["user"]["username"]),
            };
            let request = Request {
                verb: text(&it["verb"]),
                resource: text(&it["objectRef"]["resource"]),
                path: text(&it["requestURI"]),
                code: it["responseStatus"]["code"].as_u64().unwrap_or_default(),
            };
            (user, request)
        })
        .collect()
}

/// The requests of one user since then.
pub(crate) fn of(lab: &Lab, start: u64, user: &str) -> Vec<Request> {
    let all = since(lab, start).into_iter();
    all.filter(|(its, _)| its == user)
        .map(|(_, request)| request)
        .collect()
}
