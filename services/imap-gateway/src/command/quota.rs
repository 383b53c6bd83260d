//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208): one quota root, the account's, with the empty name.

use bytes::Bytes;

use super::create::existing;
use super::{Completion, Output};
use crate::login::Login;
use crate::wire::response::{Code, Quota, Writer};

const ROOT: &str = "";

/// GETQUOTA
pub async fn get(login: &Login, out: &mut dyn Output, root: &Bytes) -> Completion {
    if root.as_ref() != ROOT.as_bytes() {
        return Completion::refused(Code::NonExistent, "No such quota root");
    }
    tell(login, out).await
}

/// GETQUOTAROOT
pub async fn get_root(login: &Login, out: &mut dyn Output, mailbox: &str) -> Completion {
    let name = match existing(mailbox) {
        Ok(name) => name,
        Err(completion) => return completion,
    };
    if let Err(error) = login.shard.store.status(&login.access, &name).await {
        return Completion::from_error(&error);
    }
    Writer::new(out.buffer()).quota_root(name.as_str(), &[ROOT.as_bytes()]);
    tell(login, out).await
}

/// SETQUOTA: quotas belong to the administrator.
pub fn set() -> Completion {
    Completion::refused(Code::NoPerm, "Quotas are set by the administrator")
}

async fn tell(login: &Login, out: &mut dyn Output) -> Completion {
    let usage = match login.shard.store.quota_usage(&login.access).await {
        Ok(usage) => usage,
        Err(error) => return Completion::from_error(&error),
    };
    let mut resources = Vec::with_capacity(2);
    if usage.limit.bytes > 0 {
        // "The STORAGE resource type ... in units of 1024 octets."
        resources.push(Quota {
            resource: "STORAGE",
            used: usage.bytes.div_ceil(1024),
            limit: usage.limit.bytes / 1024,
        });
    }
    if usage.limit.messages > 0 {
        resources.push(Quota { resource: "MESSAGE", used: usage.messages, limit: usage.limit.messages });
    }
    Writer::new(out.buffer()).quota(ROOT.as_bytes(), &resources);
    Completion::done()
}
