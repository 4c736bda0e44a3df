//! The key and the passwords: those that are stored; then those that are remembered, since the members
//! still know them; and only then new ones.

use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;

use crate::apply::{ApplyError, Key, own};
use crate::build::Credentials;
use crate::dereference::{DereferenceError, World};
use crate::desired::Owner;
use crate::kind::Kind;
use crate::reconcile::memory::Memory;
use crate::reconcile::{Context, ReconcileError};

/// The key and the passwords, and the Secrets that they were found in.
pub(super) struct Found {
    pub(super) credentials: Credentials,
    pub(super) secrets: Vec<Secret>,
}

impl Found {
    /// Whether all of it is stored.
    pub(super) fn is_stored(&self, owner: &Owner) -> bool {
        missing(owner, &self.secrets).is_empty()
    }
}

impl Context {
    /// Before anything is drawn, the API server itself is asked: what has lost its label or its owner
    /// is out of sight, and a watch may lag.
    pub(super) async fn credentials(
        &self,
        owner: &Owner,
        world: &World,
        memory: &mut Memory,
    ) -> Result<Found, ReconcileError> {
        let mut secrets = world.secrets(owner)?;
        if memory.credentials.is_none() {
            let api = Api::<Secret>::namespaced(self.client.clone(), &owner.namespace);
            for name in missing(owner, &secrets) {
                let found = api.get_opt(&name).await;
                let found = found.map_err(|source| ApplyError::Api {
                    verb: "look for",
                    key: Key::new(Kind::Secret, &name),
                    source,
                })?;
                if let Some(found) = found {
                    secrets.push(adopted(owner, &name, found)?);
                }
            }
        }
        let known = memory.credentials.as_ref();
        let credentials = Credentials::complete(owner, &secrets, known, &mut rand::rng());
        let credentials = credentials.map_err(DereferenceError::from)?;
        memory.credentials = Some(credentials.clone());
        Ok(Found {
            credentials,
            secrets,
        })
    }
}

fn missing(owner: &Owner, secrets: &[Secret]) -> Vec<String> {
    let is_there = |name: &String| {
        let mut names = secrets.iter().map(|it| it.metadata.name.as_ref());
        names.any(|it| it == Some(name))
    };
    let names = Credentials::secrets(owner).into_iter();
    names.filter(|name| !is_there(name)).collect()
}

/// A Secret that was out of sight, if it is ours.
fn adopted(owner: &Owner, name: &str, found: Secret) -> Result<Secret, ApplyError> {
    own(&found.metadata, owner, Key::new(Kind::Secret, name))?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn owner() -> Owner {
        Owner {
            name: "voice".to_owned(),
            namespace: "default".to_owned(),
            uid: "mine".to_owned(),
        }
    }

    fn secret(name: &str, owners: &[(&str, &str)]) -> Secret {
        let owner = |(name, uid): &(&str, &str)| -> Value {
            json!({
                "apiVersion": "sessionstore.dev/v1alpha1", "kind": "SessionStore",
                "name": name, "uid": uid, "controller": true,
            })
        };
        let owners: Vec<Value> = owners.iter().map(owner).collect();
        let secret = json!({"metadata": {"name": name, "ownerReferences": owners}});
        serde_json::from_value(secret).unwrap()
    }

    #[test]
    fn what_is_out_of_sight_is_adopted_only_if_it_is_ours() {
        let name = "voice-mongodb-key";
        let adopted = |owners| adopted(&owner(), name, secret(name, owners));
        assert!(adopted(&[("voice", "mine")]).is_ok());
        let earlier = adopted(&[("voice", "earlier")]);
        assert!(matches!(earlier, Err(ApplyError::Earlier(_))));
        assert!(matches!(adopted(&[]), Err(ApplyError::Taken(_))));
        let theirs = adopted(&[("other", "theirs")]);
        assert!(matches!(theirs, Err(ApplyError::Taken(_))));
    }

    #[test]
    fn passwords_count_as_stored_when_the_last_of_the_secrets_is_there() {
        let mut found = Found {
            credentials: Credentials {
                key: "KEY".to_owned(),
                operator_password: "OPERATOR".to_owned(),
                service_password: "SERVICE".to_owned(),
            },
            secrets: Vec::new(),
        };
        for name in Credentials::secrets(&owner()) {
            assert!(!found.is_stored(&owner()));
            found.secrets.push(secret(&name, &[("voice", "mine")]));
        }
        assert!(found.is_stored(&owner()));
    }
}
