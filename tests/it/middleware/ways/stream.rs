//! A stream of tokio that ends in each way.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Way, work};

/// A stream that ends in a way when it is used.
pub(in crate::middleware) struct Ends<'a>(Way, &'a [u8]);

impl<'a> Ends<'a> {
    /// Makes a stream that gives these bytes, if it does not fail.
    pub(in crate::middleware) fn new(way: Way, bytes: &'a [u8]) -> Self {
        Self(way, bytes)
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(work(self.0)).poll(cx)
    }
}

impl AsyncRead for Ends<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll(cx))?;
        Pin::new(&mut self.1).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Ends<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll(cx))?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
