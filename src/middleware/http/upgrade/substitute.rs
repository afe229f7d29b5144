//! An [`OnUpgrade`] that yields a connection of our making, in place of the one that a request came with.
//!
//! Only a connection of hyper makes an [`OnUpgrade`]. So a connection in memory makes it: its client asks for an
//! upgrade, and its service answers when the real connection is upgraded. Then the real one, with the session around
//! it, takes the place of the memory. What a program does with the [`OnUpgrade`] works as before: that of axum, of
//! other WebSocket libraries, of a proxy.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker, ready};

use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use tokio::sync::oneshot;

use crate::middleware::http::upgrade::head_end::HeadEnd;
use crate::middleware::http::upgrade::io::TracedIo;

/// The connection that a substitute will yield.
pub(super) type Connection = TracedIo<Upgraded>;

/// The means to fulfil a substitute. It fails, as a real one does, if they are dropped.
pub(super) struct Fulfilment {
    /// Drives the connection in memory. Never locked: the mutex makes it `Sync`, which a response's body has to be.
    driver: Mutex<Driver>,
    answer: oneshot::Sender<()>,
    connection: oneshot::Sender<Connection>,
}

type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// Returns a substitute.
pub(super) fn substitute() -> Option<(OnUpgrade, Fulfilment)> {
    let (answer, may_answer) = oneshot::channel();
    let (connection, comes) = oneshot::channel();
    let (asked, mut was_asked) = oneshot::channel();
    let once = Cell::new(Some((asked, may_answer)));
    let service = service_fn(move |mut request: Request<Incoming>| {
        let once = once.take();
        async move {
            if let Some((asked, may_answer)) = once {
                let _ = asked.send(hyper::upgrade::on(&mut request));
                // If it will never be answered, this connection is dropped.
                let _ = may_answer.await;
            }
            Ok::<_, Infallible>(switching_protocols())
        }
    });
    let memory = Memory {
        request: REQUEST,
        answer: HeadEnd::default(),
        connection: Coming::Later(comes),
    };
    let mut driver: Driver = Box::pin(
        hyper::server::conn::http1::Builder::new()
            .serve_connection(memory, service)
            .with_upgrades(),
    );
    // The request is in memory, so the first poll brings it to the service.
    let _ = driver
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    let on_upgrade = was_asked.try_recv().ok()?;
    let fulfilment = Fulfilment {
        driver: Mutex::new(driver),
        answer,
        connection,
    };
    Some((on_upgrade, fulfilment))
}

impl Fulfilment {
    /// Fulfils the substitute. If the program has dropped it, the connection is dropped, too.
    pub(super) async fn fulfil(self, connection: Connection) {
        let _ = self.answer.send(());
        // Before the connection is there: what hyper writes is not for the peer.
        if let Ok(driver) = self.driver.into_inner() {
            let _ = driver.await;
        }
        let _ = self.connection.send(connection);
    }
}

/// The transport of the connection in memory, and then the real connection.
struct Memory {
    /// The rest of the request.
    request: &'static [u8],
    /// The answer is written to nobody.
    answer: HeadEnd,
    connection: Coming,
}

enum Coming {
    Later(oneshot::Receiver<Connection>),
    Here(Box<Connection>),
    Never,
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: memory\r\n\r\n";

impl Memory {
    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut Connection>>> {
        if let Coming::Later(comes) = &mut self.connection {
            self.connection = match ready!(Pin::new(comes).poll(cx)) {
                Ok(connection) => Coming::Here(Box::new(connection)),
                Err(_) => Coming::Never,
            };
        }
        Poll::Ready(match &mut self.connection {
            Coming::Here(connection) => Ok(Pin::new(&mut **connection)),
            _ => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

impl Read for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.request.is_empty() {
            let (now, later) = self
                .request
                .split_at(self.request.len().min(cursor.remaining()));
            cursor.put_slice(now);
            self.request = later;
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_connection(cx))?.poll_read(cx, cursor)
    }
}

impl Write for Memory {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.answer.take(bytes) {
            0 => ready!(self.poll_connection(cx))?.poll_write(cx, bytes),
            taken => Poll::Ready(Ok(taken)),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.answer.is_found() {
            return ready!(self.poll_connection(cx))?.poll_write_vectored(cx, buffers);
        }
        let first = buffers.iter().find(|buffer| !buffer.is_empty());
        self.poll_write(cx, first.map_or(&[], |buffer| &**buffer))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.connection {
            Coming::Here(connection) => Write::is_write_vectored(&**connection),
            Coming::Later(_) | Coming::Never => false,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // While the answer is written there is nothing to flush.
        if let Coming::Later(_) = self.connection {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_connection(cx))?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_connection(cx))?.poll_shutdown(cx)
    }
}

fn switching_protocols() -> Response<Nothing> {
    let mut response = Response::new(Nothing);
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("memory"));
    response
}

/// A body without frames.
struct Nothing;

impl Body for Nothing {
    type Data = &'static [u8];
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}
