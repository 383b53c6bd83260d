//! Telling a client what changed in its selected mailbox (RFC 3501 7, RFC 7162).

use staffetta_mailstore_api::{FlagRun, MailstoreError, ModSeq, Uid, UidSet};

use super::completion::wire_ranges;
use super::{Output, flags};
use crate::login::Login;
use crate::session::Enabled;
use crate::view::{Updates, View};
use crate::wire::response::{FetchWriter, Writer};

/// Whether EXPUNGE responses may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expunges {
    /// Between commands that do not forbid it, and in IDLE.
    Tell,
    /// During FETCH, STORE and SEARCH (RFC 3501 7.4.1).
    Hold,
}

/// Looks for changes in the store and tells them. `ask` is false when nothing is known to have changed: then only what was held
/// back is told.
pub async fn sync(
    login: &mut Login,
    view: &mut View,
    enabled: Enabled,
    expunges: Expunges,
    out: &mut dyn Output,
    ask: bool,
) -> Result<(), MailstoreError> {
    let mut updates = Updates::default();
    if ask {
        let announced = login.watch.latest();
        let delta = login.shard.store.sync(&login.access, &view.sync_request()).await?;
        if delta.uid_validity != view.uid_validity() {
            return Err(MailstoreError::MailboxNotFound);
        }
        login.seen = announced.max(delta.highest_modseq);
        updates = view.apply(&delta);
    }
    if expunges == Expunges::Tell {
        updates.expunged = view.tell_expunged();
        // EXISTS comes after EXPUNGE and counts what is left.
        updates.exists = updates.exists.map(|_| view.exists());
    }
    tell(view, enabled, &updates, out);
    Ok(())
}

/// Whether the watch stream has announced a change that was not looked at.
pub fn is_due(login: &mut Login) -> bool {
    login.watch.latest() > login.seen
}

/// Notes that this session itself removed messages; when nothing else in the account can have changed meanwhile, nothing has to be
/// looked at.
pub fn note_removal(login: &mut Login, view: &mut View, modseq: ModSeq) {
    if view.is_next(modseq) && login.seen <= view.cursor() {
        view.advance(modseq);
        login.seen = modseq;
    }
}

fn tell(view: &View, enabled: Enabled, updates: &Updates, out: &mut dyn Output) {
    let mut writer = Writer::new(out.buffer());
    expunged(&mut writer, enabled, &updates.expunged);
    if let Some(count) = updates.exists {
        writer.exists(count);
        writer.recent(updates.recent);
    }
    for run in &updates.flags {
        flag_run(&mut writer, view, enabled, true, run);
    }
}

/// EXPUNGE for each message, or one VANISHED for a client that enabled QRESYNC (RFC 7162 3.2.10).
fn expunged(writer: &mut Writer<'_>, enabled: Enabled, expunged: &[(u32, Uid)]) {
    if enabled.qresync {
        let uids: UidSet = expunged.iter().map(|(_, uid)| *uid).collect();
        writer.vanished(false, &wire_ranges(&uids));
    } else {
        for (number, _) in expunged {
            writer.expunge(*number);
        }
    }
}

/// A FETCH response with the flags of each message of a run. `with_uid`: also when CONDSTORE is off.
pub fn flag_run(writer: &mut Writer<'_>, view: &View, enabled: Enabled, with_flags: bool, run: &FlagRun) {
    for uid in run.uids.iter() {
        let Some(number) = view.number(uid) else { continue };
        let mut fetch = writer.fetch(number);
        if enabled.condstore {
            fetch.uid(uid.get());
            fetch.mod_seq(run.modseq.0);
        }
        if with_flags {
            flag_item(&mut fetch, view, uid, &run.flags);
        }
        fetch.finish();
    }
}

/// The item FLAGS.
pub fn flag_item(fetch: &mut FetchWriter<'_>, view: &View, uid: Uid, set: &staffetta_mailstore_api::Flags) {
    fetch.flags(flags::names(set, view.is_recent(uid)));
}
