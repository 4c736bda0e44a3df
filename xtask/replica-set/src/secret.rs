//! Passwords and the members' key.

use std::iter;

use rand::{Rng, distr::Alphanumeric};

/// Letters and digits: valid in a key file, and in a connection string without escapes.
pub(crate) fn random(length: usize) -> String {
    let mut source = rand::rng();
    iter::repeat_with(|| char::from(source.sample(Alphanumeric)))
        .take(length)
        .collect()
}
