//! One connection, and the exchange of a request and its answer over it.
//!
//! No task of its own runs a connection: the future of the request does. If that future is dropped, because a time
//! limit is over, the connection is dropped with it, wherever it was. So a connection in the pool never holds half an
//! answer.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::failure::BodyFailure;
use super::stream::Stream;

/// The most bytes of an answer's body. DynamoDB answers a batch with 16 MB of items, which are larger as JSON.
pub(super) const ANSWER_MAX: usize = 32 * 1_024 * 1_024;

/// An open connection that speaks HTTP/1.1.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<SdkBody>,
    /// The protocol's state and the socket; `None` once the connection is closed.
    driver: Option<http1::Connection<TokioIo<Stream>, SdkBody>>,
    is_poisoned: Arc<AtomicBool>,
}

/// There is no answer to a request.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// Nothing of the request was written, and it can be sent over another connection.
    Unsent(Box<Request<SdkBody>>, hyper::Error),
    /// The request, or a part of it, may have been written.
    Lost(hyper::Error),
}

impl Connection {
    /// Speaks HTTP/1.1 over an open stream.
    pub(super) async fn over(stream: Stream) -> hyper::Result<Box<Self>> {
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Box::new(Self {
            sender,
            driver: Some(driver),
            is_poisoned: Arc::default(),
        }))
    }

    /// Returns a mark by which the SDK asks that the connection is not used again, because its server seems to be
    /// ill.
    pub(super) fn poison(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_poisoned)
    }

    /// Returns whether another request can be sent, as far as this is known.
    pub(super) fn is_usable(&self) -> bool {
        self.driver.is_some() && self.sender.is_ready() && !self.is_poisoned.load(Ordering::Relaxed)
    }

    /// Sends a request and returns the head of its answer.
    ///
    /// The connection is read before it is written: if the server has closed it, the request is given back. hyper gives
    /// a request back only if it did not begin to write it.
    pub(super) async fn send(&mut self, request: Request<SdkBody>) -> Result<Response<Incoming>, NoAnswer> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let answered = poll_fn(|cx| {
            drive(&mut self.driver, cx);
            answer.as_mut().poll(cx)
        });
        answered.await.map_err(|mut failure| match failure.take_message() {
            Some(request) => NoAnswer::Unsent(Box::new(request), failure.into_error()),
            None => NoAnswer::Lost(failure.into_error()),
        })
    }

    /// Reads the body of an answer. Afterwards the connection is either idle or closed.
    pub(super) async fn read(&mut self, mut body: Incoming, max: usize) -> Result<Bytes, BodyFailure> {
        let length = body.size_hint().lower();
        if usize::try_from(length).map_or(true, |length| length > max) {
            self.driver = None;
            return Err(BodyFailure::TooLarge { max });
        }
        let mut whole = Whole::default();
        while let Some(frame) = poll_fn(|cx| self.poll_body(&mut body, cx)).await {
            // Trailers say nothing that the SDK reads.
            let Ok(data) = frame.map_err(BodyFailure::CutOff)?.into_data() else {
                continue;
            };
            if data.len() > max.saturating_sub(whole.len()) {
                self.driver = None;
                return Err(BodyFailure::TooLarge { max });
            }
            whole.add(data);
        }
        // The end of the body may have been read without the connection having become idle.
        poll_fn(|cx| {
            if !self.sender.is_ready() {
                drive(&mut self.driver, cx);
            }
            Poll::Ready(())
        })
        .await;
        Ok(whole.into_bytes())
    }

    fn poll_body(&mut self, body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        if body.is_end_stream() {
            return Poll::Ready(None);
        }
        // This asks for a part of the body, which the connection then reads.
        if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        drive(&mut self.driver, cx);
        Pin::new(body).poll_frame(cx)
    }
}

/// Reads and writes what is ready, and drops the connection at its end. Requests that it did not begin to write return
/// to their senders then.
fn drive(driver: &mut Option<http1::Connection<TokioIo<Stream>, SdkBody>>, cx: &mut Context<'_>) {
    if let Some(running) = driver
        && Pin::new(running).poll(cx).is_ready()
    {
        *driver = None;
    }
}

/// The parts of a body. One part, as of most answers, is not copied.
#[derive(Debug, Default)]
pub(super) struct Whole {
    first: Bytes,
    all: Vec<u8>,
}

impl Whole {
    pub(super) fn len(&self) -> usize {
        self.first.len().max(self.all.len())
    }

    pub(super) fn add(&mut self, data: Bytes) {
        if self.len() == 0 {
            self.first = data;
        } else {
            if self.all.is_empty() {
                self.all.extend_from_slice(&self.first);
            }
            self.all.extend_from_slice(&data);
        }
    }

    pub(super) fn into_bytes(self) -> Bytes {
        if self.all.is_empty() {
            self.first
        } else {
            self.all.into()
        }
    }
}

/// The body of an answer that cannot be read. The SDK then reports the head of the answer with the failure.
#[derive(Debug)]
pub(super) struct Unread(pub(super) Option<BodyFailure>);

impl Body for Unread {
    type Data = Bytes;
    type Error = BodyFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Poll::Ready(self.0.take().map(Err))
    }
}
