//! One action of the plan. What becomes of it, the next look tells.

use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};
use thiserror::Error;

use super::error::CallError;
use super::link::{LOOK, Members, User};
use super::plan::{Action, Change, Desired, Ordinal, SETTINGS, Version};
use super::users::definitions;
use super::wire;

/// For a change that waits for a majority.
const CHANGE: Duration = Duration::from_secs(15);

/// The same, at the server.
const CHANGE_MILLIS: i64 = 10_000;

/// How long a primary that steps down does not stand again.
const STAND_BACK_SECONDS: i32 = 12;

/// How long it waits for a secondary to have everything.
const CATCH_UP_SECONDS: i32 = 10;

/// For a step-down, with that.
const STEP_DOWN: Duration = Duration::from_secs(15);

/// What became of an action, as far as it can be told at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// Somebody else was faster, so nothing was done.
    Outdated,
    /// It is about pods or volumes, so nothing was done.
    NotOurs,
}

/// Why an action was not done, or may not have been.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ActError {
    /// The caller may not act any more.
    #[error("another operator leads")]
    NotLeading,
    /// The member did not do it.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl Members {
    /// Does what the plan has decided, unless `may_act` says no: it is asked before each command
    /// that changes something.
    ///
    /// # Errors
    /// [`ActError`]; the plan goes on from whatever has been done by then.
    pub async fn act(
        &self,
        desired: &Desired,
        action: &Action,
        may_act: impl Fn() -> bool + Sync,
    ) -> Result<Outcome, ActError> {
        let host = |ordinal: &Ordinal| desired.hosts.get(*ordinal).map_or("", String::as_str);
        let done = match action {
            Action::Initiate { members } => {
                self.initiate(&desired.hosts[..*members], &may_act).await
            }
            Action::EnsureUsers { primary } => self.ensure_users(host(primary), &may_act).await,
            Action::Reconfigure {
                primary,
                base,
                change,
            } => {
                self.reconfigure(host(primary), *base, change, &may_act)
                    .await
            }
            Action::StepDown { primary } => self.step_down(host(primary), &may_act).await,
            Action::RestartPod { .. } | Action::Resync { .. } => return Ok(Outcome::NotOurs),
        };
        match done {
            Err(ActError::Call(CallError::DoneBefore)) => Ok(Outcome::Outdated),
            done => done,
        }
    }

    /// The server asks all that are listed, and refuses if one is silent or has a configuration.
    async fn initiate(
        &self,
        hosts: &[String],
        may_act: &(impl Fn() -> bool + Sync),
    ) -> Result<Outcome, ActError> {
        let first = hosts.first().map_or("", String::as_str);
        let members = (0_i32..).zip(hosts);
        let members: Vec<Document> = members
            .map(|(id, host)| doc! {"_id": id, "host": host})
            .collect();
        let config = doc! {"_id": &self.access.set, "members": members, "settings": settings()};
        let initiate = doc! {"replSetInitiate": config};
        self.change(first, User::System, "admin", initiate, CHANGE, may_act)
            .await?;
        Ok(Outcome::Done)
    }

    async fn ensure_users(
        &self,
        primary: &str,
        may_act: &(impl Fn() -> bool + Sync),
    ) -> Result<Outcome, ActError> {
        for definition in definitions(&self.access) {
            let database = definition.database;
            let create = definition.create();
            let created = self.change(primary, User::System, database, create, CHANGE, may_act);
            match created.await {
                Err(ActError::Call(CallError::DoneBefore)) => {
                    let update = definition.update();
                    self.change(primary, User::System, database, update, CHANGE, may_act)
                        .await?;
                }
                created => {
                    created?;
                }
            }
        }
        self.forget(primary);
        Ok(Outcome::Done)
    }

    /// Changes what is there, so that what others have set stays; the number of the configuration
    /// makes one of two fail that change the same.
    async fn reconfigure(
        &self,
        primary: &str,
        base: Version,
        change: &Change,
        may_act: &(impl Fn() -> bool + Sync),
    ) -> Result<Outcome, ActError> {
        let get = doc! {"replSetGetConfig": 1};
        let reply = self
            .run(primary, User::Operator, "admin", get, LOOK)
            .await?;
        let garbled = CallError::Garbled("configuration");
        let config = reply.get_document("config").map_err(|_| garbled.clone())?;
        if wire::version(config) != Some(base) {
            return Ok(Outcome::Outdated);
        }
        let config = changed(config, base, change).ok_or(garbled)?;
        let reconfigure = doc! {"replSetReconfig": config, "maxTimeMS": CHANGE_MILLIS};
        self.change(
            primary,
            User::Operator,
            "admin",
            reconfigure,
            CHANGE,
            may_act,
        )
        .await?;
        Ok(Outcome::Done)
    }

    async fn step_down(
        &self,
        primary: &str,
        may_act: &(impl Fn() -> bool + Sync),
    ) -> Result<Outcome, ActError> {
        let step_down = doc! {
            "replSetStepDown": STAND_BACK_SECONDS,
            "secondaryCatchUpPeriodSecs": CATCH_UP_SECONDS,
        };
        self.change(
            primary,
            User::Operator,
            "admin",
            step_down,
            STEP_DOWN,
            may_act,
        )
        .await?;
        Ok(Outcome::Done)
    }

    async fn change(
        &self,
        host: &str,
        user: User,
        database: &str,
        command: Document,
        limit: Duration,
        may_act: &(impl Fn() -> bool + Sync),
    ) -> Result<Document, ActError> {
        if !may_act() {
            return Err(ActError::NotLeading);
        }
        Ok(self.run(host, user, database, command, limit).await?)
    }
}

/// The next configuration; `None` if the present one makes no sense.
fn changed(config: &Document, base: Version, change: &Change) -> Option<Document> {
    let mut config = config.clone();
    config.insert("version", base.version + 1);
    config.get_document_mut("settings").ok()?.extend(settings());
    let members = config.get_array_mut("members").ok()?;
    match change {
        Change::Settings => {}
        Change::Add { id, host } => members.push(doc! {"_id": *id, "host": host}.into()),
        Change::Remove { host } => {
            let is_it = |it: &Bson| {
                let member = it.as_document();
                member.is_some_and(|it| it.get_str("host").is_ok_and(|it| it == host))
            };
            members.retain(|it| !is_it(it));
        }
    }
    Some(config)
}

fn settings() -> Document {
    doc! {
        "electionTimeoutMillis": SETTINGS.election_timeout_millis,
        "heartbeatIntervalMillis": SETTINGS.heartbeat_interval_millis,
        "catchUpTimeoutMillis": SETTINGS.catch_up_timeout_millis,
        "chainingAllowed": SETTINGS.chaining_allowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Version = Version {
        term: 2,
        version: 5,
    };

    fn config() -> Document {
        doc! {
            "_id": "voice",
            "version": 5,
            "term": 2_i64,
            "members": [
                {"_id": 0, "host": "a", "tags": {"zone": "west"}},
                {"_id": 1, "host": "b"},
            ],
            "settings": {"electionTimeoutMillis": 9, "heartbeatTimeoutSecs": 10},
        }
    }

    fn hosts(config: &Document) -> Vec<&str> {
        let members = config.get_array("members").unwrap().iter();
        members
            .map(|it| it.as_document().unwrap().get_str("host").unwrap())
            .collect()
    }

    #[test]
    fn a_change_counts_on_and_touches_nothing_else() {
        let host = "c".to_owned();
        let after = changed(&config(), BASE, &Change::Add { id: 2, host }).unwrap();
        assert_eq!(after.get_i64("version").unwrap(), 6);
        assert_eq!(hosts(&after), ["a", "b", "c"]);
        let first = after.get_array("members").unwrap()[0].as_document();
        assert!(first.unwrap().contains_key("tags"));
        let settings = after.get_document("settings").unwrap();
        assert_eq!(settings.get_i64("electionTimeoutMillis").unwrap(), 3_000);
        assert_eq!(settings.get_i32("heartbeatTimeoutSecs").unwrap(), 10);
    }

    #[test]
    fn one_member_is_removed_by_its_host() {
        let host = "a".to_owned();
        let after = changed(&config(), BASE, &Change::Remove { host }).unwrap();
        assert_eq!(hosts(&after), ["b"]);
    }
}
