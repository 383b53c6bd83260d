//! Sending budgets: how many messages and recipients may leave per hour and day.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use staffetta_message::address::Address;
use uuid::Uuid;

use crate::{AccountId, DirectoryError};

/// Charges sending budgets; exact across pods and restarts.
#[async_trait]
pub trait Budgets: Send + Sync + 'static {
    /// Charges one transaction to the account and to the sender address, all four windows (messages and recipients, hour
    /// and day) or none. Repeating the call with the same transaction id charges nothing more and answers the same.
    async fn charge(&self, charge: &BudgetCharge) -> Result<BudgetOutcome, DirectoryError>;

    /// Gives a charge back because the message was not accepted. Unknown ids are fine.
    async fn refund(&self, transaction: Uuid) -> Result<(), DirectoryError>;
}

/// What one transaction costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetCharge {
    /// The transaction's id, the idempotency key.
    pub transaction: Uuid,
    /// Who submits.
    pub account: AccountId,
    /// MAIL FROM; `None` for the null sender, which only the account's budget pays.
    pub sender: Option<Address>,
    /// Number of accepted RCPT commands.
    pub recipients: u32,
}

/// The answer of [`Budgets::charge`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BudgetOutcome {
    /// Charged.
    Charged,
    /// Nothing was charged: `450 4.7.1` with the reason and when to come back.
    Exceeded {
        /// Which budget, in words that are safe to show: `100 messages per hour for alice@north.test`.
        reason: String,
        /// When this charge fits again at the earliest.
        retry_after: Duration,
    },
}

/// Limits per hour and day. `0` means unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendingBudget {
    /// Messages in one hour.
    pub messages_per_hour: u32,
    /// Messages in one day.
    pub messages_per_day: u32,
    /// Recipients in one hour.
    pub recipients_per_hour: u32,
    /// Recipients in one day.
    pub recipients_per_day: u32,
}
