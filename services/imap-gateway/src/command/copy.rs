//! COPY and MOVE (RFC 3501 6.4.7, RFC 6851; COPYUID of RFC 4315).

use std::io;

use staffetta_mailstore_api::{Copied, CopyRequest, MailboxName};

use super::updates::{self, Expunges};
use super::{Completion, Output, draw_key};
use crate::login::Login;
use crate::session::Enabled;
use crate::view::View;
use crate::wire::response::{Code, Writer};
use crate::wire::sequence::SequenceSet;

/// COPY: all or nothing.
pub async fn copy(
    login: &Login,
    view: &View,
    set: &SequenceSet,
    mailbox: &str,
    by_uid: bool,
) -> io::Result<Completion> {
    let request = match request(view, set, mailbox, by_uid) {
        Ok(request) => request,
        Err(completion) => return Ok(completion),
    };
    Ok(match login.shard.store.copy(&login.access, &request).await {
        Ok(copied) => completion(&copied),
        Err(error) => Completion::for_target(&error),
    })
}

/// MOVE: one transaction; COPYUID comes before the EXPUNGE responses (RFC 6851 4.3).
pub async fn relocate(
    login: &mut Login,
    view: &mut View,
    enabled: &Enabled,
    out: &mut dyn Output,
    set: &SequenceSet,
    mailbox: &str,
    by_uid: bool,
) -> io::Result<Completion> {
    let request = match request(view, set, mailbox, by_uid) {
        Ok(request) => request,
        Err(completion) => return Ok(completion),
    };
    let moved = match login.shard.store.relocate(&login.access, &request).await {
        Ok(moved) => moved,
        Err(error) => return Ok(Completion::for_target(&error)),
    };
    if !moved.source.is_empty() {
        completion(&moved).write_untagged(&mut Writer::new(out.buffer()));
        view.note_vanished(&moved.source);
        updates::note_removal(login, view, moved.source_modseq);
    }
    if let Err(error) = updates::sync(login, view, *enabled, Expunges::Tell, out, false).await {
        return Ok(Completion::from_error(&error));
    }
    if enabled.condstore && !moved.source.is_empty() {
        return Ok(Completion::done_with(Code::HighestModSeq(moved.source_modseq.0)));
    }
    Ok(Completion::done())
}

fn request(view: &View, set: &SequenceSet, mailbox: &str, by_uid: bool) -> Result<CopyRequest, Completion> {
    let uids = view.resolve(set, by_uid).map_err(|_| Completion::bad("No such message"))?;
    let target = MailboxName::try_from(mailbox).map_err(|_| Completion::no_such_mailbox())?;
    if !by_uid && !uids.intersection(view.vanished()).is_empty() {
        return Err(Completion::refused(Code::ExpungeIssued, "Some of the messages no longer exist"));
    }
    Ok(CopyRequest { key: draw_key(), mailbox: view.mailbox(), uids, target })
}

fn completion(copied: &Copied) -> Completion {
    if copied.source.is_empty() {
        return Completion::done();
    }
    Completion::copied(copied.uid_validity.0, &copied.source, &copied.target)
}
