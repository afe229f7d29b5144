//! A span under strain: panics, values that use their own span, and more data than the limits allow.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tracehound::Span;
use tracehound::metrics::Counter;
use tracehound::model::{Tag, TagValue, display, field, tags};
use tracehound::prelude::*;
use tracehound::span::Limits;

use crate::support::{log_texts, recording_builder, recording_tracer, texts};

#[test]
fn a_panic_in_a_display_or_a_closure_leaves_the_span_intact() {
    struct Bad;
    impl fmt::Display for Bad {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("display")
        }
    }
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    span.set_tag("bad", display(&Bad));
    span.set_tag_with("bad", || -> String { panic!("closure") });
    span.log([field("bad", display(&Bad))]);
    span.log((0..2).map(|n| {
        if n == 0 {
            field("n", n)
        } else {
            panic!("iterator")
        }
    }));
    span.set_tag("good", 1);
    span.finish();
    let span = &spans.spans()[0];
    assert_eq!(texts(&span.tags), ["good=1"]);
    assert!(span.logs.is_empty());
    assert_eq!(tracer.metrics().get(Counter::CallbackPanics), 4);
}

#[test]
fn a_display_may_use_the_span_that_it_is_a_tag_of() {
    struct Nosy(Span);
    impl fmt::Display for Nosy {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0
                .set_tag("from_display", 1)
                .log([field("nested", display(&1))]);
            f.write_str("nosy")
        }
    }
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    let nosy = Nosy(span.clone());
    span.set_tag("tag", display(&nosy));
    span.log([field("field", display(&nosy))]);
    span.set_tag_with("closure", || {
        span.set_tag("from_closure", 1);
        "value"
    });
    drop(nosy);
    span.finish();
    let span = &spans.spans()[0];
    assert_eq!(
        texts(&span.tags),
        [
            "from_display=1",
            "tag=nosy",
            "from_closure=1",
            "closure=value"
        ]
    );
    assert_eq!(span.logs.len(), 3);
}

#[test]
fn values_and_logs_beyond_the_limits_are_cut_visibly_and_counted() {
    let (builder, spans) = recording_builder();
    let tracer = builder
        .limits(
            Limits::default()
                .tag_value_bytes(8)
                .log_value_bytes(8)
                .logs(4)
                .operation_name_bytes(6),
        )
        .build()
        .expect("the service has a name");
    let span = tracer.start_span("a long name");
    span.set_tag("long", "0123456789")
        .set_tag("long_display", display(&"0123456789"));
    for n in 0..10 {
        span.log([field("n", n), field("long", "0123456789")]);
    }
    span.finish();
    let span = &spans.spans()[0];
    assert_eq!(span.operation_name, "a l…");
    assert_eq!(texts(&span.tags), ["long=01234…", "long_display=01234…"]);
    assert_eq!(span.logs.len(), 4);
    assert_eq!(log_texts(&span.logs[0]), ["n=0", "long=01234…"]);
    assert_eq!(span.logs[1].fields[1], Tag::new("dropped_log_count", 7));
    assert_eq!(log_texts(&span.logs[3]), ["n=9", "long=01234…"]);
    assert_eq!(tracer.metrics().get(Counter::TruncatedValues), 13);
    assert_eq!(tracer.metrics().get(Counter::DroppedItems), 7);
}

#[test]
fn binary_values_that_are_cut_are_listed_by_their_keys() {
    let (builder, spans) = recording_builder();
    let limits = Limits::default().tag_value_bytes(8).log_value_bytes(8);
    let tracer = builder.limits(limits).build().unwrap();
    let [short, long, longer] = [&[1; 8][..], &[1; 9], &[1; 900]];
    let listed = |tags: &[Tag]| {
        let mark = tags.iter().find(|tag| tag.key == tags::TRUNCATED_BINARY);
        mark.map(|tag| tag.value.to_string())
    };
    type Row<'a> = (&'a [(&'a str, &'a [u8])], Option<&'a str>);
    let key = "k".repeat(255);
    let fields = ["1", "2", "3", "4", "5"].map(|n| (&*key, n));
    let keys = fields.map(|(key, n)| format!("{key}{n}"));
    let many = keys.each_ref().map(|key| (&**key, long));
    let cut_list = format!("{}…", &keys.join(", ")[..1_021]);
    let rows: [Row<'_>; 6] = [
        (&[("a", short)], None),
        (&[("a", long)], Some("a")),
        (&[("a", long), ("b", short), ("c", longer)], Some("a, c")),
        (&[("a", long), ("a", longer)], Some("a")),
        (&[("", long), ("é", long)], Some(", é")),
        (&many, Some(&cut_list)),
    ];
    for (values, expected) in rows {
        let span = tracer.start_span("s");
        for (key, value) in values {
            span.set_tag(key, *value);
        }
        span.log(values.iter().map(|(key, value)| field(key, *value)));
        span.finish();
        let builder = tracer.build_span("s");
        let builder = values
            .iter()
            .fold(builder, |builder, (key, value)| builder.tag(key, *value));
        builder.start().finish();
        let spans = spans.take();
        let lists = [&spans[0].tags, &spans[0].logs[0].fields, &spans[1].tags];
        for tags in lists {
            assert_eq!(listed(tags).as_deref(), expected, "{values:?}");
        }
    }
}

#[test]
fn a_binary_value_that_a_shorter_one_has_replaced_is_not_listed() {
    let (builder, spans) = recording_builder();
    let limits = Limits::default().tag_value_bytes(8);
    let tracer = builder.limits(limits).build().unwrap();
    for last in [TagValue::from("text"), TagValue::Binary(vec![1])] {
        let span = tracer.start_span("s");
        span.set_tag("a", &[1; 9][..]).set_tag("a", last.as_ref());
        span.finish();
        let span = &spans.take()[0];
        assert!(span.tag(tags::TRUNCATED_BINARY).is_none(), "{span:?}");
        assert_eq!(span.tag_text("a"), last.to_string());
    }
    // The next span in the same slot has a list of its own.
    tracer.start_span("s").set_tag("b", &[1; 9][..]);
    assert_eq!(spans.spans()[0].tag_text(tags::TRUNCATED_BINARY), "b");
}

#[test]
fn keys_that_become_equal_when_they_are_cut_are_one_tag() {
    let (builder, spans) = recording_builder();
    let tracer = builder
        .limits(Limits::default().key_bytes(16))
        .build()
        .expect("the service has a name");
    tracer
        .start_span("s")
        .set_tag("a key that is too long", 1)
        .set_tag("b", 2)
        .set_tag("a key that is too long as well", 3);
    assert_eq!(texts(&spans.spans()[0].tags), ["a key that is…=3", "b=2"]);
}

#[test]
fn one_tag_marks_all_items_that_are_left_out() {
    let (builder, spans) = recording_builder();
    let tracer = builder
        .limits(Limits::default().span_bytes(100))
        .build()
        .expect("the service has a name");
    // The first span finds no buffer in its thread; the others reuse one.
    for _ in 0..3 {
        let span = tracer.start_span("s");
        for n in 0..50 {
            span.set_tag(&format!("key-{n}"), n);
        }
    }
    for span in spans.spans() {
        let marks = span
            .tags
            .iter()
            .filter(|tag| tag.key == tags::DROPPED_ITEMS);
        assert_eq!(marks.count(), 1, "{:?}", span.tags);
    }
}

#[test]
fn a_huge_span_stays_bounded_and_says_so() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    for n in 0..100_000 {
        span.set_tag(&format!("key-{n}"), n);
    }
    span.log((0..100_000).map(|n| field("n", n)));
    span.finish();
    let span = &spans.spans()[0];
    let dropped: u64 = span
        .tag_text(tags::DROPPED_ITEMS)
        .parse()
        .expect("a number");
    assert!(dropped > 50_000, "{dropped}");
    assert_eq!(tracer.metrics().get(Counter::DroppedItems), dropped);
    assert!(span.tags.len() > 10_000);
}

#[test]
fn a_span_dropped_by_a_panic_is_marked() {
    let (tracer, spans) = recording_tracer();
    let result = catch_unwind(AssertUnwindSafe(|| {
        let _span = tracer.start_span("s");
        panic!("the request fails");
    }));
    assert!(result.is_err());
    let span = &spans.spans()[0];
    assert_eq!(span.tag_text("error"), "true");
    assert_eq!(log_texts(&span.logs[0]), ["event=panic"]);
}
