//! Requests without a socket: their headers, their answers, and futures that are ready at once.

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::StreamBody;

pub(crate) mod reqwest;

/// The headers of a browser's request. The first one is the host.
pub(crate) const BROWSER: [(&str, &str); 8] = [
    ("host", "shop.example.com"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101",
    ),
    ("accept", "application/json"),
    ("accept-encoding", "gzip, br"),
    ("content-type", "application/json"),
    ("cache-control", "no-cache"),
    ("x-request-id", "7b0c9f3e-0f7e-4f1b-9d53-9a2c7b1f0a11"),
    ("x-forwarded-for", "203.0.113.7"),
];

/// The headers of a gRPC call.
pub(crate) const GRPC: [(&str, &str); 4] = [
    ("content-type", "application/grpc"),
    ("te", "trailers"),
    ("user-agent", "tonic/0.14"),
    ("grpc-timeout", "1S"),
];

pub(crate) fn header_map(
    headers: impl IntoIterator<Item = (&'static str, &'static str)>,
) -> HeaderMap {
    let headers = headers.into_iter().map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    });
    headers.collect()
}

/// Makes a request of a browser to the route `/users/{id}`.
pub(crate) fn browser_request<B>(headers: HeaderMap, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.uri_mut() = "/users/7?plan=free".parse().expect("a path");
    *request.headers_mut() = headers;
    request
}

/// Makes a unary gRPC call.
pub(crate) fn grpc_request<B>(headers: HeaderMap, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = "/shop.Stock/Reserve".parse().expect("a path");
    *request.version_mut() = http::Version::HTTP_2;
    *request.headers_mut() = headers;
    request
}

type Frames = std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>;

/// A stream that yields its frames, one a poll.
pub(crate) struct ReadyFrames(Frames);

impl futures_core::Stream for ReadyFrames {
    type Item = Result<Frame<Bytes>, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.next())
    }
}

/// Makes the answer to a gRPC call: one message, and the status `Ok`.
pub(crate) fn grpc_response() -> Response<StreamBody<ReadyFrames>> {
    let mut trailers = HeaderMap::with_capacity(2);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let message = Bytes::from_static(b"\0\0\0\0\x02\x08\x07");
    let frames = vec![Ok(Frame::data(message)), Ok(Frame::trailers(trailers))];
    let mut response = Response::new(StreamBody::new(ReadyFrames(frames.into_iter())));
    let content_type = HeaderValue::from_static("application/grpc");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, content_type);
    response
}

/// Polls a future that is ready at once.
pub(crate) fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing waits for anything"),
    }
}

/// Reads a body as a server does: until it says that it has ended.
pub(crate) fn drain<B: http_body::Body>(response: Response<B>) {
    let mut body = pin!(response.into_body());
    let mut cx = Context::from_waker(Waker::noop());
    while !body.is_end_stream() {
        match body.as_mut().poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => drop(black_box(frame)),
            _ => break,
        }
    }
}
