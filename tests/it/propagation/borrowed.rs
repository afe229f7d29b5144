//! Carriers that borrow their text.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use tracehound::prelude::*;
use tracehound::propagation::{ExtractCarrier, HttpHeaders};

use crate::support::recording_tracer;

const PAIRS: [(&str, &str); 3] = [
    ("Uber-Trace-Id", "1:2:0:1"),
    ("uberctx-user", "42"),
    ("host", "shop"),
];

#[test]
fn extract_reads_pairs_of_any_text() {
    let (tracer, _) = recording_tracer();
    let owned = PAIRS.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let cows = PAIRS.map(|(key, value)| (Cow::Borrowed(key), Cow::Borrowed(value)));
    let mixed = PAIRS.map(|(key, value)| (key, value.to_owned()));
    let slice = &PAIRS[..];
    let carriers: [(&str, &dyn ExtractCarrier); 12] = [
        ("array", &PAIRS),
        ("reference to array", &&PAIRS),
        ("slice", &slice),
        ("owned array", &owned),
        ("owned slice", &&owned[..]),
        ("Cow", &cows),
        ("mixed", &mixed),
        ("Vec", &PAIRS.to_vec()),
        ("HashMap", &HashMap::from(PAIRS)),
        ("HashMap of Cow", &HashMap::from(cows.clone())),
        ("BTreeMap", &BTreeMap::from(PAIRS)),
        ("headers", &HttpHeaders(slice)),
    ];
    for (name, carrier) in carriers {
        let context = tracer.extract(carrier);
        let context = context.expect("well-formed").expect(name);
        assert_eq!(context.to_string(), "0000000000000001:0000000000000002:0:1");
        assert_eq!(context.baggage().get("user"), Some("42"), "{name}");
    }
    assert_eq!(tracer.extract(&[("host", "shop")]), Ok(None));
    let none: [(&str, &str); 0] = [];
    assert_eq!(tracer.extract(&none), Ok(None));
}
