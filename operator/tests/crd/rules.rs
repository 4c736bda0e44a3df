//! Every rule refuses something, with a message that says what to do.

use std::collections::BTreeSet;

use kube::core::cel::{ErrorKind, Validator, compile_schema, estimate_rule_cost};
use serde_json::Value;
use sessionstore_operator::crd::OWN_SETTINGS;

use crate::{
    cases::{Case, cases},
    walk::{nodes, root},
};

/// The path, the rule and the message of each refusal.
fn refusals(case: &Case) -> Vec<(String, String, String)> {
    let outcome = Validator::new().validate(&root(), &case.now, case.before.as_ref());
    let errors = outcome.err().into_iter().flatten();
    errors
        .map(|error| {
            assert_eq!(
                error.kind,
                ErrorKind::ValidationFailure,
                "{}: {error}",
                case.what
            );
            (error.field_path, error.rule, error.message)
        })
        .collect()
}

/// Each rule with the path of what has it.
fn rules() -> Vec<(String, Value)> {
    let nodes = nodes(&root()).into_iter();
    nodes
        .flat_map(|(path, node)| {
            let rules = node["x-kubernetes-validations"].as_array().cloned();
            rules
                .into_iter()
                .flatten()
                .map(move |rule| (path.clone(), rule))
        })
        .collect()
}

#[test]
fn what_is_wrong_is_refused_and_nothing_else() {
    for case in cases() {
        let found = refusals(&case);
        let seen = |(path, message): &(&str, &str)| {
            let mut found = found.iter();
            found.any(|(at, _, text)| at == path && text.starts_with(message))
        };
        assert!(
            found.len() == case.refused.len() && case.refused.iter().all(seen),
            "{}: {found:#?}",
            case.what
        );
    }
}

#[test]
fn every_rule_refuses_something() {
    let refused: BTreeSet<_> = cases()
        .iter()
        .flat_map(refusals)
        .map(|(path, rule, _)| (path, rule))
        .collect();
    for (path, rule) in rules() {
        let blamed = rule["fieldPath"].as_str().unwrap_or_default();
        let rule = rule["rule"].as_str().unwrap().to_owned();
        let key = (format!("{path}{blamed}"), rule);
        assert!(refused.contains(&key), "no case is refused by {key:?}");
    }
}

/// A transition rule is checked only where the object before and the object now both have what it
/// hangs on, so it hangs on what is always there.
#[test]
fn rules_about_changes_cannot_be_got_round_by_leaving_something_out() {
    let always_there = ["", "spec", "spec.mongodb", "spec.api", "spec.monitoring"];
    for (path, rule) in rules() {
        if rule["rule"].as_str().unwrap().contains("oldSelf") {
            assert!(always_there.contains(&path.as_str()), "{path}: {rule}");
        }
    }
}

#[test]
fn every_message_says_what_to_do() {
    for (path, rule) in rules() {
        let message = rule["message"].as_str().unwrap();
        let verbs = [
            "use ", "choose ", "remove ", "set ", "create ", "lower ", "see ",
        ];
        assert!(
            verbs.iter().any(|verb| message.contains(verb)),
            "{path}: {message}"
        );
        assert!(!message.contains('\n'), "{path}: {message}");
        assert!(rule["reason"].is_string(), "{path}: {message}");
    }
}

/// The API server refuses a definition whose rules could cost too much. Its own sum is not this
/// one, but what is unbounded is found by both.
#[test]
fn no_rule_is_about_something_unbounded() {
    for (path, node) in nodes(&root()) {
        let compiled = compile_schema(&node);
        for rule in node["x-kubernetes-validations"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let text = rule["rule"].as_str().unwrap();
            let warnings = estimate_rule_cost(text, &compiled);
            assert!(warnings.is_empty(), "{path}: {warnings:?}");
        }
    }
}

#[test]
fn the_message_about_settings_names_each_that_is_refused() {
    let mut rules = rules().into_iter();
    let (_, rule) = rules
        .find(|(_, rule)| rule["rule"].as_str().unwrap().contains("'store-url'"))
        .unwrap();
    for name in OWN_SETTINGS {
        assert!(rule["message"].as_str().unwrap().contains(name), "{name}");
    }
}
