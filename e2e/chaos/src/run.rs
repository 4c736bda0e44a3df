//! A run from beginning to end: machines, clients, faults, calm; then what is stored, and the proof.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::try_join_all;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::{
    checker::{self, verdict::Verdict},
    clients::{self, Crew, CrewError, Numbers, caller::Wire},
    history::{
        self, FORMAT, History, Line, Run,
        reader::{self, ReadError},
        recorder::Recorder,
        values::FaultKind,
    },
    report::Report,
    schedule::{Episode, Schedule},
    stored::{
        Stored,
        collect::{self, CollectError},
    },
    world::{World, WorldError},
};

/// After how long the service promises to have answered (`--request-timeout`, its default).
const DEADLINE: Duration = Duration::from_secs(10);

/// How much longer than any answer may take a client waits.
const BEYOND: Duration = Duration::from_secs(5);

/// How often a line says how it goes.
const PROGRESS: Duration = Duration::from_secs(5);

/// How a run is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What decides faults and clients.
    pub seed: u64,
    /// How long faults go on.
    pub length: Duration,
    /// What may go wrong; of it, what these machines can do is done.
    pub kinds: Vec<FaultKind>,
    /// How long each fault lasts that is mended; without, what suits its kind.
    pub lasting: Option<Duration>,
    /// How many clients there are.
    pub numbers: Numbers,
    /// What a busy machine may add to the deadline of an answer.
    pub slack: Duration,
    /// Where the history goes, and what is stored at the end.
    pub folder: PathBuf,
}

/// What a run has shown.
#[derive(Debug)]
pub struct Outcome {
    /// The promises that were kept and broken.
    pub verdict: Verdict,
    /// The figures.
    pub report: Report,
}

/// Why a run has shown nothing.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The machines.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The clients.
    #[error(transparent)]
    Crew(#[from] CrewError),
    /// The HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up")]
    Connections(#[from] reqwest::Error),
    /// The history, or what is stored, cannot be written.
    #[error("cannot write to {path}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// They cannot be read back.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What is stored cannot be had.
    #[error(transparent)]
    Collect(#[from] CollectError),
}

impl Settings {
    /// The file of the history.
    pub fn history(&self) -> PathBuf {
        self.folder.join("history.jsonl")
    }

    /// The file of what is stored at the end.
    pub fn stored(&self) -> PathBuf {
        self.folder.join("final.jsonl")
    }
}

/// Runs.
///
/// # Errors
///
/// [`RunError`] when the run cannot be carried through; what it has shown then is nothing.
pub async fn run(settings: &Settings, world: &World) -> Result<Outcome, RunError> {
    let path = settings.history();
    let write = |source| RunError::Write {
        path: path.clone(),
        source,
    };
    let doors = world.doors();
    let run = Run {
        format: FORMAT.to_owned(),
        seed: settings.seed,
        processes: doors.count(),
        deadline: DEADLINE.into(),
        slack: settings.slack.into(),
    };
    let recorder = Arc::new(Recorder::begin(&path, run).map_err(write)?);
    let wire = Arc::new(Wire {
        http: clients::connections()?,
        doors,
        recorder: recorder.clone(),
        patience: DEADLINE + settings.slack + BEYOND,
    });

    let crew = Crew::start(&wire, settings.seed, settings.numbers);
    let now = Now::default();
    tokio::select! {
        faults = go_through(settings, world, &recorder, &now) => faults?,
        () = tell(&recorder, &now) => {}
    }
    eprintln!("calm: the clients finish");
    crew.finish().await?;
    world.must_be_whole().await?;
    recorder.flush().map_err(write)?;

    let history = reader::read(&path)?;
    eprintln!("reading what is stored");
    let mut stored = collect::collect(&wire, &sessions_of(&history)).await?;
    world.look_behind(&mut stored).await?;
    let path = settings.stored();
    let written = stored.write(&path);
    written.map_err(|source| RunError::Write { path, source })?;
    Ok(judge(&history, &stored))
}

/// Judges a run again from its files.
///
/// # Errors
///
/// [`RunError::Read`] when they cannot be read.
pub fn judge_files(history: &Path, stored: &Path) -> Result<Outcome, RunError> {
    Ok(judge(&reader::read(history)?, &Stored::read(stored)?))
}

fn judge(history: &History, stored: &Stored) -> Outcome {
    Outcome {
        verdict: checker::check(history, stored),
        report: Report::of(history),
    }
}

fn sessions_of(history: &History) -> BTreeSet<String> {
    let asked = history
        .operations
        .iter()
        .flat_map(|it| it.request.sessions());
    let followed = history.streams.iter().map(|it| it.session.as_str());
    asked.chain(followed).map(str::to_owned).collect()
}

/// What is being done to the machines at the moment.
#[derive(Default)]
struct Now(Mutex<Vec<FaultKind>>);

impl Now {
    fn is(&self, faults: Vec<FaultKind>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    fn words(&self) -> String {
        let faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match faults.as_slice() {
            [] => "quiet".to_owned(),
            faults => faults
                .iter()
                .map(|it| it.name())
                .collect::<Vec<_>>()
                .join(" and "),
        }
    }
}

/// Lets go wrong what is to go wrong.
async fn go_through(
    settings: &Settings,
    world: &World,
    recorder: &Recorder,
    now: &Now,
) -> Result<(), RunError> {
    let possible = world.kinds();
    let kinds: Vec<FaultKind> = settings
        .kinds
        .iter()
        .copied()
        .filter(|kind| possible.contains(kind))
        .collect();
    let schedule = Schedule::of(settings.seed, settings.length, &kinds, settings.lasting);
    for Episode { quiet, faults } in &schedule.episodes {
        sleep(*quiet).await;
        now.is(faults.iter().map(|fault| fault.kind).collect());
        let all = faults.iter().map(async |fault| {
            sleep(fault.delay).await;
            world.carry_out(fault, recorder).await
        });
        for fault in try_join_all(all).await? {
            record(recorder, fault)?;
        }
        now.is(Vec::new());
    }
    sleep(schedule.calm).await;
    Ok(())
}

fn record(recorder: &Recorder, fault: history::Fault) -> Result<(), RunError> {
    let written = recorder.write(&Line::Fault(fault));
    written.map_err(|source| RunError::Write {
        path: recorder.path().to_owned(),
        source,
    })
}

/// Says how it goes.
async fn tell(recorder: &Recorder, now: &Now) {
    let mut pace = interval(PROGRESS);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = recorder.figures();
    pace.tick().await;
    loop {
        pace.tick().await;
        let figures = recorder.figures();
        let rate = (figures.acknowledged - before.acknowledged) / PROGRESS.as_secs();
        before = figures;
        eprintln!(
            "{:>5} s  {:>7} writes acknowledged ({rate}/s), {} x 503, {} x no answer; {}",
            Duration::from(recorder.now()).as_secs(),
            figures.acknowledged,
            figures.unavailable,
            figures.failed,
            now.words()
        );
    }
}
