use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use crate::clock::deadline_after;

/// A listener that bounds the number of connections and how long each may be silent.
pub(crate) struct BoundedListener {
    listener: TcpListener,
    permits: Arc<Semaphore>,
}

impl BoundedListener {
    pub(crate) fn new(listener: TcpListener, permits: Arc<Semaphore>) -> Self {
        Self { listener, permits }
    }
}

impl Listener for BoundedListener {
    type Io = BoundedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (BoundedStream, SocketAddr) {
        loop {
            let permit = self.permits.clone().acquire_owned().await;
            if let (Ok(permit), Ok((stream, address))) = (permit, self.listener.accept().await) {
                let stream = BoundedStream {
                    stream,
                    _permit: permit,
                    silence: Box::pin(sleep(SILENCE)),
                    unanswered: Unanswered::default(),
                };
                return (stream, address);
            }
            // Most likely the process has no file descriptor left; other connections may close soon.
            sleep(RETRY).await;
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that fails when too few bytes have come for a while and none were answered.
pub(crate) struct BoundedStream {
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
    silence: Pin<Box<Sleep>>,
    unanswered: Unanswered,
}

/// The bytes that have come since the last progress. A client that sends a byte now and then makes none: it would keep
/// its connection for ever.
#[derive(Debug, Default)]
struct Unanswered(usize);

impl Unanswered {
    /// Adds bytes. Returns whether they are enough to be progress.
    fn has_come(&mut self, bytes: usize) -> bool {
        self.0 = self.0.saturating_add(bytes);
        let is_progress = self.0 >= LEAST_PROGRESS;
        if is_progress {
            self.0 = 0;
        }
        is_progress
    }
}

impl BoundedStream {
    /// Passes a result on. Progress restarts the time-out; a pending result after the time-out becomes an error.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<T>>,
        is_progress: bool,
    ) -> Poll<io::Result<T>> {
        if is_progress {
            self.silence.as_mut().reset(deadline_after(SILENCE).into());
        }
        if result.is_ready() {
            return result;
        }
        match self.silence.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        let come = buffer.filled().len().saturating_sub(before);
        let is_progress = self.unanswered.has_come(come);
        self.watch(context, result, is_progress)
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        let is_progress = result.is_ready();
        if is_progress {
            self.unanswered = Unanswered::default();
        }
        self.watch(context, result, is_progress)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(30);
/// The bytes of a request that are progress before it is answered.
const LEAST_PROGRESS: usize = 1_024;
const RETRY: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_bytes_are_no_progress() {
        let mut unanswered = Unanswered::default();
        assert!((1..LEAST_PROGRESS).all(|_| !unanswered.has_come(1)));
        assert!(unanswered.has_come(1));
        assert!(!unanswered.has_come(1), "it begins anew");
        assert!(unanswered.has_come(LEAST_PROGRESS));
    }
}
