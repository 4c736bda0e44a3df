//! Why tests failed, in the few lines that say it: they stand far above the end of a long output.

use std::fmt;

/// So much of what a test says last; the rest stands in the output.
const LINES: usize = 12;

/// What has failed, with its first words.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    found: Vec<Failure>,
    /// Whether the line that comes belongs to the last one.
    is_open: bool,
}

#[derive(Debug)]
struct Failure {
    test: String,
    /// From the line that says where it panicked on.
    said: Vec<String>,
}

impl Failures {
    /// Reads one line of the output of cargo's test runner. What a failed test has printed begins
    /// with `---- its name stdout ----`.
    pub(crate) fn read(&mut self, line: &str) {
        let header = line.strip_prefix("---- ");
        if let Some(test) = header.and_then(|it| it.strip_suffix(" stdout ----")) {
            self.found.push(Failure {
                test: test.to_owned(),
                said: Vec::new(),
            });
            self.is_open = true;
            return;
        }
        let Some(last) = self.found.last_mut().filter(|_| self.is_open) else {
            return;
        };
        let has_begun = !last.said.is_empty();
        let begins = line.starts_with("thread '") && line.contains("panicked at");
        let ends = line == "stack backtrace:" || line.starts_with("note: run with");
        if has_begun && (ends || last.said.len() == LINES) {
            self.is_open = false;
        } else if has_begun || begins {
            last.said.push(line.to_owned());
        }
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Failure { test, said } in &self.found {
            writeln!(f, "FAILED {test}")?;
            for line in said {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(output: &str) -> String {
        let mut failures = Failures::default();
        for line in output.lines() {
            failures.read(line);
        }
        failures.to_string()
    }

    #[test]
    fn nothing_is_told_of_tests_that_pass() {
        assert_eq!(told("running 1 test\ntest a ... ok\n"), "");
    }

    #[test]
    fn each_failed_test_is_told_with_what_it_panicked_of() {
        let output = "\
failures:

---- one stdout ----
something printed before

thread 'one' (7) panicked at src/lib.rs:1:2:
assertion `left == right` failed
  left: 1
 right: 2
stack backtrace:
   0: core::panicking::panic
$ kubectl get pods

---- two stdout ----

thread 'two' (8) panicked at src/lib.rs:3:4:
waited in vain
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

failures:
    one
    two
";
        let expected = "\
FAILED one
    thread 'one' (7) panicked at src/lib.rs:1:2:
    assertion `left == right` failed
      left: 1
     right: 2
FAILED two
    thread 'two' (8) panicked at src/lib.rs:3:4:
    waited in vain
";
        assert_eq!(told(output), expected);
    }

    #[test]
    fn a_failure_that_says_a_lot_is_cut() {
        let lines = (0..100).map(|number| format!("line {number}\n"));
        let output: String = lines.collect();
        let output = format!("---- one stdout ----\nthread 'one' panicked at a:1:2:\n{output}");
        assert_eq!(told(&output).lines().count(), 1 + LINES);
    }
}
