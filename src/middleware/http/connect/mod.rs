//! The events of a client's connections.

mod connector;
mod fresh;
mod resolver;
mod shared;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::Extensions;
use hyper_util::client::legacy::connect::HttpInfo;

use self::connector::Stage;
pub use self::connector::{TracedConnecting, TracedConnector};
#[cfg(feature = "reqwest")]
pub use self::resolver::SystemResolver;
pub use self::resolver::{DnsLookup, TracedResolver};
use self::shared::{Shared, ends};

/// The events of a client's connections, as logs on the spans of the requests that caused them.
///
/// They tell what a slow request has waited for: the name, the connection, or the answer. Wrap the connector of the
/// client, its resolver, or both; clones share what they know.
///
/// | log event | fields | when |
/// |---|---|---|
/// | `DNSStart` | `host` | a name is looked up |
/// | `DNSDone` | `addr` for each address, at most 16; or `error.object` | the addresses are there, or the look-up has failed |
/// | `ConnectStart` | `network`, `addr` (host and port, if the connector is asked with a URI) | the connector is asked for a connection |
/// | `ConnectDone` | `network`, `addr` (the address of the peer) | the connection is there |
/// | `error` | `message=ConnectDone`, `network`, `addr`, `error.object` | the connection has failed |
/// | `TLSHandshakeStart`, `TLSHandshakeDone` | | [on request](Self::wrap_tls) |
///
/// The names are those of the Go middleware. If the client knows the events, too
/// ([`ClientLayer::connection_events`](crate::middleware::ClientLayer::connection_events)), its spans get the tag
/// `net/http.reused`: whether an earlier request with a span has used the connection. The tag is missing if the
/// connection does not tell its addresses, as one over a Unix socket.
///
/// # What they do not tell
///
/// With hyper-util's `HttpConnector`, the look-up is a part of connecting, and `ConnectStart` comes before `DNSStart`.
///
/// hyper-util's pool looks for an idle connection while it makes a new one, and takes the first that is there. The
/// other one is finished in the background, for a later request. So a request with `ConnectStart` may have
/// `net/http.reused=true`, and a request with `net/http.reused=false` may have none: the connection was made on behalf
/// of another request. The events are logged on the span that was active when the connector was asked. What comes after
/// the end of that span is not logged, and a `ConnectStart` alone means that the connection was given up, or was not
/// there yet.
///
/// tonic's channel connects on a task of its own, where no span is active: there the connector logs nothing.
///
/// # hyper-util
///
/// ```
/// use hyper_util::client::legacy::Client;
/// use hyper_util::client::legacy::connect::HttpConnector;
/// use hyper_util::client::legacy::connect::dns::GaiResolver;
/// use hyper_util::rt::TokioExecutor;
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{ClientLayer, ConnectionEvents};
///
/// let events = ConnectionEvents::new();
/// let resolver = events.resolver(GaiResolver::new());
/// let connector = events.wrap(HttpConnector::new_with_resolver(resolver));
/// let client = Client::builder(TokioExecutor::new()).build::<_, String>(connector);
/// let client = ClientLayer::new(NoopTracer).connection_events(events).wrap(client);
/// ```
///
/// # reqwest
///
/// reqwest's connector cannot be taken apart: `ConnectStart` and `ConnectDone` enclose the look-up and TLS.
///
/// ```
/// # #[cfg(feature = "reqwest")] {
/// use reqwest::Client;
/// use reqwest_middleware::ClientBuilder;
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{ConnectionEvents, SystemResolver, TracingMiddleware};
///
/// let events = ConnectionEvents::new();
/// let client = Client::builder()
///     .connector_layer(events.clone())
///     .dns_resolver(events.resolver(SystemResolver::new()))
///     .build()?;
/// let tracing = TracingMiddleware::new(NoopTracer).connection_events(events);
/// let http = ClientBuilder::new(client).with(tracing).build();
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct ConnectionEvents {
    shared: Arc<Shared>,
}

impl ConnectionEvents {
    /// Makes events for one client.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wraps a connector: `ConnectStart` and `ConnectDone` are logged.
    ///
    /// A connector is a tower service that returns connections, such as hyper-util's `HttpConnector`. The events are
    /// a tower layer that does the same.
    pub fn wrap<S>(&self, connector: S) -> TracedConnector<S> {
        TracedConnector::new(connector, self.shared.clone(), Stage::Connect)
    }

    /// Wraps a connector that adds TLS to one which [`wrap`](Self::wrap) has wrapped.
    ///
    /// For `https` URIs, `TLSHandshakeStart` is logged behind `ConnectDone`, and `TLSHandshakeDone` when the connector
    /// is done. If the handshake fails, `error` is logged with `message=TLSHandshakeDone`.
    ///
    /// ```text
    /// let tcp = events.wrap(http_connector);
    /// let connector = events.wrap_tls(HttpsConnector::from((tcp, tls)));
    /// ```
    ///
    /// ```
    /// use hyper_util::client::legacy::connect::HttpConnector;
    /// use tracehound::middleware::{ConnectionEvents, TracedConnector};
    ///
    /// /// Stands for the connector of a TLS library, around one of TCP.
    /// struct Https<T>(T);
    ///
    /// let events = ConnectionEvents::new();
    /// let tcp: TracedConnector<HttpConnector> = events.wrap(HttpConnector::new());
    /// let connector: TracedConnector<Https<_>> = events.wrap_tls(Https(tcp));
    /// ```
    pub fn wrap_tls<S>(&self, connector: S) -> TracedConnector<S> {
        // Relaxed: the connector is not in use yet.
        self.shared.has_tls.store(true, Ordering::Relaxed);
        TracedConnector::new(connector, self.shared.clone(), Stage::Tls)
    }

    /// Wraps a resolver of hyper-util or of reqwest: `DNSStart` and `DNSDone` are logged.
    pub fn resolver<R>(&self, resolver: R) -> TracedResolver<R> {
        TracedResolver::new(resolver)
    }

    /// Returns whether the connection of a response had been used before, if the response tells its connection.
    pub(in crate::middleware::http) fn is_reused(&self, response: &Extensions) -> Option<bool> {
        let info: &HttpInfo = response.get()?;
        Some(!self.shared.fresh.take(ends(info)))
    }
}

impl<S> tower_layer::Layer<S> for ConnectionEvents {
    type Service = TracedConnector<S>;

    fn layer(&self, connector: S) -> TracedConnector<S> {
        self.wrap(connector)
    }
}

impl fmt::Debug for ConnectionEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionEvents").finish_non_exhaustive()
    }
}
