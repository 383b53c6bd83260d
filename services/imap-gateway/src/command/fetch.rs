//! FETCH and UID FETCH (RFC 3501 6.4.5; CHANGEDSINCE and VANISHED of RFC 7162).
//!
//! Metadata comes as a stream from mailstore. Without sections each message is written as it comes; with sections they go in
//! windows: `\Seen` is set for a window, then its bodies are read in one call and streamed into their literals.

mod plan;
mod sections;

use std::io;

use futures_util::{StreamExt, TryStreamExt};
use staffetta_mailstore_api::{
    FetchRequest, FetchedMessage, Flags, FlagsOperation, MailstoreError, ModSeq, StoreRequest, SyncRequest,
    SystemFlag, UidSet,
};

use self::plan::Plan;
use super::completion::wire_ranges;
use super::{Completion, Gateway, Output, draw_key, updates};
use crate::login::Login;
use crate::session::Enabled;
use crate::view::View;
use crate::wire::command::Fetch;
use crate::wire::response::{Code, FetchWriter, Writer};

/// Messages whose bodies are asked for in one call: enough to read neighbours together, little enough to hold their metadata.
const WINDOW: usize = 64;

/// Answers what the client asks of each message.
pub async fn run(
    _gateway: &Gateway,
    login: &mut Login,
    view: &mut View,
    enabled: &mut Enabled,
    out: &mut dyn Output,
    fetch: &Fetch,
) -> io::Result<Completion> {
    let Ok(uids) = view.resolve(&fetch.set, fetch.uid) else { return Ok(Completion::bad("No such message")) };
    let plan = Plan::new(fetch, view.is_read_only());
    enabled.condstore |= plan.modseq;
    if fetch.vanished {
        if !enabled.qresync {
            return Ok(Completion::bad("QRESYNC was not enabled"));
        }
        if let Err(error) = tell_vanished(login, view, out, fetch).await {
            return Ok(Completion::from_error(&error));
        }
    }
    let request = FetchRequest {
        mailbox: view.mailbox(),
        uids: uids.difference(view.vanished()),
        items: plan.items(),
        changed_since: fetch.changed_since.map(ModSeq),
    };
    let mut told = UidSet::new();
    match answer(login, view, *enabled, out, &plan, &request, &mut told).await? {
        Ok(()) => {}
        Err(error) => return Ok(Completion::from_error(&error)),
    }
    // A message that vanished is told by number only; by UID it is just not there.
    if !fetch.uid && fetch.changed_since.is_none() && !uids.difference(&told).is_empty() {
        return Ok(Completion::refused(Code::ExpungeIssued, "Some of the messages no longer exist"));
    }
    Ok(Completion::done())
}

async fn answer(
    login: &mut Login,
    view: &mut View,
    enabled: Enabled,
    out: &mut dyn Output,
    plan: &Plan<'_>,
    request: &FetchRequest,
    told: &mut UidSet,
) -> io::Result<Result<(), MailstoreError>> {
    let mut messages = match login.shard.store.fetch(&login.access, request).await {
        Ok(messages) => messages,
        Err(error) => return Ok(Err(error)),
    };
    if plan.sections.is_empty() {
        while let Some(message) = messages.next().await {
            let message = match message {
                Ok(message) => message,
                Err(error) => return Ok(Err(error)),
            };
            let Some(number) = view.number(message.uid) else { continue };
            if let Some(mut fetch) = metadata(out, view, enabled, plan, number, &message, false) {
                // Every FETCH without sections asks for at least one item.
                plan.structure(&mut fetch, &message);
                fetch.finish();
            }
            told.insert(message.uid);
            out.relieve().await?;
        }
        return Ok(Ok(()));
    }
    let mut windows = messages.try_ready_chunks(WINDOW);
    loop {
        let mut window = match windows.try_next().await {
            Ok(Some(window)) => window,
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error.1)),
        };
        let seen = match see(login, view, plan, &mut window).await {
            Ok(seen) => seen,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = sections::answer(login, view, enabled, out, plan, &window, &seen, told).await? {
            return Ok(Err(error));
        }
    }
}

/// Starts a response with the metadata that was asked for, and with the flags if `\Seen` was just set.
fn metadata<'o>(
    out: &'o mut dyn Output,
    view: &View,
    enabled: Enabled,
    plan: &Plan<'_>,
    number: u32,
    message: &FetchedMessage,
    was_seen_now: bool,
) -> Option<FetchWriter<'o>> {
    if plan.is_metadata_empty() && !was_seen_now {
        return None;
    }
    let mut fetch = response(out, number, false);
    if plan.uid {
        fetch.uid(message.uid.get());
    }
    if plan.flags || was_seen_now {
        updates::flag_item(&mut fetch, view, message.uid, &message.flags);
    }
    if plan.modseq || (was_seen_now && enabled.condstore) {
        fetch.mod_seq(message.modseq.0);
    }
    if plan.internal_date {
        fetch.internal_date(message.received_at);
    }
    if plan.size {
        fetch.size(message.size);
    }
    Some(fetch)
}

/// A response to go on with, or a new one while it has no item.
fn response(out: &mut dyn Output, number: u32, has_item: bool) -> FetchWriter<'_> {
    if has_item { FetchWriter::resume(out.buffer()) } else { FetchWriter::start(out.buffer(), number) }
}

/// Sets `\Seen` where reading implies it (RFC 3501 6.4.5 `BODY[<section>]`); answers which messages had not been seen.
async fn see(
    login: &Login,
    view: &mut View,
    plan: &Plan<'_>,
    window: &mut [FetchedMessage],
) -> Result<UidSet, MailstoreError> {
    if !plan.sets_seen {
        return Ok(UidSet::new());
    }
    let unseen = window.iter().filter(|message| !message.flags.contains(SystemFlag::Seen));
    let uids: UidSet = unseen.map(|message| message.uid).collect();
    if uids.is_empty() {
        return Ok(uids);
    }
    let request = StoreRequest {
        key: draw_key(),
        mailbox: view.mailbox(),
        uids: uids.clone(),
        operation: FlagsOperation::Add,
        flags: Flags::from_iter([SystemFlag::Seen]),
        unchanged_since: None,
    };
    let outcome = login.shard.store.store(&login.access, &request).await?;
    for message in window {
        if let Some(run) = outcome.stored.iter().find(|run| run.uids.contains(message.uid)) {
            message.flags = run.flags.clone();
            message.modseq = run.modseq;
        }
    }
    view.note_told(&outcome.stored);
    Ok(uids)
}

/// `VANISHED (EARLIER)` for the UIDs asked for (RFC 7162 3.2.6).
async fn tell_vanished(
    login: &Login,
    view: &View,
    out: &mut dyn Output,
    fetch: &Fetch,
) -> Result<(), MailstoreError> {
    let since = ModSeq(fetch.changed_since.unwrap_or_default());
    let request = SyncRequest { since, claim_recent: false, ..view.sync_request() };
    let delta = login.shard.store.sync(&login.access, &request).await?;
    let largest = view.uids().last().map_or(0, staffetta_mailstore_api::Uid::get);
    let asked = crate::view::uid_ranges(&fetch.set.ranges(largest));
    let gone =
        if delta.full { asked.difference(&delta.appeared) } else { asked.intersection(&delta.vanished) };
    Writer::new(out.buffer()).vanished(true, &wire_ranges(&gone.difference(&view.uids())));
    Ok(())
}
