use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;

use crate::model::Baggage;
use crate::span::SpanContext;
use crate::tracer::Tracer;

/// The hosts to which a client sends trace headers, and those to which it also sends baggage.
///
/// By default every host gets both. A list restricts them, so that ids and above all baggage, which may hold names of
/// users, do not leave the network:
///
/// ```
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{ClientLayer, Destinations};
///
/// let destinations = Destinations::all()
///     .trace_headers_to(["internal.example", "partner.example", "10.0.0.7"])?
///     .baggage_to(["internal.example"])?;
/// let layer = ClientLayer::new(NoopTracer).destinations(destinations);
/// # Ok::<(), tracehound::middleware::InvalidHost>(())
/// ```
///
/// # Which hosts an entry stands for
///
/// | entry | stands for | but not for |
/// |---|---|---|
/// | `internal.example` | `internal.example`, `api.internal.example`, `API.Internal.Example.` | `notinternal.example`, `internal.example.org` |
/// | `10.0.0.7`, `::1` | this address alone | names that resolve to it |
///
/// Ports are not compared. A request that names no host is like one to a host that is not listed. Headers of formats
/// that the tracer neither reads nor writes are left alone, and a tracer that is off removes none.
#[derive(Clone, Default)]
pub struct Destinations {
    /// `None` stands for all hosts.
    trace_headers: Option<Arc<[Host]>>,
    /// Within those of `trace_headers`.
    baggage: Option<Arc<[Host]>>,
}

impl Destinations {
    /// Sends trace headers and baggage to every host. This is the default.
    pub const fn all() -> Self {
        Self {
            trace_headers: None,
            baggage: None,
        }
    }

    /// Sets the hosts that get trace headers. Others get neither these nor baggage. Defaults to all hosts.
    ///
    /// # Errors
    ///
    /// Returns an [`InvalidHost`] if an entry is not a host name in ASCII and not an IP address. A port or a scheme
    /// does not belong in it.
    pub fn trace_headers_to<H: AsRef<str>>(
        mut self,
        hosts: impl IntoIterator<Item = H>,
    ) -> Result<Self, InvalidHost> {
        self.trace_headers = Some(read_all(hosts)?);
        Ok(self)
    }

    /// Sets the hosts that get baggage, of those that get trace headers. Defaults to all of those.
    ///
    /// # Errors
    ///
    /// Returns an [`InvalidHost`] as [`trace_headers_to`](Self::trace_headers_to) does.
    pub fn baggage_to<H: AsRef<str>>(
        mut self,
        hosts: impl IntoIterator<Item = H>,
    ) -> Result<Self, InvalidHost> {
        self.baggage = Some(read_all(hosts)?);
        Ok(self)
    }

    /// Returns what may go to a host, which is given without a port.
    pub(super) fn share_of<'h>(&self, host: impl FnOnce() -> Option<&'h str>) -> Share {
        if self.trace_headers.is_none() && self.baggage.is_none() {
            return Share::Everything;
        }
        let host = host().map(Target::new);
        let is_in = |list: &Option<Arc<[Host]>>| match (list, &host) {
            (None, _) => true,
            (Some(list), Some(host)) => list.iter().any(|entry| entry.stands_for(host)),
            (Some(_), None) => false,
        };
        match (is_in(&self.trace_headers), is_in(&self.baggage)) {
            (true, true) => Share::Everything,
            (true, false) => Share::TraceOnly,
            (false, _) => Share::Nothing,
        }
    }
}

impl fmt::Debug for Destinations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destinations")
            .field("trace_headers_to", &self.trace_headers)
            .field("baggage_to", &self.baggage)
            .finish()
    }
}

/// The part of a context that may go to a host. A greater one holds the smaller ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Share {
    Nothing,
    TraceOnly,
    Everything,
}

impl Share {
    /// Returns the part of `context` that may go.
    pub(super) fn of(self, context: SpanContext) -> SpanContext {
        match self {
            Self::Nothing => SpanContext::default(),
            Self::TraceOnly => context.with_baggage(Baggage::default()),
            Self::Everything => context,
        }
    }

    /// Removes from a request that gets no context of its own what may not go. It may have come from a caller.
    pub(super) fn strip(self, tracer: &(impl Tracer + ?Sized), headers: &mut HeaderMap) {
        let rest = match self {
            Self::Everything => return,
            Self::TraceOnly => tracer.extract(headers).ok().flatten(),
            Self::Nothing => None,
        };
        // An injection replaces all that was there.
        tracer.inject(&self.of(rest.unwrap_or_default()), headers);
    }
}

/// The error of [`Destinations`]: an entry is not the name or the address of a host.
///
/// ```
/// use tracehound::middleware::Destinations;
///
/// let error = Destinations::all().baggage_to(["http://shop"]).unwrap_err();
/// let text = r#"expected a host name in ASCII or an IP address, without a port: "http://shop""#;
/// assert_eq!(error.to_string(), text);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidHost {
    entry: String,
}

impl fmt::Display for InvalidHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected a host name in ASCII or an IP address, without a port: {:?}",
            self.entry
        )
    }
}

impl std::error::Error for InvalidHost {}

/// An entry of a list.
#[derive(Clone, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    /// A name and all names that end with it, in lower case.
    Suffix(Box<str>),
}

impl Host {
    fn read(entry: &str) -> Result<Self, InvalidHost> {
        if let Some(address) = address(entry) {
            return Ok(Self::Address(address));
        }
        let name = entry.strip_suffix('.').unwrap_or(entry);
        let is_label = |label: &str| {
            let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            !label.is_empty() && label.bytes().all(is_legal)
        };
        // A name that ends with a number would be taken for an address: `10.0.0` is a slip.
        let is_name = name
            .rsplit('.')
            .next()
            .is_some_and(|last| !last.bytes().all(|byte| byte.is_ascii_digit()));
        if is_name && name.split('.').all(is_label) {
            Ok(Self::Suffix(name.to_ascii_lowercase().into()))
        } else {
            let entry = entry.to_owned();
            Err(InvalidHost { entry })
        }
    }

    fn stands_for(&self, target: &Target<'_>) -> bool {
        match (self, target) {
            (Self::Address(own), Target::Address(other)) => own == other,
            (Self::Suffix(suffix), Target::Name(name)) => {
                let Some(start) = name.len().checked_sub(suffix.len()) else {
                    return false;
                };
                let (rest, end) = name.as_bytes().split_at(start);
                end.eq_ignore_ascii_case(suffix.as_bytes()) && matches!(rest, [] | [.., b'.'])
            }
            _ => false,
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Suffix(name) => f.write_str(name),
        }
    }
}

/// The host of a request.
enum Target<'h> {
    Address(IpAddr),
    Name(&'h str),
}

impl<'h> Target<'h> {
    fn new(host: &'h str) -> Self {
        match address(host) {
            Some(address) => Self::Address(address),
            None => Self::Name(host.strip_suffix('.').unwrap_or(host)),
        }
    }
}

/// Reads an address, that of IPv6 with or without brackets. One of IPv4 within IPv6 is one of IPv4.
fn address(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address = match bare {
        Some(bare) => IpAddr::V6(bare.parse().ok()?),
        None => host.parse().ok()?,
    };
    Some(address.to_canonical())
}

fn read_all<H: AsRef<str>>(hosts: impl IntoIterator<Item = H>) -> Result<Arc<[Host]>, InvalidHost> {
    hosts
        .into_iter()
        .map(|host| Host::read(host.as_ref()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_stands_for_whole_labels_or_one_address() {
        let destinations = Destinations::all()
            .trace_headers_to(["internal.example", "Shop", "10.0.0.7", "::1"])
            .expect("hosts");
        let rows = [
            ("internal.example", true),
            ("api.internal.example", true),
            ("a.b.internal.example", true),
            ("API.Internal.Example", true),
            ("internal.example.", true),
            ("api.internal.example.", true),
            ("notinternal.example", false),
            ("internal.example.org", false),
            ("example", false),
            (".example", false),
            ("internal", false),
            ("internal.example..", false),
            ("xinternal.example", false),
            ("shop", true),
            ("a.SHOP", true),
            ("ashop", false),
            ("shop.a", false),
            ("10.0.0.7", true),
            ("[::ffff:10.0.0.7]", true),
            ("110.0.0.7", false),
            ("10.0.0.70", false),
            ("10.0.0.7.evil", false),
            ("a.10.0.0.7", false),
            ("[::1]", true),
            ("::1", true),
            ("[0:0:0:0:0:0:0:1]", true),
            ("[::2]", false),
            ("[10.0.0.7]", false),
            ("", false),
            (".", false),
            ("ſhop", false),
        ];
        for (host, is_listed) in rows {
            let share = destinations.share_of(|| Some(host));
            assert_eq!(share == Share::Everything, is_listed, "{host}");
            assert_eq!(share == Share::Nothing, !is_listed, "{host}");
        }
        assert_eq!(destinations.share_of(|| None), Share::Nothing);
    }

    #[test]
    fn baggage_goes_only_where_trace_headers_go() {
        let all = Destinations::all();
        let some = |hosts: &[&str]| all.clone().trace_headers_to(hosts).expect("hosts");
        let rows = [
            (all.clone(), "a", Share::Everything),
            (some(&["a"]), "a", Share::Everything),
            (some(&["a"]), "b", Share::Nothing),
            (some(&[]), "a", Share::Nothing),
            (
                all.clone().baggage_to(["a"]).expect("hosts"),
                "a",
                Share::Everything,
            ),
            (
                all.clone().baggage_to(["a"]).expect("hosts"),
                "b",
                Share::TraceOnly,
            ),
            (
                all.clone().baggage_to::<&str>([]).expect("hosts"),
                "b",
                Share::TraceOnly,
            ),
            (
                some(&["a"]).baggage_to(["b"]).expect("hosts"),
                "a",
                Share::TraceOnly,
            ),
            (
                some(&["a"]).baggage_to(["b"]).expect("hosts"),
                "b",
                Share::Nothing,
            ),
            (
                some(&["a", "b"]).baggage_to(["b"]).expect("hosts"),
                "b",
                Share::Everything,
            ),
        ];
        for (destinations, host, share) in rows {
            let found = destinations.share_of(|| Some(host));
            assert_eq!(found, share, "{destinations:?} {host}");
        }
        assert_eq!(all.share_of(|| None), Share::Everything);
    }

    #[test]
    fn an_entry_that_is_no_host_is_refused() {
        let rows = [
            "",
            ".",
            ".internal.example",
            "*.internal.example",
            "a..b",
            "http://shop",
            "shop:80",
            "10.0.0.7:80",
            "[::1]:80",
            "[shop]",
            "user@shop",
            "a b",
            "10.0.0.0/8",
            "10.0.0",
            "10.0.0.256",
            "shop.1",
            "bücher.example",
        ];
        for entry in rows {
            let error = Destinations::all().trace_headers_to([entry]).map(drop);
            let expected = InvalidHost {
                entry: entry.to_owned(),
            };
            assert_eq!(error, Err(expected), "{entry}");
        }
    }
}
