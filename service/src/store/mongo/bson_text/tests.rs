//! Every document comes back as the same text, and what is damaged is told.

use bson::{Bson, RawDocument, RawDocumentBuf, doc};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn to_bson(text: &str) -> RawDocumentBuf {
    let mut bytes = Vec::new();
    append_object(&mut bytes, text);
    RawDocumentBuf::from_bytes(bytes).unwrap()
}

fn to_text(document: &RawDocument) -> Result<String> {
    let mut text = String::new();
    push_object(&mut text, document)?;
    Ok(text)
}

/// The text of `object` as a client's document has it.
fn compact(object: &Value) -> String {
    let text = object.to_string();
    let value = json::check(text.as_bytes()).unwrap();
    json::compact_object(value, usize::MAX, usize::MAX).unwrap()
}

/// The same values in the same order, whatever the width of an integer.
fn same(bson: &Bson, json: &Value) -> bool {
    match (bson, json) {
        (Bson::Document(document), Value::Object(object)) => {
            document.len() == object.len()
                && document
                    .iter()
                    .zip(object)
                    .all(|(a, b)| a.0 == b.0 && same(a.1, b.1))
        }
        (Bson::Array(bson), Value::Array(json)) => {
            bson.len() == json.len() && bson.iter().zip(json).all(|(a, b)| same(a, b))
        }
        (Bson::String(bson), Value::String(json)) => bson == json,
        (Bson::Double(bson), Value::Number(json)) => {
            json.is_f64() && json.as_f64().map(f64::to_bits) == Some(bson.to_bits())
        }
        (Bson::Int32(bson), Value::Number(json)) => json.as_i64() == Some((*bson).into()),
        (Bson::Int64(bson), Value::Number(json)) => json.as_i64() == Some(*bson),
        (Bson::Boolean(bson), Value::Bool(json)) => bson == json,
        (Bson::Null, Value::Null) => true,
        _ => false,
    }
}

fn numbers() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        (-20..300_i64).prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        prop::sample::select(vec![
            0.0,
            -0.0,
            1.0,
            1e300,
            5e-324,
            f64::MIN_POSITIVE,
            f64::MAX,
            f64::MIN,
            9_007_199_254_740_993.0,
        ])
        .prop_map(Into::into),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Into::into),
        numbers(),
        any::<String>().prop_map(Into::into),
        r#"[a"\\/\x00-\x1f\x7fé😀]{0,12}"#.prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 60, 12, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..12).prop_map(Into::into),
            objects_of(inner),
        ]
    })
}

fn objects_of(values: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let keys = prop_oneof![
        r#"[a-c.$"\\\x01é😀]{0,4}"#,
        "[^\0]{0,8}",
        Just(String::new())
    ];
    prop::collection::vec((keys, values), 0..12)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn objects() -> impl Strategy<Value = Value> {
    objects_of(values())
}

proptest! {
    #[test]
    fn a_document_comes_back_as_the_same_text(object in objects()) {
        let text = compact(&object);
        prop_assert_eq!(to_text(&to_bson(&text)), Ok(text));
    }

    #[test]
    fn the_driver_reads_the_same_values(object in objects()) {
        let read = bson::Document::try_from(to_bson(&compact(&object))).unwrap();
        prop_assert!(same(&Bson::Document(read.clone()), &object), "{read:?}");
    }

    #[test]
    fn the_bytes_are_those_that_the_driver_writes(object in objects()) {
        let written = to_bson(&compact(&object));
        let read = bson::Document::try_from(written.clone()).unwrap();
        prop_assert_eq!(RawDocumentBuf::try_from(&read).unwrap(), written);
    }

    #[test]
    fn a_document_that_is_cut_off_is_never_taken_for_the_whole(
        object in objects(),
        at in any::<prop::sample::Index>(),
    ) {
        let text = compact(&serde_json::json!({ "first": object, "last": 1 }));
        let mut bytes = to_bson(&text).into_bytes();
        let length = 5 + at.index(bytes.len() - 5);
        bytes.truncate(length);
        // As far as the driver looks, it is a document.
        bytes[length - 1] = 0;
        set_length(&mut bytes, 0, length);
        let read = to_text(&RawDocumentBuf::from_bytes(bytes).unwrap());
        // Cut between two members, it is the document of the first ones.
        if let Ok(read) = read {
            let members = read.strip_suffix('}').unwrap();
            prop_assert!(read.len() < text.len());
            prop_assert!(text.starts_with(members));
        }
    }

    #[test]
    fn a_flipped_byte_is_an_error_or_another_document(
        object in objects(),
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let mut bytes = to_bson(&compact(&object)).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(document) = RawDocument::from_bytes(&bytes) && let Ok(text) = to_text(document) {
            let read = json::check(text.as_bytes());
            prop_assert_eq!(read.map(json::Value::kind), Ok(json::Kind::Object));
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(body in prop::collection::vec(0..20_u8, 0..80)) {
        let mut bytes = vec![0; 4];
        bytes.extend(body);
        bytes.push(0);
        let length = bytes.len();
        set_length(&mut bytes, 0, length);
        let _ = to_text(&RawDocumentBuf::from_bytes(bytes).unwrap());
    }
}

#[test]
fn numbers_keep_their_kind() {
    let text = concat!(
        r#"{"int32":[2147483647,-2147483648],"int64":[2147483648,-2147483649],"#,
        r#""int64s":[9223372036854775807,-9223372036854775808],"#,
        r#""doubles":[1.0,-0.0,1e300,5e-324,2147483648.0],"#,
        r#""ints":[0,-1]}"#
    );
    let document = to_bson(text);
    assert_eq!(
        bson::Document::try_from(&*document).unwrap(),
        doc! {
            "int32": [i32::MAX, i32::MIN],
            "int64": [2_147_483_648_i64, -2_147_483_649_i64],
            "int64s": [i64::MAX, i64::MIN],
            "doubles": [1.0, -0.0, 1e300, 5e-324, 2_147_483_648.0],
            "ints": [0, -1],
        }
    );
    assert_eq!(to_text(&document), Ok(text.to_owned()));
}

#[test]
fn keys_may_be_empty_or_mean_something_to_mongodb() {
    let text = r#"{"":{"":[]},"$set":{"$a.b":1},"a.b":2,"_id":3,"\u0001\"":4}"#;
    assert_eq!(to_text(&to_bson(text)), Ok(text.to_owned()));
}

#[test]
fn a_text_may_hold_nul() {
    let text = r#"{"a":"\u0000","b":["x\u0000\u0000y"]}"#;
    assert_eq!(to_text(&to_bson(text)), Ok(text.to_owned()));
}

#[test]
fn the_keys_of_an_array_are_decimal() {
    let text = format!("{{\"a\":[{}]}}", vec!["0"; 1_101].join(","));
    let document = to_bson(&text);
    let array = document.get_array("a").unwrap();
    let keys: Vec<_> = RawDocument::from_bytes(array.as_bytes())
        .unwrap()
        .iter()
        .map(|element| element.unwrap().0.to_string())
        .collect();
    let expected: Vec<_> = (0..1_101).map(|index| index.to_string()).collect();
    assert_eq!(keys, expected);
}

#[test]
fn nesting_costs_no_stack() {
    let depth = 100_000;
    let text = "{\"a\":[".repeat(depth) + &"]}".repeat(depth);
    assert_eq!(to_text(&to_bson(&text)), Ok(text));
}

#[test]
fn documents_are_appended_to_what_is_there() {
    let mut bytes = vec![7; 3];
    append_object(&mut bytes, r#"{"a":[{}]}"#);
    assert_eq!(bytes[..3], [7; 3]);
    let mut text = String::from("x");
    push_object(&mut text, RawDocument::from_bytes(&bytes[3..]).unwrap()).unwrap();
    assert_eq!(text, r#"x{"a":[{}]}"#);
}

#[test]
fn what_json_cannot_say_is_an_error_that_names_it() {
    for (value, error) in [
        (Bson::Double(f64::NAN), "a number is not finite"),
        (Bson::Double(f64::INFINITY), "a number is not finite"),
        (
            Bson::DateTime(bson::DateTime::from_millis(0)),
            "a value has the type 0x09, which JSON has not",
        ),
        (
            Bson::MaxKey,
            "a value has the type 0x7f, which JSON has not",
        ),
    ] {
        let document = RawDocumentBuf::try_from(doc! { "a": [value] }).unwrap();
        assert_eq!(to_text(&document), Err(Garbled::new(error)));
    }
}

#[test]
fn damage_is_an_error_that_names_it() {
    for (bytes, error) in [
        (&b"\x08\0\0\0\x0aaa\0"[..], "the document is cut off"),
        (b"\x08\0\0\0\x10a\0\0", "the document is cut off"),
        (
            b"\x09\0\0\0\x08a\0\x02\0",
            "a boolean is neither true nor false",
        ),
        (b"\x0e\0\0\0\x02a\0\x07\0\0\0x\0\0", "a text is cut off"),
        (
            b"\x0e\0\0\0\x02a\0\x01\0\0\0x\0\0",
            "the length of a text is wrong",
        ),
        (
            b"\x0e\0\0\0\x02a\0\xff\xff\xff\xffx\0\0",
            "a length is negative",
        ),
        (
            b"\x0e\0\0\0\x02a\0\x02\0\0\0\xff\0\0",
            "a text is not UTF-8",
        ),
        (b"\x08\0\0\0\x0a\xff\0\0", "a text is not UTF-8"),
        (
            b"\x0d\0\0\0\x03a\0\x07\0\0\0\0\0",
            "an object or array is cut off",
        ),
        (
            b"\x0d\0\0\0\x03a\0\x04\0\0\0\0\0",
            "the length of an object or array is wrong",
        ),
        (
            b"\x06\0\0\0\0\0",
            "the length of an object or array is wrong",
        ),
    ] {
        let document = RawDocument::from_bytes(bytes).unwrap();
        assert_eq!(to_text(document), Err(Garbled::new(error)), "{bytes:?}");
    }
}
