use std::sync::Arc;

use http::Extensions;
use reqwest::{Request, Response, redirect};
use reqwest_middleware::{Middleware, Next};

use crate::middleware::TracingMiddleware;
use crate::middleware::http::attempts::Attempts;
use crate::middleware::http::exchange::Exchange;
use crate::middleware::http::hooks::Hooks;
use crate::middleware::http::protocol::Protocol;
use crate::middleware::http::reqwest::{Observed, record_request};
use crate::middleware::http::settings::{Settings, settings};
use crate::middleware::http::{names, redact};
use crate::model::{field, otel_tags, tags};
use crate::scope::{Role, active_span};
use crate::tracer::{Tracer, TracerExt};

/// A middleware for reqwest-middleware, to be added before one that retries or follows redirects: a call has one span,
/// and in it each attempt has one.
///
/// The attempts are the requests that a [`TracingMiddleware`] behind the other ones sees. They are numbered, with the
/// tags of a [`CallLayer`](crate::middleware::CallLayer), which also tells what the span of a call is like.
///
/// ```
/// use reqwest_middleware::ClientBuilder;
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{CallMiddleware, TracingMiddleware};
/// # use TracingMiddleware as RetryMiddleware;
///
/// let http = ClientBuilder::new(reqwest::Client::new())
///     .with(CallMiddleware::new(NoopTracer))
///     .with(RetryMiddleware::new(NoopTracer)) // such as that of reqwest-retry
///     .with(TracingMiddleware::new(NoopTracer))
///     .build();
/// ```
///
/// The attempts know their call by the extensions of the request. A middleware that runs its attempts with extensions
/// of its own keeps them from it. Redirects and retries of reqwest itself are no attempts: see
/// [`TracingMiddleware::log_redirects`].
///
/// Every setting:
///
/// ```
/// use http::header::{LOCATION, USER_AGENT};
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{CallMiddleware, SpanEnd};
///
/// let middleware = CallMiddleware::new(NoopTracer)
///     .operation_name(|_| "ask the stock".into())
///     .filter(|request| request.url().path() != "/health")
///     .url(|request| Some(request.url().path().to_owned()))
///     .component("stock client")
///     .request_headers([USER_AGENT])
///     .response_headers([LOCATION])
///     .error_status(|status| status.as_u16() >= 400)
///     .decorate(|span, request| {
///         span.set_tag("has_body", request.body().is_some());
///     })
///     .decorate_response(|span, response| {
///         span.set_tag("headers", response.headers().len());
///     })
///     .span_end(SpanEnd::Head);
/// ```
#[derive(Clone)]
pub struct CallMiddleware {
    settings: Arc<Settings<Request, Response>>,
}

settings!(CallMiddleware, Request, Response);

#[async_trait::async_trait]
impl Middleware for CallMiddleware {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let Settings { tracer, hooks, .. } = &*self.settings;
        if tracer.is_noop() || !hooks.wants(&request) {
            return next.run(request, extensions).await;
        }
        let exchange = begin(&**tracer, hooks, &request);
        if exchange.is_over() {
            return next.run(request, extensions).await;
        }
        let outer = extensions.insert(Attempts::new(exchange.span()));
        let url = exchange
            .span()
            .is_recording()
            .then(|| request.url().clone());
        let result = Observed::new(hooks, exchange, url, next.run(request, extensions)).await;
        match outer {
            Some(outer) => extensions.insert(outer),
            None => extensions.remove::<Arc<Attempts>>(),
        };
        result
    }
}

fn begin(
    tracer: &(impl Tracer + ?Sized),
    hooks: &Hooks<Request, Response>,
    request: &Request,
) -> Exchange {
    let name = hooks
        .name(request)
        .unwrap_or_else(|| names::http_name(|| tracer.tag_names(), request.method(), None));
    let span = tracer
        .build_span(name)
        .place(hooks.place)
        .tag(tags::COMPONENT, hooks.component("reqwest"))
        .start();
    if span.is_recording() {
        record_request(&span, hooks, request, None);
    }
    hooks.decorate(&span, request);
    Exchange::new(span, Role::Client, Protocol::Http, request.method())
}

impl TracingMiddleware {
    /// Returns a redirect policy that logs each redirect which the client receives, and then asks `policy`.
    ///
    /// reqwest follows redirects inside of the client, so that all hops share a span. With this policy the span gets a
    /// log record for each: `event=redirect`, `http.status_code`, `http.url` (where it leads) and `http.redirects` (its
    /// number), and the tag `http.redirects` with the number of all. If the tracer writes no names of OpenTracing, the
    /// fields have OpenTelemetry's. A last redirect that `policy` does not follow is the response.
    ///
    /// ```
    /// use reqwest::Client;
    /// use reqwest::redirect::Policy;
    /// use tracehound::middleware::TracingMiddleware;
    ///
    /// let client = Client::builder()
    ///     .redirect(TracingMiddleware::log_redirects(Policy::default()))
    ///     .build()?;
    /// # Ok::<(), reqwest::Error>(())
    /// ```
    pub fn log_redirects(policy: redirect::Policy) -> redirect::Policy {
        redirect::Policy::custom(move |attempt| {
            log_redirect(&attempt);
            policy.redirect(attempt)
        })
    }
}

fn log_redirect(attempt: &redirect::Attempt<'_>) {
    let span = active_span();
    if !span.is_recording() {
        return;
    }
    let mut url = String::new();
    redact::push_url_text(&mut url, attempt.url().as_str());
    // The first one is the URL of the request itself.
    let number = attempt.previous().len();
    span.set_tag("http.redirects", number);
    let (status_key, url_key) = match span.tag_names().has_opentracing() {
        true => (tags::HTTP_STATUS_CODE, tags::HTTP_URL),
        false => (otel_tags::HTTP_RESPONSE_STATUS_CODE, otel_tags::URL_FULL),
    };
    span.log([
        field(tags::EVENT, "redirect"),
        field(status_key, attempt.status().as_u16()),
        field(url_key, &url),
        field("http.redirects", number),
    ]);
}
