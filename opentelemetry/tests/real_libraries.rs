//! Libraries that know OpenTelemetry's API alone, with the global provider and propagator of the process.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use opentelemetry::global;
use opentelemetry::trace::{SpanKind, TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry_http::HeaderInjector;
use opentelemetry_instrumentation_tower::http::server;
use tower::ServiceExt as _;
use tracehound::InSpan as _;
use tracehound::prelude::*;
use tracehound::reporter::{InMemoryReporter, OwnedSpan};
use tracehound::sampler::ConstSampler;
use tracehound_opentelemetry::{TracehoundPropagator, TracehoundProvider};
use tracing::Instrument as _;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::prelude::*;

struct Global {
    tracer: JaegerTracer,
    spans: InMemoryReporter,
}

/// The tracer behind the global provider.
static GLOBAL: LazyLock<Global> = LazyLock::new(|| {
    let spans = InMemoryReporter::new();
    let tracer = JaegerTracer::builder("shop")
        .sampler(ConstSampler::new(true))
        .reporter(spans.clone())
        .build()
        .expect("has a name");
    global::set_tracer_provider(TracehoundProvider::new(tracer.clone()));
    global::set_text_map_propagator(TracehoundPropagator::new(tracer.clone()));
    Global { tracer, spans }
});

impl Global {
    fn span(&self, name: &str) -> OwnedSpan {
        self.spans.find(name).expect(name)
    }
}

fn shop() -> Router {
    Router::new()
        .route(
            "/cart/{id}",
            get(|| async {
                let price = async { GLOBAL.tracer.start_span("ours in the handler").finish() };
                price.in_span(GLOBAL.tracer.start_span("price")).await;
                global::tracer("handler").in_span("theirs in the handler", |_| ());
                "3 items"
            }),
        )
        .route("/fails", get(|| async { StatusCode::BAD_GATEWAY }))
        .layer(server::Layer::new())
}

#[tokio::test]
async fn requests_of_an_instrumented_server_continue_our_trace() {
    let global = &*GLOBAL;
    let checkout = global.tracer.start_active_span("checkout");
    let mut request = Request::get("/cart/7?user=1")
        .body(Body::empty())
        .expect("legal");
    // The client is instrumented by OpenTelemetry's API, under a span of ours.
    let tracer = global::tracer("client");
    let client = tracer.span_builder("client").with_kind(SpanKind::Client);
    let cx = opentelemetry::Context::current_with_span(client.start(&tracer));
    global::get_text_map_propagator(|it| {
        it.inject_context(&cx, &mut HeaderInjector(request.headers_mut()));
    });
    checkout.set_tag("sent", true);
    checkout.finish();
    drop(cx);
    let response = shop().oneshot(request).await.expect("infallible");
    assert_eq!(response.status(), StatusCode::OK);
    drop(response);

    let server = global.span("GET /cart/{id}");
    let client = global.span("client");
    assert_eq!(client.parent_id, Some(global.span("checkout").span_id));
    assert_eq!(
        (server.trace_id, server.parent_id),
        (client.trace_id, Some(client.span_id))
    );
    assert_eq!(server.tag_text("span.kind"), "server");
    assert_eq!(server.tag_text("http.response.status_code"), "200");
    assert_eq!(
        server.tag_text("otel.scope.name"),
        "opentelemetry-instrumentation-tower"
    );
    for name in ["price", "theirs in the handler"] {
        assert_eq!(global.span(name).parent_id, Some(server.span_id), "{name}");
    }
    let price = global.span("price");
    assert_eq!(
        global.span("ours in the handler").parent_id,
        Some(price.span_id)
    );
}

#[tokio::test]
async fn a_failure_of_an_instrumented_server_is_an_error_of_its_span() {
    let global = &*GLOBAL;
    let request = Request::get("/fails").body(Body::empty()).expect("legal");
    let response = shop().oneshot(request).await.expect("infallible");
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    drop(response);
    let server = global.span("GET /fails");
    assert!(server.is_error());
    assert_eq!(server.tag_text("otel.status_description"), "HTTP 502");
}

#[tokio::test]
async fn spans_of_tracing_go_through_its_bridge_to_opentelemetry() {
    let global = &*GLOBAL;
    let provider = TracehoundProvider::new(global.tracer.clone());
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("tracing"));
    let subscriber = tracing_subscriber::registry().with(layer);
    let _default = tracing::subscriber::set_default(subscriber);

    let outer = global.tracer.start_span("outer of ours");
    async {
        let span = tracing::info_span!("load", user = 7, otel.kind = "client");
        async {
            tokio::task::yield_now().await;
            tracing::info!(rows = 3, "loaded");
            global.tracer.start_span("ours in load").finish();
            let inner = tracing::info_span!("inner");
            inner.in_scope(|| global::tracer("library").in_span("library in inner", |_| ()));
            assert!(inner.context().span().span_context().is_valid());
        }
        .instrument(span)
        .await;
    }
    .in_span(outer)
    .await;

    let load = global.span("load");
    assert_eq!(load.parent_id, Some(global.span("outer of ours").span_id));
    assert_eq!(load.tag_text("user"), "7");
    assert_eq!(load.tag_text("span.kind"), "client");
    let [log] = &load.logs[..] else {
        panic!("one record: {load:?}")
    };
    assert_eq!(log.fields[0].value.to_string(), "loaded");
    assert!(
        log.fields
            .iter()
            .any(|field| field.key == "rows" && field.value.to_string() == "3")
    );
    let inner = global.span("inner");
    assert_eq!(global.span("ours in load").parent_id, Some(load.span_id));
    assert_eq!(inner.parent_id, Some(load.span_id));
    assert_eq!(
        global.span("library in inner").parent_id,
        Some(inner.span_id)
    );
}
