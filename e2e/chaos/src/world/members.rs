//! The members of the replica set, and the ways of the service processes to them.

use sessionstore_replica_set::{Cut, ProxyGroup, ReplicaSet, SetError};

use crate::{history::values::FaultKind, schedule::Planned};

/// A replica set with a way of its own for each service process.
#[derive(Debug)]
pub(super) struct Members {
    set: ReplicaSet,
    ways: Vec<ProxyGroup>,
}

/// What was done, and how it is undone.
pub(super) struct Hurt {
    /// To whom, in words.
    pub(super) target: String,
    undo: Undo,
}

enum Undo {
    Nothing,
    Start(usize),
    Thaw(usize),
    LetGo(usize),
    Mend { process: usize, member: usize },
    ThawAndStart { frozen: usize, killed: usize },
}

impl Members {
    /// Lays a way to the members for each of so many processes.
    pub(super) fn of(set: ReplicaSet, processes: usize) -> Result<Self, SetError> {
        let ways = (0..processes)
            .map(|_| set.proxies())
            .collect::<Result<_, _>>()?;
        Ok(Self { set, ways })
    }

    pub(super) fn set(&self) -> &ReplicaSet {
        &self.set
    }

    /// The connection strings, one a process.
    pub(super) fn urls(&self) -> Vec<String> {
        self.ways.iter().map(|way| way.url().to_owned()).collect()
    }

    /// Does what is planned.
    pub(super) async fn hurt(&self, planned: &Planned) -> Result<Hurt, SetError> {
        let primary = self.set.primary().await?;
        let count = self.set.members().len();
        let secondary = (primary + 1 + planned.pick % (count - 1)) % count;
        let any = planned.pick % count;
        match planned.kind {
            FaultKind::KillPrimary => self.kill(primary, "the primary").await,
            FaultKind::KillSecondary => self.kill(secondary, "a secondary").await,
            FaultKind::FreezePrimary => self.freeze(primary, "the primary").await,
            FaultKind::FreezeSecondary => self.freeze(secondary, "a secondary").await,
            FaultKind::StepDown => {
                self.set.step_down().await?;
                Ok(Hurt {
                    target: format!("member {primary}, the primary"),
                    undo: Undo::Nothing,
                })
            }
            FaultKind::HoldBack => {
                self.set.member(secondary).hold_back().await?;
                Ok(Hurt {
                    target: format!("member {secondary}, a secondary"),
                    undo: Undo::LetGo(secondary),
                })
            }
            FaultKind::CutRefuse => self.cut(planned.process, any, Cut::Refuse).await,
            FaultKind::CutBlackHole => self.cut(planned.process, any, Cut::Blackhole).await,
            FaultKind::LoseMajority => self.lose_majority(any, (any + 1) % count).await,
            FaultKind::KillService | FaultKind::RestartService | FaultKind::FreezeService => {
                Ok(Hurt {
                    target: "nobody".to_owned(),
                    undo: Undo::Nothing,
                })
            }
        }
    }

    async fn kill(&self, member: usize, role: &str) -> Result<Hurt, SetError> {
        self.set.member(member).kill().await?;
        Ok(Hurt {
            target: format!("member {member}, {role}"),
            undo: Undo::Start(member),
        })
    }

    async fn freeze(&self, member: usize, role: &str) -> Result<Hurt, SetError> {
        self.set.member(member).freeze().await?;
        Ok(Hurt {
            target: format!("member {member}, {role}"),
            undo: Undo::Thaw(member),
        })
    }

    async fn cut(&self, process: usize, member: usize, cut: Cut) -> Result<Hurt, SetError> {
        self.ways[process].cut(member, cut).await?;
        Ok(Hurt {
            target: format!("service process {process} and member {member}"),
            undo: Undo::Mend { process, member },
        })
    }

    /// Two members away at once. Only one of them loses its memory.
    async fn lose_majority(&self, frozen: usize, killed: usize) -> Result<Hurt, SetError> {
        self.set.member(frozen).freeze().await?;
        self.set.member(killed).kill().await?;
        Ok(Hurt {
            target: format!("member {frozen}, frozen, and member {killed}, killed"),
            undo: Undo::ThawAndStart { frozen, killed },
        })
    }

    /// Undoes it.
    pub(super) async fn mend(&self, hurt: &Hurt) -> Result<(), SetError> {
        match hurt.undo {
            Undo::Nothing => Ok(()),
            Undo::Start(member) => self.set.member(member).restart().await,
            Undo::Thaw(member) => self.set.member(member).thaw(),
            Undo::LetGo(member) => self.set.member(member).let_go().await,
            Undo::Mend { process, member } => self.ways[process].mend(member).await,
            Undo::ThawAndStart { frozen, killed } => {
                self.set.member(frozen).thaw()?;
                self.set.member(killed).restart().await
            }
        }
    }

    /// Waits until there is a primary that all others follow.
    pub(super) async fn recover(&self) -> Result<(), SetError> {
        self.set.wait_until_healthy().await
    }
}
