//! Bounds on what one client may make the codec hold or walk through.

/// Limits of the [`Decoder`](super::decoder::Decoder). Exceeding one is `BAD`, never a panic or more memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Octets of one line, CRLF included. A line is what stands between literals.
    pub line: usize,
    /// Octets of one collected literal. APPEND's message streams and is not one of them.
    pub literal: usize,
    /// Collected literals in one command.
    pub literals: usize,
    /// Octets of one whole command, collected literals included: what a connection can make us buffer.
    pub command: usize,
    /// Octets of a refused non-synchronising literal that are read and dropped to keep the connection; beyond
    /// it the connection must end.
    pub drain: u64,
    /// Depth of NOT, OR and parentheses in SEARCH, and of numbers in a section.
    pub depth: usize,
    /// Ranges in one sequence set.
    pub sequence_ranges: usize,
    /// Keys in one SEARCH, nested ones included.
    pub search_keys: usize,
    /// Elements of any other list: flags, fetch items, header names, ID fields.
    pub list_items: usize,
}

impl Limits {
    /// For a client that has not logged in: enough for LOGIN, AUTHENTICATE, ID and STARTTLS.
    pub fn before_login() -> Self {
        Self {
            line: 16 * 1024,
            literal: 4 * 1024,
            literals: 8,
            command: 24 * 1024,
            drain: 64 * 1024,
            ..Self::default()
        }
    }
}

impl Default for Limits {
    /// For a client that has logged in. 64 KiB holds a sequence set of about ten thousand UIDs, which mail
    /// clients do send.
    fn default() -> Self {
        Self {
            line: 64 * 1024,
            literal: 64 * 1024,
            literals: 64,
            command: 256 * 1024,
            drain: 100 * 1024 * 1024,
            depth: 32,
            sequence_ranges: 20_000,
            search_keys: 1000,
            list_items: 1000,
        }
    }
}
