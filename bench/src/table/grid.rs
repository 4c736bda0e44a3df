//! A table as text. Pure.

use std::fmt::Write as _;

/// A table with a title.
pub(crate) struct Grid {
    pub(crate) title: String,
    pub(crate) heads: &'static [&'static str],
    /// Each with a cell for every head.
    pub(crate) rows: Vec<Vec<String>>,
}

impl Grid {
    /// For a terminal: the first and the last column to the left, figures to the right.
    pub(crate) fn text(&self) -> String {
        let last = self.heads.len().saturating_sub(1);
        let widths: Vec<usize> = (0..self.heads.len()).map(|it| self.width(it)).collect();
        let mut text = format!("\n{}\n", self.title);
        let heads: Vec<String> = self.heads.iter().map(|&it| it.to_owned()).collect();
        for row in [&heads].into_iter().chain(&self.rows) {
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
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", cells.join("  ").trim_end());
        }
        text
    }

    /// For a document.
    pub(crate) fn markdown(&self) -> String {
        let last = self.heads.len().saturating_sub(1);
        let rule = |column| {
            if column == 0 || column == last {
                "---"
            } else {
                "--:"
            }
        };
        let rules: Vec<&str> = (0..self.heads.len()).map(rule).collect();
        let mut text = format!(
            "\n### {}\n\n| {} |\n| {} |\n",
            self.title,
            self.heads.join(" | "),
            rules.join(" | ")
        );
        for row in &self.rows {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        text
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|it| it.chars().count()).max();
        widest.unwrap_or(0).max(self.heads[column].chars().count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_figures_to_the_right_too() {
        let grid = Grid {
            title: "title".to_owned(),
            heads: &["name", "n", "errors"],
            rows: vec![["append", "7", "none"].map(str::to_owned).to_vec()],
        };
        assert_eq!(
            grid.markdown(),
            "\n### title\n\n| name | n | errors |\n| --- | --: | --- |\n| append | 7 | none |\n"
        );
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let grid = Grid {
            title: "title".to_owned(),
            heads: &["name", "n", "errors"],
            rows: vec![row(["append", "7", "µ"]), row(["x", "12345", "none"])],
        };
        assert_eq!(
            grid.text(),
            "\ntitle\nname        n  errors\nappend      7  µ\nx       12345  none\n"
        );
    }
}
