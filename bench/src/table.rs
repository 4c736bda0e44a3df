//! Results as tables of text, for people.

use std::fmt::Write as _;

use crate::{
    backend::Backend,
    figures::{Spread, float},
    process::Memory,
    results::{Ceiling, Closed, Results},
};

/// Everything that was measured.
pub(crate) fn of(results: &Results) -> String {
    let mut text = head(results);
    for backend in [Backend::Embedded, Backend::Mongodb, Backend::Given] {
        let rows = results.closed.iter().filter(|it| it.backend == backend);
        let rows: Vec<_> = rows.map(closed_row).collect();
        if !rows.is_empty() {
            let title = format!("{backend}, closed loop");
            text += &grid(&title, &CLOSED, &rows);
        }
    }
    for failed in &results.failed {
        line(
            &mut text,
            &format!("FAILED {}: {}", failed.step, failed.error),
        );
    }
    text
}

fn head(results: &Results) -> String {
    let commit = results.commit.as_deref().unwrap_or("unknown");
    let mut text = format!("\n{}, commit {commit}\n", results.machine);
    let pace = results.pace;
    line(
        &mut text,
        &format!(
            "{} rounds of {:?}, {} events stored before; ± is half of what lies between the rounds",
            pace.rounds, pace.round, results.preloaded_events
        ),
    );
    text
}

/// The columns of closed loops. µs are CPU time an answer.
const CLOSED: [&str; 13] = [
    "workload",
    "conns",
    "answers/s",
    "±",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "service µs",
    "mongod µs",
    "own µs",
    "peak MiB",
    "errors",
    "ratios",
];

fn closed_row(it: &Closed) -> Vec<String> {
    let all = &it.latency_micros.all;
    vec![
        it.workload.to_string(),
        it.connections.to_string(),
        format!("{:.0}", it.rate.median),
        plus_minus(&it.rate),
        millis(all.p50),
        millis(all.p99),
        millis(all.p999),
        micros(it.cpu_micros.service.as_ref()),
        micros(it.cpu_micros.mongods.as_ref()),
        micros(Some(&it.cpu_micros.generator)),
        peak(it.memory.as_ref()),
        errors(
            it.errors
                .iter()
                .map(|(what, count)| (what.as_str(), *count)),
        ),
        it.ceilings.iter().map(ratio).collect::<Vec<_>>().join(", "),
    ]
}

fn ratio(ceiling: &Ceiling) -> String {
    let Ceiling {
        kind,
        rate,
        ratio,
        batch,
        ..
    } = ceiling;
    let of = batch.map_or(String::new(), |it| format!(" of {:.0}", it.median));
    format!("{:.2} × {kind}{of} ({:.0}/s)", ratio.median, rate.median)
}

/// Half the distance between the lowest and the highest round, as a share of the median.
fn plus_minus(spread: &Spread) -> String {
    if spread.median <= 0.0 {
        return "-".to_owned();
    }
    let half = (spread.max - spread.min) / 2.0 / spread.median;
    format!("{:.0} %", half * 100.0)
}

fn millis(micros: f64) -> String {
    format!("{:.2}", micros / 1_000.0)
}

fn micros(spread: Option<&Spread>) -> String {
    spread.map_or("-".to_owned(), |it| format!("{:.1}", it.median))
}

fn peak(memory: Option<&Memory>) -> String {
    memory.map_or("-".to_owned(), |it| {
        format!("{:.1}", float(it.peak_kib) / 1_024.0)
    })
}

fn errors<'a>(errors: impl Iterator<Item = (&'a str, u64)>) -> String {
    let errors: Vec<String> = errors
        .map(|(what, count)| format!("{count} × {what}"))
        .collect();
    if errors.is_empty() {
        "none".to_owned()
    } else {
        errors.join(", ")
    }
}

/// A table: the first and the last column to the left, figures to the right.
fn grid(title: &str, heads: &[&str], rows: &[Vec<String>]) -> String {
    let last = heads.len().saturating_sub(1);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|it| it.chars().count()).max();
        widest.unwrap_or(0).max(heads[column].chars().count())
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let mut text = format!("\n{title}\n");
    let heads: Vec<String> = heads.iter().map(|&it| it.to_owned()).collect();
    for row in [&heads].into_iter().chain(rows) {
        let cells = row.iter().zip(&widths).enumerate();
        let cells: Vec<String> = cells
            .map(|(column, (cell, width))| {
                if column == 0 || column == last {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            })
            .collect();
        line(&mut text, cells.join("  ").trim_end());
    }
    text
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |a: &str, b: &str, c: &str| vec![a.to_owned(), b.to_owned(), c.to_owned()];
        let rows = [row("append", "7", "µ"), row("x", "12345", "none")];
        let text = grid("title", &["name", "n", "errors"], &rows);
        assert_eq!(
            text,
            "\ntitle\nname        n  errors\nappend      7  µ\nx       12345  none\n"
        );
    }

    #[test]
    fn noise_is_told_as_half_of_what_lies_between_the_rounds() {
        let spread = Spread {
            min: 90.0,
            median: 100.0,
            max: 110.0,
        };
        assert_eq!(plus_minus(&spread), "10 %");
    }

    #[test]
    fn failures_are_shown_by_kind() {
        assert_eq!(errors([].into_iter()), "none");
        assert_eq!(errors([("refused", 2)].into_iter()), "2 × refused");
    }
}
