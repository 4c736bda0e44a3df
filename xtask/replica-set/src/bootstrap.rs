//! From a few empty members to a set with its users.

use std::{
    ops::ControlFlow::{Break, Continue},
    path::Path,
    sync::Arc,
};

use futures::future::try_join_all;
use mongodb::{Client, bson::doc};

use crate::{
    Election, Options, SetError, config, limits, member::Member, ports, process::Launch,
    wait::until,
};

/// What mongod says when another process was faster to take the port.
const PORT_TAKEN: &str = "Address already in use";

/// How often other ports are tried.
const TRIES: usize = 5;

/// Starts the members in `folder`, on free ports.
pub(crate) async fn start_members(
    options: &Options,
    folder: &Path,
    launch: &Arc<Launch>,
    key: &str,
) -> Result<Vec<Member>, SetError> {
    let mut attempt = 1;
    loop {
        let folder = folder.join(format!("try-{attempt}"));
        match start_members_once(options, &folder, launch, key).await {
            Err(SetError::Ended { log_end, .. })
                if attempt < TRIES && log_end.contains(PORT_TAKEN) =>
            {
                attempt += 1;
            }
            started => return started,
        }
    }
}

async fn start_members_once(
    options: &Options,
    folder: &Path,
    launch: &Arc<Launch>,
    key: &str,
) -> Result<Vec<Member>, SetError> {
    // All at once, so that they differ; given up only right before the members take them.
    let reserved: Vec<_> = (0..options.members)
        .map(|_| ports::listen())
        .collect::<Result<_, _>>()
        .map_err(SetError::system("listen on a free port"))?;
    let ports = reserved
        .iter()
        .map(|it| it.local_addr().map(|it| it.port()))
        .collect::<Result<Vec<u16>, _>>()
        .map_err(SetError::system("listen"))?;
    drop(reserved);
    let members = ports.into_iter().enumerate().map(|(index, port)| {
        let folder = folder.join(index.to_string());
        Member::start(port, folder, Arc::clone(launch), key, options.data_limit)
    });
    try_join_all(members).await
}

/// Makes one set of members that know nothing of each other; returns when the first of them, whose
/// driver is given, has been elected.
pub(crate) async fn initiate(
    first: &Client,
    ports: &[u16],
    name: &str,
    election: Election,
) -> Result<(), SetError> {
    let admin = first.database("admin");
    let configuration = config::configuration(name, ports, election);
    let initiate = doc! {"replSetInitiate": configuration};
    admin.run_command(initiate).await?;
    // By itself it would wait for the election timeout. The others refuse their votes until they
    // have heard of the configuration.
    until("the first election", limits::SET, async || {
        Ok(match admin.run_command(doc! {"replSetStepUp": 1}).await {
            Ok(_) => Break(()),
            Err(refused) => Continue(refused.to_string()),
        })
    })
    .await
}
