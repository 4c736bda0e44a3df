//! `cargo xtask test`: all that a change has to pass, in one run with one sum at the end.
//!
//! What a step does lives in the file of its subject; here is only the order and the count.

use std::{
    cell::{OnceCell, RefCell},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use clap::ValueEnum;

use crate::{
    ahead::Ahead,
    cargo::{self, cargo},
    chaos, chart, deny, deployment,
    dialogues::{self, Backend},
    failures::Failures,
    generate, kubernetes, process, schemathesis, sim,
    tally::Tally,
};

/// Run all that a change has to pass
///
/// Needs Rust, Go and the package registries, and to be root for the Kubernetes that the operator is
/// tested on; what the steps use besides is fetched in pinned versions into a cache outside the
/// checkout. The first run on a fresh machine takes an hour or so on two cores, later ones less;
/// `--no-kubernetes` is done in half of it.
///
/// Every step runs even when one before it failed. The last line sums up all tests; a step that
/// is no cargo test counts as one. What failed is told again right before it. The exit code is 0 only
/// if nothing failed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only what needs nothing but Rust: fmt, clippy, test
    #[arg(long, conflicts_with = "only")]
    fast: bool,
    /// Without what starts a Kubernetes on this machine, as root, or needs programs of it: chart,
    /// operator-api, cluster, operator
    #[arg(long, conflicts_with_all = ["fast", "only"])]
    no_kubernetes: bool,
    /// Only this step; may be given several times
    #[arg(long, value_enum, value_name = "STEP")]
    only: Vec<Step>,
    /// How many simulated histories the step sim runs
    #[arg(long, default_value_t = 3_000)]
    seeds: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Step {
    /// The source is formatted
    Fmt,
    /// The source has no lint
    Clippy,
    /// The generated files in docs/, crds/ and charts/ are those that the binaries write
    Generate,
    /// All tests of the workspace
    Test,
    /// The HTTP contract against three processes on one MongoDB replica set
    ContractMongodb,
    /// Simulated histories of the committer with failures
    Sim,
    /// Two minutes of dying members and processes: nothing is lost
    Chaos,
    /// Real dialogues: imported twice, exported, compared
    Dialogues,
    /// The same through two processes on a MongoDB replica set, and compared with the embedded store
    DialoguesMongodb,
    /// Generated requests against the OpenAPI document
    Schemathesis,
    /// Licences and sources of all dependencies
    Deny,
    /// The chart, the alerts, the dashboards and the Tiltfile
    Chart,
    /// The operator against a real API server
    OperatorApi,
    /// A real Kubernetes of one and of three nodes, really hurt
    Cluster,
    /// The operator on a real Kubernetes of three nodes, black box
    Operator,
}

/// Steps that need a Kubernetes, or programs that are compiled with it.
const ON_KUBERNETES: [Step; 4] = [
    Step::Chart,
    Step::OperatorApi,
    Step::Cluster,
    Step::Operator,
];

/// Tests that need a Kubernetes, and run only when they are asked for by name.
const ON_REQUEST: [&str; 3] = ["api", "cluster", "operator"];

struct Report {
    step: Step,
    tally: Tally,
    took: Duration,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let suite = Suite {
        seeds: args.seeds,
        server: OnceCell::new(),
        failures: RefCell::default(),
    };
    let steps: Vec<Step> = plan(args).collect();
    let needs_kubernetes = steps.iter().any(|step| ON_KUBERNETES.contains(step));
    let ahead = needs_kubernetes.then(Ahead::start).transpose();
    if let Err(error) = &ahead {
        eprintln!("nothing is fetched ahead: {error:#}");
    }
    let reports: Vec<Report> = steps.into_iter().map(|step| suite.report(step)).collect();
    drop(ahead);
    println!("\n{}\n{}", suite.failures.borrow(), summary(&reports));
    let total = total(&reports);
    println!("{total}");
    if total.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The steps to run, in their order: those that fail fastest come first.
fn plan(args: &Args) -> impl Iterator<Item = Step> {
    let wanted = match (args.fast, args.only.as_slice()) {
        (true, _) => vec![Step::Fmt, Step::Clippy, Step::Test],
        (false, []) => {
            let all = Step::value_variants().iter().copied();
            all.filter(|step| !args.no_kubernetes || !ON_KUBERNETES.contains(step))
                .collect()
        }
        (false, only) => only.to_vec(),
    };
    Step::value_variants()
        .iter()
        .copied()
        .filter(move |step| wanted.contains(step))
}

struct Suite {
    seeds: u32,
    /// The binary of the service, built by the first step that needs it; `None` if that failed.
    server: OnceCell<Option<PathBuf>>,
    failures: RefCell<Failures>,
}

impl Suite {
    fn report(&self, step: Step) -> Report {
        println!("\n==> {}", name(step));
        let start = Instant::now();
        let tally = self.run(step).unwrap_or_else(|error| {
            eprintln!("{}: {error:#}", name(step));
            Tally::FAILED
        });
        let took = start.elapsed();
        println!(
            "==> {}: {} in {}",
            name(step),
            verdict(tally),
            seconds(took)
        );
        Report { step, tally, took }
    }

    fn run(&self, step: Step) -> anyhow::Result<Tally> {
        match step {
            Step::Fmt => one(process::run(&mut cargo(["fmt", "--all", "--check"]))),
            Step::Clippy => one(clippy()),
            Step::Generate => self.with_server(generate::check),
            Step::Chart => one(chart::check()),
            Step::Test => self.workspace_tests(),
            Step::ContractMongodb => self.contract_on_mongodb(),
            Step::Sim => self.count(&mut sim::simulation(Some(self.seeds), None)),
            Step::Chaos => self.with_server(chaos::check),
            Step::Dialogues => {
                self.with_server(|server| dialogues::verify(server, Backend::Embedded))
            }
            Step::DialoguesMongodb => {
                self.with_server(|server| dialogues::verify(server, Backend::Mongodb))
            }
            Step::Schemathesis => self.with_server(schemathesis::check),
            Step::Deny => one(deny::check(deny::Advisories::Skip)),
            Step::OperatorApi => self.count(
                cargo(["test", "--workspace", "--test", "api"])
                    // They wait more than they compute.
                    .args(["--", "--test-threads=4"]),
            ),
            Step::Cluster => self.count(&mut cargo(["test", "--workspace", "--test", "cluster"])),
            Step::Operator => match self.server() {
                Some(server) => kubernetes::operator(server, |tests| self.count(tests)),
                None => Ok(Tally::SKIPPED),
            },
        }
    }

    fn workspace_tests(&self) -> anyhow::Result<Tally> {
        let Some(server) = self.server() else {
            return Ok(Tally::FAILED);
        };
        let tests = cargo(["test", "--workspace", "--no-fail-fast"]);
        self.count(&mut cargo::with_server(tests, server))
    }

    fn contract_on_mongodb(&self) -> anyhow::Result<Tally> {
        match self.server() {
            Some(server) => deployment::contract(server, |tests| self.count(tests)),
            None => Ok(Tally::SKIPPED),
        }
    }

    /// Runs a step against the binary of the service; without one it can only be skipped.
    fn with_server(&self, step: impl Fn(&Path) -> anyhow::Result<()>) -> anyhow::Result<Tally> {
        match self.server() {
            Some(server) => one(step(server)),
            None => Ok(Tally::SKIPPED),
        }
    }

    /// Runs cargo's test runner and counts what it reports.
    fn count(&self, tests: &mut Command) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        let mut failures = self.failures.borrow_mut();
        let status = process::tee(tests, |line| {
            tally.read(line);
            failures.read(line);
        })?;
        Ok(tally.settle(status.success()))
    }

    fn server(&self) -> Option<&Path> {
        self.server
            .get_or_init(|| {
                cargo::build_tests()
                    .inspect_err(|error| eprintln!("the tests do not build: {error:#}"))
                    .ok()
            })
            .as_deref()
    }
}

fn clippy() -> anyhow::Result<()> {
    let on_request = ON_REQUEST.iter().flat_map(|test| ["--test", test]);
    for targets in [vec!["--all-targets"], on_request.collect()] {
        let mut clippy = cargo(["clippy", "--workspace"]);
        process::run(clippy.args(targets).args(["--", "-D", "warnings"]))?;
    }
    Ok(())
}

/// Counts a step that is no cargo test as one.
fn one(outcome: anyhow::Result<()>) -> anyhow::Result<Tally> {
    outcome.map(|()| Tally::PASSED)
}

fn total(reports: &[Report]) -> Tally {
    reports
        .iter()
        .fold(Tally::default(), |sum, report| sum + report.tally)
}

fn summary(reports: &[Report]) -> String {
    let mut table = String::from("step                    time  result\n");
    for Report { step, tally, took } in reports {
        let line = format!(
            "{:<18} {:>9}  {} ({tally})\n",
            name(*step),
            seconds(*took),
            verdict(*tally)
        );
        table.push_str(&line);
    }
    table
}

fn verdict(tally: Tally) -> &'static str {
    match tally {
        Tally { failed: 1.., .. } => "FAILED",
        Tally { passed: 1.., .. } => "ok",
        Tally { .. } => "skipped",
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn name(step: Step) -> String {
    step.to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(fast: bool, only: &[Step]) -> Args {
        Args {
            fast,
            no_kubernetes: false,
            only: only.to_vec(),
            seeds: 1,
        }
    }

    #[test]
    fn without_options_every_step_runs() {
        let steps: Vec<Step> = plan(&args(false, &[])).collect();
        assert_eq!(steps, Step::value_variants());
    }

    #[test]
    fn without_kubernetes_every_other_step_runs() {
        let others = Args {
            no_kubernetes: true,
            ..args(false, &[])
        };
        let steps: Vec<Step> = plan(&others).collect();
        let left_out = Step::value_variants().len() - steps.len();
        assert_eq!(left_out, ON_KUBERNETES.len());
        assert!(steps.iter().all(|step| !ON_KUBERNETES.contains(step)));
    }

    #[test]
    fn the_fast_plan_needs_nothing_but_rust() {
        let steps: Vec<Step> = plan(&args(true, &[])).collect();
        assert_eq!(steps, [Step::Fmt, Step::Clippy, Step::Test]);
    }

    #[test]
    fn chosen_steps_run_in_the_order_of_the_suite() {
        let steps: Vec<Step> = plan(&args(false, &[Step::Sim, Step::Fmt])).collect();
        assert_eq!(steps, [Step::Fmt, Step::Sim]);
    }

    #[test]
    fn one_failed_step_fails_the_sum() {
        let report = |step, tally| Report {
            step,
            tally,
            took: Duration::from_secs(1),
        };
        let reports = [
            report(Step::Fmt, Tally::PASSED),
            report(Step::Clippy, Tally::FAILED),
            report(Step::Dialogues, Tally::SKIPPED),
        ];
        assert_eq!(total(&reports).to_string(), "1 passed, 1 failed, 1 skipped");
        assert!(!total(&reports).is_good());
        assert_eq!(
            reports.map(|it| verdict(it.tally)),
            ["ok", "FAILED", "skipped"]
        );
    }
}
