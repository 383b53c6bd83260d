//! A request that can be taken back from a connection that did not act on it.
//!
//! A server that drains says goodbye (GOAWAY) and names the last call it will answer; calls that crossed
//! with it were not acted on (RFC 9113, 6.8) and may go to another connection. The HTTP/2 library keeps
//! their bodies, so what it read is remembered here, up to a limit: unary requests and the start of streams.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http::request::Parts;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

/// A body of which more bytes were read cannot be taken back.
const REMEMBERED: usize = 256 * 1024;

/// The body, and what was read of it. The bytes are shared, not copied.
struct Loan {
    rest: Body,
    read: VecDeque<Bytes>,
    bytes: usize,
    touched: bool,
    forgotten: bool,
}

type Shared = Arc<Mutex<Loan>>;

fn lock(loan: &Shared) -> MutexGuard<'_, Loan> {
    loan.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What takes the request back.
pub(super) struct Lender {
    head: Parts,
    loan: Shared,
}

/// Splits `request` into the one that is sent and what takes it back.
pub(super) fn lend(request: Request<Body>) -> (Request<Body>, Lender) {
    let (head, rest) = request.into_parts();
    let loan = Loan { rest, read: VecDeque::new(), bytes: 0, touched: false, forgotten: false };
    let loan = Arc::new(Mutex::new(loan));
    (Request::from_parts(head.clone(), Body::new(Lent(Arc::clone(&loan)))), Lender { head, loan })
}

impl Lender {
    /// The request as it was, if the library never read its body: the server got nothing to act on.
    pub(super) fn take_back_untouched(self) -> Option<Request<Body>> {
        if lock(&self.loan).touched { None } else { self.take_back() }
    }

    /// The request as it was, unless too much was read to remember. Only for a call that the server said it
    /// did not act on.
    pub(super) fn take_back(self) -> Option<Request<Body>> {
        let mut loan = lock(&self.loan);
        if loan.forgotten {
            return None;
        }
        let rest = std::mem::take(&mut loan.rest);
        let read = std::mem::take(&mut loan.read);
        drop(loan);
        let body = if read.is_empty() { rest } else { Body::new(Again { read, rest }) };
        Some(Request::from_parts(self.head, body))
    }
}

/// The body at the library.
struct Lent(Shared);

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut loan = lock(&self.0);
        loan.touched = true;
        let polled = Pin::new(&mut loan.rest).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            loan.remember(frame.data_ref());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.0).rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.0).rest.size_hint()
    }
}

impl Loan {
    fn remember(&mut self, data: Option<&Bytes>) {
        match data {
            Some(data) if !self.forgotten && self.bytes + data.len() <= REMEMBERED => {
                self.bytes += data.len();
                self.read.push_back(data.clone());
            }
            _ => {
                self.forgotten = true;
                self.read.clear();
            }
        }
    }
}

/// A body that starts with what was read before.
struct Again {
    read: VecDeque<Bytes>,
    rest: Body,
}

impl HttpBody for Again {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        match this.read.pop_front() {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None => Pin::new(&mut this.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    fn request(pieces: &[usize]) -> Request<Body> {
        let frames: Vec<_> =
            pieces.iter().map(|size| Ok::<_, Status>(Frame::data(Bytes::from(vec![b'x'; *size])))).collect();
        Request::new(Body::new(StreamBody::new(futures_util::stream::iter(frames))))
    }

    async fn left(request: Request<Body>) -> usize {
        request.into_body().collect().await.unwrap().to_bytes().len()
    }

    #[tokio::test]
    async fn a_request_comes_back_whole_until_too_much_was_read() {
        let (_, lender) = lend(request(&[10, 20]));
        assert_eq!(left(lender.take_back_untouched().unwrap()).await, 30);

        let (mut lent, lender) = lend(request(&[10, 20]));
        lent.body_mut().frame().await;
        assert_eq!(left(lender.take_back().unwrap()).await, 30);

        let (mut lent, lender) = lend(request(&[10, 20]));
        lent.body_mut().frame().await;
        assert!(lender.take_back_untouched().is_none());

        let (lent, lender) = lend(request(&[REMEMBERED, 1]));
        assert_eq!(left(lent).await, REMEMBERED + 1);
        assert!(lender.take_back().is_none());
    }
}
