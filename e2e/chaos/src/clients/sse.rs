//! Server-Sent Events: bytes in, messages out.

/// A dispatched event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) event: Option<String>,
    pub(crate) id: Option<u64>,
    pub(crate) data: String,
}

/// Takes chunks of whatever size.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    pending: Vec<u8>,
    message: Message,
}

impl Parser {
    pub(crate) fn feed(&mut self, chunk: &[u8]) -> Vec<Message> {
        self.pending.extend_from_slice(chunk);
        let mut messages = Vec::new();
        while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            messages.extend(self.line(line.trim_end_matches(['\r', '\n'])));
        }
        messages
    }

    fn line(&mut self, line: &str) -> Option<Message> {
        if line.is_empty() {
            let message = std::mem::take(&mut self.message);
            return (!message.data.is_empty()).then_some(message);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.message.event = Some(value.to_owned()),
            "id" => self.message.id = value.parse().ok(),
            "data" => self.message.data.push_str(value),
            // Comments and `retry` carry nothing that is judged.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_the_same_whatever_the_chunks() {
        let text = b": heartbeat\nretry: 1000\n\nid: 7\ndata: {}\n\nevent: end\nid: 8\ndata: {\"a\":1}\n\n";
        let message = |event: Option<&str>, id, data: &str| Message {
            event: event.map(str::to_owned),
            id: Some(id),
            data: data.to_owned(),
        };
        let expected = [message(None, 7, "{}"), message(Some("end"), 8, "{\"a\":1}")];
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let messages: Vec<_> = text.chunks(size).flat_map(|it| parser.feed(it)).collect();
            assert_eq!(messages, expected, "in chunks of {size}");
        }
    }
}
