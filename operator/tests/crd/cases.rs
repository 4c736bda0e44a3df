//! What is tried on the rules: at least one object that each of them refuses, and its neighbours
//! that it takes.

use serde_json::{Value, json};
use sessionstore_operator::crd::OWN_SETTINGS;

/// The path that is blamed by each refusal, and how its message begins.
pub(crate) type Refusals = &'static [(&'static str, &'static str)];

/// What is tried, and the refusals that must come of it.
pub(crate) struct Case {
    pub(crate) what: &'static str,
    pub(crate) before: Option<Value>,
    pub(crate) now: Value,
    pub(crate) refused: Refusals,
}

fn created(what: &'static str, spec: Value, refused: Refusals) -> Case {
    Case {
        what,
        before: None,
        now: named("voice", spec),
        refused,
    }
}

fn changed(what: &'static str, before: Value, now: Value, refused: Refusals) -> Case {
    Case {
        what,
        before: Some(named("voice", before)),
        now: named("voice", now),
        refused,
    }
}

fn called(what: &'static str, name: &str, refused: Refusals) -> Case {
    Case {
        what,
        before: None,
        now: named(name, json!({})),
        refused,
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "reads better where it is called"
)]
fn named(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "sessionstore.dev/v1alpha1",
        "kind": "SessionStore",
        "metadata": {"name": name},
        "spec": spec,
    })
}

fn external() -> Value {
    json!({"mongodb": {"external": {"uriSecretRef": {"name": "atlas"}}}})
}

pub(crate) fn cases() -> Vec<Case> {
    [
        names(),
        replica_sets(),
        externals(),
        storages(),
        resources(),
        apis(),
        nodes(),
        monitorings(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn names() -> Vec<Case> {
    const TOO_LONG: Refusals = &[("", "the name is longer than 40")];
    const NO_LABEL: Refusals = &[("", "the name becomes part of the names of Services")];
    vec![
        called("a name of 40", &"a".repeat(40), &[]),
        called("a name of 41", &"a".repeat(41), TOO_LONG),
        called("a name of one letter", "v", &[]),
        called("a name with digits and dashes", "voice-2-eu", &[]),
        called("a name with a dot", "voice.eu", NO_LABEL),
        called("a name that begins with a digit", "2voices", NO_LABEL),
        called("a name that ends with a dash", "voice-", NO_LABEL),
    ]
}

fn replica_sets() -> Vec<Case> {
    const EVEN: Refusals = &[("spec.mongodb.members", "members elect by majority")];
    const OTHER_USER: Refusals = &[(
        "spec.mongodb.runAsUser",
        "the files on the volumes belong to the user",
    )];
    let members = |count: i32| json!({"mongodb": {"members": count}});
    let user = |id: i64| json!({"mongodb": {"runAsUser": id}});
    vec![
        created("nothing at all", json!({}), &[]),
        created("no member", members(0), EVEN),
        created("one member", members(1), &[]),
        created("two members", members(2), EVEN),
        created("three members", members(3), &[]),
        created("four members", members(4), EVEN),
        created("five members", members(5), &[]),
        created("seven members", members(7), EVEN),
        changed("more members", members(3), members(5), &[]),
        changed("fewer members", members(5), members(1), &[]),
        changed("members no longer said", members(5), json!({}), &[]),
        created("a user", user(1001), &[]),
        changed("another user", user(1001), user(1002), OTHER_USER),
        changed(
            "a user where none was said",
            json!({}),
            user(1001),
            OTHER_USER,
        ),
        changed("a user no longer said", user(1001), json!({}), OTHER_USER),
        changed("the default user said", json!({}), user(999), &[]),
        changed(
            "another image",
            json!({}),
            json!({"mongodb": {"image": "mongo:8.2"}}),
            &[],
        ),
    ]
}

fn externals() -> Vec<Case> {
    const MIXED: Refusals = &[(
        "spec.mongodb.external",
        "external is a MongoDB that the operator",
    )];
    const MOVED: Refusals = &[("spec.mongodb.external", "a store cannot move between")];
    let with = |field: &str, value: Value| {
        let mut spec = external();
        spec["mongodb"][field] = value;
        spec
    };
    vec![
        created("an external MongoDB", external(), &[]),
        created("external and members", with("members", json!(3)), MIXED),
        created(
            "external and image",
            with("image", json!("mongo:8.0")),
            MIXED,
        ),
        created("external and storage", with("storage", json!({})), MIXED),
        created(
            "external and resources",
            with("resources", json!({})),
            MIXED,
        ),
        created("external and a user", with("runAsUser", json!(999)), MIXED),
        created(
            "external and nodes",
            with("nodeSelector", json!({"a": "b"})),
            MIXED,
        ),
        created(
            "external and taints",
            with("tolerations", json!([{"key": "a"}])),
            MIXED,
        ),
        created(
            "external and priority",
            with("priorityClassName", json!("high")),
            MIXED,
        ),
        changed("from own to external", json!({}), external(), MOVED),
        changed("from external to own", external(), json!({}), MOVED),
        changed(
            "another Secret of an external MongoDB",
            external(),
            json!({"mongodb": {"external": {"uriSecretRef": {"name": "other", "key": "url"}}}}),
            &[],
        ),
    ]
}

fn nodes() -> Vec<Case> {
    const DATABASES: Refusals = &[("spec.mongodb.nodeSelector", "the key of a label")];
    const SERVING: Refusals = &[("spec.api.nodeSelector", "the key of a label")];
    let mongodb = |key: &str| json!({"mongodb": {"nodeSelector": {key: "fast"}}});
    let api = |key: &str| json!({"api": {"nodeSelector": {key: "fast"}}});
    let long = "d".repeat(64);
    vec![
        created("a plain label", mongodb("disk"), &[]),
        created(
            "a label of a domain",
            api("node.kubernetes.io/instance-type"),
            &[],
        ),
        created("the longest name", mongodb(&long[..63]), &[]),
        created("a name that is too long", mongodb(&long), DATABASES),
        created("a label that is none", api("not a label!"), SERVING),
        created("a label without a name", mongodb("example.com/"), DATABASES),
        created("a label of no domain", api("Example/disk"), SERVING),
        created(
            "a domain that is too long",
            mongodb(&format!("{}/disk", "d.".repeat(157) + "d")),
            DATABASES,
        ),
    ]
}

fn storages() -> Vec<Case> {
    const TOO_SMALL: Refusals = &[(
        "spec.mongodb.storage.size",
        "an empty mongod takes about 256Mi",
    )];
    const RESIZED: Refusals = &[(
        "spec.mongodb.storage.size",
        "the size of the volumes cannot be changed yet",
    )];
    const MOVED: Refusals = &[(
        "spec.mongodb.storage.storageClassName",
        "volumes cannot move to another storage class",
    )];
    let size = |size: &str| json!({"mongodb": {"storage": {"size": size}}});
    let class = |class: &str| json!({"mongodb": {"storage": {"storageClassName": class}}});
    let kept =
        |when: &str| json!({"mongodb": {"storage": {"whenDeleted": when, "whenScaled": when}}});
    vec![
        created("volumes of 256Mi", size("256Mi"), &[]),
        created("volumes of 255Mi", size("255Mi"), TOO_SMALL),
        created("volumes of 300 million bytes", size("300M"), &[]),
        created("volumes of 8 gibibytes in Ki", size("8388608Ki"), &[]),
        changed("larger volumes", size("20Gi"), size("30Gi"), RESIZED),
        changed("smaller volumes", size("20Gi"), size("10Gi"), RESIZED),
        changed(
            "larger volumes where none were said",
            json!({}),
            size("30Gi"),
            RESIZED,
        ),
        changed("volumes no longer said", size("30Gi"), json!({}), RESIZED),
        changed("the default size said", json!({}), size("20Gi"), &[]),
        changed(
            "the same size in other words",
            size("20Gi"),
            size("20480Mi"),
            &[],
        ),
        changed("another class", class("fast"), class("slow"), MOVED),
        changed(
            "a class where none was said",
            json!({}),
            class("fast"),
            MOVED,
        ),
        changed("a class no longer said", class("fast"), json!({}), MOVED),
        changed(
            "a class no longer said in storage",
            class("fast"),
            size("20Gi"),
            MOVED,
        ),
        changed("other policies", kept("Retain"), kept("Delete"), &[]),
    ]
}

fn resources() -> Vec<Case> {
    const TIGHT: Refusals = &[(
        "spec.mongodb.resources.limits.memory",
        "mongod takes 256Mi for its cache alone",
    )];
    let amounts = |part: &str, requests: Value, limits: Value| json!({part: {"resources": {"requests": requests, "limits": limits}}});
    vec![
        created("empty resources", amounts("api", json!({}), json!({})), &[]),
        created(
            "resources in every form",
            amounts(
                "mongodb",
                json!({"cpu": 1, "memory": "1Gi"}),
                json!({"cpu": "1500m", "memory": "1073741824"}),
            ),
            &[],
        ),
        created(
            "a limit of 255Mi",
            amounts("mongodb", json!({}), json!({"memory": "255Mi"})),
            TIGHT,
        ),
        created(
            "a limit of 256Mi",
            amounts("mongodb", json!({}), json!({"memory": "256Mi"})),
            &[],
        ),
        created(
            "a limit in bytes",
            amounts("mongodb", json!({}), json!({"memory": 1000})),
            TIGHT,
        ),
        created(
            "a tight API",
            amounts("api", json!({}), json!({"memory": "32Mi"})),
            &[],
        ),
        created(
            "mongodb requests more CPU than its limit",
            amounts("mongodb", json!({"cpu": 2}), json!({"cpu": "1500m"})),
            &[(
                "spec.mongodb.resources.requests.cpu",
                "requests.cpu is greater",
            )],
        ),
        created(
            "mongodb requests more memory than its limit",
            amounts(
                "mongodb",
                json!({"memory": "2Gi"}),
                json!({"memory": "1Gi"}),
            ),
            &[(
                "spec.mongodb.resources.requests.memory",
                "requests.memory is greater",
            )],
        ),
        created(
            "the API requests more CPU than its limit",
            amounts("api", json!({"cpu": "600m"}), json!({"cpu": "0.5"})),
            &[("spec.api.resources.requests.cpu", "requests.cpu is greater")],
        ),
        created(
            "the API requests more memory than its limit",
            amounts("api", json!({"memory": "1Gi"}), json!({"memory": "512Mi"})),
            &[(
                "spec.api.resources.requests.memory",
                "requests.memory is greater",
            )],
        ),
    ]
}

fn apis() -> Vec<Case> {
    const BOTH: Refusals = &[(
        "spec.api.replicas",
        "a fixed number of replicas and autoscaling",
    )];
    const CROSSED: Refusals = &[(
        "spec.api.autoscaling.minReplicas",
        "minReplicas is greater than maxReplicas",
    )];
    const UNMEASURED: Refusals = &[(
        "spec.api.resources",
        "autoscaling compares the use of CPU with what is requested",
    )];
    const MISNAMED: Refusals = &[(
        "spec.api.settings",
        "settings are named like the service's flags",
    )];
    const OWN: Refusals = &[("spec.api.settings", "the operator itself sets")];
    let api = |api: Value| json!({"api": api});
    let scaled = |resources: Value| json!({"api": {"autoscaling": {}, "resources": resources}});
    let setting = |name: &str| json!({"api": {"settings": {name: "1"}}});
    let mut cases = vec![
        created("a fixed number", api(json!({"replicas": 4})), &[]),
        created("autoscaling", api(json!({"autoscaling": {}})), &[]),
        created("both", api(json!({"replicas": 4, "autoscaling": {}})), BOTH),
        changed(
            "scaled by hand",
            api(json!({"replicas": 4})),
            api(json!({"replicas": 2})),
            &[],
        ),
        changed(
            "scaled by hand while it follows the load",
            api(json!({"autoscaling": {}})),
            api(json!({"replicas": 2, "autoscaling": {}})),
            BOTH,
        ),
        changed(
            "from a fixed number to autoscaling",
            api(json!({"replicas": 4})),
            api(json!({"autoscaling": {"maxReplicas": 6}})),
            &[],
        ),
        created(
            "least as great as greatest",
            api(json!({"autoscaling": {"minReplicas": 10}})),
            &[],
        ),
        created(
            "least above the default",
            api(json!({"autoscaling": {"minReplicas": 11}})),
            CROSSED,
        ),
        created(
            "least above greatest",
            api(json!({"autoscaling": {"minReplicas": 4, "maxReplicas": 3}})),
            CROSSED,
        ),
        created(
            "autoscaling by a request",
            scaled(json!({"requests": {"cpu": "200m"}})),
            &[],
        ),
        created(
            "autoscaling by a limit",
            scaled(json!({"limits": {"cpu": 1}})),
            &[],
        ),
        created("autoscaling by nothing", scaled(json!({})), UNMEASURED),
        created(
            "autoscaling by memory",
            scaled(json!({"requests": {"memory": "64Mi"}})),
            UNMEASURED,
        ),
        created("a setting", setting("request-timeout"), &[]),
        created(
            "a setting named like a variable",
            setting("SESSIONSTORE_LANES"),
            MISNAMED,
        ),
        created(
            "a setting named like a field",
            setting("requestTimeout"),
            MISNAMED,
        ),
        created(
            "a setting with a name of 64",
            setting("a-name-that-is-longer-than-the-sixty-three-characters-of-a-label"),
            MISNAMED,
        ),
    ];
    cases.extend(
        OWN_SETTINGS.map(|name| created("a setting of the operator's", setting(name), OWN)),
    );
    cases
}

fn monitorings() -> Vec<Case> {
    const UNUSED: Refusals = &[(
        "spec.monitoring.labels",
        "labels are those of the ServiceMonitor",
    )];
    let labels = json!({"release": "prometheus"});
    vec![
        created(
            "labels of a ServiceMonitor",
            json!({"monitoring": {"serviceMonitor": true, "labels": labels}}),
            &[],
        ),
        created(
            "labels of none",
            json!({"monitoring": {"labels": labels}}),
            UNUSED,
        ),
        created(
            "the scraper alone",
            json!({"monitoring": {"scraperNamespace": "monitoring"}}),
            &[],
        ),
    ]
}
