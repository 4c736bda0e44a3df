//! Connection strings.

use crate::role;

/// The connection string of the service's user for `database`.
pub(crate) fn of_service(hosts: &str, set: &str, database: &str, password: &str) -> String {
    let user = role::USER;
    format!("mongodb://{user}:{password}@{hosts}/{database}?replicaSet={set}&authSource={database}")
}

/// The connection string of the members' own user, which is there before all others.
pub(crate) fn of_key(hosts: &str, set: &str, key: &str) -> String {
    format!("mongodb://__system:{key}@{hosts}/?replicaSet={set}&authSource=local")
}

/// The connection string of the user that may do everything.
pub(crate) fn of_root(hosts: &str, set: &str, password: &str) -> String {
    format!("mongodb://root:{password}@{hosts}/?replicaSet={set}&authSource=admin")
}
