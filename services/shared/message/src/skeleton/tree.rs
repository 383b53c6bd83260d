//! The MIME tree under construction: a stack of open parts, the innermost on top.
//!
//! Invariant: the stack is never empty before [`Tree::finish`]; below the top there are only multiparts
//! and messages; a message has its root part right above it.

use super::part_header::{PartHeader, read_envelope, read_part_header, read_references};
use super::{Content, Ingested, Limits, Part, RawEnvelope, Skeleton};
use crate::text;

/// Octets of a text part looked at for the preview.
const PREVIEW_SOURCE: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct Tree {
    limits: Limits,
    stack: Vec<Open>,
    /// Octets seen.
    position: u64,
    /// Line feeds seen.
    lines: u64,
    /// Length of the latest line end: 0, 1 (LF) or 2 (CRLF).
    line_end: u64,
    ends_with_cr: bool,
    /// The header being read, cut at its limit.
    block: Vec<u8>,
    block_cut: bool,
    parts: usize,
    retained: usize,
    capture: Capture,
    message: Option<MessageHeader>,
}

/// What was read from the message's own header.
#[derive(Debug)]
struct MessageHeader {
    envelope: RawEnvelope,
    references: Option<Vec<u8>>,
    block: Vec<u8>,
    complete: bool,
}

#[derive(Debug)]
struct Open {
    header: PartHeader,
    header_start: u64,
    header_len: u64,
    lines_before_body: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// The header is being read; `digest` if the part stands in a multipart/digest (RFC 2046 5.1.5).
    Header {
        digest: bool,
    },
    Leaf,
    Multipart {
        boundary: Vec<u8>,
        children: Vec<Part>,
        closed: bool,
    },
    Message {
        envelope: Box<RawEnvelope>,
        root: Option<Box<Part>>,
    },
}

/// Collecting the preview from the first text part that has any text.
#[derive(Debug)]
enum Capture {
    Waiting,
    Running(Vec<u8>),
    Done(String),
}

/// Where parts end: before the line end that belongs to the boundary.
#[derive(Clone, Copy)]
struct End {
    position: u64,
    lines: u64,
}

impl Tree {
    pub(super) fn new(limits: Limits) -> Self {
        let mut tree = Self {
            limits,
            stack: Vec::new(),
            position: 0,
            lines: 0,
            line_end: 0,
            ends_with_cr: false,
            block: Vec::new(),
            block_cut: false,
            parts: 0,
            retained: 0,
            capture: Capture::Waiting,
            message: None,
        };
        tree.open_part(false);
        tree
    }

    pub(super) fn in_header(&self) -> bool {
        matches!(self.stack.last(), Some(Open { kind: Kind::Header { .. }, .. }))
    }

    /// Whether any open multipart may still be continued or closed by a boundary line.
    pub(super) fn awaits_boundary(&self) -> bool {
        self.stack.iter().any(|open| matches!(open.kind, Kind::Multipart { closed: false, .. }))
    }

    /// Octets that are no boundary line.
    pub(super) fn content(&mut self, bytes: &[u8]) {
        let Some(&last) = bytes.last() else { return };
        self.position += bytes.len() as u64;
        self.lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        self.line_end = match bytes {
            [.., b'\r', b'\n'] => 2,
            [b'\n'] if self.ends_with_cr => 2,
            [.., b'\n'] => 1,
            _ => 0,
        };
        self.ends_with_cr = last == b'\r';
        if self.in_header() {
            self.keep_header(bytes);
        } else if let Capture::Running(kept) = &mut self.capture {
            let room = PREVIEW_SOURCE - kept.len();
            kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    /// A line that starts with `--`: true if it is a boundary of an open multipart (RFC 2046 5.1.1), which is
    /// then acted upon.
    pub(super) fn boundary(&mut self, line: &[u8]) -> bool {
        let Some((depth, closing)) = self.find_boundary(line) else { return false };
        if !closing && self.parts >= self.limits.parts {
            return false;
        }
        let cut = self.line_end;
        let end = End { position: self.position - cut, lines: self.lines - u64::from(cut > 0) };
        self.close_above(depth, end);
        self.content(line);
        if closing {
            if let Some(Open { kind: Kind::Multipart { closed, .. }, .. }) = self.stack.last_mut() {
                *closed = true;
            }
        } else {
            let parent = &self.stack[depth].header;
            let digest = parent.media_type == "multipart" && parent.media_subtype == "digest";
            self.open_part(digest);
        }
        true
    }

    /// The empty line after a header was seen: its part's body starts here.
    pub(super) fn end_header(&mut self) {
        let block = self.take_block();
        let is_root = self.stack.len() == 1;
        let parent_is_message =
            self.stack.iter().rev().nth(1).is_some_and(|p| matches!(p.kind, Kind::Message { .. }));
        let mut budget = self.limits.retained.saturating_sub(self.retained);
        let before = budget;
        if is_root {
            let mut own = usize::MAX;
            self.message = Some(MessageHeader {
                envelope: read_envelope(&block, &mut own),
                references: read_references(&block),
                block: block.clone(),
                complete: !self.block_cut,
            });
        } else if parent_is_message {
            let read = Box::new(read_envelope(&block, &mut budget));
            let parent = self.stack.len() - 2;
            if let Kind::Message { envelope, .. } = &mut self.stack[parent].kind {
                *envelope = read;
            }
        }
        let may_nest = self.stack.len() < self.limits.depth && self.parts < self.limits.parts;
        let Some(top) = self.stack.last_mut() else { return };
        let digest_child = matches!(top.kind, Kind::Header { digest: true });
        top.header = read_part_header(&block, self.limits.params, digest_child, &mut budget);
        self.retained += before - budget;
        top.header_len = self.position - top.header_start;
        top.lines_before_body = self.lines;
        top.kind = body_kind(&mut top.header, may_nest);
        match &top.kind {
            Kind::Message { .. } => self.open_part(false),
            Kind::Leaf => self.start_capture(),
            _ => {}
        }
    }

    pub(super) fn finish(mut self) -> Ingested {
        let end = End { position: self.position, lines: self.lines };
        self.close_above(0, end);
        if self.in_header() {
            self.end_header();
            self.close_above(0, end);
        }
        let (size, lines) = (self.position, self.lines);
        let root = self.stack.pop().map(|open| open.into_part(end)).unwrap_or_else(|| empty_part(0));
        self.finish_capture(&root);
        let preview = if let Capture::Done(preview) = self.capture { preview } else { String::new() };
        let message = self.message.unwrap_or_else(|| MessageHeader {
            envelope: RawEnvelope::default(),
            references: None,
            block: Vec::new(),
            complete: true,
        });
        Ingested {
            skeleton: Skeleton {
                size,
                lines,
                envelope: message.envelope,
                references: message.references,
                preview,
                root,
            },
            header: message.block,
            header_complete: message.complete,
        }
    }

    fn open_part(&mut self, digest: bool) {
        self.parts += 1;
        self.block.clear();
        self.block_cut = false;
        self.stack.push(Open {
            header: PartHeader::default(),
            header_start: self.position,
            header_len: 0,
            lines_before_body: self.lines,
            kind: Kind::Header { digest },
        });
    }

    fn keep_header(&mut self, bytes: &[u8]) {
        let limit = if self.stack.len() == 1 { self.limits.header } else { self.limits.part_header };
        let room = limit.saturating_sub(self.block.len());
        self.block_cut |= bytes.len() > room;
        self.block.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The header read so far; a cut one ends with its last whole line.
    fn take_block(&mut self) -> Vec<u8> {
        let mut block = std::mem::take(&mut self.block);
        if self.block_cut {
            let whole = memchr::memrchr(b'\n', &block).map_or(0, |at| at + 1);
            block.truncate(whole);
        }
        block
    }

    /// The innermost open multipart whose boundary `line` is, and whether it closes it.
    fn find_boundary(&self, line: &[u8]) -> Option<(usize, bool)> {
        self.stack.iter().enumerate().rev().find_map(|(depth, open)| {
            let Kind::Multipart { boundary, closed: false, .. } = &open.kind else { return None };
            let rest = line[2..].strip_prefix(boundary.as_slice())?.trim_ascii_end();
            match rest {
                b"" => Some((depth, false)),
                b"--" => Some((depth, true)),
                _ => None,
            }
        })
    }

    /// Closes every part above the one at `depth`.
    fn close_above(&mut self, depth: usize, end: End) {
        while self.stack.len() > depth + 1 {
            if self.in_header() {
                self.end_header();
                continue;
            }
            let Some(open) = self.stack.pop() else { return };
            let part = open.into_part(end);
            self.finish_capture(&part);
            match self.stack.last_mut().map(|parent| &mut parent.kind) {
                Some(Kind::Multipart { children, .. }) => children.push(part),
                Some(Kind::Message { root, .. }) => *root = Some(Box::new(part)),
                _ => {}
            }
        }
    }

    fn start_capture(&mut self) {
        let Some(top) = self.stack.last() else { return };
        let header = &top.header;
        let attached = header.disposition.as_ref().is_some_and(|d| d.kind == "attachment");
        if matches!(self.capture, Capture::Waiting) && header.media_type == "text" && !attached {
            self.capture = Capture::Running(Vec::new());
        }
    }

    fn finish_capture(&mut self, part: &Part) {
        let Capture::Running(source) = &self.capture else { return };
        let decoded = text::decode_part(part, source, PREVIEW_SOURCE);
        let shown = text::preview(&decoded, part.media_subtype == "html", self.limits.preview);
        self.capture = if shown.is_empty() { Capture::Waiting } else { Capture::Done(shown) };
    }
}

impl Open {
    fn into_part(self, end: End) -> Part {
        let body_start = self.header_start + self.header_len;
        let body_len = end.position.saturating_sub(body_start);
        let lines = end.lines.saturating_sub(self.lines_before_body);
        let content = match self.kind {
            Kind::Header { .. } | Kind::Leaf => Content::Leaf,
            Kind::Multipart { mut children, .. } => {
                if children.is_empty() {
                    // No boundary was found: what there is, is shown as one text.
                    children.push(Part { body_len, lines, ..empty_part(body_start) });
                }
                Content::Multipart(children)
            }
            Kind::Message { envelope, root } => {
                let root = root.unwrap_or_else(|| Box::new(empty_part(body_start)));
                Content::Message { envelope, root }
            }
        };
        let header = self.header;
        Part {
            media_type: header.media_type,
            media_subtype: header.media_subtype,
            params: header.params,
            id: header.id,
            description: header.description,
            encoding: header.encoding,
            disposition: header.disposition,
            language: header.language,
            location: header.location,
            md5: header.md5,
            header_start: self.header_start,
            header_len: self.header_len,
            body_len,
            lines,
            content,
        }
    }
}

/// An empty text part at `position`.
fn empty_part(position: u64) -> Part {
    let mut header = PartHeader::default();
    header.set_text();
    Open { header, header_start: position, header_len: 0, lines_before_body: 0, kind: Kind::Leaf }
        .into_part(End { position, lines: 0 })
}

/// What the body of a part with this header is read as. A multipart or message that is not looked into becomes
/// `application/octet-stream`, a multipart without a boundary plain text (RFC 2045 5.2).
fn body_kind(header: &mut PartHeader, may_nest: bool) -> Kind {
    let multipart = header.media_type == "multipart";
    let message = header.media_type == "message" && header.media_subtype == "rfc822";
    let identity = matches!(header.encoding.as_deref(), None | Some("7bit" | "8bit" | "binary"));
    let boundary = header.boundary();
    match boundary {
        Some(boundary) if multipart && may_nest => {
            Kind::Multipart { boundary, children: Vec::new(), closed: false }
        }
        None if multipart => {
            header.set_text();
            Kind::Leaf
        }
        _ if message && may_nest && identity => Kind::Message { envelope: Box::default(), root: None },
        _ => {
            if multipart || message {
                header.set_opaque();
            }
            Kind::Leaf
        }
    }
}
