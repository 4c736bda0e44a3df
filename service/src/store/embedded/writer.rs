//! The thread that commits and creates. It is always the same one, since writes wait for each other
//! anyway: what they touch stays in the caches of one core, and what the memtables hold comes from
//! one arena of the allocator, which keeps one for each thread. An erasure is not for it: that is
//! many writes, and others go in between.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::store::embedded::engine::Engine;

type Job = Box<dyn FnOnce(&Arc<Engine>) + Send>;

/// What a job gave, or the panic it ended with.
type Outcome<T> = Result<T, Box<dyn Any + Send>>;

/// A handle of the thread, which ends with it.
pub(super) struct Writer {
    /// Absent only while it ends. Not bounded: each job has a caller, and those are.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(engine: Arc<Engine>) -> io::Result<Self> {
        let (jobs, queue) = channel::<Job>();
        let thread = thread::Builder::new().name("store-writer".to_owned());
        let thread = thread.spawn(move || queue.into_iter().for_each(|job| job(&engine)))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Does `work`, to its end, whoever waits for it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Engine>) -> T + Send + 'static,
    ) -> T {
        let (sender, receiver) = oneshot::channel::<Outcome<T>>();
        let job: Job = Box::new(move |engine| {
            // A panic is the caller's. The engine's locks tell what it may have left behind.
            let outcome = catch_unwind(AssertUnwindSafe(|| work(engine)));
            // Who hung up does not want it any more.
            let _ = sender.send(outcome);
        });
        if let Some(jobs) = &self.jobs {
            // The thread lives as long as this handle, and no job can end it.
            let _ = jobs.send(job);
        }
        match receiver.await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Writer {
    /// Waits for what is being written.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It catches the panics of its jobs, and has none of its own.
            let _ = thread.join();
        }
    }
}
