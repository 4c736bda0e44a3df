//! What it means when a member does not do what it was asked for.

use mongodb::error::{Error, ErrorKind};
use thiserror::Error;

/// Why a call to a member brought no result. Most of these are ordinary: the next look tells what
/// became of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// There was no connection, or no answer in time. What was asked for may have been done.
    #[error("{0}")]
    Unreachable(String),
    /// The user is missing or has another password.
    #[error("the login is refused")]
    LoginRefused,
    /// It has no configuration.
    #[error("it is not initiated")]
    NotInitiated,
    /// It is no member by its own configuration.
    #[error("it is no member by its own configuration")]
    Removed,
    /// It was done before: the set is initiated, the user or the role is there.
    #[error("it was done before")]
    DoneBefore,
    /// Not now: the member is no primary, another change is under way, others are away.
    #[error("{0}")]
    NotNow(String),
    /// Not at all.
    #[error("refused: {0}")]
    Refused(String),
    /// The answer makes no sense.
    #[error("its answer has no valid {0}")]
    Garbled(&'static str),
}

// The codes are those of MongoDB's `error_codes.yml`.
const AUTHENTICATION_FAILED: i32 = 18;
const ALREADY_INITIALIZED: i32 = 23;
const NODE_NOT_FOUND: i32 = 74;
const INVALID_REPLICA_SET_CONFIG: i32 = 93;
const NOT_YET_INITIALIZED: i32 = 94;
const ROLE_EXISTS: i32 = 51002;
const USER_EXISTS: i32 = 51003;

/// What passes by itself.
const NOT_NOW: [i32; 17] = [
    // MaxTimeMSExpired, WriteConcernFailed, ExceededTimeLimit
    50, 64, 262, // ShutdownInProgress, InterruptedAtShutdown
    91, 11600, // UnsatisfiableWriteConcern, CannotSatisfyWriteConcern
    100, 101, // NewReplicaSetConfigurationIncompatible, ConfigurationInProgress
    103, 109, // PrimarySteppedDown, InterruptedDueToReplStateChange
    189, 11602, // ConflictingOperationInProgress, CurrentConfigNotCommittedYet
    117, 308, // NotWritablePrimary, NotPrimaryNoSecondaryOk, NotPrimaryOrSecondary
    10107, 13435, 13436, // LockTimeout
    24,
];

/// Of a server that takes connections, or does not even refuse them.
pub(super) const NO_ANSWER: &str = "it does not answer in time";

/// What the server says to a wrong user or password.
const NO_LOGIN: &str = "Authentication failed";

impl From<&Error> for CallError {
    fn from(error: &Error) -> Self {
        let text = error.kind.to_string();
        match &*error.kind {
            ErrorKind::Command(command) => Self::of_code(command.code, &command.message),
            ErrorKind::Authentication { .. } if text.contains(NO_LOGIN) => Self::LoginRefused,
            // The driver names the cause in words only.
            ErrorKind::ConnectionPoolCleared { message, .. } if message.contains(NO_LOGIN) => {
                Self::LoginRefused
            }
            ErrorKind::Write(_) => Self::NotNow(text),
            ErrorKind::ServerSelection { message, .. } => {
                Self::Unreachable(last_seen(message).to_owned())
            }
            _ => Self::Unreachable(text),
        }
    }
}

/// What kept the driver from the one server that it had looked for, out of its long account of all
/// that it knew: this becomes part of conditions. As long as nothing has failed, there was no answer.
fn last_seen(account: &str) -> &str {
    let Some((_, error)) = account.split_once(", Error: Kind: ") else {
        return NO_ANSWER;
    };
    error.split(", labels: ").next().unwrap_or(error)
}

impl CallError {
    fn of_code(code: i32, message: &str) -> Self {
        match code {
            AUTHENTICATION_FAILED => Self::LoginRefused,
            ALREADY_INITIALIZED | ROLE_EXISTS | USER_EXISTS => Self::DoneBefore,
            INVALID_REPLICA_SET_CONFIG => Self::Removed,
            NOT_YET_INITIALIZED => Self::NotInitiated,
            NODE_NOT_FOUND => Self::NotNow(format!("{message} ({code})")),
            code if NOT_NOW.contains(&code) => Self::NotNow(format!("{message} ({code})")),
            code => Self::Refused(format!("{message} ({code})")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_plan_expects_is_no_refusal() {
        let ordinary = [23, 51003, 51002].map(|code| CallError::of_code(code, ""));
        assert_eq!(ordinary, [const { CallError::DoneBefore }; 3]);
        assert_eq!(CallError::of_code(94, ""), CallError::NotInitiated);
        assert_eq!(CallError::of_code(93, ""), CallError::Removed);
        assert_eq!(CallError::of_code(18, ""), CallError::LoginRefused);
        for code in [74, 103, 308, 189, 10107] {
            assert!(matches!(CallError::of_code(code, ""), CallError::NotNow(_)));
        }
        assert!(matches!(CallError::of_code(13, ""), CallError::Refused(_)));
    }

    #[test]
    fn of_a_server_that_is_not_found_its_last_error_is_told_and_no_more() {
        let account = "Server selection timeout: No available servers. Topology: { Type: Single, \
                       Servers: [ { Address: voice-mongodb-0.voice:27017, Type: Unknown, Error: \
                       Kind: I/O error: Connection refused (os error 111), labels: {}, source: \
                       None, server response: None } ] }";
        assert_eq!(
            last_seen(account),
            "I/O error: Connection refused (os error 111)"
        );
        let account = "Server selection timeout: No available servers. Topology: { Type: Single, \
                       Servers: [ { Address: voice-mongodb-0.voice:27017, Type: Unknown } ] }";
        assert_eq!(last_seen(account), "it does not answer in time");
    }

    #[tokio::test]
    async fn what_the_driver_itself_says_of_a_server_that_is_not_there_is_short() {
        // Nothing listens on a port that was just given back.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let uri =
            format!("mongodb://{address}/?directConnection=true&serverSelectionTimeoutMS=100");
        let client = mongodb::Client::with_uri_str(uri).await.unwrap();
        let ping = mongodb::bson::doc! {"ping": 1};
        let error = client.database("admin").run_command(ping).await;
        let said = CallError::from(&error.unwrap_err()).to_string();
        assert_eq!(said, "I/O error: Connection refused (os error 111)");
    }

    #[test]
    fn a_broken_connection_is_no_answer() {
        let broken = Error::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert!(matches!(
            CallError::from(&broken),
            CallError::Unreachable(_)
        ));
    }
}
