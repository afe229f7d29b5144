//! Several formats in one carrier agree with each other.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::process::Command;

use tracehound::metrics::Counter;
use tracehound::model::{Baggage, Flags};
use tracehound::prelude::*;
use tracehound::propagation::{ChildEnvironment, HttpHeaders, InjectCarrier, Propagation};
use tracehound::reporter::NullReporter;
use tracehound::sampler::ConstSampler;
use tracehound::{Config, JaegerTracer};

use super::context;

fn tracer(formats: impl IntoIterator<Item = Propagation>) -> JaegerTracer {
    Config::new("test")
        .propagation(formats)
        .sampler(ConstSampler::new(true))
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

#[test]
fn a_variable_of_two_baggage_keys_has_the_value_of_the_key_that_is_read() {
    for keys in [["user-id", "user_id"], ["user_id", "user-id"]] {
        let tracer = tracer(Propagation::DEFAULT);
        let sent = context()
            .with_baggage_item(keys[0], keys[0])
            .with_baggage_item(keys[1], keys[1]);
        let mut command = Command::new("child");
        // A second request with the same command, too.
        for _ in 0..2 {
            tracer.inject(&sent, &mut ChildEnvironment(&mut command));
        }
        let value = |name: &str| {
            let mut variables = command.get_envs();
            let found = variables.find(|(known, _)| *known == OsStr::new(name));
            found.and_then(|(_, value)| value?.to_str().map(str::to_owned))
        };
        assert_eq!(value("UBERCTX_USER_ID").as_deref(), Some("user-id"));
        let list = keys.map(|key| format!("{key}={key}")).join(",");
        assert_eq!(value("BAGGAGE"), Some(list));
    }
    let tracer = tracer(Propagation::DEFAULT);
    let sent = context().with_baggage_item("user_id", "7");
    let mut command = Command::new("child");
    tracer.inject(&sent, &mut ChildEnvironment(&mut command));
    let mut variables = command.get_envs();
    let value = variables.find(|(name, _)| *name == "UBERCTX_USER_ID");
    assert_eq!(
        value,
        Some((OsStr::new("UBERCTX_USER_ID"), Some(OsStr::new("7"))))
    );
}
