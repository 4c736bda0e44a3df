//! What a failed call to the database means: did nothing, may have done it, or will never do it.

use std::io;

use mongodb::error::{Error, ErrorKind};
use thiserror::Error;

use crate::store::StoreError;

/// Why a call to the database brought no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum CallError {
    /// Certainly nothing was done. It may be next time.
    #[error("{0}")]
    NotDone(String),
    /// It may have been done, or may still be.
    #[error("{0}")]
    Lost(String),
    /// It did not answer in time. It may have been done, or may still be.
    #[error("the database did not answer in time")]
    TimedOut,
    /// The server refuses it, now and later, until somebody changes something there.
    #[error("the database refuses it: {0}")]
    Refused(String),
}

impl CallError {
    /// Whether the same call can work a moment later.
    pub(super) fn is_passing(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

impl From<CallError> for StoreError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotDone(why) | CallError::Lost(why) => Self::Unavailable(why),
            CallError::TimedOut => Self::TimedOut,
            refused @ CallError::Refused(_) => Self::Unavailable(refused.to_string()),
        }
    }
}

impl From<&Error> for CallError {
    fn from(error: &Error) -> Self {
        match &*error.kind {
            ErrorKind::Command(command) => of_code(
                command.code,
                format!("{} ({})", gist(&command.message), command.code),
            ),
            ErrorKind::Authentication { .. } => login_refused(&error.kind.to_string()),
            // The driver names the cause in words only.
            ErrorKind::ConnectionPoolCleared { message, .. } if message.contains(NO_LOGIN) => {
                login_refused(NO_LOGIN)
            }
            // Not so of a pool that was cleared: that ends calls that are on their way, too.
            ErrorKind::ServerSelection { .. } | ErrorKind::DnsResolve { .. } => {
                Self::NotDone(error.kind.to_string())
            }
            ErrorKind::IncompatibleServer { .. }
            | ErrorKind::InvalidArgument { .. }
            | ErrorKind::InvalidTlsConfig { .. } => Self::Refused(error.kind.to_string()),
            _ => Self::Lost(error.kind.to_string()),
        }
    }
}

/// What the server says to a wrong user or password.
const NO_LOGIN: &str = "Authentication failed";

fn login_refused(said: &str) -> CallError {
    // In the same words wherever it was met, so that it is told once.
    let said = if said.contains(NO_LOGIN) {
        NO_LOGIN
    } else {
        said
    };
    CallError::Refused(format!(
        "{}: look at user, password and authSource in --store-url, and whether the set has this \
         user",
        said.trim_end_matches('.')
    ))
}

/// Why a member does not answer, in words for whoever wrote the connection string.
pub(super) fn why_unreachable(error: &Error) -> String {
    let text = error.kind.to_string();
    let ErrorKind::Io(io) = &*error.kind else {
        return text;
    };
    let tls = io.get_ref().and_then(|it| it.downcast_ref());
    if let Some(rustls::Error::InvalidCertificate(_)) = tls {
        return format!("{text}: look at tlsCAFile in --store-url");
    }
    // mongod says only in its own log that it wants a certificate, and hangs up.
    if io.kind() == io::ErrorKind::UnexpectedEof && text.contains("TLS") {
        return "it broke off the TLS connection: unless it went down, look at \
                tlsCertificateKeyFile in --store-url"
            .to_owned();
    }
    text
}

/// What a server's message says, without what is another each time: the command as it was sent,
/// with session and cluster time, and the number of an index build. So the same trouble has the
/// same text, and is told once.
fn gist(message: &str) -> &str {
    let (said, _) = message
        .split_once(" to execute command {")
        .unwrap_or((message, ""));
    said.rsplit(" :: caused by :: ").next().unwrap_or(said)
}

/// What a server's error code says about the whole command. The codes are those of MongoDB's
/// `error_codes.yml`.
fn of_code(code: i32, text: String) -> CallError {
    match code {
        // A member that is no primary, or is on its way down, refuses before it begins.
        NOT_WRITABLE_PRIMARY | NOT_PRIMARY_NO_SECONDARY_OK | NOT_PRIMARY_OR_SECONDARY => {
            CallError::NotDone(text)
        }
        MAX_TIME_MS_EXPIRED => CallError::TimedOut,
        UNAUTHORIZED => CallError::Refused(format!(
            "{text}: give the user of --store-url the role of the service (mongodb-role.json) for \
             this database"
        )),
        CANNOT_CREATE_INDEX
        | INDEX_OPTIONS_CONFLICT
        | INDEX_KEY_SPECS_CONFLICT
        | DUPLICATE_KEY
        | AUTHENTICATION_FAILED
        | BAD_VALUE
        | FAILED_TO_PARSE
        | TYPE_MISMATCH
        | COMMAND_NOT_FOUND
        | INVALID_OPTIONS => CallError::Refused(text),
        _ => CallError::Lost(text),
    }
}

const BAD_VALUE: i32 = 2;
const FAILED_TO_PARSE: i32 = 9;
const UNAUTHORIZED: i32 = 13;
const TYPE_MISMATCH: i32 = 14;
const AUTHENTICATION_FAILED: i32 = 18;
const MAX_TIME_MS_EXPIRED: i32 = 50;
const COMMAND_NOT_FOUND: i32 = 59;
const CANNOT_CREATE_INDEX: i32 = 67;
const INVALID_OPTIONS: i32 = 72;
const INDEX_OPTIONS_CONFLICT: i32 = 85;
const INDEX_KEY_SPECS_CONFLICT: i32 = 86;
const NOT_WRITABLE_PRIMARY: i32 = 10107;
const DUPLICATE_KEY: i32 = 11000;
const NOT_PRIMARY_NO_SECONDARY_OK: i32 = 13435;
const NOT_PRIMARY_OR_SECONDARY: i32 = 13436;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_is_no_primary_has_done_nothing() {
        let error = of_code(NOT_WRITABLE_PRIMARY, "not primary".to_owned());
        assert_eq!(error, CallError::NotDone("not primary".to_owned()));
    }

    #[test]
    fn a_command_that_was_interrupted_may_have_been_done() {
        // PrimarySteppedDown, InterruptedDueToReplStateChange, InterruptedAtShutdown.
        for code in [189, 11602, 11600] {
            assert!(matches!(of_code(code, String::new()), CallError::Lost(_)));
        }
        assert_eq!(of_code(50, String::new()), CallError::TimedOut);
    }

    #[test]
    fn a_broken_connection_leaves_the_outcome_open() {
        let broken = Error::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert!(matches!(CallError::from(&broken), CallError::Lost(_)));
    }

    #[test]
    fn the_same_trouble_has_the_same_text_each_time() {
        let refused = "not authorized on x to execute command { find: \"a\", lsid: { id: 1 } }";
        assert_eq!(gist(refused), "not authorized on x");
        let build = "Index build failed: 51e0: Collection a ( 4092 ) :: caused by :: E11000 key";
        assert_eq!(gist(build), "E11000 key");
        assert_eq!(gist("not primary"), "not primary");
    }

    #[test]
    fn what_is_refused_for_good_is_not_tried_again() {
        assert!(!of_code(UNAUTHORIZED, String::new()).is_passing());
        assert!(of_code(NOT_WRITABLE_PRIMARY, String::new()).is_passing());
    }
}
