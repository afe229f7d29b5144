use std::borrow::Cow;
use std::cell::Cell;
use std::mem;
use std::time::SystemTime;

use crate::model::{ReferenceType, TagRef};
use crate::span::{Reference, SpanContext};

/// Everything that is said of a span before it starts; filled by [`SpanBuilder`](crate::tracer::SpanBuilder).
// As long as a builder hands them on, nothing borrows a part of them: then they need not be in memory, and are not copied
// at each step.
#[derive(Clone, Debug)]
pub struct StartSpanOptions<'a> {
    pub(crate) operation_name: Cow<'static, str>,
    /// The only reference.
    first: Option<Reference>,
    /// All of them where there are several.
    several: Vec<Reference>,
    tags: Vec<(&'a str, TagRef<'a>)>,
    pub(crate) start_time: Option<SystemTime>,
    pub(crate) ignore_active_span: bool,
    pub(crate) context: Option<Box<SpanContext>>,
}

impl<'a> StartSpanOptions<'a> {
    #[inline(always)]
    pub(crate) fn new(operation_name: Cow<'static, str>) -> Self {
        Self {
            operation_name,
            first: None,
            several: Vec::new(),
            tags: Vec::new(),
            start_time: None,
            ignore_active_span: false,
            context: None,
        }
    }

    /// Adds a reference. An empty one is left out.
    #[inline(always)]
    pub(super) fn push_reference(&mut self, kind: ReferenceType, context: SpanContext) {
        if context.is_empty() {
            return;
        }
        let reference = Reference { kind, context };
        if self.first.is_none() && self.several.is_empty() {
            self.first = Some(reference);
        } else {
            let (first, several) = (self.first.take(), mem::take(&mut self.several));
            self.several = with_another(first, several, reference);
        }
    }

    #[inline(always)]
    pub(super) fn push_tag(&mut self, key: &'a str, value: TagRef<'a>) {
        let mut tags = mem::take(&mut self.tags);
        if tags.capacity() == 0 {
            tags = take_memory();
        }
        tags.push((key, value));
        self.tags = tags;
    }

    /// The tags are set: their memory is for the next span of this thread.
    #[inline(always)]
    pub(super) fn give_memory(&mut self) {
        if self.tags.capacity() > 0 {
            give_memory(mem::take(&mut self.tags));
        }
    }

    /// Drops what a start leaves: all but the name.
    #[inline(always)]
    pub(super) fn drop_rest(&mut self) {
        self.first = None;
        if !self.several.is_empty() {
            self.several = Vec::new();
        }
        self.context = None;
        self.give_memory();
    }

    /// What is said so far; these say nothing then.
    #[inline]
    pub(crate) fn take(&mut self) -> Self {
        mem::replace(self, Self::new(Cow::Borrowed("")))
    }

    /// Its name.
    pub fn operation_name(&self) -> &str {
        &self.operation_name
    }

    /// What it depends on, in the order given.
    #[inline]
    pub fn references(&self) -> &[Reference] {
        if self.several.is_empty() {
            self.first.as_slice()
        } else {
            &self.several
        }
    }

    /// Its first tags.
    pub fn tags(&self) -> &[(&'a str, TagRef<'a>)] {
        &self.tags
    }

    /// When it started; now where there is none.
    pub fn start_time(&self) -> Option<SystemTime> {
        self.start_time
    }

    /// Whether the active span is not its parent.
    pub fn ignores_active_span(&self) -> bool {
        self.ignore_active_span
    }
}

#[cold]
#[inline(never)]
fn with_another(
    first: Option<Reference>,
    mut several: Vec<Reference>,
    another: Reference,
) -> Vec<Reference> {
    several.extend(first);
    several.push(another);
    several
}

thread_local! {
    /// What the tags of a span that is about to start lie in, used again and again.
    static MEMORY: Cell<Vec<(&'static str, TagRef<'static>)>> = const { Cell::new(Vec::new()) };
}

fn take_memory<'a>() -> Vec<(&'a str, TagRef<'a>)> {
    MEMORY.try_with(Cell::take).unwrap_or_default()
}

/// Keeps the memory, unless it is much.
fn give_memory(mut tags: Vec<(&str, TagRef<'_>)>) {
    tags.clear();
    if tags.capacity() <= KEPT {
        // Of nothing one may say that it lives for ever; the standard library then takes the memory along.
        let tags = tags
            .into_iter()
            .map(|_| unreachable!("it is empty"))
            .collect();
        let _ = MEMORY.try_with(|memory| memory.set(tags));
    }
}

/// So many tags' memory is kept.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_tags_is_used_again() {
        let mut options = StartSpanOptions::new("a".into());
        for _ in 0..9 {
            options.push_tag("k", TagRef::Bool(true));
        }
        let (place, room) = (options.tags.as_ptr().addr(), options.tags.capacity());
        options.give_memory();
        assert!(options.tags().is_empty());
        let key = String::from("k");
        let mut options = StartSpanOptions::new("b".into());
        options.push_tag(&key, TagRef::Bool(true));
        assert_eq!(options.tags().len(), 1);
        assert_eq!(
            (options.tags.as_ptr().addr(), options.tags.capacity()),
            (place, room)
        );
    }

    #[test]
    fn much_memory_is_not_kept() {
        let mut options = StartSpanOptions::new("a".into());
        for _ in 0..=KEPT {
            options.push_tag("k", TagRef::Bool(true));
        }
        options.give_memory();
        let mut options = StartSpanOptions::new("b".into());
        options.push_tag("k", TagRef::Bool(true));
        assert!(options.tags.capacity() <= KEPT);
    }
}
