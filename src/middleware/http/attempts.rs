//! The attempts of a call: the requests that a layer which retries or follows redirects makes out of one.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use http::{HeaderMap, StatusCode, header};

use crate::model::otel_tags;
use crate::span::Span;

/// The attempts of a call, which number each other.
#[derive(Debug)]
pub(super) struct Attempts {
    /// The span of the call, which does not keep it open.
    call: Span,
    sent: AtomicU32,
    redirects: AtomicU32,
    /// Whether the last response was a redirect.
    is_redirected: AtomicBool,
}

impl Attempts {
    pub(super) fn new(call: &Span) -> Arc<Self> {
        Arc::new(Self {
            call: call.downgrade(),
            sent: AtomicU32::new(0),
            redirects: AtomicU32::new(0),
            is_redirected: AtomicBool::new(false),
        })
    }

    /// Returns the attempts of the call that this thread works on.
    pub(super) fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(|current| current.borrow().clone()).ok()?
    }

    /// Runs a part of the work on the call.
    pub(super) fn run<R>(self: &Arc<Self>, work: impl FnOnce() -> R) -> R {
        let _restores = Restores(replace(Some(self.clone())));
        work()
    }

    /// Numbers an attempt, of which `span` is the span.
    pub(super) fn begin(&self, span: &Span) {
        // Relaxed: the numbers guard nothing.
        let earlier = self.sent.fetch_add(1, Ordering::Relaxed);
        if earlier == 0 {
            return;
        }
        for span in [span, &self.call] {
            let names = span.tag_names();
            if names.has_opentracing() {
                span.set_tag("http.resend_count", earlier);
            }
            if names.has_opentelemetry() {
                span.set_tag(otel_tags::HTTP_REQUEST_RESEND_COUNT, earlier);
            }
        }
        if self.is_redirected.swap(false, Ordering::Relaxed) {
            let redirects = self.redirects.fetch_add(1, Ordering::Relaxed) + 1;
            for span in [span, &self.call] {
                span.set_tag("http.redirects", redirects);
            }
        }
    }

    /// Notes the head of the response to an attempt.
    pub(super) fn answered(&self, status: StatusCode, headers: &HeaderMap) {
        let is_redirect = status.is_redirection() && headers.contains_key(header::LOCATION);
        self.is_redirected.store(is_redirect, Ordering::Relaxed);
    }
}

/// Gives the thread back the call that it had before.
struct Restores(Option<Arc<Attempts>>);

impl Drop for Restores {
    fn drop(&mut self) {
        replace(self.0.take());
    }
}

fn replace(attempts: Option<Arc<Attempts>>) -> Option<Arc<Attempts>> {
    // At the end of the thread nothing is kept.
    let replaced = CURRENT.try_with(|current| current.replace(attempts));
    replaced.unwrap_or(None)
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Attempts>>> = const { RefCell::new(None) };
}
