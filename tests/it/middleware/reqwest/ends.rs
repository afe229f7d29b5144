//! Requests of reqwest that end in each way.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::Extensions;
use http_body_util::Full;
use reqwest::{Body, Request, Response, ResponseBuilderExt};
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use tracehound::middleware::{CallMiddleware, TracingMiddleware};

use crate::middleware::ways::{Way, check, drive, work};
use crate::support::web::{listener, reqwest_builder, reqwest_client, run};

/// Ends in a way, in place of a connection.
struct Ends(Way);

#[async_trait::async_trait]
impl Middleware for Ends {
    async fn handle(
        &self,
        request: Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let ended = work(self.0).await;
        ended.map_err(reqwest_middleware::Error::middleware)?;
        let body = Body::wrap(Full::<Bytes>::from("hello"));
        let answer = http::Response::builder().url(request.url().clone());
        Ok(answer.body(body).expect("an answer").into())
    }
}

/// Sends a request to a listener that never answers.
async fn late(traced: impl FnOnce(ClientBuilder) -> ClientBuilder) {
    let (_listener, address) = listener().await;
    let soon = reqwest_builder().timeout(Duration::from_millis(20));
    let client = ClientBuilder::new(soon.build().expect("a client"));
    let client = traced(client).build();
    let answer = client.get(format!("http://{address}/")).send().await;
    answer.expect_err("nobody answers");
}

#[test]
pub(in crate::middleware) fn a_request_ends_in_each_way() {
    let rows = [
        (Way::Done, "client headers_received"),
        (Way::Error, "client error=true error"),
        (Way::Cancel, "client cancelled"),
        (Way::Drop, "client headers_received body_dropped"),
        (Way::Panic, "client error=true panic"),
        (Way::Timeout, "client error=true timeout"),
    ];
    check(rows, |way, tracer| {
        let tracing = TracingMiddleware::new(tracer.clone());
        send(way, |client| client.with(tracing));
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
        let call = CallMiddleware::new(tracer.clone());
        let tracing = TracingMiddleware::new(tracer.clone());
        send(way, |client| client.with(call).with(tracing));
    });
}

/// Sends a request that ends in a way.
fn send(way: Way, traced: impl FnOnce(ClientBuilder) -> ClientBuilder) {
    if way == Way::Timeout {
        return run(late(traced));
    }
    let client = traced(ClientBuilder::new(reqwest_client()));
    let client = client.with(Ends(way)).build();
    let request = async {
        let response = client.get("http://shop/").send().await;
        assert_eq!(response.is_ok(), matches!(way, Way::Done | Way::Drop));
        if let (Way::Done, Ok(response)) = (way, response) {
            assert_eq!(response.bytes().await.expect("the body"), "hello");
        }
    };
    match way {
        Way::Drop => request.now_or_never().expect("no wait"),
        _ => drop(drive(way, request)),
    }
}
