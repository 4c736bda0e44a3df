//! One look at all members, for the plan. It changes nothing.

use futures::future::join_all;
use mongodb::bson::{Document, doc};

use super::error::CallError;
use super::link::{LOOK, Members, User};
use super::plan::{Answer, Config, Logins, State, View};
use super::users::{DATABASE, ask_for_mark, mark, mark_of};
use super::wire;

/// What a primary runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// Of the server.
    pub server: String,
    /// Which version's data it writes.
    pub feature_compatibility: String,
}

impl Members {
    /// What the members at these hosts answer, in their order. All are asked at once, and none is
    /// waited for longer than some seconds.
    pub async fn observe(&self, hosts: &[String]) -> Vec<Answer> {
        join_all(hosts.iter().map(|it| self.ask(it))).await
    }

    /// What a member runs.
    ///
    /// # Errors
    /// [`CallError`] when it does not say.
    pub async fn versions(&self, host: &str) -> Result<Versions, CallError> {
        let build = self.look(host, User::Operator, doc! {"buildInfo": 1});
        let server = build.await?.get_str("version").map(str::to_owned);
        let parameter = doc! {"getParameter": 1, "featureCompatibilityVersion": 1};
        let parameter = self.look(host, User::Operator, parameter).await?;
        let compatibility = parameter
            .get_document("featureCompatibilityVersion")
            .and_then(|it| it.get_str("version"));
        let garbled = |_| CallError::Garbled("version");
        Ok(Versions {
            server: server.map_err(garbled)?,
            feature_compatibility: compatibility.map_err(garbled)?.to_owned(),
        })
    }

    async fn ask(&self, host: &str) -> Answer {
        match self.ask_as(host, User::Operator).await {
            Err(CallError::LoginRefused) => {
                // New, not yet copied, or with the users of other Secrets.
                let answer = self.ask_as(host, User::System).await;
                answer.map_or_else(of_error, without_login)
            }
            Ok(Answer::Member(view)) => {
                Answer::Member(Box::new(self.try_others(host, *view).await))
            }
            // With another key it hears from nobody that it is a member.
            Ok(Answer::Removed(_)) if self.is_refused(host, User::System, "admin").await => {
                Answer::KeyRefused
            }
            answer => answer.unwrap_or_else(of_error),
        }
    }

    async fn ask_as(&self, host: &str, user: User) -> Result<Answer, CallError> {
        match self.look(host, user, doc! {"replSetGetStatus": 1}).await {
            Ok(status) => {
                let config = self.config(host, user).await?;
                Ok(Answer::Member(Box::new(wire::view(&status, config)?)))
            }
            Err(CallError::Removed) => Ok(Answer::Removed(self.config(host, user).await.ok())),
            Err(CallError::NotInitiated) => self.new_or_starting(host).await,
            Err(error) => Err(error),
        }
    }

    /// A member that has just started says that it has no configuration until it has read the one
    /// that is on its volume; for long, while names do not resolve.
    async fn new_or_starting(&self, host: &str) -> Result<Answer, CallError> {
        let find = doc! {"find": "system.replset", "limit": 1, "singleBatch": true};
        let reply = self.run(host, User::System, "local", find, LOOK).await?;
        let batch = reply
            .get_document("cursor")
            .and_then(|it| it.get_array("firstBatch"));
        match batch {
            Ok(found) if found.is_empty() => Ok(Answer::NotInitiated),
            Ok(_) => Ok(Answer::Starting),
            Err(_) => Err(CallError::Garbled("batch")),
        }
    }

    /// A set may go on with a key whose Secret is lost.
    async fn try_others(&self, host: &str, mut view: View) -> View {
        let leads = view.state == State::Primary;
        if leads {
            view.logins = self.logins(host).await;
        }
        let is_led = view.peers.iter().any(|it| it.state == State::Primary);
        view.refuses_key = (leads || !is_led) && self.is_refused(host, User::System, "admin").await;
        view
    }

    /// The service's user may be missing where the operator's is not.
    async fn logins(&self, primary: &str) -> Logins {
        if self.is_refused(primary, User::Service, DATABASE).await {
            return Logins::Refused;
        }
        let asked = self.look(primary, User::Operator, ask_for_mark(&self.access));
        match asked.await {
            Ok(reply) if mark_of(&reply) != Some(&*mark(&self.access)) => Logins::Outdated,
            // Whoever does not say is asked again.
            _ => Logins::Accepted,
        }
    }

    async fn is_refused(&self, host: &str, user: User, database: &str) -> bool {
        let ping = self.run(host, user, database, doc! {"ping": 1}, LOOK);
        ping.await == Err(CallError::LoginRefused)
    }

    async fn config(&self, host: &str, user: User) -> Result<Config, CallError> {
        let reply = self.look(host, user, doc! {"replSetGetConfig": 1}).await?;
        wire::config(&reply)
    }

    async fn look(&self, host: &str, user: User, command: Document) -> Result<Document, CallError> {
        self.run(host, user, "admin", command, LOOK).await
    }
}

fn without_login(mut answer: Answer) -> Answer {
    if let Answer::Member(view) = &mut answer {
        view.logins = Logins::Refused;
    }
    answer
}

fn of_error(error: CallError) -> Answer {
    match error {
        CallError::LoginRefused => Answer::KeyRefused,
        other => Answer::Unreachable(other.to_string()),
    }
}
