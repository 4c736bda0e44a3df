//! The role of the service, as the service wrote it down, and the user that has it.

use mongodb::{
    Client, Database,
    bson::{Document, doc},
    error::{Error, ErrorKind},
};
use serde::Deserialize;

use crate::error::SetError;

/// The role as `createRole` takes it, for the database `sessionstore`.
const ROLE: &str = include_str!("../../../service/mongodb-role.json");

/// The name of the service's user, in each of its databases.
pub(crate) const USER: &str = "sessionstore";

/// "Role already exists" and "User already exists".
const EXISTS: [i32; 2] = [51002, 51003];

#[derive(Deserialize)]
struct Role {
    #[serde(rename = "role")]
    name: String,
    privileges: Vec<Privilege>,
    roles: Vec<String>,
}

#[derive(Deserialize)]
struct Privilege {
    resource: Resource,
    actions: Vec<String>,
}

#[derive(Deserialize)]
struct Resource {
    db: String,
    collection: String,
}

/// Creates role and user in `database`, or makes them what they should be. The user is known to
/// `members` members when this returns, so that it can log in to each.
pub(crate) async fn ensure_service_user(
    database: &Database,
    password: &str,
    members: usize,
) -> Result<(), SetError> {
    let role: Role = serde_json::from_str(ROLE)?;
    let everywhere = write_concern(members);
    let mut definition = role.definition(database.name());
    definition.insert("writeConcern", everywhere.clone());
    create_or_update(database, "Role", &role.name, &definition).await?;
    let user = doc! {
        "pwd": password,
        "roles": [{"role": &role.name, "db": database.name()}],
        "writeConcern": everywhere,
    };
    create_or_update(database, "User", USER, &user).await
}

/// Creates the user that may do everything, or gives it this password. As many members know it
/// when this returns.
pub(crate) async fn ensure_root(
    client: &Client,
    password: &str,
    members: usize,
) -> Result<(), SetError> {
    let user = doc! {
        "pwd": password,
        "roles": ["root"],
        "writeConcern": write_concern(members),
    };
    create_or_update(&client.database("admin"), "User", "root", &user).await
}

/// A write that as many members have as there are: a login goes to any of them.
fn write_concern(members: usize) -> Document {
    let members = i32::try_from(members).unwrap_or(i32::MAX);
    doc! {"w": members, "wtimeout": 30_000}
}

/// `kind` is what the names of the commands end with.
async fn create_or_update(
    database: &Database,
    kind: &str,
    name: &str,
    definition: &Document,
) -> Result<(), SetError> {
    let command = |verb: &str| {
        let mut command = doc! {format!("{verb}{kind}"): name};
        command.extend(definition.clone());
        command
    };
    match database.run_command(command("create")).await {
        Err(error) if exists(&error) => {
            database.run_command(command("update")).await?;
        }
        created => {
            created?;
        }
    }
    Ok(())
}

fn exists(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Command(refusal) if EXISTS.contains(&refusal.code))
}

impl Role {
    /// What comes after the name in `createRole`, for another database.
    fn definition(&self, database: &str) -> Document {
        let privileges: Vec<Document> = self
            .privileges
            .iter()
            .map(|privilege| privilege.on(database))
            .collect();
        doc! {"privileges": privileges, "roles": &self.roles}
    }
}

impl Privilege {
    fn on(&self, database: &str) -> Document {
        let db = if self.resource.db == "sessionstore" {
            database
        } else {
            &self.resource.db
        };
        doc! {
            "resource": {"db": db, "collection": &self.resource.collection},
            "actions": &self.actions,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role() -> Role {
        serde_json::from_str(ROLE).unwrap()
    }

    #[test]
    fn the_role_reaches_into_one_database_only() {
        for privilege in &role().privileges {
            assert_eq!(privilege.resource.db, "sessionstore");
        }
        assert!(role().roles.is_empty());
    }

    #[test]
    fn the_role_cannot_delete() {
        for privilege in &role().privileges {
            for action in ["remove", "dropCollection", "dropIndex", "dropDatabase"] {
                assert!(!privilege.actions.iter().any(|it| it == action));
            }
        }
    }

    #[test]
    fn another_database_takes_the_place_of_the_written_one() {
        let definition = role().definition("other");
        assert!(!definition.to_string().contains("\"sessionstore\""));
        assert!(definition.to_string().contains("\"other\""));
    }
}
