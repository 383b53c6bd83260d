//! The messages port: each method lives in the file of its verb.

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use staffetta_mailstore_api::{
    Access, Copied, CopyRequest, ExpungeRequest, Expunged, FetchRequest, FetchedMessage, MailstoreError,
    Messages, StoreOutcome, StoreRequest, SyncDelta, SyncRequest,
};

use crate::store::PostgresMailstore;

#[async_trait]
impl Messages for PostgresMailstore {
    async fn sync(&self, access: &Access, request: &SyncRequest) -> Result<SyncDelta, MailstoreError> {
        self.sync_mailbox(access, request).await
    }

    async fn fetch(
        &self,
        access: &Access,
        request: &FetchRequest,
    ) -> Result<BoxStream<'static, Result<FetchedMessage, MailstoreError>>, MailstoreError> {
        self.fetch_messages(access, request).await
    }

    async fn store(&self, access: &Access, request: &StoreRequest) -> Result<StoreOutcome, MailstoreError> {
        self.store_flags(access, request).await
    }

    async fn copy(&self, access: &Access, request: &CopyRequest) -> Result<Copied, MailstoreError> {
        self.copy_messages(access, request, false).await
    }

    async fn relocate(&self, access: &Access, request: &CopyRequest) -> Result<Copied, MailstoreError> {
        self.copy_messages(access, request, true).await
    }

    async fn expunge(&self, access: &Access, request: &ExpungeRequest) -> Result<Expunged, MailstoreError> {
        self.expunge_messages(access, request).await
    }
}
