//! STORE and UID STORE (RFC 3501 6.4.6; UNCHANGEDSINCE of RFC 7162 3.1.3).

use std::io;

use staffetta_mailstore_api::{FlagsOperation, ModSeq, StoreOutcome, StoreRequest, UidSet};

use super::completion::wire_ranges;
use super::{Completion, Output, draw_key, flags, updates};
use crate::login::Login;
use crate::session::Enabled;
use crate::view::View;
use crate::wire::command::{Store, StoreAction};
use crate::wire::response::{Code, Writer};

/// Changes flags and tells them, unless `.SILENT`.
pub async fn run(
    login: &mut Login,
    view: &mut View,
    enabled: &mut Enabled,
    out: &mut dyn Output,
    store: &Store,
) -> io::Result<Completion> {
    let Ok(uids) = view.resolve(&store.set, store.uid) else { return Ok(Completion::bad("No such message")) };
    let flags = match flags::from_wire(&store.flags) {
        Ok(flags) => flags,
        Err(text) => return Ok(Completion::refused(Code::Cannot, text)),
    };
    enabled.condstore |= store.unchanged_since.is_some();
    let operation = match store.action {
        StoreAction::Replace => FlagsOperation::Replace,
        StoreAction::Add => FlagsOperation::Add,
        StoreAction::Remove => FlagsOperation::Remove,
    };
    let request = StoreRequest {
        key: draw_key(),
        mailbox: view.mailbox(),
        uids: uids.difference(view.vanished()),
        operation,
        flags,
        unchanged_since: store.unchanged_since.map(ModSeq),
    };
    let outcome = match login.shard.store.store(&login.access, &request).await {
        Ok(outcome) => outcome,
        Err(error) => return Ok(Completion::from_error(&error)),
    };
    tell(view, *enabled, out, store, &outcome).await?;
    view.note_told(&outcome.stored);
    Ok(completion(view, store, &uids, &outcome))
}

async fn tell(
    view: &View,
    enabled: Enabled,
    out: &mut dyn Output,
    store: &Store,
    outcome: &StoreOutcome,
) -> io::Result<()> {
    // With CONDSTORE the new MODSEQ is told even by .SILENT (RFC 7162 3.1.3).
    if store.silent && !enabled.condstore {
        return Ok(());
    }
    for run in &outcome.stored {
        for uid in run.uids.iter() {
            let Some(number) = view.number(uid) else { continue };
            let mut writer = Writer::new(out.buffer());
            let mut fetch = writer.fetch(number);
            if store.uid || enabled.condstore {
                fetch.uid(uid.get());
            }
            if enabled.condstore {
                fetch.mod_seq(run.modseq.0);
            }
            if !store.silent {
                updates::flag_item(&mut fetch, view, uid, &run.flags);
            }
            fetch.finish();
            out.relieve().await?;
        }
    }
    Ok(())
}

fn completion(view: &View, store: &Store, asked: &UidSet, outcome: &StoreOutcome) -> Completion {
    if !outcome.modified.is_empty() {
        let messages = if store.uid {
            wire_ranges(&outcome.modified)
        } else {
            let numbers = outcome.modified.iter().filter_map(|uid| view.number(uid));
            // Numbers are handled as a set of their own, so that neighbours become ranges.
            wire_ranges(&numbers.filter_map(staffetta_mailstore_api::Uid::new).collect())
        };
        return Completion::conditional(messages);
    }
    let stored: UidSet = outcome.stored.iter().fold(UidSet::new(), |all, run| all.union(&run.uids));
    if store.uid || asked.difference(&stored).is_empty() {
        return Completion::done();
    }
    Completion::refused(Code::ExpungeIssued, "Some of the messages no longer exist")
}
