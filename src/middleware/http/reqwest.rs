use std::fmt::Display;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Extensions;
use reqwest::{Body, Client, Request, Response, ResponseBuilderExt, Url, redirect};
use reqwest_middleware::{Middleware, Next};

use crate::middleware::http::attempts::Attempts;
use crate::middleware::http::contents::Contents;
use crate::middleware::http::details::{Details, client_details};
use crate::middleware::http::exchange::Exchange;
use crate::middleware::http::hooks::Hooks;
use crate::middleware::http::in_request::InRequest;
use crate::middleware::http::outward::{self, Outward};
use crate::middleware::http::protocol::Protocol;
use crate::middleware::http::request_scope::RequestScope;
use crate::middleware::http::settings::{Settings, settings};
use crate::middleware::http::{names, redact, span_tags};
use crate::middleware::side::Side;
use crate::middleware::{Destinations, TracedBody};
use crate::model::{field, otel_tags, tags};
use crate::span::Span;
use crate::tracer::{Tracer, TracerExt};

/// A middleware for reqwest-middleware that gives each request of a client a span and injects its context.
///
/// The span is a child of the span that is active when the request is sent, or else a root. It ends with the body of
/// the response, so read the body to its end or drop it. Redirects that reqwest follows share the span; a log record
/// (`event=redirected`) has the URL that they led to.
///
/// Add it before a middleware that retries, and one span covers all attempts; add it after, and each attempt has a
/// span. A [`CallMiddleware`](crate::middleware::CallMiddleware) before numbers the attempts, and
/// [`log_redirects`](Self::log_redirects) the redirects.
///
/// ```
/// use reqwest_middleware::ClientBuilder;
/// use tracehound::middleware::TracingMiddleware;
/// use tracehound::NoopTracer;
///
/// let http = ClientBuilder::new(reqwest::Client::new())
///     .with(TracingMiddleware::new(NoopTracer).decorate(|span, request| {
///         span.set_tag("has_body", request.body().is_some());
///     }))
///     .build();
/// ```
///
/// Every setting that is not shown there:
///
/// ```
/// use http::header::{RETRY_AFTER, USER_AGENT};
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{ConnectionEvents, SpanEnd, TracingMiddleware};
///
/// let middleware = TracingMiddleware::new(NoopTracer)
///     .operation_name(|request| format!("{} stock", request.method()).into())
///     .filter(|request| request.url().path() != "/health")
///     .url(|request| Some(request.url().path().to_owned()))
///     .component("stock client")
///     .request_headers([USER_AGENT])
///     .response_headers([RETRY_AFTER])
///     .error_status(|status| status.as_u16() >= 400)
///     .decorate_response(|span, response| {
///         span.set_tag("headers", response.headers().len());
///     })
///     .span_end(SpanEnd::Head)
///     .trace_response(true)
///     .connection_events(ConnectionEvents::new())
///     .injection(false); // writes no headers
/// ```
#[derive(Clone)]
pub struct TracingMiddleware {
    settings: Arc<Settings<Request, Response>>,
    redirect_client: Option<Client>,
}

settings!(TracingMiddleware, Request, Response, redirect_client);
client_details!(TracingMiddleware);

impl TracingMiddleware {
    /// Sets whether the span's context is injected into the request, where it replaces any other. Defaults to true.
    #[must_use]
    pub fn injection(mut self, injects: bool) -> Self {
        self.hooks_mut().injects = injects;
        self
    }

    /// Sets the hosts to which trace headers and baggage go, and returns the redirect policy that the client needs for
    /// it. Defaults to [`Destinations::all`], for which any policy will do.
    ///
    /// From a request to another host these headers are removed, whoever has set them: a proxy forwards those of its
    /// caller. That holds for requests that the [`filter`](Self::filter) excludes, too.
    ///
    /// reqwest follows redirects inside of the client, with all headers of the first request. The returned policy
    /// stops at a redirect to a host that may get less than the first host got, and asks `redirects` about every other
    /// one. The response is then the redirect itself, unless there is a [`redirect_client`](Self::redirect_client).
    ///
    /// ```
    /// use reqwest::Client;
    /// use reqwest::redirect::Policy;
    /// use reqwest_middleware::ClientBuilder;
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::{Destinations, TracingMiddleware};
    ///
    /// let internal = Destinations::all().trace_headers_to(["internal.example"])?;
    /// let (tracing, redirects) =
    ///     TracingMiddleware::new(NoopTracer).destinations(internal, Policy::default());
    /// let client = Client::builder().redirect(redirects).build()?;
    /// let http = ClientBuilder::new(client).with(tracing).build();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "the client needs the policy, or redirects take the headers along"]
    pub fn destinations(
        mut self,
        destinations: Destinations,
        redirects: redirect::Policy,
    ) -> (Self, redirect::Policy) {
        let policy = outward::stop(destinations.clone(), redirects);
        self.hooks_mut().destinations = destinations;
        (self, policy)
    }

    /// Sets the client that follows a redirect to a host that may get less than the first host: see
    /// [`destinations`](Self::destinations).
    ///
    /// It sends no trace headers and no baggage to that host and to all that the host redirects to. As reqwest does for
    /// another host, it leaves out `authorization`, `cookie` and `proxy-authorization`. It is a client of its own
    /// because reqwest would add the default headers of the first client, which may hold a secret. A timeout of the
    /// request begins anew.
    ///
    /// Defaults to none: the response is the redirect itself.
    ///
    /// ```
    /// use reqwest::Client;
    /// use reqwest::redirect::Policy;
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::{Destinations, TracingMiddleware};
    ///
    /// let internal = Destinations::all().trace_headers_to(["internal.example"])?;
    /// let (tracing, redirects) = TracingMiddleware::new(NoopTracer)
    ///     .redirect_client(Client::new())
    ///     .destinations(internal, Policy::default());
    /// # Ok::<(), tracehound::middleware::InvalidHost>(())
    /// ```
    #[must_use]
    pub fn redirect_client(mut self, client: Client) -> Self {
        self.redirect_client = Some(client);
        self
    }
}

// By hand, because a request that is not traced needs no box of its own.
impl Middleware for TracingMiddleware {
    fn handle<'s, 'e, 'n, 'f>(
        &'s self,
        request: Request,
        extensions: &'e mut Extensions,
        next: Next<'n>,
    ) -> BoxFuture<'f>
    where
        's: 'f,
        'e: 'f,
        'n: 'f,
        Self: 'f,
    {
        // A redirect outward is followed even if nothing is traced.
        if self.settings.tracer.is_noop() && self.redirect_client.is_none() {
            return next.run(request, extensions);
        }
        Box::pin(Sending {
            middleware: self,
            url: None,
            is_begun: false,
            inner: InRequest::new(
                Run::Waits {
                    request,
                    extensions,
                    next,
                },
                RequestScope::Nothing,
            ),
        })
    }
}

type BoxFuture<'f> =
    Pin<Box<dyn Future<Output = reqwest_middleware::Result<Response>> + Send + 'f>>;

/// A request that a middleware sends. Its span starts with the first poll.
struct Sending<'f> {
    middleware: &'f TracingMiddleware,
    url: Option<Url>,
    is_begun: bool,
    inner: InRequest<Run<'f>>,
}

/// The rest of the middlewares, from which the request gets its response.
// By hand, because a future of the compiler's would hold the request several times, and move it as often.
#[expect(clippy::large_enum_variant, reason = "the future is boxed")]
enum Run<'f> {
    Waits {
        request: Request,
        extensions: &'f mut Extensions,
        next: Next<'f>,
    },
    Runs(BoxFuture<'f>),
    Over,
}

impl Future for Sending<'_> {
    type Output = reqwest_middleware::Result<Response>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if !this.is_begun {
            this.is_begun = true;
            this.begin();
        }
        let (scope, result) = ready!(Pin::new(&mut this.inner).poll(cx));
        let hooks = &this.middleware.settings.hooks;
        Poll::Ready(ended(hooks, scope, this.url.take(), result))
    }
}

impl Sending<'_> {
    fn begin(&mut self) {
        let middleware = self.middleware;
        let Settings { tracer, hooks, .. } = &*middleware.settings;
        let Some(Run::Waits {
            request,
            extensions,
            ..
        }) = self.inner.inner_mut()
        else {
            return;
        };
        let way = middleware.redirect_client.as_ref();
        let way = way.map(|client| (client, Outward::new(&**tracer, request)));
        let attempts = extensions.get().cloned();
        let begun = begin(&**tracer, hooks, attempts, request);
        if let Some(way) = way
            && let Some(run) = self.inner.inner_mut()
        {
            run.follow(way, &hooks.destinations);
        }
        if let Some((exchange, url)) = begun {
            self.inner.set_scope(exchange.into());
            self.url = url;
        }
    }
}

impl<'f> Run<'f> {
    /// Lets another client follow a redirect outward.
    fn follow(&mut self, (client, way): (&'f Client, Outward), destinations: &'f Destinations) {
        let send = mem::replace(self, Self::Over);
        *self = Self::Runs(Box::pin(async move {
            let response = send.await?;
            match way.next(destinations, &response) {
                Some(request) => Ok(client.execute(request).await?),
                None => Ok(response),
            }
        }));
    }
}

impl Future for Run<'_> {
    type Output = reqwest_middleware::Result<Response>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Self::Waits { .. } = this
            && let Self::Waits {
                request,
                extensions,
                next,
            } = mem::replace(this, Self::Over)
        {
            *this = Self::Runs(next.run(request, extensions));
        }
        match this {
            Self::Runs(future) => future.as_mut().poll(cx),
            _ => Poll::Pending,
        }
    }
}

/// Sends a request and ends its span with the response. `url` is the one that was asked, if redirects are recorded.
pub(super) async fn observed<F, E>(
    hooks: &Hooks<Request, Response>,
    exchange: Exchange,
    url: Option<Url>,
    send: F,
) -> Result<Response, E>
where
    F: Future<Output = Result<Response, E>>,
    E: Display + 'static,
{
    let (scope, result) = InRequest::new(send, exchange.into()).await;
    ended(hooks, scope, url, result)
}

/// Ends the span of a request with the response.
fn ended<E: Display + 'static>(
    hooks: &Hooks<Request, Response>,
    scope: RequestScope,
    url: Option<Url>,
    result: Result<Response, E>,
) -> Result<Response, E> {
    let RequestScope::Span(mut exchange) = scope else {
        return result;
    };
    match result {
        Ok(response) => {
            if let Some(details) = exchange.take_details() {
                let (status, headers) = (response.status(), response.headers());
                details.read(exchange.span(), status, headers, response.extensions());
            }
            if let Some(url) = &url {
                record_redirect(&exchange, url, &response);
            }
            exchange.head(hooks, response.status(), response.headers(), &response);
            Ok(with_traced_body(response, exchange, url))
        }
        Err(error) => {
            exchange.fail(&error);
            Err(error)
        }
    }
}

/// Starts the span of a request and injects its context, if the request needs a span. Also returns a copy of the URL if
/// redirects are recorded.
pub(super) fn begin<T: Tracer + ?Sized>(
    tracer: &T,
    hooks: &Hooks<Request, Response>,
    attempts: Option<Arc<Attempts>>,
    request: &mut Request,
) -> Option<(Exchange, Option<Url>)> {
    if tracer.is_noop() {
        return None;
    }
    let share = outward::share(&hooks.destinations, request.url());
    if !hooks.wants(request) {
        share.strip(tracer, request.headers_mut());
        return None;
    }
    let name = hooks
        .name(request)
        .unwrap_or_else(|| names::http_name(|| tracer.tag_names(), request.method(), None));
    let span = tracer
        .build_span(name)
        .tag(tags::SPAN_KIND, tags::SPAN_KIND_CLIENT)
        .tag(tags::COMPONENT, hooks.component("reqwest"))
        .start();
    if span.is_noop() {
        share.strip(tracer, request.headers_mut());
        return None;
    }
    if span.is_recording() {
        let asked = request.url();
        let host = Some(redact::without_userinfo(asked.authority()));
        record_request(&span, hooks, request, host);
        span_tags::target(&span, host, Some(asked.scheme()));
        hooks.request_headers.record(&span, request.headers());
    }
    hooks.decorate(&span, request);
    if hooks.injects {
        tracer.inject(&share.of(span.context()), request.headers_mut());
    } else {
        share.strip(tracer, request.headers_mut());
    }
    let method = request.method();
    let details = Details::of_client(hooks.details.as_deref(), attempts, &span);
    let contents = Contents::of(&span, request.url().query(), request.headers());
    if let Some(contents) = &contents
        && let Some(bytes) = request.body().and_then(Body::as_bytes)
        && let Some(text) = contents.request()
    {
        text.push(bytes);
    }
    let exchange = Exchange::new(span, Side::Client, Protocol::Http, method);
    let url = exchange
        .span()
        .is_recording()
        .then(|| request.url().clone());
    Some((exchange.detailed(details).with_contents(contents), url))
}

/// Records a request without its headers. `peer` is the address that it asks.
pub(super) fn record_request(
    span: &Span,
    hooks: &Hooks<Request, Response>,
    request: &Request,
    peer: Option<&str>,
) {
    span_tags::with_url(
        hooks,
        request,
        |request, url| write_url(url, request.url()),
        |url| span_tags::http(span, Side::Client, request.method(), url, peer),
    );
}

fn write_url(text: &mut String, url: &Url) {
    if url.has_authority() {
        let (scheme, authority) = (Some(url.scheme()), Some(url.authority()));
        redact::push_url(text, scheme, authority, url.path(), url.query());
    } else {
        redact::push_url_text(text, url.as_str());
    }
}

fn record_redirect(exchange: &Exchange, asked: &Url, response: &Response) {
    // The URL of a response has no fragment.
    let asked = asked.as_str();
    let asked = asked.split_once('#').map_or(asked, |(asked, _)| asked);
    if response.url().as_str() != asked {
        let span = exchange.span();
        let key = match span.tag_names().has_opentracing() {
            true => tags::HTTP_URL,
            false => otel_tags::URL_FULL,
        };
        let mut url = String::new();
        redact::push_url_text(&mut url, response.url().as_str());
        span.log([field(tags::EVENT, "redirected"), field(key, &url)]);
    }
}

/// Returns the response with a body that ends the span. `asked` is the URL of the request, if there is a copy.
fn with_traced_body(response: Response, mut exchange: Exchange, asked: Option<Url>) -> Response {
    // A body that nobody waits for is not converted, because that allocates.
    if response.content_length() == Some(0) || exchange.is_dropped() {
        exchange.complete();
    }
    if exchange.is_over() {
        return response;
    }
    let url = match asked {
        Some(asked) if asked == *response.url() => asked,
        _ => response.url().clone(),
    };
    let (mut parts, body) = http::Response::<Body>::from(response).into_parts();
    // The conversion back takes the URL from an extension that only this builder can add.
    let mut marked = http::Response::builder();
    if let Some(extensions) = marked.extensions_mut() {
        mem::swap(extensions, &mut parts.extensions);
    }
    if let Ok(marked) = marked.url(url).body(()) {
        parts.extensions = marked.into_parts().0.extensions;
    }
    let body = TracedBody::new(body, exchange, &parts.headers);
    Response::from(http::Response::from_parts(parts, Body::wrap(body)))
}
