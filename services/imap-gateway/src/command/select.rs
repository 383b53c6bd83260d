//! SELECT and EXAMINE (RFC 3501 6.3.1, 6.3.2; CONDSTORE and QRESYNC parameters of RFC 7162).

use std::io;

use staffetta_mailstore_api::{
    Keyword, MailstoreError, ModSeq, OpenMode, OpenRequest, Opened, ResyncRequest, SyncDelta, SystemFlag,
    Uid, UidSet, UidValidity,
};

use super::completion::wire_ranges;
use super::create::existing;
use super::{Completion, Gateway, Output, updates};
use crate::login::Login;
use crate::session::{Enabled, State};
use crate::view::{View, uid_ranges};
use crate::wire::command::{QResync, Select};
use crate::wire::response::{Code, Condition, Writer};

/// Selects a mailbox. "If the command fails, no mailbox is selected" (RFC 3501 6.3.1).
pub async fn run(
    _gateway: &Gateway,
    state: &mut State<Login>,
    enabled: &mut Enabled,
    out: &mut dyn Output,
    select: Select,
) -> io::Result<Completion> {
    if select.qresync.is_some() && !enabled.qresync {
        return Ok(Completion::bad("QRESYNC was not enabled"));
    }
    if matches!(state, State::Selected(..)) && enabled.qresync {
        // "the server MUST ... return an untagged OK response with the CLOSED response code" (RFC 7162 3.2.11)
        Writer::new(out.buffer()).untagged(Condition::Ok, Some(&Code::Closed), "Previous mailbox is closed");
    }
    super::close::unselect(state);
    enabled.condstore |= select.condstore || select.qresync.is_some();
    let name = match existing(&select.mailbox) {
        Ok(name) => name,
        Err(completion) => return Ok(completion),
    };
    let State::Authenticated(login) = state else { return Ok(Completion::bad("Log in first")) };
    let mode = if select.read_only { OpenMode::ReadOnly } else { OpenMode::ReadWrite };
    let request = OpenRequest { name: name.clone(), mode, resync: select.qresync.as_ref().map(resync) };
    let announced = login.watch.latest();
    let opened = match login.shard.store.open(&login.access, &request).await {
        Ok(opened) => opened,
        Err(error) => return Ok(Completion::from_error(&error)),
    };
    login.seen = announced.max(opened.status.highest_modseq);
    let view = View::new(name, mode, &opened);
    tell(out, &view, &opened);
    if let Some(delta) = &opened.resync {
        tell_resync(out, &view, *enabled, delta, select.qresync.as_ref()).await?;
    }
    *state = std::mem::replace(state, State::NotAuthenticated).select(view);
    let code = if select.read_only { Code::ReadOnly } else { Code::ReadWrite };
    Ok(Completion::done_with(code).saying("Mailbox selected"))
}

fn resync(qresync: &QResync) -> ResyncRequest {
    let known = qresync.known_uids.as_ref().map(|set| uid_ranges(&set.ranges(u32::MAX)));
    ResyncRequest {
        uid_validity: UidValidity(qresync.uid_validity.get()),
        modseq: ModSeq(qresync.mod_seq),
        known_uids: known,
    }
}

fn tell(out: &mut dyn Output, view: &View, opened: &Opened) {
    let system = SystemFlag::ALL.map(SystemFlag::name);
    let names: Vec<&str> = system.into_iter().chain(opened.keywords.iter().map(Keyword::as_str)).collect();
    let mut writer = Writer::new(out.buffer());
    writer.flags(names.iter().copied());
    if view.is_read_only() {
        writer.untagged(Condition::Ok, Some(&Code::PermanentFlags(&[])), "No permanent flags permitted");
    } else {
        let permanent: Vec<&str> = names.iter().copied().chain(["\\*"]).collect();
        writer.untagged(Condition::Ok, Some(&Code::PermanentFlags(&permanent)), "Flags permitted");
    }
    writer.exists(view.exists());
    writer.recent(u32::try_from(opened.recent.len()).unwrap_or(u32::MAX));
    if let Some(number) = opened.first_unseen.and_then(|uid| view.number(uid)) {
        writer.untagged(Condition::Ok, Some(&Code::Unseen(number)), "First unseen");
    }
    writer.untagged(Condition::Ok, Some(&Code::UidValidity(opened.status.uid_validity.0)), "UIDs valid");
    writer.untagged(Condition::Ok, Some(&Code::UidNext(opened.status.uid_next.get())), "Predicted next UID");
    let highest = Code::HighestModSeq(opened.status.highest_modseq.0);
    writer.untagged(Condition::Ok, Some(&highest), "Highest");
}

/// What a QRESYNC client missed: VANISHED (EARLIER), then the flags of what changed (RFC 7162 3.2.5).
async fn tell_resync(
    out: &mut dyn Output,
    view: &View,
    enabled: Enabled,
    delta: &SyncDelta,
    asked: Option<&QResync>,
) -> io::Result<()> {
    let vanished = if delta.full {
        // The journal does not reach back: everything the client may know and the mailbox does not have.
        let known = asked.and_then(|qresync| resync(qresync).known_uids);
        known.unwrap_or_else(|| below(view)).difference(&delta.appeared)
    } else {
        delta.vanished.clone()
    };
    Writer::new(out.buffer()).vanished(true, &wire_ranges(&vanished));
    for run in &delta.changed {
        updates::flag_run(&mut Writer::new(out.buffer()), view, enabled, true, run);
        out.relieve().await?;
    }
    Ok(())
}

/// Every UID up to the largest in the mailbox.
fn below(view: &View) -> UidSet {
    view.uids().last().map(|last| UidSet::from_iter([Uid::MIN..=last])).unwrap_or_default()
}

/// A mailbox that is gone or was replaced while it is selected: the session ends by BYE.
pub fn is_gone(error: &MailstoreError) -> bool {
    matches!(error, MailstoreError::MailboxNotFound)
}
