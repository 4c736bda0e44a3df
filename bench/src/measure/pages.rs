//! What a page costs, in sessions of any length.

use crate::{
    measure::{self, Bench, rounds::Rounds},
    results::Pages,
    workload::{self, View},
};

/// Of each view.
const CONNECTIONS: usize = 16;

/// Measures each view of a session of each length, all in one store.
pub(crate) async fn measure(bench: &Bench<'_>, lengths: &[u64]) -> anyhow::Result<Vec<Pages>> {
    let target = bench.lab.target(&[]).await?;
    let mut measured = Vec::new();
    for length in lengths {
        let group = format!("{}-{length}", bench.run);
        let session = workload::session_of(&group, *length);
        measure::prepare_in_order(&target, session).await?;
        for view in View::ALL {
            eprintln!("  {view} page of {length} events");
            let source = workload::pages_of(&group, *length, view);
            let rounds = Rounds::measure(bench, &target, source, CONNECTIONS).await?;
            measured.push(Pages {
                backend: bench.backend,
                length: *length,
                view,
                rate: rounds.rate(),
                latency_micros: rounds.latency()?,
                errors: rounds.errors(),
                cpu_micros: rounds.cpu(),
            });
        }
    }
    Ok(measured)
}
