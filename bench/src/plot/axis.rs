//! How figures lie on an axis. Pure.

use crate::figures::float;

/// An axis of a chart.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub(super) label: &'static str,
    pub(super) scale: Scale,
}

/// Where a figure lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// From zero on.
    Linear,
    /// The same distance for each power of ten.
    Log,
    /// Shares of 1, such as 0.99: the same distance for each further nine.
    Nines,
}

/// A mark on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) position: f64,
    pub(super) label: String,
}

/// What is marked where nines are counted.
const NINES: [(f64, &str); 7] = [
    (0.5, "p50"),
    (0.75, "p75"),
    (0.9, "p90"),
    (0.99, "p99"),
    (0.999, "p99.9"),
    (0.9999, "p99.99"),
    (0.99999, "p99.999"),
];

/// Marks between two powers of ten, where there is room for them.
const FINE: [f64; 3] = [1.0, 2.0, 5.0];
const COARSE: [f64; 1] = [1.0];

/// What lies so close together is the same but for rounding.
const CLOSE: f64 = 1e-9;

impl Scale {
    pub(super) fn position(self, figure: f64) -> f64 {
        match self {
            Self::Linear => figure,
            // Zero has no place there: it lies where a thousandth does.
            Self::Log => figure.max(1e-3).log10(),
            Self::Nines => -(1.0 - figure).max(1e-9).log10(),
        }
    }

    /// From where to where an axis goes that has these positions on it.
    pub(super) fn range(self, positions: impl Iterator<Item = f64>) -> (f64, f64) {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for position in positions {
            low = low.min(position);
            high = high.max(position);
        }
        match self {
            Self::Linear => (0.0, if high > 0.0 { high * 1.05 } else { 1.0 }),
            // From mark to mark, so that there are two at least.
            Self::Log => {
                let marks = || powers(low - 1.0, high + 1.0, &FINE).into_iter();
                let below = marks().rev().find(|it| it.position < low + CLOSE);
                let above = marks().find(|it| it.position > high.max(low + CLOSE) - CLOSE);
                let or = |mark: Option<Tick>, other| mark.map_or(other, |it| it.position);
                (or(below, low), or(above, high))
            }
            // One figure alone needs some room too.
            Self::Nines if low >= high => (low - 0.5, low + 0.5),
            Self::Nines => (low, high),
        }
    }

    /// What to mark within a range.
    pub(super) fn ticks(self, (low, high): (f64, f64)) -> Vec<Tick> {
        let ticks = match self {
            Self::Linear => even(high),
            Self::Log if high - low > 3.0 => powers(low, high, &COARSE),
            Self::Log => powers(low, high, &FINE),
            Self::Nines => {
                let named = NINES.iter().map(|(share, label)| Tick {
                    position: self.position(*share),
                    label: (*label).to_owned(),
                });
                named.collect()
            }
        };
        let is_within = |it: &Tick| it.position >= low - CLOSE && it.position <= high + CLOSE;
        ticks.into_iter().filter(is_within).collect()
    }
}

/// Four to ten marks with round figures, from zero on.
fn even(high: f64) -> Vec<Tick> {
    let power = 10_f64.powf((high / 5.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let step = steps.into_iter().find(|step| high / step <= 8.0);
    let step = step.unwrap_or(10.0 * power);
    let figures = (0..=10).map(|number| float(number) * step);
    figures.map(|figure| tick(figure, figure)).collect()
}

/// Powers of ten, and so many times as much.
fn powers(low: f64, high: f64, factors: &[f64]) -> Vec<Tick> {
    let mut ticks = Vec::new();
    let mut power = low.floor();
    while power <= high {
        for factor in factors {
            let figure = factor * 10_f64.powf(power);
            ticks.push(tick(figure.log10(), figure));
        }
        power += 1.0;
    }
    ticks
}

fn tick(position: f64, figure: f64) -> Tick {
    Tick {
        position,
        label: written(figure),
    }
}

/// As short as it can be read: 0.05, 20, 5,000.
fn written(figure: f64) -> String {
    if figure > 0.0 && figure < 0.995 {
        let text = format!("{figure:.3}");
        return text.trim_end_matches('0').to_owned();
    }
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, range: (f64, f64)) -> Vec<String> {
        let ticks = scale.ticks(range).into_iter();
        ticks.map(|tick| tick.label).collect()
    }

    #[test]
    fn a_linear_axis_begins_at_zero_and_has_round_marks() {
        let range = Scale::Linear.range([400.0, 11_000.0].into_iter());
        assert_eq!(
            labels(Scale::Linear, range),
            ["0", "2,000", "4,000", "6,000", "8,000", "10,000"]
        );
    }

    #[test]
    fn on_a_logarithmic_axis_each_power_of_ten_takes_the_same_room() {
        let positions = [1.0, 10.0, 100.0].map(|it| Scale::Log.position(it));
        assert_eq!(positions.map(|it| it.to_string()), ["0", "1", "2"]);
        assert_eq!(labels(Scale::Log, (0.0, 1.0)), ["1", "2", "5", "10"]);
        assert_eq!(
            labels(Scale::Log, (-1.0, 3.0)),
            ["0.1", "1", "10", "100", "1,000"]
        );
    }

    #[test]
    fn each_further_nine_takes_the_same_room() {
        let positions = [0.9, 0.99, 0.999].map(|it| Scale::Nines.position(it));
        assert!((positions[1] - positions[0] - 1.0).abs() < 1e-6);
        assert!((positions[2] - positions[1] - 1.0).abs() < 1e-6);
        let range = (Scale::Nines.position(0.5), Scale::Nines.position(0.99));
        assert_eq!(labels(Scale::Nines, range), ["p50", "p75", "p90", "p99"]);
    }

    #[test]
    fn one_figure_alone_still_has_an_axis() {
        let only = Scale::Log.position(300.0);
        let range = Scale::Log.range([only].into_iter());
        assert_eq!(labels(Scale::Log, range), ["200", "500"]);
        let on_a_mark = Scale::Log.range([Scale::Log.position(200.0)].into_iter());
        assert_eq!(labels(Scale::Log, on_a_mark), ["200", "500"]);
    }
}
