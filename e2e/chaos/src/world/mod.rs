//! The machines: service processes and the replica set they share, and what is done to them.
//!
//! `services` has the processes, `members` the replica set, `documents` reads what is in it. What to do
//! and when is `schedule`'s; here it is done and undone, and waited for until all works again.

mod documents;
mod members;
mod services;

use std::{path::Path, sync::Arc};

use sessionstore_replica_set::{Election, Options, ReplicaSet, SetError};
use tokio::time::sleep;

use crate::{
    clients::caller::Doors,
    history::{Fault, recorder::Recorder, values::FaultKind},
    schedule::{PROCESSES, Planned},
    stored::Stored,
};
use members::Members;
use services::Services;

pub use services::ServiceError;

/// What went wrong with the machines that was not planned.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// With a service process.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// With the replica set.
    #[error(transparent)]
    Set(#[from] SetError),
    /// Its documents cannot be read.
    #[error("the documents cannot be read")]
    Documents(#[from] mongodb::error::Error),
}

/// All machines of a run. They end with this value, the services before the members.
#[derive(Debug)]
pub struct World {
    services: Services,
    members: Option<Members>,
}

impl World {
    /// One service process on the embedded store.
    ///
    /// # Errors
    ///
    /// [`WorldError`] when it does not start.
    pub async fn embedded(binary: &Path, folder: &Path) -> Result<Self, WorldError> {
        let store_url = format!("embedded:{}", folder.join("store").display());
        Ok(Self {
            services: Services::start(binary, folder, &[store_url]).await?,
            members: None,
        })
    }

    /// Three service processes on a replica set of three members, each on a way of its own.
    ///
    /// # Errors
    ///
    /// [`WorldError`] when one of them does not start.
    pub async fn replicated(
        binary: &Path,
        folder: &Path,
        election: Election,
    ) -> Result<Self, WorldError> {
        let options = Options {
            election,
            folder: Some(folder.join("replica-set")),
            ..Options::default()
        };
        let members = Members::of(ReplicaSet::start(options).await?, PROCESSES)?;
        Ok(Self {
            services: Services::start(binary, folder, &members.urls()).await?,
            members: Some(members),
        })
    }

    /// Where the processes listen.
    pub fn doors(&self) -> Arc<Doors> {
        self.services.doors()
    }

    /// What can be done to these machines.
    pub fn kinds(&self) -> &'static [FaultKind] {
        match self.members {
            Some(_) => &FaultKind::ALL,
            None => &FaultKind::OF_SERVICES,
        }
    }

    /// Does something, undoes it after its time, and waits until all is well again.
    ///
    /// # Errors
    ///
    /// [`WorldError`] when somebody does not recover.
    pub async fn carry_out(
        &self,
        planned: &Planned,
        recorder: &Recorder,
    ) -> Result<Fault, WorldError> {
        match &self.members {
            Some(members) if !FaultKind::OF_SERVICES.contains(&planned.kind) => {
                hurt_a_member(members, planned, recorder).await
            }
            _ => self.hurt_a_service(planned, recorder).await,
        }
    }

    async fn hurt_a_service(
        &self,
        planned: &Planned,
        recorder: &Recorder,
    ) -> Result<Fault, WorldError> {
        let process = planned.process % self.doors().count();
        let began = recorder.now();
        match planned.kind {
            FaultKind::KillService => self.services.kill(process).await?,
            FaultKind::FreezeService => self.services.freeze(process).await?,
            _ => self.services.stop(process).await?,
        }
        sleep(planned.lasts).await;
        let mended = recorder.now();
        match planned.kind {
            FaultKind::FreezeService => self.services.thaw(process).await?,
            _ => self.services.start_again(process).await?,
        }
        Ok(Fault {
            kind: planned.kind,
            target: format!("service process {process}"),
            process: Some(process),
            began,
            mended,
            recovered: recorder.now(),
        })
    }

    /// Whether everybody is there who should be.
    ///
    /// # Errors
    ///
    /// [`WorldError`] when a process has ended by itself, or the set is not healthy.
    pub async fn must_be_whole(&self) -> Result<(), WorldError> {
        if let Some(members) = &self.members {
            members.recover().await?;
        }
        Ok(self.services.must_all_run().await?)
    }

    /// Adds what the documents say, if there are any to look at.
    ///
    /// # Errors
    ///
    /// [`WorldError`] when they cannot be read.
    pub async fn look_behind(&self, stored: &mut Stored) -> Result<(), WorldError> {
        if let Some(members) = &self.members {
            let database = members.set().admin().database(DATABASE);
            stored.look_behind(documents::read(&database).await?);
        }
        Ok(())
    }
}

/// The database of the services.
const DATABASE: &str = "sessionstore";

async fn hurt_a_member(
    members: &Members,
    planned: &Planned,
    recorder: &Recorder,
) -> Result<Fault, WorldError> {
    let began = recorder.now();
    let hurt = members.hurt(planned).await?;
    sleep(planned.lasts).await;
    members.mend(&hurt).await?;
    let mended = recorder.now();
    members.recover().await?;
    Ok(Fault {
        kind: planned.kind,
        target: hurt.target,
        process: None,
        began,
        mended,
        recovered: recorder.now(),
    })
}
