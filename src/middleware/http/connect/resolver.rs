use std::fmt;
use std::fmt::Display;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

#[cfg(feature = "reqwest")]
use hyper_util::client::legacy::connect::dns::GaiResolver;
use hyper_util::client::legacy::connect::dns::Name;
use pin_project::pin_project;
use tower_service::Service;

use super::connector::error_text;
use crate::model::{FieldRef, field, tags};
use crate::redact;
use crate::scope::active_span;
use crate::span::Span;

/// A resolver of host names whose events are logged, made by
/// [`ConnectionEvents::resolver`](crate::middleware::ConnectionEvents::resolver).
///
/// ```
/// use hyper_util::client::legacy::connect::HttpConnector;
/// use hyper_util::client::legacy::connect::dns::GaiResolver;
/// use tracehound::middleware::{ConnectionEvents, TracedResolver};
///
/// let events = ConnectionEvents::new();
/// let resolver: TracedResolver<GaiResolver> = events.resolver(GaiResolver::new());
/// let connector = events.wrap(HttpConnector::new_with_resolver(resolver));
/// ```
#[derive(Clone, Debug)]
pub struct TracedResolver<R> {
    inner: R,
}

impl<R> TracedResolver<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner }
    }
}

impl<R> Service<Name> for TracedResolver<R>
where
    R: Service<Name, Response: Iterator<Item = SocketAddr>, Error: Display>,
{
    type Response = vec::IntoIter<SocketAddr>;
    type Error = R::Error;
    type Future = DnsLookup<R::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), R::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, name: Name) -> DnsLookup<R::Future> {
        let span = begin(name.as_str());
        let inner = self.inner.call(name);
        DnsLookup { inner, span }
    }
}

#[cfg(feature = "reqwest")]
impl<R: reqwest::dns::Resolve> reqwest::dns::Resolve for TracedResolver<R> {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let span = begin(name.as_str());
        let inner = self.inner.resolve(name);
        let lookup = DnsLookup { inner, span };
        Box::pin(async { Ok(Box::new(lookup.await?) as reqwest::dns::Addrs) })
    }
}

/// The future of a look-up whose events are logged.
///
/// ```
/// use std::convert::Infallible;
/// use std::net::{Ipv4Addr, SocketAddr};
/// use hyper_util::client::legacy::connect::dns::Name;
/// use tower::{Service, service_fn};
/// use tracehound::middleware::ConnectionEvents;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// // A resolver of one's own.
/// let all_here = service_fn(async |_: Name| {
///     let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
///     Ok::<_, Infallible>(std::iter::once(here))
/// });
/// let lookup = ConnectionEvents::new().resolver(all_here).call("stock".parse()?); // a `DnsLookup`
/// assert_eq!(lookup.await?.count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[pin_project]
#[must_use = "a future does nothing unless it is polled"]
pub struct DnsLookup<F> {
    #[pin]
    inner: F,
    /// Does not own the span.
    span: Span,
}

impl<F, A, E> Future for DnsLookup<F>
where
    F: Future<Output = Result<A, E>>,
    A: Iterator<Item = SocketAddr>,
    E: Display,
{
    type Output = Result<vec::IntoIter<SocketAddr>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        Poll::Ready(match ready!(this.inner.poll(cx)) {
            Ok(addresses) => {
                let addresses: Vec<_> = addresses.collect();
                done(this.span, &addresses);
                Ok(addresses.into_iter())
            }
            Err(error) => {
                failed(this.span, &error);
                Err(error)
            }
        })
    }
}

impl<F> fmt::Debug for DnsLookup<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsLookup").finish_non_exhaustive()
    }
}

/// Notes that a name is looked up, and returns the span that wants it.
fn begin(host: &str) -> Span {
    let span = active_span();
    if span.is_recording() {
        let host = redact::is_host_and_port(host).then_some(host);
        span.log([field(tags::EVENT, "DNSStart"), field("host", host)]);
    }
    span
}

fn done(span: &Span, addresses: &[SocketAddr]) {
    if !span.is_recording() {
        return;
    }
    let texts = addresses.iter().take(MOST_ADDRESSES);
    let texts: Vec<_> = texts.map(|address| address.ip().to_string()).collect();
    let event = field(tags::EVENT, "DNSDone");
    let fields = texts.iter().map(|text| field("addr", text.as_str()));
    span.log(
        [event]
            .into_iter()
            .chain(fields)
            .collect::<Vec<FieldRef<'_>>>(),
    );
}

#[cold]
fn failed(span: &Span, error: &dyn Display) {
    if let Some(text) = error_text(span, error) {
        span.log([
            field(tags::EVENT, "DNSDone"),
            field(tags::ERROR_OBJECT, &*redact::text(&text)),
        ]);
    }
}

/// The number of addresses that are recorded.
const MOST_ADDRESSES: usize = 16;

/// The resolver of the operating system, for reqwest, which has no name for its own one.
///
/// It calls `getaddrinfo` on tokio's threads for blocking work.
///
/// ```
/// use tracehound::middleware::{ConnectionEvents, SystemResolver};
///
/// let events = ConnectionEvents::new();
/// let client = reqwest::Client::builder()
///     .dns_resolver(events.resolver(SystemResolver::new()))
///     .build()?;
/// # Ok::<(), reqwest::Error>(())
/// ```
#[cfg(feature = "reqwest")]
#[derive(Clone, Debug)]
pub struct SystemResolver {
    inner: GaiResolver,
}

#[cfg(feature = "reqwest")]
impl SystemResolver {
    /// Makes a resolver.
    pub fn new() -> Self {
        let inner = GaiResolver::new();
        Self { inner }
    }
}

#[cfg(feature = "reqwest")]
impl Default for SystemResolver {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "reqwest")]
impl reqwest::dns::Resolve for SystemResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let mut inner = self.inner.clone();
        Box::pin(async move {
            let name: Name = name.as_str().parse()?;
            std::future::poll_fn(|cx| inner.poll_ready(cx)).await?;
            let addresses = inner.call(name).await?;
            Ok(Box::new(addresses) as reqwest::dns::Addrs)
        })
    }
}
