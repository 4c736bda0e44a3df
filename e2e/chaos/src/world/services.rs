//! The service processes: started, killed, stopped, frozen and started again.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::Arc,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use sessionstore_launch::{Server, StartError};
use tokio::{
    sync::Mutex,
    task::JoinError,
    time::{Instant, sleep},
};

use crate::clients::caller::Doors;

/// How long a process that is told to stop may take: what it promises, and time for a busy machine.
const STOP_LIMIT: Duration = Duration::from_secs(45);

/// What is wrong with a process.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// It did not start.
    #[error("service process {process} does not start")]
    Start {
        /// Which one.
        process: usize,
        /// Why.
        source: StartError,
    },
    /// Its folder cannot be made, or the system refuses a signal.
    #[error("service process {process}")]
    System {
        /// Which one.
        process: usize,
        /// What the system says.
        source: io::Error,
    },
    /// It was told to stop, and did not end well.
    #[error("service process {process} was told to stop and {how}; its log ends with:\n{log_end}")]
    Stop {
        /// Which one.
        process: usize,
        /// What it did instead.
        how: String,
        /// Its last words.
        log_end: String,
    },
    /// It ended although nobody had asked.
    #[error("service process {process} ended by itself ({status}); its log ends with:\n{log_end}")]
    Ended {
        /// Which one.
        process: usize,
        /// How.
        status: ExitStatus,
        /// Its last words.
        log_end: String,
    },
    /// Starting it panicked.
    #[error("starting a service process failed")]
    Join(#[from] JoinError),
}

/// All service processes.
#[derive(Debug)]
pub(super) struct Services {
    binary: PathBuf,
    processes: Vec<Mutex<Service>>,
    doors: Arc<Doors>,
}

#[derive(Debug)]
struct Service {
    number: usize,
    store_url: String,
    folder: PathBuf,
    /// How often it was started: each life has a folder of its own, so that no log is overwritten.
    lives: u32,
    server: Server,
}

impl Services {
    /// Starts one process for each store URL, with logs below `folder`.
    ///
    /// # Errors
    ///
    /// [`ServiceError`] when one does not start.
    pub(super) async fn start(
        binary: &Path,
        folder: &Path,
        store_urls: &[String],
    ) -> Result<Self, ServiceError> {
        let mut services = Vec::new();
        let mut urls = Vec::new();
        for (number, store_url) in store_urls.iter().enumerate() {
            let folder = folder.join(format!("service-{number}"));
            let server = start(binary, number, store_url, folder.join("life-1")).await?;
            urls.push(server.url());
            services.push(Mutex::new(Service {
                number,
                store_url: store_url.clone(),
                folder,
                lives: 1,
                server,
            }));
        }
        Ok(Self {
            binary: binary.to_owned(),
            processes: services,
            doors: Arc::new(Doors::new(urls)),
        })
    }

    /// Where they listen.
    pub(super) fn doors(&self) -> Arc<Doors> {
        self.doors.clone()
    }

    /// SIGKILL.
    ///
    /// # Errors
    ///
    /// [`ServiceError`] when the system refuses, or when it had ended before by itself.
    pub(super) async fn kill(&self, process: usize) -> Result<(), ServiceError> {
        let mut service = self.processes[process].lock().await;
        service.must_run()?;
        let number = service.number;
        service
            .server
            .kill()
            .map_err(|source| ServiceError::System {
                process: number,
                source,
            })
    }

    /// SIGTERM, and waits until it has ended.
    ///
    /// # Errors
    ///
    /// [`ServiceError`] when it does not end, or not with exit code 0.
    pub(super) async fn stop(&self, process: usize) -> Result<(), ServiceError> {
        let mut service = self.processes[process].lock().await;
        service.must_run()?;
        service.signal(Signal::TERM)?;
        let limit = Instant::now() + STOP_LIMIT;
        let how = loop {
            match service.ended()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => break format!("ended with {status}"),
                None if limit < Instant::now() => break format!("runs on after {STOP_LIMIT:?}"),
                None => sleep(Duration::from_millis(20)).await,
            }
        };
        Err(ServiceError::Stop {
            process,
            how,
            log_end: service.server.log_end(),
        })
    }

    /// SIGSTOP.
    ///
    /// # Errors
    ///
    /// [`ServiceError`] when the system refuses.
    pub(super) async fn freeze(&self, process: usize) -> Result<(), ServiceError> {
        let mut service = self.processes[process].lock().await;
        service.must_run()?;
        service.signal(Signal::STOP)
    }

    /// SIGCONT.
    ///
    /// # Errors
    ///
    /// [`ServiceError`] when the system refuses.
    pub(super) async fn thaw(&self, process: usize) -> Result<(), ServiceError> {
        self.processes[process].lock().await.signal(Signal::CONT)
    }

    /// Starts a process that is gone, on the same store, and tells the clients where it listens.
    ///
    /// # Errors
    ///
    /// [`ServiceError`] when it does not start.
    pub(super) async fn start_again(&self, process: usize) -> Result<(), ServiceError> {
        let mut service = self.processes[process].lock().await;
        service.lives += 1;
        let folder = service.folder.join(format!("life-{}", service.lives));
        service.server = start(&self.binary, process, &service.store_url, folder).await?;
        self.doors.moved(process, service.server.url());
        Ok(())
    }

    /// Whether all of them still run.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Ended`] when one has ended by itself.
    pub(super) async fn must_all_run(&self) -> Result<(), ServiceError> {
        for service in &self.processes {
            service.lock().await.must_run()?;
        }
        Ok(())
    }
}

impl Service {
    fn signal(&self, signal: Signal) -> Result<(), ServiceError> {
        let pid = i32::try_from(self.server.pid())
            .ok()
            .and_then(Pid::from_raw);
        // The process has not been waited for, so its id cannot be another's yet.
        let sent = pid.map_or(Err(rustix::io::Errno::SRCH), |pid| {
            kill_process(pid, signal)
        });
        sent.map_err(|source| ServiceError::System {
            process: self.number,
            source: source.into(),
        })
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>, ServiceError> {
        self.server.ended().map_err(|source| ServiceError::System {
            process: self.number,
            source,
        })
    }

    fn must_run(&mut self) -> Result<(), ServiceError> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => Err(ServiceError::Ended {
                process: self.number,
                status,
                log_end: self.server.log_end(),
            }),
        }
    }
}

async fn start(
    binary: &Path,
    process: usize,
    store_url: &str,
    folder: PathBuf,
) -> Result<Server, ServiceError> {
    fs::create_dir_all(&folder).map_err(|source| ServiceError::System { process, source })?;
    let (binary, store_url) = (binary.to_owned(), store_url.to_owned());
    // Starting blocks until the process says that it serves.
    let start = move || Server::start_on(&binary, &store_url, &folder);
    tokio::task::spawn_blocking(start)
        .await?
        .map_err(|source| ServiceError::Start { process, source })
}
