use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::middleware::http::upgrade::head_end::HeadEnd;

/// The connection of a client during the handshake. It keeps the bytes that come behind the head of the response: the
/// first ones of the session.
pub(in crate::middleware::http) struct Tap<'a, T> {
    inner: &'a mut T,
    head: HeadEnd,
    early: Vec<u8>,
}

impl<'a, T> Tap<'a, T> {
    pub(in crate::middleware::http) fn new(inner: &'a mut T) -> Self {
        Self {
            inner,
            head: HeadEnd::default(),
            early: Vec::new(),
        }
    }

    /// Returns the first bytes of the session. The handshake reads no further than up to the end of the head, so these
    /// are what its last read had in excess.
    pub(in crate::middleware::http) fn into_early(self) -> Vec<u8> {
        self.early
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Tap<'_, T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut *self.inner).poll_read(cx, buffer))?;
        let bytes = &buffer.filled()[before..];
        let head = self.head.take(bytes);
        self.early.extend_from_slice(&bytes[head..]);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Tap<'_, T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.inner).poll_shutdown(cx)
    }
}
