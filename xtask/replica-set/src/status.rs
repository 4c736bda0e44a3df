//! How a set is, in the words of one of its members.

use std::time::Duration;

use mongodb::bson::{Bson, Document};

/// How a set is, in the words of one of its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetStatus {
    /// All members of the configuration, in its order.
    pub members: Vec<MemberStatus>,
}

/// How one member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStatus {
    /// Host and port.
    pub host: String,
    /// `PRIMARY`, `SECONDARY`, or what keeps it from being either.
    pub state: String,
    /// Whether the member that was asked hears from it.
    pub healthy: bool,
    /// How far it is behind the primary, to the second; `None` without a primary.
    pub lag: Option<Duration>,
}

impl SetStatus {
    /// Whether there is one primary and all others follow it.
    pub fn is_healthy(&self) -> bool {
        let count = |state| {
            let members = self.members.iter();
            members.filter(|it| it.healthy && it.state == state).count()
        };
        count("PRIMARY") == 1 && count("SECONDARY") + 1 == self.members.len()
    }

    /// Reads the answer to `replSetGetStatus`; what is missing counts as unhealthy.
    pub(crate) fn read(answer: &Document) -> Self {
        let members: Vec<&Document> = answer
            .get_array("members")
            .map(|it| it.iter().filter_map(Bson::as_document).collect())
            .unwrap_or_default();
        let newest = members
            .iter()
            .find(|it| it.get_str("stateStr").is_ok_and(|it| it == "PRIMARY"))
            .and_then(|it| applied(it));
        let members = members.into_iter().map(|it| member(it, newest)).collect();
        Self { members }
    }
}

fn member(member: &Document, newest: Option<u32>) -> MemberStatus {
    let behind = |newest: u32| applied(member).map(|it| newest.saturating_sub(it));
    MemberStatus {
        host: member.get_str("name").unwrap_or_default().to_owned(),
        state: member.get_str("stateStr").unwrap_or_default().to_owned(),
        healthy: member.get_f64("health").is_ok_and(|it| it > 0.0),
        lag: newest
            .and_then(behind)
            .map(|seconds| Duration::from_secs(seconds.into())),
    }
}

/// The second of the last operation that the member has applied.
fn applied(member: &Document) -> Option<u32> {
    let optime = member.get_document("optime").ok()?;
    Some(optime.get_timestamp("ts").ok()?.time)
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{Timestamp, doc};

    use super::*;

    fn answer(states: [(&str, f64, u32); 3]) -> SetStatus {
        let members: Vec<Document> = states
            .iter()
            .map(|(state, health, time)| {
                let ts = Timestamp {
                    time: *time,
                    increment: 1,
                };
                doc! {"name": "h:1", "stateStr": *state, "health": *health, "optime": {"ts": ts}}
            })
            .collect();
        SetStatus::read(&doc! {"members": members})
    }

    #[test]
    fn one_primary_that_all_follow_is_healthy() {
        let primary = ("PRIMARY", 1.0, 9);
        let secondary = ("SECONDARY", 1.0, 9);
        assert!(answer([primary, secondary, secondary]).is_healthy());
        assert!(!answer([secondary, secondary, secondary]).is_healthy());
        assert!(!answer([primary, secondary, ("RECOVERING", 1.0, 9)]).is_healthy());
        assert!(!answer([primary, secondary, ("SECONDARY", 0.0, 9)]).is_healthy());
    }

    #[test]
    fn lag_is_the_distance_to_the_primary() {
        let status = answer([
            ("SECONDARY", 1.0, 7),
            ("PRIMARY", 1.0, 9),
            ("SECONDARY", 1.0, 9),
        ]);
        let lags: Vec<_> = status.members.iter().map(|it| it.lag).collect();
        let seconds = |it| Some(Duration::from_secs(it));
        assert_eq!(lags, [seconds(2), seconds(0), seconds(0)]);
    }

    #[test]
    fn without_a_primary_there_is_no_lag() {
        let secondary = ("SECONDARY", 1.0, 9);
        let status = answer([secondary, secondary, secondary]);
        assert!(status.members.iter().all(|it| it.lag.is_none()));
    }
}
