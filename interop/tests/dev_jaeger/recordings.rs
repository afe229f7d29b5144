//! Recorded datagrams and requests of published clients.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use tracehound_interop::Way;

use crate::{
    Result,
    alike::Comparison,
    shown::Three,
    vectors::{self, Vector},
};

#[test]
fn recordings_of_other_clients_are_shown_alike() -> Result {
    let mut comparison = Comparison::default();
    let mut compared = 0;
    for (file, way) in [
        ("spans_compact.json", Way::Agent),
        ("spans_binary.json", Way::Agent),
        ("spans_http.json", Way::Thrift),
    ] {
        // Each producer recorded the same spans, whose ids would mix with those of another one.
        let mut producers = BTreeMap::<String, Vec<Vector>>::new();
        for vector in vectors::read(file)? {
            let producer = vector.producer.clone();
            producers.entry(producer).or_default().push(vector);
        }
        for vectors in producers.values() {
            let Some(three) = Three::start_or_skip()? else {
                return Ok(());
            };
            let at = three.tee.endpoints();
            let to = match (way, file) {
                (Way::Agent, "spans_compact.json") => at.compact,
                (Way::Agent, _) => at.binary,
                _ => at.collector_http,
            };
            compared += compare(&three, way, to, vectors, &mut comparison)?;
        }
    }
    assert!(compared > 20, "only {compared} traces are compared");
    comparison.finish(&[(Way::Agent, "*"), (Way::Thrift, "*")])
}

/// Sends recordings and compares their traces. Returns the number of these.
fn compare(
    three: &Three,
    way: Way,
    to: SocketAddr,
    vectors: &[Vector],
    comparison: &mut Comparison,
) -> Result<usize> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let mut sent = BTreeMap::new();
    for vector in vectors {
        let spans = &vector.batch.spans;
        let mut numbers = BTreeMap::new();
        for span in spans {
            *numbers.entry(span.trace_id).or_insert(0) += 1;
        }
        // Some ids are repeated, and a trace that came before would be mixed with this one. Jaeger shows no trace with
        // a double that JSON does not have.
        let is_new = numbers.keys().all(|id| !sent.contains_key(id));
        let mut ids = spans.iter().map(|span| (span.trace_id, span.span_id));
        let has_ids = ids.all(|(trace_id, span_id)| trace_id != 0 && span_id != 0);
        if !is_new || !has_ids || vector.batch.is_unreadable() {
            continue;
        }
        let before = three.dev.totals().received;
        match way {
            Way::Agent => drop(socket.send_to(&vector.message, to)?),
            _ => send(to, &vector.message)?,
        }
        // One at a time: a receive buffer may hold only a few.
        let all = before + spans.len() as u64;
        let is_there = three.dev.wait_for_spans(all, PATIENCE);
        let name = format!("{} of {}", vector.name, vector.producer);
        assert!(is_there, "{name}");
        let rows = numbers.into_iter();
        sent.extend(rows.map(|(id, number)| (id, (name.clone(), number))));
    }
    for (id, (name, number)) in &sent {
        comparison.add(way, name, &three.trace(*id, *number)?);
    }
    Ok(sent.len())
}

fn send(to: SocketAddr, body: &[u8]) -> Result {
    let url = format!("http://{to}/api/traces?format=jaeger.thrift");
    let request = ureq::post(url).header("content-type", "application/x-thrift");
    let answer = request.send(body)?;
    assert!(answer.status().is_success(), "{}", answer.status());
    Ok(())
}

const PATIENCE: Duration = Duration::from_secs(20);
