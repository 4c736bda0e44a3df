//! Passwords and the members' key.

use std::iter;

use rand::{Rng, distr::Alphanumeric};

pub(crate) const KEY_LENGTH: usize = 64;
pub(crate) const PASSWORD_LENGTH: usize = 24;

/// Letters and digits: valid in a key file, and in a connection string without escapes.
pub(crate) fn random(length: usize) -> String {
    let mut source = rand::rng();
    iter::repeat_with(|| char::from(source.sample(Alphanumeric)))
        .take(length)
        .collect()
}
