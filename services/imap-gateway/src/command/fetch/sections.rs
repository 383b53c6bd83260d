//! Sections: octets of messages, streamed from mailstore into the literals of FETCH responses.

use std::io;
use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use staffetta_mailstore_api::{BodyChunk, BodyRange, FetchedMessage, MailstoreError, UidSet};

use super::plan::{Plan, skeleton};
use super::{metadata, response};
use crate::command::Output;
use crate::login::Login;
use crate::section::{self, Located};
use crate::session::Enabled;
use crate::view::View;
use crate::wire::fetch::SectionItem;
use crate::wire::response::FetchWriter;

/// Where the octets of one section of one message come from.
#[derive(Debug)]
enum Source {
    /// At hand.
    Inline(Bytes),
    /// From the body, as they are.
    Octets(Range<u64>),
    /// From a header block in the body, of which some fields are wanted.
    HeaderFields(Range<u64>),
    /// There is no such section.
    Missing,
}

/// Answers a window of messages.
#[expect(clippy::too_many_arguments, reason = "the pieces of one FETCH, each with another lifetime")]
pub(super) async fn answer(
    login: &Login,
    view: &View,
    enabled: Enabled,
    out: &mut dyn Output,
    plan: &Plan<'_>,
    window: &[FetchedMessage],
    seen: &UidSet,
    told: &mut UidSet,
) -> io::Result<Result<(), MailstoreError>> {
    let sources: Vec<Vec<Source>> = window.iter().map(|message| locate(plan, message)).collect();
    let ranges: Vec<BodyRange> =
        window.iter().zip(&sources).flat_map(|(message, sources)| wanted(message, sources)).collect();
    let mut chunks: BoxStream<'static, _> = futures_util::stream::empty().boxed();
    if !ranges.is_empty() {
        chunks = match login.shard.store.read(&login.access, view.mailbox(), &ranges).await {
            Ok(chunks) => chunks,
            Err(error) => return Ok(Err(error)),
        };
    }
    for (message, sources) in window.iter().zip(sources) {
        // Nothing of a response may be written before it is sure that the message is still there.
        let mut first = None;
        let reads = sources.iter().filter(|source| source.reads()).count();
        if reads > 0 {
            match next(&mut chunks).await {
                Ok(chunk) if chunk.missing => {
                    for _ in 1..reads {
                        if let Err(error) = next(&mut chunks).await {
                            return Ok(Err(error));
                        }
                    }
                    continue;
                }
                Ok(chunk) => first = Some(chunk),
                Err(error) => return Ok(Err(error)),
            }
        }
        let Some(number) = view.number(message.uid) else { continue };
        let was_seen_now = seen.contains(message.uid);
        let mut has_item = false;
        if let Some(mut fetch) = metadata(out, view, enabled, plan, number, message, was_seen_now) {
            plan.structure(&mut fetch, message);
            has_item = true;
        }
        for (item, source) in plan.sections.iter().zip(sources) {
            write(out, number, has_item, item, source, &mut first, &mut chunks).await?;
            has_item = true;
        }
        FetchWriter::resume(out.buffer()).finish();
        told.insert(message.uid);
        out.relieve().await?;
    }
    Ok(Ok(()))
}

fn locate(plan: &Plan<'_>, message: &FetchedMessage) -> Vec<Source> {
    let mut decoded = None;
    let sources = plan.sections.iter().map(|item| {
        if section::is_message_header(&item.section) {
            return match &message.header {
                Some(header) if !header.is_empty() => {
                    let fields = section::header_fields(header, &item.section.text);
                    Source::Inline(section::narrow_bytes(&fields, item.partial))
                }
                // Too large to be kept apart, or empty: the body has it.
                _ => located(item, decoded.get_or_insert_with(|| skeleton(message)).as_ref()),
            };
        }
        if !section::needs_skeleton(&item.section) {
            return Source::Octets(section::narrow(0..message.size, item.partial));
        }
        located(item, decoded.get_or_insert_with(|| skeleton(message)).as_ref())
    });
    sources.collect()
}

fn located(item: &SectionItem, skeleton: Option<&staffetta_message::skeleton::Skeleton>) -> Source {
    match skeleton.map(|skeleton| section::locate(skeleton, &item.section)) {
        Some(Located::Octets(range)) => Source::Octets(section::narrow(range, item.partial)),
        Some(Located::HeaderFields(range)) => Source::HeaderFields(range),
        Some(Located::Missing) | None => Source::Missing,
    }
}

impl Source {
    fn range(&self) -> Option<&Range<u64>> {
        match self {
            Self::Octets(range) | Self::HeaderFields(range) if !range.is_empty() => Some(range),
            _ => None,
        }
    }

    fn reads(&self) -> bool {
        self.range().is_some()
    }
}

fn wanted(message: &FetchedMessage, sources: &[Source]) -> Vec<BodyRange> {
    let ranges = sources.iter().filter_map(Source::range);
    ranges
        .map(|range| BodyRange {
            uid: message.uid,
            offset: range.start,
            length: Some(range.end - range.start),
        })
        .collect()
}

type Chunks = BoxStream<'static, Result<BodyChunk, MailstoreError>>;

async fn next(chunks: &mut Chunks) -> Result<BodyChunk, MailstoreError> {
    let ended = || MailstoreError::Unavailable { message: "the stream of bodies ended early".to_owned() };
    chunks.next().await.unwrap_or_else(|| Err(ended()))
}

/// Writes one section. From here on an error cannot be told any more, because the response has begun: the connection ends.
async fn write(
    out: &mut dyn Output,
    number: u32,
    has_item: bool,
    item: &SectionItem,
    source: Source,
    first: &mut Option<BodyChunk>,
    chunks: &mut Chunks,
) -> io::Result<()> {
    let reads = source.reads();
    match source {
        Source::Missing => response(out, number, has_item).section_nil(item),
        Source::Inline(octets) => response(out, number, has_item).section(item, &octets),
        Source::Octets(range) => {
            let size = range.end - range.start;
            response(out, number, has_item).section_literal(item, size);
            if reads {
                stream(out, size, first, chunks).await?;
            }
        }
        Source::HeaderFields(range) => {
            let mut block = BytesMut::new();
            if reads {
                let size = range.end - range.start;
                collect(&mut block, size, first, chunks).await?;
            }
            let fields = section::header_fields(&block.freeze(), &item.section.text);
            response(out, number, has_item).section(item, &section::narrow_bytes(&fields, item.partial));
        }
    }
    Ok(())
}

async fn stream(
    out: &mut dyn Output,
    size: u64,
    first: &mut Option<BodyChunk>,
    chunks: &mut Chunks,
) -> io::Result<()> {
    let mut left = size;
    loop {
        let chunk = following(first, chunks).await?;
        left = left.checked_sub(chunk.data.len() as u64).ok_or_else(broken)?;
        out.buffer().put_slice(&chunk.data);
        out.relieve().await?;
        if chunk.last {
            return if left == 0 { Ok(()) } else { Err(broken()) };
        }
    }
}

async fn collect(
    block: &mut BytesMut,
    size: u64,
    first: &mut Option<BodyChunk>,
    chunks: &mut Chunks,
) -> io::Result<()> {
    loop {
        let chunk = following(first, chunks).await?;
        block.put_slice(&chunk.data);
        if chunk.last {
            return if block.len() as u64 == size { Ok(()) } else { Err(broken()) };
        }
    }
}

async fn following(first: &mut Option<BodyChunk>, chunks: &mut Chunks) -> io::Result<BodyChunk> {
    if let Some(chunk) = first.take() {
        return Ok(chunk);
    }
    match next(chunks).await {
        Ok(chunk) if !chunk.missing => Ok(chunk),
        Ok(_) => Err(broken()),
        Err(error) => Err(io::Error::other(error)),
    }
}

fn broken() -> io::Error {
    io::Error::other("a body changed its length inside a literal")
}
