//! Carries out a plan, step by step.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::{
    cli::Args,
    lab::{self, Lab},
    measure::{Bench, closed::Subject, growth, memory, open, overload, pages, soak, stream},
    plan::{self, Plan, Step, What},
    results::{Failed, Results},
};

/// Measures everything. A step that fails is noted, and does not stop those after it.
pub(crate) fn run(plan: &Plan, args: &Args) -> anyhow::Result<Results> {
    // One thread: the service needs the other cores, and this much load needs no more.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    lab::allow_many_connections();
    let mut results = Results::new(plan.pace, args.preload);
    let mut runner = Runner {
        plan,
        preload: args.preload,
        lab: Lab::new(args.service()?),
        started: SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis(),
    };
    let start = Instant::now();
    for (index, step) in plan.steps.iter().enumerate() {
        let left = plan.estimate_from(index);
        eprintln!(
            "[{}/{}, {} so far, about {} to go] {step}",
            index + 1,
            plan.steps.len(),
            plan::minutes(start.elapsed()),
            plan::minutes(left),
        );
        if let Err(error) = runtime.block_on(runner.carry_out(index, step, &mut results)) {
            eprintln!("  failed: {error:#}");
            results.failed.push(Failed {
                step: step.to_string(),
                error: format!("{error:#}"),
            });
        }
        if let Some(path) = &args.json {
            results.save(path)?;
        }
    }
    // Ends the database while there is a runtime to do it in.
    let _inside = runtime.enter();
    drop(runner);
    Ok(results)
}

struct Runner<'a> {
    plan: &'a Plan,
    preload: u64,
    lab: Lab,
    /// Ids of an earlier run against the same server must not come again.
    started: u128,
}

impl Runner<'_> {
    async fn carry_out(
        &mut self,
        index: usize,
        step: &Step,
        results: &mut Results,
    ) -> anyhow::Result<()> {
        match step.what {
            // It starts two of its own, and an idle one takes CPU time and memory from them.
            What::Growth { .. } => self.lab.end_database(),
            _ => self.lab.prepare(step.backend).await?,
        }
        let bench = Bench {
            lab: &self.lab,
            backend: step.backend,
            pace: self.plan.pace,
            run: format!("bench-{:x}-{index}", self.started),
        };
        match &step.what {
            What::Closed {
                workload,
                connections,
            } => {
                let subject = Subject {
                    bench: &bench,
                    workload: *workload,
                };
                let measured = subject.measure(connections, self.preload).await?;
                results.closed.extend(measured);
            }
            What::Open { workload, rates } => {
                let measured = open::measure(&bench, *workload, rates).await?;
                results.open.extend(measured);
            }
            What::Overload => results.overload.push(overload::measure(&bench).await?),
            What::Growth { workloads, events } => {
                let measured = growth::measure(&bench, workloads, *events).await?;
                results.growth.extend(measured);
            }
            What::Pages { lengths } => {
                results.pages.extend(pages::measure(&bench, lengths).await?);
            }
            What::Streams { counts } => {
                let measured = memory::of_streams(&bench, counts).await?;
                results.memory.extend(measured);
            }
            What::Lanes { counts } => {
                results
                    .memory
                    .extend(memory::of_lanes(&bench, counts).await?);
            }
            What::Soak { time } => results.soaks.push(soak::measure(&bench, *time).await?),
            What::Stream { rate } => results.streams.push(stream::measure(&bench, *rate).await?),
        }
        Ok(())
    }
}
