//! The connections that stand, and choosing one for a call: of two at random, the one with less to do.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Request, Response};
use hyper::client::conn::http2::SendRequest;
use rand::Rng as _;
use tokio::sync::Notify;
use tonic::body::Body;
use tonic::{Code, Status};

use super::lend::lend;

/// All connections that stand; clones share them.
#[derive(Clone, Default)]
pub(super) struct Set {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    standing: Mutex<Vec<Arc<Member>>>,
    /// A connection was added.
    added: Notify,
    /// Addresses should be looked up again.
    broken: Notify,
}

struct Member {
    address: SocketAddr,
    sender: SendRequest<Body>,
    calls: AtomicUsize,
}

impl Set {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn len(&self) -> usize {
        self.standing().len()
    }

    /// Offers a connection until the returned guard is dropped.
    pub(super) fn offer(&self, address: SocketAddr, sender: SendRequest<Body>) -> Offered {
        let member = Arc::new(Member { address, sender, calls: AtomicUsize::new(0) });
        self.standing().push(Arc::clone(&member));
        self.inner.added.notify_waiters();
        Offered { set: self.clone(), member }
    }

    /// A connection for one call, as soon as there is one.
    pub(super) async fn pick(&self) -> Connected {
        loop {
            let added = self.inner.added.notified();
            tokio::pin!(added);
            // Enabled before the look, so that one added in between is not missed.
            added.as_mut().enable();
            if let Some(connected) = self.choose() {
                return connected;
            }
            self.inner.broken.notify_one();
            added.await;
        }
    }

    /// Takes a connection that did not work out of the choice.
    pub(super) fn remove(&self, connected: &Connected) {
        self.forget(&connected.member);
    }

    /// Ends when a connection broke or a call found none.
    pub(super) async fn broken(&self) {
        self.inner.broken.notified().await;
    }

    fn choose(&self) -> Option<Connected> {
        let mut standing = self.standing();
        standing.retain(|member| !member.sender.is_closed());
        let first = standing.get(random(standing.len())?)?;
        let second = standing.get(random(standing.len())?)?;
        let calls = |member: &Member| member.calls.load(Ordering::Relaxed);
        let member = if calls(second) < calls(first) { second } else { first };
        member.calls.fetch_add(1, Ordering::Relaxed);
        Some(Connected { member: Arc::clone(member) })
    }

    fn forget(&self, gone: &Arc<Member>) {
        self.standing().retain(|member| !Arc::ptr_eq(member, gone));
        self.inner.broken.notify_one();
    }

    fn standing(&self) -> MutexGuard<'_, Vec<Arc<Member>>> {
        self.inner.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn random(below: usize) -> Option<usize> {
    match below {
        0 => None,
        1 => Some(0),
        many => Some(rand::rng().random_range(0..many)),
    }
}

/// Keeps a connection in the choice.
pub(super) struct Offered {
    set: Set,
    member: Arc<Member>,
}

impl Drop for Offered {
    fn drop(&mut self) {
        self.set.forget(&self.member);
    }
}

/// A connection with one call on it; held until the answer is complete.
pub(super) struct Connected {
    member: Arc<Member>,
}

/// A call that did not get its answer.
pub(super) enum SendError {
    /// It never left; here it is back.
    NotSent(Box<Request<Body>>),
    /// It may have reached the server.
    Failed(Status),
}

impl Connected {
    pub(super) async fn send(&self, request: Request<Body>) -> Result<Response<Body>, SendError> {
        let mut sender = self.member.sender.clone();
        let (request, lender) = lend(request);
        let mut error = match sender.try_send_request(request).await {
            Ok(response) => {
                return Ok(response.map(|body| Body::new(http_body_util::BodyExt::map_err(body, status_of))));
            }
            Err(error) => error,
        };
        if let Some(unsent) = error.take_message() {
            return Err(SendError::NotSent(Box::new(unsent)));
        }
        let error = error.into_error();
        tracing::debug!(address = %self.member.address, %error, "call failed");
        let refused = refused_unseen(&error);
        let status = status_of(error);
        let back = match status.code() {
            _ if refused => lender.take_back(),
            Code::Unavailable => lender.take_back_untouched(),
            _ => None,
        };
        Err(back.map_or(SendError::Failed(status), |unsent| SendError::NotSent(Box::new(unsent))))
    }
}

/// The peer said goodbye before it acted on this call.
fn refused_unseen(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.is_some_and(|cause| {
        let gone = cause.is_go_away() && cause.reason() == Some(h2::Reason::NO_ERROR);
        cause.is_remote() && (gone || cause.reason() == Some(h2::Reason::REFUSED_STREAM))
    })
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.member.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A broken connection is `UNAVAILABLE`, whatever words HTTP/2 has for it; what the peer said about this one
/// call stays.
fn status_of(error: hyper::Error) -> Status {
    let status = Status::from_error(Box::new(error));
    match status.code() {
        Code::Cancelled | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Unavailable => status,
        _ => Status::unavailable(format!("connection lost: {}", status.message())),
    }
}
