//! What is shown of each `SessionStore`: its conditions, and how its members stand.
//!
//! These series have names of objects as labels, since that is what they are about: some ten a
//! store. They are gone with the store, and when another process leads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Opts, Registry};

use crate::cache::Target;
use crate::crd::SessionStoreStatus;
use crate::mongo::Lags;
use crate::status::{PAUSED, condition};

/// What is shown of all. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stores {
    shown: Arc<Mutex<HashMap<Target, Shown>>>,
    conditions: IntGaugeVec,
    paused: IntGaugeVec,
    states: IntGaugeVec,
    lags: IntGaugeVec,
}

/// What is shown of one.
#[derive(Debug, Default)]
struct Shown {
    /// By type.
    conditions: Vec<(&'static str, bool)>,
    is_paused: bool,
    members: Vec<Member>,
    lags: Option<Lags>,
}

#[derive(Debug)]
struct Member {
    pod: String,
    state: String,
}

impl Stores {
    /// Creates the metrics and registers them. Nothing is shown yet.
    ///
    /// # Errors
    /// When a name is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str, further: &[&str]| {
            let labels = [&["namespace", "name"], further].concat();
            IntGaugeVec::new(Opts::new(name, help), &labels)
        };
        let stores = Self {
            shown: Arc::default(),
            conditions: gauge(
                "sessionstore_operator_condition",
                "1 while a condition of a SessionStore is true, 0 while it is not; nothing while it \
                 is unknown. The leader alone tells.",
                &["condition"],
            )?,
            paused: gauge(
                "sessionstore_operator_paused",
                "1 while a SessionStore is stalled by nothing but its spec.paused, else 0. The leader \
                 alone tells.",
                &[],
            )?,
            states: gauge(
                "sessionstore_operator_member_state",
                "Always 1; the state of a member, by its ordinal, in MongoDB's words.",
                &["member", "state"],
            )?,
            lags: gauge(
                "sessionstore_operator_member_lag_seconds",
                "How far a member, by its ordinal, is behind what the primary had at the heartbeat \
                 before; nothing while it is not heard, or there is no primary.",
                &["member"],
            )?,
        };
        registry.register(Box::new(stores.clone()))?;
        Ok(stores)
    }

    /// Shows one as its status tells it, with what is heard of its members.
    pub fn show(&self, target: &Target, status: &SessionStoreStatus, lags: Option<&Lags>) {
        let members = status.mongodb.iter().flat_map(|it| &it.members);
        let members = members.map(|it| Member {
            pod: it.name.clone(),
            state: it.state.clone(),
        });
        let told = |kind: &str| status.conditions.iter().find(|it| it.type_ == kind);
        let held = |kind: &str| told(kind).map(|it| it.status == "True");
        let conditions = condition::ALL.iter().filter_map(|kind| {
            let unless_told = condition::is_told_only_while_it_holds(kind).then_some(false);
            let holds = held(kind).or(unless_told)?;
            Some((*kind, holds))
        });
        let shown = Shown {
            conditions: conditions.collect(),
            is_paused: told(condition::STALLED).is_some_and(|it| it.reason == PAUSED),
            members: members.collect(),
            lags: lags.cloned(),
        };
        self.lock().insert(target.clone(), shown);
    }

    /// Shows one that is not what the CRD says, so that nothing is known of it.
    pub fn show_unreadable(&self, target: &Target) {
        let shown = Shown {
            conditions: vec![(condition::READY, false), (condition::STALLED, true)],
            ..Shown::default()
        };
        self.lock().insert(target.clone(), shown);
    }

    /// One is gone.
    pub fn forget(&self, target: &Target) {
        self.lock().remove(target);
    }

    /// Another process tells.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Target, Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gauges(&self) -> [&IntGaugeVec; 4] {
        [&self.conditions, &self.paused, &self.states, &self.lags]
    }

    fn fill(&self, target: &Target, shown: &Shown) {
        let (namespace, name) = (
            target.namespace.as_deref().unwrap_or_default(),
            &target.name,
        );
        for (condition, holds) in &shown.conditions {
            self.conditions
                .with_label_values(&[namespace, name, condition])
                .set((*holds).into());
        }
        self.paused
            .with_label_values(&[namespace, name])
            .set(shown.is_paused.into());
        let lags = shown.lags.as_ref().map(Lags::seconds).unwrap_or_default();
        for Member { pod, state } in &shown.members {
            let ordinal = pod.rsplit('-').next().unwrap_or(pod);
            self.states
                .with_label_values(&[namespace, name, ordinal, state])
                .set(1);
            // The first label of a host is the name of its pod.
            let is_its = |host: &str| host.split('.').next() == Some(pod);
            if let Some((_, seconds)) = lags.iter().find(|(host, _)| is_its(host)) {
                self.lags
                    .with_label_values(&[namespace, name, ordinal])
                    .set((*seconds).into());
            }
        }
    }
}

impl Collector for Stores {
    fn desc(&self) -> Vec<&Desc> {
        self.gauges()
            .into_iter()
            .flat_map(Collector::desc)
            .collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // Two that ask at the same time must not empty each other's answer.
        let shown = self.lock();
        self.gauges().into_iter().for_each(IntGaugeVec::reset);
        for (target, shown) in shown.iter() {
            self.fill(target, shown);
        }
        let gauges = self.gauges().into_iter();
        gauges.flat_map(Collector::collect).collect()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
    use k8s_openapi::jiff::Timestamp;
    use prometheus::TextEncoder;

    use crate::crd::{MemberStatus, MongodbStatus};

    use super::*;

    const OF_VOICE: &str = "name=\"voice\",namespace=\"shop\"";

    fn target(name: &str) -> Target {
        Target::new(name).within("shop")
    }

    fn text(registry: &Registry) -> String {
        TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap()
    }

    fn status(conditions: &[(&str, &str)], members: &[(&str, &str)]) -> SessionStoreStatus {
        let conditions = conditions.iter().map(|(kind, status)| Condition {
            type_: (*kind).to_owned(),
            status: (*status).to_owned(),
            reason: String::new(),
            message: String::new(),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            observed_generation: None,
        });
        let members = members.iter().map(|(name, state)| MemberStatus {
            name: (*name).to_owned(),
            state: (*state).to_owned(),
            ..MemberStatus::default()
        });
        SessionStoreStatus {
            conditions: conditions.collect(),
            mongodb: Some(MongodbStatus {
                members: members.collect(),
                ..MongodbStatus::default()
            }),
            ..SessionStoreStatus::default()
        }
    }

    #[test]
    fn a_condition_that_is_told_only_while_it_holds_is_0_and_not_gone() {
        let registry = Registry::new();
        let stores = Stores::register(&registry).unwrap();
        let told = status(&[("Ready", "False"), ("MajorityLost", "True")], &[]);
        stores.show(&target("voice"), &told, None);
        let text = text(&registry);
        for (condition, value) in [("Ready", 0), ("MajorityLost", 1), ("Stalled", 0)] {
            let line = format!(
                "sessionstore_operator_condition{{condition=\"{condition}\",{OF_VOICE}}} {value}\n"
            );
            assert!(text.contains(&line), "no {line} in {text}");
        }
        assert!(
            !text.contains("condition=\"ApiAvailable\""),
            "unknown: {text}"
        );
    }

    /// Nobody has to be called for what somebody has done on purpose.
    #[test]
    fn one_that_is_paused_is_told_from_one_that_is_stalled_by_something_else() {
        let registry = Registry::new();
        let stores = Stores::register(&registry).unwrap();
        for (reason, value) in [("Paused", 1), ("InvalidSpec", 0)] {
            let mut told = status(&[("Stalled", "True")], &[]);
            reason.clone_into(&mut told.conditions[0].reason);
            stores.show(&target("voice"), &told, None);
            let text = text(&registry);
            let line = format!("sessionstore_operator_paused{{{OF_VOICE}}} {value}\n");
            assert!(text.contains(&line), "no {line} in {text}");
        }
    }

    #[test]
    fn a_member_has_one_state_and_what_it_was_before_is_gone() {
        let registry = Registry::new();
        let stores = Stores::register(&registry).unwrap();
        let name = "sessionstore_operator_member_state";
        for state in ["STARTUP2", "SECONDARY"] {
            let status = status(&[], &[("voice-mongodb-1", state)]);
            stores.show(&target("voice"), &status, None);
            let text = text(&registry);
            let line = format!("{name}{{member=\"1\",{OF_VOICE},state=\"{state}\"}} 1\n");
            assert!(text.contains(&line), "no {line} in {text}");
            assert_eq!(text.matches(&format!("{name}{{")).count(), 1, "{text}");
        }
    }

    #[test]
    fn one_that_is_gone_is_shown_no_more() {
        let registry = Registry::new();
        let stores = Stores::register(&registry).unwrap();
        for name in ["voice", "chat"] {
            stores.show_unreadable(&target(name));
        }
        stores.forget(&target("voice"));
        let text = text(&registry);
        assert!(!text.contains("name=\"voice\""), "{text}");
        let line = "condition=\"Stalled\",name=\"chat\",namespace=\"shop\"} 1\n";
        assert!(text.contains(line), "{text}");
    }
}
