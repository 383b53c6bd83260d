//! An account as it is written.

use chrono::{DateTime, Utc};
use serde::Serialize;
use staffetta_directory_api::{Account, AccountState, SendingBudget};
use staffetta_mailstore_api::QuotaUsage;

use crate::output::time;
use crate::size::{Size, human};

#[derive(Serialize)]
pub(super) struct View {
    pub(super) id: i64,
    pub(super) address: String,
    state: AccountState,
    pub(super) shard: String,
    quota_bytes: Option<u64>,
    quota_messages: Option<u64>,
    used_bytes: Option<u64>,
    used_messages: Option<u64>,
    budget: Option<SendingBudget>,
    pub(super) created_at: DateTime<Utc>,
}

impl View {
    pub(super) fn new(account: &Account, usage: Option<&QuotaUsage>) -> Self {
        let limit = |limit: u64| Some(limit).filter(|limit| *limit != 0);
        Self {
            id: account.id.0,
            address: account.address.to_string(),
            state: account.state,
            shard: account.shard.to_string(),
            quota_bytes: limit(account.quota.bytes),
            quota_messages: limit(account.quota.messages),
            used_bytes: usage.map(|usage| usage.bytes),
            used_messages: usage.map(|usage| usage.messages),
            budget: account.budget,
            created_at: account.created_at,
        }
    }

    pub(super) fn state(&self) -> &'static str {
        match self.state {
            AccountState::Active => "active",
            AccountState::Disabled => "disabled",
            AccountState::Deleting => "deleting",
        }
    }

    pub(super) fn quota(&self) -> String {
        Size::from_limit(self.quota_bytes.unwrap_or_default()).to_string()
    }

    pub(super) fn used(&self) -> String {
        self.used_bytes.map_or_else(unknown, human)
    }

    pub(super) fn used_messages(&self) -> String {
        self.used_messages.map_or_else(unknown, |messages| messages.to_string())
    }

    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let unlimited = || "unlimited".to_owned();
        vec![
            ("account", self.address.clone()),
            ("id", self.id.to_string()),
            ("state", self.state().to_owned()),
            ("quota", self.quota()),
            ("quota messages", self.quota_messages.map_or_else(unlimited, |limit| limit.to_string())),
            ("used", self.used()),
            ("used messages", self.used_messages()),
            ("sending budget", self.budget()),
            ("shard", self.shard.clone()),
            ("created", time(self.created_at)),
        ]
    }

    fn budget(&self) -> String {
        let Some(budget) = self.budget else { return "the platform's".to_owned() };
        let limit = |limit: u32| if limit == 0 { "unlimited".to_owned() } else { limit.to_string() };
        format!(
            "messages {}/hour {}/day, recipients {}/hour {}/day",
            limit(budget.messages_per_hour),
            limit(budget.messages_per_day),
            limit(budget.recipients_per_hour),
            limit(budget.recipients_per_day),
        )
    }
}

fn unknown() -> String {
    "-".to_owned()
}
