//! `RETR msg` (RFC 1939 5): the whole message, streamed.

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use staffetta_mailstore_api::{BodyRange, MailboxId, MailstoreError};

use super::{Response, Turn};
use crate::account::{Account, Reader};
use crate::error::storage_refusal;
use crate::maildrop::Maildrop;
use crate::wire::Reply;

/// Opens the message and waits for its first octets, so that an outage is still answered -ERR.
pub(super) async fn retr(
    maildrop: &Maildrop,
    account: &Account,
    number: u32,
    turn: &mut Turn<'_>,
) -> Response {
    let message = match maildrop.message(number) {
        Ok(message) => message,
        Err(error) => return Response::Reply(Reply::err(error.to_string())),
    };
    match open(&account.reader(), maildrop.mailbox(), BodyRange::whole(message.uid)).await {
        Ok(body) => {
            turn.tally.retrieved += 1;
            Response::Message(Reply::ok(format!("{} octets", message.size)), body)
        }
        Err(error) => Response::Reply(storage_refusal(&error, "RETR")),
    }
}

/// A range as a stream of octets whose first piece is there already.
pub(super) async fn open(
    reader: &Reader,
    mailbox: MailboxId,
    range: BodyRange,
) -> Result<BoxStream<'static, Result<Bytes, MailstoreError>>, MailstoreError> {
    let mut chunks = reader.store.read(&reader.access(), mailbox, &[range]).await?;
    let first = chunks.next().await.unwrap_or_else(|| Err(cut_short()))?;
    if first.missing {
        return Err(MailstoreError::MessageVanished);
    }
    let whole = first.last;
    let rest = stream::unfold((chunks, whole), |(mut chunks, whole)| async move {
        if whole {
            return None;
        }
        match chunks.next().await {
            // It vanished after its start was sent: the client must not take that for the whole message.
            Some(Ok(chunk)) if chunk.missing => Some((Err(MailstoreError::MessageVanished), (chunks, true))),
            Some(Ok(chunk)) => Some((Ok(chunk.data), (chunks, chunk.last))),
            Some(Err(error)) => Some((Err(error), (chunks, true))),
            None => Some((Err(cut_short()), (chunks, true))),
        }
    });
    Ok(stream::iter([Ok(first.data)]).chain(rest).boxed())
}

fn cut_short() -> MailstoreError {
    MailstoreError::Unavailable { message: "the body stream ended early".to_owned() }
}
