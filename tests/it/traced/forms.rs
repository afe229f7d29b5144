//! The forms of functions that run on the caller's thread.

use std::cell::RefCell;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tracehound::prelude::*;
use tracehound::traced;

use crate::support::{log_texts, recording_tracer};

#[traced(tracer = tracer)]
fn outer(tracer: &JaegerTracer, n: u32) -> u32 {
    inner(tracer, n) + 1
}

#[traced(tracer = tracer)]
fn inner(tracer: &JaegerTracer, n: u32) -> u32 {
    assert!(!active_span().is_noop());
    let _ = tracer;
    n * 2
}

#[test]
fn a_function_is_a_span_and_those_that_it_calls_are_its_children() {
    let (tracer, spans) = recording_tracer();
    assert_eq!(outer(&tracer, 3), 7);
    assert_eq!(spans.tree(), "outer\n  inner");
    assert!(active_span().is_noop());
}

#[traced(tracer = tracer)]
fn countdown(tracer: &JaegerTracer, left: u32) {
    if left > 0 {
        countdown(tracer, left - 1);
    }
}

#[test]
fn each_call_of_a_recursive_function_is_a_span_in_the_one_before() {
    let (tracer, spans) = recording_tracer();
    countdown(&tracer, 2);
    assert_eq!(spans.tree(), "countdown\n  countdown\n    countdown");
}

#[traced(tracer = tracer)]
fn early(tracer: &JaegerTracer, text: &str) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    let number = text.parse().ok()?;
    Some(number)
}

#[test]
fn every_way_out_of_a_function_finishes_its_span() {
    let (tracer, spans) = recording_tracer();
    for (text, expected) in [("", None), ("x", None), ("7", Some(7))] {
        assert_eq!(early(&tracer, text), expected);
        assert_eq!(spans.take().len(), 1, "{text:?}");
    }
}

/// Functions that no closure can stand for: each of these has its own way to lend or move its arguments.
struct Cart<T, const N: usize> {
    items: [T; N],
    log: RefCell<Vec<String>>,
}

impl<T: Display + Ord, const N: usize> Cart<T, N> {
    #[traced(tracer = tracer)]
    fn first<'a>(&'a mut self, tracer: &JaegerTracer) -> &'a mut T {
        &mut self.items[0]
    }

    #[traced(tracer = tracer, err(Debug))]
    fn checked<'a>(&'a mut self, tracer: &JaegerTracer, place: usize) -> Result<&'a mut T, String> {
        let items = &mut self.items;
        items
            .get_mut(place)
            .ok_or_else(|| format!("{place} of {N}"))
    }

    #[traced(tracer = tracer)]
    fn into_items(self, tracer: &JaegerTracer) -> [T; N] {
        self.items
    }

    #[traced(tracer = tracer)]
    fn sorted(&self, tracer: &JaegerTracer) -> impl Iterator<Item = &T> + use<'_, T, N> {
        let mut items: Vec<_> = self.items.iter().collect();
        items.sort();
        items.into_iter()
    }

    #[traced(tracer = tracer, err)]
    fn parsed(
        &self,
        tracer: &JaegerTracer,
    ) -> Result<impl Iterator<Item = u32>, Box<dyn std::error::Error>> {
        let numbers: Result<Vec<u32>, _> = self
            .items
            .iter()
            .map(|item| item.to_string().parse())
            .collect();
        Ok(numbers?.into_iter())
    }

    #[traced(tracer = tracer)]
    fn logged(&self, tracer: &JaegerTracer, mut line: String) -> usize {
        line.push('!');
        self.log.borrow_mut().push(line);
        self.log.borrow().len()
    }
}

#[test]
fn a_method_may_borrow_move_and_return_what_it_likes() {
    let (tracer, spans) = recording_tracer();
    let mut cart = Cart {
        items: [3, 1, 2],
        log: RefCell::default(),
    };
    *cart.first(&tracer) = 9;
    *cart.checked(&tracer, 1).unwrap() = 4;
    assert_eq!(cart.checked(&tracer, 3), Err("3 of 3".to_owned()));
    assert_eq!(cart.sorted(&tracer).collect::<Vec<_>>(), [&2, &4, &9]);
    assert_eq!(cart.parsed(&tracer).unwrap().count(), 3);
    assert_eq!(cart.logged(&tracer, "paid".to_owned()), 1);
    assert_eq!(cart.log.borrow()[0], "paid!");
    assert_eq!(cart.into_items(&tracer), [9, 4, 2]);
    let words = Cart {
        items: ["one"],
        log: RefCell::default(),
    };
    assert!(words.parsed(&tracer).is_err());
    assert_eq!(
        spans.tree(),
        "first\nchecked\nchecked !\nsorted\nparsed\nlogged\ninto_items\nparsed !"
    );
}

/// # Safety
///
/// `number` is valid for reads.
#[allow(unsafe_op_in_unsafe_fn, reason = "as functions of older editions")]
#[expect(unsafe_code, reason = "the form under test")]
#[traced(tracer = tracer)]
unsafe fn dereferenced(tracer: &JaegerTracer, number: *const u32) -> u32 {
    *number
}

/// # Safety
///
/// `number` is valid for reads.
#[allow(unsafe_op_in_unsafe_fn, reason = "as functions of older editions")]
#[expect(unsafe_code, reason = "the form under test")]
#[traced(tracer = tracer, err)]
unsafe fn checked(tracer: &JaegerTracer, number: *const u32) -> Result<u32, std::fmt::Error> {
    Ok(*number)
}

#[traced(tracer = tracer)]
extern "C" fn foreign(tracer: &JaegerTracer, n: u32) -> u32 {
    n
}

#[traced(tracer = tracer, tags(first))]
fn patterns((tracer, [first, ..]): (&JaegerTracer, [u32; 2])) -> u32 {
    first
}

#[traced(tracer = tracer)]
fn never(tracer: &JaegerTracer) -> ! {
    panic!("on purpose")
}

#[traced(tracer = tracer)]
fn r#type(tracer: &JaegerTracer) {}

#[traced(tracer = tracer)]
fn items_first(tracer: &JaegerTracer) -> u32 {
    #![allow(clippy::items_after_statements, reason = "an inner attribute")]
    const PLACE: u32 = 7;
    fn helper() -> u32 {
        PLACE
    }
    let span = 1;
    helper() * span
}

#[test]
#[expect(unsafe_code, reason = "the form under test")]
fn functions_of_every_kind_are_traced() {
    let (tracer, spans) = recording_tracer();
    let n = 5;
    // SAFETY: `n` lives on.
    assert_eq!(unsafe { dereferenced(&tracer, &raw const n) }, 5);
    // SAFETY: as above.
    assert_eq!(unsafe { checked(&tracer, &raw const n) }, Ok(5));
    assert_eq!(foreign(&tracer, 5), 5);
    assert_eq!(patterns((&tracer, [5, 6])), 5);
    r#type(&tracer);
    assert_eq!(items_first(&tracer), 7);
    assert_eq!(
        spans.tree(),
        "dereferenced\nchecked\nforeign\npatterns\ntype\nitems_first"
    );
}

#[test]
fn a_panic_marks_the_span_of_each_function_on_its_way() {
    let (tracer, spans) = recording_tracer();
    let parent = tracer.start_active_span("parent");
    assert!(catch_unwind(AssertUnwindSafe(|| never(&tracer))).is_err());
    assert_eq!(active_span().context(), parent.context());
    drop(parent);
    assert_eq!(spans.tree(), "parent\n  never !");
    let span = spans.find("never").unwrap();
    assert_eq!(log_texts(&span.logs[0])[0], "event=panic");
}

macro_rules! functions {
    ($($name:ident -> $ty:ty $body:block)*) => {$(
        #[traced(tracer = tracer, err)]
        fn $name(tracer: &JaegerTracer) -> $ty $body
    )*};
}

functions! {
    made_by_a_macro -> Result<u8, std::num::ParseIntError> { "x".parse() }
}

#[test]
fn a_function_that_a_macro_makes_is_traced() {
    let (tracer, spans) = recording_tracer();
    assert!(made_by_a_macro(&tracer).is_err());
    assert_eq!(spans.tree(), "made_by_a_macro !");
}
