//! Sending budgets: charged before 354, given back if the message is not accepted.

use std::sync::Arc;

use staffetta_chassis::tasks::Tasks;
use staffetta_directory_api::{BudgetCharge, BudgetOutcome, Budgets};
use staffetta_smtp::reply::EnhancedCode;
use uuid::Uuid;

use super::Policy;
use crate::error::{Refusal, come_back};
use crate::session::{Account, Transaction};

/// A charge that is given back when dropped, however the transaction ends, unless it was [`Charge::keep`]ed.
#[must_use = "a dropped charge is given back"]
pub struct Charge {
    budgets: Arc<dyn Budgets>,
    tasks: Tasks,
    transaction: Option<Uuid>,
}

impl Charge {
    /// The message was accepted: the charge stands.
    pub fn keep(mut self) {
        self.transaction = None;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let Some(transaction) = self.transaction.take() else { return };
        let budgets = self.budgets.clone();
        self.tasks.spawn(async move {
            if let Err(error) = budgets.refund(transaction).await {
                tracing::warn!(%error, %transaction, "sending budget not given back");
            }
        });
    }
}

impl Policy {
    /// Charges what the transaction costs to the account and the sender address: `450` with the reason and when to
    /// come back if it does not fit.
    ///
    /// # Errors
    /// The refusal; nothing stays charged.
    pub async fn charge(&self, account: &Account, transaction: &Transaction) -> Result<Charge, Refusal> {
        let id = transaction.id().0;
        // Made before the call: a charge whose outcome is unknown is given back as well.
        let guard =
            Charge { budgets: self.ports.budgets.clone(), tasks: self.tasks.clone(), transaction: Some(id) };
        let charge = BudgetCharge {
            transaction: id,
            account: account.id,
            sender: transaction.sender().cloned(),
            recipients: u32::try_from(transaction.recipients().len()).unwrap_or(u32::MAX),
        };
        match self.ports.budgets.charge(&charge).await {
            Ok(BudgetOutcome::Charged) => Ok(guard),
            Ok(BudgetOutcome::Exceeded { reason, retry_after }) => {
                guard.keep();
                let text = format!("sending budget used up: {reason}; {}", come_back(retry_after));
                Err(Refusal::new("budget", 450, EnhancedCode(4, 7, 1), text))
            }
            Err(error) => Err(Refusal::directory(&error, "charge budget")),
        }
    }
}
