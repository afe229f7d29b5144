//! Properties of every context and of all headers.

use proptest::prelude::*;
use tracehound::SpanContext;
use tracehound::metrics::Counter;
use tracehound::model::Flags;
use tracehound::propagation::{B3Codec, Extractor, Injector, Key};

use super::{Counted, text, written};
use crate::propagation::properties::{check_limits, config, context};
use crate::propagation::{Headers, items};

/// Values near to what a B3 header may hold.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9a-fA-F]{0,34}",
        "[0-9a-f]{1,33}-[0-9a-f]{1,17}(-[01dtrue]{0,2}(-[0-9a-f]{0,17})?)?",
        "[01d]|true|false",
        ".{0,40}",
        "[0-9a-f,; -]{0,80}",
    ]
}

fn headers() -> impl Strategy<Value = Headers> {
    let name = prop::sample::select(vec![
        "b3",
        "X-B3-TraceId",
        "x-b3-spanid",
        "x-b3-parentspanid",
        "X-B3-SAMPLED",
        "x-b3-flags",
        "baggage-K",
        "baggage-é",
    ]);
    prop::collection::vec((name.prop_map(str::to_owned), value()), 0..8)
}

/// Removes what B3 cannot carry: flags beyond sampled and debug.
fn carried(context: &SpanContext) -> SpanContext {
    let flags = context.flags().bits();
    let flags = Flags::from_bits(if flags & 1 == 0 { 0 } else { flags & 3 });
    match (context.trace_id(), context.span_id()) {
        (Some(trace_id), Some(span_id)) => {
            SpanContext::new(trace_id, span_id, context.parent_id(), flags)
                .with_baggage(context.baggage().clone())
        }
        _ => context.clone(),
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn extract_returns_what_inject_wrote(
        context in context("[a-z0-9!#$%&'*+.^_`|~-]{1,40}"),
    ) {
        for codec in [B3Codec::multiple_headers(), B3Codec::single_header()] {
            let counted = Counted::new(codec);
            let mut headers = Headers::new();
            counted.codec.inject(&context, &mut headers);
            let read = counted.codec.extract(&headers).unwrap().unwrap_or_default();
            prop_assert_eq!(text(&read), text(&carried(&context)));
            prop_assert_eq!(items(&read), items(&context));
            prop_assert_eq!(counted.get(Counter::BaggageItemsSkipped), 0);
            prop_assert_eq!(counted.get(Counter::PropagationConflicts), 0);
        }
    }

    #[test]
    fn inject_writes_only_safe_ascii(context in context(".{0,20}")) {
        for codec in [B3Codec::multiple_headers(), B3Codec::single_header()] {
            for (name, value) in written(&codec, &context) {
                prop_assert!(Key::new(&name).is_ok(), "{name:?}");
                let is_printable = |byte: u8| matches!(byte, b' '..=b'~');
                prop_assert!(value.bytes().all(is_printable), "{name:?}: {value:?}");
                prop_assert_eq!(value.trim(), &*value);
            }
        }
    }

    #[test]
    fn any_headers_are_read_within_the_limits(headers in headers()) {
        for codec in [B3Codec::multiple_headers(), B3Codec::single_header()] {
            match codec.extract(&headers) {
                Ok(Some(context)) => {
                    check_limits(&context);
                    let multiple = B3Codec::multiple_headers();
                    let sent_on = written(&multiple, &context);
                    let read = multiple.extract(&sent_on).unwrap().unwrap_or_default();
                    prop_assert_eq!(text(&read), text(&context));
                }
                Ok(None) => {}
                Err(error) => prop_assert!(error.to_string().len() < 400, "{error}"),
            }
        }
    }
}
