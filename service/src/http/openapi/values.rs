//! The schemas of single values: those that the grammars of `patterns` describe, and documents.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, AnyOfBuilder, ArrayBuilder, KnownFormat, ObjectBuilder, Ref, Schema,
    SchemaFormat, SchemaType, Type,
};
use utoipa::{PartialSchema, ToSchema};

use crate::http::openapi::patterns;

macro_rules! texts {
    ($($(#[doc = $doc:literal])+ $name:ident = $schema:expr;)+) => {$(
        $(#[doc = $doc])+
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let schema: ObjectBuilder = $schema;
                schema
                    .description(Some(concat!($($doc),+).trim_ascii()))
                    .into()
            }
        }

        impl ToSchema for $name {}
    )+};
}

texts! {
    /// The name of a session, chosen by the client. At most 256 bytes of UTF-8, no control
    /// characters, no white space at either end, not `.` or `..`. It stays stored after erasure,
    /// so it should not be personal.
    SessionId = id("call-7f3a");

    /// The name of an event within its session, chosen by the client: what makes a retry safe. The
    /// same rules as for the id of a session.
    EventId = id("turn-1");

    /// A BCP 47 language tag.
    Language = text(patterns::LANGUAGE, "en-US").max_length(Some(35));

    /// A time as RFC 3339 with an offset, between the years 1970 and 9999 in UTC. Digits finer than
    /// milliseconds are cut off.
    Time = time(patterns::TIME, "2026-11-25T10:30:00+01:00");

    /// A time, in UTC with milliseconds.
    TimeUtc = time(patterns::TIME_UTC, "2026-11-25T09:30:00.000Z");

    /// The version of a session, in quotes.
    EntityTag = text(patterns::ENTITY_TAG, "\"1\"");

    /// Always `true`.
    Replayed = text("^true$", "true");
}

/// `*`, or entity tags.
pub struct EntityTags;

impl PartialSchema for EntityTags {
    fn schema() -> RefOr<Schema> {
        let any = ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::String))
            .enum_values(Some(["*"]));
        AnyOfBuilder::new()
            .item(any)
            .item(text(patterns::ENTITY_TAGS, "\"1\""))
            .into()
    }
}

impl ToSchema for EntityTags {}

fn text(pattern: &str, example: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .pattern(Some(pattern))
        .examples([example])
}

fn id(example: &str) -> ObjectBuilder {
    text(patterns::ID, example)
        .min_length(Some(1))
        .max_length(Some(256))
}

fn time(pattern: &str, example: &str) -> ObjectBuilder {
    text(pattern, example).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

/// A JSON object: what goes in comes out, in compact form, with the order of its keys. At most 64
/// levels, itself being the first.
pub struct Document;

impl PartialSchema for Document {
    fn schema() -> RefOr<Schema> {
        let document = ObjectBuilder::new()
            .description(Some(
                "A JSON object: what goes in comes out, in compact form, with the order of its \
                keys. At most 64 levels, itself being the first.",
            ))
            .property_names(Some(key()))
            .additional_properties(Some(AdditionalProperties::RefOr(
                Ref::from_schema_name("JsonValue").into(),
            )));
        document.into()
    }
}

impl ToSchema for Document {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("JsonValue".to_owned(), JsonValue::schema()));
    }
}

/// A value inside a document.
pub struct JsonValue;

impl PartialSchema for JsonValue {
    fn schema() -> RefOr<Schema> {
        let this = || RefOr::from(Ref::from_schema_name("JsonValue"));
        let scalar = SchemaType::from_iter([Type::Null, Type::Boolean, Type::String]);
        // Integers are int64, but a schema cannot tell 1e300 from an integer of 301 digits.
        let number = ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::Number))
            .minimum(Some(f64::MIN))
            .maximum(Some(f64::MAX))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Double)));
        let object = ObjectBuilder::new()
            .property_names(Some(key()))
            .additional_properties(Some(AdditionalProperties::RefOr(this())));
        AnyOfBuilder::new()
            .description(Some(
                "Integers are exact within int64 and refused beyond; other numbers are IEEE 754 \
                doubles, answered as their shortest text (`1.0` stays `1.0`). A key must not be \
                repeated, and not contain NUL.",
            ))
            .item(ObjectBuilder::new().schema_type(scalar))
            .item(number)
            .item(ArrayBuilder::new().items(this()))
            .item(object)
            .into()
    }
}

fn key() -> Schema {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .pattern(Some(patterns::KEY))
        .into()
}
