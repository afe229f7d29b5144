use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, Uri, header, request};

use crate::middleware::http::forwarded::Forwarded;
use crate::middleware::http::network::{InvalidNetwork, Network};
use crate::middleware::http::{otel_tags, peer, queue_time, redact};
use crate::model::display;
use crate::span::Span;

/// The proxies in front of a server that are believed about a request: who sent it, to which host, and when.
///
/// Anybody can write the headers of a proxy. They are read only if the connection comes from a trusted one, and only as
/// far back as each proxy on the way is trusted. A [`ServerLayer`](crate::middleware::ServerLayer::trusted_proxies)
/// takes this setting.
///
/// | tag | value | header |
/// |---|---|---|
/// | `http.client_ip` | the address of the client, which is the caller of the outermost trusted proxy | `x-forwarded-for`, or `for` in `forwarded` |
/// | `http.url` | with the scheme and the host that the client has asked for | `x-forwarded-proto` and `x-forwarded-host`, or `proto` and `host` in `forwarded` |
/// | `http.queue_ms` | the milliseconds between a proxy and the start of the span | [`queue_time`](Self::queue_time) |
///
/// The tags `peer.*` stay those of the connection: they name the proxy. An address is personal data in many countries.
/// What is malformed is ignored, and so is all before it; at most 16 proxies are looked at.
///
/// A proxy that does not set a header may pass on what the client has written there. Let your outermost proxy set or
/// remove all of those that are read.
///
/// ```
/// use http::HeaderName;
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{ServerLayer, TrustedProxies};
///
/// let proxies = TrustedProxies::networks(["10.0.0.0/8", "fd00::/8"])?
///     .queue_time(HeaderName::from_static("x-request-start"));
/// let layer = ServerLayer::new(NoopTracer).trusted_proxies(proxies);
/// # Ok::<(), tracehound::middleware::InvalidNetwork>(())
/// ```
#[derive(Clone)]
pub struct TrustedProxies {
    whom: Whom,
    is_standard: bool,
    queue_time: Option<HeaderName>,
}

#[derive(Clone)]
enum Whom {
    Networks(Arc<[Network]>),
    /// The number of proxies.
    Hops(usize),
}

impl TrustedProxies {
    /// Trusts proxies by their addresses: `10.0.0.0/8` is a range, `10.0.0.7` one address.
    ///
    /// The server has to tell the address of the connection ([how](crate::middleware::ServerLayer#the-callers-address)).
    /// Without it nothing is believed.
    ///
    /// # Errors
    ///
    /// Returns an [`InvalidNetwork`] for an entry that is neither. A host name is none, because it would have to be
    /// resolved.
    pub fn networks<N: AsRef<str>>(
        networks: impl IntoIterator<Item = N>,
    ) -> Result<Self, InvalidNetwork> {
        let networks = networks.into_iter();
        let networks: Result<_, _> = networks.map(|it| Network::read(it.as_ref())).collect();
        Ok(Self::of(Whom::Networks(networks?)))
    }

    /// Trusts the nearest `count` proxies, whatever their addresses. With 1, that is the one that connects.
    ///
    /// This suits a server that only its proxies can reach, for example on a Unix socket. If somebody else can reach
    /// it, or passes by some of the proxies, the client may write what it likes.
    pub fn hops(count: usize) -> Self {
        Self::of(Whom::Hops(count))
    }

    fn of(whom: Whom) -> Self {
        Self {
            whom,
            is_standard: false,
            queue_time: None,
        }
    }

    /// Sets whether the proxies write `forwarded`, the header of RFC 7239, instead of `x-forwarded-*`. Only one of both
    /// is read, because proxies that write one pass on the other one as it came. Defaults to false.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::{ServerLayer, TrustedProxies};
    ///
    /// // One proxy on a Unix socket, which writes `forwarded`.
    /// let proxies = TrustedProxies::hops(1).standard_header(true);
    /// let layer = ServerLayer::new(NoopTracer).trusted_proxies(proxies);
    /// ```
    #[must_use]
    pub fn standard_header(mut self, is_standard: bool) -> Self {
        self.is_standard = is_standard;
        self
    }

    /// Sets the header in which a proxy tells when it has taken the request: as a rule `x-request-start`. Defaults to
    /// none.
    ///
    /// It holds the time since the Unix epoch in seconds, milliseconds, microseconds or nanoseconds, with or without a
    /// fraction and `t=` in front: `t=1700000000.123`. Its digits tell the unit. If the clock of the proxy is ahead of
    /// ours, the time is zero. More than an hour is not recorded.
    #[must_use]
    pub fn queue_time(mut self, header: HeaderName) -> Self {
        self.queue_time = Some(header);
        self
    }

    /// Returns what the proxies tell of a request, if the nearest one is trusted.
    pub(super) fn see<'r>(&'r self, request: &'r request::Parts) -> Option<Seen<'r>> {
        let peer = peer::of(&request.extensions).map(|peer: SocketAddr| peer.ip());
        let is_trusted = match (&self.whom, peer) {
            (Whom::Networks(_), None) => false,
            (Whom::Networks(_), Some(peer)) => self.trusts(0, peer),
            (Whom::Hops(count), _) => *count > 0,
        };
        if !is_trusted {
            return None;
        }
        let trusts = |hop, address| self.trusts(hop, address);
        let forwarded = match self.is_standard {
            true => Forwarded::by_standard(&request.headers, trusts),
            false => Forwarded::by_x_headers(&request.headers, trusts),
        };
        let queue_time = self.queue_time.as_ref();
        Some(Seen {
            forwarded,
            queue_time,
        })
    }

    /// Returns whether the proxy `hop` places behind the nearest one is trusted.
    fn trusts(&self, hop: usize, address: IpAddr) -> bool {
        match &self.whom {
            Whom::Networks(networks) => networks.iter().any(|network| network.contains(address)),
            Whom::Hops(count) => hop < *count,
        }
    }
}

impl fmt::Debug for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TrustedProxies");
        match &self.whom {
            Whom::Networks(networks) => debug.field("networks", networks),
            Whom::Hops(count) => debug.field("hops", count),
        }
        .field("standard_header", &self.is_standard)
        .field("queue_time", &self.queue_time)
        .finish()
    }
}

/// The word of trusted proxies about one request.
pub(super) struct Seen<'r> {
    forwarded: Forwarded<'r>,
    queue_time: Option<&'r HeaderName>,
}

impl Seen<'_> {
    /// Writes the URL that the client has asked for.
    pub(super) fn push_url(&self, url: &mut String, uri: &Uri, headers: &HeaderMap) {
        let own_host = || headers.get(header::HOST)?.to_str().ok();
        let authority = uri.authority().map(http::uri::Authority::as_str);
        redact::push_url(
            url,
            Some(
                self.forwarded
                    .scheme
                    .or_else(|| uri.scheme_str())
                    .unwrap_or("http"),
            ),
            self.forwarded.host.or(authority).or_else(own_host),
            uri.path().trim_start_matches('*'),
            uri.query(),
        );
    }

    pub(super) fn record(&self, span: &Span, request: &request::Parts) {
        if let Some(client) = self.forwarded.client {
            let names = span.tag_names();
            if names.has_opentracing() {
                span.set_tag("http.client_ip", display(&client));
            }
            if names.has_opentelemetry() {
                otel_tags::client(span, client);
            }
        }
        if let Some(name) = self.queue_time {
            queue_time::record(span, &request.headers, name);
        }
    }
}
