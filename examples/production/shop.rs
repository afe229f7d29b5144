//! A service with a listener for strangers and one for the house, which calls itself over HTTP and a partner outside.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use reqwest::redirect::Policy;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracehound::metrics::{MetricsPage, TextFormat};
use tracehound::middleware::{AnswerHeaders, Destinations, ServerLayer, TracingMiddleware, Trust};
use tracehound::observer::RedMetrics;
use tracehound::prelude::*;
use tracing::warn;

use crate::traced::Traced;

pub(crate) struct Shop {
    strangers: SocketAddr,
    house: SocketAddr,
    /// Tells servers to answer the requests that they have, and to end.
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<std::io::Result<()>>>,
    leaked: Arc<AtomicU64>,
}

/// What the partner has seen of the traces of the house.
pub(crate) struct Leaks {
    pub(crate) trace_headers: u64,
}

impl Shop {
    pub(crate) async fn open(traced: &Traced) -> Result<Self, Box<dyn Error>> {
        let (stop, _) = watch::channel(false);
        let leaked = Arc::default();
        let (partner, partner_server) = serve(partner(Arc::clone(&leaked)), &stop).await?;
        let (house, house_server) = serve(house(traced), &stop).await?;
        let calls = Calls {
            http: client(&traced.tracer)?,
            stock: format!("http://{house}"),
            // Not the name by which the house is known, so not a place for its headers.
            partner: format!("http://localhost:{}/parcels", partner.port()),
        };
        let (strangers, server) = serve(public(traced, calls)?, &stop).await?;
        Ok(Self {
            strangers,
            house,
            stop,
            servers: vec![server, house_server, partner_server],
            leaked,
        })
    }

    pub(crate) fn orders_url(&self, customer: &str) -> String {
        format!("http://{}/orders/{customer}", self.strangers)
    }

    pub(crate) fn metrics_url(&self) -> String {
        format!("http://{}/metrics", self.house)
    }

    /// Answers the last requests, and ends.
    pub(crate) async fn close(self) -> Result<Leaks, Box<dyn Error>> {
        self.stop.send_replace(true);
        for server in self.servers {
            server.await??;
        }
        let trace_headers = self.leaked.load(Ordering::Relaxed);
        Ok(Leaks { trace_headers })
    }
}

/// The listener that strangers reach. What they say of traces is not believed, and one header of theirs is recorded.
fn public(traced: &Traced, calls: Calls) -> Result<Router, Box<dyn Error>> {
    let layer = ServerLayer::new(traced.tracer.clone())
        .trust(Trust::restart())
        .request_headers([HeaderName::from_static("x-request-id")])
        .answer_headers(AnswerHeaders::new());
    let orders = Router::new().route("/orders/{customer}", post(order));
    Ok(orders.with_state(calls).layer(layer))
}

/// The listener that the house alone reaches: it believes its callers. The metrics page has no spans.
fn house(traced: &Traced) -> Router {
    let layer = ServerLayer::new(traced.tracer.clone())
        .filter(|request| !matches!(request.uri.path(), "/metrics" | "/health"));
    let pages = Pages {
        red: traced.red.clone(),
        tracer: traced.tracer.clone(),
    };
    Router::new()
        .route("/items/{customer}", get(items))
        .route("/metrics", get(metrics).with_state(pages))
        .route("/health", get(|| async { "well" }))
        .layer(layer)
}

/// Another company. It counts the headers that it should not get.
fn partner(leaked: Arc<AtomicU64>) -> Router {
    let take = async move |headers: HeaderMap| {
        let names = ["uber-trace-id", "traceparent", "baggage"];
        let seen = names.into_iter().any(|name| headers.contains_key(name));
        leaked.fetch_add(seen.into(), Ordering::Relaxed);
        StatusCode::ACCEPTED
    };
    Router::new().route("/parcels", post(take))
}

#[derive(Clone)]
struct Calls {
    http: ClientWithMiddleware,
    stock: String,
    partner: String,
}

/// A client whose calls have spans. Trace headers and baggage go to the house alone, also after a redirect.
fn client(tracer: &JaegerTracer) -> Result<ClientWithMiddleware, Box<dyn Error>> {
    let inside = Destinations::all().trace_headers_to(["127.0.0.1"])?;
    let (tracing, redirects) =
        TracingMiddleware::new(tracer.clone()).destinations(inside, Policy::default());
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(redirects)
        .timeout(Duration::from_secs(5))
        .build()?;
    Ok(ClientBuilder::new(client).with(tracing).build())
}

async fn order(State(calls): State<Calls>, Path(customer): Path<String>) -> StatusCode {
    active_span().set_tag("customer", &*customer);
    match take(&calls, &customer).await {
        Ok(status) => status,
        Err(error) => {
            active_span().log_error(&error);
            warn!(customer, %error, "no order"); // a line with the id of the trace
            StatusCode::BAD_GATEWAY
        }
    }
}

async fn take(calls: &Calls, customer: &str) -> Result<StatusCode, reqwest_middleware::Error> {
    let url = format!("{}/items/{customer}", calls.stock);
    calls.http.get(url).send().await?.error_for_status()?;
    let parcel = calls.http.post(&calls.partner).send().await?;
    Ok(parcel.status())
}

/// Bob's shelf is broken, and Carol's is far away.
async fn items(Path(customer): Path<String>) -> StatusCode {
    match &*customer {
        "bob" => StatusCode::INTERNAL_SERVER_ERROR,
        "carol" => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            StatusCode::OK
        }
        _ => StatusCode::OK,
    }
}

#[derive(Clone)]
struct Pages {
    red: RedMetrics,
    tracer: JaegerTracer,
}

async fn metrics(State(pages): State<Pages>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get(header::ACCEPT);
    let accept = accept.and_then(|value| value.to_str().ok());
    let format = TextFormat::of_accept(accept.unwrap_or_default());
    let page = MetricsPage::new(format).with(&pages.red);
    let page = page.with(&pages.tracer.metrics()).finish();
    ([(header::CONTENT_TYPE, format.content_type())], page)
}

async fn serve(
    app: Router,
    stop: &watch::Sender<bool>,
) -> Result<(SocketAddr, JoinHandle<std::io::Result<()>>), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let mut stop = stop.subscribe();
    let stopped = async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    // With the address of the caller on each span.
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, app).with_graceful_shutdown(stopped);
    Ok((address, tokio::spawn(async { server.await })))
}
