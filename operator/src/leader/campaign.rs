//! The shell around the election: one step after another, and the work of whoever leads.

use std::time::Duration;

use futures::stream::{BoxStream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use thiserror::Error;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::health::{Streams, Watch};

use super::election::{Claim, Election, Step, Terms, Why};
use super::leadership::Leadership;
use super::lease::{self, LeaseError, Place};
use super::metrics::LeaderMetrics;

/// Which Lease, and under which name.
#[derive(Clone, Debug)]
pub struct Candidacy {
    /// Where the Lease is.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The name of this process, which no other process has or had.
    pub identity: String,
    /// The times of the election.
    pub terms: Terms,
}

/// What the work of one term is given.
#[derive(Clone, Debug)]
pub struct Reign {
    /// To be asked before every change.
    pub leadership: Leadership,
    /// Cancelled when the work has to end: take nothing new, finish what is in flight, return.
    pub stop: CancellationToken,
}

/// Why a campaign cannot go on. The process should end, so that nothing of its work goes on.
#[derive(Debug, Error)]
pub enum CampaignError {
    /// It did not stop when the lead was lost or the process was told to stop.
    #[error("the work in flight did not stop within {0:?}")]
    Stuck(Duration),
    /// It stopped though nobody asked it to.
    #[error("the work ended by itself")]
    Ended,
    /// It broke.
    #[error("the work panicked: {0}")]
    Panicked(#[source] tokio::task::JoinError),
}

/// How a term ended.
enum End {
    WorkEnded(Result<(), tokio::task::JoinError>),
    WorkStuck,
    Lost(Why),
}

/// One candidate for one Lease.
pub struct Campaign {
    candidacy: Candidacy,
    election: Election,
    place: Place,
    news: BoxStream<'static, watcher::Result<Option<Lease>>>,
    watch: Watch,
    /// The latest state of the Lease, whole.
    seen: Option<Lease>,
    metrics: LeaderMetrics,
    calls: Complaints,
    watching: Complaints,
}

impl std::fmt::Debug for Campaign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Campaign")
            .field("election", &self.election)
            .finish_non_exhaustive()
    }
}

impl Campaign {
    /// A candidate; nothing is asked or written before [`Self::run`].
    pub fn new(
        client: &Client,
        candidacy: Candidacy,
        streams: &Streams,
        metrics: LeaderMetrics,
    ) -> Self {
        let watch = streams.watch("leases", &candidacy.name);
        let client = watch.client(client);
        let place = Place::new(client, &candidacy.namespace, &candidacy.name);
        let news = watcher::watch_object(place.api.clone(), &candidacy.name)
            .default_backoff()
            .boxed();
        Self {
            election: Election::new(&candidacy.identity, candidacy.terms),
            candidacy,
            place,
            news,
            watch,
            seen: None,
            metrics,
            calls: Complaints::default(),
            watching: Complaints::default(),
        }
    }

    /// Stands for election until it is told to stop, and does `work` in each term that it wins.
    ///
    /// Who loses the lead stops its work and stands again. When told to stop, it lets the work end
    /// first, for at most `drain`, and then gives the Lease away, so that another one can begin at
    /// once. If the work does not end, the Lease is not given away but runs out: nobody may begin
    /// while this work might still change something.
    ///
    /// # Errors
    /// When the work does not end when it has to, or ends when it should not.
    pub async fn run<W, F>(
        mut self,
        stop: CancellationToken,
        drain: Duration,
        work: W,
    ) -> Result<(), CampaignError>
    where
        W: Fn(Reign) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        loop {
            let Some(until) = self.stand(&stop).await else {
                return Ok(());
            };
            let reign = Reign {
                leadership: Leadership::new(until),
                stop: CancellationToken::new(),
            };
            self.metrics.is_leader.set(1);
            self.metrics.terms.inc();
            tracing::info!(identity = self.candidacy.identity, "leading");
            let mut working = tokio::spawn(work(reign.clone()));
            let end = self.lead(&reign, &mut working, &stop, drain).await;
            reign.leadership.end();
            reign.stop.cancel();
            self.metrics.is_leader.set(0);
            match end {
                End::WorkEnded(result) => {
                    self.release().await;
                    result.map_err(CampaignError::Panicked)?;
                    if stop.is_cancelled() {
                        return Ok(());
                    }
                    return Err(CampaignError::Ended);
                }
                End::WorkStuck => {
                    working.abort();
                    return Err(CampaignError::Stuck(drain));
                }
                End::Lost(why) => {
                    self.metrics.losses.inc();
                    tracing::warn!(?why, holder = self.election.holder(), "the lead is lost");
                    let Ok(result) = tokio::time::timeout(drain, &mut working).await else {
                        working.abort();
                        return Err(CampaignError::Stuck(drain));
                    };
                    result.map_err(CampaignError::Panicked)?;
                }
            }
        }
    }

    /// Waits for a term. None when told to stop before.
    async fn stand(&mut self, stop: &CancellationToken) -> Option<clock::Time> {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                _ = self.step() => {}
            }
            if let Some(until) = self.election.leads_until() {
                return Some(until);
            }
        }
    }

    /// Renews the Lease while the work goes on, also while it is ending.
    async fn lead(
        &mut self,
        reign: &Reign,
        working: &mut JoinHandle<()>,
        stop: &CancellationToken,
        drain: Duration,
    ) -> End {
        let drained = async {
            stop.cancelled().await;
            reign.stop.cancel();
            tokio::time::sleep(drain).await;
        };
        tokio::pin!(drained);
        loop {
            // A call that is given up here may still be carried out: the next one will see it.
            tokio::select! {
                biased;
                result = &mut *working => return End::WorkEnded(result),
                () = &mut drained => return End::WorkStuck,
                lost = self.step() => if let Some(why) = lost {
                    return End::Lost(why);
                },
            }
            if let Some(until) = self.election.leads_until() {
                reign.leadership.extend(until);
            }
        }
    }

    /// Does what the election says, once. Answers why a term is over, if it is.
    async fn step(&mut self) -> Option<Why> {
        match self.election.next(clock::now()) {
            Step::Wait(until) => self.wait(until).await,
            Step::Look => self.look().await,
            Step::Acquire(claim) | Step::Renew(claim) => self.claim(&claim).await,
            Step::StepAside(why) => return Some(why),
        }
        None
    }

    /// Until this time, or until the Lease changes.
    async fn wait(&mut self, until: clock::Time) {
        let pause = tokio::time::sleep(until.saturating_sub(clock::now()));
        let news = tokio::select! {
            news = self.news.next() => news,
            () = pause => return,
        };
        match news {
            Some(Ok(lease)) => {
                self.watch.synced();
                self.watching.settle();
                let observed = lease.as_ref().and_then(lease::observed);
                self.election.heard(clock::now(), observed);
                self.keep(lease);
            }
            Some(Err(error)) => {
                let complaint = format!("the Lease cannot be watched: {error}");
                self.watching.complain(complaint);
            }
            // The stream of a watcher has no end.
            None => {}
        }
    }

    async fn look(&mut self) {
        match self.place.read(self.limit()).await {
            Ok(lease) => {
                let observed = lease.as_ref().and_then(lease::observed);
                self.election.read(clock::now(), observed);
                self.keep(lease);
                self.calls.settle();
            }
            Err(error) => self.fail(&error),
        }
    }

    async fn claim(&mut self, claim: &Claim) {
        let sent = clock::now();
        let lease = self.written(claim, &self.candidacy.identity);
        match self.place.write(&lease, self.limit()).await {
            Ok(lease) => {
                if let Some(observed) = lease::observed(&lease) {
                    self.election.claimed(sent, clock::now(), observed);
                }
                self.keep(Some(lease));
                self.calls.settle();
            }
            Err(error) => self.fail(&error),
        }
    }

    /// Gives the Lease away. If that fails, others wait until it has run out.
    async fn release(&mut self) {
        let limit = self.candidacy.terms.call();
        let giving = async {
            while let Some(claim) = self.election.release() {
                let lease = self.written(&claim, "");
                match self.place.write(&lease, limit).await {
                    Ok(_) => {
                        tracing::info!("the lead is given away");
                        return;
                    }
                    Err(LeaseError::Conflict) => self.look().await,
                    Err(error) => {
                        self.calls.complain(error.to_string());
                        tokio::time::sleep(self.candidacy.terms.pause()).await;
                    }
                }
            }
        };
        if tokio::time::timeout(limit, giving).await.is_err() {
            tracing::warn!("the lead could not be given away: it runs out by itself");
        }
    }

    fn written(&self, claim: &Claim, holder: &str) -> Lease {
        lease::written(
            &self.candidacy.name,
            self.seen.as_ref(),
            claim,
            holder,
            self.candidacy.terms.lease,
            Timestamp::now(),
        )
    }

    /// How long a call may take now: a term must not end unnoticed while one is waited for.
    fn limit(&self) -> Duration {
        let limit = self.candidacy.terms.call();
        let left = |until: clock::Time| until.saturating_sub(clock::now());
        self.election
            .leads_until()
            .map_or(limit, |until| limit.min(left(until)))
    }

    fn keep(&mut self, lease: Option<Lease>) {
        if let Some(lease) = lease
            && lease.resource_version().as_deref() == self.election.latest()
        {
            self.seen = Some(lease);
        }
    }

    fn fail(&mut self, error: &LeaseError) {
        self.election.failed(clock::now(), error.failure());
        if !matches!(error, LeaseError::Conflict) {
            self.calls.complain(error.to_string());
        }
    }
}

/// What was complained about last: an outage is one line, not one a second.
#[derive(Default)]
struct Complaints(Option<String>);

impl Complaints {
    fn complain(&mut self, complaint: String) {
        if self.0.as_ref() != Some(&complaint) {
            tracing::warn!("{complaint}");
            self.0 = Some(complaint);
        }
    }

    fn settle(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests;
