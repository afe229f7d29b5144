use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{info, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

use crate::contender::opentelemetry::{account, provider};
use crate::contender::{Account, Contender, Destination, Mode, Tally};
use crate::request::Request;

struct Tracing {
    provider: SdkTracerProvider,
    propagator: TraceContextPropagator,
    tally: Arc<Tally>,
}

pub fn prepare(mode: Mode, destination: Destination) -> Option<Box<dyn Contender>> {
    let (provider, tally) = provider(mode, destination);
    if mode != Mode::Off {
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("compare"));
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::set_global_default(subscriber).expect("one contender in a process");
    }
    Some(Box::new(Tracing {
        provider,
        propagator: TraceContextPropagator::new(),
        tally,
    }))
}

impl Contender for Tracing {
    fn roots(&self, n: u64) {
        for _ in 0..n {
            info_span!(parent: None, "root").in_scope(|| {});
        }
    }

    fn children(&self, n: u64) {
        info_span!(parent: None, "root").in_scope(|| {
            for _ in 0..n {
                info_span!("child").in_scope(|| {});
            }
        });
    }

    fn requests(&self, n: u64, request: &mut Request) {
        for _ in 0..n {
            let server = info_span!(
                parent: None,
                "GET /orders",
                otel.kind = "server",
                http.method = "GET",
                component = "shop",
                http.url = request.url.as_str(),
                user.id = request.user.as_str(),
                http.status_code = request.status,
                http.response_size = request.response_size,
            );
            let headers = HeaderExtractor(&request.headers);
            let caller = self
                .propagator
                .extract_with_context(&Context::new(), &headers);
            server.set_parent(caller).expect("it has not begun");
            let _server = server.entered();
            info!(event = "cache_miss", bytes = request.bytes_read);
            let client = info_span!("GET /backend", otel.kind = "client").entered();
            let mut next = HeaderInjector(&mut request.next);
            self.propagator.inject_context(&client.context(), &mut next);
        }
    }

    fn tagged_root(&self, request: &Request) {
        let root = info_span!(
            parent: None,
            "GET /orders",
            http.method = "GET",
            component = "shop",
            http.url = request.url.as_str(),
            http.status_code = request.status,
            http.response_size = request.response_size,
        );
        root.in_scope(|| {});
    }

    fn off(&self, n: u64) {
        for i in 0..n {
            info_span!(parent: None, "root", items = i as i64).in_scope(|| {});
        }
    }

    fn flush(&self) {
        self.provider
            .force_flush()
            .expect("the sink takes everything");
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }

    fn account(&self) -> Account {
        account(&self.tally)
    }
}
