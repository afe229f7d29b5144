//! Headers of tracing systems that we do not speak, beside those that we do, in the forms of their documentation.

use tracehound::metrics::Counter;
use tracehound::propagation::Propagation;

use super::{Listened, Pairs};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
const PARENT: (&str, &str) = (
    "traceparent",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
);

/// Systems, their own headers, and the `tracestate` that they send beside `traceparent`.
const SYSTEMS: [(&str, Pairs<'_>, &str); 14] = [
    (
        "Amazon X-Ray",
        &[(
            "X-Amzn-Trace-Id",
            "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1;Lineage=25:3d0aab:1",
        )],
        "",
    ),
    (
        "Google Cloud",
        &[(
            "X-Cloud-Trace-Context",
            "4bf92f3577b34da6a3ce929d0e0e4736/67667974448284343;o=1",
        )],
        "",
    ),
    (
        "Linkerd",
        &[(
            "l5d-ctx-trace",
            "AAAAAAAAAAEAAAAAAAAAAgAAAAAAAAADAAAAAAAAAAY=",
        )],
        "",
    ),
    (
        "OpenCensus over gRPC",
        &[("grpc-trace-bin", "AABL+S81d7NNpqPOkp0ODkc2AQDwZ6oLqQK3AgE")],
        "",
    ),
    (
        "Datadog",
        &[
            ("x-datadog-trace-id", "11803532876627986230"),
            ("x-datadog-parent-id", "67667974448284343"),
            ("x-datadog-sampling-priority", "1"),
            ("x-datadog-origin", "synthetics"),
            ("x-datadog-tags", "_dd.p.dm=-1,_dd.p.tid=4bf92f3577b34da6"),
        ],
        "dd=p:00f067aa0ba902b7;s:1;o:synthetics;t.dm:-1;t.usr.id:YmF6Nzg5~",
    ),
    (
        "Elastic",
        &[(
            "elastic-apm-traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )],
        "es=s:0.5",
    ),
    (
        "New Relic",
        &[("newrelic", "eyJ2IjpbMCwxXSwiZCI6eyJ0eSI6IkFwcCJ9fQ==")],
        "33@nr=0-0-33-2827902-7d3efb1b173fecfa-e8b91a159289ff74-1-1.23456-1518469636035",
    ),
    (
        "Dynatrace",
        &[("x-dynatrace", "FW4;129;12;-2023406815;4539717;0;17;66")],
        "9999999-1@dt=fw4;129;12;-2023406815;4539717;0;17;66",
    ),
    (
        "Application Insights",
        &[
            (
                "Request-Id",
                "|4bf92f3577b34da6a3ce929d0e0e4736.00f067aa0ba902b7.",
            ),
            ("Correlation-Context", "region=eu"),
            ("Request-Context", "appId=cid-v1:7"),
        ],
        "az=cid-v1:7",
    ),
    (
        "Sentry",
        &[(
            "sentry-trace",
            "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        )],
        "",
    ),
    (
        "SkyWalking",
        &[
            (
                "sw8",
                "1-NGJmOTJm-MDBmMDY3-3-c2hvcA==-djE=-L2NhcnQ=-MTI3LjAuMC4x",
            ),
            ("sw8-x", "0- "),
        ],
        "",
    ),
    (
        "OpenTracing's Lightstep",
        &[
            ("ot-tracer-traceid", "a3ce929d0e0e4736"),
            ("ot-tracer-spanid", "00f067aa0ba902b7"),
            ("ot-tracer-sampled", "true"),
            ("ot-baggage-user", "7"),
        ],
        "",
    ),
    (
        "Envoy and Istio",
        &[
            ("x-request-id", "5a3ce929-d0e0-9736-a3ce-929d0e0e4736"),
            ("x-client-trace-id", "5a3ce929"),
            ("x-envoy-attempt-count", "1"),
            ("x-envoy-force-trace", "true"),
            ("x-ot-span-context", "1;2;3;cs"),
            ("x-forwarded-client-cert", "By=spiffe://a;Hash=1"),
        ],
        "",
    ),
    (
        "Instana and Honeycomb",
        &[
            ("x-instana-t", "a3ce929d0e0e4736"),
            ("x-instana-s", "00f067aa0ba902b7"),
            ("x-instana-l", "1"),
            (
                "x-honeycomb-trace",
                "1;trace_id=4bf9,parent_id=00f0,context=e30=",
            ),
        ],
        "in=a3ce929d0e0e4736;00f067aa0ba902b7",
    ),
];

#[test]
fn headers_of_other_systems_alone_are_none_of_ours() {
    for formats in [&Propagation::DEFAULT[..], Propagation::ALL] {
        for (system, headers, _) in SYSTEMS {
            let listened = Listened::new(formats);
            assert_eq!(listened.extract(headers), Ok(None), "{system}");
            assert_eq!(listened.lines(), [""; 0], "{system}");
        }
    }
}

#[test]
fn headers_of_other_systems_do_not_disturb_a_context_beside_them() {
    for (system, headers, state) in SYSTEMS {
        let listened = Listened::new(Propagation::ALL);
        let b3 = format!("{TRACE}-{SPAN}-1");
        let several = [
            ("X-B3-TraceId", TRACE),
            ("X-B3-SpanId", SPAN),
            ("X-B3-Sampled", "1"),
        ];
        for ours in [
            &[PARENT, ("tracestate", state)][..],
            &[("b3", &b3)],
            &several,
        ] {
            let read = listened.read(&[headers, ours].concat());
            assert_eq!(read.to_trace_id(), TRACE, "{system}");
            assert_eq!(read.to_span_id(), SPAN, "{system}");
            assert!(read.is_sampled() && read.conflict().is_none(), "{system}");
            assert!(read.baggage().is_empty(), "{system}");
            let has_state = ours[0] == PARENT && !state.is_empty();
            let found = read.trace_state().map(ToString::to_string);
            assert_eq!(found.as_deref(), has_state.then_some(state), "{system}");
        }
        for counter in [
            Counter::DecodingErrors,
            Counter::PropagationConflicts,
            Counter::BaggageItemsSkipped,
        ] {
            assert_eq!(listened.count(counter), 0, "{system}: {counter:?}");
        }
        assert_eq!(listened.lines(), [""; 0], "{system}");
    }
}

/// Proxies and other SDKs put what is theirs into the baggage of W3C. It is passed on.
#[test]
fn baggage_of_other_systems_is_baggage() {
    let listened = Listened::new(&Propagation::DEFAULT);
    let sentry = "sentry-trace_id=4bf92f3577b34da6a3ce929d0e0e4736,sentry-sample_rand=0.25,\
                  sentry-environment=production,sentry-release=shop%401.0,other=1;ttl=7";
    let read = listened.read(&[PARENT, ("baggage", sentry)]);
    assert_eq!(read.baggage().get("sentry-release"), Some("shop@1.0"));
    let mut sent = std::collections::BTreeMap::new();
    tracehound::Tracer::inject(&listened.tracer, &read, &mut sent);
    for member in sentry.split(',') {
        let is_in = sent["baggage"]
            .split(',')
            .any(|it| it.replace("%40", "@") == member.replace("%40", "@"));
        assert!(is_in, "{member}: {}", sent["baggage"]);
    }
}
