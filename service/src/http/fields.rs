//! Reading a JSON object whose fields are known, telling everything that is wrong with it.
//!
//! Knows no field of any request: each request brings its list.

use std::borrow::Cow;
use std::fmt::{self, Display};

use crate::domain::Document;
use crate::http::problem::{Place, Violations};
use crate::json::{Kind, UnpairedSurrogate, Value, push_pointer_segment};

/// Where an object stands in the body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Base {
    /// It is the body.
    Root,
    /// It is this element of the array `events`.
    Event(usize),
}

impl Display for Base {
    /// As a JSON pointer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Event(index) => write!(f, "/events/{index}"),
        }
    }
}

/// A known field, and its value if the object has one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    name: &'static str,
    value: Option<Value<'a>>,
}

/// Reads the fields of one object.
pub(super) struct Fields<'v> {
    base: Base,
    violations: &'v mut Violations,
}

impl<'v> Fields<'v> {
    pub(super) fn new(base: Base, violations: &'v mut Violations) -> Self {
        Self { base, violations }
    }

    /// Finds the fields of these names, and tells of any other and of repeated ones. `None` if
    /// `value` is no object at all.
    pub(super) fn of<'a, const N: usize>(
        &mut self,
        value: Value<'a>,
        names: [&'static str; N],
    ) -> Option<[Field<'a>; N]> {
        let mut fields = names.map(|name| Field { name, value: None });
        if value.kind() != Kind::Object {
            let pointer = self.base.to_string();
            self.violations
                .add(Place::Pointer(pointer), "must be an object");
            return None;
        }
        for (key, value) in value.members() {
            let known = match key.string() {
                Some(Ok(name)) => fields.iter_mut().find(|field| field.name == name),
                _ => None,
            };
            match known {
                Some(field) if field.value.is_none() => field.value = Some(value),
                Some(field) => {
                    let name = field.name;
                    self.wrong(name, "must not be repeated");
                }
                None => {
                    let detail = unknown(&names);
                    match key.string() {
                        Some(Ok(name)) => self.wrong(&name, detail),
                        _ => self.wrong(key.text().trim_matches('"'), detail),
                    }
                }
            }
            if self.violations.is_full() {
                break;
            }
        }
        Some(fields)
    }

    /// The value of a field that has to be there.
    pub(super) fn required<'a, T>(
        &mut self,
        field: Field<'a>,
        parse: impl FnOnce(Value<'a>) -> Result<T, String>,
    ) -> Option<T> {
        if field.value.is_none() {
            self.wrong(field.name, "is missing");
        }
        self.given(field, parse)
    }

    /// The value of a field that may be absent or null, which is the same.
    pub(super) fn optional<'a, T>(
        &mut self,
        field: Field<'a>,
        parse: impl FnOnce(Value<'a>) -> Result<T, String>,
    ) -> Option<T> {
        self.given(field.without_null(), parse)
    }

    /// The value of a field that may be absent, null being a value like others.
    pub(super) fn given<'a, T>(
        &mut self,
        field: Field<'a>,
        parse: impl FnOnce(Value<'a>) -> Result<T, String>,
    ) -> Option<T> {
        match parse(field.value?) {
            Ok(parsed) => Some(parsed),
            Err(detail) => {
                self.wrong(field.name, detail);
                None
            }
        }
    }

    /// A document that has to be there.
    pub(super) fn required_document(
        &mut self,
        field: Field<'_>,
        max_bytes: usize,
        max_nesting: usize,
    ) -> Option<Document> {
        if field.value.is_none() {
            self.wrong(field.name, "is missing");
        }
        self.document(field, max_bytes, max_nesting)
    }

    /// A document that may be absent or null, which is the same.
    pub(super) fn optional_document(
        &mut self,
        field: Field<'_>,
        max_bytes: usize,
        max_nesting: usize,
    ) -> Option<Document> {
        self.document(field.without_null(), max_bytes, max_nesting)
    }

    fn document(
        &mut self,
        field: Field<'_>,
        max_bytes: usize,
        max_nesting: usize,
    ) -> Option<Document> {
        match Document::read(field.value?, max_bytes, max_nesting) {
            Ok(document) => Some(document),
            Err(errors) => {
                for error in errors {
                    let pointer = format!("{}/{}{}", self.base, field.name, error.pointer);
                    self.violations.add(Place::Pointer(pointer), error.problem);
                }
                None
            }
        }
    }

    fn wrong(&mut self, name: &str, detail: impl Display) {
        let mut pointer = self.base.to_string();
        push_pointer_segment(&mut pointer, name);
        self.violations.add(Place::Pointer(pointer), detail);
    }
}

impl Field<'_> {
    fn without_null(self) -> Self {
        Self {
            value: self.value.filter(|value| !value.is_null()),
            ..self
        }
    }

    pub(super) fn is_null(self) -> bool {
        self.value.is_some_and(Value::is_null)
    }
}

fn unknown(names: &[&str]) -> String {
    format!(
        "is no field of this object: it has `{}`",
        names.join("`, `")
    )
}

/// The text of a string.
pub(super) fn text(value: Value<'_>) -> Result<Cow<'_, str>, String> {
    match value.string() {
        Some(text) => text.map_err(|error: UnpairedSurrogate| error.to_string()),
        None => Err("must be a string".to_owned()),
    }
}

/// What `parse` makes of the text of a string.
pub(super) fn string<T, E: Display>(
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> impl FnOnce(Value<'_>) -> Result<T, String> {
    move |value| parse(&text(value)?).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::check;

    fn violations(body: &str, base: Base) -> Vec<(String, String)> {
        let mut found = Violations::default();
        let mut fields = Fields::new(base, &mut found);
        let value = check(body.as_bytes()).unwrap();
        if let Some([a, b, c]) = fields.of(value, ["a", "b", "c"]) {
            fields.required(a, |value| text(value).map(drop));
            fields.optional(b, |value| text(value).map(drop));
            fields.required_document(c, 100, 2);
        }
        let told = found.list().iter().map(|violation| match &violation.place {
            Place::Pointer(pointer) => (pointer.clone(), violation.detail.clone()),
            other => panic!("a field is told by its pointer, not by {other:?}"),
        });
        told.collect()
    }

    fn pointers(body: &str, base: Base) -> Vec<String> {
        let found = violations(body, base);
        found.into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn everything_wrong_is_told_at_once_with_its_pointer() {
        let body = r#"{"a":1,"x":1,"a":"","b":[],"c":{"d":1e999,"e":[[]]},"y/~":0,"\ud800":0}"#;
        assert_eq!(
            pointers(body, Base::Event(3)),
            [
                "/events/3/x",
                "/events/3/a",
                "/events/3/y~1~0",
                "/events/3/\\ud800",
                "/events/3/a",
                "/events/3/b",
                "/events/3/c/d",
                "/events/3/c/e/0",
            ]
        );
    }

    #[test]
    fn what_is_missing_is_told_and_null_is_absent_only_where_that_is_allowed() {
        assert_eq!(pointers(r#"{"b":null}"#, Base::Root), ["/a", "/c"]);
        assert_eq!(
            violations(r#"{"a":null,"c":null}"#, Base::Root),
            [("/a", "must be a string"), ("/c", "must be an object")]
                .map(|(pointer, detail)| (pointer.to_owned(), detail.to_owned()))
        );
    }

    #[test]
    fn escaped_names_are_the_names_they_stand_for() {
        let body = r#"{"\u0061":"x","c":{}}"#;
        assert_eq!(pointers(body, Base::Root), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_object_has_no_missing_fields() {
        assert_eq!(pointers("[]", Base::Root), [""]);
    }
}
