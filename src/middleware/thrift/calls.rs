use std::borrow::Cow;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use thrift::protocol::{TMessageIdentifier, TMessageType};

use crate::middleware::thrift::answer::Answer;
use crate::middleware::thrift::error::{application_kind, record, record_error};
use crate::middleware::thrift::settings::Settings;
use crate::model::tags;
use crate::redact;
use crate::span::Span;
use crate::tracer::TracerExt;

/// The calls of one connection of a client, which has one open call at a time. Both protocols share it.
pub(super) struct Calls {
    /// Dropped before the settings, which may hold the last handle to its tracer.
    open: Mutex<Option<OpenCall>>,
    client: Settings,
}

/// A call that waits for its answer. If it is dropped, it was given up.
#[derive(Debug)]
struct OpenCall {
    /// The no-op span after the end.
    span: Span,
    name: String,
    sequence: i32,
    is_oneway: bool,
}

impl Calls {
    pub(super) fn new(client: Settings) -> Self {
        Self {
            open: Mutex::new(None),
            client,
        }
    }

    pub(super) fn is_off(&self) -> bool {
        self.client.tracer.is_noop()
    }

    /// Starts the span of a call. Returns the headers that it has to carry.
    pub(super) fn begin(&self, message: &TMessageIdentifier) -> Vec<(String, String)> {
        let client = &self.client;
        let name = client.operation_name.clone();
        let span = client
            .tracer
            .build_span(name.unwrap_or_else(|| Cow::Owned(message.name.clone())))
            .tag(tags::SPAN_KIND, tags::SPAN_KIND_CLIENT)
            .start();
        if span.is_recording() {
            describe(&span, message);
            client.describe_peer(&span);
        }
        let mut headers = Vec::new();
        client.tracer.inject(&span.context(), &mut headers);
        let call = OpenCall {
            span,
            name: message.name.clone(),
            sequence: message.sequence_number,
            is_oneway: message.message_type == TMessageType::OneWay,
        };
        // Not dropped under the lock: the end of a span may run user code.
        let before = self.lock().replace(call);
        drop(before);
        headers
    }

    /// Ends a oneway call, which has been sent now.
    pub(super) fn sent(&self) {
        let is_over = self.lock().as_ref().is_some_and(|call| call.is_oneway);
        if is_over {
            self.end(|_| {});
        }
    }

    /// Ends the call with an error of the connection.
    #[cold]
    pub(super) fn fail(&self, error: &thrift::Error) {
        self.end(|span| record_error(span, error));
    }

    /// Looks at the head of an answer. One that does not belong to the call ends it.
    pub(super) fn check(&self, message: &TMessageIdentifier) {
        let problem = self.lock().as_ref().and_then(|call| call.problem(message));
        if let Some(kind) = problem {
            self.end(|span| record(span, application_kind(kind), None));
        }
    }

    /// Ends the call with its answer.
    pub(super) fn answered(&self, answer: &Answer) {
        self.end(|span| answer.record(span));
    }

    fn end(&self, record: impl FnOnce(&Span)) {
        let call = self.lock().take();
        if let Some(mut call) = call {
            record(&call.span);
            mem::take(&mut call.span).finish();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<OpenCall>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenCall {
    /// Returns the kind of the `TApplicationException` for which a generated client refuses an answer, if it does.
    fn problem(&self, answer: &TMessageIdentifier) -> Option<i32> {
        // A server of several services answers without the name of the service.
        let method = self.name.rsplit(':').next();
        if answer.sequence_number != self.sequence {
            Some(4)
        } else if answer.name != self.name && Some(&*answer.name) != method {
            Some(3)
        } else if matches!(
            answer.message_type,
            TMessageType::Reply | TMessageType::Exception
        ) {
            None
        } else {
            Some(2)
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        // While a panic passes by, the span tells of it.
        if !self.span.is_noop() && !thread::panicking() {
            self.span.log_event("cancelled");
        }
    }
}

/// Records a message that begins a call.
pub(super) fn describe(span: &Span, message: &TMessageIdentifier) {
    span.set_tag(tags::COMPONENT, "thrift")
        .set_tag("message.name", &*redact::text(&message.name))
        .set_tag("message.type", u8::from(message.message_type))
        .set_tag("message.seqid", message.sequence_number);
}
