//! The requests of the service.

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use serde::de::DeserializeOwned;
use tracehound::{
    JaegerTracer,
    metrics::FlushReport,
    middleware::{ServerLayer, TracingMiddleware},
    model::{Baggage, tags},
    prelude::*,
};
use tracehound_interop::crossdock::{
    Answer, BAGGAGE_KEY, Downstream, JoinTrace, Observed, StartTrace, Transport,
};

use crate::{
    generated::Generators,
    grpc::client,
    options::{GrpcClient, Options},
};

/// The service: its tracer, its client, and the tracers of `/create_traces`.
#[derive(Clone)]
pub(crate) struct Service {
    tracer: JaegerTracer,
    http: ClientWithMiddleware,
    grpc_client: GrpcClient,
    generators: Arc<Generators>,
}

impl Service {
    pub(crate) fn new(tracer: JaegerTracer, options: Options) -> reqwest::Result<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(DOWNSTREAM_WITHIN)
            // A kept connection may be closed by the downstream just when it is used again.
            .pool_max_idle_per_host(0)
            .build()?;
        let spans = TracingMiddleware::new(tracer.clone()).operation_name(|_| OPERATION.into());
        Ok(Self {
            tracer,
            http: ClientBuilder::new(client).with(spans).build(),
            grpc_client: options.grpc_client,
            generators: Arc::new(Generators::new(options)),
        })
    }

    pub(crate) fn router(&self) -> Router {
        let spans = ServerLayer::new(self.tracer.clone()).operation_name(|_| OPERATION.into());
        Router::new()
            .route("/start_trace", post(start_trace))
            .route("/join_trace", post(join_trace))
            .layer(spans)
            // These two are in no trace.
            .route("/", get(|| async {}))
            .route("/create_traces", post(create_traces))
            .with_state(self.clone())
    }

    /// Returns the layer that makes the server spans of gRPC.
    pub(crate) fn grpc_spans(&self) -> ServerLayer {
        ServerLayer::new(self.tracer.clone()).operation_name(|_| OPERATION.into())
    }

    /// Answers the body of a call of `join_trace`.
    pub(crate) async fn join(&self, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let request: JoinTrace = read(body)?;
        let answer = self.answer(request.downstream).await?;
        serde_json::to_vec(&answer).map_err(Failure::own)
    }

    /// Sends the remaining spans and returns what became of all, for each tracer.
    pub(crate) fn close(&self, timeout: Duration) -> Vec<FlushReport> {
        let mut reports = vec![self.tracer.close(timeout)];
        reports.extend(self.generators.close(timeout));
        reports
    }

    /// Returns what the active span shows, and what the downstream answers.
    async fn answer(&self, downstream: Option<Box<Downstream>>) -> Result<Answer, Failure> {
        let seen = observe();
        let downstream = match downstream {
            Some(downstream) => Some(Box::new(self.call(*downstream).await?)),
            None => None,
        };
        Ok(Answer {
            span: Some(seen),
            downstream,
            ..Answer::default()
        })
    }

    async fn call(&self, downstream: Downstream) -> Result<Answer, Failure> {
        if downstream.transport == Transport::Grpc {
            let called = client::call(&self.tracer, self.grpc_client, downstream).await;
            return called.map_err(|status| Failure::of_downstream("gRPC", &status));
        }
        if downstream.transport != Transport::Http {
            let transport = downstream.transport;
            return Ok(Answer {
                not_implemented_error: format!("the transport {transport} is not implemented"),
                ..Answer::default()
            });
        }
        let url = format!("http://{}:{}/join_trace", downstream.host, downstream.port);
        let request = JoinTrace {
            server_role: downstream.server_role,
            downstream: downstream.downstream,
        };
        let body = serde_json::to_vec(&request).map_err(Failure::own)?;
        let failed = |error: &dyn Display| Failure::of_downstream(&url, error);
        let reply = self.http.post(&url).header(CONTENT_TYPE, JSON).body(body);
        let reply = reply.send().await.map_err(|error| failed(&error))?;
        let status = reply.status();
        let body = reply.bytes().await.map_err(|error| failed(&error))?;
        if status != StatusCode::OK {
            let text = String::from_utf8_lossy(&body);
            return Err(failed(&format_args!("{status}: {text}")));
        }
        serde_json::from_slice(&body).map_err(|error| failed(&error))
    }
}

async fn start_trace(State(service): State<Service>, body: Bytes) -> Result<Response, Failure> {
    let request: StartTrace = read(&body)?;
    let root = service
        .tracer
        .build_span(request.server_role)
        .new_trace()
        .start();
    if request.sampled {
        root.set_tag(tags::SAMPLING_PRIORITY, 1);
    }
    root.set_baggage_item(BAGGAGE_KEY, &request.baggage);
    for (key, value) in &request.items {
        root.set_baggage_item(key, value);
    }
    let answer = service.answer(request.downstream).in_span(root).await?;
    write(&answer)
}

async fn join_trace(State(service): State<Service>, body: Bytes) -> Result<Response, Failure> {
    let body = service.join(&body).await?;
    Ok(([(CONTENT_TYPE, JSON)], body).into_response())
}

async fn create_traces(State(service): State<Service>, body: Bytes) -> Result<(), Failure> {
    let request = read(&body)?;
    service.generators.create(&request).map_err(Failure::own)
}

/// Returns what the active span shows of its trace.
fn observe() -> Observed {
    let span = active_span();
    let context = span.context();
    Observed {
        trace_id: context.to_trace_id(),
        sampled: context.is_sampled(),
        baggage: span.baggage_item(BAGGAGE_KEY).unwrap_or_default(),
        items: owned(context.baggage()),
    }
}

fn owned(baggage: &Baggage) -> BTreeMap<String, String> {
    let items = baggage.iter();
    items
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure {
        status: StatusCode::BAD_REQUEST,
        text: format!("the body of the request: {error}"),
    })
}

fn write(answer: &Answer) -> Result<Response, Failure> {
    let body = serde_json::to_vec(answer).map_err(Failure::own)?;
    Ok(([(CONTENT_TYPE, JSON)], body).into_response())
}

/// An answer with another status than 200.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    text: String,
}

impl Failure {
    fn own(error: impl Display) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            text: error.to_string(),
        }
    }

    fn of_downstream(url: &str, error: &dyn Display) -> Self {
        Self {
            status: StatusCode::BAD_GATEWAY,
            text: format!("{url}: {error}"),
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.text)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        eprintln!("{self}");
        (self.status, self.text).into_response()
    }
}

const OPERATION: &str = "post";
const JSON: &str = "application/json";
/// Less than the patience of the driver, so that its error tells which service does not answer.
const DOWNSTREAM_WITHIN: Duration = Duration::from_secs(8);
