//! [`Mailboxes`] over gRPC.

use async_trait::async_trait;
use staffetta_chassis::grpc::Channel;
use staffetta_proto::mailstore::v1 as proto;
use staffetta_proto::mailstore::v1::mailbox_service_client::MailboxServiceClient;

use super::{MAX_ANSWER, MailstoreClient, Repeat, read};
use crate::grpc::convert::{
    from_listing, from_mailbox, from_opened, from_status, required, to_open_request, to_special_use,
};
use crate::{
    Access, Listing, Mailbox, MailboxName, MailboxStatus, Mailboxes, MailstoreError, OpenRequest, Opened,
    SpecialUse,
};

#[async_trait]
impl Mailboxes for MailstoreClient {
    async fn list(&self, access: &Access) -> Result<Listing, MailstoreError> {
        let request = proto::ListMailboxesRequest {};
        let listing = self.unary(Some(access), Repeat::Once, request, |channel, request| async move {
            service(channel).list_mailboxes(request).await
        });
        read(from_listing(listing.await?))
    }

    async fn create(
        &self,
        access: &Access,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<Mailbox, MailstoreError> {
        let special_use = to_special_use(special_use).into();
        let request = proto::CreateMailboxRequest { name: name.as_str().to_owned(), special_use };
        let made = self.unary(Some(access), Repeat::Never, request, |channel, request| async move {
            service(channel).create_mailbox(request).await
        });
        read(required(made.await?.mailbox).and_then(from_mailbox))
    }

    async fn rename(
        &self,
        access: &Access,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<(), MailstoreError> {
        let request =
            proto::RenameMailboxRequest { from: from.as_str().to_owned(), to: to.as_str().to_owned() };
        let renamed = self.unary(Some(access), Repeat::Never, request, |channel, request| async move {
            service(channel).rename_mailbox(request).await
        });
        renamed.await.map(drop)
    }

    async fn delete(&self, access: &Access, name: &MailboxName) -> Result<(), MailstoreError> {
        let request = proto::DeleteMailboxRequest { name: name.as_str().to_owned() };
        let deleted = self.unary(Some(access), Repeat::Never, request, |channel, request| async move {
            service(channel).delete_mailbox(request).await
        });
        deleted.await.map(drop)
    }

    async fn subscribe(
        &self,
        access: &Access,
        name: &MailboxName,
        subscribed: bool,
    ) -> Result<(), MailstoreError> {
        let request = proto::SubscribeMailboxRequest { name: name.as_str().to_owned(), subscribed };
        let done = self.unary(Some(access), Repeat::Never, request, |channel, request| async move {
            service(channel).subscribe_mailbox(request).await
        });
        done.await.map(drop)
    }

    async fn status(&self, access: &Access, name: &MailboxName) -> Result<MailboxStatus, MailstoreError> {
        let request = proto::GetMailboxStatusRequest { name: name.as_str().to_owned() };
        let status = self.unary(Some(access), Repeat::Once, request, |channel, request| async move {
            service(channel).get_mailbox_status(request).await
        });
        read(from_status(status.await?.status))
    }

    async fn open(&self, access: &Access, request: &OpenRequest) -> Result<Opened, MailstoreError> {
        let request = to_open_request(request);
        // A claim of \Recent that was lost with its answer would be lost for good.
        let repeat = if request.read_only { Repeat::Once } else { Repeat::Never };
        let opened = self.unary(Some(access), repeat, request, |channel, request| async move {
            service(channel).open_mailbox(request).await
        });
        read(from_opened(opened.await?))
    }
}

fn service(channel: Channel) -> MailboxServiceClient<Channel> {
    MailboxServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER)
}
