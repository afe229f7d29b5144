//! Several formats in one carrier agree with each other.

use std::collections::{BTreeMap, HashMap};

use tracehound::metrics::Counter;
use tracehound::model::{Baggage, Flags};
use tracehound::prelude::*;
use tracehound::propagation::{HttpHeaders, InjectCarrier, Propagation};
use tracehound::reporter::NullReporter;
use tracehound::{Config, JaegerTracer};

use super::context;

fn tracer(formats: impl IntoIterator<Item = Propagation>) -> JaegerTracer {
    Config::new("test")
        .propagation(formats)
        .reporter(NullReporter::new())
        .build()
        .expect("named")
}

#[test]
fn formats_decide_alike_with_every_flag() {
    let tracer = tracer([Propagation::Jaeger, Propagation::W3c, Propagation::B3]);
    for bits in 0..=u8::MAX {
        let sent = context().with_flags(Flags::from_bits(bits));
        let mut headers = BTreeMap::new();
        tracer.inject(&sent, &mut HttpHeaders(&mut headers));
        let read = tracer.extract(&HttpHeaders(&headers)).expect("well-formed");
        let read = read.expect("written above");
        assert_eq!(read.conflict(), None, "{bits:#x}: {headers:?}");
        assert_eq!(read.flags(), sent.flags());
    }
    assert_eq!(tracer.metrics().get(Counter::PropagationConflicts), 0);
}

#[test]
fn formats_with_a_header_for_each_item_lose_no_baggage() {
    let baggage = (0..Baggage::MAX_ITEMS).fold(Baggage::default(), |list, n| {
        list.with(&format!("k{n}"), "v").expect("within the limits")
    });
    let sent = context().with_baggage(baggage);
    let formats = [Propagation::Jaeger, Propagation::B3Single, Propagation::W3c];
    let tracer = tracer(formats);
    // The order of a hash map differs from map to map.
    for _ in 0..8 {
        let mut headers = HashMap::<String, String>::new();
        tracer.inject(&sent, &mut headers);
        assert_eq!(headers.len(), 2 * Baggage::MAX_ITEMS + 4);
        headers.retain(|name, _| name != "baggage");
        assert_eq!(tracer.extract(&headers), Ok(Some(sent.clone())));
    }
    let mut headers = Vec::<(String, String)>::new();
    let carrier: &mut dyn InjectCarrier = &mut headers;
    tracer.inject(&sent, carrier);
    assert_eq!(tracer.extract(&headers), Ok(Some(sent)));
    assert_eq!(tracer.metrics().get(Counter::BaggageItemsSkipped), 0);
}
