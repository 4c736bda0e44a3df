//! Reading the ids in a path and the parameters of a query, strictly, telling everything that is
//! wrong with them at once.
//!
//! Knows no route: each brings its list of names.

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::RangeInclusive;

use axum::http::Uri;

use crate::domain::{Consistency, EventId, Limits, SessionId};
use crate::http::percent;
use crate::http::problem::{Place, Problem, Violations};

/// The parameters of one request.
pub(super) struct Parameters<'r> {
    uri: &'r Uri,
    violations: Violations,
}

/// A known query parameter, and its value if the query has one.
#[derive(Clone, Debug)]
pub(super) struct Parameter<'r> {
    name: &'static str,
    value: Option<Cow<'r, str>>,
}

impl Parameter<'_> {
    /// A parameter that a route does not have.
    pub(super) fn absent(name: &'static str) -> Self {
        Self { name, value: None }
    }

    pub(super) fn is_given(&self) -> bool {
        self.value.is_some()
    }
}

/// The names of the consistencies, in the order of their documentation.
const CONSISTENCIES: [(&str, Consistency); 3] = [
    ("strong", Consistency::Strong),
    ("linearizable", Consistency::Linearizable),
    ("eventual", Consistency::Eventual),
];

impl<'r> Parameters<'r> {
    pub(super) fn of(uri: &'r Uri) -> Self {
        Self {
            uri,
            violations: Violations::default(),
        }
    }

    /// `{sessionId}` of `/v1/sessions/{sessionId}/…`
    pub(super) fn session_id(&mut self, limits: &Limits) -> Option<SessionId> {
        self.path_id("sessionId", 3, |text| {
            SessionId::parse(text, limits.id_bytes)
        })
    }

    /// `{eventId}` of `/v1/sessions/{sessionId}/events/{eventId}`
    pub(super) fn event_id(&mut self, limits: &Limits) -> Option<EventId> {
        self.path_id("eventId", 5, |text| EventId::parse(text, limits.id_bytes))
    }

    /// From the path as it was sent: a `/` inside an id is `%2F` there, and nothing is repaired.
    fn path_id<T, E: Display>(
        &mut self,
        name: &'static str,
        segment: usize,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let raw = self.uri.path().split('/').nth(segment).unwrap_or_default();
        let parsed = match percent::decode(raw) {
            Ok(text) => parse(&text).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        self.note(name, parsed)
    }

    /// Finds the parameters of these names in the query; tells of any other and of repeated ones.
    pub(super) fn query<const N: usize>(&mut self, names: [&'static str; N]) -> [Parameter<'r>; N] {
        let mut parameters = names.map(Parameter::absent);
        let query = self.uri.query().unwrap_or_default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            if self.violations.is_full() {
                break;
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Ok(name) = percent::decode_query(name) else {
                self.wrong(name, "is no parameter of this route");
                continue;
            };
            let Some(known) = parameters.iter_mut().find(|known| known.name == name) else {
                self.wrong(&name, "is no parameter of this route");
                continue;
            };
            match percent::decode_query(value) {
                _ if known.value.is_some() => self.wrong(&name, "must not be repeated"),
                Ok(value) => known.value = Some(value),
                Err(error) => self.wrong(&name, error),
            }
        }
        parameters
    }

    /// What `parse` makes of a parameter that was given.
    pub(super) fn optional<T, E: Display>(
        &mut self,
        parameter: &Parameter<'_>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let parsed = parse(parameter.value.as_deref()?);
        self.note(parameter.name, parsed)
    }

    /// `consistency`
    pub(super) fn consistency(&mut self, parameter: &Parameter<'_>) -> Consistency {
        self.optional(parameter, one_of(&CONSISTENCIES))
            .unwrap_or_default()
    }

    /// Tells that `parameter` excludes each of `others`.
    pub(super) fn excludes(&mut self, parameter: &Parameter<'_>, others: &[&Parameter<'_>]) {
        for other in others {
            if parameter.is_given() && other.is_given() {
                let detail = format!("must not be combined with `{}`", parameter.name);
                self.wrong(other.name, detail);
            }
        }
    }

    /// Tells that a header is wrong.
    pub(super) fn wrong_header(&mut self, name: &'static str, detail: impl Display) {
        self.violations.add(Place::Header(name), detail);
    }

    fn note<T, E: Display>(&mut self, name: &'static str, parsed: Result<T, E>) -> Option<T> {
        parsed
            .inspect_err(|error| {
                self.violations
                    .add(Place::Parameter(name.to_owned()), error);
            })
            .ok()
    }

    fn wrong(&mut self, name: &str, detail: impl Display) {
        self.violations
            .add(Place::Parameter(name.to_owned()), detail);
    }

    /// What `build` makes of parameters in which nothing is wrong.
    pub(super) fn finish<T>(self, build: impl FnOnce() -> Option<T>) -> Result<T, Problem> {
        self.violations.finish(build)
    }
}

/// Reads a decimal integer within `range`: digits only, no sign, no leading zero.
pub(super) fn integer(range: RangeInclusive<u64>) -> impl FnOnce(&str) -> Result<u64, String> {
    move |text| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'));
        match text.parse() {
            Ok(number) if is_plain && range.contains(&number) => Ok(number),
            _ => {
                let (min, max) = (range.start(), range.end());
                Err(format!("must be an integer between {min} and {max}"))
            }
        }
    }
}

/// Reads the seq that a page or a stream goes on after: 0 or any seq of an int64. No log is that
/// long, so the very last is read as the one before: whoever counts on from it stays within.
pub(super) fn after_seq(text: &str) -> Result<u64, String> {
    const LAST: u64 = i64::MAX as u64;
    let seq = integer(0..=LAST)(text)?;
    Ok(seq.min(LAST - 1))
}

/// Reads one of the names of a list.
pub(super) fn one_of<T: Copy>(names: &[(&str, T)]) -> impl FnOnce(&str) -> Result<T, String> {
    move |text| {
        let found = names.iter().find(|(name, _)| *name == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
            format!("must be one of `{}`", names.join("`, `"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(uri: &str) -> Vec<(String, String)> {
        let uri: Uri = uri.parse().unwrap();
        let limits = Limits::default();
        let mut parameters = Parameters::of(&uri);
        parameters.session_id(&limits);
        parameters.event_id(&limits);
        let [limit, consistency] = parameters.query(["limit", "consistency"]);
        parameters.optional(&limit, integer(1..=500));
        parameters.consistency(&consistency);
        match parameters.finish(|| Some(())) {
            Ok(()) => Vec::new(),
            Err(Problem::Invalid(violations)) => violations
                .list()
                .iter()
                .map(|violation| (violation.place.to_string(), violation.detail.clone()))
                .collect(),
            Err(other) => panic!("parameters are invalid, not {other:?}"),
        }
    }

    fn places(uri: &str) -> Vec<String> {
        wrong(uri).into_iter().map(|(place, _)| place).collect()
    }

    #[test]
    fn every_wrong_parameter_is_told_at_once() {
        assert_eq!(
            places(
                "/v1/sessions/%zz/events/%20a?x=1&limit=0&%ff=1&consistency=weak&&limit=5&a%20b"
            ),
            [
                "`sessionId`",
                "`eventId`",
                "`x`",
                "`%ff`",
                "`limit`",
                "`a b`",
                "`limit`",
                "`consistency`"
            ]
        );
    }

    #[test]
    fn values_are_decoded_strictly() {
        for query in ["limit=%zz", "limit=%ff", "limit=%", "limit"] {
            assert_eq!(
                places(&format!("/v1/sessions/a/events/b?{query}")),
                ["`limit`"]
            );
        }
        assert_eq!(
            wrong("/v1/sessions/a%2Fb/events/%C3%A9?limit=%35&con%73istency=strong&"),
            []
        );
    }

    #[test]
    fn only_plain_decimal_digits_are_an_integer() {
        let read = |text: &str| after_seq(text).ok();
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("10"), Some(10));
        assert_eq!(read("9223372036854775807"), Some(i64::MAX as u64 - 1));
        for text in [
            "",
            "-1",
            "+1",
            "01",
            "00",
            "1.0",
            "1e1",
            "0x1",
            " 1",
            "١",
            "9223372036854775808",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn parameters_that_exclude_each_other_are_told() {
        let uri: Uri = "/?a=1&b=2&c=3".parse().unwrap();
        let mut parameters = Parameters::of(&uri);
        let [a, b, c, d] = parameters.query(["a", "b", "c", "d"]);
        parameters.excludes(&a, &[&b, &d]);
        parameters.excludes(&d, &[&c]);
        let problem = parameters.finish(|| Some(())).unwrap_err();
        assert_eq!(problem.to_string(), "`b` must not be combined with `a`");
    }
}
