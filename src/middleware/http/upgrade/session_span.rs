use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::thread;

use pin_project::{pin_project, pinned_drop};

use crate::span::Span;

/// The span of the connection that a request is upgraded to, for the task that works on the connection.
///
/// A [`ServerLayer`](crate::middleware::ServerLayer) with
/// [`sessions`](crate::middleware::ServerLayer::sessions) puts it into the extensions of each request that wants an
/// upgrade, and a [`ClientLayer`](crate::middleware::ClientLayer) into those of the response. With the feature `axum`
/// it is an extractor, which returns one without a span if the request wants no upgrade.
///
/// The span begins when the connection is there and ends when the connection is dropped. [`run`](Self::run) makes it
/// active in the task. It does not own the span, so a clone of it keeps no session open.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "axum")]
/// # {
/// use axum::Router;
/// use axum::extract::ws::{WebSocket, WebSocketUpgrade};
/// use axum::response::Response;
/// use axum::routing::any;
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{ServerLayer, SessionSpan, Sessions};
///
/// async fn echo(upgrade: WebSocketUpgrade, session: SessionSpan) -> Response {
///     upgrade.on_upgrade(|socket| session.run(talk(socket)))
/// }
///
/// async fn talk(mut socket: WebSocket) {
///     while let Some(Ok(message)) = socket.recv().await {
///         if socket.send(message).await.is_err() {
///             return;
///         }
///     }
/// }
///
/// let layer = ServerLayer::new(NoopTracer).sessions(Sessions::new());
/// let app: Router = Router::new().route("/echo", any(echo)).layer(layer);
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct SessionSpan {
    /// `None` if the request wants no upgrade.
    shared: Option<Arc<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// A handle that does not own the span.
    span: OnceLock<Span>,
    /// A [`Fate`] plus one, or zero.
    fate: AtomicU8,
}

/// The outcome of a session's task, known before the connection is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Aborted,
    Panicked,
}

impl SessionSpan {
    /// Runs a future with the span active in each poll, and while the future is dropped.
    ///
    /// A future that is dropped before its end, as that of an aborted task, leaves the log event `cancelled` on the
    /// span; a connection that it drops has been `aborted`. A panic leaves `error=true` and the log event `panic`.
    pub fn run<F: Future>(self, work: F) -> InSession<F> {
        InSession {
            work: Some(work),
            session: self,
        }
    }

    /// Returns a handle that does not own the span, to set tags and write log records. It is the no-op span before
    /// the connection is there.
    ///
    /// ```
    /// use tracehound::middleware::SessionSpan;
    ///
    /// async fn talk(session: SessionSpan) {
    ///     session.span().set_tag("room", "tea").log_event("joined");
    /// }
    /// ```
    pub fn span(&self) -> Span {
        self.get().map_or_else(Span::noop, Span::downgrade)
    }

    /// Returns the span of a connection that may come.
    pub(super) fn expected() -> Self {
        Self {
            shared: Some(Arc::default()),
        }
    }

    /// Notes that the connection is there.
    pub(super) fn begin(&self, span: &Span) {
        if let Some(shared) = &self.shared {
            // The session that begins is the only one.
            let _ = shared.span.set(span.downgrade());
        }
    }

    pub(super) fn fate(&self) -> Option<Fate> {
        match self.shared.as_ref()?.fate.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(Fate::Aborted),
            _ => Some(Fate::Panicked),
        }
    }

    fn set_fate(&self, fate: Fate) {
        if let Some(shared) = &self.shared {
            shared.fate.store(fate as u8 + 1, Ordering::Relaxed);
        }
    }

    fn get(&self) -> Option<&Span> {
        self.shared.as_ref()?.span.get()
    }
}

/// A future in whose polls the span of a session is active. [`SessionSpan::run`] makes it.
///
/// ```
/// use tracehound::middleware::{InSession, SessionSpan};
///
/// /// Keeps the work of a session, to run it later.
/// fn later<F: Future>(session: SessionSpan, work: F) -> InSession<F> {
///     session.run(work)
/// }
/// ```
#[pin_project(PinnedDrop)]
#[must_use = "a future does nothing unless it is polled"]
pub struct InSession<F> {
    #[pin]
    work: Option<F>,
    session: SessionSpan,
}

impl<F: Future> Future for InSession<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let mut guard = NotesPanic {
            session: this.session,
            is_armed: true,
        };
        let scope = guard.session.get().map(Span::activate_lent);
        let poll = match this.work.as_mut().as_pin_mut() {
            Some(work) => work.poll(cx),
            // A poll after the end.
            None => Poll::Pending,
        };
        if poll.is_ready() {
            this.work.set(None);
        }
        drop(scope);
        guard.is_armed = false;
        poll
    }
}

#[pinned_drop]
impl<F> PinnedDrop for InSession<F> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if this.work.is_none() {
            return;
        }
        if !thread::panicking() && this.session.fate().is_none() {
            this.session.set_fate(Fate::Aborted);
            if let Some(span) = this.session.get() {
                span.log_event("cancelled");
            }
        }
        let _scope = this.session.get().map(Span::activate_lent);
        this.work.set(None);
    }
}

impl<F> fmt::Debug for InSession<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InSession")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// Notes a panic of the poll: the connection may outlive the unwinding.
struct NotesPanic<'a> {
    session: &'a SessionSpan,
    is_armed: bool,
}

impl Drop for NotesPanic<'_> {
    fn drop(&mut self) {
        if self.is_armed {
            self.session.set_fate(Fate::Panicked);
        }
    }
}
