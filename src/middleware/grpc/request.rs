//! The body of a request as its messages pass by.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use http_body::Body;

use crate::middleware::grpc::messages::Messages;
use crate::middleware::grpc::shared::{CUT, Shared};
use crate::panics::caught;

/// The request's messages as the body counts them.
#[derive(Debug)]
pub(crate) struct RequestMessages {
    pub(super) messages: Messages,
    pub(super) shared: Arc<Shared>,
    /// Whether an open body can tell that its client has gone: a stream of HTTP/2 can.
    pub(super) tells_reset: bool,
}

impl RequestMessages {
    /// Counts messages of the request.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        let shared = &*self.shared;
        // Trailers of a request have no meaning.
        self.messages.read(bytes, shared, &shared.request, |_| {});
    }

    /// Notes that no more bytes come.
    pub(crate) fn end(&mut self) {
        if self.messages.is_inside() {
            self.shared.request.mark(CUT);
        }
    }

    /// Drops a body. One that has not come to its end or to an error tells whether its client has gone.
    pub(crate) fn drop_body<B>(&mut self, mut body: B, is_done: bool)
    where
        B: Body + Unpin,
    {
        self.end();
        if is_done || !self.tells_reset || std::thread::panicking() || body.is_end_stream() {
            return;
        }
        // A stream that was reset yields its error behind its last data. All of it is lost in any case.
        let mut cx = Context::from_waker(Waker::noop());
        let mut end = || loop {
            match Pin::new(&mut body).poll_frame(&mut cx) {
                Poll::Ready(Some(Ok(_))) => {}
                end => return end.map(|end| end.is_some()),
            }
        };
        let shared = &self.shared;
        match caught(&mut end) {
            Some(Poll::Ready(true)) => shared.is_reset.store(true, Ordering::Relaxed),
            Some(Poll::Pending) if shared.is_dropping.load(Ordering::Relaxed) => {
                shared.is_open.store(true, Ordering::Relaxed);
            }
            _ => {}
        }
    }

    /// Notes that the body has failed.
    pub(crate) fn fail(&mut self) {
        self.end();
        self.shared.is_reset.store(true, Ordering::Relaxed);
    }
}
