use std::borrow::Cow;
use std::cell::RefCell;

use thrift::protocol::TMessageIdentifier;

use crate::middleware::known_methods::KnownMethods;
use crate::middleware::thrift::answer::Answer;
use crate::middleware::thrift::calls::describe;
use crate::middleware::thrift::context_field::Received;
use crate::middleware::thrift::error::record_error;
use crate::model::tags;
use crate::propagation::Trust;
use crate::scope::Scope;
use crate::span::Span;
use crate::tracer::{Tracer, TracerExt};

/// A call that a server works on. The two protocols that its processor is given share it.
pub(super) struct ServerCall<'p> {
    tracer: &'p dyn Tracer,
    trust: Trust,
    methods: &'p KnownMethods,
    message: TMessageIdentifier,
    /// Whether the server had such a method before this call.
    was_known: bool,
    running: RefCell<Option<Running>>,
    answer: RefCell<Answer>,
}

/// The span of a call. The scope comes first, so that it ends first.
struct Running {
    scope: Scope,
    span: Span,
}

impl<'p> ServerCall<'p> {
    pub(super) fn new(
        tracer: &'p dyn Tracer,
        trust: Trust,
        methods: &'p KnownMethods,
        message: TMessageIdentifier,
    ) -> Self {
        Self {
            tracer,
            trust,
            methods,
            was_known: methods.contains(&message.name),
            message,
            running: RefCell::default(),
            answer: RefCell::default(),
        }
    }

    /// Starts the span and makes it active. The arguments have been read, so the processor knows the method.
    pub(super) fn begin(&self, received: &Received) {
        let name = &self.message.name;
        let is_name = name.len() <= MAX_NAME && self.methods.learn(name);
        self.start(received, is_name);
    }

    fn start(&self, received: &Received, is_name: bool) {
        let name: Cow<'static, str> = match is_name {
            true => self.message.name.clone().into(),
            false => UNKNOWN.into(),
        };
        let span = self
            .tracer
            .build_span(name)
            .caller(&received.extract(self.tracer), self.trust)
            .tag(tags::SPAN_KIND, tags::SPAN_KIND_SERVER)
            .start();
        if span.is_recording() {
            describe(&span, &self.message);
        }
        let scope = span.activate_lent();
        *self.running.borrow_mut() = Some(Running { scope, span });
    }

    /// Lets the call look at the answer.
    pub(super) fn watch(&self, look: impl FnOnce(&mut Answer)) {
        look(&mut self.answer.borrow_mut());
    }

    pub(super) fn has_begun(&self) -> bool {
        self.running.borrow().is_some()
    }

    /// Ends the span. A call whose arguments were not read gets one all the same, which is then all that tells of it.
    pub(super) fn end(self, received: &Received, result: &thrift::Result<()>) {
        let has_arguments = self.has_begun();
        if !has_arguments {
            self.start(received, self.was_known);
        }
        let answer = self.answer.borrow();
        let Some(Running { scope, span }) = self.running.take() else {
            return;
        };
        drop(scope);
        if has_arguments && !self.was_known && answer.is_unknown_method() {
            self.methods.forget(&self.message.name);
            span.set_operation_name(UNKNOWN);
        }
        answer.record(&span);
        if let Err(error) = result {
            record_error(&span, error);
        }
        span.finish();
    }
}

/// The name of a call to a method that the server may not have.
const UNKNOWN: &str = "Thrift call";

/// The longest name of a method that becomes the name of a span.
const MAX_NAME: usize = 256;
