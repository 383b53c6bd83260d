//! Cutting the octet stream into what the tree needs to see.
//!
//! Only three things in a message matter to its structure: the empty line that ends a header, boundary
//! lines, and line feeds as such. Everything else passes through in runs, so a base64 body costs a
//! search for `\n--` and a count of line feeds. At most one short line is ever held back, when a chunk
//! ends inside something that might turn out to be an empty line or a boundary.

use super::tree::Tree;
use super::{Limits, Skeleton};

/// Longer lines are no boundary (RFC 2046 5.1.1 allows 70 characters and padding).
const MAX_BOUNDARY_LINE: usize = 1024;

/// Builds a [`Skeleton`] while a message streams through.
#[derive(Debug)]
pub struct SkeletonBuilder {
    tree: Tree,
    /// The start of a line, held back because it may matter.
    held: Vec<u8>,
    /// The start of the current line was passed on already.
    mid_line: bool,
}

/// What a finished pass gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingested {
    /// The skeleton.
    pub skeleton: Skeleton,
    /// The message's raw header block, the empty line included.
    pub header: Vec<u8>,
    /// Whether `header` is the whole block; `false` when it exceeds [`Limits::header`] and was cut.
    pub header_complete: bool,
}

impl Default for SkeletonBuilder {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl SkeletonBuilder {
    /// A builder at the first octet of a message.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { tree: Tree::new(limits), held: Vec::new(), mid_line: false }
    }

    /// Takes the next octets of the message; where they are cut does not matter.
    pub fn push(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.held.is_empty() && !self.tree.in_header() {
                let run = self.run_len(data);
                if run > 0 {
                    self.tree.content(&data[..run]);
                    self.mid_line = !data[..run].ends_with(b"\n");
                    data = &data[run..];
                    continue;
                }
            }
            let Some(end) = memchr::memchr(b'\n', data) else {
                self.partial(data);
                return;
            };
            let (line, rest) = data.split_at(end + 1);
            data = rest;
            if self.mid_line {
                self.tree.content(line);
                self.mid_line = false;
            } else if self.held.is_empty() {
                self.line(line);
            } else {
                let mut held = std::mem::take(&mut self.held);
                held.extend_from_slice(line);
                self.line(&held);
                held.clear();
                self.held = held;
            }
        }
    }

    /// The message is complete.
    #[must_use]
    pub fn finish(mut self) -> Ingested {
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            self.line(&held);
        }
        self.tree.finish()
    }

    /// How many octets from the start of `data` cannot be or hold a boundary line: whole lines only,
    /// unless no boundary is awaited at all.
    fn run_len(&self, data: &[u8]) -> usize {
        if !self.tree.awaits_boundary() {
            return data.len();
        }
        if !self.mid_line && data[0] == b'-' {
            return 0;
        }
        match memchr::memmem::find(data, b"\n--") {
            Some(at) => at + 1,
            None => memchr::memrchr(b'\n', data).map_or(0, |at| at + 1),
        }
    }

    /// A chunk ends without a line feed.
    fn partial(&mut self, data: &[u8]) {
        if self.mid_line {
            self.tree.content(data);
            return;
        }
        self.held.extend_from_slice(data);
        if !self.may_matter() {
            let held = std::mem::take(&mut self.held);
            self.tree.content(&held);
            self.mid_line = true;
        }
    }

    /// Whether the held start of a line may become an empty line or a boundary.
    fn may_matter(&self) -> bool {
        match self.held.as_slice() {
            b"\r" => self.tree.in_header(),
            b"-" => self.tree.awaits_boundary(),
            [b'-', b'-', ..] => self.tree.awaits_boundary() && self.held.len() <= MAX_BOUNDARY_LINE,
            _ => false,
        }
    }

    /// A whole line, its line feed included (it may be missing at the end of the message).
    fn line(&mut self, line: &[u8]) {
        if line.starts_with(b"--") && line.len() <= MAX_BOUNDARY_LINE && self.tree.boundary(line) {
            return;
        }
        self.tree.content(line);
        if self.tree.in_header() && matches!(line, b"\n" | b"\r\n") {
            self.tree.end_header();
        }
    }
}
