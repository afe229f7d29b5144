//! What a first user of spans meets: values of many types, errors on their way, a tracer that goes too early.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter;
use tracehound::model::{TagValue, field};
use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;
use tracehound::tracer::TracerBuilder;
use tracehound::{JaegerTracer, Span};

use crate::support::{recording_builder, recording_tracer, texts};

/// Returns the lines that a tracer says during `act`, which ends the tracer.
fn said(
    with: impl FnOnce(TracerBuilder) -> TracerBuilder,
    act: impl FnOnce(JaegerTracer),
) -> Vec<String> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let heard = lines.clone();
    let (builder, _) = recording_builder();
    let builder = builder.diagnostics(Diagnostics::with_handler(move |line| {
        heard.lock().unwrap().push(line.to_owned());
    }));
    act(with(builder).build().expect("named"));
    let lines = lines.lock().unwrap();
    lines.clone()
}

#[test]
fn a_tracer_that_is_dropped_says_how_many_open_spans_it_cuts_off() {
    let start = |tracer: &JaegerTracer, count: usize| -> Vec<_> {
        (0..count).map(|_| tracer.start_span("open")).collect()
    };
    for count in [1, 3, 40] {
        let lines = said(
            |builder| builder,
            |tracer| {
                let open = start(&tracer, count);
                start(&tracer, 7).into_iter().for_each(Span::finish);
                drop(tracer.clone());
                drop(tracer);
                open.into_iter().for_each(Span::finish);
            },
        );
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains(&format!(" {count} ")), "{lines:?}");
    }
    // In a task that outlives the tracer, and after a `close` whose report was ignored.
    let lines = said(
        |builder| builder,
        |tracer| {
            let span = tracer.start_span("elsewhere");
            let (release, wait) = std::sync::mpsc::channel::<()>();
            let thread = std::thread::spawn(move || {
                let _ = wait.recv();
                span.finish();
            });
            let _ = tracer.close(Duration::from_secs(5));
            drop(tracer);
            drop(release);
            thread.join().expect("no panic");
        },
    );
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn a_tracer_that_is_dropped_says_nothing_if_nothing_is_lost() {
    let keeps = |builder: TracerBuilder| builder;
    let drops = |builder: TracerBuilder| builder.sampler(ConstSampler::new(false));
    let quiet = [
        said(keeps, |tracer| tracer.start_span("done").finish()),
        said(keeps, |tracer| {
            let parent = tracer.start_span("parent");
            let child = tracer.build_span("child").child_of(&parent).start();
            parent.finish();
            drop(child);
        }),
        // Not sampled, so the span would not have been sent.
        said(drops, |tracer| {
            let open = tracer.start_span("open");
            drop(tracer);
            open.finish();
        }),
        said(keeps, |tracer| {
            let open = tracer.start_span("refused");
            open.set_tag("sampling.priority", 0);
            open.finish();
        }),
    ];
    assert_eq!(quiet, [const { Vec::<String>::new() }; 4]);
}

#[test]
#[expect(
    clippy::needless_borrows_for_generic_args,
    reason = "references are values, too"
)]
fn a_tag_takes_what_a_program_has_at_hand() {
    use std::borrow::Cow;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    use std::rc::Rc;

    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    let (n, time) = (3, Duration::from_millis(1_500));
    let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
    span.set_tag("format", format!("{n} items"))
        .set_tag("arguments", format_args!("{n} items"))
        .set_tag("char", 'é')
        .set_tag("time", time)
        .set_tag("time by reference", &time)
        .set_tag("ip", ip)
        .set_tag("ip by reference", &ip)
        .set_tag("ipv6", Ipv6Addr::LOCALHOST)
        .set_tag("socket", SocketAddr::new(ip, 80))
        .set_tag("array", [1, 2])
        .set_tag("array by reference", &[1, 2])
        .set_tag("literal", b"\x01\x02")
        .set_tag("vec", vec![1, 2])
        .set_tag("borrowed", Cow::Borrowed("text"))
        .set_tag("owned", Cow::<str>::Owned("text".to_owned()))
        .set_tag("bytes", Cow::Borrowed(&[1, 2][..]))
        .set_tag("boxed", Box::<str>::from("text"))
        .set_tag("shared", Arc::<str>::from("text"))
        .set_tag("counted", Rc::<str>::from("text"))
        .set_tag("value", TagValue::Long(1))
        .set_tag("u128", 7_u128)
        .set_tag("i128", -7_i128)
        .set_tag("u128 max", u128::MAX)
        .set_tag("i128 min", i128::MIN)
        .set_tag("some", Some(format!("{n}")))
        .set_tag("none", None::<String>)
        .set_tag("no time", None::<Duration>);
    span.finish();
    let spans = spans.spans();
    let text = |text: &str| TagValue::from(text.to_owned());
    let bytes = || TagValue::from(vec![1, 2]);
    let expected = [
        ("format", text("3 items")),
        ("arguments", text("3 items")),
        ("char", text("é")),
        ("time", text("1.5s")),
        ("time by reference", text("1.5s")),
        ("ip", text("127.0.0.1")),
        ("ip by reference", text("127.0.0.1")),
        ("ipv6", text("::1")),
        ("socket", text("127.0.0.1:80")),
        ("array", bytes()),
        ("array by reference", bytes()),
        ("literal", bytes()),
        ("vec", bytes()),
        ("borrowed", text("text")),
        ("owned", text("text")),
        ("bytes", bytes()),
        ("boxed", text("text")),
        ("shared", text("text")),
        ("counted", text("text")),
        ("value", TagValue::Long(1)),
        ("u128", TagValue::Long(7)),
        ("i128", TagValue::Long(-7)),
        ("u128 max", text(&u128::MAX.to_string())),
        ("i128 min", text(&i128::MIN.to_string())),
        ("some", text("3")),
    ];
    let tags = spans[0].tags.iter();
    let tags: Vec<_> = tags
        .filter(|tag| !tag.key.starts_with("sampler."))
        .map(|tag| (&*tag.key, tag.value.clone()))
        .collect();
    assert_eq!(tags, expected);
}

/// A text that must not be formatted.
struct NeverFormatted;

impl fmt::Display for NeverFormatted {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("formatted, although the span does not record")
    }
}

#[test]
fn arguments_are_formatted_only_if_the_span_records() {
    let (builder, _) = recording_builder();
    let unsampled = builder
        .sampler(ConstSampler::new(false))
        .build()
        .expect("named");
    let span = unsampled.start_span("s");
    span.set_tag("k", format_args!("{NeverFormatted}"));
    Span::noop().set_tag("k", format_args!("{NeverFormatted}"));
    assert_eq!(unsampled.metrics().get(Counter::CallbackPanics), 0);
}

#[test]
fn a_span_finishes_by_reference() {
    struct Connection {
        span: Span,
    }
    let (tracer, spans) = recording_tracer();
    let connection = Connection {
        span: tracer.start_span("connection"),
    };
    connection.span.finish_by_ref();
    assert_eq!(spans.spans().len(), 1);
    let handle = connection.span.downgrade();
    handle.finish_by_ref();
    assert_eq!(tracer.metrics().get(Counter::FinishedTwice), 1);
    drop(connection);
    assert_eq!(spans.spans().len(), 1);
    // A handle that does not own the span ends it too.
    let owner = tracer.start_span("owner");
    owner.downgrade().finish_by_ref();
    assert_eq!(spans.spans().len(), 2);
    assert!(!owner.is_recording());
    Span::noop().finish_by_ref();
}

#[test]
fn an_id_source_that_panics_is_named_and_its_ids_are_random() {
    let (lines, said) = std::sync::mpsc::channel();
    let (builder, spans) = recording_builder();
    let tracer = builder
        .id_source(|| panic!("on purpose"))
        .diagnostics(Diagnostics::with_handler(move |line| {
            let _ = lines.send(line.to_owned());
        }))
        .build()
        .expect("named");
    for _ in 0..3 {
        tracer.start_span("s").finish();
    }
    let ids: std::collections::HashSet<_> =
        spans.spans().into_iter().map(|span| span.span_id).collect();
    assert_eq!(ids.len(), 3);
    let said: Vec<_> = said.try_iter().collect();
    assert_eq!(said, ["the id source panicked during the start of a span"]);
    assert_eq!(tracer.metrics().get(Counter::CallbackPanics), 3);
}

#[test]
fn an_error_is_logged_on_its_way() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    let scope = span.activate();
    let read = |text: &str| {
        text.parse::<u16>()
            .inspect_err(|error| active_span().log_error(error))
    };
    assert!(read("x").is_err());
    tracehound::scope::with_active_span(|span| span.log_error(&fmt::Error));
    let boxed: Result<(), Box<dyn std::error::Error>> = Err("boxed".into());
    assert!(boxed.inspect_err(|error| span.log_error(&**error)).is_err());
    drop(scope);
    span.finish();
    assert_eq!(spans.spans()[0].logs.len(), 3);
    assert_eq!(spans.spans()[0].tag_text("error"), "true");
}

#[test]
fn tracers_and_spans_can_cross_catch_unwind() {
    use std::panic::{RefUnwindSafe, UnwindSafe, catch_unwind};

    fn is_safe<T: UnwindSafe + RefUnwindSafe>(_: &T) {}

    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    is_safe(&tracer);
    is_safe(&span);
    is_safe(&span.context());
    let context = span.context();
    let caught = catch_unwind(|| {
        let _child = tracer.build_span("child").child_of(&context).start();
        span.set_tag("before", true);
        panic!("on purpose");
    });
    assert!(caught.is_err());
    span.set_tag("after", true).finish_by_ref();
    assert_eq!(spans.spans().len(), 2);
    assert_eq!(texts(&spans.spans()[1].tags), ["before=true", "after=true"]);
    assert!(catch_unwind(move || drop((tracer, span))).is_ok());
}

#[test]
fn a_boxed_tracer_is_a_tracer() {
    fn run(tracer: &impl Tracer) {
        let span = tracer.start_span("outer");
        let _scope = span.activate();
        active_span().log([field("event", "e")]);
        tracer.build_span("inner").start().finish();
    }
    let (tracer, spans) = recording_tracer();
    let boxed: Box<dyn Tracer> = Box::new(tracer);
    run(&boxed);
    assert!(!boxed.is_noop());
    assert_eq!(spans.spans().len(), 2);
    let none: Box<dyn Tracer> = Box::new(JaegerTracer::disabled());
    assert!(none.is_noop() && none.start_span("s").is_noop());
}
