//! STATUS (RFC 3501 6.3.10; HIGHESTMODSEQ of RFC 7162, DELETED and DELETED-STORAGE of RFC 9208).

use std::io;

use futures_util::TryStreamExt;
use staffetta_mailstore_api::{
    FetchItems, FetchRequest, MailboxStatus, MailstoreError, SearchKey, SearchRequest, SystemFlag, UidSet,
};

use super::create::existing;
use super::{Completion, Output};
use crate::login::Login;
use crate::session::Enabled;
use crate::wire::command::StatusItem;
use crate::wire::response::Writer;

/// Counters of a mailbox that need not be selected.
pub async fn run(
    login: &Login,
    enabled: &mut Enabled,
    out: &mut dyn Output,
    mailbox: &str,
    items: &[StatusItem],
) -> io::Result<Completion> {
    let name = match existing(mailbox) {
        Ok(name) => name,
        Err(completion) => return Ok(completion),
    };
    // RFC 7162 3.1: asking for HIGHESTMODSEQ is a CONDSTORE enabling command.
    enabled.condstore |= items.contains(&StatusItem::HighestModSeq);
    match counted(login, &name, items).await {
        Ok(values) => {
            Writer::new(out.buffer()).status_of(name.as_str(), &values);
            Ok(Completion::done())
        }
        Err(error) => Ok(Completion::from_error(&error)),
    }
}

async fn counted(
    login: &Login,
    name: &staffetta_mailstore_api::MailboxName,
    items: &[StatusItem],
) -> Result<Vec<(StatusItem, u64)>, MailstoreError> {
    let store = &login.shard.store;
    let status = store.status(&login.access, name).await?;
    let wants_deleted =
        items.iter().any(|item| matches!(item, StatusItem::Deleted | StatusItem::DeletedStorage));
    let (deleted, deleted_storage) = if wants_deleted { deleted(login, &status).await? } else { (0, 0) };
    let value = |item: &StatusItem| match item {
        StatusItem::Messages => u64::from(status.messages),
        StatusItem::Recent => u64::from(status.recent),
        StatusItem::UidNext => u64::from(status.uid_next.get()),
        StatusItem::UidValidity => u64::from(status.uid_validity.0),
        StatusItem::Unseen => u64::from(status.unseen),
        StatusItem::HighestModSeq => status.highest_modseq.0,
        StatusItem::Deleted => deleted,
        StatusItem::DeletedStorage => deleted_storage,
    };
    Ok(items.iter().map(|item| (*item, value(item))).collect())
}

/// Number and octets of the messages with `\Deleted`. Few clients ask, and few messages are in that state for long.
async fn deleted(login: &Login, status: &MailboxStatus) -> Result<(u64, u64), MailstoreError> {
    let store = &login.shard.store;
    let key = SearchKey::Flag(SystemFlag::Deleted);
    let search = SearchRequest { mailbox: status.mailbox, among: UidSet::all(), key };
    let uids = store.search(&login.access, &search).await?.uids;
    let fetch = FetchRequest {
        mailbox: status.mailbox,
        uids: uids.clone(),
        items: FetchItems::default(),
        changed_since: None,
    };
    let messages = store.fetch(&login.access, &fetch).await?;
    let octets = messages.try_fold(0, |sum, message| async move { Ok(sum + message.size) }).await?;
    Ok((uids.len(), octets))
}
