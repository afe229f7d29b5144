//! The cases of W3C's own test suite for Trace Context, asked of an axum service that calls another one.
//!
//! Level 2 of the recommendation has wider keys than the suite's strictest level, and a list with equal keys is not
//! discarded here: these rows say so.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response};
use http_body_util::Empty;
use tower::{ServiceExt, service_fn};
use tracehound::middleware::{ClientLayer, ServerLayer};

use crate::support::recording_tracer;

const TRACE: &str = "12345678901234567890123456789012";
const PARENT: &str = "00-12345678901234567890123456789012-1234567890123456-00";

/// Returns the headers of the calls that the service makes for a request with these headers.
fn calls(headers: &[(&str, &str)], count: usize) -> Vec<HeaderMap> {
    let (tracer, _) = recording_tracer();
    let sent = Arc::new(Mutex::new(Vec::new()));
    let sink = sent.clone();
    let client = ClientLayer::new(tracer.clone()).wrap(service_fn(move |call: Request<()>| {
        sink.lock().unwrap().push(call.headers().clone());
        async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) }
    }));
    let handler = move || async move {
        for _ in 0..count {
            let _ = client.clone().oneshot(Request::new(())).await;
        }
    };
    let app = Router::new().route("/test", post(handler));
    let app = app.layer(ServerLayer::new(tracer));
    let mut request = Request::post("/test")
        .body(axum::body::Body::empty())
        .unwrap();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request
            .headers_mut()
            .append(name, HeaderValue::from_str(value).unwrap());
    }
    let answer = app.oneshot(request).now_or_never().expect("no wait");
    assert_eq!(answer.unwrap().status(), 200);
    std::mem::take(&mut *sent.lock().unwrap())
}

/// Returns the trace id and the parent id of a call, whose `traceparent` must be well-formed.
fn ids(call: &HeaderMap) -> (String, String) {
    let parents: Vec<_> = call.get_all("traceparent").iter().collect();
    let [parent] = &*parents else {
        panic!("{parents:?}")
    };
    let parts: Vec<_> = parent.to_str().unwrap().split('-').collect();
    let [version, trace, span, flags] = &*parts else {
        panic!("{parent:?}")
    };
    let is_hex = |text: &str| {
        text.bytes()
            .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
    };
    assert_eq!(
        [trace.len(), span.len(), flags.len()],
        [32, 16, 2],
        "{parent:?}"
    );
    assert!(is_hex(trace) && is_hex(span) && is_hex(flags), "{parent:?}");
    assert!(*version == "00" && trace.contains(|it| it != '0') && span.contains(|it| it != '0'));
    ((*trace).to_owned(), (*span).to_owned())
}

/// Returns whether the trace of a request goes on, and the members of `tracestate`.
fn only_call(headers: &[(&str, &str)]) -> (bool, String) {
    let call = calls(headers, 1).remove(0);
    let (trace, span) = ids(&call);
    assert_ne!(span, "1234567890123456", "{headers:?}");
    let states = call.get_all("tracestate").iter();
    let states: Vec<_> = states.map(|state| state.to_str().unwrap()).collect();
    let others = states.iter().flat_map(|state| state.split(','));
    let others: Vec<_> = others.filter(|member| !member.starts_with("ot=")).collect();
    (trace == TRACE, others.join(","))
}

#[test]
fn a_request_without_a_context_starts_a_trace() {
    assert_eq!(only_call(&[]), (false, String::new()));
    // The state alone is not believed.
    for state in ["foo=1", "foo=1,bar=2"] {
        assert_eq!(only_call(&[("tracestate", state)]), (false, String::new()));
    }
}

#[test]
fn a_traceparent_that_is_well_formed_is_followed_and_another_one_is_not() {
    let rows = [
        ("traceparent", "00-{}-1234567890123456-01", true),
        ("TrAcEpArEnT", "00-{}-1234567890123456-01", true),
        ("trace-parent", "00-{}-1234567890123456-01", false),
        ("trace.parent", "00-{}-1234567890123456-01", false),
        ("traceparent", "00-{}-1234567890123456-01.", false),
        (
            "traceparent",
            "00-{}-1234567890123456-01-what-the-future-will-be-like",
            false,
        ),
        ("traceparent", "cc-{}-1234567890123456-01", true),
        (
            "traceparent",
            "cc-{}-1234567890123456-01-what-the-future-will-be-like",
            true,
        ),
        (
            "traceparent",
            "cc-{}-1234567890123456-01.what-the-future-will-be-like",
            false,
        ),
        ("traceparent", "ff-{}-1234567890123456-01", false),
        ("traceparent", ".0-{}-1234567890123456-01", false),
        ("traceparent", "0.-{}-1234567890123456-01", false),
        ("traceparent", "000-{}-1234567890123456-01", false),
        ("traceparent", "0000-{}-1234567890123456-01", false),
        ("traceparent", "0-{}-1234567890123456-01", false),
        (
            "traceparent",
            "00-00000000000000000000000000000000-1234567890123456-01",
            false,
        ),
        (
            "traceparent",
            "00-.2345678901234567890123456789012-1234567890123456-01",
            false,
        ),
        (
            "traceparent",
            "00-1234567890123456789012345678901.-1234567890123456-01",
            false,
        ),
        ("traceparent", "00-{}3-1234567890123456-01", false),
        (
            "traceparent",
            "00-1234567890123456789012345678901-1234567890123456-01",
            false,
        ),
        ("traceparent", "00-{}-0000000000000000-01", false),
        ("traceparent", "00-{}-.234567890123456-01", false),
        ("traceparent", "00-{}-123456789012345.-01", false),
        ("traceparent", "00-{}-12345678901234567-01", false),
        ("traceparent", "00-{}-123456789012345-01", false),
        ("traceparent", "00-{}-1234567890123456-.0", false),
        ("traceparent", "00-{}-1234567890123456-0.", false),
        ("traceparent", "00-{}-1234567890123456-001", false),
        ("traceparent", "00-{}-1234567890123456-1", false),
        ("traceparent", " 00-{}-1234567890123456-01", true),
        ("traceparent", "\t00-{}-1234567890123456-01", true),
        ("traceparent", "00-{}-1234567890123456-01 ", true),
        ("traceparent", "00-{}-1234567890123456-01\t", true),
        ("traceparent", "\t 00-{}-1234567890123456-01 \t", true),
    ];
    for (name, value, is_followed) in rows {
        let value = value.replace("{}", TRACE);
        assert_eq!(
            only_call(&[(name, &value)]).0,
            is_followed,
            "{name}: {value}"
        );
    }
    let other = "00-12345678901234567890123456789011-1234567890123456-01";
    let two = [("traceparent", other), ("traceparent", PARENT)];
    let (trace, _) = ids(&calls(&two, 1)[0]);
    assert!(![TRACE, "12345678901234567890123456789011"].contains(&&*trace));
}

#[test]
fn a_tracestate_that_is_well_formed_is_passed_on_and_another_one_is_not() {
    let name = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
    let value = (' '..='~')
        .filter(|it| !",=".contains(*it))
        .collect::<String>();
    let (all, with_vendor) = (
        format!("{name}={value}"),
        format!("{name}@a-z0-9_-*/={value}"),
    );
    let members = |first: u32, last: u32| {
        let members = (first..=last).map(|n| format!("bar{n:02}={n:02}"));
        members.collect::<Vec<_>>().join(",")
    };
    let many = [
        members(1, 10),
        members(11, 20),
        members(21, 30),
        members(31, 32),
    ];
    let too_many = members(31, 33);
    let key = |count: usize, rest: &str| format!("{}{rest}=1", "z".repeat(count));
    let [longest, too_long] = [key(256, ""), key(257, "")];
    let [tenant, vendor] = [key(241, "@vvvvvvvvvvvvvv"), key(1, "@vvvvvvvvvvvvvvv")];
    let rows: [(&[&str], &str); 31] = [
        (&["foo=1,bar=2"], "foo=1,bar=2"),
        (&[""], ""),
        (&["foo=1", ""], "foo=1"),
        (&["", "foo=1"], "foo=1"),
        (
            &["foo=1,bar=2", "rojo=1,congo=2", "baz=3"],
            "foo=1,bar=2,rojo=1,congo=2,baz=3",
        ),
        // The strictest level of the suite has these discarded; here the first member of a key counts.
        (&["foo=1,foo=1"], "foo=1"),
        (&["foo=1,foo=2"], "foo=1"),
        (&["foo=1", "foo=1"], "foo=1"),
        (&["foo=1", "foo=2"], "foo=1"),
        (&[&all], &all),
        (&[&with_vendor], &with_vendor),
        (&["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
        (&["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], "foo=1,bar=2,baz=3"),
        (&[" foo=1"], "foo=1"),
        (&["\tfoo=1"], "foo=1"),
        (&["foo=1 "], "foo=1"),
        (&["foo=1\t"], "foo=1"),
        (&["\t foo=1 \t"], "foo=1"),
        (&["foo =1"], ""),
        (&["FOO=1"], ""),
        (&["foo.bar=1"], ""),
        (&["@foo=1,bar=2"], ""),
        // Level 1 had these discarded.
        (&["foo@=1,bar=2"], "foo@=1,bar=2"),
        (&["foo@@bar=1,bar=2"], "foo@@bar=1,bar=2"),
        (&["foo@bar@baz=1,bar=2"], "foo@bar@baz=1,bar=2"),
        (&[&many[0], &many[1], &many[2], &many[3]], &many.join(",")),
        (&[&many[0], &many[1], &many[2], &too_many], ""),
        (&["foo=1", &longest], &format!("foo=1,{longest}")),
        (&["foo=1", &too_long], ""),
        (&["foo=1", &tenant], &format!("foo=1,{tenant}")),
        (&["foo=1", &vendor], &format!("foo=1,{vendor}")),
    ];
    for (states, expected) in rows {
        for name in ["tracestate", "TraceState"] {
            let mut headers = vec![("traceparent", PARENT)];
            headers.extend(states.iter().map(|state| (name, *state)));
            assert_eq!(
                only_call(&headers),
                (true, expected.to_owned()),
                "{states:?}"
            );
        }
    }
    for (name, state) in [
        ("trace-state", "foo=1"),
        ("trace.state", "foo=1"),
        ("tracestate", "foo=bar=baz"),
        ("tracestate", "foo=,bar=3"),
    ] {
        let headers = [("traceparent", PARENT), (name, state)];
        assert_eq!(
            only_call(&headers),
            (true, String::new()),
            "{name}: {state}"
        );
    }
}

#[test]
fn each_call_for_a_request_has_an_id_of_its_own_in_one_trace() {
    let bad = "00-00000000000000000000000000000000-1234567890123456-01";
    for (headers, trace) in [
        (&[("traceparent", PARENT)][..], Some(TRACE)),
        (&[], None),
        (&[("traceparent", bad)], None),
    ] {
        let (traces, spans): (BTreeSet<_>, BTreeSet<_>) = calls(headers, 3).iter().map(ids).unzip();
        assert_eq!((traces.len(), spans.len()), (1, 3), "{headers:?}");
        assert!(
            trace.is_none_or(|trace| traces.contains(trace)),
            "{headers:?}"
        );
    }
}
