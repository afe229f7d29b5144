//! Runs a program on any implementation of the API.

use std::io;
use std::time::SystemTime;

use opentelemetry::trace::{
    Event, Link, Span, SpanContext, SpanId, Status, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, ContextGuard, InstrumentationScope, KeyValue};

use super::program::{Parent, Remote, Start, Step};

/// Runs a program, ends what it has left open, and returns what the calls have shown.
pub(super) fn run<P>(provider: &P, program: &[Step]) -> Vec<String>
where
    P: TracerProvider,
    <P::Tracer as Tracer>::Span: Send + Sync + 'static,
{
    let versioned = InstrumentationScope::builder("versioned")
        .with_version("1.2")
        .build();
    let mut running = Running {
        tracers: [
            provider.tracer("plain"),
            provider.tracer_with_scope(versioned),
        ],
        spans: Vec::new(),
        guards: Vec::new(),
        remotes: 0,
        seen: Vec::new(),
    };
    for (number, step) in program.iter().enumerate() {
        running.step(number, step);
    }
    running.guards.clear();
    running.spans.clear();
    running.seen
}

struct Running<T: Tracer> {
    tracers: [T; 2],
    spans: Vec<Holder<T::Span>>,
    guards: Vec<ContextGuard>,
    remotes: u64,
    seen: Vec<String>,
}

/// The place in which a program keeps a span.
enum Holder<S> {
    Loose(S),
    InContext(Context),
    Dropped,
}

impl<T: Tracer<Span: Send + Sync + 'static>> Running<T> {
    fn step(&mut self, number: usize, step: &Step) {
        match step {
            Step::Start(start) => self.start(start),
            Step::SetAttribute(n, attribute) => {
                self.on(*n, |span| span.set_attribute(attribute.clone()));
            }
            Step::SetAttributes(n, attributes) => {
                self.on(*n, |span| span.set_attributes(attributes.clone()));
            }
            Step::AddEvent(n, attributes) => {
                self.on(*n, |span| span.add_event("now", attributes.clone()));
            }
            Step::AddEventAt(n, time, attributes) => {
                self.on(*n, |span| {
                    span.add_event_at("then", *time, attributes.clone())
                });
            }
            Step::RecordError(n) => self.on(*n, |span| span.record_error(&io::Error::other("x"))),
            Step::SetStatus(n, outcome) => {
                self.on(*n, |span| span.set_status(outcome.status(number)));
            }
            Step::UpdateName(n) => self.on(*n, |span| span.update_name(format!("new {number}"))),
            Step::AddLink(n, to, attributes) => {
                let to = self.context_of(*to);
                self.on(*n, |span| span.add_link(to, attributes.clone()));
            }
            Step::End(n) => self.on(*n, |span| span.end()),
            Step::EndAt(n, time) => self.on(*n, |span| span.end_at(*time)),
            Step::Drop(n) => {
                if let Some(n) = self.place(*n) {
                    self.spans[n] = Holder::Dropped;
                }
            }
            Step::Activate(n) => self.activate(*n),
            Step::AttachAgain(n) => {
                if let Some(Holder::InContext(cx)) = self.place(*n).map(|n| &self.spans[n]) {
                    self.guards.push(cx.clone().attach());
                }
            }
            Step::AttachRemote(remote) => {
                let remote = self.remote(remote);
                let cx = Context::current().with_remote_span_context(remote);
                self.guards.push(cx.attach());
            }
            Step::Suppress => self
                .guards
                .push(Context::enter_telemetry_suppressed_scope()),
            Step::Detach(n) => {
                if !self.guards.is_empty() {
                    drop(self.guards.remove(n % self.guards.len()));
                }
            }
        }
    }

    fn start(&mut self, start: &Start) {
        let number = self.spans.len() as i64;
        let links = start.links.iter();
        let links =
            links.map(|(to, attributes)| Link::new(self.context_of(*to), attributes.clone(), 0));
        let events = start.events.iter();
        let events =
            events.map(|(time, attributes)| Event::new("first", *time, attributes.clone(), 0));
        let tracer = &self.tracers[start.tracer];
        let mut builder = tracer
            .span_builder(format!("span {number}"))
            .with_attributes(
                [KeyValue::new("number", number)]
                    .into_iter()
                    .chain(start.attributes.clone()),
            )
            .with_events(events.collect())
            .with_links(links.collect());
        builder.span_kind = start.kind.clone();
        builder.start_time = start.time;
        let span = match &start.parent {
            Parent::Current => builder.start(tracer),
            Parent::CurrentCopied => builder.start_with_context(tracer, &Context::current()),
            Parent::New => builder.start_with_context(tracer, &Context::new()),
            Parent::Of(n) => match self.place(*n).map(|n| &self.spans[n]) {
                Some(Holder::InContext(cx)) => builder.start_with_context(tracer, cx),
                _ => builder.start(tracer),
            },
            Parent::Remote(remote) => {
                let remote = self.remote(remote);
                let cx = Context::new().with_remote_span_context(remote);
                builder.start_with_context(&self.tracers[start.tracer], &cx)
            }
        };
        self.seen
            .push(format!("{number} records: {}", span.is_recording()));
        self.spans.push(Holder::Loose(span));
    }

    fn activate(&mut self, n: usize) {
        let Some(n) = self.place(n) else { return };
        match std::mem::replace(&mut self.spans[n], Holder::Dropped) {
            Holder::Loose(span) => {
                let cx = Context::current_with_span(span);
                let context = cx.span().span_context().clone();
                self.seen.push(format!(
                    "{n} in a context: {} {} {} {}",
                    context.is_valid(),
                    context.is_sampled(),
                    context.is_remote(),
                    context.trace_state().header(),
                ));
                self.guards.push(cx.clone().attach());
                self.spans[n] = Holder::InContext(cx);
            }
            other => self.spans[n] = other,
        }
    }

    fn on(&mut self, n: usize, call: impl FnOnce(&mut dyn AnySpan)) {
        let Some(n) = self.place(n) else { return };
        let records = match &mut self.spans[n] {
            Holder::Loose(span) => {
                call(&mut Loose(span));
                span.is_recording()
            }
            Holder::InContext(cx) => {
                call(&mut InContext(cx));
                cx.span().is_recording()
            }
            Holder::Dropped => return,
        };
        self.seen.push(format!("{n} still records: {records}"));
    }

    fn place(&self, n: usize) -> Option<usize> {
        (!self.spans.is_empty()).then(|| n % self.spans.len())
    }

    fn context_of(&self, n: usize) -> SpanContext {
        match self.place(n).map(|n| &self.spans[n]) {
            Some(Holder::Loose(span)) => span.span_context().clone(),
            Some(Holder::InContext(cx)) => cx.span().span_context().clone(),
            _ => SpanContext::NONE,
        }
    }

    fn remote(&mut self, remote: &Remote) -> SpanContext {
        self.remotes += 1;
        let high = if remote.has_long_id {
            0xabc_u128 << 64
        } else {
            0
        };
        let state = match remote.has_state {
            true => TraceState::from_key_value([("congo", "1"), ("rojo", "2")]),
            false => Ok(TraceState::NONE),
        };
        SpanContext::new(
            TraceId::from(high | u128::from(self.remotes)),
            SpanId::from(self.remotes),
            TraceFlags::default().with_sampled(remote.is_sampled),
            true,
            state.expect("legal"),
        )
    }
}

/// The calls on a span, wherever it is.
trait AnySpan {
    fn set_attribute(&mut self, attribute: KeyValue);
    fn set_attributes(&mut self, attributes: Vec<KeyValue>);
    fn add_event(&mut self, name: &'static str, attributes: Vec<KeyValue>);
    fn add_event_at(&mut self, name: &'static str, time: SystemTime, attributes: Vec<KeyValue>);
    fn record_error(&mut self, error: &io::Error);
    fn set_status(&mut self, status: Status);
    fn update_name(&mut self, name: String);
    fn add_link(&mut self, to: SpanContext, attributes: Vec<KeyValue>);
    fn end(&mut self);
    fn end_at(&mut self, time: SystemTime);
}

struct Loose<'a, S>(&'a mut S);

struct InContext<'a>(&'a Context);

macro_rules! any_span {
    ($(impl$([$bound:ident])? for $holder:ty: $it:ident => $span:expr;)*) => {$(
        impl$(<S: $bound>)? AnySpan for $holder {
            fn set_attribute(&mut self, attribute: KeyValue) {
                let $it = self;
                $span.set_attribute(attribute);
            }
            fn set_attributes(&mut self, attributes: Vec<KeyValue>) {
                let $it = self;
                $span.set_attributes(attributes);
            }
            fn add_event(&mut self, name: &'static str, attributes: Vec<KeyValue>) {
                let $it = self;
                $span.add_event(name, attributes);
            }
            fn add_event_at(
                &mut self,
                name: &'static str,
                time: SystemTime,
                attributes: Vec<KeyValue>,
            ) {
                let $it = self;
                $span.add_event_with_timestamp(name, time, attributes);
            }
            fn record_error(&mut self, error: &io::Error) {
                let $it = self;
                $span.record_error(error);
            }
            fn set_status(&mut self, status: Status) {
                let $it = self;
                $span.set_status(status);
            }
            fn update_name(&mut self, name: String) {
                let $it = self;
                $span.update_name(name);
            }
            fn add_link(&mut self, to: SpanContext, attributes: Vec<KeyValue>) {
                let $it = self;
                $span.add_link(to, attributes);
            }
            fn end(&mut self) {
                let $it = self;
                $span.end();
            }
            fn end_at(&mut self, time: SystemTime) {
                let $it = self;
                $span.end_with_timestamp(time);
            }
        }
    )*};
}

any_span! {
    impl[Span] for Loose<'_, S>: it => it.0;
    impl for InContext<'_>: it => it.0.span();
}
