//! Hand-made documents, with all that their formats hold.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};
use tracehound_interop::Way;

use crate::{
    Result,
    alike::Comparison,
    shown::{Three, get, post, query_address},
};

#[test]
fn documents_are_shown_alike() -> Result {
    let Some(three) = Three::start_or_skip()? else {
        return Ok(());
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64;
    let at = three.tee.endpoints();
    let (status, answer) = post(at.otlp_http, "/v1/traces", &otlp(now).to_string())?;
    assert_eq!((status, &answer), (200, &json!({"partialSuccess": {}})));
    let (status, _) = post(at.zipkin, "/api/v2/spans", &zipkin(now).to_string())?;
    assert_eq!(status, 202);
    let mut comparison = Comparison::default();
    comparison.add(Way::OtlpHttp, "document", &three.trace(OTLP_TRACE, 4)?);
    comparison.add(Way::Zipkin, "document", &three.trace(ZIPKIN_TRACE, 4)?);
    comparison.finish(&[
        (Way::OtlpHttp, "flags"),
        (Way::OtlpHttp, "service"),
        (Way::OtlpHttp, "tag *"),
        (Way::OtlpHttp, "tag map"),
        (Way::OtlpHttp, "log *"),
        (Way::OtlpHttp, "log 1 field map"),
        (Way::Zipkin, "flags"),
        (Way::Zipkin, "service"),
        (Way::Zipkin, "tag otel.*"),
        (Way::Zipkin, "log *"),
    ])
}

/// What the query API makes of a document, it makes of a file, too.
#[test]
fn a_file_of_otlp_is_transformed_alike() -> Result {
    let Some(three) = Three::start_or_skip()? else {
        return Ok(());
    };
    let document = otlp(1_700_000_000_000_000).to_string();
    let dev = post(query_address(&three.dev), "/api/transform", &document)?;
    let v2 = post(three.v2.endpoints().query_http, "/api/transform", &document)?;
    assert_eq!(dev.0, v2.0);
    let shown = |(_, answer): (u16, Json)| -> Result<_> {
        let trace = tracehound_interop::Trace::from_json(&answer["data"][0])?;
        let mut spans = trace.spans;
        spans.sort_by_key(|span| span.span_id);
        Ok(spans
            .into_iter()
            .map(|span| (span.span_id, span.operation, span.service))
            .collect::<Vec<_>>())
    };
    let mut as_ingested = shown(v2)?;
    for (_, _, service) in &mut as_ingested {
        // Jaeger 2 translates a file with code of version 1, which has another name for a service without one.
        if service == "OTLPResourceNoServiceName" {
            *service = "missing-service-name".to_owned();
        }
    }
    assert_eq!(shown(dev)?, as_ingested);
    let at = query_address(&three.dev);
    assert_eq!(
        get(at, "/api/services")?.1["data"],
        json!([]),
        "nothing is kept"
    );
    Ok(())
}

fn otlp(micros: u64) -> Json {
    let trace_id = format!("{OTLP_TRACE:032x}");
    let time = |offset: u64| ((micros + offset) * 1_000).to_string();
    let values = json!([
        {"key": "text", "value": {"stringValue": "zwölf"}},
        {"key": "empty", "value": {"stringValue": ""}},
        {"key": "true", "value": {"boolValue": true}},
        {"key": "long", "value": {"intValue": "-5"}},
        {"key": "largest", "value": {"intValue": "9223372036854775807"}},
        {"key": "double", "value": {"doubleValue": 0.1}},
        {"key": "whole", "value": {"doubleValue": 2.0}},
        {"key": "list", "value": {"arrayValue": {"values": [
            {"stringValue": "a"}, {"intValue": "1"}, {"doubleValue": 1.5}]}}},
        {"key": "map", "value": {"kvlistValue": {"values": [
            {"key": "b", "value": {"boolValue": true}}, {"key": "a", "value": {"stringValue": "<&>"}}]}}},
        {"key": "bytes", "value": {"bytesValue": "AH//"}},
        {"key": "nothing", "value": {}},
    ]);
    json!({"resourceSpans": [
        {
            "resource": {"attributes": [
                {"key": "service.name", "value": {"stringValue": "documents"}},
                {"key": "host.name", "value": {"stringValue": "here"}},
                {"key": "process.pid", "value": {"intValue": "7"}},
                {"key": "telemetry.sdk.name", "value": {"stringValue": "by hand"}},
            ], "droppedAttributesCount": 2},
            "scopeSpans": [
                {"scope": {"name": "scope", "version": "1.2"}, "schemaUrl": "urn:x", "spans": [{
                    "traceId": trace_id, "spanId": "0000000000000001", "name": "server", "kind": 2,
                    "traceState": "a=b", "flags": 1,
                    "startTimeUnixNano": time(0), "endTimeUnixNano": time(1_000),
                    "attributes": values, "droppedAttributesCount": 3,
                    "events": [
                        {"timeUnixNano": time(10), "name": "exception", "attributes": [
                            {"key": "exception.message", "value": {"stringValue": "no"}},
                            {"key": "count", "value": {"intValue": "2"}}]},
                        {"timeUnixNano": time(20), "name": "", "attributes": values},
                        {"timeUnixNano": time(30), "name": "named", "attributes": [
                            {"key": "event", "value": {"stringValue": "other"}}]},
                    ],
                    "status": {"code": 2, "message": "it failed"},
                }]},
                {"scope": {}, "spans": [{
                    "traceId": trace_id, "spanId": "0000000000000002", "parentSpanId": "0000000000000001",
                    "name": "client", "kind": 3, "startTimeUnixNano": time(100), "endTimeUnixNano": time(200),
                    "status": {"code": 1, "message": "fine"},
                    "links": [
                        {"traceId": "000000000000000000000000000000ee", "spanId": "00000000000000ee",
                         "attributes": [{"key": "why", "value": {"stringValue": "because"}}]},
                        {"traceId": trace_id, "spanId": "0000000000000001",
                         "attributes": [{"key": "opentracing.ref_type", "value": {"stringValue": "follows_from"}}]},
                        {"traceId": trace_id, "spanId": "0000000000000004",
                         "attributes": [{"key": "opentracing.ref_type", "value": {"stringValue": "child_of"}}]},
                    ],
                }, {
                    "traceId": trace_id, "spanId": "0000000000000003", "parentSpanId": "0000000000000002",
                    "name": "internal", "kind": 1, "startTimeUnixNano": time(110), "endTimeUnixNano": time(120),
                    "attributes": [{"key": "span.kind", "value": {"stringValue": "of one's own"}}],
                    "status": {"message": "without a code"},
                }]},
            ],
        },
        {
            "resource": {},
            "scopeSpans": [{"spans": [{
                "traceId": trace_id, "spanId": "0000000000000004", "name": "without a service", "kind": 5,
                "startTimeUnixNano": time(150), "endTimeUnixNano": time(160),
            }]}],
        },
    ]})
}

fn zipkin(micros: u64) -> Json {
    let trace_id = format!("{ZIPKIN_TRACE:032x}");
    json!([
        {
            "traceId": trace_id, "id": "0000000000000001", "name": "get /", "kind": "CLIENT",
            "timestamp": micros, "duration": 1_000,
            "localEndpoint": {"serviceName": "frontend", "ipv4": "192.0.2.1", "port": 80},
            "remoteEndpoint": {"serviceName": "backend", "ipv4": "192.0.2.2", "ipv6": "2001:db8::1", "port": 9000},
            "tags": {
                "http.method": "GET", "http.status_code": "200", "empty": "", "telemetry.sdk.name": "by hand",
                "otel.library.name": "scope", "host.name": "here",
            },
            "annotations": [
                {"timestamp": micros + 10, "value": "ws"},
                {"timestamp": micros + 20, "value": "a|b"},
            ],
        },
        {
            "traceId": trace_id, "id": "0000000000000001", "name": "get /", "kind": "SERVER", "shared": true,
            "parentId": "0000000000000007", "timestamp": micros + 100, "duration": 500, "debug": true,
            "localEndpoint": {"serviceName": "backend"}, "remoteEndpoint": {"ipv4": "192.0.2.1"},
            "tags": {"error": "it failed"},
        },
        {
            "traceId": trace_id, "id": "0000000000000003", "parentId": "0000000000000001", "name": "query",
            "timestamp": micros + 200, "duration": 100, "localEndpoint": {"serviceName": "backend"},
            "tags": {"error": "true", "span.kind": "internal", "otel.status_code": "Ok"},
        },
        {
            "traceId": trace_id, "id": "0000000000000004", "parentId": "0000000000000003", "kind": "PRODUCER",
            "timestamp": micros + 250, "duration": 1, "name": "send",
        },
    ])
}

const OTLP_TRACE: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
const ZIPKIN_TRACE: u128 = 0x463a_c35c_9f64_13ad_4848_5a39_53bb_6124;
