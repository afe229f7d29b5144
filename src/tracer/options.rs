use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::mem;
use std::time::SystemTime;

use crate::model::{ReferenceType, TagRef};
use crate::span::{Reference, SpanContext};

/// Everything that is said of a span before it starts; filled by [`SpanBuilder`](crate::tracer::SpanBuilder).
// Small, because a builder hands it on by value with each call; what it points to is used again by the thread's next span.
#[derive(Clone)]
pub struct StartSpanOptions<'a> {
    said: Box<Said>,
    tags: Vec<(&'a str, TagRef<'a>)>,
}

/// What is said of a span beside its tags.
#[derive(Clone, Default)]
pub(super) struct Said {
    operation_name: Cow<'static, str>,
    /// The only reference.
    first: Option<Reference>,
    ignore_active_span: bool,
    /// There is something of what most spans do without: everything from here on.
    is_unusual: bool,
    start_time: Option<SystemTime>,
    /// All of them where there are several.
    several: Vec<Reference>,
    context: Option<Box<SpanContext>>,
}

impl<'a> StartSpanOptions<'a> {
    #[inline(always)]
    pub(crate) fn new(operation_name: Cow<'static, str>) -> Self {
        let mut said = take_said();
        said.operation_name = operation_name;
        Self {
            said,
            tags: Vec::new(),
        }
    }

    /// Whether nothing is said but a name, tags, at most one reference, and whether the active span is ignored.
    #[inline(always)]
    pub(super) fn are_usual(&self) -> bool {
        !self.said.is_unusual
    }

    /// The only reference of usual options.
    #[inline(always)]
    pub(super) fn only_reference(&self) -> Option<&Reference> {
        self.said.first.as_ref()
    }

    pub(super) fn context(&self) -> Option<&SpanContext> {
        self.said.context.as_deref()
    }

    #[inline(always)]
    pub(super) fn take_name(&mut self) -> Cow<'static, str> {
        mem::replace(&mut self.said.operation_name, Cow::Borrowed(""))
    }

    #[inline]
    pub(super) fn set_start_time(&mut self, time: SystemTime) {
        self.said.is_unusual = true;
        self.said.start_time = Some(time);
    }

    #[inline]
    pub(super) fn set_ignore_active_span(&mut self) {
        self.said.ignore_active_span = true;
    }

    #[inline]
    pub(super) fn set_context(&mut self, context: SpanContext) {
        self.said.is_unusual = true;
        self.said.context = context.has_trace().then(|| Box::new(context));
    }

    /// Adds a reference. An empty one is left out.
    #[inline(always)]
    pub(super) fn push_reference(&mut self, kind: ReferenceType, context: SpanContext) {
        if context.is_empty() {
            return;
        }
        let reference = Reference { kind, context };
        let said = &mut *self.said;
        if said.first.is_none() && !said.is_unusual {
            said.first = Some(reference);
        } else {
            said.push_another(reference);
        }
    }

    #[inline(always)]
    pub(super) fn push_tag(&mut self, key: &'a str, value: TagRef<'a>) {
        if self.tags.capacity() == 0 {
            self.tags = take_tags();
        }
        self.tags.push((key, value));
    }

    /// Leaves what is said here to the next span of this thread, emptied.
    #[inline(always)]
    pub(super) fn give_back(self) {
        let Self { mut said, tags } = self;
        if tags.capacity() > 0 {
            give_tags(tags);
        }
        said.clear();
        let _ = SAID.try_with(|memory| memory.set(Some(said)));
    }

    /// Its name.
    pub fn operation_name(&self) -> &str {
        &self.said.operation_name
    }

    /// What it depends on, in the order given.
    #[inline]
    pub fn references(&self) -> &[Reference] {
        if self.said.several.is_empty() {
            self.said.first.as_slice()
        } else {
            &self.said.several
        }
    }

    /// Its first tags.
    #[inline]
    pub fn tags(&self) -> &[(&'a str, TagRef<'a>)] {
        &self.tags
    }

    /// When it started; now where there is none.
    pub fn start_time(&self) -> Option<SystemTime> {
        self.said.start_time
    }

    /// Whether the active span is not its parent.
    #[inline]
    pub fn ignores_active_span(&self) -> bool {
        self.said.ignore_active_span
    }
}

impl Said {
    #[cold]
    #[inline(never)]
    fn push_another(&mut self, reference: Reference) {
        self.is_unusual = true;
        self.several.extend(self.first.take());
        self.several.push(reference);
    }

    #[inline(always)]
    fn clear(&mut self) {
        self.operation_name = Cow::Borrowed("");
        self.first = None;
        self.ignore_active_span = false;
        if self.is_unusual {
            self.clear_unusual();
        }
    }

    #[cold]
    #[inline(never)]
    fn clear_unusual(&mut self) {
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
    /// Empty.
    static SAID: Cell<Option<Box<Said>>> = const { Cell::new(None) };
    static TAGS: Cell<Vec<(&'static str, TagRef<'static>)>> = const { Cell::new(Vec::new()) };
}

#[inline(always)]
fn take_said() -> Box<Said> {
    match SAID.try_with(Cell::take) {
        Ok(Some(said)) => said,
        _ => new_said(),
    }
}

#[cold]
#[inline(never)]
fn new_said() -> Box<Said> {
    let mut said = Box::<Said>::default();
    said.operation_name = Cow::Borrowed("");
    said
}

fn take_tags<'a>() -> Vec<(&'a str, TagRef<'a>)> {
    TAGS.try_with(Cell::take).unwrap_or_default()
}

/// Keeps the memory, unless it is much.
fn give_tags(mut tags: Vec<(&str, TagRef<'_>)>) {
    tags.clear();
    if tags.capacity() <= KEPT {
        // Of nothing one may say that it lives for ever; the standard library then takes the memory along.
        let tags = tags
            .into_iter()
            .map(|_| unreachable!("it is empty"))
            .collect();
        let _ = TAGS.try_with(|memory| memory.set(tags));
    }
}

/// So many tags' memory is kept.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_options_is_used_again() {
        let mut options = StartSpanOptions::new("a".into());
        for _ in 0..9 {
            options.push_tag("k", TagRef::Bool(true));
        }
        let (place, room) = (options.tags.as_ptr().addr(), options.tags.capacity());
        let said = (&raw const *options.said).addr();
        options.set_ignore_active_span();
        options.give_back();
        let key = String::from("k");
        let mut options = StartSpanOptions::new("b".into());
        assert_eq!((&raw const *options.said).addr(), said);
        assert!(!options.ignores_active_span() && options.tags().is_empty());
        options.push_tag(&key, TagRef::Bool(true));
        assert_eq!(options.tags().len(), 1);
        let again = (options.tags.as_ptr().addr(), options.tags.capacity());
        assert_eq!(again, (place, room));
    }

    #[test]
    fn much_memory_is_not_kept() {
        let mut options = StartSpanOptions::new("a".into());
        for _ in 0..=KEPT {
            options.push_tag("k", TagRef::Bool(true));
        }
        options.give_back();
        let mut options = StartSpanOptions::new("b".into());
        options.push_tag("k", TagRef::Bool(true));
        assert!(options.tags.capacity() <= KEPT);
    }
}
