use std::borrow::Cow;
use std::fmt;
use std::mem;
use std::panic::Location;
use std::time::SystemTime;

#[cfg(feature = "tracing")]
use crate::clock::{Moment, Reading};
use crate::model::{Place, ReferenceType, TagRef, tags};
use crate::propagation::Trust;
use crate::record::{BuilderScratch, EmptyScratch, ScratchSlot};
use crate::span::{Reference, SpanContext, TakeContext, ToSpanContext as _};
use crate::tracer::earlier_start::EarlierStart;

/// The options of a span that is about to start. A [`SpanBuilder`](crate::tracer::SpanBuilder) fills them in.
///
/// Only a [`Tracer`](crate::Tracer) of your own reads them, in its method `start`:
///
/// ```
/// use tracehound::propagation::{ExtractCarrier, ExtractError, InjectCarrier};
/// use tracehound::tracer::StartSpanOptions;
/// use tracehound::{JaegerTracer, Span, SpanContext, Tracer};
///
/// /// Leaves out health checks.
/// struct WithoutHealthChecks(JaegerTracer);
///
/// impl Tracer for WithoutHealthChecks {
///     fn start(&self, options: StartSpanOptions<'_>) -> Span {
///         match options.operation_name() {
///             "health" => Span::noop(),
///             _ => self.0.start(options),
///         }
///     }
///
///     fn inject(&self, context: &SpanContext, carrier: &mut dyn InjectCarrier) {
///         self.0.inject(context, carrier);
///     }
///
///     fn extract(
///         &self,
///         carrier: &dyn ExtractCarrier,
///     ) -> Result<Option<SpanContext>, ExtractError> {
///         self.0.extract(carrier)
///     }
/// }
///
/// use tracehound::prelude::*;
///
/// let tracer = WithoutHealthChecks(JaegerTracer::disabled());
/// assert!(tracer.start_span("health").is_noop());
/// ```
// Two words, passed by value through the builder. The memory behind them is reused by the thread's next span.
#[derive(Clone)]
pub struct StartSpanOptions<'a> {
    spec: BuilderScratch<'a, SpanSpec>,
}

/// The options other than tags.
#[derive(Clone, Default)]
struct SpanSpec {
    operation_name: Cow<'static, str>,
    place: Option<&'static Location<'static>>,
    /// The reference, if there is exactly one.
    first: Option<Reference>,
    ignore_active_span: bool,
    /// Whether the tag `span.kind` says `server`.
    is_server: bool,
    /// Whether the fast path cannot take these options: a tag is `sampling.priority` or has no simple value, or one of
    /// the fields below is set.
    is_complex: bool,
    start_time: Option<SystemTime>,
    /// The ticks at which the span began, if that was before its start. The fast path takes it.
    earlier_start: EarlierStart,
    /// A context without a trace, from which the root of a new trace inherits in place of the references.
    new_trace: Option<Box<SpanContext>>,
    /// All references, if there are several.
    several: Vec<Reference>,
    context: Option<Box<SpanContext>>,
}

impl<'a> StartSpanOptions<'a> {
    #[inline(always)]
    pub(crate) fn new(
        operation_name: Cow<'static, str>,
        place: Option<&'static Location<'static>>,
    ) -> Self {
        let mut spec = take_scratch().fill();
        spec.operation_name = operation_name;
        spec.place = place;
        Self { spec }
    }

    /// Returns whether the fast path can take these options: they hold a name, simple tags and at most one reference.
    #[inline(always)]
    pub(super) fn are_simple(&self) -> bool {
        !self.spec.is_complex
    }

    /// Returns the reference of simple options.
    #[inline(always)]
    pub(super) fn only_reference(&self) -> Option<&Reference> {
        self.spec.first.as_ref()
    }

    pub(super) fn context(&self) -> Option<&SpanContext> {
        self.spec.context.as_deref()
    }

    #[inline(always)]
    pub(super) fn take_name(&mut self) -> Cow<'static, str> {
        mem::replace(&mut self.spec.operation_name, Cow::Borrowed(""))
    }

    #[inline]
    pub(super) fn set_start_time(&mut self, time: SystemTime) {
        self.spec.is_complex = true;
        self.spec.start_time = Some(time);
    }

    #[inline(always)]
    pub(super) fn earlier_start(&self) -> Option<u64> {
        self.spec.earlier_start.ticks()
    }

    /// Sets the time at which the span began, by the clock of its tracer, and the place.
    #[cfg(feature = "tracing")]
    #[inline]
    pub(super) fn set_begun(&mut self, moment: Moment, place: Option<Place>) {
        self.spec.place = None;
        self.spec.earlier_start.set_place(place);
        match moment.reading() {
            Reading::Ticks(ticks) => self.spec.earlier_start.set(ticks),
            Reading::Wall(time) => self.set_start_time(time),
        }
    }

    #[inline]
    pub(super) fn set_place(&mut self, place: Option<&'static Location<'static>>) {
        self.spec.place = place;
    }

    #[inline]
    pub(super) fn set_ignore_active_span(&mut self) {
        self.spec.ignore_active_span = true;
    }

    #[inline]
    pub(super) fn set_new_trace(&mut self, seed: SpanContext) {
        debug_assert!(!seed.has_trace());
        self.spec.is_complex = true;
        self.spec.new_trace = Some(Box::new(seed));
    }

    /// Refers to a caller of whom not everything is believed.
    #[cold]
    #[inline(never)]
    pub(super) fn set_caller(&mut self, caller: SpanContext, trust: Trust) {
        let span = trust.distrusted_span(&caller);
        let believed = trust.apply(caller);
        let (kind, context) = match span {
            Some(span) => {
                self.set_new_trace(believed);
                (ReferenceType::FollowsFrom, span)
            }
            None => (ReferenceType::ChildOf, believed),
        };
        context.give_span_context(self.reference_place(kind));
    }

    #[inline]
    pub(super) fn set_context(&mut self, context: SpanContext) {
        self.spec.is_complex = true;
        self.spec.context = context.has_trace().then(|| Box::new(context));
    }

    /// Returns the slot for the next reference's context.
    #[inline(always)]
    pub(super) fn reference_place(&mut self, kind: ReferenceType) -> ReferencePlace<'_> {
        let spec = &mut *self.spec;
        ReferencePlace { spec, kind }
    }

    #[inline(always)]
    pub(super) fn push_tag(&mut self, key: &'a str, value: TagRef<'a>) {
        // For a literal key the compiler answers both questions.
        if key == tags::SAMPLING_PRIORITY || matches!(value, TagRef::Display(_) | TagRef::Unset) {
            self.spec.is_complex = true;
        }
        if key == tags::SPAN_KIND && matches!(value, TagRef::String(tags::SPAN_KIND_SERVER)) {
            self.spec.is_server = true;
        }
        self.spec.push(key, value);
    }

    #[inline(always)]
    pub(super) fn is_server(&self) -> bool {
        self.spec.is_server
    }

    /// Clears the options and keeps their memory for the thread's next span. The name has been taken.
    pub(super) fn give_back(mut self) {
        self.spec.clear();
        self.keep_memory();
    }

    /// Like `give_back`, but only for simple options whose reference, if any, has a simple context: nothing is dropped.
    #[inline(always)]
    pub(super) fn give_back_simple(mut self) {
        let reference = self.spec.first.take();
        debug_assert!(reference.as_ref().is_none_or(|it| it.context.is_simple()));
        mem::forget(reference);
        self.spec.clear_simple();
        self.keep_memory();
    }

    #[inline(always)]
    fn keep_memory(self) {
        debug_assert!(self.operation_name().is_empty());
        if let Ok(Err(unused)) = SCRATCH.try_with(|slot| slot.put(self.spec.emptied())) {
            free(unused);
        }
    }

    /// Returns the operation name.
    pub fn operation_name(&self) -> &str {
        &self.spec.operation_name
    }

    /// Returns where the program starts the span, if that is known: the place of the call of
    /// [`build_span`](crate::TracerExt::build_span) or [`start_span`](crate::TracerExt::start_span), or the one that
    /// the builder was [given](crate::tracer::SpanBuilder::place).
    pub fn place(&self) -> Option<Place> {
        let place = self.spec.place.map(Place::from);
        place.or_else(|| self.spec.earlier_start.place())
    }

    /// Returns the references, in the order in which they were given.
    #[inline]
    pub fn references(&self) -> &[Reference] {
        if self.spec.several.is_empty() {
            self.spec.first.as_slice()
        } else {
            &self.spec.several
        }
    }

    /// Returns the tags that the span is started with, in the order in which they were given.
    #[inline]
    pub fn tags(&self) -> &[(&'a str, TagRef<'a>)] {
        self.spec.tags()
    }

    /// Returns the start time, or `None` if the span starts now.
    pub fn start_time(&self) -> Option<SystemTime> {
        self.spec.start_time
    }

    /// Returns whether the active span should not become the parent.
    #[inline]
    pub fn ignores_active_span(&self) -> bool {
        self.spec.ignore_active_span
    }

    /// Returns whether the span starts a new trace whatever its references are. A context that is given to the span
    /// decides otherwise.
    ///
    /// ```
    /// use tracehound::propagation::{ExtractCarrier, ExtractError, InjectCarrier};
    /// use tracehound::tracer::StartSpanOptions;
    /// use tracehound::{JaegerTracer, Span, SpanContext, Tracer, TracerExt};
    ///
    /// /// Prints each span that starts.
    /// struct Printing(JaegerTracer);
    ///
    /// impl Tracer for Printing {
    ///     fn start(&self, options: StartSpanOptions<'_>) -> Span {
    ///         let is_root = options.starts_new_trace()
    ///             || options.references().is_empty() && options.ignores_active_span();
    ///         println!(
    ///             "{} at {:?}: root {is_root}, {} tags, begun {:?}",
    ///             options.operation_name(),
    ///             options.place().map(|place| place.to_string()),
    ///             options.tags().len(),
    ///             options.start_time(),
    ///         );
    ///         self.0.start(options)
    ///     }
    /// #
    /// #     fn inject(&self, context: &SpanContext, carrier: &mut dyn InjectCarrier) {
    /// #         self.0.inject(context, carrier);
    /// #     }
    /// #
    /// #     fn extract(&self, carrier: &dyn ExtractCarrier) -> Result<Option<SpanContext>, ExtractError> {
    /// #         self.0.extract(carrier)
    /// #     }
    /// }
    ///
    /// let tracer = Printing(JaegerTracer::disabled());
    /// tracer.build_span("checkout").tag("items", 3).new_trace().start().finish();
    /// ```
    pub fn starts_new_trace(&self) -> bool {
        self.seed_of_new_trace().is_some()
    }

    /// Returns whether nothing is said about the parent: neither who it is nor that there should be none.
    pub(super) fn leave_the_parent_open(&self) -> bool {
        let says_none = self.spec.ignore_active_span || self.spec.new_trace.is_some();
        self.references().is_empty() && !says_none && self.spec.context.is_none()
    }

    /// Returns the context from which a span that starts a new trace inherits.
    pub(super) fn seed_of_new_trace(&self) -> Option<&SpanContext> {
        let seed = self.spec.new_trace.as_deref();
        seed.filter(|_| self.spec.context.is_none())
    }
}

/// The slot for one more reference.
pub(super) struct ReferencePlace<'s> {
    spec: &'s mut SpanSpec,
    kind: ReferenceType,
}

impl TakeContext for ReferencePlace<'_> {
    #[inline(always)]
    fn take(self, make: impl FnOnce() -> SpanContext) {
        let Self { spec, kind } = self;
        if spec.first.is_none() && !spec.is_complex {
            spec.first = Some(Reference {
                kind,
                context: make(),
            });
        } else {
            spec.push_another(Reference {
                kind,
                context: make(),
            });
        }
    }
}

impl SpanSpec {
    #[cold]
    #[inline(never)]
    fn push_another(&mut self, reference: Reference) {
        self.is_complex = true;
        self.several.extend(self.first.take());
        self.several.push(reference);
    }

    fn clear(&mut self) {
        self.first = None;
        if self.is_complex {
            self.clear_complex();
        }
        self.clear_simple();
    }

    /// Clears simple options that have no reference.
    #[inline(always)]
    fn clear_simple(&mut self) {
        debug_assert!(!self.is_complex && self.first.is_none());
        self.ignore_active_span = false;
        self.is_server = false;
        self.earlier_start.clear();
    }

    #[cold]
    #[inline(never)]
    fn clear_complex(&mut self) {
        *self = Self {
            operation_name: Cow::Borrowed(""),
            ..Self::default()
        };
    }
}

impl fmt::Debug for StartSpanOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartSpanOptions")
            .field("operation_name", &self.operation_name())
            .field("place", &self.place())
            .field("references", &self.references())
            .field("tags", &self.tags())
            .field("start_time", &self.start_time())
            .field("ignores_active_span", &self.ignores_active_span())
            .field("starts_new_trace", &self.starts_new_trace())
            .finish_non_exhaustive()
    }
}

thread_local! {
    /// The cleared options that the next span of this thread will fill.
    static SCRATCH: ScratchSlot<SpanSpec> = const { ScratchSlot::new() };
    /// Closes `SCRATCH` when the thread ends, if it was used.
    static END: End = const { End };
}

struct End;

impl Drop for End {
    fn drop(&mut self) {
        let _ = SCRATCH.try_with(ScratchSlot::close);
    }
}

#[inline(always)]
fn take_scratch() -> EmptyScratch<SpanSpec> {
    match SCRATCH.try_with(ScratchSlot::take) {
        Ok(Some(scratch)) => scratch,
        _ => new_scratch(),
    }
}

#[cold]
#[inline(never)]
fn new_scratch() -> EmptyScratch<SpanSpec> {
    // Using `END` registers its destructor, which frees the memory in `SCRATCH`. If it has run, `SCRATCH` is closed.
    let _ = END.try_with(|_| ());
    EmptyScratch::default()
}

#[cold]
#[inline(never)]
fn free<T>(unused: T) {
    drop(unused);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reused_options_are_empty() {
        let mut options = StartSpanOptions::new("a".into(), None);
        options.push_tag("sampling.priority", TagRef::Long(1));
        options.push_tag("span.kind", TagRef::String("server"));
        options.set_ignore_active_span();
        options.set_new_trace(SpanContext::default());
        options.set_start_time(SystemTime::UNIX_EPOCH);
        let spec = (&raw const *options.spec).addr();
        let _ = options.take_name();
        options.give_back();
        let options = StartSpanOptions::new("b".into(), None);
        assert_eq!((&raw const *options.spec).addr(), spec);
        assert_eq!(options.operation_name(), "b");
        assert!(options.are_simple() && !options.ignores_active_span());
        assert!(!options.starts_new_trace());
        assert!(options.tags().is_empty() && !options.is_server());
    }

    /// Fills and gives back options, as a builder does that is started.
    fn fill_and_give_back(tags: usize) {
        let text = String::from("text");
        let mut options = StartSpanOptions::new("a".into(), None);
        for _ in 0..tags {
            options.push_tag(&text, TagRef::String(&text));
        }
        assert_eq!(options.tags().len(), tags);
        let _ = options.take_name();
        options.give_back();
    }

    struct FillsAtThreadEnd;

    impl Drop for FillsAtThreadEnd {
        fn drop(&mut self) {
            [0, 2, 17].into_iter().for_each(fill_and_give_back);
        }
    }

    /// Miri and AddressSanitizer would report a leak.
    #[test]
    fn an_ending_thread_frees_its_options_whatever_the_order_of_destructors() {
        thread_local! {
            static AT_THREAD_END: FillsAtThreadEnd = const { FillsAtThreadEnd };
        }
        for is_first in [true, false] {
            let thread = std::thread::spawn(move || {
                if is_first {
                    AT_THREAD_END.with(|_| ());
                }
                [0, 2, 17].into_iter().for_each(fill_and_give_back);
                AT_THREAD_END.with(|_| ());
            });
            thread.join().expect("no panic");
        }
        let only_at_the_end = std::thread::spawn(|| AT_THREAD_END.with(|_| ()));
        only_at_the_end.join().expect("no panic");
    }
}
