//! The grammars of the contract as regular expressions (ECMA-262), for the schemas only: what
//! requests are judged by is in `domain`. A test compares the two.

/// A session or event id: no control characters, no white space at either end, not `.` or `..`.
pub(in crate::http) const ID: &str = concat!(
    r"^(?:[^\x00-\x20.\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]",
    r"(?:[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000])?",
    r"|\.(?:[^\x00-\x20.\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]",
    r"|[^\x00-\x1f\x7f-\x9f]+[^\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]))$",
);

/// A language tag: RFC 5646 §2.1, the irregular tags of old included.
pub(in crate::http) const LANGUAGE: &str = concat!(
    r"^(?:(?:[A-Za-z]{2,3}(?:-[A-Za-z]{3}){0,3}|[A-Za-z]{4,8})",
    r"(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?",
    r"(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*",
    r"(?:-[0-9A-WY-Za-wy-z](?:-[A-Za-z0-9]{2,8})+)*",
    r"(?:-[xX](?:-[A-Za-z0-9]{1,8})+)?",
    r"|[xX](?:-[A-Za-z0-9]{1,8})+",
    r"|en-GB-oed|i-(?:ami|bnn|default|enochian|hak|klingon|lux|mingo|navajo|pwn|tao|tay|tsu)",
    r"|sgn-(?:BE-FR|BE-NL|CH-DE))$",
);

/// A time as it may be sent: RFC 3339, a real date of the years 1970 to 9999.
pub(in crate::http) const TIME: &str = concat!(
    r"^(?:(?:19[7-9][0-9]|[2-9][0-9]{3})-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])",
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))",
    r"|(?:19(?:7[26]|8[048]|9[26])|[2-9][0-9](?:0[48]|[2468][048]|[13579][26])",
    r"|(?:[2468][048]|[3579][26])00)-02-29)",
    r"[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?",
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$",
);

/// A time as it is answered: UTC with milliseconds.
pub(in crate::http) const TIME_UTC: &str =
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$";

/// The entity tag of a version.
pub(in crate::http) const ENTITY_TAG: &str = r#"^"[1-9][0-9]*"$"#;

/// A list of entity tags, as in `If-Match`.
pub(in crate::http) const ENTITY_TAGS: &str = r#"^(?:W/)?"[!#-~]*"(?:, *(?:W/)?"[!#-~]*")*$"#;

/// A key of a payload or of metadata: no NUL.
pub(in crate::http) const KEY: &str = r"^[^\x00]*$";
