//! Counting tests: what cargo's test runner reports, added up over many test binaries.

use std::{
    fmt,
    ops::{Add, AddAssign},
};

/// How many tests passed, failed and were skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Tally {
    pub(crate) const PASSED: Self = Self::of(1, 0, 0);
    pub(crate) const FAILED: Self = Self::of(0, 1, 0);
    pub(crate) const SKIPPED: Self = Self::of(0, 0, 1);

    const fn of(passed: u32, failed: u32, skipped: u32) -> Self {
        Self {
            passed,
            failed,
            skipped,
        }
    }

    /// Reads one line of output and counts it if it closes a test binary, such as
    /// `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; …`.
    pub(crate) fn read(&mut self, line: &str) {
        let Some((_, result)) = line.split_once("test result: ") else {
            return;
        };
        *self += Self::of(
            number_before(result, " passed"),
            number_before(result, " failed"),
            number_before(result, " ignored"),
        );
    }

    /// What to count once the runner has exited. A build that broke or a test binary that was
    /// killed reports no failed test, and a run of no test proves nothing: both are a failure.
    pub(crate) fn settle(self, exited_well: bool) -> Self {
        let hidden_failure = !exited_well && self.failed == 0;
        let nothing_ran = exited_well && self.passed + self.failed == 0;
        if hidden_failure || nothing_ran {
            return self + Self::FAILED;
        }
        self
    }

    pub(crate) fn is_good(self) -> bool {
        self.failed == 0
    }
}

/// The number that stands right before `label`; 0 without.
fn number_before(text: &str, label: &str) -> u32 {
    let Some((before, _)) = text.split_once(label) else {
        return 0;
    };
    let start = before
        .rfind(|it: char| !it.is_ascii_digit())
        .map_or(0, |it| it + 1);
    before[start..].parse().unwrap_or(0)
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::of(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
        )
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally_of(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.read(line);
        }
        tally
    }

    #[test]
    fn results_of_all_test_binaries_add_up() {
        let tally = tally_of(&[
            "running 6 tests",
            "test a_promise ... ok",
            "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.01s",
            "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
        ]);
        assert_eq!(tally, Tally::of(15, 2, 1));
    }

    #[test]
    fn a_coloured_result_counts_too() {
        let tally = tally_of(&[
            "test result: \u{1b}[32mok\u{1b}[m. 5 passed; 0 failed; 1 ignored; 0 measured",
        ]);
        assert_eq!(tally, Tally::of(5, 0, 1));
    }

    #[test]
    fn a_bad_exit_without_a_failed_test_is_one_failure() {
        assert_eq!(Tally::of(3, 0, 0).settle(false), Tally::of(3, 1, 0));
        assert_eq!(Tally::of(3, 2, 0).settle(false), Tally::of(3, 2, 0));
    }

    #[test]
    fn a_run_of_no_test_is_a_failure() {
        assert_eq!(Tally::default().settle(true), Tally::FAILED);
        assert_eq!(Tally::PASSED.settle(true), Tally::PASSED);
    }

    #[test]
    fn the_closing_line_is_plain() {
        assert_eq!(
            Tally::of(3, 0, 1).to_string(),
            "3 passed, 0 failed, 1 skipped"
        );
    }
}
