//! Requests through the layer of a library, without a socket.

use std::any::Any;
use std::convert::Infallible;
use std::hint::black_box;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use http::HeaderMap;
use opentelemetry_http::HeaderExtractor;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tower::{Layer, Service, service_fn};
use tower_http::trace::TraceLayer;
use tracehound::middleware::{ClientLayer, ServerLayer, TracingMiddleware};
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::allocations::allocations;
use crate::clocks::process_cpu;
use crate::library::{Library, Mode, Side};
use crate::pipeline::Pipeline;
use crate::requests::{
    self, BROWSER, GRPC, browser_request, drain, grpc_request, grpc_response, header_map, ready,
};

/// Does that many requests, and prints their processor time in ns and their allocations.
pub fn run(side: Side, library: Library, mode: Mode, times: u64, reads_time: bool) {
    let mut pipeline = Pipeline::start(library, mode);
    pipeline.reads_time = reads_time;
    let work = match side {
        Side::Axum => axum,
        Side::Reqwest => reqwest,
        Side::GrpcServer => grpc_server,
        Side::GrpcClient => grpc_client,
    };
    let caller = match side {
        Side::Axum | Side::GrpcServer => Box::new(()) as Box<dyn Any>,
        Side::Reqwest | Side::GrpcClient => pipeline.caller(library, mode),
    };
    work(&pipeline, library, mode, times);
    let expected = if mode == Mode::Sampled && !side.has_no_span(library) {
        times + WARM_UP
    } else {
        0
    };
    assert_eq!(pipeline.spans(), expected, "{library:?} lost spans");
    drop(caller);
    pipeline.flush();
}

/// Returns a router with a route to a handler, and the layer of the library.
pub fn router(handler: MethodRouter, pipeline: &Pipeline, library: Library) -> Router {
    let router = Router::new().route("/users/{id}", handler);
    match library {
        Library::Nothing => router.layer(tower::util::MapRequestLayer::new(|request: Request| {
            request
        })),
        Library::Tracehound => router.layer(ServerLayer::new(pipeline.tracer.clone())),
        Library::TraceLayer => router.layer(
            TraceLayer::new_for_http()
                .make_span_with(server_span)
                .on_response(|response: &Response, _: Duration, span: &tracing::Span| {
                    let status = i64::from(response.status().as_u16());
                    span.record("http.response.status_code", status);
                })
                .on_request(())
                .on_body_chunk(())
                .on_eos(())
                .on_failure(()),
        ),
        Library::AxumOtel => {
            router.layer(axum_tracing_opentelemetry::middleware::OtelAxumLayer::default())
        }
        Library::FastraceAxum => router.layer(fastrace_axum::FastraceLayer::default()),
        Library::FastraceTower => router.layer(fastrace_tower::FastraceServerLayer::default()),
        other => panic!("{other:?} has no layer for axum"),
    }
    // As `axum::serve` does: without it, axum would put the layer around the handler anew for each request.
    .with_state(())
}

/// The span that the documentation of tracing-opentelemetry makes of a request.
fn server_span(request: &Request) -> tracing::Span {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("", MatchedPath::as_str);
    let span = tracing::info_span!(
        "HTTP request",
        otel.name = format!("{} {route}", request.method()),
        otel.kind = "server",
        http.request.method = request.method().as_str(),
        http.route = route,
        url.path = request.uri().path(),
        http.response.status_code = Empty,
    );
    if !span.is_disabled() {
        let context = opentelemetry::global::get_text_map_propagator(|propagator| {
            propagator.extract(&HeaderExtractor(request.headers()))
        });
        let _ = span.set_parent(context);
    }
    span
}

fn axum(pipeline: &Pipeline, library: Library, mode: Mode, times: u64) {
    let mut router = router(get(async || "Ada"), pipeline, library);
    let request = || browser_request(headers(&BROWSER, mode), Body::empty());
    measured(pipeline, times, request, |request| {
        drain(ready(router.call(request)).expect("infallible"));
    });
}

fn reqwest(pipeline: &Pipeline, library: Library, _: Mode, times: u64) {
    let builder = ClientBuilder::new(reqwest::Client::new());
    let client: ClientWithMiddleware = match library {
        Library::Nothing | Library::FastraceReqwest => builder,
        Library::Tracehound => builder.with(TracingMiddleware::new(pipeline.tracer.clone())),
        Library::ReqwestTracing => builder.with(reqwest_tracing::TracingMiddleware::<
            reqwest_tracing::SpanBackendWithUrl,
        >::new()),
        other => panic!("{other:?} has no layer for reqwest"),
    }
    .with(requests::reqwest::Answers)
    .build();
    let request = || requests::reqwest::request(header_map(BROWSER[1..].iter().copied()));
    measured(pipeline, times, request, |mut request| {
        if library == Library::FastraceReqwest {
            request
                .headers_mut()
                .extend(fastrace_reqwest::traceparent_headers());
        }
        let response = ready(client.execute(request)).expect("an answer");
        ready(response.bytes()).expect("a body");
    });
}

fn grpc_server(pipeline: &Pipeline, library: Library, mode: Mode, times: u64) {
    let method = service_fn(answer_call);
    let request = || grpc_request(headers(&GRPC, mode), Body::empty());
    match library {
        Library::Nothing => calls(pipeline, times, request, method),
        Library::Tracehound => {
            let service = ServerLayer::new(pipeline.tracer.clone()).layer(method);
            calls(pipeline, times, request, service);
        }
        Library::TonicOtel => {
            let layer = tonic_tracing_opentelemetry::middleware::server::OtelGrpcLayer::default();
            calls(pipeline, times, request, layer.layer(method));
        }
        Library::FastraceTonic => {
            let layer = fastrace_tonic::FastraceServerLayer::default();
            calls(pipeline, times, request, layer.layer(method));
        }
        other => panic!("{other:?} has no layer for gRPC servers"),
    }
}

fn grpc_client(pipeline: &Pipeline, library: Library, _: Mode, times: u64) {
    let channel = service_fn(answer_call);
    let request = || grpc_request(header_map(GRPC), Body::empty());
    match library {
        Library::Nothing => calls(pipeline, times, request, channel),
        Library::Tracehound => {
            let layer = ClientLayer::new(pipeline.tracer.clone()).peer_address("stock:50051");
            calls(pipeline, times, request, layer.layer(channel));
        }
        Library::TonicOtel => {
            let layer = tonic_tracing_opentelemetry::middleware::client::OtelGrpcLayer;
            calls(pipeline, times, request, layer.layer(channel));
        }
        Library::FastraceTonic => {
            let layer = fastrace_tonic::FastraceClientLayer;
            calls(pipeline, times, request, layer.layer(channel));
        }
        other => panic!("{other:?} has no layer for gRPC clients"),
    }
}

async fn answer_call(_: Request) -> Result<http::Response<GrpcBody>, Infallible> {
    Ok(grpc_response())
}

type GrpcBody = http_body_util::StreamBody<requests::ReadyFrames>;

fn calls<S, B>(pipeline: &Pipeline, times: u64, request: impl Fn() -> Request, mut service: S)
where
    S: Service<Request, Response = http::Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body,
{
    measured(pipeline, times, request, |request| {
        drain(ready(service.call(request)).expect("infallible"));
    });
}

fn headers(ordinary: &[(&'static str, &'static str)], mode: Mode) -> HeaderMap {
    let trace = [("traceparent", mode.traceparent())];
    header_map(ordinary.iter().copied().chain(trace))
}

fn measured<R>(pipeline: &Pipeline, times: u64, request: impl Fn() -> R, mut work: impl FnMut(R)) {
    for _ in 0..WARM_UP / BATCH {
        let requests: Vec<R> = (0..BATCH).map(|_| request()).collect();
        requests.into_iter().for_each(&mut work);
        pipeline.flush();
    }
    assert_eq!(times % BATCH, 0, "a whole number of batches");
    let (mut time, mut count) = (Duration::ZERO, 0);
    for _ in 0..times / BATCH {
        let requests = (0..BATCH).map(|_| request()).collect();
        // Under valgrind the processor time cannot be read.
        let now = || match pipeline.reads_time {
            true => process_cpu(),
            false => Duration::ZERO,
        };
        let begin = (now(), allocations());
        counted_requests(requests, &mut work);
        pipeline.flush();
        time += now() - begin.0;
        count += allocations() - begin.1;
    }
    println!("{} {count}", time.as_nanos());
}

#[inline(never)]
fn counted_requests<R>(requests: Vec<R>, work: &mut impl FnMut(R)) {
    for request in requests {
        work(black_box(request));
    }
}

/// The number of requests between two flushes.
pub const BATCH: u64 = 250;
const WARM_UP: u64 = 2 * BATCH;
