//! Who leads: what was seen of the Lease and the time go in, the next step comes out. No IO, no
//! clock, no randomness.
//!
//! It is safe because of three things. A write succeeds only on the version of the Lease that it
//! builds on. Whoever holds the Lease believes so from the moment its write was *sent*, for two
//! thirds of the duration; everybody else waits the whole duration from the moment they *saw* that
//! write, which is later. And both are measured by each machine's own clock, so that only the rates
//! of the clocks matter, not what they show.

use std::time::Duration;

use crate::clock::Time;

/// The times of an election, all derived from the duration of the Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long the others wait after the last renewal that they have seen.
    pub lease: Duration,
}

/// No Lease of ours lasts longer, whatever is written in it: a slip of somebody's hand must not
/// keep everybody waiting for good.
const LONGEST_LEASE: Duration = Duration::from_secs(300);

impl Terms {
    /// How long a holder believes in a renewal, from the moment it was sent. The third that is left
    /// is for what was begun just before the end, and for clocks of different rates.
    pub fn belief(self) -> Duration {
        self.lease * 2 / 3
    }

    /// How often the holder renews: with [`Self::call`] and [`Self::pause`], one renewal may fail
    /// and be repeated before the holder's belief ends.
    pub fn renewal(self) -> Duration {
        self.lease / 3
    }

    /// How long one call to the API server may take.
    pub fn call(self) -> Duration {
        self.lease / 5
    }

    /// How long to wait after a call that failed.
    pub fn pause(self) -> Duration {
        self.lease / 15
    }
}

/// A Lease as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Its `resourceVersion`.
    pub version: String,
    /// Who holds it, if anybody does.
    pub holder: Option<String>,
    /// How long the holder asks others to wait, if it says so.
    pub duration: Option<Duration>,
    /// How often the holder has changed.
    pub transitions: i32,
}

impl Observed {
    /// Whether this is a later state than the one of `version`. The versions of the API server are
    /// whole numbers that grow (KEP-5504); where they are not, what arrives last counts.
    fn is_after(&self, version: &str) -> bool {
        match (self.version.parse::<u128>(), version.parse::<u128>()) {
            (Ok(this), Ok(that)) => this > that,
            _ => self.version != version,
        }
    }
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing before this time, unless the Lease changes.
    Wait(Time),
    /// Read the Lease.
    Look,
    /// Write the Lease, to become the holder.
    Acquire(Claim),
    /// Write the Lease, to stay the holder.
    Renew(Claim),
    /// Stop all work: the term is over.
    StepAside(Why),
}

/// A write of the Lease, good only for the version that it builds on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The `resourceVersion` that is replaced; none creates the Lease.
    pub version: Option<String>,
    /// How often the holder will have changed.
    pub transitions: i32,
}

/// Why a term is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No renewal was answered in time.
    Expired,
    /// The Lease is somebody else's, or gone.
    Deposed,
}

/// Why a call brought no Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The Lease has changed, has gone, or was there already: what was seen of it is out of date.
    Conflict,
    /// Anything else. The write may have been done, may be done later, or never.
    Unknown,
}

/// The state of one candidate.
#[derive(Clone, Debug)]
pub struct Election {
    me: String,
    terms: Terms,
    view: View,
    /// The version of the latest state that was seen, which outlives the Lease.
    latest: Option<String>,
    /// There is something later than what was seen.
    is_outdated: bool,
    /// No call before this time.
    quiet_until: Time,
    reign: Option<Held>,
}

#[derive(Clone, Debug)]
enum View {
    Unknown,
    /// It may be created from this time on.
    Absent(Time),
    Present {
        lease: Observed,
        since: Time,
    },
}

#[derive(Clone, Copy, Debug)]
struct Held {
    until: Time,
    renew_at: Time,
}

impl Election {
    /// A candidate that knows nothing yet. `me` must be the name of this process alone: two that
    /// share it would both take the Lease for theirs.
    pub fn new(me: impl Into<String>, terms: Terms) -> Self {
        Self {
            me: me.into(),
            terms,
            view: View::Unknown,
            latest: None,
            is_outdated: false,
            quiet_until: Time::ZERO,
            reign: None,
        }
    }

    /// Until when this candidate may believe that it leads, if it may.
    pub fn leads_until(&self) -> Option<Time> {
        self.reign.map(|reign| reign.until)
    }

    /// Who holds the Lease, as far as it was seen.
    pub fn holder(&self) -> Option<&str> {
        match &self.view {
            View::Present { lease, .. } => lease.holder.as_deref(),
            View::Unknown | View::Absent(_) => None,
        }
    }

    /// The version of the latest state that was seen.
    pub(super) fn latest(&self) -> Option<&str> {
        self.latest.as_deref()
    }

    /// The watch told of a state of the Lease. It may be late: by then this candidate may have
    /// written, so an old state is dropped, and a Lease that is said to be gone is looked for.
    pub fn heard(&mut self, now: Time, lease: Option<Observed>) {
        match lease {
            Some(lease) => self.saw(now, lease),
            None if matches!(self.view, View::Unknown) => self.view = View::Absent(now),
            None => self.is_outdated |= matches!(self.view, View::Present { .. }),
        }
    }

    /// The Lease was read.
    pub fn read(&mut self, now: Time, lease: Option<Observed>) {
        self.is_outdated = false;
        match (lease, &self.view) {
            (Some(lease), _) => self.saw(now, lease),
            (None, View::Unknown) => self.view = View::Absent(now),
            (None, View::Absent(_)) => {}
            // Whoever held it may have renewed it just before it was deleted.
            (None, View::Present { lease, .. }) => {
                self.view = View::Absent(now + self.patience(lease));
            }
        }
    }

    /// A claim that was sent at `sent` was answered with the Lease that it made.
    pub fn claimed(&mut self, sent: Time, now: Time, lease: Observed) {
        let is_over = self.reign.is_some_and(|reign| now >= reign.until);
        let is_latest = match &self.latest {
            Some(latest) => lease.version == *latest || lease.is_after(latest),
            None => true,
        };
        let until = sent + self.terms.belief();
        self.saw(now, lease);
        if is_latest && !is_over && now < until {
            self.is_outdated = false;
            self.reign = Some(Held {
                until,
                renew_at: sent + self.terms.renewal(),
            });
        }
    }

    /// A call brought no Lease.
    pub fn failed(&mut self, now: Time, failure: Failure) {
        match failure {
            Failure::Conflict => self.is_outdated = true,
            Failure::Unknown => self.quiet_until = now + self.terms.pause(),
        }
    }

    /// What to do now.
    pub fn next(&mut self, now: Time) -> Step {
        let is_mine = self.holder() == Some(&self.me);
        if let Some(reign) = self.reign {
            let why = if now >= reign.until {
                Some(Why::Expired)
            } else if is_mine {
                None
            } else {
                Some(Why::Deposed)
            };
            if let Some(why) = why {
                self.reign = None;
                return Step::StepAside(why);
            }
        }
        let step = self.towards_lease(now, is_mine);
        match step {
            Step::Wait(until) => self.wait(until),
            _ if now < self.quiet_until => self.wait(self.quiet_until),
            step => step,
        }
    }

    fn towards_lease(&self, now: Time, is_mine: bool) -> Step {
        if self.is_outdated {
            return Step::Look;
        }
        match &self.view {
            View::Unknown => Step::Look,
            View::Absent(from) if now < *from => Step::Wait(*from),
            View::Absent(_) => Step::Acquire(Claim {
                version: None,
                transitions: 0,
            }),
            View::Present { lease, .. } if is_mine => match self.reign {
                Some(reign) if now < reign.renew_at => Step::Wait(reign.renew_at),
                // Without a term: the answer to the claim was lost, or came too late.
                _ => Step::Renew(Claim {
                    version: Some(lease.version.clone()),
                    transitions: lease.transitions,
                }),
            },
            View::Present { lease, since } => {
                let from = match lease.holder {
                    Some(_) => *since + self.patience(lease),
                    None => now,
                };
                if now < from {
                    return Step::Wait(from);
                }
                Step::Acquire(Claim {
                    version: Some(lease.version.clone()),
                    transitions: lease.transitions.saturating_add(1),
                })
            }
        }
    }

    /// The write that gives the Lease away, if it is this candidate's. Only for one whose work has
    /// stopped: others may begin at once.
    pub fn release(&self) -> Option<Claim> {
        match &self.view {
            View::Present { lease, .. } if lease.holder.as_ref() == Some(&self.me) => Some(Claim {
                version: Some(lease.version.clone()),
                transitions: lease.transitions,
            }),
            _ => None,
        }
    }

    fn wait(&self, until: Time) -> Step {
        Step::Wait(self.reign.map_or(until, |reign| until.min(reign.until)))
    }

    fn saw(&mut self, now: Time, lease: Observed) {
        if self.latest.as_deref().is_none_or(|it| lease.is_after(it)) {
            self.latest = Some(lease.version.clone());
            self.view = View::Present { lease, since: now };
        }
    }

    /// How long the holder of this Lease may go on believing in it, and more. What the holder wrote
    /// counts, since it may have been started with another duration than this one.
    fn patience(&self, lease: &Observed) -> Duration {
        let asked = lease.duration.filter(|duration| !duration.is_zero());
        asked.unwrap_or(self.terms.lease).min(LONGEST_LEASE)
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
