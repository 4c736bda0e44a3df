//! Writing JSON text.

/// Appends `text` as a JSON string, quotes included, with the shortest escapes.
pub fn write_string(out: &mut String, text: &str) {
    out.push('"');
    if is_plain(text.as_bytes()) {
        out.push_str(text);
        out.push('"');
        return;
    }
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0..=0x1f => "",
            _ => continue,
        };
        out.push_str(&text[plain_from..at]);
        plain_from = at + 1;
        if escape.is_empty() {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.push_str("\\u00");
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[plain_from..]);
    out.push('"');
}

/// Whether nothing in a text has to be escaped, as nearly always.
fn is_plain(text: &[u8]) -> bool {
    let is_special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    // Without a way out in the middle, a processor looks at many bytes at once.
    let has_special = |bytes: &[u8]| bytes.iter().fold(false, |any, byte| any | is_special(byte));
    !text.chunks(64).any(has_special)
}

/// Appends one segment to a JSON pointer (RFC 6901 §3), escaped.
pub fn push_pointer_segment(pointer: &mut String, segment: &str) {
    pointer.push('/');
    for symbol in segment.chars() {
        match symbol {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn strings_are_written_as_serde_json_writes_them(text in any::<String>()) {
            let mut out = String::new();
            write_string(&mut out, &text);
            prop_assert_eq!(out, serde_json::to_string(&text).unwrap());
        }
    }

    #[test]
    fn pointer_segments_are_escaped() {
        let mut pointer = String::new();
        push_pointer_segment(&mut pointer, "a/b~c");
        push_pointer_segment(&mut pointer, "");
        assert_eq!(pointer, "/a~1b~0c/");
    }
}
