//! `TOP msg n` (RFC 1939 7): the header, the empty line, and the first n lines of the body.
//!
//! The header comes from mailstore's rows; the body is read only if lines of it are asked for, first a guess of how much
//! that is, then the rest.

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use staffetta_mailstore_api::{BodyRange, FetchItems, FetchRequest, MailboxId, MailstoreError, Uid, UidSet};

use super::{Response, Turn, retr};
use crate::account::{Account, Reader};
use crate::error::storage_refusal;
use crate::maildrop::Maildrop;
use crate::wire::Reply;

/// Octets guessed for a line; mail wraps at 76 to 78.
const LINE_GUESS: u64 = 100;
/// Never guess less: one read of this costs as much as one of a few lines.
const LEAST_GUESS: u64 = 16 * 1024;

/// Opens the top of a message.
pub(super) async fn top(
    maildrop: &Maildrop,
    account: &Account,
    number: u32,
    lines: u32,
    turn: &mut Turn<'_>,
) -> Response {
    let message = match maildrop.message(number) {
        Ok(message) => message,
        Err(error) => return Response::Reply(Reply::err(error.to_string())),
    };
    match open(account.reader(), maildrop.mailbox(), message.uid, lines).await {
        Ok(body) => {
            turn.tally.previewed += 1;
            Response::Message(Reply::ok("top of message follows"), body)
        }
        Err(error) => Response::Reply(storage_refusal(&error, "TOP")),
    }
}

async fn open(
    reader: Reader,
    mailbox: MailboxId,
    uid: Uid,
    lines: u32,
) -> Result<BoxStream<'static, Result<Bytes, MailstoreError>>, MailstoreError> {
    let header = header(&reader, mailbox, uid).await?;
    if header.is_empty() {
        // Too large to be kept apart (or there is none): read from the start and find its end.
        let whole = retr::open(&reader, mailbox, BodyRange::whole(uid)).await?;
        return Ok(cut(whole, Cutter { in_header: true, at_line_start: true, lines }));
    }
    let head = stream::iter([Ok(header.clone())]);
    if lines == 0 {
        return Ok(head.boxed());
    }
    let offset = header.len() as u64;
    let guess = LEAST_GUESS.max(u64::from(lines) * LINE_GUESS);
    let first = retr::open(&reader, mailbox, BodyRange { uid, offset, length: Some(guess) }).await?;
    let rest = stream::once(async move {
        retr::open(&reader, mailbox, BodyRange { uid, offset: offset + guess, length: None }).await
    });
    let rest = rest.flat_map(|opened| match opened {
        Ok(rest) => rest,
        Err(error) => stream::iter([Err(error)]).boxed(),
    });
    let body = first.chain(rest).boxed();
    Ok(head.chain(cut(body, Cutter { in_header: false, at_line_start: true, lines })).boxed())
}

async fn header(reader: &Reader, mailbox: MailboxId, uid: Uid) -> Result<Bytes, MailstoreError> {
    let request = FetchRequest {
        mailbox,
        uids: UidSet::from(uid),
        items: FetchItems { skeleton: false, header: true },
        changed_since: None,
    };
    let mut found = reader.store.fetch(&reader.access(), &request).await?;
    let message = found.next().await.ok_or(MailstoreError::MessageVanished)??;
    Ok(message.header.unwrap_or_default())
}

/// Ends a stream after the wanted lines; what follows is never asked for.
fn cut(
    body: BoxStream<'static, Result<Bytes, MailstoreError>>,
    cutter: Cutter,
) -> BoxStream<'static, Result<Bytes, MailstoreError>> {
    stream::unfold(Some((body, cutter)), |state| async move {
        let (mut body, mut cutter) = state.filter(|(_, cutter)| !cutter.is_done())?;
        match body.next().await? {
            Ok(chunk) => {
                let kept = cutter.take(&chunk);
                Some((Ok(chunk.slice(..kept)), Some((body, cutter))))
            }
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

/// Finds where the wanted lines end.
#[derive(Debug)]
struct Cutter {
    in_header: bool,
    at_line_start: bool,
    lines: u32,
}

impl Cutter {
    fn is_done(&self) -> bool {
        !self.in_header && self.lines == 0
    }

    /// How many octets of `chunk` are wanted.
    fn take(&mut self, chunk: &[u8]) -> usize {
        let mut from = 0;
        while let Some(length) = memchr::memchr(b'\n', &chunk[from..]) {
            if self.is_done() {
                return from;
            }
            let line = &chunk[from..from + length];
            if self.in_header {
                self.in_header = !(self.at_line_start && matches!(line, b"" | b"\r"));
            } else {
                self.lines -= 1;
            }
            self.at_line_start = true;
            from += length + 1;
        }
        if self.is_done() {
            return from;
        }
        // A line cut between its CR and its LF may still be the empty one.
        self.at_line_start = match &chunk[from..] {
            b"" | b"\r" => self.at_line_start,
            _ => false,
        };
        chunk.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(message: &[u8], lines: u32, in_header: bool, size: usize) -> String {
        let mut cutter = Cutter { in_header, at_line_start: true, lines };
        let mut out = Vec::new();
        for chunk in message.chunks(size) {
            if cutter.is_done() {
                break;
            }
            let kept = cutter.take(chunk);
            out.extend_from_slice(&chunk[..kept]);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_are_counted_behind_the_empty_line_however_it_is_cut() {
        let message = b"A: b\r\n c\r\n\r\none\r\n\r\nthree\r\n";
        for size in 1..message.len() {
            assert_eq!(taken(message, 0, true, size), "A: b\r\n c\r\n\r\n");
            assert_eq!(taken(message, 1, true, size), "A: b\r\n c\r\n\r\none\r\n");
            assert_eq!(taken(message, 2, true, size), "A: b\r\n c\r\n\r\none\r\n\r\n");
            assert_eq!(taken(message, 9, true, size).len(), message.len());
            assert_eq!(taken(b"one\r\ntwo", 1, false, size), "one\r\n");
            assert_eq!(taken(b"one\r\ntwo", 2, false, size), "one\r\ntwo");
        }
    }
}
