//! What the proxies know of MongoDB's wire protocol: where a message ends, and how a member tells
//! a driver which members there are.
//!
//! A driver leaves the hosts it was given as soon as a member names others. So the answers to
//! `hello` go through with the members' addresses replaced by those of their proxies. They are
//! never compressed, and an address is replaced by one of the same length, so nothing else of the
//! message changes.

/// Four 32-bit numbers, the length of the whole message first and the kind of it last.
pub(super) const HEADER: usize = 16;

/// An answer to `hello` has less than a kilobyte.
const LONGEST_HELLO: usize = 16 * 1024;

/// The most that a member sends in one message.
const LONGEST: usize = 48 * 1024 * 1024;

const OP_REPLY: u32 = 1;
const OP_MSG: u32 = 2013;

/// The length of the message that begins with `header`; `None` if that is no header.
pub(super) fn length(header: &[u8; HEADER]) -> Option<usize> {
    let length = usize::try_from(number(header, 0)?).ok()?;
    (HEADER..=LONGEST).contains(&length).then_some(length)
}

/// The addresses of members, and those that take their place.
#[derive(Debug)]
pub(super) struct Substitution {
    pairs: Vec<(String, String)>,
}

impl Substitution {
    /// Each pair is a member's address and that of its proxy, of the same length.
    pub(super) fn new(pairs: Vec<(String, String)>) -> Self {
        debug_assert!(pairs.iter().all(|(from, to)| from.len() == to.len()));
        Self { pairs }
    }

    /// Replaces the members' addresses in `message` if it is an answer to `hello`.
    pub(super) fn in_hello(&self, message: &mut [u8]) {
        if !is_hello(message) {
            return;
        }
        for (from, to) in &self.pairs {
            let mut rest = &mut *message;
            while let Some(at) = find(rest, from.as_bytes()) {
                let end = at + from.len();
                rest[at..end].copy_from_slice(to.as_bytes());
                rest = &mut rest[end..];
            }
        }
    }

    /// Replaces the members' addresses in a connection string.
    pub(super) fn in_url(&self, url: &str) -> String {
        let mut url = url.to_owned();
        for (from, to) in &self.pairs {
            url = url.replace(from, to);
        }
        url
    }
}

fn is_hello(message: &[u8]) -> bool {
    let kind = number(message, 12);
    let says = |field: &[u8]| find(message, field).is_some();
    message.len() <= LONGEST_HELLO
        && (kind == Some(OP_MSG) || kind == Some(OP_REPLY))
        // An array `hosts` and a boolean that only this answer has.
        && says(b"\x04hosts\0")
        && (says(b"\x08isWritablePrimary\0") || says(b"\x08ismaster\0"))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_le_bytes(bytes))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|it| it == wanted)
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{Document, doc};

    use super::*;

    const MEMBER: &str = "127.0.0.1:21001";
    const PROXY: &str = "127.0.0.1:31001";

    fn message(kind: u32, body: &Document) -> Vec<u8> {
        let body = body.to_vec().unwrap();
        let length = u32::try_from(HEADER + 5 + body.len()).unwrap();
        let header = [length, 7, 8, kind].map(u32::to_le_bytes).concat();
        // Flags and the kind of the first section.
        [header, vec![0; 5], body].concat()
    }

    fn substitution() -> Substitution {
        Substitution::new(vec![(MEMBER.to_owned(), PROXY.to_owned())])
    }

    fn hello(address: &str) -> Document {
        doc! {"isWritablePrimary": true, "hosts": [address], "primary": address, "me": address}
    }

    #[test]
    fn a_driver_learns_the_proxies_from_hello() {
        for kind in [OP_MSG, OP_REPLY] {
            let mut heard = message(kind, &hello(MEMBER));
            substitution().in_hello(&mut heard);
            assert_eq!(heard, message(kind, &hello(PROXY)));
        }
    }

    #[test]
    fn data_that_mentions_a_member_stays_as_it_is() {
        let data = doc! {"payload": {"hosts": [MEMBER]}};
        let mut heard = message(OP_MSG, &data);
        substitution().in_hello(&mut heard);
        assert_eq!(heard, message(OP_MSG, &data));
    }

    #[test]
    fn a_message_ends_where_its_header_says() {
        let message = message(OP_MSG, &hello(MEMBER));
        let header = message[..HEADER].try_into().unwrap();
        assert_eq!(length(header), Some(message.len()));
    }

    #[test]
    fn what_is_no_header_has_no_length() {
        assert_eq!(length(&[0; HEADER]), None);
        assert_eq!(length(b"HTTP/1.1 400 Bad"), None);
    }

    #[test]
    fn a_connection_string_leads_through_the_proxies() {
        let url = format!("mongodb://u:p@{MEMBER}/db?replicaSet=rs");
        assert_eq!(
            substitution().in_url(&url),
            format!("mongodb://u:p@{PROXY}/db?replicaSet=rs")
        );
    }
}
