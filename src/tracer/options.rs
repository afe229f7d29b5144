use std::borrow::Cow;
use std::fmt;
use std::mem;
use std::time::SystemTime;

use crate::model::{ReferenceType, TagRef, tags};
use crate::record::{BuilderScratch, EmptyScratch, ScratchSlot};
use crate::span::{Reference, SpanContext, TakeContext};

/// Everything that is said of a span before it starts; filled by [`SpanBuilder`](crate::tracer::SpanBuilder).
// Two words, which a builder hands on with each call; what they tell of is used again by the thread's next span.
#[derive(Clone)]
pub struct StartSpanOptions<'a> {
    spec: BuilderScratch<'a, SpanSpec>,
}

/// What is said of a span beside its tags.
#[derive(Clone, Default)]
struct SpanSpec {
    operation_name: Cow<'static, str>,
    /// The only reference.
    first: Option<Reference>,
    ignore_active_span: bool,
    /// A tag says that it is a server's span.
    is_server: bool,
    /// There is something of what most spans do without: a tag that decides on the trace, or whose value is not text, a
    /// number, a truth value or bytes, or any of what comes next.
    is_complex: bool,
    start_time: Option<SystemTime>,
    /// All of them where there are several.
    several: Vec<Reference>,
    context: Option<Box<SpanContext>>,
}

impl<'a> StartSpanOptions<'a> {
    #[inline(always)]
    pub(crate) fn new(operation_name: Cow<'static, str>) -> Self {
        let mut spec = take_scratch().fill();
        spec.operation_name = operation_name;
        Self { spec }
    }

    /// Whether nothing is said but a name, plain tags, at most one reference, and whether the active span is ignored.
    #[inline(always)]
    pub(super) fn are_simple(&self) -> bool {
        !self.spec.is_complex
    }

    /// The only reference of usual options.
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

    #[inline]
    pub(super) fn set_ignore_active_span(&mut self) {
        self.spec.ignore_active_span = true;
    }

    #[inline]
    pub(super) fn set_context(&mut self, context: SpanContext) {
        self.spec.is_complex = true;
        self.spec.context = context.has_trace().then(|| Box::new(context));
    }

    /// Where the context of another reference is to be.
    #[inline(always)]
    pub(super) fn reference_place(&mut self, kind: ReferenceType) -> ReferencePlace<'_> {
        let spec = &mut *self.spec;
        ReferencePlace { spec, kind }
    }

    #[inline(always)]
    pub(super) fn push_tag(&mut self, key: &'a str, value: TagRef<'a>) {
        // Of a key that is written down in the program the compiler knows the answers.
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

    /// Leaves what is said here to the next span of this thread, emptied. The name has been taken.
    pub(super) fn give_back(mut self) {
        self.spec.clear();
        self.leave();
    }

    /// The same of usual options whose only reference, if there is one, is to a plain context: there is nothing to free.
    #[inline(always)]
    pub(super) fn give_back_simple(mut self) {
        let reference = self.spec.first.take();
        debug_assert!(reference.as_ref().is_none_or(|it| it.context.is_simple()));
        mem::forget(reference);
        self.spec.clear_simple();
        self.leave();
    }

    #[inline(always)]
    fn leave(self) {
        debug_assert!(self.operation_name().is_empty());
        if let Ok(Err(unused)) = SCRATCH.try_with(|place| place.put(self.spec.emptied())) {
            free(unused);
        }
    }

    /// Its name.
    pub fn operation_name(&self) -> &str {
        &self.spec.operation_name
    }

    /// What it depends on, in the order given.
    #[inline]
    pub fn references(&self) -> &[Reference] {
        if self.spec.several.is_empty() {
            self.spec.first.as_slice()
        } else {
            &self.spec.several
        }
    }

    /// Its first tags.
    #[inline]
    pub fn tags(&self) -> &[(&'a str, TagRef<'a>)] {
        self.spec.tags()
    }

    /// When it started; now where there is none.
    pub fn start_time(&self) -> Option<SystemTime> {
        self.spec.start_time
    }

    /// Whether the active span is not its parent.
    #[inline]
    pub fn ignores_active_span(&self) -> bool {
        self.spec.ignore_active_span
    }
}

/// The place of a reference among what is said of a span.
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

    /// Of usual options, without a reference.
    #[inline(always)]
    fn clear_simple(&mut self) {
        debug_assert!(!self.is_complex && self.first.is_none());
        self.ignore_active_span = false;
        self.is_server = false;
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
            .field("references", &self.references())
            .field("tags", &self.tags())
            .field("start_time", &self.start_time())
            .field("ignores_active_span", &self.ignores_active_span())
            .finish_non_exhaustive()
    }
}

thread_local! {
    /// Nothing is said in it.
    static SCRATCH: ScratchSlot<SpanSpec> = const { ScratchSlot::new() };
    /// Destroyed when the thread ends, if it has been used: closes the place.
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
    // It is used here, so that what is put into the place is freed. Where it has been destroyed, the place is closed.
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
    fn options_that_are_used_again_say_nothing_of_before() {
        let mut options = StartSpanOptions::new("a".into());
        options.push_tag("sampling.priority", TagRef::Long(1));
        options.push_tag("span.kind", TagRef::String("server"));
        options.set_ignore_active_span();
        options.set_start_time(SystemTime::UNIX_EPOCH);
        let spec = (&raw const *options.spec).addr();
        let _ = options.take_name();
        options.give_back();
        let options = StartSpanOptions::new("b".into());
        assert_eq!((&raw const *options.spec).addr(), spec);
        assert_eq!(options.operation_name(), "b");
        assert!(options.are_simple() && !options.ignores_active_span());
        assert!(options.tags().is_empty() && !options.is_server());
    }

    /// As a builder that is started.
    fn say(tags: usize) {
        let text = String::from("text");
        let mut options = StartSpanOptions::new("a".into());
        for _ in 0..tags {
            options.push_tag(&text, TagRef::String(&text));
        }
        assert_eq!(options.tags().len(), tags);
        let _ = options.take_name();
        options.give_back();
    }

    struct SaysAtTheEnd;

    impl Drop for SaysAtTheEnd {
        fn drop(&mut self) {
            [0, 2, 17].into_iter().for_each(say);
        }
    }

    /// Whether something is left is for Miri and AddressSanitizer to say.
    #[test]
    fn a_thread_that_ends_leaves_nothing_behind_in_whatever_order() {
        thread_local! {
            static LAST_WORDS: SaysAtTheEnd = const { SaysAtTheEnd };
        }
        for is_first in [true, false] {
            let thread = std::thread::spawn(move || {
                if is_first {
                    LAST_WORDS.with(|_| ());
                }
                [0, 2, 17].into_iter().for_each(say);
                LAST_WORDS.with(|_| ());
            });
            thread.join().expect("no panic");
        }
        let only_at_the_end = std::thread::spawn(|| LAST_WORDS.with(|_| ()));
        only_at_the_end.join().expect("no panic");
    }
}
