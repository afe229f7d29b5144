use std::fmt;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::middleware::SessionSpan;
use crate::middleware::http::upgrade::session::Session;

/// An upgraded connection whose bytes are counted on the way, and the owner of the session's span.
///
/// It reads and writes as the connection inside does, by the traits of tokio or by those of hyper. The span ends when
/// it is dropped.
///
/// ```
/// use tokio::io::AsyncWriteExt;
/// use tokio::net::TcpStream;
/// use tracehound::middleware::TracedIo;
///
/// /// Talks over an upgraded connection in the span of its session.
/// async fn talk(mut connection: TracedIo<TcpStream>) -> std::io::Result<()> {
///     let peer = connection.get_ref().peer_addr()?;
///     let session = connection.session();
///     session.span().set_tag("peer.address", peer);
///     session.run(async move { connection.write_all(b"hello").await }).await
/// }
/// ```
pub struct TracedIo<T> {
    // Dropped first, so that the span covers the end of the connection.
    inner: T,
    session: Session,
}

impl<T> TracedIo<T> {
    pub(super) fn new(inner: T, session: Session) -> Self {
        Self { inner, session }
    }

    /// Wraps the connection of a request without a span.
    #[cfg(feature = "tungstenite")]
    pub(in crate::middleware::http) fn untraced(inner: T) -> Self {
        Self::new(inner, Session::untraced())
    }

    /// Returns the connection inside, to ask it for its address, for example.
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// Returns the span of the session, for the task that works on the connection.
    pub fn session(&self) -> SessionSpan {
        self.session.handle().clone()
    }

    /// Shows the session what a write has done.
    fn written(
        &mut self,
        poll: Poll<io::Result<usize>>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &poll {
            Poll::Ready(Ok(count)) => {
                let mut left = *count;
                for buffer in buffers {
                    let here = left.min(buffer.len());
                    self.session.sent(&buffer[..here]);
                    left -= here;
                }
            }
            Poll::Ready(Err(error)) => self.session.failed(error),
            Poll::Pending => {}
        }
        poll
    }

    fn flushed(&mut self, poll: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        if let Poll::Ready(Err(error)) = &poll {
            self.session.failed(error);
        }
        poll
    }

    fn shut_down(&mut self, poll: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        if let Poll::Ready(Ok(())) = &poll {
            self.session.shut_down();
        }
        self.flushed(poll)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for TracedIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let is_asked = buffer.remaining() > 0;
        let result = ready!(Pin::new(&mut self.inner).poll_read(cx, buffer));
        match &result {
            Ok(()) if is_asked => self.session.received(&buffer.filled()[before..]),
            Ok(()) => {}
            Err(error) => self.session.failed(error),
        }
        Poll::Ready(result)
    }
}

/// The methods of `AsyncWrite` and of hyper's `Write`, which have the same names and types.
macro_rules! write_methods {
    () => {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let poll = Pin::new(&mut self.inner).poll_write(cx, bytes);
            self.written(poll, &[IoSlice::new(bytes)])
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffers: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let poll = Pin::new(&mut self.inner).poll_write_vectored(cx, buffers);
            self.written(poll, buffers)
        }

        fn is_write_vectored(&self) -> bool {
            self.inner.is_write_vectored()
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            let poll = Pin::new(&mut self.inner).poll_flush(cx);
            self.flushed(poll)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            let poll = Pin::new(&mut self.inner).poll_shutdown(cx);
            self.shut_down(poll)
        }
    };
}

impl<T: AsyncWrite + Unpin> AsyncWrite for TracedIo<T> {
    write_methods!();
}

impl<T: rt::Read + Unpin> rt::Read for TracedIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.session.is_measured() || cursor.remaining() == 0 {
            return Pin::new(&mut self.inner).poll_read(cx, cursor);
        }
        // A cursor does not show what was read, so the bytes take a detour.
        let mut space = [const { MaybeUninit::uninit() }; DETOUR];
        let length = cursor.remaining().min(DETOUR);
        let mut buffer = rt::ReadBuf::uninit(&mut space[..length]);
        let result = ready!(Pin::new(&mut self.inner).poll_read(cx, buffer.unfilled()));
        match &result {
            Ok(()) => {
                self.session.received(buffer.filled());
                cursor.put_slice(buffer.filled());
            }
            Err(error) => self.session.failed(error),
        }
        Poll::Ready(result)
    }
}

/// The number of bytes that one read moves at most. hyper's own buffer begins with as many.
const DETOUR: usize = 8192;

impl<T: rt::Write + Unpin> rt::Write for TracedIo<T> {
    write_methods!();
}

impl<T: fmt::Debug> fmt::Debug for TracedIo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedIo")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
