//! Who may send as whom.

use std::net::IpAddr;

use staffetta_directory_api::{AccountId, SenderResolution};
use staffetta_message::address::Address;
use staffetta_smtp::reply::EnhancedCode;

use super::Policy;
use super::rates::{Counted, Verdict};
use crate::error::{Refusal, come_back};
use crate::session::Account;

impl Policy {
    /// Whether a transaction may begin: `450` by rate, `553` if MAIL FROM does not belong to the account. The null
    /// sender is everybody's: bounces and notices of users' programs have it.
    ///
    /// # Errors
    /// The refusal.
    pub async fn sender(
        &self,
        client: IpAddr,
        account: Option<&Account>,
        sender: Option<&Address>,
    ) -> Result<(), Refusal> {
        let rate = self.config.rates.messages_per_minute;
        if let Verdict::Refused { retry_after } = self.count(Counted::Message, client, rate, 1).await {
            let text =
                format!("at most {rate} messages a minute from your address, {}", come_back(retry_after));
            return Err(Refusal::new("message_rate", 450, EnhancedCode(4, 7, 1), text));
        }
        let (Some(account), Some(sender)) = (account, sender) else { return Ok(()) };
        if self.may_send_as(account.id, sender).await? {
            return Ok(());
        }
        let text = format!("<{sender}> does not belong to {}", account.address);
        Err(Refusal::new("sender_not_owned", 553, EnhancedCode(5, 7, 1), text))
    }

    pub(super) async fn may_send_as(&self, account: AccountId, address: &Address) -> Result<bool, Refusal> {
        let key = (account, address.clone());
        if self.permitted.contains_key(&key) {
            return Ok(true);
        }
        match self.ports.resolution.resolve_sender(account, address).await {
            Ok(SenderResolution::Permitted) => {
                self.permitted.insert(key, ()).await;
                Ok(true)
            }
            Ok(SenderResolution::Denied) => Ok(false),
            Err(error) => Err(Refusal::directory(&error, "resolve sender")),
        }
    }
}
