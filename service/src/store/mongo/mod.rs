//! The store on a MongoDB replica set.

mod bson_text;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        unused_imports,
        reason = "the store that calls it comes next"
    )
)]
mod codec;
