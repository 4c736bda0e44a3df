//! Free ports on loopback.
//!
//! All have five digits, so that a proxy's port takes the place of a member's in a message of the
//! same length. All lie below the ports that the system gives to outgoing connections, so that a
//! member that was killed finds its port free when it starts again.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    ops::Range,
};

use rand::Rng;

const RANGE: Range<u16> = 10_000..32_768;

/// More than enough for a range that is not full.
const TRIES: usize = 1_000;

/// Listens on a free port. Nobody else gets it until the listener is dropped.
pub(crate) fn listen() -> io::Result<TcpListener> {
    let mut source = rand::rng();
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, source.random_range(RANGE))) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ports_differ_and_have_five_digits() {
        let (one, other) = (listen().unwrap(), listen().unwrap());
        let (one, other) = (one.local_addr().unwrap(), other.local_addr().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.to_string().len(), "127.0.0.1:10000".len());
        assert_eq!(other.to_string().len(), "127.0.0.1:10000".len());
    }
}
