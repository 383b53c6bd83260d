//! `MaildropService`, for POP3 sessions.

use async_trait::async_trait;
use staffetta_directory_api::Scope;
use staffetta_proto::mailstore::v1 as proto;
use staffetta_proto::mailstore::v1::maildrop_service_server::MaildropService;
use tonic::{Request, Response, Status};

use super::{MailstoreServer, answer, malformed};
use crate::grpc::convert::{Malformed, from_runs, from_uuid, to_maildrop};
use crate::{IdempotencyKey, MaildropLease};

const POP3: &[Scope] = &[Scope::Pop3];

#[async_trait]
impl MaildropService for MailstoreServer {
    async fn open_maildrop(
        &self,
        request: Request<proto::OpenMaildropRequest>,
    ) -> Result<Response<proto::OpenMaildropResponse>, Status> {
        let access = self.access(&request, POP3)?;
        answer(self.store().open_maildrop(&access).await.map(|maildrop| to_maildrop(&maildrop)))
    }

    async fn renew_maildrop(
        &self,
        request: Request<proto::RenewMaildropRequest>,
    ) -> Result<Response<proto::RenewMaildropResponse>, Status> {
        let access = self.access(&request, POP3)?;
        let lease = lease(&request.get_ref().lease).map_err(malformed)?;
        let renewed = self.store().renew_maildrop(&access, &lease).await;
        answer(renewed.map(|()| proto::RenewMaildropResponse {}))
    }

    async fn commit_maildrop(
        &self,
        request: Request<proto::CommitMaildropRequest>,
    ) -> Result<Response<proto::CommitMaildropResponse>, Status> {
        let access = self.access(&request, POP3)?;
        let request = request.get_ref();
        let lease = lease(&request.lease).map_err(malformed)?;
        let key = IdempotencyKey(from_uuid(&request.key).map_err(malformed)?);
        let deleted = from_runs(&request.deleted).map_err(malformed)?;
        let committed = self.store().commit_maildrop(&access, &lease, key, &deleted).await;
        answer(committed.map(|()| proto::CommitMaildropResponse {}))
    }

    async fn release_maildrop(
        &self,
        request: Request<proto::ReleaseMaildropRequest>,
    ) -> Result<Response<proto::ReleaseMaildropResponse>, Status> {
        let access = self.access(&request, POP3)?;
        let lease = lease(&request.get_ref().lease).map_err(malformed)?;
        let released = self.store().release_maildrop(&access, &lease).await;
        answer(released.map(|()| proto::ReleaseMaildropResponse {}))
    }
}

fn lease(octets: &[u8]) -> Result<MaildropLease, Malformed> {
    from_uuid(octets).map(MaildropLease)
}
