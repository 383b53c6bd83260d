//! S3 and compatible stores, through the `object_store` crate.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{
    ClientOptions, GetOptions, GetRange, MultipartUpload, ObjectStore as _, ObjectStoreExt, PutMode,
    PutOptions, PutPayload, RetryConfig,
};

use staffetta_chassis::spool::Spooled;

use super::{ByteStream, ObjectInfo, ObjectStore};
use crate::config::S3Config;
use crate::error::{StoreError, StoreErrorKind};

/// Size of a multipart part; S3 wants at least 5 MiB, some stores want them equal.
const PART: usize = 8 << 20;

/// A bucket, below an optional prefix.
#[derive(Debug, Clone)]
pub struct S3Store {
    bucket: Arc<AmazonS3>,
    prefix: Arc<str>,
}

impl S3Store {
    /// Checks the settings; nothing is sent yet.
    pub fn new(config: &S3Config) -> Result<Self, StoreError> {
        let builder = match (&config.access_key_id, &config.secret_access_key) {
            (Some(id), Some(secret)) => {
                AmazonS3Builder::new().with_access_key_id(id).with_secret_access_key(secret.expose())
            }
            _ => AmazonS3Builder::from_env(),
        };
        // Retries are our decorator's business: one policy, visible in one place.
        let no_retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let mut builder = builder
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_virtual_hosted_style_request(!config.path_style)
            .with_client_options(ClientOptions::new().with_allow_http(config.allow_http))
            .with_retry(no_retry);
        if let Some(endpoint) = &config.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let bucket = builder
            .build()
            .map_err(|error| StoreError::caused(StoreErrorKind::Refused, &config.bucket, error))?;
        Ok(Self { bucket: Arc::new(bucket), prefix: config.prefix.trim_matches('/').into() })
    }

    fn path(&self, key: &str) -> Path {
        if self.prefix.is_empty() { Path::from(key) } else { Path::from(format!("{}/{key}", self.prefix)) }
    }

    async fn open(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> Result<Option<object_store::GetResult>, StoreError> {
        if range.is_empty() {
            self.head(key).await?;
            return Ok(None);
        }
        let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        match self.bucket.get_opts(&self.path(key), options).await {
            Ok(result) => Ok(Some(result)),
            Err(error) => match store_error(key, error) {
                // "416 range not satisfiable" has no kind of its own: ask for the length.
                failed if failed.kind() == StoreErrorKind::Unavailable => match self.head(key).await {
                    Ok(info) if info.size <= range.start => Ok(None),
                    _ => Err(failed),
                },
                failed => Err(failed),
            },
        }
    }
}

async fn upload(upload: &mut dyn MultipartUpload, key: &str, body: &Spooled) -> Result<(), StoreError> {
    let mut part = BytesMut::new();
    let mut pieces = body.stream();
    let lost = |error: std::io::Error| StoreError::caused(StoreErrorKind::Unavailable, key, error);
    while let Some(piece) = pieces.try_next().await.map_err(lost)? {
        part.extend_from_slice(&piece);
        while part.len() >= PART {
            let full = part.split_to(PART).freeze();
            upload.put_part(full.into()).await.map_err(|error| store_error(key, error))?;
        }
    }
    if !part.is_empty() {
        upload.put_part(part.freeze().into()).await.map_err(|error| store_error(key, error))?;
    }
    upload.complete().await.map_err(|error| store_error(key, error))?;
    Ok(())
}

fn store_error(key: &str, error: object_store::Error) -> StoreError {
    use object_store::Error;
    let kind = match &error {
        Error::NotFound { .. } => StoreErrorKind::NotFound,
        Error::AlreadyExists { .. } | Error::Precondition { .. } => StoreErrorKind::AlreadyExists,
        Error::PermissionDenied { .. }
        | Error::Unauthenticated { .. }
        | Error::InvalidPath { .. }
        | Error::NotSupported { .. }
        | Error::NotImplemented { .. }
        | Error::UnknownConfigurationKey { .. } => StoreErrorKind::Refused,
        _ => StoreErrorKind::Unavailable,
    };
    StoreError::caused(kind, key, error)
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn put(&self, key: &str, pieces: &[Bytes]) -> Result<(), StoreError> {
        let payload: PutPayload = pieces.iter().cloned().collect();
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.bucket.put_opts(&self.path(key), payload, options).await {
            Ok(_) => Ok(()),
            Err(error) => Err(store_error(key, error)),
        }
    }

    async fn put_stream(&self, key: &str, body: &Spooled) -> Result<(), StoreError> {
        if body.len() <= PART as u64 {
            let pieces: Vec<Bytes> = body
                .stream()
                .try_collect()
                .await
                .map_err(|error| StoreError::caused(StoreErrorKind::Unavailable, key, error))?;
            return self.put(key, &pieces).await;
        }
        let mut multipart =
            self.bucket.put_multipart(&self.path(key)).await.map_err(|error| store_error(key, error))?;
        let sent = upload(multipart.as_mut(), key, body).await;
        if sent.is_err() {
            // Parts of an upload that is never completed cost money until they are aborted.
            let _ = multipart.abort().await;
        }
        sent
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        match self.open(key, range).await? {
            None => Ok(Bytes::new()),
            Some(result) => result.bytes().await.map_err(|error| store_error(key, error)),
        }
    }

    async fn get_stream(&self, key: &str, range: Range<u64>) -> Result<ByteStream, StoreError> {
        let key = key.to_owned();
        match self.open(&key, range).await? {
            None => Ok(stream::empty().boxed()),
            Some(result) => Ok(result.into_stream().map_err(move |error| store_error(&key, error)).boxed()),
        }
    }

    async fn head(&self, key: &str) -> Result<ObjectInfo, StoreError> {
        let meta = self.bucket.head(&self.path(key)).await.map_err(|error| store_error(key, error))?;
        Ok(ObjectInfo { key: key.to_owned(), size: meta.size, modified: meta.last_modified })
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        match self.bucket.delete(&self.path(key)).await.map_err(|error| store_error(key, error)) {
            Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(()),
            deleted => deleted,
        }
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectInfo, StoreError>> {
        let ours = if self.prefix.is_empty() { 0 } else { self.prefix.len() + 1 };
        let name = prefix.to_owned();
        self.bucket
            .list(Some(&self.path(prefix)))
            .map_ok(move |meta| {
                let full = meta.location.to_string();
                let key = full.get(ours..).unwrap_or(&full).to_owned();
                ObjectInfo { key, size: meta.size, modified: meta.last_modified }
            })
            .map_err(move |error| store_error(&name, error))
            .boxed()
    }
}
