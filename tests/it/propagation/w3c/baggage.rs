//! The header `baggage`.

use tracehound::metrics::Counter;
use tracehound::propagation::{
    CompositeCodec, Extractor, Injector, JaegerCodec, TextMapWriter, W3cCodec,
};

use super::{Counted, PARENT, sampled};
use crate::propagation::{Headers, owned};

#[test]
fn baggage_alone_is_a_context_without_a_trace() {
    let counted = Counted::new();
    for headers in [
        &[("baggage", "k=v")][..],
        &[("Baggage", "k=v"), ("tracestate", "a=1")],
    ] {
        let read = counted.read(headers);
        assert!(!read.has_trace());
        assert_eq!(read.trace_state(), None);
        assert_eq!(read.baggage().get("k"), Some("v"));
        assert_eq!(counted.inject(&read), owned(&[("baggage", "k=v")]));
    }
    for nothing in ["", " , ", "k", "=v"] {
        assert_eq!(
            counted.extract(&[("baggage", nothing)]),
            Ok(None),
            "{nothing:?}"
        );
    }
}

#[test]
fn baggage_goes_on_with_its_properties() {
    let counted = Counted::new();
    for (received, sent_on) in [
        ("k=v", "k=v"),
        ("k=v;p", "k=v;p"),
        ("K = v ; p = 1 ; q , l = w", "K=v;p = 1 ; q,l=w"),
        ("k=a%20b%2c%c3%a9", "k=a%20b%2C%C3%A9"),
        ("k=a:b/c", "k=a%3Ab%2Fc"),
        ("k=YWJj==", "k=YWJj%3D%3D"),
        ("k=a+b", "k=a%2Bb"),
        ("k=100%", "k=100%25"),
        ("k=%FF", "k=%EF%BF%BD"),
        ("a=1,b=2,a=3", "a=3,b=2"),
        ("a=1,bad,b=2;", "a=1,b=2"),
        ("a%20b=1", "a%20b=1"),
    ] {
        let read = counted.read(&[("traceparent", PARENT), ("baggage", received)]);
        let expected = [("traceparent", PARENT), ("baggage", sent_on)];
        assert_eq!(counted.inject(&read), owned(&expected), "{received}");
    }
    assert_eq!(counted.count(Counter::BaggageItemsSkipped), 1);
    let two = [("baggage", "a=1;p,b=2"), ("baggage", "c=3")];
    assert_eq!(
        counted.inject(&counted.read(&two)),
        owned(&[("baggage", "a=1;p,b=2,c=3")])
    );
}

#[test]
fn members_beyond_the_limits_are_left_out_and_counted() {
    let list = |members: usize| {
        let members: Vec<_> = (0..members).map(|n| format!("k{n}=v")).collect();
        members.join(",")
    };
    for (members, skipped) in [(64, 0), (65, 1), (180, 116)] {
        let counted = Counted::new();
        let read = counted.read(&[("traceparent", PARENT), ("baggage", &list(members))]);
        assert_eq!(read.baggage().len(), 64);
        assert_eq!(counted.count(Counter::BaggageItemsSkipped), skipped);
        assert_eq!(counted.inject(&read)[1].1, list(64));
    }
    for (bytes, skipped) in [(8_192, 0), (8_193, 1)] {
        let counted = Counted::new();
        // Without the separators, which the limit of a list does not count.
        let value = "v".repeat(bytes - 2);
        let read = counted.read(&[("traceparent", PARENT), ("baggage", &format!("kk={value}"))]);
        assert_eq!(read.baggage().len() as u64, 1 - skipped);
        assert_eq!(counted.count(Counter::BaggageItemsSkipped), skipped);
    }
    // A header of exactly 8,192 bytes is written, one of 8,193 is not.
    for (bytes, skipped) in [(8_192, 0), (8_193, 1)] {
        let counted = Counted::new();
        let context = sampled().with_baggage_item("k", &"v".repeat(bytes - 2));
        assert_eq!(context.baggage().len(), 1);
        assert_eq!(counted.inject(&context).len() as u64, 2 - skipped);
        assert_eq!(counted.count(Counter::BaggageItemsSkipped), skipped);
    }
    let counted = Counted::new();
    let many: Vec<_> = (0..200).map(|_| ("baggage", "k=v")).collect();
    assert_eq!(counted.read(&many).baggage().len(), 1);
    assert_eq!(counted.count(Counter::BaggageItemsSkipped), 200 - 64);
}

#[test]
fn inject_counts_what_the_carrier_or_the_header_cannot_hold() {
    struct Full;
    impl TextMapWriter for Full {
        fn set(&mut self, _: &str, _: &str) -> bool {
            false
        }
    }
    let context = sampled()
        .with_baggage_item("a b", "v")
        .with_baggage_item("k", "v");
    let counted = Counted::new();
    assert_eq!(counted.inject(&context)[1..], owned(&[("baggage", "k=v")]));
    assert_eq!(counted.count(Counter::BaggageItemsSkipped), 1);
    counted.codec.inject(&context, &mut Full);
    assert_eq!(counted.count(Counter::BaggageItemsSkipped), 3);
}

#[test]
fn an_item_that_comes_in_two_formats_is_one_item() {
    let jaeger_first = CompositeCodec::new()
        .member(JaegerCodec::http_headers())
        .member(W3cCodec::new());
    let w3c_first = CompositeCodec::new()
        .member(W3cCodec::new())
        .member(JaegerCodec::http_headers());
    for codec in [jaeger_first, w3c_first] {
        let list = "userId=1;p,region=eu,cart=a%20b;q=1;r";
        let headers = [("traceparent", PARENT), ("baggage", list)];
        let mut context = codec.extract(&headers).unwrap().expect("a trace");
        for hop in 0..3 {
            let mut written = Headers::new();
            codec.inject(&context, &mut written);
            let baggage = written.iter().find(|(name, _)| name == "baggage");
            assert_eq!(baggage.map(|(_, value)| &**value), Some(list), "{hop}");
            assert_eq!(written.len(), 2 + 1 + 3, "{hop}");
            // Header names lose their case on the way.
            written
                .iter_mut()
                .for_each(|(name, _)| name.make_ascii_lowercase());
            context = codec.extract(&written).unwrap().expect("a trace");
        }
    }
}
