//! The start of a span of `tracing`: its layer, its name, its time and its parent.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::tracing::Metadata;

use crate::bridge::tracing::left_out::run_user_code;
use crate::bridge::tracing::recorded::Recorded;
use crate::bridge::tracing::settings::Settings;
use crate::clock::Moment;
use crate::model::Place;
use crate::scope::{Active, Deferred, peek};
use crate::span::{Span, SpanContext};
use crate::tracer::{Tracer, TracerExt};

/// The tracer of a layer, and what the user has set.
pub(super) struct Shared {
    /// Tells layers apart, also those that are gone.
    pub(super) number: usize,
    pub(super) tracer: Box<dyn Tracer>,
    pub(super) settings: Settings,
}

impl Shared {
    pub(super) fn new(tracer: impl Tracer + 'static) -> Self {
        static LAST: AtomicUsize = AtomicUsize::new(0);
        Self {
            number: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            tracer: Box::new(tracer),
            settings: Settings::default(),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// The facts that a span needs until its start. It keeps the tracer open.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) layer: Arc<Shared>,
    pub(super) metadata: &'static Metadata<'static>,
    pub(super) moment: Moment,
    pub(super) parent: Parent,
}

impl Origin {
    /// Starts the span, whose parent has started. If a tracer of the user panics, the span is no span.
    pub(super) fn start(self, recorded: &mut Recorded) -> Span {
        run_user_code(|| self.start_now(recorded)).unwrap_or_default()
    }

    /// Like [`start`](Self::start), with user code running.
    pub(super) fn start_now(self, recorded: &mut Recorded) -> Span {
        let name = recorded.take_name(self.metadata.name());
        let builder = self.layer.tracer.build_span(name);
        let builder = builder
            .begun(self.moment, self.place())
            .ignore_active_span();
        let mut builder = match &self.parent {
            Parent::Root => builder,
            Parent::Deferred(parent) => match parent.started() {
                Some(span) => builder.child_of(span),
                None => builder,
            },
            Parent::Span(span) => builder.child_of(span),
            Parent::Context(context) => builder.child_of(context),
        };
        for (key, value) in recorded.start_tags() {
            builder = builder.tag(key, value);
        }
        for context in recorded.references() {
            builder = builder.follows_from(context);
        }
        let span = builder.start();
        recorded.apply_after_start(&span);
        span
    }

    /// Returns the place of the macro that made the span.
    fn place(&self) -> Option<Place> {
        let place = self.metadata.file().zip(self.metadata.line());
        place.map(|(file, line)| Place::new(file, line))
    }
}

/// The parent of a span.
#[derive(Debug)]
pub(super) enum Parent {
    Root,
    Deferred(Arc<dyn Deferred>),
    Span(Span),
    Context(SpanContext),
}

impl Parent {
    /// Returns what is active on this thread.
    pub(super) fn active() -> Self {
        let parent = peek(|active| match active {
            None => Self::Root,
            Some(Active::Span(span) | Active::Request(span, _)) => Self::Span(span.downgrade()),
            Some(Active::Context(context)) => Self::Context(context.clone()),
            Some(Active::Deferred(entry)) => Self::Deferred(entry.span.clone()),
        });
        parent.unwrap_or(Self::Root)
    }
}
