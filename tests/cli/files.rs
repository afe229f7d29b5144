use std::fs;
use std::path::PathBuf;

use tracehound::view::Trace;

use crate::closed_port::closed_port;
use crate::support::{Ended, PATIENCE, backend, program, run};

/// A file that is removed with its value.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("tracehound-cli-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).expect("a file");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a path")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_file_is_shown_as_a_waterfall() {
    let file = File::new("open.json", TRACE);
    let ended = run(&["open", file.path(), "--columns", "100"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.assert_line(&["checkout", "trace", "2 services"]);
    ended.assert_line(&["pay", "charge", "1.0ms"]);
}

#[test]
fn a_file_is_written_as_a_page_and_as_json() {
    let file = File::new("formats.json", TRACE);
    let page = run(&["open", file.path(), "--format", "html"]);
    assert!(page.output.starts_with("<!doctype html>"), "{page:#?}");
    assert!(page.output.contains("checkout"), "{page:#?}");
    let json = run(&["open", file.path(), "--format", "json"]);
    let read = Trace::from_json(&json.output).expect("a trace");
    let original = Trace::from_json(TRACE).expect("a trace");
    assert_eq!(read[0].spans, original[0].spans);

    let two = format!(
        "[{}, {}]",
        object(TRACE),
        object(TRACE).replace("a91e", "a91f")
    );
    let file = File::new("two.json", &two);
    let ended = run(&["open", file.path(), "--format", "json"]);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.errors.contains("7f3c00000000a91f"), "{ended:#?}");
    let ended = run(&[
        "open",
        file.path(),
        "--format",
        "json",
        "--id",
        "7f3c00000000a91f",
    ]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

/// Returns the trace within an answer.
fn object(answer: &str) -> &str {
    let start = answer.find('[').expect("a list") + 1;
    &answer[start..answer.rfind("], \"total\"").expect("its end")]
}

#[test]
fn a_file_that_is_no_trace_is_an_error_with_its_place() {
    let broken = TRACE.replace("\"spanID\": \"2\"", "\"spanID\": \"x\"");
    let rows = [
        ("{", "EOF"),
        ("[]", "no such trace"),
        (&*broken, "trace 1: span 2: \"x\" is no span id"),
    ];
    for (index, (text, reason)) in rows.into_iter().enumerate() {
        let file = File::new(&format!("broken-{index}.json"), text);
        let ended = run(&["open", file.path()]);
        assert_eq!(ended.code, Some(2), "{ended:#?}");
        assert!(ended.errors.contains(reason), "{ended:#?}");
    }
    assert_eq!(run(&["open", "/no/such/file"]).code, Some(2));
}

#[test]
fn a_file_is_replayed_by_each_way_of_the_backend() {
    let file = File::new("replay.json", TRACE);
    let backend = backend();
    let ways = [
        backend.agent_address().to_string(),
        format!("udp://{}", backend.agent_address()),
        format!("http://{}/api/traces", backend.collector_address()),
        format!("http://{}", backend.otlp_address().expect("a port")),
        format!("grpc://{}", backend.otlp_grpc_address().expect("a port")),
    ];
    for way in ways {
        backend.clear();
        let before = backend.totals().received;
        let ended = run(&["replay", file.path(), "--to", &way]);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        ended.assert_line(&["sent 2 spans of 1 traces"]);
        assert!(backend.wait_for_spans(before + 2, PATIENCE));
        let trace = backend.traces().remove(0);
        assert_eq!(trace.services(), ["pay", "shop"]);
        let charge = |trace: &Trace| {
            let mut spans = trace.spans.iter();
            let span = spans.find(|span| span.span.operation_name == "charge");
            span.expect("a span").span.clone()
        };
        let original = Trace::from_json(TRACE).expect("a trace").remove(0);
        // OTLP has no place for a process of Jaeger's and for all flags, and names the kind of a reference alone.
        let (sent, mut came) = (charge(&original), charge(&trace));
        // A receiver of OTLP shows its status beside `error`, as Jaeger does.
        came.tags.retain(|tag| tag.key != "otel.status_code");
        assert_eq!(came.tags, sent.tags, "{way}");
        assert_eq!(came.logs, sent.logs, "{way}");
        assert_eq!(
            (came.start, came.duration),
            (sent.start, sent.duration),
            "{way}"
        );
        assert_eq!(came.references, sent.references, "{way}");
    }
}

#[test]
fn a_replay_to_nobody_says_what_was_lost() {
    let file = File::new("nobody.json", TRACE);
    let (_socket, address) = closed_port();
    let ended = run(&[
        "replay",
        file.path(),
        "--to",
        &format!("http://{address}/api/traces"),
    ]);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    ended.assert_line(&["lost 2"]);
    let ended = run(&["replay", file.path(), "--to", "ftp://localhost"]);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.errors.contains("ftp"), "{ended:#?}");
}

#[test]
fn a_password_in_an_address_is_not_printed() {
    let file = File::new("password.json", TRACE);
    let to = "http://u:canary@127.0.0.1:1";
    let replay = run(&["replay", file.path(), "--to", to, "--timeout", "0.1"]);
    let trace = run(&["trace", "abc", "--from", to]);
    for ended in [replay, trace] {
        assert!(ended.code.is_some_and(|code| code > 0), "{ended:#?}");
        let (output, errors) = (&ended.output, &ended.errors);
        assert!(
            !output.contains("canary") && !errors.contains("canary"),
            "{ended:#?}"
        );
    }
    let ended = run(&["trace", "../abc", "--from", to]);
    assert!(ended.errors.contains("no trace id"), "{ended:#?}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let file = File::new("pipe.json", TRACE);
    // A page has more bytes than a pipe holds, so the program is still writing when its reader leaves.
    let long = TRACE.replace("declined", &"x".repeat(1 << 20));
    let long_file = File::new("long.json", &long);
    for arguments in [
        &["open", long_file.path(), "--format", "html"][..],
        &["open", long_file.path(), "--format", "json"],
    ] {
        let mut child = program(arguments).spawn().expect("the program runs");
        drop(child.stdout.take());
        let ended = Ended::new(&child.wait_with_output().expect("an end"));
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_eq!(ended.errors, "");
    }
    let ended = run(&["open", file.path(), "--columns", "18446744073709551615"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn a_file_of_an_opentelemetry_collector_is_shown() {
    let line = |id: &str, parent: &str, name: &str| {
        format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"shop"}}}}]}},
            "scopeSpans":[{{"spans":[{{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"{id}","parentSpanId":"{parent}",
            "name":"{name}","startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000002500000"}}]}}]}}]}}"#
        )
        .replace('\n', "")
    };
    let first = line("eee19b7ec3c1b174", "", "checkout");
    let second = line("eee19b7ec3c1b175", "eee19b7ec3c1b174", "charge");
    let file = File::new("otlp.json", &format!("{first}\n{second}\n"));
    let ended = run(&["open", file.path()]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.assert_line(&["checkout", "trace 5b8e", "2 spans"]);
    ended.assert_line(&["shop", "charge", "2.5ms"]);
    let file = File::new("cut.json", &format!("{first}\n{}", &second[..100]));
    let ended = run(&["open", file.path()]);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.errors.contains("line 2"), "{ended:#?}");
}

const TRACE: &str = r#"{"data": [{
    "traceID": "7f3c00000000a91e",
    "processes": {
        "p1": {"serviceName": "shop", "tags": [{"key": "zone", "type": "string", "value": "eu-1"}]},
        "p2": {"serviceName": "pay", "tags": []}
    },
    "spans": [
        {"traceID": "7f3c00000000a91e", "spanID": "1", "flags": 1, "operationName": "checkout", "references": [],
         "startTime": 1700000000000000, "duration": 2500, "processID": "p1", "warnings": null,
         "tags": [{"key": "span.kind", "type": "string", "value": "server"}], "logs": []},
        {"traceID": "7f3c00000000a91e", "spanID": "2", "flags": 1, "operationName": "charge",
         "references": [{"refType": "CHILD_OF", "traceID": "7f3c00000000a91e", "spanID": "1"}],
         "startTime": 1700000000001000, "duration": 1000, "processID": "p2", "warnings": null,
         "tags": [{"key": "cents", "type": "int64", "value": 4200}, {"key": "error", "type": "bool", "value": true}],
         "logs": [{"timestamp": 1700000000001500,
                   "fields": [{"key": "event", "type": "string", "value": "declined"}]}]}
    ]}], "total": 0, "limit": 0, "offset": 0, "errors": null}"#;
