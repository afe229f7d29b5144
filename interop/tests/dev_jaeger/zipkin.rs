//! Recorded bodies of clients of Zipkin, in each form that they have.

use std::net::SocketAddr;

use serde_json::Value as Json;
use tracehound_interop::Way;

use crate::{
    Result,
    alike::Comparison,
    shown::{Three, get, query_address},
    vectors,
};

#[test]
fn bodies_of_clients_of_zipkin_are_shown_alike() -> Result {
    let Some(three) = Three::start_or_skip()? else {
        return Ok(());
    };
    let mut comparison = Comparison::default();
    let mut compared = 0;
    for entry in vectors::entries("spans_zipkin.json")? {
        let text = entry["input"]["span"]["traceId"].as_str().ok_or("no id")?;
        let id = u128::from_str_radix(text, 16)?;
        for (producer, result) in entry["results"].as_object().into_iter().flatten() {
            for request in result["requests"].as_array().into_iter().flatten() {
                let text = |name: &str| request[name].as_str().unwrap_or_default();
                let (path, kind) = (text("path"), text("content_type"));
                // Two versions of the model, each in two forms.
                let version = if path.contains("v1") { "v1 " } else { "" };
                // The same ids were recorded again and again.
                compared += 1;
                let own = id & !u128::from(u64::MAX) | u128::from(FIRST + compared);
                let body = vectors::bytes(&request["body_hex"])?;
                let body = with_low_half(body, id as u64, own as u64);
                let name = format!("{} of {producer}, {path} {kind}", entry["name"]);
                // Jaeger refuses a list with the address of the other side in the JSON of version 1: the value of
                // such an annotation is no text.
                // Its reader of protobuf takes trace ids of sixteen bytes alone.
                let is_short = text("content_type") == PROTOBUF
                    && id >> 64 == 0
                    && !producer.starts_with("zipkin-go");
                let is_address = [&b"\"value\":true"[..], b"\"value\": true"];
                if is_short || is_address.iter().any(|part| is_in(&body, part)) {
                    compared -= 1;
                    continue;
                }
                let status = post(three.tee.endpoints().zipkin, path, kind, &body)?;
                assert_eq!(status, 202, "{name}");
                comparison.add_form(Way::Zipkin, version, &name, &three.trace(own, 1)?);
            }
        }
    }
    assert!(compared > 40, "only {compared} traces are compared");
    let met = [
        "flags",
        "v1 flags",
        "v1 tag ca",
        "v1 tag ma",
        "v1 tag sa",
        "v1 tag net.peer.*",
        "v1 tag peer.service",
        "v1 tag error",
    ];
    comparison.finish(&met.map(|field| (Way::Zipkin, field)))
}

#[test]
fn a_server_with_the_id_of_its_client_gets_one_of_its_own() -> Result {
    let Some(three) = Three::start_or_skip()? else {
        return Ok(());
    };
    let id = u128::from(FIRST);
    let span = |name: &str, kind: &str, id: u32, parent: u32, start: u32| {
        format!(
            r#"{{"traceId":"{FIRST:016x}","id":"{id:016x}","parentId":"{parent:016x}","name":"{name}",{kind}
            "timestamp":170000000000000{start},"duration":9,"localEndpoint":{{"serviceName":"of {name}"}}}}"#
        )
    };
    let spans = [
        span("root", "", 1, 0, 0).replace(r#""parentId":"0000000000000000","#, ""),
        span("call", r#""kind":"CLIENT","#, 7, 1, 1),
        span("answer", r#""kind":"SERVER","shared":true,"#, 7, 1, 2),
        span("read", "", 3, 7, 3),
    ];
    let body = format!("[{}]", spans.join(","));
    let to = three.tee.endpoints().zipkin;
    let status = post(to, "/api/v2/spans", "application/json", body.as_bytes())?;
    assert_eq!(status, 202);
    three.trace(id, spans.len())?;
    let expected = [
        ("answer", "0000000000000002", "0000000000000007"),
        ("call", "0000000000000007", "0000000000000001"),
        ("read", "0000000000000003", "0000000000000002"),
        ("root", "0000000000000001", ""),
    ];
    let expected = expected.map(|(name, id, parent)| [name, id, parent].map(str::to_owned));
    for (who, at) in [
        ("dev", query_address(&three.dev)),
        ("v1", three.v1.endpoints().query_http),
        ("v2", three.v2.endpoints().query_http),
    ] {
        let (_, answer) = get(at, &format!("/api/traces/{id:032x}"))?;
        let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
        let mut shape: Vec<_> = answer["data"][0]["spans"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|span| {
                let parent = &span["references"][0]["spanID"];
                [&span["operationName"], &span["spanID"], parent].map(text)
            })
            .collect();
        shape.sort();
        assert_eq!(shape, expected, "{who}");
    }
    Ok(())
}

/// Replaces the lower half of a trace id, as bytes and as text.
fn with_low_half(mut body: Vec<u8>, old: u64, new: u64) -> Vec<u8> {
    let pairs = [
        (old.to_be_bytes().to_vec(), new.to_be_bytes().to_vec()),
        (format!("{old:016x}").into(), format!("{new:016x}").into()),
    ];
    for (old, new) in pairs {
        let place = body.windows(old.len()).position(|it| it == old);
        if let Some(place) = place {
            body.splice(place..place + old.len(), new);
        }
    }
    body
}

fn is_in(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|it| it == part)
}

fn post(to: SocketAddr, path: &str, content_type: &str, body: &[u8]) -> Result<u16> {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent: ureq::Agent = config.proxy(None).build().into();
    let request = agent.post(format!("http://{to}{path}"));
    let answer = request.header("content-type", content_type).send(body)?;
    Ok(answer.status().as_u16())
}

const PROTOBUF: &str = "application/x-protobuf";
/// The lower half of the first trace id.
const FIRST: u64 = 0x7e57_0000_0000_0000;
