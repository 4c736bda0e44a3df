//! What members answer, in the plan's words. Pure.

use mongodb::bson::{Bson, Document};

use super::error::CallError;
use super::plan::{Config, ConfigMember, Logins, OpTime, Peer, Settings, State, Version, View};

/// Reads the answers to `replSetGetStatus` and `replSetGetConfig`.
pub(super) fn view(status: &Document, config: Config) -> Result<View, CallError> {
    let rows = || {
        let rows = status.get_array("members").into_iter().flatten();
        rows.filter_map(Bson::as_document)
    };
    let is_self = |row: &&Document| row.get_bool("self").unwrap_or(false);
    let optimes = status.get_document("optimes").ok();
    let optime_of = |name| {
        optimes
            .and_then(|it| it.get_document(name).ok())
            .map(optime)
    };
    Ok(View {
        state: state(status, "myState").ok_or(CallError::Garbled("state"))?,
        term: number(status, "term").ok_or(CallError::Garbled("term"))?,
        applied: optime_of("appliedOpTime").unwrap_or_default(),
        committed: optime_of("lastCommittedOpTime").unwrap_or_default(),
        too_stale: status.get_bool("tooStale").unwrap_or(false),
        voters: number(status, "votingMembersCount")
            .and_then(|it| usize::try_from(it).ok())
            .ok_or(CallError::Garbled("number of voters"))?,
        peers: rows().filter(|row| !is_self(row)).map(peer).collect(),
        config,
        logins: Logins::Accepted,
        refuses_key: false,
    })
}

/// Reads the answer to `replSetGetConfig`.
pub(super) fn config(reply: &Document) -> Result<Config, CallError> {
    let garbled = CallError::Garbled;
    let config = reply.get_document("config");
    let config = config.map_err(|_| garbled("configuration"))?;
    let settings = config.get_document("settings");
    let settings = settings.map_err(|_| garbled("settings"))?;
    let set_id = settings.get_object_id("replicaSetId");
    let members = config
        .get_array("members")
        .map_err(|_| garbled("members"))?;
    let member = |it: &Bson| {
        let member = it.as_document()?;
        Some(ConfigMember {
            id: i32::try_from(number(member, "_id")?).ok()?,
            host: member.get_str("host").ok()?.to_owned(),
            votes: number(member, "votes").is_none_or(|it| it > 0),
        })
    };
    let setting = |name| number(settings, name).ok_or(garbled("settings"));
    Ok(Config {
        set_id: set_id.map_err(|_| garbled("replicaSetId"))?.to_hex(),
        version: version(config).ok_or(garbled("version"))?,
        members: members
            .iter()
            .map(member)
            .collect::<Option<_>>()
            .ok_or(garbled("members"))?,
        settings: Settings {
            election_timeout_millis: setting("electionTimeoutMillis")?,
            heartbeat_interval_millis: setting("heartbeatIntervalMillis")?,
            catch_up_timeout_millis: setting("catchUpTimeoutMillis")?,
            chaining_allowed: settings.get_bool("chainingAllowed").unwrap_or(true),
        },
    })
}

/// Which configuration a document is.
pub(super) fn version(config: &Document) -> Option<Version> {
    Some(Version {
        // One that was just initiated has no term yet.
        term: number(config, "term").unwrap_or(-1),
        version: number(config, "version")?,
    })
}

/// What a heartbeat says: whether the member leads, and how far it is; `None` before it has anything.
pub(super) fn beat(hello: &Document) -> Option<(bool, OpTime)> {
    let written = hello.get_document("lastWrite").ok()?;
    let written = optime(written.get_document("opTime").ok()?);
    // Before 5.0, and on connections that began with the old greeting, it has the old name.
    let leads = ["isWritablePrimary", "ismaster"]
        .iter()
        .any(|name| hello.get_bool(name).unwrap_or(false));
    (written.seconds > 0).then_some((leads, written))
}

fn peer(row: &Document) -> Peer {
    Peer {
        host: row.get_str("name").unwrap_or_default().to_owned(),
        state: state(row, "state").unwrap_or(State::Unknown),
        healthy: row.get_f64("health").is_ok_and(|it| it > 0.0),
        applied: row.get_document("optime").map(optime).unwrap_or_default(),
    }
}

fn state(document: &Document, name: &str) -> Option<State> {
    let number = number(document, name)?;
    Some(State::of(i32::try_from(number).ok()?))
}

fn optime(document: &Document) -> OpTime {
    let at = document.get_timestamp("ts").ok();
    OpTime {
        term: number(document, "t").unwrap_or(-1),
        seconds: at.map_or(0, |it| it.time),
        increment: at.map_or(0, |it| it.increment),
    }
}

/// Integers come in both widths.
fn number(document: &Document, name: &str) -> Option<i64> {
    match document.get(name)? {
        Bson::Int32(it) => Some((*it).into()),
        Bson::Int64(it) => Some(*it),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{Timestamp, doc, oid::ObjectId};

    use super::*;

    fn reply() -> Document {
        doc! {"config": {
            "_id": "voice",
            "version": 7,
            "term": 3_i64,
            "members": [
                {"_id": 0, "host": "a:27017", "votes": 1},
                {"_id": 1, "host": "b:27017", "votes": 0},
            ],
            "settings": {
                "electionTimeoutMillis": 3000,
                "heartbeatIntervalMillis": 1000_i64,
                "catchUpTimeoutMillis": 500,
                "chainingAllowed": false,
                "replicaSetId": ObjectId::from_bytes([1; 12]),
            },
        }}
    }

    #[test]
    fn a_configuration_is_read_as_it_stands() {
        let config = config(&reply()).unwrap();
        let version = Version {
            term: 3,
            version: 7,
        };
        assert_eq!(config.version, version);
        assert_eq!(config.set_id, "01".repeat(12));
        assert_eq!(config.settings, crate::mongo::plan::SETTINGS);
        let votes: Vec<bool> = config.members.iter().map(|it| it.votes).collect();
        assert_eq!(votes, [true, false]);
    }

    #[test]
    fn an_answer_that_lacks_something_is_named_and_not_guessed() {
        let mut reply = reply();
        let config = reply.get_document_mut("config").unwrap();
        config.remove("version");
        let error = super::config(&reply).unwrap_err();
        assert_eq!(error, CallError::Garbled("version"));
    }

    #[test]
    fn a_status_is_read_without_the_member_itself() {
        let ts = Timestamp {
            time: 9,
            increment: 2,
        };
        let optime = doc! {"ts": ts, "t": 3_i64};
        let row = doc! {"name": "b:27017", "state": 2, "health": 1.0, "optime": &optime};
        let status = doc! {
            "myState": 1,
            "term": 3_i64,
            "votingMembersCount": 2,
            "optimes": {"appliedOpTime": &optime, "lastCommittedOpTime": &optime},
            "members": [{"name": "a:27017", "self": true, "state": 1, "health": 1.0}, row],
        };
        let view = view(&status, config(&reply()).unwrap()).unwrap();
        assert_eq!(view.state, State::Primary);
        assert_eq!(view.peers.len(), 1);
        assert!(view.peers[0].healthy && view.peers[0].state == State::Secondary);
        assert_eq!(view.peers[0].applied, view.committed);
    }
}
