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
            _ => Self::Unreachable(text),
        }
    }
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
    fn a_broken_connection_is_no_answer() {
        let broken = Error::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert!(matches!(
            CallError::from(&broken),
            CallError::Unreachable(_)
        ));
    }
}
