//! Requests of ours, compared with those that published clients sent for the same batch
//! (`tests/vectors/spans_http.json`).

use std::collections::BTreeSet;

use serde_json::Value as Json;
use tracehound::reporter::RemoteReporter;

use super::*;
use crate::support::batches::{from_hex, input, report_all, wire_process, wire_span};

/// Entries that equal no client's request, and the reason.
const DIFFERENCES: &[(&str, &str)] = &[
    ("count/10-spans with batch_size=4", BY_BYTES),
    ("count/10-spans with batch_size=5", BY_BYTES),
    ("count/10-spans with max_packet_size=700", BY_BYTES),
];

const BY_BYTES: &str =
    "one request has as many spans as fit in; these clients were set to send several requests";

#[test]
fn requests_equal_those_of_a_client() {
    let file: Json = serde_json::from_str(include_str!("../../vectors/spans_http.json")).unwrap();
    let mut differing = BTreeSet::new();
    for entry in file["entries"].as_array().unwrap() {
        let name = entry["name"].as_str().unwrap();
        let (process, spans) = input(&entry["input"]);
        let path = entry["input"]["endpoint_path"].as_str().unwrap();
        let server = CollectorServer::start(Act::status(202));
        let sender = HttpSender::new(&server.url(path)).unwrap();
        let mut reporter = RemoteReporter::new(sender).batch_numbers(false);
        let unsent = report_all(&mut reporter, process.clone(), &spans);
        assert_eq!(unsent.dropped.total(), 0, "{name}");
        server.wait_for(1);
        until("the request", || !server.received().is_empty());
        let request = server.received().remove(0);
        let batch = decode_batch(&request.body).unwrap();
        assert_eq!(batch.process, wire_process(&process), "{name}");
        let expected: Vec<_> = spans.iter().map(wire_span).collect();
        assert_eq!(batch.spans, expected, "{name}");

        let results = entry["results"].as_object().unwrap();
        let is_equal = |result: &Json| {
            let theirs = &result["requests"][0];
            let body = from_hex(theirs["body_hex"].as_str().unwrap_or_default());
            let content_type = theirs["headers"].as_array().into_iter().flatten();
            let content_type = content_type
                .filter(|header| {
                    header[0]
                        .as_str()
                        .unwrap()
                        .eq_ignore_ascii_case("content-type")
                })
                .filter_map(|header| header[1].as_str())
                .next();
            decode_batch(&body).is_ok_and(|theirs| theirs.spans == batch.spans)
                && content_type == request.header("content-type")
        };
        if !results.values().any(is_equal) {
            differing.insert(name.to_owned());
        }
    }
    let names = DIFFERENCES.iter().map(|(name, _)| (*name).to_owned());
    let expected: BTreeSet<_> = names.collect();
    assert_eq!(differing, expected, "entries without an equal client");
}
