//! A first way to the members, until the real one is there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mongodb::Client;
use mongodb::bson::{Bson, Document, doc};
use mongodb::event::EventHandler;
use mongodb::event::sdam::SdamEvent;
use mongodb::options::{AuthMechanism, ClientOptions, Credential, ServerAddress};

use crate::build::{Credentials, OPERATOR_USER, SERVICE_USER};
use crate::mongo::plan::{
    Action, Answer, Change, Config, ConfigMember, Logins, OpTime, Peer, Settings, State, Version,
    View, SETTINGS,
};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum User {
    System,
    Operator,
    Service,
}

pub struct Members {
    set: String,
    credentials: Credentials,
    clients: HashMap<(String, User), Client>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

const LIMIT: Duration = Duration::from_secs(3);

impl Members {
    pub fn new(set: &str, credentials: &Credentials, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self {
            set: set.to_owned(),
            credentials: credentials.clone(),
            clients: HashMap::new(),
            wake,
        }
    }

    fn client(&mut self, host: &str, user: User) -> Result<Client, String> {
        if let Some(client) = self.clients.get(&(host.to_owned(), user)) {
            return Ok(client.clone());
        }
        let address = ServerAddress::parse(host).map_err(|e| e.to_string())?;
        let (name, source, password) = match user {
            User::System => ("__system", "local", &self.credentials.key),
            User::Operator => (OPERATOR_USER, "admin", &self.credentials.operator_password),
            User::Service => (SERVICE_USER, "sessionstore", &self.credentials.service_password),
        };
        let credential = Credential::builder()
            .username(name.to_owned())
            .source(source.to_owned())
            .password(password.clone())
            .mechanism(AuthMechanism::ScramSha256)
            .build();
        let mut options = ClientOptions::builder()
            .hosts(vec![address])
            .credential(credential)
            .direct_connection(true)
            .app_name("sessionstore-operator".to_owned())
            .connect_timeout(Duration::from_millis(1500))
            .server_selection_timeout(Duration::from_millis(2000))
            .heartbeat_freq(Duration::from_secs(10))
            .max_pool_size(2)
            .build();
        if user == User::Operator {
            let wake = self.wake.clone();
            options.sdam_event_handler = Some(EventHandler::callback(move |event| {
                if let SdamEvent::ServerDescriptionChanged(_) = event {
                    wake();
                }
            }));
        }
        let client = Client::with_options(options).map_err(|e| e.to_string())?;
        self.clients.insert((host.to_owned(), user), client.clone());
        Ok(client)
    }

    async fn run(&mut self, host: &str, user: User, database: &str, command: Document) -> Result<Document, (i32, String)> {
        let client = self.client(host, user).map_err(|e| (0, e))?;
        let database = client.database(database);
        let call = tokio::spawn(async move { database.run_command(command).await });
        let limit = LIMIT + Duration::from_secs(20);
        match tokio::time::timeout(limit, call).await {
            Ok(Ok(Ok(reply))) => Ok(reply),
            Ok(Ok(Err(error))) => {
                use mongodb::error::ErrorKind;
                let code = match *error.kind {
                    ErrorKind::Command(ref it) => it.code,
                    ErrorKind::Authentication { .. } => 18,
                    _ => 0,
                };
                let text = error.to_string();
                let code = if code == 0 && text.contains("AuthenticationFailed") { 18 } else { code };
                Err((code, text))
            }
            Ok(Err(panic)) => Err((0, panic.to_string())),
            Err(_) => Err((0, "no answer".to_owned())),
        }
    }

    pub async fn ask(&mut self, host: &str) -> Answer {
        let mut logins = Logins::Accepted;
        let mut user = User::Operator;
        let mut status = self.run(host, user, "admin", doc! {"replSetGetStatus": 1}).await;
        if let Err((18 | 13, _)) = status {
            logins = Logins::Refused;
            user = User::System;
            status = self.run(host, user, "admin", doc! {"replSetGetStatus": 1}).await;
        }
        let status = match status {
            Ok(status) => status,
            Err((94, _)) => return Answer::NotInitiated,
            Err((93, _)) => {
                let config = self.config(host, user).await;
                return Answer::Removed(config.ok());
            }
            Err((18, _)) => return Answer::KeyRefused,
            Err((_, text)) => return Answer::Unreachable(text),
        };
        let config = match self.config(host, user).await {
            Ok(config) => config,
            Err(text) => return Answer::Unreachable(text),
        };
        let state = State::of(number(&status, "myState"));
        if state == State::Primary
            && logins == Logins::Accepted
            && let Err((18 | 13, _)) = self.run(host, User::Service, "sessionstore", doc! {"ping": 1}).await
        {
            logins = Logins::Refused;
        }
        let optimes = status.get_document("optimes").cloned().unwrap_or_default();
        let members = status.get_array("members").cloned().unwrap_or_default();
        let mut peers = Vec::new();
        for member in members.iter().filter_map(Bson::as_document) {
            if member.get_bool("self").unwrap_or(false) {
                continue;
            }
            peers.push(Peer {
                host: member.get_str("name").unwrap_or_default().to_owned(),
                state: State::of(number(member, "state")),
                healthy: member.get_f64("health").unwrap_or(0.0) > 0.5,
                applied: optime(member.get_document("optime").ok()),
            });
        }
        Answer::Member(Box::new(View {
            state,
            term: status.get_i64("term").unwrap_or(-1),
            applied: optime(optimes.get_document("appliedOpTime").ok()),
            committed: optime(optimes.get_document("lastCommittedOpTime").ok()),
            too_stale: false,
            voters: usize::try_from(number(&status, "votingMembersCount")).unwrap_or(0),
            peers,
            config,
            logins,
        }))
    }

    async fn config(&mut self, host: &str, user: User) -> Result<Config, String> {
        let reply = self
            .run(host, user, "admin", doc! {"replSetGetConfig": 1})
            .await
            .map_err(|(_, text)| text)?;
        let config = reply.get_document("config").map_err(|e| e.to_string())?;
        let settings = config.get_document("settings").map_err(|e| e.to_string())?;
        let members = config.get_array("members").map_err(|e| e.to_string())?;
        Ok(Config {
            set_id: settings.get_object_id("replicaSetId").map_err(|e| e.to_string())?.to_hex(),
            version: Version {
                term: config.get_i64("term").unwrap_or(-1),
                version: i64::from(number(config, "version")),
            },
            members: members
                .iter()
                .filter_map(Bson::as_document)
                .map(|it| ConfigMember {
                    id: number(it, "_id"),
                    host: it.get_str("host").unwrap_or_default().to_owned(),
                    votes: number(it, "votes") > 0,
                })
                .collect(),
            settings: Settings {
                election_timeout_millis: number(settings, "electionTimeoutMillis").into(),
                heartbeat_interval_millis: number(settings, "heartbeatIntervalMillis").into(),
                catch_up_timeout_millis: number(settings, "catchUpTimeoutMillis").into(),
                chaining_allowed: settings.get_bool("chainingAllowed").unwrap_or(true),
            },
        })
    }

    pub async fn act(&mut self, hosts: &[String], action: &Action) -> Result<(), String> {
        let settings = doc! {
            "electionTimeoutMillis": SETTINGS.election_timeout_millis,
            "heartbeatIntervalMillis": SETTINGS.heartbeat_interval_millis,
            "catchUpTimeoutMillis": SETTINGS.catch_up_timeout_millis,
            "chainingAllowed": SETTINGS.chaining_allowed,
        };
        match action {
            Action::Initiate { members } => {
                let list: Vec<Document> = hosts[..*members]
                    .iter()
                    .zip(0..)
                    .map(|(host, id)| doc! {"_id": id as i32, "host": host})
                    .collect();
                let config = doc! {"_id": &self.set, "members": list, "settings": settings};
                let reply = self.run(&hosts[0], User::System, "admin", doc! {"replSetInitiate": config}).await;
                tolerate(reply, &[23, 74])
            }
            Action::EnsureUsers { primary } => self.ensure_users(&hosts[*primary]).await,
            Action::Reconfigure { primary, base, change } => {
                let host = hosts[*primary].clone();
                let reply = self.run(&host, User::Operator, "admin", doc! {"replSetGetConfig": 1}).await.map_err(|e| e.1)?;
                let mut config = reply.get_document("config").cloned().map_err(|e| e.to_string())?;
                if i64::from(number(&config, "version")) != base.version {
                    return Ok(());
                }
                config.insert("version", base.version + 1);
                let mut its = config.get_document("settings").cloned().unwrap_or_default();
                its.extend(settings);
                config.insert("settings", its);
                let mut members = config.get_array("members").cloned().unwrap_or_default();
                match change {
                    Change::Settings => {}
                    Change::Add { id, host } => members.push(doc! {"_id": id, "host": host}.into()),
                    Change::Remove { host } => members.retain(|it| {
                        it.as_document().and_then(|it| it.get_str("host").ok()) != Some(host)
                    }),
                }
                config.insert("members", members);
                let reply = self.run(&host, User::Operator, "admin", doc! {"replSetReconfig": config, "maxTimeMS": 10_000}).await;
                tolerate(reply, &[])
            }
            Action::StepDown { primary } => {
                let reply = self
                    .run(&hosts[*primary], User::Operator, "admin", doc! {"replSetStepDown": 12, "secondaryCatchUpPeriodSecs": 10})
                    .await;
                tolerate(reply, &[10107, 189])
            }
            Action::RestartPod { .. } | Action::Resync { .. } => Ok(()),
        }
    }

    async fn ensure_users(&mut self, host: &str) -> Result<(), String> {
        let role: serde_json::Value =
            serde_json::from_str(include_str!("../../../service/mongodb-role.json")).map_err(|e| e.to_string())?;
        let role: Document = mongodb::bson::serialize_to_document(&role).map_err(|e| e.to_string())?;
        let operator_privileges = vec![doc! {
            "resource": {"cluster": true},
            "actions": ["replSetGetStatus", "replSetGetConfig", "replSetConfigure", "replSetStateChange", "serverStatus", "getParameter", "setFeatureCompatibilityVersion"],
        }];
        let things: [(&str, &str, &str, Document); 4] = [
            ("admin", "Role", "sessionstoreOperator", doc! {"privileges": operator_privileges, "roles": []}),
            ("admin", "User", OPERATOR_USER, doc! {"pwd": &self.credentials.operator_password, "roles": ["sessionstoreOperator"], "mechanisms": ["SCRAM-SHA-256"]}),
            ("sessionstore", "Role", "sessionstore", doc! {"privileges": role.get_array("privileges").cloned().unwrap_or_default(), "roles": []}),
            ("sessionstore", "User", SERVICE_USER, doc! {"pwd": &self.credentials.service_password, "roles": ["sessionstore"], "mechanisms": ["SCRAM-SHA-256"]}),
        ];
        for (database, kind, name, definition) in things {
            let concern = doc! {"w": "majority", "wtimeout": 10_000};
            let mut create = doc! {format!("create{kind}"): name};
            create.extend(definition.clone());
            create.insert("writeConcern", concern.clone());
            match self.run(host, User::System, database, create).await {
                Ok(_) => continue,
                Err((51002 | 51003, _)) => {}
                Err((_, text)) => return Err(text),
            }
            let mut update = doc! {format!("update{kind}"): name};
            update.extend(definition);
            update.insert("writeConcern", concern);
            self.run(host, User::System, database, update).await.map_err(|e| e.1)?;
        }
        self.clients.retain(|(_, user), _| *user == User::System);
        Ok(())
    }
}

fn tolerate(reply: Result<Document, (i32, String)>, codes: &[i32]) -> Result<(), String> {
    match reply {
        Ok(_) => Ok(()),
        Err((code, _)) if codes.contains(&code) => Ok(()),
        Err((_, text)) => Err(text),
    }
}

fn number(document: &Document, key: &str) -> i32 {
    match document.get(key) {
        Some(Bson::Int32(it)) => *it,
        Some(Bson::Int64(it)) => i32::try_from(*it).unwrap_or(0),
        #[expect(clippy::cast_possible_truncation)]
        Some(Bson::Double(it)) => *it as i32,
        _ => 0,
    }
}

fn optime(document: Option<&Document>) -> OpTime {
    let Some(document) = document else {
        return OpTime::default();
    };
    let ts = document.get_timestamp("ts").unwrap_or(mongodb::bson::Timestamp { time: 0, increment: 0 });
    OpTime {
        term: document.get_i64("t").unwrap_or(-1),
        seconds: ts.time,
        increment: ts.increment,
    }
}
