use std::{collections::BTreeMap, error::Error, iter, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use opentelemetry::{
    Context, KeyValue,
    baggage::BaggageExt,
    propagation::{TextMapCompositePropagator, TextMapPropagator},
    trace::{SpanBuilder, SpanKind, TraceContextExt, Tracer},
};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::trace::SdkTracer;
use serde::{Deserialize, Serialize};

use crate::sampler::PRIORITY;

/// The requests of the crossdock. A context stands for its span and its baggage.
#[derive(Clone)]
pub(crate) struct Service {
    tracer: SdkTracer,
    propagator: Arc<TextMapCompositePropagator>,
    client: reqwest::Client,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartRequest {
    server_role: String,
    sampled: bool,
    baggage: String,
    #[serde(default)]
    items: BTreeMap<String, String>,
    downstream: Option<Downstream>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct JoinRequest {
    server_role: String,
    downstream: Option<Box<Downstream>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Downstream {
    service_name: String,
    server_role: String,
    host: String,
    port: String,
    transport: String,
    downstream: Option<Box<Downstream>>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    span: Option<Observed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    downstream: Option<Box<Answer>>,
    #[serde(default)]
    not_implemented_error: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Observed {
    trace_id: String,
    sampled: bool,
    #[serde(default)]
    baggage: String,
    #[serde(default)]
    items: BTreeMap<String, String>,
}

type Failure = Box<dyn Error + Send + Sync>;
type Reply = Result<Json<Answer>, (StatusCode, String)>;

impl Service {
    pub(crate) fn new(tracer: SdkTracer, propagator: TextMapCompositePropagator) -> Self {
        // Straight to the address: the machine may have a proxy.
        let client = reqwest::Client::builder().no_proxy().build();
        Self {
            tracer,
            propagator: Arc::new(propagator),
            client: client.expect("the builder has no option that can fail"),
        }
    }

    pub(crate) fn routes(self) -> Router {
        let (starting, joining) = (self.clone(), self);
        let start = move |headers: HeaderMap, body: Bytes| async move {
            let received = starting.receive(&headers);
            let seen = starting.start_trace(&body).await;
            received.span().end();
            reply(seen)
        };
        let join = move |headers: HeaderMap, body: Bytes| async move {
            let received = joining.receive(&headers);
            let seen = joining.join_trace(&received, &body).await;
            received.span().end();
            reply(seen)
        };
        Router::new()
            .route("/", get(|| async {}))
            .route("/start_trace", post(start))
            .route("/join_trace", post(join))
    }

    fn receive(&self, headers: &HeaderMap) -> Context {
        let caller = self
            .propagator
            .extract_with_context(&Context::new(), &HeaderExtractor(headers));
        self.start(
            SpanBuilder::from_name("post").with_kind(SpanKind::Server),
            &caller,
        )
    }

    fn start(&self, span: SpanBuilder, parent: &Context) -> Context {
        parent.with_span(self.tracer.build_with_context(span, parent))
    }

    async fn start_trace(&self, body: &[u8]) -> Result<Answer, Failure> {
        let request: StartRequest = serde_json::from_slice(body)?;
        let mut root = SpanBuilder::from_name(request.server_role);
        if request.sampled {
            root = root.with_attributes([KeyValue::new(PRIORITY, 1)]);
        }
        let root = self.start(root, &Context::new());
        let further = request.items.into_iter();
        let further = further.map(|(key, value)| KeyValue::new(key, value));
        let item = KeyValue::new(BAGGAGE_KEY, request.baggage);
        let context = root.with_baggage(iter::once(item).chain(further));
        let seen = self.follow(&context, request.downstream).await;
        root.span().end();
        seen
    }

    async fn join_trace(&self, received: &Context, body: &[u8]) -> Result<Answer, Failure> {
        let request: JoinRequest = serde_json::from_slice(body)?;
        let next = request.downstream.map(|next| *next);
        self.follow(received, next).await
    }

    /// Returns what the span of `context` and everything below it observes.
    async fn follow(&self, context: &Context, next: Option<Downstream>) -> Result<Answer, Failure> {
        let mut answer = Answer {
            span: Some(observe(context)),
            ..Answer::default()
        };
        if let Some(next) = next {
            let below = if next.transport == "HTTP" {
                self.call(context, next).await?
            } else {
                Answer {
                    not_implemented_error: format!("no transport {}", next.transport),
                    ..Answer::default()
                }
            };
            answer.downstream = Some(Box::new(below));
        }
        Ok(answer)
    }

    async fn call(&self, context: &Context, next: Downstream) -> Result<Answer, Failure> {
        let span = SpanBuilder::from_name("post").with_kind(SpanKind::Client);
        let call = self.start(span, context);
        let answer = self.post(&call, next).await;
        call.span().end();
        answer
    }

    async fn post(&self, call: &Context, next: Downstream) -> Result<Answer, Failure> {
        let url = format!("http://{}:{}/join_trace", next.host, next.port);
        let mut headers = HeaderMap::new();
        self.propagator
            .inject_context(call, &mut HeaderInjector(&mut headers));
        let body = JoinRequest {
            server_role: next.server_role,
            downstream: next.downstream,
        };
        let request = self.client.post(url).headers(headers).json(&body);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }
}

fn observe(context: &Context) -> Observed {
    let span = context.span();
    let span = span.span_context();
    let item = context.baggage().get(BAGGAGE_KEY);
    Observed {
        trace_id: span.trace_id().to_string(),
        sampled: span.is_sampled(),
        baggage: item.map(ToString::to_string).unwrap_or_default(),
        items: context
            .baggage()
            .iter()
            .map(|(key, (value, _))| (key.to_string(), value.to_string()))
            .collect(),
    }
}

fn reply(seen: Result<Answer, Failure>) -> Reply {
    seen.map(Json).map_err(|error| {
        eprintln!("{error}");
        (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    })
}

const BAGGAGE_KEY: &str = "crossdock-baggage-key";
