//! Tests of spans for hyper's own services, over loopback.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tracehound::middleware::ServerLayer;

use crate::support::recording_tracer;
use crate::support::web::{client, get, listener, one_span, reply, run};

async fn greet(_: Request<hyper::body::Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    reply(200, Full::from("hello"))
}

#[test]
fn a_hyper_service_has_spans_over_http1_and_http2() {
    run(async {
        for is_http2 in [false, true] {
            let (tracer, reporter) = recording_tracer();
            let (listener, address) = listener().await;
            let service = ServerLayer::new(tracer).wrap(hyper::service::service_fn(greet));
            tokio::spawn(async move {
                let (stream, _) = listener.accept().await.expect("a connection");
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
            let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
                .http2_only(is_http2)
                .build_http::<Full<Bytes>>();
            let request = get(format!("http://{address}/greet?name=Ada"));
            let response = client.request(request).await.expect("an answer");
            let body = response.into_body().collect().await.expect("a body");
            assert_eq!(body.to_bytes(), "hello");
            let span = one_span(&reporter).await;
            assert_eq!(span.operation_name, "HTTP GET");
            assert_eq!(span.tag_text("component"), "hyper");
            let url = format!("http://{address}/greet?name=");
            assert_eq!(span.tag_text("http.url"), url, "{is_http2}");
        }
    });
}

#[test]
fn an_upgrade_ends_the_span_and_the_connection_goes_on() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let (listener, address) = listener().await;
        let handler = |request: Request<hyper::body::Incoming>| async {
            let upgraded = hyper::upgrade::on(request);
            tokio::spawn(async move {
                let mut upgraded = upgraded.await.expect("upgraded");
                let write = hyper::rt::Write::poll_write;
                let written = std::future::poll_fn(|cx| {
                    write(std::pin::Pin::new(&mut upgraded), cx, b"pong")
                });
                assert_eq!(written.await.expect("written"), 4);
            });
            let mut response = reply(101, Empty::<Bytes>::new())?;
            let headers = response.headers_mut();
            headers.insert(header::UPGRADE, HeaderValue::from_static("pong"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            Ok::<_, Infallible>(response)
        };
        let service = ServerLayer::new(tracer).wrap(hyper::service::service_fn(handler));
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            let server = hyper::server::conn::http1::Builder::new();
            let connection = server.serve_connection(TokioIo::new(stream), service);
            let _ = connection.with_upgrades().await;
        });
        let mut request = get(format!("http://{address}/"));
        let headers = request.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("pong"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        let response = client().request(request).await.expect("an answer");
        let mut upgraded = hyper::upgrade::on(response).await.expect("upgraded");
        let span = one_span(&reporter).await;
        assert_eq!(span.tag_text("http.status_code"), "101");
        assert!(span.tag("http.cancelled").is_none());
        let mut read = [0; 4];
        let mut buffer = hyper::rt::ReadBuf::new(&mut read);
        while buffer.filled().len() < 4 {
            std::future::poll_fn(|cx| {
                let upgraded = std::pin::Pin::new(&mut upgraded);
                hyper::rt::Read::poll_read(upgraded, cx, buffer.unfilled())
            })
            .await
            .expect("read");
        }
        assert_eq!(buffer.filled(), b"pong");
    });
}
