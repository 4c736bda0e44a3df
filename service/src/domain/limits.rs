//! Every limit of the contract, in one place. All of them can be configured.

/// How large the things a client sends may be. Sizes of documents are those of their compact
/// UTF-8 JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest session or event id, in bytes of UTF-8.
    pub id_bytes: usize,
    /// Longest language tag, in bytes. 35 is what RFC 5646 §4.4.1 recommends to reserve.
    pub language_bytes: usize,
    /// Largest metadata of a session, in bytes, also after a patch.
    pub metadata_bytes: usize,
    /// Largest payload of an event, in bytes.
    pub payload_bytes: usize,
    /// Deepest nesting of a payload or of metadata; the document itself is the first level.
    pub nesting: usize,
    /// Largest body of a request that carries one thing, in bytes.
    pub body_bytes: usize,
    /// Largest body of a batch request, in bytes.
    pub batch_body_bytes: usize,
    /// Most events in one batch request.
    pub batch_items: usize,
    /// Longest reason of a closing, in bytes of text.
    pub reason_bytes: usize,
    /// Most rows a page may be asked for.
    pub page_limit: usize,
    /// Rows of a page when the request does not say.
    pub page_default: usize,
    /// A page ends early when its events reach this size, in bytes of payload.
    pub page_bytes: usize,
    /// Largest `offset`: beyond it a cursor is the way.
    pub offset: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            id_bytes: 256,
            language_bytes: 35,
            metadata_bytes: 16 * 1024,
            payload_bytes: 256 * 1024,
            nesting: 64,
            body_bytes: 1024 * 1024,
            batch_body_bytes: 8 * 1024 * 1024,
            batch_items: 500,
            reason_bytes: 1024,
            page_limit: 500,
            page_default: 50,
            page_bytes: 1024 * 1024,
            offset: 10_000,
        }
    }
}
