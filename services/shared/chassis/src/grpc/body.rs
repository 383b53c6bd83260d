//! The body of an answer, watched to its end: deadline, outcome, and what must live as long.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use tonic::body::Body;
use tonic::{Code, Status};

use super::measure::Call;

/// When a call must be over, and how long it had.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        let now = Instant::now();
        let at = now.checked_add(limit).unwrap_or_else(|| now + Duration::from_secs(86_400 * 365));
        Self { at, limit }
    }

    pub(super) fn exceeded(&self) -> Status {
        Status::deadline_exceeded(format!("not done within {:?}", self.limit))
    }

    /// `future`, or the error at the deadline.
    pub(super) async fn bound<F: Future>(deadline: Option<Self>, future: F) -> Result<F::Output, Status> {
        match deadline {
            None => Ok(future.await),
            Some(deadline) => {
                tokio::time::timeout_at(deadline.at, future).await.map_err(|_| deadline.exceeded())
            }
        }
    }
}

/// Which end reads this body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// Wraps the body of `response`; `held` is dropped with it.
pub(super) fn watch<H: Send + Unpin + 'static>(
    response: Response<Body>,
    side: Side,
    deadline: Option<Deadline>,
    mut call: Call,
    held: H,
) -> Response<Body> {
    // A failure without a body has its status in the headers.
    if let Some(code) = code_in(response.headers()) {
        call.end(code);
    }
    response.map(|inner| {
        let timer = deadline.map(|deadline| (deadline, Box::pin(tokio::time::sleep_until(deadline.at))));
        Body::new(Watched { inner, side, timer, call, _held: held })
    })
}

fn code_in(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}

struct Watched<H> {
    inner: Body,
    side: Side,
    timer: Option<(Deadline, Pin<Box<Sleep>>)>,
    call: Call,
    _held: H,
}

impl<H> Watched<H> {
    fn out_of_time(&mut self, cx: &mut Context<'_>) -> Option<Status> {
        let (deadline, timer) = self.timer.as_mut()?;
        timer.as_mut().poll(cx).is_ready().then(|| deadline.exceeded())
    }

    fn cut(&mut self, status: Status) -> Result<Frame<Bytes>, Status> {
        self.call.end(status.code());
        self.inner = Body::empty();
        self.timer = None;
        if self.side == Side::Client {
            return Err(status);
        }
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers)?;
        Ok(Frame::trailers(trailers))
    }
}

impl<H: Unpin> HttpBody for Watched<H> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(code) = frame.trailers_ref().and_then(code_in) {
                    this.call.end(code);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(status))) => {
                this.call.end(status.code());
                Poll::Ready(Some(Err(status)))
            }
            Poll::Ready(None) => {
                this.call.end(Code::Unknown);
                Poll::Ready(None)
            }
            Poll::Pending => match this.out_of_time(cx) {
                Some(status) => Poll::Ready(Some(this.cut(status))),
                None => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
