//! What the chart allows the operator, and through it anybody: no more than is meant.

use anyhow::{bail, ensure};
use serde_json::Value;

use super::helm::NAME;
use super::manifest::{Manifest, texts};

/// Resources that would make the operator more than it is: with any of them it could give itself
/// all rights, run commands in pods, or act as somebody else.
const NEVER: [&str; 12] = [
    "roles",
    "rolebindings",
    "clusterroles",
    "clusterrolebindings",
    "serviceaccounts",
    "serviceaccounts/token",
    "pods/exec",
    "pods/attach",
    "pods/portforward",
    "users",
    "nodes/proxy",
    "validatingwebhookconfigurations",
];

/// No role has a wildcard, or a right that leads to others.
pub(super) fn check(manifests: &[Manifest]) -> anyhow::Result<()> {
    let roles = manifests
        .iter()
        .filter(|it| ["Role", "ClusterRole"].contains(&it.kind()));
    for role in roles {
        for rule in role.list("/rules") {
            for field in ["apiGroups", "resources", "verbs"] {
                let values = texts(rule.get(field));
                ensure!(
                    !values.is_empty(),
                    "{role} has a rule without {field}: {rule}"
                );
                ensure!(!values.contains(&"*"), "{role} has a wildcard: {rule}");
            }
            for verb in texts(rule.get("verbs")) {
                ensure!(
                    !["escalate", "bind", "impersonate"].contains(&verb),
                    "{role} allows {verb}"
                );
            }
            for resource in texts(rule.get("resources")) {
                ensure!(!NEVER.contains(&resource), "{role} allows {resource}");
            }
        }
    }
    Ok(())
}

/// With `watchNamespaces` nothing is allowed outside of these, but the Lease beside the operator.
pub(super) fn check_limited(manifests: &[Manifest], namespaces: &[&str]) -> anyhow::Result<()> {
    let of_all = manifests
        .iter()
        .find(|it| it.kind() == "ClusterRoleBinding");
    if let Some(binding) = of_all {
        bail!("{binding} allows something in all namespaces");
    }
    let mut bound: Vec<&str> = manifests
        .iter()
        .filter(|it| it.kind() == "RoleBinding")
        .filter_map(Manifest::namespace)
        .collect();
    bound.sort_unstable();
    let mut expected = [namespaces, &[NAME]].concat();
    expected.sort_unstable();
    ensure!(
        bound == expected,
        "roles are bound in {bound:?}, not in {expected:?}"
    );
    check_bindings(manifests)
}

/// Every binding binds a role of this chart to the account that the pods have.
pub(super) fn check_bindings(manifests: &[Manifest]) -> anyhow::Result<()> {
    let deployment = super::manifest::only(manifests, "Deployment")?;
    let account = deployment.text("/spec/template/spec/serviceAccountName");
    for binding in manifests
        .iter()
        .filter(|it| it.kind().ends_with("RoleBinding"))
    {
        let kind = binding.text("/roleRef/kind");
        let namespace = binding.namespace().filter(|_| kind == "Role");
        let role = find(manifests, kind, binding.text("/roleRef/name"), namespace);
        ensure!(role.is_some(), "{binding} binds a role that is not there");
        let subject = serde_json::json!([
            {"kind": "ServiceAccount", "name": account, "namespace": NAME}
        ]);
        ensure!(
            binding.0.get("subjects") == Some(&subject),
            "{binding} is for somebody else than the operator's pods"
        );
    }
    Ok(())
}

/// The operator's own roles allow this.
pub(super) fn check_allows(
    manifests: &[Manifest],
    group: &str,
    resource: &str,
    verbs: &[&str],
) -> anyhow::Result<()> {
    let bound = manifests
        .iter()
        .filter(|it| it.kind().ends_with("RoleBinding"))
        .map(|it| it.text("/roleRef/name"));
    let bound: Vec<&str> = bound.collect();
    let rules: Vec<&Value> = manifests
        .iter()
        .filter(|it| it.kind().ends_with("Role") && bound.contains(&it.name()))
        .flat_map(|it| it.list("/rules"))
        .collect();
    for verb in verbs {
        let allows = |rule: &&&Value| {
            texts(rule.get("apiGroups")).contains(&group)
                && texts(rule.get("resources")).contains(&resource)
                && texts(rule.get("verbs")).contains(verb)
        };
        ensure!(
            rules.iter().any(|rule| allows(&rule)),
            "the operator may not {verb} {resource} in {group:?}"
        );
    }
    Ok(())
}

fn find<'a>(
    manifests: &'a [Manifest],
    kind: &str,
    name: &str,
    namespace: Option<&str>,
) -> Option<&'a Manifest> {
    manifests.iter().find(|it| {
        it.kind() == kind
            && it.name() == name
            && namespace.is_none_or(|_| it.namespace() == namespace)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn role(rule: &Value) -> [Manifest; 1] {
        [Manifest(
            json!({"kind": "Role", "metadata": {"name": "x"}, "rules": [rule]}),
        )]
    }

    #[test]
    fn a_wildcard_is_found_wherever_it_is() {
        let good = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]});
        assert!(check(&role(&good)).is_ok());
        for field in ["apiGroups", "resources", "verbs"] {
            let mut wild = good.clone();
            wild[field] = json!(["list", "*"]);
            assert!(check(&role(&wild)).is_err(), "{field}");
        }
    }

    #[test]
    fn rights_that_lead_to_others_are_found() {
        for (resource, verb) in [("roles", "create"), ("pods/exec", "create"), ("x", "bind")] {
            let rule = json!({"apiGroups": [""], "resources": [resource], "verbs": [verb]});
            assert!(check(&role(&rule)).is_err(), "{verb} {resource}");
        }
    }
}
