//! The machines: service processes and the replica set they share, and what is done to them.
//!
//! `services` has the processes. What to do and when is `schedule`'s; here it is done and undone, and
//! waited for until whom it was done to works again.

pub mod services;

use std::{path::Path, sync::Arc};

use tokio::time::sleep;

use crate::{
    clients::caller::Doors,
    history::{Fault, recorder::Recorder, values::FaultKind},
    schedule::Planned,
};
use services::{ServiceError, Services};

/// What went wrong with the machines that was not planned.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// With a service process.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// All machines of a run. They end with this value.
#[derive(Debug)]
pub struct World {
    services: Services,
}

impl World {
    /// One service process on the embedded store.
    ///
    /// # Errors
    ///
    /// [`WorldError`] when it does not start.
    pub async fn embedded(binary: &Path, folder: &Path) -> Result<Self, WorldError> {
        let store_url = format!("embedded:{}", folder.join("store").display());
        let services = Services::start(binary, folder, &[store_url]).await?;
        Ok(Self { services })
    }

    /// Where the processes listen.
    pub fn doors(&self) -> Arc<Doors> {
        self.services.doors()
    }

    /// What can be done to these machines.
    pub fn kinds(&self) -> &'static [FaultKind] {
        &FaultKind::OF_SERVICES
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
        let process = planned.process % self.services.doors().count();
        let began = recorder.now();
        match planned.kind {
            FaultKind::KillService => self.services.kill(process).await?,
            FaultKind::RestartService => self.services.stop(process).await?,
            FaultKind::FreezeService => self.services.freeze(process).await?,
            _ => {}
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
    /// [`WorldError`] when a process has ended by itself.
    pub async fn must_be_whole(&self) -> Result<(), WorldError> {
        Ok(self.services.must_all_run().await?)
    }
}
