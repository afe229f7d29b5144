//! Several formats in one carrier agree with each other.

use std::collections::BTreeMap;

use tracehound::metrics::Counter;
use tracehound::model::Flags;
use tracehound::prelude::*;
use tracehound::propagation::{HttpHeaders, Propagation};
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
