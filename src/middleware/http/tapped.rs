use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::middleware::grpc::RequestMessages;
use crate::middleware::http::contents::SharedText;

/// The reader of a request's body.
#[derive(Debug)]
pub(super) struct RequestReader {
    messages: Option<RequestMessages>,
    text: Option<SharedText>,
}

impl RequestReader {
    pub(super) fn new(messages: Option<RequestMessages>, text: Option<SharedText>) -> Self {
        Self { messages, text }
    }

    /// Reads a body that is there as a whole.
    pub(super) fn read_all(mut self, bytes: &[u8]) {
        self.read(bytes);
        self.end();
    }

    fn read(&mut self, bytes: &[u8]) {
        if let Some(messages) = &mut self.messages {
            messages.read(bytes);
        }
        if let Some(text) = &self.text {
            text.push(bytes);
        }
    }

    fn end(&mut self) {
        if let Some(messages) = &mut self.messages {
            messages.end();
        }
    }

    fn fail(&mut self) {
        if let Some(messages) = &mut self.messages {
            messages.fail();
        }
    }
}

/// A body with a reader. Frames pass through unchanged.
pub(super) struct Tapped<B: Body + Unpin + Send + 'static, E> {
    inner: Option<B>,
    reader: RequestReader,
    /// Whether the body has yielded its end or an error.
    is_done: bool,
    error: fn(B::Error) -> E,
}

impl<B: Body + Unpin + Send + 'static, E> Tapped<B, E> {
    pub(super) fn new(inner: B, reader: RequestReader, error: fn(B::Error) -> E) -> Self {
        Self {
            inner: Some(inner),
            reader,
            is_done: false,
            error,
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin + Send + 'static, E> Body for Tapped<B, E> {
    type Data = Bytes;
    type Error = E;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        let poll = Pin::new(inner).poll_frame(cx);
        match &poll {
            Poll::Pending => {}
            Poll::Ready(None) => {
                this.is_done = true;
                this.reader.end();
            }
            Poll::Ready(Some(Err(_))) => {
                this.is_done = true;
                this.reader.fail();
            }
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    this.reader.read(data);
                }
            }
        }
        poll.map(|frame| frame.map(|frame| frame.map_err(this.error)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.inner.as_ref();
        inner.map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B: Body + Unpin + Send + 'static, E> Drop for Tapped<B, E> {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take()
            && let Some(messages) = &mut self.reader.messages
        {
            messages.drop_body(inner, self.is_done);
        }
    }
}
