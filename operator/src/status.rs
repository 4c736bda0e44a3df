//! What the status says: from what was seen and done in one reconcile. Pure.
//!
//! `Ready` is true when all is as the spec wants it. While it is not, `Reconciling` or `Stalled`
//! says why: the first needs patience, the second a person. `MongoAvailable` and `ApiAvailable` say
//! whether clients are served meanwhile.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::crd::{ApiStatus, MemberStatus, MongodbStatus, ResolvedValues, SessionStoreStatus};
use crate::desired::{Desired, Mongodb, Scale};
use crate::mongo::Versions;
use crate::mongo::plan::{Action, Change, Next, Summary, Why};
use crate::names::Component;

/// The reason of what is left as it is on purpose.
pub const PAUSED: &str = "Paused";

/// Types of conditions.
pub mod condition {
    /// All is as the spec wants it.
    pub const READY: &str = "Ready";
    /// Something is being changed.
    pub const RECONCILING: &str = "Reconciling";
    /// A person has to do something.
    pub const STALLED: &str = "Stalled";
    /// Sessions can be written.
    pub const MONGO_AVAILABLE: &str = "MongoAvailable";
    /// The API answers.
    pub const API_AVAILABLE: &str = "ApiAvailable";
    /// A member belongs to another replica set.
    pub const FOREIGN_MEMBER: &str = "ForeignMember";
    /// Too few members are left to elect a primary.
    pub const MAJORITY_LOST: &str = "MajorityLost";
    /// A `ServiceMonitor` is wanted, and the cluster does not know the kind.
    pub const SERVICE_MONITOR_MISSING: &str = "ServiceMonitorMissing";

    /// All of them.
    pub const ALL: [&str; 8] = [
        READY,
        RECONCILING,
        STALLED,
        MONGO_AVAILABLE,
        API_AVAILABLE,
        FOREIGN_MEMBER,
        MAJORITY_LOST,
        SERVICE_MONITOR_MISSING,
    ];

    /// Whether a condition that is not there is false, and not unknown.
    pub fn is_told_only_while_it_holds(kind: &str) -> bool {
        ![READY, MONGO_AVAILABLE, API_AVAILABLE].contains(&kind)
    }

    /// Whether a condition is good news when it holds.
    pub fn is_good(kind: &str) -> bool {
        ![
            STALLED,
            FOREIGN_MEMBER,
            MAJORITY_LOST,
            SERVICE_MONITOR_MISSING,
        ]
        .contains(&kind)
    }
}

/// What one reconcile has found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The generation of the spec that it was about.
    pub generation: Option<i64>,
    /// What is in the way, if anything is.
    pub problem: Option<Problem>,
    /// The replica set; `None` if it was not looked at.
    pub mongodb: Option<MongodbFindings>,
    /// The API; `None` if there is no Deployment yet.
    pub api: Option<ApiFindings>,
    /// Whether the spec asks to leave all as it is.
    pub is_paused: bool,
    /// Whether a `ServiceMonitor` is wanted, and the cluster does not know the kind.
    pub lacks_service_monitors: bool,
}

/// What is in the way of a reconcile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// For programs, in one word.
    pub reason: &'static str,
    /// For people, with what to do.
    pub message: String,
    /// Whether it lasts until a person does something.
    pub is_stalled: bool,
}

/// What was found of a replica set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MongodbFindings {
    /// Somebody else runs it: only the API knows how it is.
    External,
    /// It was not looked at, since the cluster has yet to look at the newest template.
    Unseen,
    /// What its members say.
    Managed {
        /// Who is who.
        summary: Summary,
        /// What is to be done or waited for.
        next: Next,
        /// How many members there are to be.
        wanted: usize,
        /// What the primary runs, if it says.
        versions: Option<Versions>,
    },
}

/// What was found of the Deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApiFindings {
    /// How many pods there are to be.
    pub wanted: i32,
    /// How many there are.
    pub replicas: i32,
    /// How many of those run the newest template.
    pub updated: i32,
    /// How many are ready.
    pub ready: i32,
    /// Whether this is about the newest manifest.
    pub is_current: bool,
}

impl ApiFindings {
    /// What the Deployment says of its pods. `newest` is the generation that the last write has made
    /// of it: what is seen may be from before that.
    pub fn of(deployment: &Deployment, scale: Scale, newest: Option<i64>) -> Self {
        let status = deployment.status.clone().unwrap_or_default();
        let replicas = deployment.spec.as_ref().and_then(|spec| spec.replicas);
        let generation = deployment.metadata.generation;
        Self {
            wanted: match scale {
                Scale::Fixed(wanted) => wanted,
                // Whatever the autoscaler chooses within its bounds, which it is about to keep.
                Scale::Auto { min, max, .. } => replicas.unwrap_or_default().min(max).max(min),
            },
            replicas: status.replicas.unwrap_or_default(),
            updated: status.updated_replicas.unwrap_or_default(),
            ready: status.ready_replicas.unwrap_or_default(),
            is_current: status.observed_generation == generation && generation >= newest,
        }
    }

    fn is_complete(&self) -> bool {
        self.is_current
            && self.updated == self.wanted
            && self.replicas == self.wanted
            && self.ready == self.wanted
    }
}

/// The status to write. `before` is the one that is there: a condition that stays keeps its time.
pub fn status(
    findings: &Findings,
    desired: Option<&Desired>,
    domain: &str,
    before: Option<&SessionStoreStatus>,
    now: &Time,
) -> SessionStoreStatus {
    let mut status = SessionStoreStatus {
        observed_generation: findings.generation,
        ..before.cloned().unwrap_or_default()
    };
    if let Some(mongodb) = &findings.mongodb
        && *mongodb != MongodbFindings::Unseen
    {
        status.mongodb = Some(mongodb_status(mongodb, status.mongodb.as_ref()));
    }
    if let Some(desired) = desired {
        status.api = Some(api_status(
            desired,
            findings.api.unwrap_or_default(),
            domain,
        ));
        status.resolved = Some(resolved(desired));
    }
    let previous = before.map_or(&[][..], |before| &before.conditions);
    let found = conditions(findings).into_iter();
    let found = found.map(|new| new.at(previous, findings.generation, now));
    let is_unseen = findings.mongodb == Some(MongodbFindings::Unseen);
    let kept = previous
        .iter()
        .filter(|it| is_unseen && it.type_ == condition::MONGO_AVAILABLE);
    status.conditions = found.chain(kept.cloned()).collect();
    status
}

/// A condition without its times.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    kind: &'static str,
    holds: bool,
    reason: String,
    message: String,
}

impl Finding {
    fn new(kind: &'static str, holds: bool, reason: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            holds,
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    fn at(self, previous: &[Condition], generation: Option<i64>, now: &Time) -> Condition {
        let status = if self.holds { "True" } else { "False" };
        let before = previous.iter().find(|it| it.type_ == self.kind);
        let since = before.filter(|before| before.status == status);
        Condition {
            type_: self.kind.to_owned(),
            status: status.to_owned(),
            reason: self.reason,
            message: self.message,
            observed_generation: generation,
            last_transition_time: since
                .map_or(now, |before| &before.last_transition_time)
                .clone(),
        }
    }
}

/// Those of kstatus come first. The abnormal ones are there only while they hold.
fn conditions(findings: &Findings) -> Vec<Finding> {
    let mongo = mongo_available(findings);
    let api = api_available(findings);
    let obstacle = obstacle(findings);
    let mut all = vec![match &obstacle {
        None => Finding::new(
            condition::READY,
            true,
            "AsSpecified",
            "all is as the spec wants it",
        ),
        Some(problem) => Finding::new(condition::READY, false, problem.reason, &problem.message),
    }];
    if let Some(problem) = obstacle {
        let kind = if problem.is_stalled {
            condition::STALLED
        } else {
            condition::RECONCILING
        };
        all.push(Finding::new(kind, true, problem.reason, problem.message));
    }
    all.extend(mongo);
    all.extend(api);
    if let Some(MongodbFindings::Managed {
        next: Next::Wait(why),
        ..
    }) = &findings.mongodb
    {
        let kind = match why {
            Why::ForeignMember(_) => Some(condition::FOREIGN_MEMBER),
            Why::MajorityLost(_) => Some(condition::MAJORITY_LOST),
            _ => None,
        };
        all.extend(kind.map(|kind| Finding::new(kind, true, why.reason(), why.to_string())));
    }
    if findings.lacks_service_monitors {
        all.push(Finding::new(
            condition::SERVICE_MONITOR_MISSING,
            true,
            "KindUnknown",
            "the cluster does not know the kind ServiceMonitor, so there is none: install the \
             definitions of prometheus-operator (an operator that looks after some namespaces only \
             sees them when it is started again), or set monitoring.serviceMonitor to false",
        ));
    }
    all
}

/// What keeps the store from being as the spec wants it; the most basic comes first.
fn obstacle(findings: &Findings) -> Option<Problem> {
    let waiting = |reason, message: String| Problem {
        reason,
        message,
        is_stalled: false,
    };
    if let Some(problem) = &findings.problem {
        return Some(problem.clone());
    }
    if findings.is_paused {
        return Some(Problem {
            reason: PAUSED,
            message: "spec.paused is true, so nothing is changed or repaired".to_owned(),
            is_stalled: true,
        });
    }
    match &findings.mongodb {
        Some(MongodbFindings::Managed { next, .. }) => match next {
            Next::Done => {}
            Next::Wait(why) => {
                return Some(Problem {
                    reason: why.reason(),
                    message: why.to_string(),
                    is_stalled: why.is_stalled(),
                });
            }
            Next::Do(action) => {
                let (reason, message) = doing(action);
                return Some(waiting(reason, message));
            }
        },
        Some(MongodbFindings::External) => {}
        Some(MongodbFindings::Unseen) => {
            return Some(waiting(
                "MembersRollingOut",
                "the cluster has yet to look at the newest template of the members".to_owned(),
            ));
        }
        None => {
            return Some(waiting(
                "Starting",
                "the members are not there yet".to_owned(),
            ));
        }
    }
    match findings.api {
        Some(api) if api.is_complete() => None,
        Some(api) => Some(waiting(
            "ApiRollingOut",
            format!(
                "the API has {} of {} pods ready, {} of them by the newest template",
                api.ready, api.wanted, api.updated
            ),
        )),
        None => Some(waiting("Starting", "the API is not there yet".to_owned())),
    }
}

/// What is being done, in one word and for people.
fn doing(action: &Action) -> (&'static str, String) {
    match action {
        Action::Initiate { members } => {
            ("Initiating", format!("a replica set of {members} is made"))
        }
        Action::EnsureUsers { .. } => ("EnsuringUsers", "users and roles are made".to_owned()),
        Action::Reconfigure { change, .. } => match change {
            Change::Settings => ("Reconfiguring", "the election settings are set".to_owned()),
            Change::Add { host, .. } => ("AddingMember", format!("{host} is added")),
            Change::Remove { host } => ("RemovingMember", format!("{host} is removed")),
        },
        Action::StepDown { .. } => ("SteppingDown", "the primary hands over".to_owned()),
        Action::RestartPod { ordinal, .. } => (
            "RestartingPod",
            format!("the pod of member {ordinal} is restarted"),
        ),
        Action::Resync { ordinal, .. } => (
            "Resyncing",
            format!("the data of member {ordinal} is deleted, as the annotation permits"),
        ),
    }
}

/// `None` if nothing is known of it.
fn mongo_available(findings: &Findings) -> Option<Finding> {
    let kind = condition::MONGO_AVAILABLE;
    match findings.mongodb.as_ref()? {
        // The second keeps what was said before.
        MongodbFindings::External | MongodbFindings::Unseen => None,
        MongodbFindings::Managed { summary, .. } if summary.is_available => Some(Finding::new(
            kind,
            true,
            "PrimaryElected",
            "there is a primary, and a majority that follows it",
        )),
        MongodbFindings::Managed { next, .. } => Some(match next {
            Next::Wait(why) => Finding::new(kind, false, why.reason(), why.to_string()),
            Next::Do(action) => {
                let (reason, message) = doing(action);
                Finding::new(kind, false, reason, message)
            }
            Next::Done => Finding::new(kind, false, "NoPrimary", "there is no primary"),
        }),
    }
}

/// Clients are served while one pod is ready.
fn api_available(findings: &Findings) -> Option<Finding> {
    let api = findings.api?;
    let message = format!("{} of {} pods are ready", api.ready, api.wanted);
    let reason = if api.ready > 0 {
        "PodsReady"
    } else {
        "NoPodReady"
    };
    Some(Finding::new(
        condition::API_AVAILABLE,
        api.ready > 0,
        reason,
        message,
    ))
}

fn mongodb_status(findings: &MongodbFindings, before: Option<&MongodbStatus>) -> MongodbStatus {
    let MongodbFindings::Managed {
        summary,
        wanted,
        versions,
        ..
    } = findings
    else {
        return MongodbStatus {
            members_ready: Some("external".to_owned()),
            ..MongodbStatus::default()
        };
    };
    // What was once known of the set stays known while nobody answers.
    let known = before.cloned().unwrap_or_default();
    let healthy = summary.members.iter().filter(|it| it.is_healthy).count();
    let primary = summary.primary;
    let primary =
        primary.and_then(|primary| summary.members.iter().find(|it| it.ordinal == primary));
    MongodbStatus {
        members_ready: Some(format!("{healthy}/{wanted}")),
        primary: primary.map(|member| member.pod.clone()),
        members: summary
            .members
            .iter()
            .map(|member| MemberStatus {
                name: member.pod.clone(),
                state: member.state.to_owned(),
                health: i32::from(member.is_healthy),
                optime_lag_seconds: member.lag.map(i64::from),
            })
            .collect(),
        version: versions
            .as_ref()
            .map(|it| it.server.clone())
            .or(known.version),
        feature_compatibility_version: versions
            .as_ref()
            .map(|it| it.feature_compatibility.clone())
            .or(known.feature_compatibility_version),
        replica_set_id: summary.set_id.clone().or(known.replica_set_id),
    }
}

fn api_status(desired: &Desired, api: ApiFindings, domain: &str) -> ApiStatus {
    let selector = desired.owner.selector(Component::Api);
    let selector: Vec<String> = selector
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    ApiStatus {
        url: Some(desired.owner.url(domain)),
        replicas_ready: Some(format!("{}/{}", api.ready, api.wanted)),
        replicas: api.replicas,
        ready_replicas: api.ready,
        selector: Some(selector.join(",")),
    }
}

fn resolved(desired: &Desired) -> ResolvedValues {
    let set = match &desired.mongodb {
        Mongodb::Managed(set) => Some(set),
        Mongodb::External(_) => None,
    };
    ResolvedValues {
        members: set.map(|set| i32::from(set.members)),
        mongodb_image: set.map(|set| set.image.clone()),
        replicas: match desired.api.scale {
            Scale::Fixed(replicas) => Some(replicas),
            Scale::Auto { .. } => None,
        },
        api_image: Some(desired.api.image.clone()),
    }
}

#[cfg(test)]
mod tests;
