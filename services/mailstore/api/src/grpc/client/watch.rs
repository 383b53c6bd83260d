//! [`Watch`] over gRPC.

use async_stream::try_stream;
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryFutureExt};
use staffetta_proto::mailstore::v1 as proto;
use staffetta_proto::mailstore::v1::watch_accounts_request::Command;
use staffetta_proto::mailstore::v1::watch_service_client::WatchServiceClient;

use super::{MailstoreClient, Outgoing, failure, read, request, within};
use crate::grpc::convert::from_event;
use crate::{MailstoreError, Watch, WatchCommand, WatchEvent};

#[async_trait]
impl Watch for MailstoreClient {
    /// The stream breaks with [`MailstoreError::Unavailable`] when its pod goes; watch again then, and look at everything.
    async fn watch(
        &self,
        commands: BoxStream<'static, WatchCommand>,
    ) -> Result<BoxStream<'static, Result<WatchEvent, MailstoreError>>, MailstoreError> {
        let requests = request(Outgoing(commands.map(to_request).boxed()), None, None);
        // The commands are spent by one attempt, so there is no second.
        let mut service = WatchServiceClient::new(self.channel.clone());
        let opened = service.watch_accounts(requests).map_err(failure);
        let mut answers = within(self.timeouts.call, opened).await?.into_inner();
        let events = try_stream! {
            while let Some(answer) = answers.message().await.map_err(|status| failure(status).error)? {
                yield read(from_event(answer))?;
            }
        };
        Ok(events.boxed())
    }
}

fn to_request(command: WatchCommand) -> proto::WatchAccountsRequest {
    let command = match command {
        // Without a token the server answers that the account is not watched.
        WatchCommand::Add(access) => Command::Add(proto::WatchAdd {
            token: access.token.map(|token| token.0.as_ref().to_owned()).unwrap_or_default(),
            account_id: access.account.0,
        }),
        WatchCommand::Remove(account) => Command::Remove(proto::WatchRemove { account_id: account.0 }),
    };
    proto::WatchAccountsRequest { command: Some(command) }
}
