//! Tests of the places where spans start, and of roots that the program asked for.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use tracehound::observer::{ObservedSpan, SpanObserver};
use tracehound::prelude::*;
use tracehound::propagation::{ExtractCarrier, ExtractError, InjectCarrier};
use tracehound::scope::{activate_context, capture};
use tracehound::tracer::StartSpanOptions;
use tracehound::{JaegerTracer, SpanContext};

/// Keeps the file and line of each start, and whether the span is an implicit root.
#[derive(Clone, Default)]
struct Starts(Arc<Mutex<Vec<Start>>>);

type Place = (&'static str, u32);
type Start = (Option<Place>, bool);

impl Starts {
    fn only(&self) -> Start {
        let starts = std::mem::take(&mut *self.0.lock().unwrap());
        assert_eq!(starts.len(), 1);
        starts[0]
    }
}

impl SpanObserver for Starts {
    fn watches_starts(&self) -> bool {
        true
    }

    fn on_start(&self, span: &ObservedSpan<'_>) {
        let place = span.place().map(|place| (place.file(), place.line()));
        let start = (place, span.is_implicit_root());
        self.0.lock().unwrap().push(start);
    }

    fn on_finish(&self, span: &ObservedSpan<'_>) {
        assert!(span.place().is_none() && !span.is_implicit_root());
    }
}

fn watched() -> (JaegerTracer, Starts) {
    let starts = Starts::default();
    let builder = JaegerTracer::builder("shop").observer(starts.clone());
    (builder.build().expect("named"), starts)
}

/// A tracer of a program that only has the methods that a tracer must have.
struct Wrapper(JaegerTracer);

impl Tracer for Wrapper {
    fn start(&self, options: StartSpanOptions<'_>) -> Span {
        assert!(options.place().is_some());
        self.0.start(options)
    }

    fn inject(&self, context: &SpanContext, carrier: &mut dyn InjectCarrier) {
        self.0.inject(context, carrier);
    }

    fn extract(&self, carrier: &dyn ExtractCarrier) -> Result<Option<SpanContext>, ExtractError> {
        self.0.extract(carrier)
    }
}

#[test]
fn every_way_to_start_a_span_tells_its_line() {
    let (tracer, starts) = watched();
    let of_dyn: &dyn Tracer = &tracer;
    let of_arc: Arc<dyn Tracer> = Arc::new(tracer.clone());
    let of_box: Box<dyn Tracer> = Box::new(tracer.clone());
    let wrapper = Wrapper(tracer.clone());
    type StartHere<'a> = &'a dyn Fn() -> (Span, u32);
    let start: [(&str, StartHere<'_>); 13] = [
        ("a name", &|| (tracer.start_span("a"), line!())),
        ("an owned name", &|| {
            (tracer.start_span("a".to_owned()), line!())
        }),
        ("active", &|| {
            (tracer.start_active_span("a").into_span(), line!())
        }),
        ("a builder", &|| {
            (tracer.build_span("a").tag("k", 1).start(), line!())
        }),
        ("a complex builder", &|| {
            let parent = tracer.extract(&[("jaeger-debug-id", "x")]).expect("valid");
            (tracer.build_span("a").child_of(&parent).start(), line!())
        }),
        ("an active builder", &|| {
            (tracer.build_span("a").start_active().into_span(), line!())
        }),
        ("dyn", &|| (of_dyn.start_span("a"), line!())),
        ("a builder of dyn", &|| {
            (of_dyn.build_span("a").start(), line!())
        }),
        ("an Arc", &|| (of_arc.start_span("a"), line!())),
        ("a box", &|| (of_box.start_span("a"), line!())),
        ("a reference", &|| ((&&tracer).start_span("a"), line!())),
        ("a wrapper", &|| (wrapper.start_span("a"), line!())),
        ("a builder of a wrapper", &|| {
            (wrapper.build_span("a").start(), line!())
        }),
    ];
    for (way, start) in start {
        // The second span of a thread takes the fast path.
        for _ in 0..2 {
            let (span, line) = start();
            assert_eq!(starts.only().0, Some((file!(), line)), "{way}");
            drop(span);
        }
    }
    let place = std::panic::Location::caller();
    drop(tracer.start_named(Cow::Borrowed("a"), place));
    assert_eq!(starts.only().0, Some((file!(), place.line())));
}

#[cfg(feature = "tower")]
#[test]
fn spans_of_the_middleware_have_the_place_of_their_layer() {
    use tower::{ServiceBuilder, ServiceExt as _, service_fn};
    use tracehound::middleware::ServerLayer;

    let (tracer, starts) = watched();
    let answer = |_: http::Request<String>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    };
    let (layer, line) = (ServerLayer::new(tracer), line!());
    let service = ServiceBuilder::new().layer(layer);
    let service = service.service(service_fn(answer));
    let request = http::Request::new(String::new());
    crate::block_on::block_on(service.oneshot(request)).expect("infallible");
    assert_eq!(starts.only(), (Some((file!(), line)), false));
}

#[cfg(feature = "reqwest")]
#[test]
fn a_request_that_is_sent_with_a_span_tells_its_line() {
    use tracehound::middleware::SendTraced;

    let (tracer, starts) = watched();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let client = reqwest::Client::new();
    let request = client.get("http://127.0.0.1:0/nobody");
    let (sent, line) = (request.send_traced(&tracer), line!());
    assert!(runtime.expect("a runtime").block_on(sent).is_err());
    assert_eq!(starts.only(), (Some((file!(), line)), true));
}

#[cfg(feature = "tracing")]
#[test]
fn a_span_of_tracing_tells_the_line_of_its_macro() {
    use tracehound::bridge::TracingLayer;
    use tracing_subscriber::prelude::*;

    #[tracing::instrument]
    fn check_out() {}

    let (tracer, starts) = watched();
    // One has the time of its tracer's clock, and the other one that of the wall clock.
    for layer in [
        TracingLayer::new(tracer.clone()),
        TracingLayer::new(Wrapper(tracer)),
    ] {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let (span, line) = (tracing::info_span!("a"), line!());
            drop(span);
            assert_eq!(starts.only(), (Some((file!(), line)), false));
            check_out();
            let (file, line) = starts.only().0.expect("a place");
            assert_eq!(file, file!());
            assert!((line!() - 30..line!()).contains(&line), "{line}");
        });
    }
}

#[test]
fn a_place_may_be_given_for_a_caller_or_taken_away() {
    #[track_caller]
    fn start(tracer: &JaegerTracer) -> Span {
        let place = std::panic::Location::caller();
        tracer.build_span("a").place(Some(place)).start()
    }
    let (tracer, starts) = watched();
    for _ in 0..2 {
        let (span, line) = (start(&tracer), line!());
        assert_eq!(starts.only().0, Some((file!(), line)));
        drop(span);
        drop(tracer.build_span("a").place(None).start());
        assert_eq!(starts.only().0, None);
    }
}

#[test]
fn only_a_root_that_nobody_asked_for_is_implicit() {
    let (tracer, starts) = watched();
    let parent = tracer.start_span("parent");
    assert!(starts.only().1, "nothing is active");
    let remote = parent.context();
    let rows: [(&str, bool, &dyn Fn() -> Span); 10] = [
        ("a name", true, &|| tracer.start_span("a")),
        ("a builder", true, &|| {
            tracer.build_span("a").tag("k", 1).start()
        }),
        ("an empty context as parent", true, &|| {
            let empty = SpanContext::default();
            tracer.build_span("a").child_of(&empty).start()
        }),
        ("a child", false, &|| {
            tracer.build_span("a").child_of(&parent).start()
        }),
        ("a child of the active span", false, &|| {
            parent.in_scope(|| tracer.start_span("a"))
        }),
        ("a child of the active context", false, &|| {
            let _scope = activate_context(&remote);
            tracer.start_span("a")
        }),
        ("a root that was asked for", false, &|| {
            tracer.build_span("a").ignore_active_span().start()
        }),
        ("a new trace", false, &|| {
            tracer.build_span("a").new_trace().start()
        }),
        ("a context of its own", false, &|| {
            tracer.build_span("a").context(remote.clone()).start()
        }),
        ("where nothing was handed over", false, &|| {
            let nothing = capture();
            parent.in_scope(|| nothing.run(|| tracer.start_span("a")))
        }),
    ];
    for (start, expected, make) in rows {
        for _ in 0..2 {
            drop(make());
            assert_eq!(starts.only().1, expected, "{start}");
        }
    }
}

#[cfg(feature = "macros")]
#[test]
fn a_traced_function_tells_its_line() {
    #[tracehound::traced(tracer = tracer)]
    fn check_out(tracer: &JaegerTracer) {
        assert!(!tracer.is_noop());
    }

    let (tracer, starts) = watched();
    check_out(&tracer);
    let (file, line) = starts.only().0.expect("a place");
    assert_eq!(file, file!());
    assert!((line!() - 15..line!()).contains(&line), "{line}");
}
