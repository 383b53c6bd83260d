//! `MailboxService`, for IMAP sessions.

use async_trait::async_trait;
use staffetta_directory_api::Scope;
use staffetta_proto::mailstore::v1 as proto;
use staffetta_proto::mailstore::v1::mailbox_service_server::MailboxService;
use tonic::{Request, Response, Status};

use super::{MailstoreServer, answer, malformed};
use crate::grpc::convert::{
    from_name, from_open_request, from_special_use, to_listing, to_mailbox, to_opened, to_status,
};

const IMAP: &[Scope] = &[Scope::Imap];

#[async_trait]
impl MailboxService for MailstoreServer {
    async fn list_mailboxes(
        &self,
        request: Request<proto::ListMailboxesRequest>,
    ) -> Result<Response<proto::ListMailboxesResponse>, Status> {
        let access = self.access(&request, IMAP)?;
        answer(self.store().list(&access).await.map(to_listing))
    }

    async fn create_mailbox(
        &self,
        request: Request<proto::CreateMailboxRequest>,
    ) -> Result<Response<proto::CreateMailboxResponse>, Status> {
        let access = self.access(&request, IMAP)?;
        let request = request.into_inner();
        let name = from_name(request.name).map_err(malformed)?;
        let special_use = from_special_use(request.special_use).map_err(malformed)?;
        let made = self.store().create(&access, &name, special_use).await;
        answer(made.map(|mailbox| proto::CreateMailboxResponse { mailbox: Some(to_mailbox(mailbox)) }))
    }

    async fn rename_mailbox(
        &self,
        request: Request<proto::RenameMailboxRequest>,
    ) -> Result<Response<proto::RenameMailboxResponse>, Status> {
        let access = self.access(&request, IMAP)?;
        let request = request.into_inner();
        let from = from_name(request.from).map_err(malformed)?;
        let to = from_name(request.to).map_err(malformed)?;
        let renamed = self.store().rename(&access, &from, &to).await;
        answer(renamed.map(|()| proto::RenameMailboxResponse {}))
    }

    async fn delete_mailbox(
        &self,
        request: Request<proto::DeleteMailboxRequest>,
    ) -> Result<Response<proto::DeleteMailboxResponse>, Status> {
        let access = self.access(&request, IMAP)?;
        let name = from_name(request.into_inner().name).map_err(malformed)?;
        let deleted = self.store().delete(&access, &name).await;
        answer(deleted.map(|()| proto::DeleteMailboxResponse {}))
    }

    async fn subscribe_mailbox(
        &self,
        request: Request<proto::SubscribeMailboxRequest>,
    ) -> Result<Response<proto::SubscribeMailboxResponse>, Status> {
        let access = self.access(&request, IMAP)?;
        let request = request.into_inner();
        let name = from_name(request.name).map_err(malformed)?;
        let subscribed = self.store().subscribe(&access, &name, request.subscribed).await;
        answer(subscribed.map(|()| proto::SubscribeMailboxResponse {}))
    }

    async fn get_mailbox_status(
        &self,
        request: Request<proto::GetMailboxStatusRequest>,
    ) -> Result<Response<proto::GetMailboxStatusResponse>, Status> {
        let access = self.access(&request, IMAP)?;
        let name = from_name(request.into_inner().name).map_err(malformed)?;
        let status = self.store().status(&access, &name).await;
        answer(status.map(|status| proto::GetMailboxStatusResponse { status: Some(to_status(&status)) }))
    }

    async fn open_mailbox(
        &self,
        request: Request<proto::OpenMailboxRequest>,
    ) -> Result<Response<proto::OpenMailboxResponse>, Status> {
        let access = self.access(&request, IMAP)?;
        let request = from_open_request(request.into_inner()).map_err(malformed)?;
        answer(self.store().open(&access, &request).await.map(to_opened))
    }
}
