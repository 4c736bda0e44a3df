//! The key that members know each other by, the operator's login, the service's, and the connection
//! string that is made of it.
//!
//! The first three are drawn once and immutable: one that is changed by hand would lock everybody
//! out. The connection string follows from them and from the cluster's domain, which may be
//! corrected, so it has a Secret of its own that can change.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use rand::RngCore;
use thiserror::Error;

use crate::build::{Environment, Object, metadata};
use crate::desired::Owner;
use crate::kind::Kind;
use crate::names::{Component, DATABASE, MONGODB_PORT};

/// The entry of the key, and the name of its file.
pub(super) const KEY: &str = "key";
/// The entry of the connection string, and the name of its file.
pub(super) const URI: &str = "uri";
const USERNAME: &str = "username";
const PASSWORD: &str = "password";

/// The operator's user in MongoDB.
pub const OPERATOR_USER: &str = "sessionstore-operator";
/// The service's user in MongoDB.
pub const SERVICE_USER: &str = "sessionstore";

/// What opens a replica set. Made once, and never again while any of it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The members' common key: 1,008 characters of base64. Who has it is root.
    pub key: String,
    /// The password of [`OPERATOR_USER`].
    pub operator_password: String,
    /// The password of [`SERVICE_USER`].
    pub service_password: String,
}

/// Passwords do not belong into logs.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// A Secret is there, but not with what it has to hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the Secret {secret} has no text in its entry {entry}")]
pub struct Malformed {
    /// Which one.
    pub secret: String,
    /// Which of its entries.
    pub entry: &'static str,
}

impl Credentials {
    /// Those that are stored. What is not stored is taken from `kept`, since the members still know
    /// it; and if there is none, drawn from `random`, which has to be secure.
    ///
    /// # Errors
    /// A Secret does not hold what it should: a person has to look at it.
    pub fn complete(
        owner: &Owner,
        stored: &[Secret],
        kept: Option<&Self>,
        random: &mut dyn RngCore,
    ) -> Result<Self, Malformed> {
        let mut entry = |secret: String, entry, kept: Option<&String>, draw: Draw| {
            let Some(found) = find(stored, &secret) else {
                return Ok(kept.map_or_else(|| draw(random), String::clone));
            };
            let value = found.data.as_ref().and_then(|data| data.get(entry));
            let text = value.and_then(|value| std::str::from_utf8(&value.0).ok());
            match text {
                Some(text) if !text.is_empty() => Ok(text.to_owned()),
                _ => Err(Malformed { secret, entry }),
            }
        };
        let kept_key = kept.map(|kept| &kept.key);
        let kept_operator = kept.map(|kept| &kept.operator_password);
        let kept_service = kept.map(|kept| &kept.service_password);
        Ok(Self {
            key: entry(owner.key_secret(), KEY, kept_key, key)?,
            operator_password: entry(owner.operator_secret(), PASSWORD, kept_operator, password)?,
            service_password: entry(owner.user_secret(), PASSWORD, kept_service, password)?,
        })
    }

    /// The names of the Secrets that they are kept in.
    pub fn secrets(owner: &Owner) -> [String; 3] {
        [
            owner.key_secret(),
            owner.operator_secret(),
            owner.user_secret(),
        ]
    }

    /// Where the service finds the replica set. It names what never changes, ordinal 0 and all of
    /// them, so that scaling restarts nothing; the driver learns the rest from there.
    pub fn uri(&self, owner: &Owner, domain: &str) -> String {
        let first = owner.member_host(0, domain);
        let all = owner.members_host(domain);
        // Passwords are of the URL-safe alphabet.
        let password = &self.service_password;
        format!(
            "mongodb://{SERVICE_USER}:{password}@{first},{all}:{MONGODB_PORT}/{DATABASE}\
             ?replicaSet={}&authSource={DATABASE}&connectTimeoutMS=1500&heartbeatFrequencyMS=1000",
            owner.name
        )
    }
}

type Draw = fn(&mut dyn RngCore) -> String;

/// mongod takes 6 to 1,024 characters.
fn key(random: &mut dyn RngCore) -> String {
    let mut bytes = [0; 756];
    random.fill_bytes(&mut bytes);
    STANDARD.encode(bytes)
}

fn password(random: &mut dyn RngCore) -> String {
    let mut bytes = [0; 32];
    random.fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn find<'a>(secrets: &'a [Secret], name: &str) -> Option<&'a Secret> {
    secrets.iter().find(|it| it.name_any() == name)
}

/// `stored` are those that are there already.
pub(super) fn all(
    owner: &Owner,
    environment: &Environment,
    credentials: &Credentials,
    stored: &[Secret],
) -> [Object; 4] {
    let key = [(KEY, &*credentials.key)];
    let operator = [
        (USERNAME, OPERATOR_USER),
        (PASSWORD, &credentials.operator_password),
    ];
    let user = [
        (USERNAME, SERVICE_USER),
        (PASSWORD, &credentials.service_password),
    ];
    let uri = credentials.uri(owner, &environment.cluster_domain);
    let immutable = |name: String, entries: &[(&str, &str)]| {
        // It can be applied only as it was made, be that by a release that kept more in it.
        let made = find(stored, &name).filter(|it| it.immutable == Some(true));
        let data = made.and_then(|it| it.data.clone());
        secret(owner, &name, data.unwrap_or_else(|| data_of(entries)), true)
    };
    [
        immutable(owner.key_secret(), &key),
        immutable(owner.operator_secret(), &operator),
        immutable(owner.user_secret(), &user),
        secret(owner, &owner.uri_secret(), data_of(&[(URI, &uri)]), false),
    ]
}

type Data = BTreeMap<String, ByteString>;

fn data_of(entries: &[(&str, &str)]) -> Data {
    entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())))
        .collect()
}

fn secret(owner: &Owner, name: &str, data: Data, is_immutable: bool) -> Object {
    let secret = Secret {
        metadata: metadata(owner, name, Component::Mongodb),
        data: Some(data),
        immutable: is_immutable.then_some(true),
        ..Secret::default()
    };
    Object::new(Kind::Secret, name, &secret)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn owner() -> Owner {
        Owner {
            name: "voice".to_owned(),
            namespace: "default".to_owned(),
            uid: "1".to_owned(),
        }
    }

    fn stored(name: &str, entries: &[(&str, &[u8])]) -> Secret {
        let entries = entries.iter();
        let data = entries.map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec())));
        Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            data: Some(data.collect()),
            immutable: Some(true),
            ..Secret::default()
        }
    }

    fn complete(
        stored: &[Secret],
        kept: Option<&Credentials>,
        seed: u64,
    ) -> Result<Credentials, Malformed> {
        Credentials::complete(&owner(), stored, kept, &mut StdRng::seed_from_u64(seed))
    }

    fn environment(domain: &str) -> Environment {
        Environment {
            operator_image: "operator".to_owned(),
            operator_namespace: "operators".to_owned(),
            cluster_domain: domain.to_owned(),
        }
    }

    #[test]
    fn new_ones_are_what_mongod_takes_and_no_two_are_the_same() {
        let one = complete(&[], None, 1).unwrap();
        assert!((6..=1_024).contains(&one.key.len()));
        assert!(STANDARD.decode(&one.key).is_ok());
        assert_eq!(one.service_password.len(), 43);
        assert_ne!(one.service_password, one.operator_password);
        assert!(one != complete(&[], None, 2).unwrap());
    }

    #[test]
    fn what_is_stored_counts_before_what_is_remembered() {
        let kept = complete(&[], None, 1).unwrap();
        let key = stored("voice-mongodb-key", &[("key", b"STORED")]);
        let found = complete(&[key], Some(&kept), 2).unwrap();
        assert_eq!(found.key, "STORED");
        assert_eq!(found.operator_password, kept.operator_password);
        assert_eq!(found.service_password, kept.service_password);
    }

    #[test]
    fn a_secret_without_its_text_is_for_a_person_to_look_at_and_never_replaced() {
        let kept = complete(&[], None, 1).unwrap();
        let broken: [&[(&str, &[u8])]; 4] = [
            &[],
            &[("other", b"x")],
            &[("password", b"")],
            &[("password", b"\xff\xfe")],
        ];
        for entries in broken {
            let broken = stored("voice-mongodb-user", entries);
            let malformed = complete(&[broken], Some(&kept), 2).unwrap_err();
            assert_eq!(malformed.secret, "voice-mongodb-user");
            assert_eq!(malformed.entry, "password");
        }
    }

    #[test]
    fn passwords_are_in_no_log() {
        let one = complete(&[], None, 1).unwrap();
        assert_eq!(format!("{one:?}"), "Credentials(..)");
    }

    #[test]
    fn the_connection_string_is_the_same_for_any_number_of_members() {
        let one = complete(&[], None, 1).unwrap();
        let uri = one.uri(&owner(), "cluster.local");
        let members = "voice-mongodb.default.svc.cluster.local:27017";
        let hosts = format!("@voice-mongodb-0.{members},{members}/sessionstore?replicaSet=voice&");
        assert!(uri.contains(&hosts), "{uri}");
    }

    #[test]
    fn another_domain_changes_nothing_that_cannot_be_changed() {
        let one = complete(&[], None, 1).unwrap();
        let of = |domain: &str| all(&owner(), &environment(domain), &one, &[]);
        let (before, after) = (of("cluster.local"), of("example.net"));
        let is_immutable = |it: &Object| it.manifest["immutable"] == true;
        for (before, after) in before.iter().zip(&after) {
            assert_ne!(before == after, !is_immutable(before), "{}", before.name);
        }
        let mutable: Vec<_> = before.iter().filter(|it| !is_immutable(it)).collect();
        assert_eq!(mutable.len(), 1);
        assert_eq!(mutable[0].name, "voice-mongodb-uri");
    }

    #[test]
    fn an_immutable_secret_is_applied_as_an_earlier_release_has_made_it() {
        let entries: &[(&str, &[u8])] = &[
            ("username", b"sessionstore"),
            ("password", b"STORED"),
            ("uri", b"mongodb://elsewhere"),
        ];
        let user = [stored("voice-mongodb-user", entries)];
        let one = complete(&user, None, 1).unwrap();
        let all = all(&owner(), &environment("cluster.local"), &one, &user);
        let made: Secret = serde_json::from_value(all[2].manifest.clone()).unwrap();
        assert_eq!(made.data, user[0].data);
        let uri: Secret = serde_json::from_value(all[3].manifest.clone()).unwrap();
        let uri = &uri.data.unwrap()["uri"].0;
        assert!(String::from_utf8_lossy(uri).contains(":STORED@voice-mongodb-0."));
    }
}
