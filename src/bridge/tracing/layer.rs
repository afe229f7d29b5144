use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ::tracing::span::{Attributes, Id, Record};
use ::tracing::{Dispatch, Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::bridge::tracing::deferred_span::{DeferredSpan, into_span, of_entry};
use crate::bridge::tracing::event_visitor::EventVisitor;
use crate::bridge::tracing::fields::Fields;
use crate::bridge::tracing::left_out::{is_left_out, is_own_target, run_user_code};
use crate::bridge::tracing::origin::{Origin, Parent, Shared};
use crate::bridge::tracing::recent;
use crate::bridge::tracing::recorded::{Recorded, Status, with_scratch};
use crate::bridge::tracing::settings::Settings;
use crate::bridge::tracing::span_visitor::SpanVisitor;
use crate::bridge::tracing::spare;
use crate::model::{TagRef, tags};
use crate::scope::{Active, Deferred as _, DeferredEntry, peek, push_deferred, remove_deferred};
use crate::span::Span;
use crate::tracer::{Tracer, tracer};

/// A layer of `tracing-subscriber` that makes spans of `tracing` spans of a tracer, and events log records on them.
///
/// The page of the [module](crate::bridge) has an example, and tells which field becomes what.
///
/// A subscriber should have one such layer. Of several, the one that was added last works, and the others do nothing.
///
/// ```
/// use tracehound::bridge::TracingLayer;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
/// use tracing_subscriber::prelude::*;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let layer = TracingLayer::new(tracer)
///     .events(true) // become log records
///     .error_events(true) // mark their span
///     .event_targets(false)
///     .span_levels(true)
///     .span_targets(false)
///     .locations(false)
///     .threads(false);
/// tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
///     tracing::info_span!("charge").in_scope(|| tracing::error!("declined"));
/// });
/// let charge = spans.find("charge").expect("it has ended");
/// assert!(charge.is_error());
/// assert_eq!(charge.tag_text("level"), "INFO");
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[must_use = "a layer does nothing until it is added to a subscriber"]
pub struct TracingLayer {
    shared: Arc<Shared>,
    /// The subscriber has another layer of this type, which does the work.
    is_spare: AtomicBool,
}

impl TracingLayer {
    /// Makes a layer whose spans a tracer starts. The layer keeps the tracer open: keep a clone of a
    /// [`JaegerTracer`](crate::JaegerTracer) and close it before the program ends.
    ///
    /// ```
    /// use tracehound::bridge::TracingLayer;
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    /// use tracing_subscriber::prelude::*;
    ///
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// let subscriber = tracing_subscriber::registry().with(TracingLayer::new(tracer.clone()));
    /// tracing::subscriber::with_default(subscriber, || {
    ///     tracing::info_span!("checkout", items = 3).in_scope(|| tracing::info!("paid"));
    /// });
    /// let checkout = spans.find("checkout").expect("it has ended");
    /// assert_eq!(checkout.tag_text("items"), "3");
    /// assert_eq!(checkout.logs.len(), 1);
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn new(tracer: impl Tracer + 'static) -> Self {
        Self {
            shared: Arc::new(Shared::new(tracer)),
            is_spare: AtomicBool::new(false),
        }
    }

    /// Makes a layer whose spans the [global tracer](crate::tracer::tracer()) starts. It may be set later: spans of
    /// `tracing` that begin before are left out.
    ///
    /// ```
    /// use tracehound::bridge::TracingLayer;
    /// use tracing_subscriber::prelude::*;
    ///
    /// let subscriber = tracing_subscriber::registry().with(TracingLayer::global());
    /// # let _ = subscriber;
    /// ```
    pub fn global() -> Self {
        Self::new(tracer())
    }

    pub(super) fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            change(&mut shared.settings);
        }
        self
    }

    /// The number by which spans and entries of the stack tell this layer from others.
    #[inline]
    fn number(&self) -> usize {
        self.shared.number
    }

    fn is_idle(&self) -> bool {
        self.is_spare.load(Ordering::Relaxed)
    }

    /// Returns the span that the registry keeps for this layer.
    fn own<'a, R: LookupSpan<'a>>(&self, span: &SpanRef<'a, R>) -> Option<Arc<DeferredSpan>> {
        of_span(span).filter(|held| held.is_of(self.number()))
    }

    fn find<S>(&self, id: &Id, ctx: &Context<'_, S>) -> Option<Arc<DeferredSpan>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.own(&ctx.span(id)?)
    }

    /// Adds the tags of a span that are not among its fields.
    fn push_facts(&self, metadata: &'static Metadata<'static>, recorded: &mut Recorded) {
        let settings = &self.shared.settings;
        let fields = &mut recorded.tags;
        if settings.has_span_levels {
            fields.push("level", TagRef::String(metadata.level().as_str()));
        }
        if settings.has_span_targets {
            fields.push("target", TagRef::String(metadata.target()));
        }
        if settings.has_locations {
            push_place(metadata, fields);
            if let Some(module) = metadata.module_path() {
                fields.push("code.namespace", TagRef::String(module));
            }
        }
        if settings.has_threads
            && let Some(name) = thread::current().name()
        {
            fields.push_text("thread.name", name);
        }
    }
}

/// The counterpart of a span, as the registry keeps it until it has told all layers of the close.
struct Held(Option<Arc<DeferredSpan>>);

impl Drop for Held {
    /// Ends a span that closes without its layer, because the layer or the registry is gone.
    fn drop(&mut self) {
        if let Some(held) = self.0.take() {
            if !held.has_ended() {
                held.end();
            }
            spare::keep(held);
        }
    }
}

/// Returns the counterpart of a span in any layer.
pub(super) fn of_span<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>) -> Option<Arc<DeferredSpan>> {
    span.extensions().get::<Held>()?.0.clone()
}

impl<S> Layer<S> for TracingLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        let first = subscriber.downcast_ref::<Self>();
        let is_spare = first.is_some_and(|first| first.number() != self.number());
        self.is_spare.store(is_spare, Ordering::Relaxed);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let metadata = attributes.metadata();
        if self.is_idle() || is_left_out(metadata.target()) || self.shared.tracer.is_noop() {
            return;
        }
        let Some(span) = ctx.span(id) else { return };
        let parent = if attributes.is_contextual() {
            Parent::active()
        } else {
            nearest(span.parent())
        };
        let moment = self.shared.tracer.moment();
        let origin = Origin {
            layer: self.shared.clone(),
            metadata,
            moment,
            parent,
        };
        let held = spare::take().begin(origin, |recorded| {
            self.push_facts(metadata, recorded);
            attributes.record(&mut SpanVisitor::new(recorded, moment));
        });
        let mut extensions = span.extensions_mut();
        match extensions.replace(Held(Some(held.clone()))) {
            None => {
                drop(extensions);
                recent::remember(id.into_u64(), held);
            }
            // Two layers that do not know each other.
            Some(other) => {
                let unused = extensions.replace(other);
                drop(extensions);
                drop(unused.and_then(|mut unused| unused.0.take()));
                spare::keep(held);
            }
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        if let Some(held) = self.find(id, &ctx) {
            with_scratch(|recorded| {
                let now = self.shared.tracer.moment();
                values.record(&mut SpanVisitor::new(recorded, now));
                held.add(recorded);
            });
        }
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, ctx: Context<'_, S>) {
        if let (Some(held), Some(cause)) = (self.find(id, &ctx), self.find(follows, &ctx)) {
            let context = cause.span().context();
            with_scratch(|recorded| {
                recorded.push_reference(context);
                held.add(recorded);
            });
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let metadata = event.metadata();
        if self.is_idle() || is_left_out(metadata.target()) {
            return;
        }
        let place = if event.is_contextual() {
            Place::active()
        } else {
            event
                .parent()
                .and_then(|id| self.find(id, &ctx))
                .map(Place::Held)
        };
        if let Some(place) = place {
            with_scratch(|recorded| self.log(event, &place, recorded));
        }
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        let number = id.into_u64();
        let held = recent::take(self.number(), number).or_else(|| self.find(id, &ctx));
        if let Some(held) = held {
            push_deferred(held.entry(number));
        }
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        let (layer, id) = (self.number(), id.into_u64());
        let left = remove_deferred(|entry| entry.id == id && entry.layer == layer);
        let Some(entry) = left else { return };
        let is_panic = thread::panicking() && !entry.is_entered_in_panic;
        if let Some(held) = into_span(entry) {
            if is_panic {
                held.mark_panic(self.shared.tracer.moment());
            }
            if !held.has_ended() {
                recent::remember(id, held);
            }
        }
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        let held = recent::take(self.number(), id.into_u64()).or_else(|| self.find(&id, &ctx));
        if let Some(held) = held {
            held.end();
        }
    }
}

impl TracingLayer {
    /// Writes an event to a span.
    fn log(&self, event: &Event<'_>, place: &Place, recorded: &mut Recorded) {
        let settings = &self.shared.settings;
        let metadata = event.metadata();
        let is_error = *metadata.level() == Level::ERROR;
        let is_wanted = settings.has_events && place.is_recording();
        if is_error && settings.errors_fail_spans {
            recorded.raise_status(Status::Error);
        }
        if is_wanted && !self.fill_log(event, recorded) {
            return;
        }
        match place {
            Place::Held(held) => held.add(recorded),
            Place::Entry(entry) => {
                if let Some(held) = of_entry(entry) {
                    held.add(recorded);
                }
            }
            Place::Span(span) => {
                run_user_code(|| recorded.apply(span, Status::Unset));
            }
        }
    }

    /// Makes a log record of an event. Returns false if the event is the crate's own.
    fn fill_log(&self, event: &Event<'_>, recorded: &mut Recorded) -> bool {
        let settings = &self.shared.settings;
        let metadata = event.metadata();
        let moment = self.shared.tracer.moment();
        let is_log_record = metadata.target() == "log";
        let fields = &mut recorded.log_fields;
        if let Some(name) = event_name(event) {
            fields.push(tags::EVENT, TagRef::String(name));
        }
        fields.push("level", TagRef::String(metadata.level().as_str()));
        if is_log_record {
            let mut origin = LogOrigin::default();
            event.record(&mut origin);
            if is_own_target(&origin.target) {
                return false;
            }
            if settings.has_event_targets {
                fields.push_text("target", &origin.target);
            }
        } else {
            if settings.has_event_targets {
                fields.push("target", TagRef::String(metadata.target()));
            }
            if settings.has_locations {
                push_place(metadata, fields);
            }
        }
        event.record(&mut EventVisitor::new(fields, is_log_record));
        recorded.end_log(moment);
        true
    }
}

/// Adds the place of a span or an event in the source.
fn push_place(metadata: &'static Metadata<'static>, fields: &mut Fields) {
    if let Some(file) = metadata.file() {
        fields.push("code.filepath", TagRef::String(file));
    }
    if let Some(line) = metadata.line() {
        fields.push("code.lineno", TagRef::Long(line.into()));
    }
}

/// Returns the value of the field `event`, unless the event has such a field itself.
fn event_name(event: &Event<'_>) -> Option<&'static str> {
    let metadata = event.metadata();
    if metadata.fields().field(tags::EVENT).is_some() {
        return None;
    }
    // `tracing` names an event that has no name after its place.
    if !metadata.name().starts_with("event ") {
        return Some(metadata.name());
    }
    Some(match *metadata.level() {
        Level::ERROR => "error",
        _ => "log",
    })
}

/// The target that a record of the crate `log` has.
#[derive(Default)]
struct LogOrigin {
    target: String,
}

impl ::tracing::field::Visit for LogOrigin {
    fn record_str(&mut self, field: &::tracing::field::Field, value: &str) {
        if field.name() == "log.target" {
            value.clone_into(&mut self.target);
        }
    }

    fn record_debug(&mut self, _: &::tracing::field::Field, _: &dyn fmt::Debug) {}
}

/// The span that an event is written to.
enum Place {
    Held(Arc<DeferredSpan>),
    Entry(DeferredEntry),
    Span(Span),
}

impl Place {
    /// Returns what is active on this thread, if it takes events.
    fn active() -> Option<Self> {
        peek(|active| match active? {
            Active::Span(span) | Active::Request(span, _) => Some(Self::Span(span.downgrade())),
            Active::Deferred(entry) => Some(Self::Entry(entry.clone())),
            Active::Context(_) => None,
        })
        .flatten()
    }

    fn is_recording(&self) -> bool {
        match self {
            Self::Held(held) => held.is_recording(),
            Self::Entry(entry) => of_entry(entry).is_some_and(DeferredSpan::is_recording),
            Self::Span(span) => span.is_recording(),
        }
    }
}

/// Returns the nearest span that a layer has recorded, from an explicit parent upwards.
fn nearest<'a, R: LookupSpan<'a>>(mut parent: Option<SpanRef<'a, R>>) -> Parent {
    while let Some(span) = parent {
        if let Some(held) = of_span(&span) {
            return Parent::Deferred(held);
        }
        parent = span.parent();
    }
    Parent::Root
}

impl fmt::Debug for TracingLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracingLayer")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}
