//! How a set is, in the words of one of its members.

use std::{collections::HashMap, time::Duration};

use mongodb::bson::{Bson, Document};

/// The number of the state `PRIMARY`.
const PRIMARY: i32 = 1;

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
    /// Whether it has something of the present primary's reign: a primary of before that has come
    /// back says `SECONDARY` until it finds out that it has to take back what nobody else has.
    pub follows: bool,
}

/// How far a member is.
#[derive(Debug, Clone, Copy)]
struct Progress {
    /// The second of the last operation that it has applied.
    second: u32,
    /// The term of that operation.
    term: i64,
}

impl SetStatus {
    /// Whether there is one primary and all others follow it.
    pub fn is_healthy(&self) -> bool {
        let count = |state| {
            let is_so = |it: &&MemberStatus| it.healthy && it.follows && it.state == state;
            self.members.iter().filter(is_so).count()
        };
        count("PRIMARY") == 1 && count("SECONDARY") + 1 == self.members.len()
    }

    /// Reads several members' answers to `replSetGetStatus`: the primary's, or without one any,
    /// but how far each member is in its own words, since what others know of it is old by a
    /// heartbeat. `None` without an answer.
    pub(crate) fn read(answers: &[Document]) -> Option<Self> {
        let is_primary = |it: &&Document| it.get_i32("myState").is_ok_and(|it| it == PRIMARY);
        let best = answers.iter().find(is_primary).or(answers.first())?;
        let own: HashMap<&str, Progress> = answers.iter().filter_map(own_progress).collect();
        let progress = |row: &Document| {
            let own = own.get(name(row)).copied();
            own.or_else(|| applied(row))
        };
        let newest = rows(best)
            .find(|row| state(row) == "PRIMARY")
            .and_then(progress);
        let members = rows(best).map(|row| MemberStatus {
            host: name(row).to_owned(),
            state: state(row).to_owned(),
            healthy: row.get_f64("health").is_ok_and(|it| it > 0.0),
            lag: newest.zip(progress(row)).map(|(newest, at)| {
                let seconds = newest.second.saturating_sub(at.second);
                Duration::from_secs(seconds.into())
            }),
            follows: newest
                .zip(progress(row))
                .is_some_and(|(newest, at)| newest.term == at.term),
        });
        Some(Self {
            members: members.collect(),
        })
    }
}

fn rows(answer: &Document) -> impl Iterator<Item = &Document> {
    let rows = answer.get_array("members").into_iter().flatten();
    rows.filter_map(Bson::as_document)
}

fn own_progress(answer: &Document) -> Option<(&str, Progress)> {
    let own = rows(answer).find(|row| row.get_bool("self").unwrap_or(false))?;
    Some((name(own), applied(own)?))
}

fn name(row: &Document) -> &str {
    row.get_str("name").unwrap_or_default()
}

fn state(row: &Document) -> &str {
    row.get_str("stateStr").unwrap_or_default()
}

fn applied(row: &Document) -> Option<Progress> {
    let optime = row.get_document("optime").ok()?;
    Some(Progress {
        second: optime.get_timestamp("ts").ok()?.time,
        term: optime.get_i64("t").ok()?,
    })
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{Timestamp, doc};

    use super::*;

    fn row(host: &str, (state, health, time): (&str, f64, u32)) -> Document {
        let ts = Timestamp { time, increment: 1 };
        let optime = doc! {"ts": ts, "t": 1_i64};
        doc! {"name": host, "stateStr": state, "health": health, "optime": optime}
    }

    fn answer(rows: [(&str, f64, u32); 3]) -> Document {
        let [a, b, c] = rows;
        doc! {"members": [row("a", a), row("b", b), row("c", c)]}
    }

    fn status(rows: [(&str, f64, u32); 3]) -> SetStatus {
        SetStatus::read(&[answer(rows)]).unwrap()
    }

    fn lags(status: &SetStatus) -> Vec<Option<u64>> {
        let members = status.members.iter();
        members.map(|it| it.lag.map(|it| it.as_secs())).collect()
    }

    #[test]
    fn one_primary_that_all_follow_is_healthy() {
        let primary = ("PRIMARY", 1.0, 9);
        let secondary = ("SECONDARY", 1.0, 9);
        assert!(status([primary, secondary, secondary]).is_healthy());
        assert!(!status([secondary, secondary, secondary]).is_healthy());
        assert!(!status([primary, secondary, ("RECOVERING", 1.0, 9)]).is_healthy());
        assert!(!status([primary, secondary, ("SECONDARY", 0.0, 9)]).is_healthy());
    }

    #[test]
    fn a_primary_of_before_follows_when_it_has_something_of_the_new_reign() {
        let primary = ("PRIMARY", 1.0, 9);
        let secondary = ("SECONDARY", 1.0, 9);
        let mut answer = answer([primary, secondary, secondary]);
        let mut of_before = row("c", secondary);
        of_before
            .get_document_mut("optime")
            .unwrap()
            .insert("t", 0_i64);
        answer.get_array_mut("members").unwrap()[2] = of_before.into();
        let status = SetStatus::read(&[answer]).unwrap();
        let follows: Vec<bool> = status.members.iter().map(|it| it.follows).collect();
        assert_eq!(follows, [true, true, false]);
        assert!(!status.is_healthy());
    }

    #[test]
    fn lag_is_the_distance_to_the_primary() {
        let behind = ("SECONDARY", 1.0, 7);
        let primary = ("PRIMARY", 1.0, 9);
        let status = status([behind, primary, ("SECONDARY", 1.0, 9)]);
        assert_eq!(lags(&status), [Some(2), Some(0), Some(0)]);
    }

    #[test]
    fn a_member_knows_best_how_far_it_is() {
        let mut by_primary = answer([
            ("PRIMARY", 1.0, 9),
            ("SECONDARY", 1.0, 2),
            ("SECONDARY", 1.0, 2),
        ]);
        let mut own = row("b", ("SECONDARY", 1.0, 9));
        own.insert("self", true);
        let by_itself = doc! {"myState": 2, "members": [own]};
        by_primary.insert("myState", PRIMARY);
        let status = SetStatus::read(&[by_itself, by_primary]).unwrap();
        assert_eq!(lags(&status), [Some(0), Some(0), Some(7)]);
    }

    #[test]
    fn without_a_primary_there_is_no_lag() {
        let secondary = ("SECONDARY", 1.0, 9);
        let status = status([secondary, secondary, secondary]);
        assert_eq!(lags(&status), [None, None, None]);
    }
}
