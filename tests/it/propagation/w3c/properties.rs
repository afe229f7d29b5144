//! Properties of every context and of every input.

use proptest::prelude::*;
use tracehound::SpanContext;
use tracehound::metrics::Counter;
use tracehound::model::{Baggage, Flags, SpanId, TraceId};
use tracehound::propagation::{Extractor, Injector, TextMapReader, W3cCodec};

use super::{Counted, trace_state};
use crate::propagation::Headers;

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn baggage() -> impl Strategy<Value = Baggage> {
    let item = (
        "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}",
        ".{0,16}",
        "([!-+\\--~][ -+\\--~]{0,9}[!-+\\--~])?",
    );
    prop::collection::vec(item, 0..70).prop_map(|items| {
        items
            .iter()
            .fold(Baggage::default(), |list, (key, value, properties)| {
                list.with_properties(key, value, properties).unwrap_or(list)
            })
    })
}

const MEMBER: &str = "[a-z0-9][a-z0-9_*/@-]{0,12}=[ -+\\--<>-~]{0,20}[!-+\\--<>-~]";

fn contexts() -> impl Strategy<Value = SpanContext> {
    let ids = (
        any::<u64>(),
        any::<u64>(),
        any::<u64>(),
        any::<u8>(),
        any::<bool>(),
    );
    let states = prop::collection::vec(MEMBER, 0..14);
    (ids, states, baggage()).prop_map(|((high, low, span, flags, is_random), members, baggage)| {
        let trace_state = members.join(",").parse().expect("well-formed");
        let flags = Flags::from_bits(flags & 1);
        let context = TraceId::new(high, low)
            .zip(SpanId::new(span))
            .map(|(trace, span)| {
                SpanContext::new(trace, span, None, flags)
                    .with_random_trace_id(is_random)
                    .with_trace_state(trace_state)
            });
        context.unwrap_or_default().with_baggage(baggage)
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn inject_then_extract_is_the_identity(context in contexts()) {
        let counted = Counted::new();
        let written = counted.inject(&context);
        let is_whole = counted.count(Counter::BaggageItemsSkipped) == 0;
        let read = counted.codec.extract(&written).unwrap().unwrap_or_default();
        if is_whole {
            prop_assert_eq!(&read, &context);
            let kept: Vec<_> = read.baggage().iter_with_properties().collect();
            let items: Vec<_> = context.baggage().iter_with_properties().collect();
            prop_assert_eq!(kept, items);
        }
        prop_assert_eq!(read.has_random_trace_id(), context.has_random_trace_id());
        prop_assert_eq!(trace_state(&read), trace_state(&context));
        prop_assert_eq!(counted.inject(&read), written);
    }

    #[test]
    fn any_headers_are_read_within_the_limits(
        parent in prop_oneof![
            ".{0,70}",
            "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.{0,9})?",
        ],
        states in prop::collection::vec(prop_oneof!["[ -~]{0,80}", MEMBER], 0..4),
        lists in prop::collection::vec(prop_oneof![".{0,80}", "[a-c]=[%0-9a-f;=, ]{0,40}"], 0..4),
    ) {
        let mut headers = vec![("traceparent".to_owned(), parent)];
        headers.extend(states.into_iter().map(|state| ("tracestate".to_owned(), state)));
        headers.extend(lists.into_iter().map(|list| ("baggage".to_owned(), list)));
        let codec = W3cCodec::new();
        for headers in [&headers[..], &headers[1..]] {
            let carrier: &dyn TextMapReader = &headers;
            let Ok(Some(context)) = codec.extract(carrier) else { continue };
            prop_assert!(context.baggage().len() <= Baggage::MAX_ITEMS);
            let mut written = Headers::new();
            codec.inject(&context, &mut written);
            let read = codec.extract(&written).unwrap().expect("a context");
            prop_assert_eq!(&read, &context);
            let mut again = Headers::new();
            codec.inject(&read, &mut again);
            prop_assert_eq!(again, written);
        }
    }
}
