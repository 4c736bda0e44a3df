//! JSON text: checking it, reading the members of an object, bringing a document into compact
//! form, writing strings.
//!
//! No recursion anywhere, so nesting costs no stack; no tree of values, so a body costs little
//! more memory than its bytes. Knows no field of any request: those are in `http`.

mod compact;
mod grammar;
mod value;
mod write;

pub use compact::{CompactError, CompactProblem, compact_object};
pub use grammar::{SyntaxError, check};
pub use value::{Kind, UnpairedSurrogate, Value};
pub(crate) use value::{for_each_piece, string_length};
pub use write::{push_pointer_segment, write_string};

/// A tree of the values in `text`, which is compact text that was checked before.
pub fn to_value(text: &str) -> serde_json::Value {
    let tree = serde_json::from_str(text);
    debug_assert!(tree.is_ok(), "documents are checked before they are stored");
    tree.unwrap_or_default()
}
