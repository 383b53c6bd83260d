//! Reading bodies.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use super::MemoryMailstore;
use crate::{Access, Bodies, BodyChunk, BodyRange, MailboxId, MailstoreError};

/// Largest chunk of an answer in octets.
const CHUNK: usize = 256 * 1024;

#[async_trait]
impl Bodies for MemoryMailstore {
    async fn read(
        &self,
        access: &Access,
        mailbox: MailboxId,
        ranges: &[BodyRange],
    ) -> Result<BoxStream<'static, Result<BodyChunk, MailstoreError>>, MailstoreError> {
        let bodies: Vec<Option<Bytes>> = self.with_account(access, |account| {
            let mailbox = account.selected(mailbox)?;
            let body = |range: &BodyRange| {
                mailbox.messages.get(&range.uid).map(|message| cut(&message.content.body, range))
            };
            Ok(ranges.iter().map(body).collect())
        })?;
        Ok(stream::iter((0u32..).zip(bodies).flat_map(|(range, body)| chunks(range, body))).map(Ok).boxed())
    }
}

fn cut(body: &Bytes, range: &BodyRange) -> Bytes {
    let size = body.len() as u64;
    let first = range.offset.min(size);
    let end = range.length.map_or(size, |length| first.saturating_add(length).min(size));
    // Both are at most the body's length, which is a usize.
    body.slice(usize::try_from(first).unwrap_or_default()..usize::try_from(end).unwrap_or_default())
}

fn chunks(range: u32, body: Option<Bytes>) -> Vec<BodyChunk> {
    let Some(mut rest) = body else {
        return vec![BodyChunk { range, data: Bytes::new(), last: true, missing: true }];
    };
    let mut chunks = Vec::new();
    loop {
        let data = rest.split_to(rest.len().min(CHUNK));
        let last = rest.is_empty();
        chunks.push(BodyChunk { range, data, last, missing: false });
        if last {
            return chunks;
        }
    }
}
