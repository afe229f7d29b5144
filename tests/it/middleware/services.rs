//! The layers of tower, around services that end in each way.

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{BoxError, Service, ServiceExt, service_fn};
use tracehound::middleware::{CallLayer, ClientLayer, ServerLayer};

use super::ways::{Way, check, drive, ending, work};
use crate::support::web::Fed;

type Answer = Response<Full<Bytes>>;

/// Returns a service that ends in a way. It answers with five bytes.
fn service(
    way: Way,
) -> impl Service<Request<()>, Response = Answer, Error = BoxError, Future: Send> + Clone {
    service_fn(move |_: Request<()>| async move {
        work(way).await?;
        Ok(Response::new(Full::from("hello")))
    })
}

/// Sends a request, and reads the body unless the way is to drop the response.
async fn call<S, B>(way: Way, service: S)
where
    S: Service<Request<()>, Response = Response<B>, Error = BoxError>,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let response = service.oneshot(Request::new(())).await;
    assert_eq!(response.is_ok(), matches!(way, Way::Done | Way::Drop));
    if let (Way::Done, Ok(response)) = (way, response) {
        response.into_body().collect().await.expect("the body");
    }
}

#[test]
pub(in crate::middleware) fn a_request_that_is_served_ends_in_each_way() {
    let rows = [
        (Way::Done, "server headers_sent"),
        (Way::Error, "server error=true error"),
        (Way::Cancel, "server cancelled"),
        (Way::Drop, "server headers_sent cancelled"),
        (Way::Panic, "server error=true panic"),
        (Way::Timeout, "server error=true timeout"),
    ];
    check(rows, |way, tracer| {
        let service = ServerLayer::new(tracer.clone()).wrap(service(way));
        match way {
            Way::Drop => call(way, service).now_or_never().expect("no wait"),
            _ => drop(drive(way, call(way, service))),
        }
    });
}

#[test]
pub(in crate::middleware) fn a_request_that_is_sent_ends_in_each_way() {
    let rows = [
        (Way::Done, "client headers_received"),
        (Way::Error, "client error=true error"),
        (Way::Cancel, "client cancelled"),
        (Way::Drop, "client headers_received body_dropped"),
        (Way::Panic, "client error=true panic"),
        (Way::Timeout, "client error=true timeout"),
    ];
    check(rows, |way, tracer| {
        let service = ClientLayer::new(tracer.clone()).wrap(service(way));
        match way {
            Way::Drop => call(way, service).now_or_never().expect("no wait"),
            _ => drop(drive(way, call(way, service))),
        }
    });
}

#[test]
pub(in crate::middleware) fn a_call_around_a_request_ends_in_each_way() {
    let rows = [
        (Way::Done, "client headers_received; headers_received"),
        (Way::Error, "client error=true error; error=true error"),
        (Way::Cancel, "cancelled; client cancelled"),
        (
            Way::Drop,
            "client headers_received body_dropped; headers_received body_dropped",
        ),
        (Way::Panic, "client error=true panic; error=true panic"),
        (
            Way::Timeout,
            "client error=true timeout; error=true timeout",
        ),
    ];
    check(rows, |way, tracer| {
        let attempt = ClientLayer::new(tracer.clone()).wrap(service(way));
        let service = CallLayer::new(tracer.clone()).wrap(attempt);
        match way {
            Way::Drop => call(way, service).now_or_never().expect("no wait"),
            _ => drop(drive(way, call(way, service))),
        }
    });
}

#[test]
pub(in crate::middleware) fn a_body_ends_in_each_way() {
    let rows = [
        (Way::Done, "client headers_received; server headers_sent"),
        (
            Way::Error,
            "client error=true headers_received error; server error=true headers_sent error",
        ),
        (
            Way::Cancel,
            "client headers_received cancelled; server headers_sent cancelled",
        ),
        (
            Way::Drop,
            "client headers_received body_dropped; server headers_sent cancelled",
        ),
        (
            Way::Panic,
            "client error=true headers_received panic; server error=true headers_sent panic",
        ),
        (
            Way::Timeout,
            "client error=true headers_received timeout; server error=true headers_sent timeout",
        ),
    ];
    check(rows, |way, tracer| {
        let answer = service_fn(move |_: Request<()>| async move {
            let (feeder, first) = Fed::new();
            feeder.data("hello");
            drop(feeder);
            let last = work(way).map(|ended| match ended {
                Ok(()) => Some(Ok(http_body::Frame::data(Bytes::new()))),
                Err(error) => Some(Err(error)),
            });
            let last = futures_util::stream::once(last).filter_map(std::future::ready);
            let frames = http_body_util::BodyStream::new(first).chain(last);
            Ok::<_, BoxError>(Response::new(http_body_util::StreamBody::new(frames)))
        });
        let server = ServerLayer::new(tracer.clone()).wrap(answer);
        let client = ClientLayer::new(tracer.clone()).wrap(server);
        let response = client.oneshot(Request::new(())).now_or_never();
        let response = response.expect("no wait").expect("a head");
        let body = Box::pin(response.into_body().collect());
        match way {
            Way::Drop => drop(body),
            _ => drop(ending(way, || body.now_or_never().map(drop))),
        }
    });
}
