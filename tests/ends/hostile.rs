//! Hostile input and parts. It must not panic, because here a panic may abort the program.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracehound::Config;
use tracehound::metrics::{DropCause, DropCounts};
use tracehound::model::{Flags, SpanId, TraceId, display, field};
use tracehound::prelude::*;
use tracehound::reporter::{FinishedSpan, Reporter, Unsent};
use tracehound::span::Limits;

use crate::support::{LONG, builder, recording};

pub(super) fn hostile_headers_and_settings_never_stop_the_program() {
    let (tracer, _) = recording();
    let good = "5b2b4e1f9d3a7c60:6ad04c2b18e7f935:0:1";
    let mut values: Vec<String> = ["", ":", ":::", "::::", "0:0:0:0", "+1:+2:0:1", "-1:1:1:1"]
        .map(str::to_owned)
        .to_vec();
    values.push("f".repeat(100_000));
    values.push(format!("{good}:"));
    values.push(format!("{}:1:0:1", "f".repeat(33)));
    values.push("1:1:0:fff".to_owned());
    values.push("%".repeat(500));
    values.push("é:é:é:é".to_owned());
    // Every prefix of a good value, and every good value with another character at one place.
    for n in 0..good.len() {
        values.push(good[..n].to_owned());
        for other in ["%", "+", "\0", "g", "é", ":", " "] {
            values.push(format!("{}{other}{}", &good[..n], &good[n + 1..]));
        }
    }
    let mut carriers = 0;
    for value in &values {
        for header in [
            "uber-trace-id",
            "jaeger-debug-id",
            "jaeger-baggage",
            "uberctx-k",
        ] {
            let mut carrier = HashMap::from([(header.to_owned(), value.clone())]);
            if header.starts_with('j') || header.starts_with("uberctx") {
                carrier.insert("uber-trace-id".to_owned(), good.to_owned());
            }
            if let Ok(Some(context)) = tracer.extract(&carrier) {
                let span = tracer.build_span("s").child_of(&context).start();
                tracer.inject(&span.context(), &mut HashMap::<String, String>::new());
            }
            carriers += 1;
        }
    }
    assert!(carriers > 1_000);
    let mut many = HashMap::new();
    for n in 0..10_000 {
        many.insert(format!("uberctx-{n}"), "%".repeat(n % 50));
    }
    many.insert("uber-trace-id".to_owned(), good.to_owned());
    let context = tracer.extract(&many).expect("well-formed").expect("there");
    assert!(context.baggage().iter().count() <= 64);
    for text in values {
        let _ = text.parse::<TraceId>();
        let _ = text.parse::<SpanId>();
        let lookup = |name: &str| (name != "JAEGER_SERVICE_NAME").then(|| text.clone());
        let _ = Config::from_lookup(lookup);
    }
    assert!(tracer.close(LONG).queued == 0);
}

pub(super) fn hostile_span_data_never_stops_the_program() {
    let (tracer, spans) = recording();
    let times = [
        UNIX_EPOCH,
        UNIX_EPOCH - Duration::from_secs(1 << 40),
        UNIX_EPOCH + Duration::from_secs(1 << 40),
        SystemTime::now(),
    ];
    for start in times {
        for end in times {
            let span = tracer.build_span("s").start_time(start).start();
            span.log_at(end, [field("event", "e")]);
            span.finish_at(end);
        }
    }
    let mut text = String::new();
    for n in 0..20_000_u32 {
        let character = char::from_u32(n).unwrap_or('\u{fffd}');
        write!(text, "{character}").expect("a string");
    }
    let span = tracer.start_span(text.clone());
    for length in [0, 1, 127, 128, 1_023, 1_024, 1_025, 16_384, text.len()] {
        let cut = text.floor_char_boundary_(length);
        span.set_tag(cut, cut);
        span.set_tag("display", display(&cut));
        span.set_baggage_item(cut, cut);
        span.log([field(cut, cut), field("bytes", &*cut.as_bytes().to_vec())]);
    }
    for (f, n) in [(f64::NAN, i64::MIN), (f64::MAX, i64::MAX), (-0.0, 0)] {
        span.set_tag("f", f).set_tag("n", n).set_tag("u", u64::MAX);
        span.set_tag("sampling.priority", f);
        span.set_tag("sampling.priority", 1);
    }
    span.finish();
    let limits = Limits::default()
        .tag_value_bytes(0)
        .log_value_bytes(0)
        .logs(0)
        .operation_name_bytes(0);
    let tight = builder(spans.clone())
        .limits(limits)
        .queue_size(0)
        .build()
        .expect("named");
    let span = tight.start_span(text.clone());
    span.set_tag("k", &text).log([field("k", &text)]);
    span.log_event("e");
    span.finish();
    assert!(!spans.spans().is_empty());
    assert!(tight.close(LONG).queued == 0 && tracer.close(LONG).queued == 0);
    let _ = Flags::from_bits(0xff);
}

trait Cut {
    fn floor_char_boundary_(&self, length: usize) -> &str;
}

impl Cut for String {
    /// Like `str::floor_char_boundary`, which is younger than the oldest supported compiler.
    fn floor_char_boundary_(&self, length: usize) -> &str {
        let mut end = length.min(self.len());
        while !self.is_char_boundary(end) {
            end -= 1;
        }
        &self[..end]
    }
}

pub(super) fn a_slow_or_missing_reporter_never_blocks_the_program() {
    struct Slow(mpsc::Receiver<()>);
    impl Reporter for Slow {
        fn report(&mut self, _: &FinishedSpan<'_>) {
            let _ = self.0.recv();
        }
        fn flush(&mut self, _: Instant) -> Unsent {
            let mut nonsense = DropCounts::default();
            nonsense.add(DropCause::Refused, u64::from(u32::MAX));
            Unsent::new(nonsense, u64::from(u32::MAX))
        }
    }
    let (release, wait) = mpsc::channel();
    let tracer = builder(Slow(wait)).queue_size(64).build().expect("named");
    for n in 0..5_000 {
        tracer.build_span("s").tag("n", n).start().finish();
    }
    for timeout in [Duration::ZERO, Duration::from_millis(1)] {
        let report = tracer.flush(timeout);
        assert_eq!(report.finished, 5_000, "{report}");
    }
    drop(release);
    tracer.flush(LONG);
    // The reporter claims more losses than it got spans. The count of sent spans stays at 0.
    assert_eq!(tracer.close(Duration::MAX).sent, 0);
    #[cfg(feature = "udp")]
    {
        use tracehound::reporter::RemoteReporter;
        use tracehound::reporter::sender::UdpSender;
        let nobody = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port of loopback");
        let address = nobody.local_addr().expect("bound");
        drop(nobody);
        let sender = UdpSender::new(address).max_packet_bytes(300);
        let tracer = builder(RemoteReporter::new(sender)).build().expect("named");
        for n in 0..1_000 {
            let span = tracer.start_span("s");
            span.set_tag("long", "x".repeat(n));
        }
        let report = tracer.close(LONG);
        assert_eq!((report.finished, report.sent), (1_000, 0), "{report}");
        assert_eq!(report.dropped.total(), 1_000, "{report}");
    }
}
