use std::fmt::Display;
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Extensions;
use pin_project::pin_project;
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
use crate::scope::Role;
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

// By hand, because a request that is not traced needs no box of its own, and one that is traced is not in the box: a
// future of the compiler's would hold it several times, and move it as often.
impl Middleware for TracingMiddleware {
    fn handle<'s, 'e, 'n, 'f>(
        &'s self,
        mut request: Request,
        extensions: &'e mut Extensions,
        next: Next<'n>,
    ) -> BoxFuture<'f>
    where
        's: 'f,
        'e: 'f,
        'n: 'f,
        Self: 'f,
    {
        let Settings { tracer, hooks, .. } = &*self.settings;
        let redirects = self.redirect_client.as_ref();
        // A redirect outward is followed even if nothing is traced.
        if tracer.is_noop() && redirects.is_none() {
            return next.run(request, extensions);
        }
        let redirects = redirects.map(|client| (client, Outward::new(&**tracer, &request)));
        let attempts = || extensions.get().cloned();
        let begun = begin(&**tracer, hooks, hooks.place, attempts, &mut request);
        let Some((mut exchange, url)) = begun else {
            return follow(redirects, hooks, next.run(request, extensions));
        };
        let entered = exchange.enter();
        let send = next.run(request, extensions);
        entered.leave();
        let send = follow(redirects, hooks, send);
        Box::pin(Observed::new(hooks, exchange, url, send))
    }
}

type BoxFuture<'f> =
    Pin<Box<dyn Future<Output = reqwest_middleware::Result<Response>> + Send + 'f>>;

/// Lets another client, if there is one, follow a redirect outward.
fn follow<'f>(
    redirects: Option<(&'f Client, Outward)>,
    hooks: &'f Hooks<Request, Response>,
    send: BoxFuture<'f>,
) -> BoxFuture<'f> {
    let Some((client, way)) = redirects else {
        return send;
    };
    Box::pin(async move {
        let response = send.await?;
        match way.next(&hooks.destinations, &response) {
            Some(request) => Ok(client.execute(request).await?),
            None => Ok(response),
        }
    })
}

/// A request that is sent. Its span ends with the response.
// By hand, because a future of the compiler's would move the response several times.
#[pin_project]
pub(super) struct Observed<'h, F> {
    #[pin]
    send: InRequest<F>,
    hooks: &'h Hooks<Request, Response>,
    /// The URL that was asked, if redirects are recorded.
    url: Option<Url>,
}

impl<'h, F> Observed<'h, F> {
    pub(super) fn new(
        hooks: &'h Hooks<Request, Response>,
        exchange: Exchange,
        url: Option<Url>,
        send: F,
    ) -> Self {
        Self {
            send: InRequest::new(send, exchange.into()),
            hooks,
            url,
        }
    }
}

impl<F, E> Future for Observed<'_, F>
where
    F: Future<Output = Result<Response, E>>,
    E: Display + 'static,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let result = ready!(this.send.as_mut().poll(cx));
        let scope = this.send.take_scope();
        Poll::Ready(ended(this.hooks, scope, this.url.take(), result))
    }
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
            let url = url.filter(|asked| {
                let is_same = asked == response.url();
                if !is_same {
                    record_redirect(&exchange, asked, &response);
                }
                is_same
            });
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
/// redirects are recorded. `place` is where the program asks for it, and `attempts` returns those of the call that the
/// request is part of.
pub(super) fn begin<T: Tracer + ?Sized>(
    tracer: &T,
    hooks: &Hooks<Request, Response>,
    place: Option<&'static Location<'static>>,
    attempts: impl FnOnce() -> Option<Arc<Attempts>>,
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
        .place(place)
        .tag(tags::SPAN_KIND, tags::SPAN_KIND_CLIENT)
        .tag(tags::COMPONENT, hooks.component("reqwest"))
        .start();
    if span.is_noop() {
        share.strip(tracer, request.headers_mut());
        return None;
    }
    if span.is_recording() {
        let asked = request.url();
        let host = Some(host_and_port(asked));
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
    let url = span.is_recording().then(|| request.url().clone());
    let attempts = attempts();
    let is_plain = attempts.is_none() && hooks.add_nothing(&span);
    let exchange = Exchange::new(span, Role::Client, Protocol::Http, request.method());
    if is_plain {
        return Some((exchange, url));
    }
    let span = exchange.span();
    let details = Details::of_client(hooks.details.as_deref(), attempts, span);
    let contents = Contents::of(span, request.url().query(), request.headers());
    if let Some(contents) = &contents
        && let Some(bytes) = request.body().and_then(Body::as_bytes)
        && let Some(text) = contents.request()
    {
        text.push(bytes);
    }
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
        |request, url| write_url(url, request.url(), peer),
        |url| span_tags::http(span, Side::Client, request.method(), url, peer),
    );
}

fn write_url(text: &mut String, url: &Url, authority: Option<&str>) {
    if url.has_authority() {
        let authority = authority.or_else(|| Some(url.authority()));
        redact::push_url(text, Some(url.scheme()), authority, url.path(), url.query());
    } else {
        redact::push_url_text(text, url.as_str());
    }
}

/// Returns the authority of a URL without user name and password.
fn host_and_port(url: &Url) -> &str {
    let authority = url.authority();
    // To ask for them takes less than to search for an `@`.
    match url.username().is_empty() && url.password().is_none() {
        true => authority,
        false => redact::without_userinfo(authority),
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

/// Returns the response with a body that ends the span. `url` is a copy of its URL, if there is one.
fn with_traced_body(response: Response, mut exchange: Exchange, url: Option<Url>) -> Response {
    // A body that nobody waits for is not converted, because that allocates.
    if exchange.is_dropped() || response.content_length() == Some(0) {
        exchange.complete();
    }
    if exchange.is_over() {
        return response;
    }
    let url = url.unwrap_or_else(|| response.url().clone());
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
