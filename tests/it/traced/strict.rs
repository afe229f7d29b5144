//! Code of a program with strict lints, in which names mean something else than usual.
#![deny(
    missing_docs,
    unsafe_code,
    unused,
    unreachable_pub,
    elided_lifetimes_in_paths,
    keyword_idents,
    let_underscore_drop,
    clippy::all,
    clippy::pedantic,
    clippy::nursery
)]

use std::fmt;

use tracehound::prelude::*;

use crate::block_on::block_on;
use crate::support::recording_tracer;

/// Names that the expansion uses, too.
#[expect(dead_code, reason = "that nothing looks for them is the claim")]
mod core {
    pub(super) struct Option;
}
#[expect(dead_code, reason = "as above")]
mod std_of_another_kind {
    pub(super) struct Box;
}
#[expect(dead_code, reason = "as above")]
struct Place;
const PLACE: u32 = 7;

#[tracehound::traced(tracer = tracer, kind = "client", tags(name, span = span + 1, value = PLACE), err)]
fn shadowed(tracer: &JaegerTracer, name: &str, span: u32, value: u32) -> Result<u32, fmt::Error> {
    let Some(first) = name.bytes().next() else {
        return Err(fmt::Error);
    };
    Ok(u32::from(first) + span + value + PLACE)
}

#[tracehound::traced(tracer = tracer, tags(name, span = *span, value), parent = span_of)]
async fn shadowed_async<'a>(
    tracer: &JaegerTracer,
    name: &'a str,
    span: &mut u32,
    value: u32,
    span_of: Span,
) -> &'a str {
    *span += value + PLACE;
    name
}

#[tracehound::traced(tracer = tracer)]
fn unit(tracer: &JaegerTracer) {
    const FIRST: u32 = 1;
    let never = FIRST;
    assert_eq!(never, 1);
}

#[tracehound::traced(tracer = tracer)]
fn one_expression(tracer: &JaegerTracer) -> u32 {
    1
}

/// Functions under a lint that asks for every `return`.
#[deny(clippy::implicit_return)]
mod returning {
    use std::future::ready;
    use std::pin::Pin;

    use super::{JaegerTracer, fmt};

    #[tracehound::traced(tracer = tracer, err)]
    pub(super) fn checked(tracer: &JaegerTracer, n: u32) -> Result<u32, fmt::Error> {
        return Ok(n);
    }

    #[tracehound::traced(tracer = tracer)]
    pub(super) async fn awaited(tracer: &JaegerTracer, n: u32) -> u32 {
        return n;
    }

    #[tracehound::traced(tracer = tracer)]
    pub(super) fn returned(tracer: &JaegerTracer, n: u32) -> impl Future<Output = u32> + use<> {
        return ready(n);
    }

    #[tracehound::traced(tracer = tracer)]
    pub(super) fn boxed(tracer: &JaegerTracer, n: u32) -> Pin<Box<dyn Future<Output = u32>>> {
        return Box::pin(ready(n));
    }
}

struct Cart(JaegerTracer, Vec<u32>);

#[tracehound::traced(tracer = self.0, err)]
impl Cart {
    fn add(&mut self, item: u32) -> Result<&mut u32, fmt::Error> {
        self.1.push(item);
        self.1.last_mut().ok_or(fmt::Error)
    }

    async fn pay(&self) -> Result<(), fmt::Error> {
        Ok(())
    }
}

#[test]
fn names_of_the_expansion_and_of_the_program_do_not_meet() {
    let (tracer, spans) = recording_tracer();
    assert_eq!(shadowed(&tracer, "a", 1, 2), Ok(97 + 1 + 2 + 7));
    let span = spans.take().remove(0);
    for (key, value) in [("name", "a"), ("span", "2"), ("value", "7")] {
        assert_eq!(span.tag_text(key), value, "{key}");
    }
    assert_eq!(shadowed(&tracer, "", 1, 2), Err(fmt::Error));
    let mut n = 1;
    let noop = Span::noop();
    assert_eq!(block_on(shadowed_async(&tracer, "a", &mut n, 2, noop)), "a");
    assert_eq!(n, 10);
    let span = spans.find("shadowed_async").unwrap();
    assert_eq!(span.tag_text("span"), "1");
    unit(&tracer);
    assert_eq!(one_expression(&tracer), 1);
    assert_eq!(returning::checked(&tracer, 3), Ok(3));
    assert_eq!(block_on(returning::awaited(&tracer, 4)), 4);
    assert_eq!(block_on(returning::returned(&tracer, 5)), 5);
    assert_eq!(block_on(returning::boxed(&tracer, 6)), 6);
    let mut cart = Cart(tracer, Vec::new());
    assert_eq!(cart.add(1), Ok(&mut 1));
    assert_eq!(block_on(cart.pay()), Ok(()));
}
