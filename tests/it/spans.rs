//! One span: its name, tags, logs, baggage and end.

mod capped;
mod first_use;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use tracehound::Span;
use tracehound::metrics::Counter;
use tracehound::model::{Baggage, Tag, TagValue, display, field};
use tracehound::prelude::*;

use crate::support::{fixed_tracer, log_texts, recording_tracer, texts};

#[test]
fn a_span_reports_everything_that_was_put_on_it() {
    let (tracer, spans, clock) = fixed_tracer();
    let span = tracer
        .build_span("checkout")
        .tag("span.kind", "server")
        .start();
    span.set_tag("n", 1usize)
        .set_tag("ok", true)
        .set_tag("rate", 0.5)
        .set_tag("b", &b"\x01"[..]);
    clock.advance(Duration::from_micros(10));
    span.log([field("event", "paid"), field("cents", 4_200)]);
    clock.advance(Duration::from_micros(5));
    span.finish();

    let spans = spans.spans();
    assert_eq!(spans.len(), 1);
    let span = &spans[0];
    assert_eq!(span.operation_name, "checkout");
    assert_eq!(span.trace_id.to_string(), "0000000000000001");
    assert_eq!(
        span.span_id.get(),
        1,
        "a root's span id is the low half of its trace id"
    );
    assert_eq!(span.parent_id, None);
    assert_eq!(span.flags.bits(), 1);
    assert_eq!(span.start.as_micros(), 1_500_000_000_000_000);
    assert_eq!(span.duration, Duration::from_micros(15));
    assert_eq!(
        texts(&span.tags),
        ["span.kind=server", "n=1", "ok=true", "rate=0.5", "b=01"]
    );
    assert_eq!(span.tags[0], Tag::new("sampler.type", "const"));
    assert_eq!(span.tags[1], Tag::new("sampler.param", true));
    assert_eq!(span.logs.len(), 1);
    assert_eq!(span.logs[0].timestamp.as_micros(), 1_500_000_000_000_010);
    assert_eq!(log_texts(&span.logs[0]), ["event=paid", "cents=4200"]);
}

#[test]
fn calls_take_values_of_many_types() {
    let (tracer, spans) = recording_tracer();
    let url = String::from("http://shop/cart");
    let span = tracer.start_span("checkout");
    span.set_tag("n", 1usize)
        .set_tag("u", &url)
        .set_tag("none", None::<i32>)
        .set_tag("some", Some("x"));
    span.set_tag("display", display(&std::net::Ipv4Addr::LOCALHOST));
    span.set_tag_with("lazy", || url.len());
    span.set_tag("i8", -1i8)
        .set_tag("u8", 1u8)
        .set_tag("f32", 1.5f32)
        .set_tag("cow", &url[..4]);
    span.log([field("event", "x"), field("bytes", 42)]);
    span.log([("event", "pairs"), ("too", "work")]);
    span.log_event("only");
    let error = "x".parse::<u8>().expect_err("not a number");
    span.log_error(&error);
    let boxed: Box<dyn std::error::Error + Send + Sync> = error.into();
    span.log_error(&*boxed);
    let _scope = span.activate();
    tracehound::scope::with_active_span(|s| {
        s.set_tag("a", 1);
    });
    span.finish();
    assert_eq!(
        texts(&spans.spans()[0].tags),
        [
            "n=1",
            "u=http://shop/cart",
            "some=x",
            "display=127.0.0.1",
            "lazy=16",
            "i8=-1",
            "u8=1",
            "f32=1.5",
            "cow=http",
            "error=true",
            "a=1",
        ]
    );
    assert_eq!(spans.spans()[0].logs.len(), 5);
}

#[test]
fn the_last_value_of_a_key_wins_in_the_place_of_the_first() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.build_span("s").tag("a", 1).tag("b", 2).start();
    span.set_tag("a", "three").set_tag("c", 4).set_tag("a", 5.5);
    span.finish();
    assert_eq!(texts(&spans.spans()[0].tags), ["a=5.5", "b=2", "c=4"]);
}

#[test]
fn numbers_that_jaeger_cannot_hold_arrive_as_text() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    span.set_tag("u", u64::MAX)
        .set_tag("nan", f64::NAN)
        .set_tag("inf", f64::INFINITY);
    span.log([field("minus", f64::NEG_INFINITY)]);
    span.finish();
    let span = &spans.spans()[0];
    assert_eq!(span.tag_text("u"), "18446744073709551615");
    assert_eq!(span.tags[3].value, TagValue::from("NaN"));
    assert_eq!(span.tags[4].value, TagValue::from("+Inf"));
    assert_eq!(log_texts(&span.logs[0]), ["minus=-Inf"]);
}

#[test]
fn the_name_can_be_replaced() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("GET");
    span.set_operation_name("GET /cart")
        .set_operation_name(String::from("GET /cart/{id}"));
    span.finish();
    assert_eq!(spans.spans()[0].operation_name, "GET /cart/{id}");
}

#[test]
fn an_error_log_has_kind_message_and_causes() {
    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("cannot read the port")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    let error = Outer("x".parse::<u8>().expect_err("not a number"));
    span.log_error(&error);
    let boxed: Box<dyn std::error::Error> = Box::new(error);
    span.log_error(&*boxed);
    span.finish();
    let span = &spans.spans()[0];
    assert_eq!(span.tag_text("error"), "true");
    let log = log_texts(&span.logs[0]);
    assert_eq!(log[0], "event=error");
    assert_eq!(log[1], "message=cannot read the port");
    assert!(
        log[2].starts_with("error.kind=") && log[2].ends_with("Outer"),
        "{log:?}"
    );
    assert_eq!(
        log[3],
        "error.object=cannot read the port: invalid digit found in string"
    );
    let keys: Vec<_> = span.logs[1]
        .fields
        .iter()
        .map(|field| &*field.key)
        .collect();
    assert_eq!(
        keys,
        ["event", "message", "error.object"],
        "the type behind dyn is not known"
    );
}

#[test]
fn a_log_may_have_a_time_of_its_own() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    span.log_at(
        UNIX_EPOCH + Duration::from_micros(5),
        [field("event", "then")],
    );
    span.finish();
    assert_eq!(spans.spans()[0].logs[0].timestamp.as_micros(), 5);
}

#[test]
fn baggage_is_seen_by_children_that_start_afterwards_only() {
    let (tracer, spans) = recording_tracer();
    let parent = tracer.start_span("parent");
    let before = tracer.build_span("before").child_of(&parent).start();
    let context_before = parent.context();
    parent.set_baggage_item("user", "42");
    let after = tracer.build_span("after").child_of(&parent).start();
    assert_eq!(before.baggage_item("user"), None);
    assert_eq!(context_before.baggage().get("user"), None);
    assert_eq!(after.baggage_item("user").as_deref(), Some("42"));
    after.set_baggage_item("deep", "1");
    assert_eq!(parent.baggage_item("deep"), None, "never upward");
    after.remove_baggage_item("user");
    assert_eq!(after.baggage_item("user"), None);
    assert_eq!(parent.baggage_item("user").as_deref(), Some("42"));
    parent.set_baggage_item("user", "");
    assert_eq!(
        parent.baggage_item("user").as_deref(),
        Some(""),
        "an empty value is a value"
    );
    drop((before, after, parent));
    let parent = &spans.spans()[2];
    assert_eq!(
        log_texts(&parent.logs[0]),
        ["event=baggage", "key=user", "value=42"]
    );
    assert_eq!(
        log_texts(&parent.logs[1]),
        ["event=baggage", "key=user", "value=", "override=true"]
    );
}

#[test]
fn baggage_beyond_a_limit_is_refused_and_counted() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    span.set_baggage_item("k", &"v".repeat(Baggage::MAX_BYTES));
    assert_eq!(span.baggage_item("k"), None);
    span.finish();
    assert_eq!(tracer.metrics().get(Counter::BaggageUpdatesErr), 1);
    assert!(log_texts(&spans.spans()[0].logs[0]).contains(&"invalid=true".to_owned()));
}

#[test]
fn a_finished_span_ignores_calls_and_keeps_its_context() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    span.set_baggage_item("kept", "1");
    let other = span.clone();
    let context = span.context();
    span.finish();
    other
        .set_operation_name("other")
        .set_tag("late", 1)
        .log_event("late")
        .set_baggage_item("b", "1");
    other.set_tag_with("late", || -> String { unreachable!("not recording") });
    assert!(!other.is_recording());
    assert_eq!(other.context(), context);
    drop(other);
    let spans = spans.spans();
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0].operation_name, "s");
    assert!(texts(&spans[0].tags).is_empty());
    assert_eq!(spans[0].logs.len(), 1, "the baggage's");
}

#[test]
fn a_second_finish_is_ignored_and_counted() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    span.clone().finish();
    span.clone().finish();
    drop(span);
    assert_eq!(spans.spans().len(), 1);
    assert_eq!(tracer.metrics().get(Counter::FinishedTwice), 1);
    assert_eq!(tracer.metrics().get(Counter::FinishedSpansSampled), 1);
}

#[test]
fn the_last_owner_finishes_the_span() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    let clone = span.clone();
    drop(span);
    assert!(spans.spans().is_empty());
    drop(clone);
    assert_eq!(spans.spans().len(), 1);
}

#[test]
fn a_handle_keeps_no_span_open() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    let handle = span.downgrade();
    let handles_clone = handle.clone();
    handle.set_tag("by", "handle");
    drop(span);
    assert_eq!(spans.spans().len(), 1);
    assert!(!handle.is_recording());
    drop((handle, handles_clone));
    assert_eq!(spans.spans().len(), 1);
    assert_eq!(spans.spans()[0].tag_text("by"), "handle");
}

#[test]
fn a_span_can_be_used_and_finished_on_any_thread() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let span = span.clone();
            std::thread::spawn(move || {
                span.set_tag(&format!("k{n}"), n);
            })
        })
        .collect();
    drop(span);
    for thread in threads {
        thread.join().expect("no panic");
    }
    let spans = spans.spans();
    assert_eq!(spans.len(), 1);
    assert_eq!(texts(&spans[0].tags).len(), 4);
}

#[test]
fn one_of_many_threads_finishes_a_span() {
    for _ in 0..50 {
        let (tracer, spans) = recording_tracer();
        let span = tracer.start_span("s");
        let barrier = Arc::new(std::sync::Barrier::new(4));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (span, barrier) = (span.clone(), barrier.clone());
                std::thread::spawn(move || {
                    barrier.wait();
                    span.finish();
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        drop(span);
        assert_eq!(spans.spans().len(), 1);
        assert_eq!(tracer.metrics().get(Counter::FinishedTwice), 3);
    }
}

#[test]
fn given_times_are_kept_exactly_and_a_duration_is_never_negative() {
    let (tracer, spans, clock) = fixed_tracer();
    let at = |micros| UNIX_EPOCH + Duration::from_micros(micros);
    tracer
        .build_span("both")
        .start_time(at(1_000))
        .start()
        .finish_at(at(1_500));
    tracer
        .build_span("before")
        .start_time(at(1_000))
        .start()
        .finish_at(at(900));
    let span = tracer
        .build_span("start")
        .start_time(at(1_500_000_000_000_000 - 7))
        .start();
    clock.advance(Duration::from_micros(3));
    span.finish();
    let spans = spans.spans();
    assert_eq!(spans[0].start.as_micros(), 1_000);
    assert_eq!(spans[0].duration, Duration::from_micros(500));
    assert_eq!(
        spans[1].duration,
        Duration::from_micros(1),
        "backends warn of no length"
    );
    assert_eq!(spans[2].duration, Duration::from_micros(10));
}

#[test]
fn a_clock_that_goes_backwards_gives_no_negative_duration() {
    let (tracer, spans, clock) = fixed_tracer();
    let span = tracer.start_span("s");
    clock.set_micros(1_000);
    span.finish();
    assert_eq!(spans.spans()[0].duration, Duration::from_micros(1));
}

#[test]
fn sampling_priority_raises_and_clears_the_flags() {
    let (tracer, spans) = recording_tracer();
    let rows: [(TagValue, u8); 15] = [
        (1i64.into(), 3),
        (2.5f64.into(), 3),
        (true.into(), 3),
        ("1".into(), 3),
        (" 7 ".into(), 3),
        (1u16.into(), 3),
        (0i64.into(), 0),
        ((-1i64).into(), 0),
        (0.0f64.into(), 0),
        (false.into(), 0),
        ("0".into(), 0),
        ("high".into(), 1),
        (f64::NAN.into(), 1),
        ("NaN".into(), 1),
        (vec![1].into(), 1),
    ];
    for (value, flags) in rows {
        let span = tracer.start_span("set");
        span.set_tag("sampling.priority", &value);
        assert_eq!(span.context().flags().bits(), flags, "set_tag {value:?}");
        drop(span);
        let span = tracer
            .build_span("start")
            .tag("other", 1)
            .tag("sampling.priority", &value)
            .start();
        assert_eq!(span.context().flags().bits(), flags, "start tag {value:?}");
    }
    for span in spans.spans() {
        assert!(
            span.flags.is_sampled(),
            "what is not sampled is not reported"
        );
    }
}

#[test]
fn sampling_priority_zero_clears_debug_too() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    span.set_tag("sampling.priority", 1)
        .set_tag("sampling.priority", 0);
    assert_eq!(span.context().flags().bits(), 0);
    span.finish();
    assert!(spans.spans().is_empty());
}

#[test]
fn a_noop_span_does_nothing() {
    let span = Span::noop();
    span.set_operation_name("x")
        .set_tag("a", 1)
        .log_event("e")
        .set_baggage_item("k", "v");
    span.set_tag_with("a", || -> i32 { unreachable!("never evaluated") });
    span.log((0..1).map(|_| -> tracehound::model::FieldRef<'_> { unreachable!("never iterated") }));
    assert!(span.context().is_empty());
    assert!(span.is_noop() && !span.is_recording());
    span.finish();
}
