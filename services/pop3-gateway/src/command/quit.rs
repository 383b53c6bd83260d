//! `QUIT` in TRANSACTION (RFC 1939 6): the UPDATE state.
//!
//! All marked messages are removed in one call that carries the lease: either all of them are gone and the client hears
//! +OK, or it hears -ERR and at most keeps mail it meant to remove.

use std::time::Duration;

use staffetta_mailstore_api::{IdempotencyKey, MailstoreError};
use uuid::Uuid;

use super::Turn;
use crate::account::Account;
use crate::session::Transaction;
use crate::wire::{Code, Reply};

/// Attempts to commit; all with one key, so that a lost answer removes nothing twice.
const ATTEMPTS: u32 = 3;
/// Between attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// Removes what is marked and gives the maildrop back.
pub(super) async fn quit(state: &Transaction, account: Account, turn: &mut Turn<'_>) -> Reply {
    let deleted = state.maildrop.deleted();
    if deleted.is_empty() {
        account.close().await;
        return Reply::ok("bye");
    }
    let key = IdempotencyKey(Uuid::new_v4());
    let mut attempt = 1;
    let result = loop {
        let result = account.commit(key, &deleted).await;
        match result {
            Err(MailstoreError::Unavailable { .. }) if attempt < ATTEMPTS => {
                attempt += 1;
                turn.services.clock.sleep(PAUSE).await;
            }
            result => break result,
        }
    };
    match result {
        Ok(()) => {
            turn.tally.deleted = deleted.len();
            account.end_login();
            Reply::ok("messages removed, bye")
        }
        Err(MailstoreError::LeaseLost) => {
            account.end_login();
            Reply::coded(Code::SysTemp, "the lock of the maildrop was lost, no messages removed")
        }
        Err(error) => {
            tracing::warn!(%error, account = %account.id(), "maildrop not updated");
            account.close().await;
            Reply::coded(Code::SysTemp, "some deleted messages not removed")
        }
    }
}
