use k8s_openapi::jiff::Timestamp;

use super::*;
use crate::mongo::plan::{MemberSummary, Missing, Stuck};

fn at(second: i64) -> Time {
    Time(Timestamp::from_second(second).unwrap())
}

/// All is as it should be.
fn well() -> Findings {
    Findings {
        generation: Some(3),
        mongodb: Some(managed(true, Next::Done)),
        api: Some(api(2)),
        ..Findings::default()
    }
}

fn managed(is_available: bool, next: Next) -> MongodbFindings {
    let member = |ordinal, state, is_healthy| MemberSummary {
        ordinal,
        pod: format!("voice-mongodb-{ordinal}"),
        state,
        is_healthy,
        lag: None,
    };
    MongodbFindings::Managed {
        summary: Summary {
            set_id: Some("5c0ffee".to_owned()),
            primary: is_available.then_some(1),
            is_available,
            members: vec![
                member(0, "SECONDARY", true),
                member(1, "PRIMARY", is_available),
                member(2, "SECONDARY", true),
            ],
        },
        next,
        wanted: 3,
        versions: None,
    }
}

fn api(ready: i32) -> ApiFindings {
    ApiFindings {
        wanted: 2,
        replicas: 2,
        updated: 2,
        ready,
        is_current: true,
    }
}

/// Type, status and reason of each condition.
fn said(findings: &Findings) -> Vec<(&'static str, bool, String)> {
    let conditions = conditions(findings).into_iter();
    conditions
        .map(|it| (it.kind, it.holds, it.reason))
        .collect()
}

fn row(kind: &'static str, holds: bool, reason: &str) -> (&'static str, bool, String) {
    (kind, holds, reason.to_owned())
}

#[test]
fn what_is_as_specified_is_ready_and_nothing_else() {
    assert_eq!(
        said(&well()),
        [
            row("Ready", true, "AsSpecified"),
            row("MongoAvailable", true, "PrimaryElected"),
            row("ApiAvailable", true, "PodsReady"),
        ]
    );
}

#[test]
fn of_an_external_mongodb_only_the_api_is_told() {
    let findings = Findings {
        mongodb: Some(MongodbFindings::External),
        ..well()
    };
    assert_eq!(
        said(&findings),
        [
            row("Ready", true, "AsSpecified"),
            row("ApiAvailable", true, "PodsReady"),
        ]
    );
}

#[test]
fn what_only_a_person_can_mend_is_stalled_and_what_passes_is_reconciling() {
    for (is_stalled, kind) in [(true, "Stalled"), (false, "Reconciling")] {
        let findings = Findings {
            problem: Some(Problem {
                reason: "Why",
                message: "do something".to_owned(),
                is_stalled,
            }),
            ..well()
        };
        let said = said(&findings);
        assert_eq!(said[0], row("Ready", false, "Why"));
        assert_eq!(said[1], row(kind, true, "Why"));
        assert_eq!(said.len(), 4, "what is available stays so: {said:?}");
    }
}

#[test]
fn a_problem_is_told_before_a_pause_and_a_pause_before_a_wait() {
    let problem = Problem {
        reason: "Why",
        message: String::new(),
        is_stalled: false,
    };
    let mut findings = Findings {
        problem: Some(problem),
        is_paused: true,
        mongodb: Some(managed(true, Next::Wait(Why::Settling))),
        api: Some(api(0)),
        ..well()
    };
    assert_eq!(said(&findings)[0].2, "Why");
    findings.problem = None;
    assert_eq!(said(&findings)[0].2, "Paused");
    findings.is_paused = false;
    assert_eq!(said(&findings)[0].2, Why::Settling.reason());
    findings.mongodb = Some(managed(true, Next::Done));
    assert_eq!(said(&findings)[0].2, "ApiRollingOut");
}

#[test]
fn what_was_not_looked_at_yet_is_starting_and_claims_nothing() {
    let findings = Findings::default();
    let starting = [
        row("Ready", false, "Starting"),
        row("Reconciling", true, "Starting"),
    ];
    assert_eq!(said(&findings), starting);
}

#[test]
fn a_lost_majority_and_a_foreign_member_have_conditions_of_their_own() {
    let missing = Missing {
        pod: "voice-mongodb-1".to_owned(),
        because: "its node is lost".to_owned(),
    };
    let stuck = Stuck {
        pod: "voice-mongodb-1".to_owned(),
        volume: None,
    };
    for (why, kind) in [
        (Why::MajorityLost(vec![missing]), "MajorityLost"),
        (Why::ForeignMember(vec![stuck]), "ForeignMember"),
    ] {
        let reason = why.reason();
        let findings = Findings {
            mongodb: Some(managed(false, Next::Wait(why))),
            ..well()
        };
        let said = said(&findings);
        assert!(said.contains(&row(kind, true, reason)), "{said:?}");
        assert!(said.contains(&row("MongoAvailable", false, reason)));
        assert!(!condition::is_good(kind));
    }
}

#[test]
fn without_the_kind_there_is_no_service_monitor_and_all_else_is_ready() {
    let findings = Findings {
        lacks_service_monitors: true,
        ..well()
    };
    let said = said(&findings);
    assert_eq!(said[0], row("Ready", true, "AsSpecified"));
    let missing = row("ServiceMonitorMissing", true, "KindUnknown");
    assert_eq!(said.last(), Some(&missing));
}

#[test]
fn the_api_is_rolling_out_until_every_pod_is_new_ready_and_counted() {
    let complete = api(2);
    for incomplete in [
        ApiFindings {
            ready: 1,
            ..complete
        },
        ApiFindings {
            updated: 1,
            ..complete
        },
        // An old pod is still there.
        ApiFindings {
            replicas: 3,
            ..complete
        },
        ApiFindings {
            wanted: 3,
            ..complete
        },
        ApiFindings {
            is_current: false,
            ..complete
        },
    ] {
        let findings = Findings {
            api: Some(incomplete),
            ..well()
        };
        assert_eq!(said(&findings)[0].2, "ApiRollingOut", "{incomplete:?}");
    }
}

#[test]
fn clients_are_served_while_one_pod_is_ready() {
    for (ready, is_available) in [(0, false), (1, true), (2, true)] {
        let findings = Findings {
            api: Some(api(ready)),
            ..well()
        };
        let found = said(&findings)
            .into_iter()
            .find(|it| it.0 == "ApiAvailable");
        assert_eq!(found.unwrap().1, is_available);
    }
}

fn written(
    findings: &Findings,
    before: Option<&SessionStoreStatus>,
    second: i64,
) -> SessionStoreStatus {
    status(findings, None, "cluster.local", before, &at(second))
}

#[test]
fn a_condition_keeps_its_time_until_its_status_changes() {
    let first = written(&well(), None, 1);
    let mut later = well();
    later.generation = Some(4);
    let second = written(&later, Some(&first), 2);
    for condition in &second.conditions {
        assert_eq!(condition.last_transition_time, at(1));
        assert_eq!(condition.observed_generation, Some(4));
    }
    later.api = Some(api(1));
    let third = written(&later, Some(&second), 3);
    assert_eq!(third.conditions[0].last_transition_time, at(3));
    // Another reason or message is no transition.
    later.is_paused = true;
    let fourth = written(&later, Some(&third), 4);
    assert_eq!(fourth.conditions[0].reason, "Paused");
    assert_eq!(fourth.conditions[0].last_transition_time, at(3));
}

#[test]
fn the_same_findings_say_the_same() {
    let first = written(&well(), None, 1);
    assert_eq!(written(&well(), Some(&first), 9), first);
}

#[test]
fn what_was_known_of_the_set_stays_known_while_nobody_answers() {
    let mut before = written(&well(), None, 1);
    let known = before.mongodb.as_mut().unwrap();
    known.version = Some("8.0.4".to_owned());
    let mut silent = managed(false, Next::Wait(Why::Electing));
    if let MongodbFindings::Managed { summary, .. } = &mut silent {
        summary.set_id = None;
    }
    let findings = Findings {
        mongodb: Some(silent),
        ..well()
    };
    let mongodb = written(&findings, Some(&before), 2).mongodb.unwrap();
    assert_eq!(mongodb.version.as_deref(), Some("8.0.4"));
    assert_eq!(mongodb.replica_set_id.as_deref(), Some("5c0ffee"));
    assert_eq!(mongodb.primary, None);
    assert_eq!(mongodb.members_ready.as_deref(), Some("2/3"));
    // A look that did not get as far as the members tells nothing new of them.
    let nothing = Findings {
        mongodb: None,
        ..well()
    };
    let mongodb = written(&nothing, Some(&before), 2).mongodb;
    assert_eq!(mongodb, before.mongodb);
}

/// One whose two pods are ready by the template of this generation.
fn deployment(generation: i64) -> Deployment {
    let deployment = serde_json::json!({
        "metadata": {"generation": generation},
        "spec": {"replicas": 2, "selector": {}, "template": {}},
        "status": {
            "observedGeneration": generation,
            "replicas": 2,
            "updatedReplicas": 2,
            "readyReplicas": 2,
        },
    });
    serde_json::from_value(deployment).unwrap()
}

#[test]
fn pods_from_before_the_last_change_are_not_taken_for_those_after_it() {
    let fixed = Scale::Fixed(2);
    let seen = |newest| ApiFindings::of(&deployment(4), fixed, newest).is_complete();
    assert!(seen(None), "nothing has been written yet");
    assert!(seen(Some(4)));
    assert!(!seen(Some(5)), "what was written is not seen yet");
}

#[test]
fn an_api_below_the_bounds_of_its_autoscaler_is_not_as_specified() {
    let complete = |min, max| {
        let auto = Scale::Auto {
            min,
            max,
            cpu_percent: 70,
        };
        ApiFindings::of(&deployment(4), auto, None).is_complete()
    };
    assert!(complete(1, 5));
    assert!(complete(2, 2));
    assert!(!complete(3, 5));
    assert!(!complete(1, 1));
}

#[test]
fn while_a_template_is_unseen_it_is_not_ready_and_what_was_known_of_the_members_stays() {
    let before = status(&well(), None, "cluster.local", None, &at(1));
    let findings = Findings {
        mongodb: Some(MongodbFindings::Unseen),
        ..well()
    };
    let after = status(&findings, None, "cluster.local", Some(&before), &at(2));
    assert_eq!(after.mongodb, before.mongodb);
    let find = |status: &SessionStoreStatus, kind: &str| {
        let mut conditions = status.conditions.iter();
        conditions.find(|it| it.type_ == kind).cloned().unwrap()
    };
    assert_eq!(find(&after, "Ready").reason, "MembersRollingOut");
    assert_eq!(find(&after, "Reconciling").status, "True");
    assert_eq!(
        find(&after, "MongoAvailable"),
        find(&before, "MongoAvailable")
    );
}
