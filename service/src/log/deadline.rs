//! How long one operation may take, however many calls to the store it makes.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::store::StoreError;

/// When an operation has to be answered.
#[derive(Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// The stores give up at about the same moment, and know why they could not answer: so much
    /// longer they are waited for, to say it.
    pub(super) const GRACE: Duration = Duration::from_millis(100);

    pub(super) fn after(patience: Duration) -> Self {
        Self(Instant::now() + patience)
    }

    pub(super) fn has_passed(self) -> bool {
        self.0 <= Instant::now()
    }

    /// The result of a read, which is abandoned if it takes too long.
    pub(super) async fn read<T, E: From<StoreError>>(
        self,
        read: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let result = timeout_at(self.0 + Self::GRACE, read).await;
        result.unwrap_or_else(|_| Err(StoreError::TimedOut.into()))
    }

    /// The result of a write that runs by itself. If it takes too long it goes on all the same,
    /// and nobody is told what becomes of it.
    pub(super) async fn written<T, E: From<StoreError>>(
        self,
        write: JoinHandle<Result<T, E>>,
    ) -> Result<T, E> {
        let result = async {
            write.await.unwrap_or_else(|error| {
                tracing::error!(%error, "a write to the store broke off; its outcome is unknown");
                Err(StoreError::TimedOut.into())
            })
        };
        self.read(result).await
    }
}
