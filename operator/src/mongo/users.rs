//! Who may do what: roles and users, and in which order they are made. Pure.

use mongodb::bson::{Document, doc, serialize_to_document};

use super::link::{Access, Login};
use crate::build::digest;

/// The role of the service, as the service wrote it down.
const SERVICE_ROLE: &str = include_str!("../../../service/mongodb-role.json");

/// The database of the service, where its role and user live too.
pub(super) const DATABASE: &str = "sessionstore";

/// All that the operator does to a set that stands. With rights over users and roles it could make
/// itself root.
const ACTIONS: [&str; 7] = [
    "replSetGetStatus",
    "replSetGetConfig",
    "replSetConfigure",
    "replSetStateChange",
    "serverStatus",
    "getParameter",
    "setFeatureCompatibilityVersion",
];

/// The entry of the operator's user that names what all roles and users were made to be: reading it
/// tells whether they are as this release wants them.
const MARK: &str = "definitions";

/// The name of the operator's role.
const OPERATOR_ROLE: &str = "sessionstoreOperator";

/// A role or user that is to be.
pub(super) struct Definition {
    pub(super) database: &'static str,
    /// `Role` or `User`, as in the names of the commands.
    kind: &'static str,
    name: String,
    content: Document,
}

impl Definition {
    /// The command that makes it, if it is not there.
    pub(super) fn create(&self) -> Document {
        self.command("create")
    }

    /// The command that makes it what it should be, if it is there.
    pub(super) fn update(&self) -> Document {
        self.command("update")
    }

    fn command(&self, verb: &str) -> Document {
        let mut command = doc! {format!("{verb}{}", self.kind): &self.name};
        command.extend(self.content.clone());
        command.insert("writeConcern", doc! {"w": "majority", "wtimeout": 10_000});
        command
    }
}

/// All that is to be, in this order: the operator's user last, so that its login says that all the
/// others are there, and its mark that they are these.
pub(super) fn definitions(access: &Access) -> [Definition; 4] {
    let mut all = unmarked(access);
    let mark = doc! {MARK: mark(access)};
    let [.., operator] = &mut all;
    operator.content.insert("customData", mark);
    all
}

/// Changes with all that users may do, and not with their passwords: those that are wrong are
/// refused.
pub(super) fn mark(access: &Access) -> String {
    let without_password = |it: &Login| Login {
        user: it.user.clone(),
        password: String::new(),
    };
    let all = unmarked(&Access {
        operator: without_password(&access.operator),
        service: without_password(&access.service),
        ..access.clone()
    });
    let commands = all.map(|it| it.update().to_string());
    digest(commands.iter().map(String::as_bytes))
}

/// The mark that the operator's user has, by the answer to [`ask_for_mark`].
pub(super) fn mark_of(reply: &Document) -> Option<&str> {
    let user = reply.get_array("users").ok()?.first()?.as_document()?;
    user.get_document("customData").ok()?.get_str(MARK).ok()
}

/// What the operator's user asks about itself, which everybody may.
pub(super) fn ask_for_mark(access: &Access) -> Document {
    doc! {"usersInfo": &access.operator.user}
}

fn unmarked(access: &Access) -> [Definition; 4] {
    let service_role = service_role();
    let user = |password: &str, database: &str, role: &str| {
        doc! {
            "pwd": password,
            "roles": [{"role": role, "db": database}],
            "mechanisms": ["SCRAM-SHA-256"],
        }
    };
    let operator_content = doc! {
        "privileges": [{"resource": {"cluster": true}, "actions": ACTIONS.as_slice()}],
        "roles": [],
    };
    let service_name = service_role.get_str("role").unwrap_or(DATABASE).to_owned();
    [
        Definition {
            database: DATABASE,
            kind: "Role",
            name: service_name.clone(),
            content: doc! {
                "privileges": service_role.get("privileges"),
                "roles": service_role.get("roles"),
            },
        },
        Definition {
            database: DATABASE,
            kind: "User",
            name: access.service.user.clone(),
            content: user(&access.service.password, DATABASE, &service_name),
        },
        Definition {
            database: "admin",
            kind: "Role",
            name: OPERATOR_ROLE.to_owned(),
            content: operator_content,
        },
        Definition {
            database: "admin",
            kind: "User",
            name: access.operator.user.clone(),
            content: user(&access.operator.password, "admin", OPERATOR_ROLE),
        },
    ]
}

#[expect(
    clippy::expect_used,
    reason = "the file is part of the program, and a test reads it"
)]
fn service_role() -> Document {
    let role: serde_json::Value = serde_json::from_str(SERVICE_ROLE).expect("the role is JSON");
    serialize_to_document(&role).expect("the role is a document")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mongo::Login;

    fn access(secret: &str) -> Access {
        let login = |user: &str| Login {
            user: user.to_owned(),
            password: format!("{secret} of {user}"),
        };
        Access {
            set: "voice".to_owned(),
            key: "key".to_owned(),
            operator: login("operator"),
            service: login("service"),
        }
    }

    fn all() -> [Definition; 4] {
        definitions(&access("secret"))
    }

    #[test]
    fn the_mark_is_that_of_what_users_may_do_whatever_their_passwords() {
        let [.., operator] = all();
        let made = operator.create();
        let reply = doc! {"users": [{"customData": made.get_document("customData").unwrap()}]};
        assert_eq!(mark_of(&reply), Some(&*mark(&access("another"))));
        let mut other = access("secret");
        "other".clone_into(&mut other.service.user);
        assert_ne!(mark(&other), mark(&access("secret")));
    }

    #[test]
    fn a_user_of_a_release_that_made_no_mark_has_none() {
        for user in [doc! {}, doc! {"customData": {}}] {
            assert_eq!(mark_of(&doc! {"users": [user]}), None);
        }
        assert_eq!(mark_of(&doc! {"users": []}), None);
    }

    #[test]
    fn the_operators_user_comes_last_since_its_login_vouches_for_the_rest() {
        let last = all().into_iter().next_back().unwrap();
        assert_eq!(last.create().get_str("createUser").unwrap(), "operator");
    }

    #[test]
    fn the_services_role_is_the_one_that_the_service_wrote_down() {
        let role = all()[0].create();
        assert_eq!(role.get_str("createRole").unwrap(), "sessionstore");
        let privileges = role.get_array("privileges").unwrap();
        let actions = privileges[0].as_document().unwrap().get_array("actions");
        assert_eq!(actions.unwrap().len(), 8);
    }

    #[test]
    fn nobody_may_make_users() {
        for definition in all() {
            let text = definition.update().to_string();
            assert!(!text.contains("createUser") && !text.contains("grantRole"));
            assert!(!text.contains("\"root\""));
        }
    }
}
