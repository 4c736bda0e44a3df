//! The documentation of the errors, made from their list: `docs/errors.md`.

use std::fmt::Write as _;

use crate::http::problem::{DOCUMENTATION, Kind, Retry};

/// The text of `docs/errors.md`.
pub fn errors_markdown() -> String {
    let mut out = format!(
        "# Errors\n\n\
        Generated from the code; do not edit. Every error is answered as \
        `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)):\n\n\
        | member | what it is |\n|---|---|\n\
        | `type` | `{DOCUMENTATION}#` and one of the names below; it never changes |\n\
        | `title` | the same words for every error of a type |\n\
        | `status` | the status of the answer; in the results of a batch, that of the item |\n\
        | `detail` | what is wrong with this request, for people; the words may change |\n\
        | `instance` | the id of the request, as in `X-Request-Id` and in the log of the server |\n\
        | `errors` | only of `{invalid}`: every violation, each with `detail` and one of `pointer`, \
        `parameter`, `header` |\n\
        | `nextSeq` | only of `{not_next}`: the next place in the log |\n\n\
        A request that was refused did nothing. After a 503 it may have been carried out: sending \
        the same request again is always safe, and answers with what is stored.\n\n\
        | name | status | retry |\n|---|---|---|\n",
        invalid = Kind::InvalidRequest.slug(),
        not_next = Kind::SeqNotNext.slug(),
    );
    for kind in Kind::ALL {
        let (slug, status) = (kind.slug(), kind.status().as_u16());
        let retry = retry_in_words(*kind);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "| [`{slug}`](#{slug}) | {status} | {retry} |");
    }
    for kind in Kind::ALL {
        let _ = write!(
            out,
            "\n## {}\n\n{} · {} · {}\n\n",
            kind.slug(),
            kind.status(),
            kind.title(),
            retry_in_words(*kind),
        );
        for line in kind.meaning().lines() {
            let _ = writeln!(out, "{}", line.trim());
        }
    }
    out
}

fn retry_in_words(kind: Kind) -> String {
    match kind.retry() {
        Retry::Useless => "a retry does not help".to_owned(),
        Retry::Helps => "a retry can help".to_owned(),
        Retry::HelpsAfter(seconds) => {
            format!("a retry can help, after `Retry-After: {seconds}`")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::http::tests::checked_in;

    use super::*;

    #[test]
    fn every_type_has_a_name_of_its_own() {
        let names: HashSet<_> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
    }

    #[test]
    fn the_documentation_of_errors_is_that_of_the_code() {
        checked_in("docs/errors.md", &errors_markdown());
    }
}
