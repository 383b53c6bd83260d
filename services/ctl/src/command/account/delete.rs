//! `staffetta account delete`: directory marks, mailstore purges, directory forgets.
//!
//! Each step may be repeated, so the same command goes on after an interruption at any point; directory's row goes last.

use serde::Serialize;
use staffetta_directory_api::Administration as _;
use staffetta_directory_api::grpc::DirectoryClient;
use staffetta_mailstore_api::Accounts as _;

use crate::arguments::AccountDelete;
use crate::error::CtlError;
use crate::output::{Output, count};
use crate::platform::{Platform, Service};

#[derive(Serialize)]
struct Deleted {
    deleted: String,
    id: i64,
    removed_messages: u64,
}

pub(super) async fn run(
    arguments: &AccountDelete,
    directory: &Service<DirectoryClient>,
    platform: &Platform,
    output: &mut Output<'_>,
) -> Result<(), CtlError> {
    let account = directory.blame(directory.port.account(&arguments.address).await)?;
    let mailstore = platform.shard(&account.shard)?;
    let address = account.address.to_string();
    // An alias leads here too: what is deleted is the account, by its own address.
    if address != staffetta_directory_api::lookup::fold(&arguments.address).to_string() {
        let reason =
            format!("{} leads to the account {address}; delete that by its address", arguments.address);
        return Err(CtlError::CannotCreate(reason));
    }
    if !arguments.yes {
        let question = format!("The account {address} and all its mail will be removed for ever.");
        output.console.confirm(&question, &address)?;
    }
    let account = directory.blame(directory.port.begin_delete_account(&account.address).await)?;
    let mut removed = 0;
    loop {
        let progress = mailstore.blame(mailstore.port.purge(account.id).await)?;
        removed += progress.removed;
        if progress.done {
            break;
        }
        output.console.progress(&format!("removed {}", count(removed, "message")));
    }
    directory.blame(directory.port.finish_delete_account(account.id).await)?;
    let sentence = format!("deleted account {address} and {}", count(removed, "message"));
    output.done(&Deleted { deleted: address, id: account.id.0, removed_messages: removed }, &sentence)
}
