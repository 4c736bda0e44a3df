//! What there is to do to bring objects to what they are to be. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kube::ResourceExt;
use kube::api::DynamicObject;

use crate::apply::Repair;
use crate::build::{Object, digest};
use crate::clock::Time;
use crate::kind::Kind;

/// Tells an object from all others of its namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

impl Key {
    /// The object of this kind and name.
    pub fn new(kind: Kind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
        }
    }

    /// That of an object.
    pub fn of(object: &Object) -> Self {
        Self::new(object.kind, &object.name)
    }
}

/// How far the watch of each kind has got: the newest version of all that it has told, deletions
/// too. What is not in here has told nothing yet.
pub type Seen = BTreeMap<Kind, u64>;

/// A version as the number that it is: they count up over all objects of a kind, which Kubernetes
/// promises from 1.35 on and has always done (KEP-5504). 0, which is older than all, if it is none.
pub fn version(resource_version: Option<&str>) -> u64 {
    let number = resource_version.and_then(|it| it.parse().ok());
    number.unwrap_or_default()
}

/// An object in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Which one.
    pub key: Key,
    /// Which one of that name.
    pub uid: String,
    /// Changes with all that somebody may set, and with nothing that the cluster reports.
    pub fingerprint: String,
    /// Its [`version`].
    pub version: u64,
    /// Whether it is being deleted.
    pub is_going: bool,
}

impl Observed {
    /// What there is to know of an object.
    pub fn of(kind: Kind, object: &DynamicObject) -> Self {
        Self {
            key: Key::new(kind, &object.name_any()),
            uid: object.uid().unwrap_or_default(),
            fingerprint: fingerprint(object),
            version: version(object.metadata.resource_version.as_deref()),
            is_going: object.metadata.deletion_timestamp.is_some(),
        }
    }

    /// Whether the cluster has at most reported something in between.
    pub fn is_like(&self, other: &Self) -> bool {
        let version = self.version;
        *self
            == Self {
                version,
                ..other.clone()
            }
    }
}

/// What has been applied, and what the objects looked like then. Kept while the process lives: a
/// new one applies everything once, which changes nothing.
#[derive(Debug, Default)]
pub struct Applied(BTreeMap<Key, Trace>);

#[derive(Debug, PartialEq, Eq)]
struct Trace {
    manifest: String,
    fingerprint: String,
    /// What the last write made of it, and when that was.
    version: u64,
    generation: Option<i64>,
    at: Time,
    /// The last time that it had moved by itself.
    repair: Option<Repair>,
}

/// How long a watch may lag behind a write before what it shows counts nevertheless. A watch that
/// was interrupted does not tell of what was made and deleted meanwhile.
pub(super) const LATE: Duration = Duration::from_secs(10);

/// The drift of an object that is not there.
const GONE: &str = "";

impl Applied {
    /// Notes that `object` was applied, and what became of it. `before` is what was there.
    pub fn note(
        &mut self,
        object: &Object,
        before: Option<&Observed>,
        live: &DynamicObject,
        now: Time,
    ) {
        let key = Key::of(object);
        let manifest = object.digest();
        let trace = self.0.get(&key).filter(|trace| trace.manifest == manifest);
        let repair = trace.map(|trace| Repair::next(trace.repair.as_ref(), drift(before), now));
        let trace = Trace {
            manifest,
            fingerprint: fingerprint(live),
            version: version(live.metadata.resource_version.as_deref()),
            generation: live.metadata.generation,
            at: now,
            repair,
        };
        self.0.insert(key, trace);
    }

    /// Notes that an object is gone.
    pub fn forget(&mut self, key: &Key) {
        self.0.remove(key);
    }

    /// Whether an object of this name was applied.
    pub fn has(&self, key: &Key) -> bool {
        self.0.contains_key(key)
    }

    /// The generation that an object has had since it was applied last.
    pub fn generation(&self, key: &Key) -> Option<i64> {
        self.0.get(key)?.generation
    }

    /// How much longer to wait before something is decided on an object of this version: the watch has
    /// not told yet what was applied.
    pub fn settling(&self, key: &Key, found: u64, now: Time) -> Option<Duration> {
        let trace = self.0.get(key).filter(|it| found < it.version)?;
        left(trace.at.saturating_add(LATE), now)
    }

    fn is_current(&self, object: &Object, observed: &Observed) -> bool {
        self.0.get(&observed.key).is_some_and(|trace| {
            trace.fingerprint == observed.fingerprint && trace.manifest == object.digest()
        })
    }

    /// How much longer to leave an object as it is: the watch has not told yet what was written, or
    /// somebody else sets it to the same again and again. `seen` is how far the watch has got.
    fn wait(
        &self,
        object: &Object,
        observed: Option<&Observed>,
        seen: u64,
        now: Time,
    ) -> Option<Duration> {
        let key = Key::of(object);
        let trace = self.0.get(&key)?;
        if trace.manifest != object.digest() {
            return None;
        }
        let version = observed.map_or(seen, |it| it.version);
        if version < trace.version {
            return self.settling(&key, version, now);
        }
        trace.repair.as_ref()?.wait(drift(observed), now)
    }
}

pub(super) fn left(end: Time, now: Time) -> Option<Duration> {
    end.checked_sub(now).filter(|left| !left.is_zero())
}

fn drift(observed: Option<&Observed>) -> &str {
    observed.map_or(GONE, |observed| &observed.fingerprint)
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<'a> {
    /// Apply an object that is not there.
    Make(&'a Object),
    /// Apply an object that is there.
    Apply(&'a Object, &'a Observed),
    /// Delete an object that is no longer wanted.
    Delete(&'a Observed),
}

/// What there is to do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Steps<'a> {
    /// Now, in this order.
    pub now: Vec<Step<'a>>,
    /// How soon to look again at what is left as it is for the moment.
    pub again: Option<Duration>,
}

impl Steps<'_> {
    /// The objects that are not there and are made now.
    pub fn made(&self) -> impl Iterator<Item = Key> + '_ {
        self.now.iter().filter_map(|step| match step {
            Step::Make(object) => Some(Key::of(object)),
            Step::Apply(..) | Step::Delete(_) => None,
        })
    }
}

/// What to do: apply what is missing or has moved, then delete what is left over. Nothing if nothing
/// has moved. `observed` holds only what belongs to the owner, and at least what was there when the
/// watches had got as far as `seen`.
pub fn steps<'a>(
    desired: &'a [Object],
    observed: &'a [Observed],
    seen: &Seen,
    applied: &Applied,
    now: Time,
) -> Steps<'a> {
    let there: BTreeMap<&Key, &Observed> = observed.iter().map(|it| (&it.key, it)).collect();
    let wanted: BTreeSet<Key> = desired.iter().map(Key::of).collect();
    let mut steps = Steps::default();
    for object in desired {
        let found = there.get(&Key::of(object)).copied();
        let step = match found {
            None => Step::Make(object),
            // It comes back when it is gone.
            Some(observed) if observed.is_going => continue,
            Some(observed) if applied.is_current(object, observed) => continue,
            Some(observed) => Step::Apply(object, observed),
        };
        let seen = seen.get(&object.kind).copied().unwrap_or_default();
        match applied.wait(object, found, seen, now) {
            None => steps.now.push(step),
            Some(wait) => steps.again = Some(steps.again.map_or(wait, |it| it.min(wait))),
        }
    }
    let left_over = observed
        .iter()
        .filter(|it| !it.is_going && !wanted.contains(&it.key));
    steps.now.extend(left_over.map(Step::Delete));
    steps
}

const ROLL_OUTS: &str = "deployment.kubernetes.io/revision";

/// Of all that somebody may set: not of the status, nor of what changes with each write.
fn fingerprint(object: &DynamicObject) -> String {
    let mut metadata = object.metadata.clone();
    metadata.managed_fields = None;
    metadata.resource_version = None;
    metadata.generation = None;
    if let Some(annotations) = &mut metadata.annotations {
        // The Deployment's controller counts its roll-outs here.
        annotations.remove(ROLL_OUTS);
        if annotations.is_empty() {
            metadata.annotations = None;
        }
    }
    let mut data = object.data.clone();
    if let Some(data) = data.as_object_mut() {
        data.remove("status");
        if let Some(spec) = data.get_mut("spec").and_then(|spec| spec.as_object_mut()) {
            // Set apart from all else, by the operator, an autoscaler, or a person.
            spec.remove("replicas");
        }
    }
    let metadata = serde_json::to_vec(&metadata).unwrap_or_default();
    digest([metadata.as_slice(), data.to_string().as_bytes()])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::apply::backoff;

    const NOW: Time = Duration::from_secs(1_000);

    /// A watch has told all that there is.
    const SEEN: u64 = 1_000;

    fn up_to(version: u64) -> Seen {
        Seen::from([(Kind::Service, version)])
    }

    /// The same object, as it was or is at another version.
    fn at(version: u64, object: &DynamicObject) -> DynamicObject {
        let mut object = object.clone();
        object.metadata.resource_version = Some(version.to_string());
        object
    }

    fn todo<'a>(
        desired: &'a [Object],
        observed: &'a [Observed],
        applied: &Applied,
    ) -> Vec<Step<'a>> {
        let steps = steps(desired, observed, &up_to(SEEN), applied, NOW);
        assert_eq!(steps.again, None);
        steps.now
    }

    fn object(name: &str, spec: &Value) -> Object {
        Object {
            kind: Kind::Service,
            name: name.to_owned(),
            manifest: json!({"metadata": {"name": name}, "spec": spec}),
        }
    }

    fn live(name: &str, spec: &Value) -> DynamicObject {
        serde_json::from_value(json!({
            "metadata": {"name": name, "uid": "1", "resourceVersion": "5"},
            "spec": spec,
            "status": {},
        }))
        .unwrap()
    }

    fn observed(object: &DynamicObject) -> Observed {
        Observed::of(Kind::Service, object)
    }

    #[test]
    fn what_was_applied_and_has_not_moved_is_left_alone() {
        let (wanted, is) = (
            object("a", &json!({"x": 1})),
            live("a", &json!({"x": 1, "y": 2})),
        );
        let mut applied = Applied::default();
        applied.note(&wanted, None, &is, NOW);
        assert_eq!(todo(&[wanted], &[observed(&is)], &applied), []);
    }

    #[test]
    fn a_new_status_is_no_reason_to_write() {
        let (wanted, is) = (object("a", &json!({"x": 1})), live("a", &json!({"x": 1})));
        let mut applied = Applied::default();
        applied.note(&wanted, None, &is, NOW);
        let mut later = is;
        later.metadata.resource_version = Some("6".to_owned());
        later.data["status"] = json!({"readyReplicas": 1});
        later.metadata.annotations = Some([(ROLL_OUTS.to_owned(), "1".to_owned())].into());
        later.data["spec"]["replicas"] = json!(3);
        assert_eq!(todo(&[wanted], &[observed(&later)], &applied), []);
    }

    #[test]
    fn a_field_or_label_that_somebody_changed_is_set_again() {
        let (wanted, is) = (object("a", &json!({"x": 1})), live("a", &json!({"x": 1})));
        let mut applied = Applied::default();
        applied.note(&wanted, None, &is, NOW);
        let mut edited = is.clone();
        edited.data["spec"]["x"] = json!(2);
        let mut labelled = is;
        labelled.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
        for moved in [edited, labelled] {
            let (wanted, moved) = ([wanted.clone()], [observed(&moved)]);
            let repair = [Step::Apply(&wanted[0], &moved[0])];
            assert_eq!(todo(&wanted, &moved, &applied), repair);
        }
    }

    #[test]
    fn a_new_manifest_is_applied() {
        let (old, is) = (object("a", &json!({"x": 1})), live("a", &json!({"x": 1})));
        let mut applied = Applied::default();
        applied.note(&old, None, &is, NOW);
        let (new, is) = ([object("a", &json!({"x": 2}))], [observed(&is)]);
        assert_eq!(todo(&new, &is, &applied), [Step::Apply(&new[0], &is[0])]);
    }

    #[test]
    fn what_is_missing_is_made_and_what_is_left_over_goes() {
        let (wanted, orphan) = (
            [object("a", &json!({}))],
            [observed(&live("b", &json!({})))],
        );
        assert_eq!(
            todo(&wanted, &orphan, &Applied::default()),
            [Step::Make(&wanted[0]), Step::Delete(&orphan[0])]
        );
    }

    #[test]
    fn what_is_going_already_is_waited_for() {
        let mut going = live("a", &json!({}));
        going.metadata.deletion_timestamp =
            Some(serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap());
        let (wanted, going) = ([object("a", &json!({}))], [observed(&going)]);
        assert_eq!(todo(&wanted, &going, &Applied::default()), []);
        assert_eq!(todo(&[], &going, &Applied::default()), []);
    }

    #[test]
    fn the_same_edit_again_waits_and_another_one_does_not() {
        let (wanted, is) = (object("a", &json!({"x": 1})), live("a", &json!({"x": 1})));
        let edited = observed(&live("a", &json!({"x": 2})));
        let mut applied = Applied::default();
        applied.note(&wanted, None, &is, NOW);
        applied.note(&wanted, Some(&edited), &is, NOW);
        let (wanted, edited) = ([wanted], [edited]);
        let again = steps(&wanted, &edited, &up_to(SEEN), &applied, NOW);
        assert_eq!((again.now, again.again), (Vec::new(), Some(backoff(1))));
        let later = steps(&wanted, &edited, &up_to(SEEN), &applied, NOW + backoff(1));
        assert_eq!(later.now, [Step::Apply(&wanted[0], &edited[0])]);
        let other = [observed(&live("a", &json!({"x": 3})))];
        let repair = [Step::Apply(&wanted[0], &other[0])];
        assert_eq!(todo(&wanted, &other, &applied), repair);
    }

    #[test]
    fn what_is_deleted_again_and_again_waits_too() {
        let (wanted, is) = (object("a", &json!({})), live("a", &json!({})));
        let mut applied = Applied::default();
        applied.note(&wanted, None, &is, NOW);
        let wanted = [wanted];
        assert_eq!(todo(&wanted, &[], &applied), [Step::Make(&wanted[0])]);
        applied.note(&wanted[0], None, &is, NOW);
        let again = steps(&wanted, &[], &up_to(SEEN), &applied, NOW);
        assert_eq!((again.now, again.again), (Vec::new(), Some(backoff(1))));
    }

    /// What is to be done when `is` was applied, and a watch that has got as far as `seen` shows
    /// this. The watch is given some time, and no more.
    fn while_late(observed: &[Observed], is: &DynamicObject, seen: u64) -> bool {
        let wanted = [object("a", &json!({"x": 1}))];
        let mut applied = Applied::default();
        applied.note(&wanted[0], None, is, NOW);
        let at = |now| steps(&wanted, observed, &up_to(seen), &applied, now);
        assert!(
            !at(NOW + LATE).now.is_empty(),
            "the watch is waited for in vain"
        );
        let steps = at(NOW);
        assert_eq!(steps.again, steps.now.is_empty().then_some(LATE));
        steps.again.is_some()
    }

    #[test]
    fn what_a_late_watch_does_not_show_yet_is_not_made_again() {
        let is = at(5, &live("a", &json!({"x": 1})));
        assert!(while_late(&[], &is, 4));
        // It has told of something later, so this one has been deleted.
        assert!(!while_late(&[], &is, 5));
    }

    #[test]
    fn what_a_late_watch_shows_as_it_was_is_not_applied_again() {
        let is = at(5, &live("a", &json!({"x": 1})));
        let (before, edited) = (live("a", &json!({"x": 0})), live("a", &json!({"x": 7})));
        // Others of its kind have moved meanwhile, or not.
        for seen in [4, SEEN] {
            assert!(while_late(&[observed(&at(4, &before))], &is, seen));
            assert!(!while_late(&[observed(&at(6, &edited))], &is, seen));
        }
    }

    #[test]
    fn a_new_manifest_waits_for_nobody() {
        let (old, is) = (object("a", &json!({"x": 1})), live("a", &json!({"x": 1})));
        let edited = observed(&live("a", &json!({"x": 2})));
        let mut applied = Applied::default();
        applied.note(&old, None, &is, NOW);
        applied.note(&old, Some(&edited), &is, NOW);
        let (new, edited) = ([object("a", &json!({"x": 4}))], [edited]);
        let apply = [Step::Apply(&new[0], &edited[0])];
        assert_eq!(todo(&new, &edited, &applied), apply);
    }
}
