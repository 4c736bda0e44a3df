//! What is wrong with a request, and where in it.

use std::fmt;

use crate::http::problem::Problem;
use crate::json::write_string;

/// The part of a request that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the body: a JSON pointer from its root.
    Pointer(String),
    /// A path or query parameter, by its name.
    Parameter(String),
    /// A header, by its name.
    Header(&'static str),
}

impl Place {
    /// The member of a violation that tells this place, and its value.
    fn member(&self) -> (&'static str, &str) {
        match self {
            Self::Pointer(pointer) => ("pointer", pointer),
            Self::Parameter(name) => ("parameter", name),
            Self::Header(name) => ("header", name),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.member() {
            ("pointer", "") => f.write_str("the body"),
            (_, name) => write!(f, "`{name}`"),
        }
    }
}

/// One rule that a request breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where.
    pub place: Place,
    /// What is wrong there: completes a sentence that starts with the place.
    pub detail: String,
}

/// Everything that is wrong with a request, as it is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations {
    list: Vec<Violation>,
    bytes: usize,
}

/// No more is told beyond so many violations, or so many bytes of them: an answer has to stay
/// small whatever was sent.
const MAX_VIOLATIONS: usize = 50;
const MAX_BYTES: usize = 16 * 1024;

impl Violations {
    /// A single one.
    pub fn one(place: Place, detail: impl fmt::Display) -> Self {
        let mut violations = Self::default();
        violations.add(place, detail);
        violations
    }

    /// Takes note of one more, as long as there is room.
    pub fn add(&mut self, place: Place, detail: impl fmt::Display) {
        if self.is_full() {
            return;
        }
        let detail = detail.to_string();
        self.bytes += place.member().1.len() + detail.len();
        self.list.push(Violation { place, detail });
    }

    /// Whether no more will be told, so that there is no use in looking on.
    pub fn is_full(&self) -> bool {
        self.list.len() >= MAX_VIOLATIONS || self.bytes >= MAX_BYTES
    }

    /// Those that were found, in the order in which they were.
    pub fn list(&self) -> &[Violation] {
        &self.list
    }

    /// What `build` makes of a request in which nothing is wrong. It makes nothing (`None`) only
    /// when a violation told why.
    pub(in crate::http) fn finish<T>(
        self,
        build: impl FnOnce() -> Option<T>,
    ) -> Result<T, Problem> {
        if !self.list.is_empty() {
            return Err(Problem::Invalid(self));
        }
        let whole = build();
        debug_assert!(whole.is_some(), "what is missing was told");
        whole.ok_or(Problem::Invalid(self))
    }

    pub(super) fn write(&self, out: &mut String) {
        out.push('[');
        for (at, violation) in self.list.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            let (member, value) = violation.place.member();
            out.push_str("{\"detail\":");
            write_string(out, &violation.detail);
            out.push_str(",\"");
            out.push_str(member);
            out.push_str("\":");
            write_string(out, value);
            out.push('}');
        }
        out.push(']');
    }
}

impl fmt::Display for Violations {
    /// The first violation, and how many there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Violation { place, detail }) = self.list.first() else {
            return Ok(());
        };
        write!(f, "{place} {detail}")?;
        match self.list.len() {
            1 => Ok(()),
            count => write!(f, " ({count} errors)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_stays_short_whatever_was_sent() {
        let mut many = Violations::default();
        let mut long = Violations::default();
        for _ in 0..1_000 {
            many.add(Place::Header("If-Match"), "is wrong");
            long.add(Place::Pointer("/x".repeat(5_000)), "is wrong");
        }
        assert_eq!(many.list().len(), MAX_VIOLATIONS);
        assert_eq!(long.list().len(), 2);
    }

    #[test]
    fn the_summary_names_the_first_and_counts_the_rest() {
        let mut violations = Violations::one(Place::Pointer(String::new()), "must be an object");
        assert_eq!(violations.to_string(), "the body must be an object");
        violations.add(Place::Parameter("limit".to_owned()), "is wrong");
        assert_eq!(
            violations.to_string(),
            "the body must be an object (2 errors)"
        );
    }
}
