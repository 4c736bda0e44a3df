//! One field of a document, as the type it has to have, or an error that names it.

use std::fmt::Display;

use bson::raw::{RawBsonRef, RawDocument, RawElement};

use crate::domain::{ClosingStatus, CreationId, Document, SessionStatus, Timestamp};
use crate::store::mongo::bson_text::push_object;
use crate::store::mongo::codec::{Garbled, Result};

pub(super) fn missing(key: &str) -> Garbled {
    Garbled::new(format_args!("`{key}` is missing"))
}

pub(super) fn wrong(element: &RawElement<'_>, what: impl Display) -> Garbled {
    Garbled::new(format_args!("`{}` is {what}", element.key()))
}

pub(super) fn present<T>(value: Option<T>, key: &str) -> Result<T> {
    value.ok_or_else(|| missing(key))
}

pub(super) fn value<'a>(element: &RawElement<'a>) -> Result<RawBsonRef<'a>> {
    element.value().map_err(|error| wrong(element, error))
}

pub(super) fn optional<'a, T>(
    element: &RawElement<'a>,
    read: impl FnOnce(&RawElement<'a>) -> Result<T>,
) -> Result<Option<T>> {
    match value(element)? {
        RawBsonRef::Null => Ok(None),
        _ => read(element).map(Some),
    }
}

pub(super) fn text<'a>(element: &RawElement<'a>) -> Result<&'a str> {
    let text = value(element)?.as_str();
    text.ok_or_else(|| wrong(element, "no text"))
}

pub(super) fn named<T: std::str::FromStr<Err: Display>>(element: &RawElement<'_>) -> Result<T> {
    let name = text(element)?;
    name.parse()
        .map_err(|error| Garbled::new(format_args!("`{}` {error}", element.key())))
}

pub(super) fn closing_status(element: &RawElement<'_>) -> Result<ClosingStatus> {
    match named(element)? {
        SessionStatus::Completed => Ok(ClosingStatus::Completed),
        SessionStatus::Failed => Ok(ClosingStatus::Failed),
        SessionStatus::Initiated | SessionStatus::Active => {
            Err(wrong(element, "no status of a closed session"))
        }
    }
}

pub(super) fn nested<'a>(element: &RawElement<'a>) -> Result<&'a RawDocument> {
    let document = value(element)?.as_document();
    document.ok_or_else(|| wrong(element, "no object"))
}

pub(super) fn object(document: Option<&RawDocument>, key: &str) -> Result<Document> {
    let document = present(document, key)?;
    // Numbers take more room as text.
    let bytes = document.as_bytes().len();
    let mut text = String::with_capacity(bytes + bytes / 4);
    push_object(&mut text, document).map_err(|it| it.within(format_args!("`{key}`")))?;
    Ok(Document::from_stored(&text))
}

/// An integer of either width: who repairs by hand may have written the other one.
pub(super) fn number(element: &RawElement<'_>) -> Result<u64> {
    let number = match value(element)? {
        RawBsonRef::Int64(number) => number,
        RawBsonRef::Int32(number) => number.into(),
        _ => return Err(wrong(element, "no integer")),
    };
    u64::try_from(number).map_err(|_| wrong(element, "negative"))
}

pub(super) fn time(element: &RawElement<'_>) -> Result<Timestamp> {
    let date = value(element)?.as_datetime();
    let millis = date
        .ok_or_else(|| wrong(element, "no date"))?
        .timestamp_millis();
    let time = Timestamp::from_millis(millis);
    if time.millis() == millis {
        Ok(time)
    } else {
        Err(wrong(element, "not between the years 1970 and 9999"))
    }
}

pub(super) fn boolean(element: &RawElement<'_>) -> Result<bool> {
    let boolean = value(element)?.as_bool();
    boolean.ok_or_else(|| wrong(element, "neither true nor false"))
}

pub(super) fn creation_id(element: &RawElement<'_>) -> Result<CreationId> {
    let id = value(element)?.as_object_id();
    let id = id.ok_or_else(|| wrong(element, "no ObjectId"))?;
    Ok(CreationId(id.bytes()))
}
