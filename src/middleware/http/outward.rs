//! Redirects of reqwest that lead to a host which may get less of a trace than the first one.

use http::header::{self, HeaderMap};
use http::{Method, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Request, Response, Url};

use crate::middleware::http::destinations::{Destinations, Share};
use crate::span::SpanContext;
use crate::tracer::Tracer;

/// Returns what may go to the host of a URL.
pub(super) fn share(destinations: &Destinations, url: &Url) -> Share {
    destinations.share_of(|| url.host_str())
}

/// Returns a policy that stops at redirects outward and leaves others to `inner`.
///
/// reqwest sends the headers of the first request along the whole way, so its host is the one to compare with.
pub(super) fn stop(destinations: Destinations, inner: Policy) -> Policy {
    Policy::custom(move |attempt| {
        let first = attempt.previous().first();
        if first.is_some_and(|first| leads_outward(&destinations, first, attempt.url())) {
            attempt.stop()
        } else {
            inner.redirect(attempt)
        }
    })
}

fn leads_outward(destinations: &Destinations, first: &Url, next: &Url) -> bool {
    share(destinations, next) < share(destinations, first)
}

/// A request that is kept to follow a redirect outward, without trace headers.
pub(super) struct Outward {
    request: Request,
    has_body: bool,
}

impl Outward {
    pub(super) fn new(tracer: &dyn Tracer, request: &Request) -> Self {
        let copy = request.try_clone();
        let has_body = copy.is_some();
        let mut request = copy.unwrap_or_else(|| {
            let mut copy = Request::new(request.method().clone(), request.url().clone());
            *copy.headers_mut() = request.headers().clone();
            *copy.version_mut() = request.version();
            *copy.timeout_mut() = request.timeout().copied();
            copy
        });
        // They may have come from a caller.
        tracer.inject(&SpanContext::default(), request.headers_mut());
        Self { request, has_body }
    }

    /// Returns the request that follows a response, if that is a redirect outward.
    ///
    /// The method changes as in reqwest: of a POST answered by 301 or 302, and of all but HEAD by 303.
    pub(super) fn next(self, destinations: &Destinations, response: &Response) -> Option<Request> {
        let Self {
            mut request,
            has_body,
        } = self;
        let location = response.headers().get(header::LOCATION)?;
        let location = str::from_utf8(location.as_bytes()).ok()?;
        let next = response.url().join(location).ok()?;
        if !leads_outward(destinations, request.url(), &next) {
            return None;
        }
        // If the client has followed other redirects before, it is not known what became of the method.
        request.url_mut().set_fragment(None);
        let is_first = response.url() == request.url();
        let method = request.method();
        if !is_first && !matches!(*method, Method::GET | Method::HEAD) {
            return None;
        }
        let becomes_get = match response.status() {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *method == Method::POST,
            StatusCode::SEE_OTHER => *method != Method::HEAD,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
            _ => return None,
        };
        if becomes_get {
            *request.method_mut() = Method::GET;
            *request.body_mut() = None;
            remove(request.headers_mut(), &PAYLOAD);
        } else if !has_body {
            return None;
        }
        remove(request.headers_mut(), &FOR_THE_FIRST_HOST);
        *request.url_mut() = next;
        Some(request)
    }
}

fn remove(headers: &mut HeaderMap, names: &[header::HeaderName]) {
    for name in names {
        headers.remove(name);
    }
}

const PAYLOAD: [header::HeaderName; 4] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::TRANSFER_ENCODING,
];

/// The headers that reqwest does not send to another host, and the name of the first host.
const FOR_THE_FIRST_HOST: [header::HeaderName; 6] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::HeaderName::from_static("cookie2"),
    header::PROXY_AUTHORIZATION,
    header::WWW_AUTHENTICATE,
    header::HOST,
];
