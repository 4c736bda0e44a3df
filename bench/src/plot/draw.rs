//! Charts as text of SVG. Pure: the same chart gives the same text.

use std::ops::Range;

use anyhow::anyhow;
use plotters::{
    chart::ChartBuilder,
    coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter},
    prelude::{
        BLACK, Circle, IntoDrawingArea, LineSeries, PathElement, RGBColor, SVGBackend, Text, WHITE,
    },
    style::{Color, ShapeStyle},
};

use crate::plot::{
    axis::{Scale, Tick},
    charts::{Chart, Line},
};

/// Width and height, in pixels.
const SIZE: (u32, u32) = (960, 520);

/// Width of the column at the right in which the lines are named, beside all that they show.
const NAMES: u32 = 170;

/// Height of a name.
const NAME: i32 = 26;

/// Where the first name is.
const FIRST_NAME: i32 = 60;

/// Colours that people with any colour vision can tell apart (Okabe and Ito, 2008), the yellow one
/// left out: it is hard to see on white.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
    RGBColor(140, 140, 140),
];

const TITLE: (&str, u32) = ("sans-serif", 24);
const LABEL: (&str, u32) = ("sans-serif", 17);

pub(super) fn svg(chart: &Chart) -> anyhow::Result<String> {
    let mut text = String::new();
    draw(chart, &mut text).map_err(|error| anyhow!("cannot draw {}: {error}", chart.name))?;
    Ok(text)
}

fn draw(chart: &Chart, text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let lines: Vec<Line> = chart.lines.iter().map(|line| placed(chart, line)).collect();
    let points = || lines.iter().flat_map(|line| &line.points);
    let x = Placed::new(chart.x.scale, points().map(|(x, _)| *x));
    let y = Placed::new(chart.y.scale, points().map(|(_, y)| *y));
    let marks = [x.ticks.len(), y.ticks.len()];

    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let (figures, names) = area.split_horizontally(SIZE.0 - NAMES);
    let mut context = ChartBuilder::on(&figures)
        .caption(&chart.title, TITLE)
        .margin(14)
        .margin_right(30)
        .x_label_area_size(46)
        .y_label_area_size(70)
        .build_cartesian_2d(x, y)?;
    context
        .configure_mesh()
        .x_desc(chart.x.label)
        .y_desc(chart.y.label)
        .x_labels(marks[0])
        .y_labels(marks[1])
        .label_style(LABEL)
        .light_line_style(WHITE.mix(0.0))
        .bold_line_style(BLACK.mix(0.12))
        .draw()?;
    let coloured = lines.iter().zip(COLOURS.iter().cycle());
    for ((line, colour), top) in coloured.zip((0..).map(|number| FIRST_NAME + number * NAME)) {
        let style = ShapeStyle::from(colour).stroke_width(2);
        let points = line.points.iter();
        context.draw_series(LineSeries::new(points.clone().copied(), style))?;
        context.draw_series(points.map(|point| Circle::new(*point, 3, colour.filled())))?;
        names.draw(&PathElement::new([(0, top), (20, top)], style))?;
        names.draw(&Text::new(line.name.as_str(), (28, top - NAME / 3), LABEL))?;
    }
    area.present()?;
    Ok(())
}

/// A line with its points where the scales put them.
fn placed(chart: &Chart, line: &Line) -> Line {
    let place = |scale: Scale, figure: f64| scale.position(figure);
    let points = line.points.iter();
    Line {
        name: line.name.clone(),
        points: points
            .map(|(x, y)| (place(chart.x.scale, *x), place(chart.y.scale, *y)))
            .collect(),
    }
}

/// An axis as plotters has it: positions on it, and what is marked where.
struct Placed {
    low: f64,
    high: f64,
    ticks: Vec<Tick>,
}

impl Placed {
    fn new(scale: Scale, positions: impl Iterator<Item = f64>) -> Self {
        let (low, high) = scale.range(positions);
        Self {
            low,
            high,
            ticks: scale.ticks((low, high)),
        }
    }
}

impl Ranged for Placed {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, position: &f64, (first, last): (i32, i32)) -> i32 {
        let share = (position - self.low) / (self.high - self.low);
        let offset = f64::from(last - first) * share;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "within the picture, in pixels"
        )]
        let offset = offset.round() as i32;
        first + offset
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|tick| tick.position).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Placed {
    /// The label of the tick at this position.
    fn format_ext(&self, position: &f64) -> String {
        let distance = |tick: &&Tick| (tick.position - position).abs();
        let nearest = self
            .ticks
            .iter()
            .min_by(|a, b| distance(a).total_cmp(&distance(b)));
        nearest.map_or(String::new(), |tick| tick.label.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::axis::Axis;

    fn chart() -> Chart {
        let axis = |label, scale| Axis { label, scale };
        Chart {
            name: "name".to_owned(),
            title: "The title".to_owned(),
            x: axis("connections", Scale::Log),
            y: axis("answers a second", Scale::Linear),
            lines: vec![Line {
                name: "append".to_owned(),
                points: vec![(1.0, 100.0), (10.0, 900.0)],
            }],
        }
    }

    #[test]
    fn a_picture_has_its_title_its_axes_and_the_names_of_its_lines() {
        let text = svg(&chart()).unwrap();
        for wanted in ["The title", "connections", "answers a second", "append"] {
            assert!(text.contains(wanted), "{wanted}");
        }
        assert!(text.contains("polyline"));
    }

    #[test]
    fn the_same_figures_give_the_same_picture() {
        assert_eq!(svg(&chart()).unwrap(), svg(&chart()).unwrap());
    }
}
