//! The client adapter: [`MailstoreClient`] is a [`Mailstore`](crate::Mailstore) on a gRPC channel.
//!
//! - Unary calls and uploads have a deadline over all their attempts; streams of answers have a limit on each silence instead.
//! - A call is made a second time when the first failed on its way with `UNAVAILABLE` and it is a read or carries a key. A
//!   stream is never resumed: its reader asks again.

mod accounts;
mod bodies;
mod delivery;
mod mailboxes;
mod maildrops;
mod messages;
mod watch;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, TryFutureExt};
use staffetta_chassis::backoff::Backoff;
use staffetta_chassis::grpc::{CallTimeout, Channel, GrpcClientConfig, from_status};
use staffetta_chassis::process;
use staffetta_directory_api::ShardName;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Response, Status, Streaming};

use super::Failure;
use super::convert::Malformed;
use crate::{Access, Mailstore, MailstoreError, ShardMap};

/// Largest answer in octets: the flags of a million messages.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Before the second attempt: a restarting pod leaves the name within this time.
const PAUSE: Backoff =
    Backoff { initial: Duration::from_millis(50), max: Duration::from_millis(200), factor: 2.0, jitter: 0.5 };

/// How long calls may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTimeouts {
    /// A call without a body; default 30 s.
    pub call: Duration,
    /// Append and deliver, the body's way included; default 60 s.
    pub upload: Duration,
    /// Silence in a stream of messages or body chunks; default 30 s.
    pub idle: Duration,
}

impl Default for ClientTimeouts {
    fn default() -> Self {
        Self { call: Duration::from_secs(30), upload: Duration::from_secs(60), idle: Duration::from_secs(30) }
    }
}

/// A mailstore elsewhere; clones share the channel.
#[derive(Clone, Debug)]
pub struct MailstoreClient {
    channel: Channel,
    timeouts: ClientTimeouts,
}

/// Whether a call may be made twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeat {
    /// A read, or a write with a key.
    Once,
    /// Anything else.
    Never,
}

impl MailstoreClient {
    /// A client on `channel` with default timeouts.
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self::with_timeouts(channel, ClientTimeouts::default())
    }

    /// A client on `channel`.
    #[must_use]
    pub const fn with_timeouts(channel: Channel, timeouts: ClientTimeouts) -> Self {
        Self { channel, timeouts }
    }

    /// The channel that it calls on.
    #[must_use]
    pub const fn channel(&self) -> &Channel {
        &self.channel
    }

    /// A unary call.
    async fn unary<Q, A, F>(
        &self,
        access: Option<&Access>,
        repeat: Repeat,
        message: Q,
        call: impl Fn(Channel, Request<Q>) -> F + Send,
    ) -> Result<A, MailstoreError>
    where
        Q: Clone + Send,
        F: Future<Output = Result<Response<A>, Status>> + Send,
    {
        let limit = self.timeouts.call;
        let bearer = access.map(bearer).transpose()?;
        let attempts = async {
            let attempt =
                || call(self.channel.clone(), request(message.clone(), Some(limit), bearer.clone()));
            twice(repeat, attempt).await.map(Response::into_inner)
        };
        within(limit, attempts).await
    }

    /// A call that is answered by a stream of messages; `open` turns one into items.
    async fn streaming<Q, A, T, F>(
        &self,
        access: &Access,
        message: Q,
        call: impl Fn(Channel, Request<Q>) -> F + Send,
        open: impl Fn(A) -> Result<Vec<T>, Malformed> + Send + 'static,
    ) -> Result<BoxStream<'static, Result<T, MailstoreError>>, MailstoreError>
    where
        Q: Clone + Send,
        A: Send + 'static,
        T: Send + 'static,
        F: Future<Output = Result<Response<Streaming<A>>, Status>> + Send,
    {
        let idle = self.timeouts.idle;
        let bearer = bearer(access)?;
        let attempts = async {
            let attempt = || call(self.channel.clone(), request(message.clone(), None, Some(bearer.clone())));
            twice(Repeat::Once, attempt).await.map(Response::into_inner)
        };
        let mut answers = within(idle, attempts).await?;
        let items = async_stream::try_stream! {
            while let Some(answer) = within(idle, answers.message().map_err(failure)).await? {
                for item in open(answer).map_err(Malformed::in_answer)? {
                    yield item;
                }
            }
        };
        Ok(items.boxed())
    }
}

/// A client for each shard of the settings (shard name to target), for [`crate::Shards`]. `workload` is the caller's name. Must
/// be called inside a runtime.
///
/// # Errors
/// Settings that cannot be used, or none at all.
pub fn connect_shards(
    shards: &BTreeMap<ShardName, GrpcClientConfig>,
    workload: &str,
    context: &process::Context,
) -> anyhow::Result<ShardMap> {
    anyhow::ensure!(!shards.is_empty(), "no mailstore shard is configured");
    let connect = |(name, config): (&ShardName, &GrpcClientConfig)| {
        let timeouts = ClientTimeouts { call: config.timeout, ..ClientTimeouts::default() };
        let channel = Channel::connect(config, workload, context)?;
        let client: Arc<dyn Mailstore> = Arc::new(MailstoreClient::with_timeouts(channel, timeouts));
        anyhow::Ok((name.clone(), client))
    };
    shards.iter().map(connect).collect()
}

/// A stream of messages to the server. A type of its own: the compiler cannot see that a future which holds the boxed stream
/// itself is `Send`.
struct Outgoing<M>(BoxStream<'static, M>);

impl<M> Stream for Outgoing<M> {
    type Item = M;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<M>> {
        self.0.as_mut().poll_next(cx)
    }
}

/// Calls once, and a second time when the first attempt failed on its way and may be repeated.
async fn twice<A, F>(repeat: Repeat, attempt: impl Fn() -> F) -> Result<A, Failure>
where
    F: Future<Output = Result<A, Status>>,
{
    match attempt().await.map_err(failure) {
        Err(failure) if repeat == Repeat::Once && failure.transport == Some(Code::Unavailable) => {
            tracing::debug!(error = %failure, "repeating a call that failed on its way");
            tokio::time::sleep(PAUSE.delay(0)).await;
            attempt().await.map_err(self::failure)
        }
        result => result,
    }
}

/// The result of all attempts, or `Unavailable` at the limit: what the call did is unknown.
async fn within<A>(
    limit: Duration,
    attempts: impl Future<Output = Result<A, Failure>>,
) -> Result<A, MailstoreError> {
    match tokio::time::timeout(limit, attempts).await {
        Ok(result) => result.map_err(|failure| failure.error),
        Err(_) => Err(MailstoreError::Unavailable { message: format!("no answer within {limit:?}") }),
    }
}

fn failure(status: Status) -> Failure {
    from_status(status)
}

type Bearer = MetadataValue<tonic::metadata::Ascii>;

fn bearer(access: &Access) -> Result<Bearer, MailstoreError> {
    let denied = |message: &str| MailstoreError::AccessDenied { message: message.to_owned() };
    let token = access.token.as_ref().ok_or_else(|| denied("there is no session token to send"))?;
    let mut bearer: Bearer =
        format!("Bearer {}", token.0).parse().map_err(|_| denied("the session token cannot be sent"))?;
    bearer.set_sensitive(true);
    Ok(bearer)
}

fn request<Q>(message: Q, limit: Option<Duration>, bearer: Option<Bearer>) -> Request<Q> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(CallTimeout(limit));
    if let Some(bearer) = bearer {
        request.metadata_mut().insert("authorization", bearer);
    }
    request
}

/// A malformed answer as the port's error.
fn read<T>(answer: Result<T, Malformed>) -> Result<T, MailstoreError> {
    answer.map_err(Malformed::in_answer)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use staffetta_chassis::grpc::into_status;

    use super::*;

    /// Attempts made when the first one ends with `first` and later ones succeed, and the result.
    async fn attempts(repeat: Repeat, first: Status) -> (u32, Result<u32, MailstoreError>) {
        let made = AtomicU32::new(0);
        let result = twice(repeat, || {
            let attempt = made.fetch_add(1, Ordering::Relaxed);
            let status = first.clone();
            async move { if attempt == 0 { Err(status) } else { Ok(attempt) } }
        })
        .await;
        (made.into_inner(), result.map_err(|failure| failure.error))
    }

    #[tokio::test]
    async fn only_a_call_that_failed_on_its_way_and_may_be_repeated_is_repeated() {
        let lost = || Status::unavailable("connection lost");
        assert_eq!(attempts(Repeat::Once, lost()).await, (2, Ok(1)));
        assert!(matches!(
            attempts(Repeat::Never, lost()).await,
            (1, Err(MailstoreError::Unavailable { .. }))
        ));
        let answered = MailstoreError::Unavailable { message: "database".to_owned() };
        let (made, result) = attempts(Repeat::Once, into_status(answered.clone())).await;
        assert_eq!((made, result), (1, Err(answered)), "the service itself said so");
        for status in [Status::deadline_exceeded("x"), Status::internal("x"), Status::permission_denied("x")]
        {
            assert_eq!(attempts(Repeat::Once, status).await.0, 1);
        }
    }

    #[tokio::test]
    async fn a_call_is_repeated_once_only() {
        let made = AtomicU32::new(0);
        let lost = twice(Repeat::Once, || {
            made.fetch_add(1, Ordering::Relaxed);
            async { Err::<(), _>(Status::unavailable("connection lost")) }
        })
        .await;
        assert!(lost.is_err());
        assert_eq!(made.into_inner(), 2);
    }

    #[tokio::test]
    async fn the_limit_covers_all_attempts() {
        let never = std::future::pending::<Result<(), Failure>>();
        let late = within(Duration::from_millis(1), never).await;
        assert!(matches!(late, Err(MailstoreError::Unavailable { .. })));
    }
}
