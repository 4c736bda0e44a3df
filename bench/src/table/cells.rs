//! How figures are written. Pure.

use std::collections::BTreeMap;

use crate::{
    figures::{Spread, float},
    process::Memory,
    results::Ceiling,
};

/// Something a second.
pub(super) fn rate(spread: &Spread) -> String {
    format!("{:.0}", spread.median)
}

/// Half the distance between the lowest and the highest round, as a share of the median.
pub(super) fn plus_minus(spread: &Spread) -> String {
    if spread.median <= 0.0 {
        return "-".to_owned();
    }
    let half = (spread.max - spread.min) / 2.0 / spread.median;
    format!("{:.0} %", half * 100.0)
}

pub(super) fn millis(micros: f64) -> String {
    format!("{:.2}", micros / 1_000.0)
}

pub(super) fn micros(spread: Option<&Spread>) -> String {
    spread.map_or("-".to_owned(), |it| format!("{:.1}", it.median))
}

pub(super) fn peak(memory: Option<&Memory>) -> String {
    memory.map_or("-".to_owned(), |it| mebibytes(it.peak_kib))
}

pub(super) fn mebibytes(kib: u64) -> String {
    format!("{:.1}", float(kib) / 1_024.0)
}

pub(super) fn errors(errors: &BTreeMap<String, u64>) -> String {
    if errors.is_empty() {
        return "none".to_owned();
    }
    let errors = errors
        .iter()
        .map(|(what, count)| format!("{count} × {what}"));
    errors.collect::<Vec<_>>().join(", ")
}

pub(super) fn ratios(ceilings: &[Ceiling]) -> String {
    let ratios = ceilings.iter().map(|ceiling| {
        let Ceiling {
            kind,
            rate,
            ratio,
            batch,
            ..
        } = ceiling;
        let of = batch.map_or(String::new(), |it| format!(" of {:.0}", it.median));
        format!("{:.2} × {kind}{of} ({:.0}/s)", ratio.median, rate.median)
    });
    ratios.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(errors(&BTreeMap::new()), "none");
        let refused = BTreeMap::from([("refused".to_owned(), 2)]);
        assert_eq!(errors(&refused), "2 × refused");
    }
}
