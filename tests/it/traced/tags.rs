//! Tags from arguments.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;
use tracehound::traced;

use crate::support::{recording_builder, recording_tracer, texts};

/// A type with only a `Display` form, like most types of ids.
#[derive(Clone, Debug)]
struct OrderId(u64);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "order-{}", self.0)
    }
}

struct User {
    id: u32,
}

#[traced(
    tracer = tracer,
    tags(
        id,
        user = user.id,
        size = items.len(),
        "http.url" = %url,
        db.filter = ?items,
        ?id_again,
        first = items[0] + 1,
    )
)]
fn ordered(
    tracer: &JaegerTracer,
    id: OrderId,
    user: &User,
    items: Vec<u8>,
    url: &str,
    id_again: OrderId,
) -> (OrderId, Vec<u8>) {
    (id, items)
}

#[test]
fn tags_come_from_arguments_and_expressions_which_are_only_borrowed() {
    let (tracer, spans) = recording_tracer();
    let user = User { id: 4711 };
    let id = OrderId(7);
    let (id, items) = ordered(&tracer, id.clone(), &user, vec![1, 2], "/x", id);
    assert_eq!((id.0, items.len()), (7, 2));
    assert_eq!(
        texts(&spans.spans()[0].tags),
        [
            "id=order-7",
            "user=4711",
            "size=2",
            "http.url=/x",
            "db.filter=[1, 2]",
            "id_again=OrderId(7)",
            "first=2",
        ]
    );
}

#[traced(tracer = tracer, tags(value))]
fn tagged<T: Clone + tracehound::span::IntoTag>(tracer: &JaegerTracer, value: T) {}

#[traced(tracer = tracer, tags(value))]
fn displayed<T: fmt::Display + ?Sized>(tracer: &JaegerTracer, value: &T) {}

/// A function for a type of value. In a generic function the compiler would know only its bounds.
macro_rules! tag_of {
    ($tracer:expr, $spans:expr, $value:expr, $ty:ty) => {{
        #[traced(tracer = tracer, tags(value))]
        fn call(tracer: &JaegerTracer, value: $ty) {}
        call($tracer, $value);
        let span = $spans.take().remove(0);
        let tag = span.tags.into_iter().find(|tag| tag.key == "value");
        tag.map(|tag| format!("{:?}", tag.value))
    }};
}

#[test]
fn a_value_keeps_its_type_where_a_tag_has_one() {
    let (tracer, spans) = recording_tracer();
    macro_rules! rows {
        ($($value:expr, $ty:ty => $expected:expr;)*) => {$(
            assert_eq!(
                tag_of!(&tracer, spans, $value, $ty).as_deref(),
                $expected,
                stringify!($ty)
            );
        )*};
    }
    rows! {
        5, u32 => Some("Long(5)");
        &5, &u32 => Some("Long(5)");
        true, bool => Some("Bool(true)");
        0.5, f64 => Some("Double(0.5)");
        "a", &str => Some("String(\"a\")");
        &"a", &&str => Some("String(\"a\")");
        "a".to_owned(), String => Some("String(\"a\")");
        &"a".to_owned(), &String => Some("String(\"a\")");
        "a".into(), Box<str> => Some("String(\"a\")");
        "a".into(), Arc<str> => Some("String(\"a\")");
        "a".into(), Cow<'_, str> => Some("String(\"a\")");
        vec![1], Vec<u8> => Some("Binary([1])");
        &[1], &[u8] => Some("Binary([1])");
        Some(5), Option<u16> => Some("Long(5)");
        Some("a".to_owned()), Option<String> => Some("String(\"a\")");
        None, Option<&str> => None;
        Duration::from_millis(1_500), Duration => Some("String(\"1.5s\")");
        Ipv4Addr::LOCALHOST, Ipv4Addr => Some("String(\"127.0.0.1\")");
        OrderId(7), OrderId => Some("String(\"order-7\")");
        &OrderId(7), &OrderId => Some("String(\"order-7\")");
    }
    tagged(&tracer, 5_u8);
    displayed(&tracer, "text");
    displayed(&tracer, &OrderId(7));
    let spans = spans.take();
    let values: Vec<_> = spans.iter().map(|span| span.tag_text("value")).collect();
    assert_eq!(values, ["5", "text", "order-7"]);
}

#[traced(tracer = tracer, tags(n = { looked.set(looked.get() + 1); looked.get() }))]
fn looked_at(tracer: &JaegerTracer, looked: &Cell<u32>) -> u32 {
    looked.get()
}

#[test]
fn a_tag_is_evaluated_once_before_the_body_and_only_if_the_span_records() {
    let (kept, spans) = recording_tracer();
    let dropping = JaegerTracer::builder("test").sampler(ConstSampler::new(false));
    let dropping = dropping.build().unwrap();
    let looked = Cell::new(0);
    assert_eq!(looked_at(&kept, &looked), 1);
    assert_eq!(spans.spans()[0].tag_text("n"), "1");
    assert_eq!(looked_at(&dropping, &looked), 1);
    assert_eq!(looked_at(&JaegerTracer::disabled(), &looked), 1);
}

#[traced(tracer = tracer, tags(a = 1, first = items[0], b = 2))]
fn indexed(tracer: &JaegerTracer, items: &[u8]) -> usize {
    items.len()
}

#[test]
fn a_tag_that_panics_is_counted_and_the_body_runs() {
    let (builder, spans) = recording_builder();
    let tracer = builder.build().unwrap();
    assert_eq!(indexed(&tracer, &[]), 0);
    let span = spans.spans().remove(0);
    assert_eq!(texts(&span.tags), ["a=1"]);
    assert_eq!(span.operation_name, "indexed");
    assert!(!span.is_error());
    assert_eq!(tracer.metrics().get(Counter::CallbackPanics), 1);
}
