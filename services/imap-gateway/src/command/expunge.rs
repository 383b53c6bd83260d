//! EXPUNGE and UID EXPUNGE (RFC 3501 6.4.3, RFC 4315 2.1).

use std::io;

use staffetta_mailstore_api::ExpungeRequest;

use super::updates::{self, Expunges};
use super::{Completion, Output, draw_key};
use crate::login::Login;
use crate::session::Enabled;
use crate::view::View;
use crate::wire::response::Code;
use crate::wire::sequence::SequenceSet;

/// Removes what has `\Deleted` and tells it.
pub async fn run(
    login: &mut Login,
    view: &mut View,
    enabled: &mut Enabled,
    out: &mut dyn Output,
    uids: Option<SequenceSet>,
) -> io::Result<Completion> {
    let Ok(uids) = uids.map(|set| view.resolve(&set, true)).transpose() else {
        return Ok(Completion::bad("No such message"));
    };
    let request = ExpungeRequest { key: draw_key(), mailbox: view.mailbox(), uids };
    let expunged = match login.shard.store.expunge(&login.access, &request).await {
        Ok(expunged) => expunged,
        Err(error) => return Ok(Completion::from_error(&error)),
    };
    view.note_vanished(&expunged.uids);
    if !expunged.uids.is_empty() {
        updates::note_removal(login, view, expunged.highest_modseq);
    }
    if let Err(error) = updates::sync(login, view, *enabled, Expunges::Tell, out, false).await {
        return Ok(Completion::from_error(&error));
    }
    if enabled.condstore && !expunged.uids.is_empty() {
        return Ok(Completion::done_with(Code::HighestModSeq(expunged.highest_modseq.0)));
    }
    Ok(Completion::done())
}
