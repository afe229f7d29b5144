//! Tests of names, filters, decorators and other settings of a server's layer.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, Request as AxumRequest};
use axum::routing::get as route;
use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use tower::{ServiceExt, service_fn};
use tracehound::middleware::{RequestSpan, ServerLayer};
use tracehound::prelude::*;
use tracehound::scope::active_span;

use crate::support::recording_tracer;
use crate::support::web::{call, call_with, get, one_span, reply, run, serve, spans};

async fn user(Path(id): Path<String>) -> String {
    format!("user {id}")
}

#[test]
fn a_filtered_request_has_no_span_and_is_untouched() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let (inner, seen) = (tracer.clone(), Arc::new(Mutex::new(Vec::new())));
        let handler = {
            let seen = seen.clone();
            move |_: AxumRequest| async move {
                let is_traced = !RequestSpan::active().is_noop();
                seen.lock()
                    .unwrap()
                    .push((is_traced, active_span().is_noop()));
                inner.start_span("own").finish();
            }
        };
        let layer =
            ServerLayer::new(tracer.clone()).filter(|request| request.uri.path() != "/health");
        let address = serve(Router::new().fallback(handler).layer(layer)).await;
        call(format!("http://{address}/health")).await;
        let own = one_span(&reporter).await;
        assert_eq!((&*own.operation_name, own.parent_id), ("own", None));
        assert_eq!(*seen.lock().unwrap(), [(false, true)]);
        call(format!("http://{address}/other")).await;
        spans(&reporter, 3).await;
        assert_eq!(seen.lock().unwrap()[1], (true, false));
    });
}

#[test]
fn hooks_decide_what_a_span_records() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let layer = ServerLayer::new(tracer)
            .operation_name(|request| format!("{} users", request.method).into())
            .component("koala")
            .url(|request| Some(request.uri.path().to_owned()))
            .error_status(|status| status.is_client_error())
            .request_headers([header::USER_AGENT, header::AUTHORIZATION])
            .response_headers([header::SERVER, header::SET_COOKIE])
            .decorate(|span, request| {
                span.set_tag("version", format!("{:?}", request.version).as_str());
            })
            .decorate(|span, _| {
                span.set_tag("second", true);
            })
            .decorate_response(|span, response| {
                span.set_tag("headers", response.headers.len());
            });
        let answer = || async {
            let headers = [(header::SERVER, "koala/1"), (header::SET_COOKIE, "id=1")];
            (StatusCode::IM_A_TEAPOT, headers)
        };
        let app = Router::new()
            .route("/users/{id}", route(answer))
            .layer(layer);
        let mut request = get(format!("http://{}/users/7?a=b", serve(app).await));
        let headers = request.headers_mut();
        headers.insert(header::USER_AGENT, HeaderValue::from_static("test"));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic 1"));
        call_with(request).await;
        let span = one_span(&reporter).await;
        assert_eq!(span.operation_name, "GET users");
        let rows = [
            ("component", "koala"),
            ("http.url", "/users/7"),
            ("error", "true"),
            ("http.header.user-agent", "test"),
            ("http.header.authorization", ""),
            ("http.response.header.server", "koala/1"),
            ("http.response.header.set-cookie", ""),
            ("version", "HTTP/1.1"),
            ("second", "true"),
        ];
        for (key, value) in rows {
            assert_eq!(span.tag_text(key), value, "{key}");
        }
        assert!(span.tag("headers").is_some());
    });
}

#[test]
fn a_hook_that_panics_counts_as_not_set() {
    run(async {
        fn fail<T>() -> T {
            panic!("in a hook")
        }
        let (tracer, reporter) = recording_tracer();
        let layer = ServerLayer::new(tracer)
            .operation_name(|_| fail::<Cow<'static, str>>())
            .filter(|_| fail())
            .url(|_| fail())
            .error_status(|_| fail())
            .decorate(|_, _| fail())
            .decorate_response(|_, _| fail())
            .decorate_response(|span, _| {
                span.set_tag("after", true);
            });
        let app = Router::new().route("/users/{id}", route(user)).layer(layer);
        let address = serve(app).await;
        let (status, body) = call(format!("http://{address}/users/7")).await;
        assert_eq!((status, &*body), (StatusCode::OK, &b"user 7"[..]));
        let span = one_span(&reporter).await;
        assert_eq!(span.operation_name, "GET /users/{id}");
        assert!(span.tag("http.url").is_none());
        assert!(span.tag("error").is_none());
        assert_eq!(span.tag_text("after"), "true");
    });
}

#[test]
fn a_layer_names_spans_inside_and_outside_of_the_router() {
    run(async {
        let bare = || Router::new().route("/users/{id}", route(user));
        let extracting = || {
            Router::new().route(
                "/users/{id}",
                route(|_: RequestSpan, user: Path<String>| async { user.0 }),
            )
        };
        let nested = || Router::new().nest("/api", bare());
        let rows = [
            ("inside", bare(), true, false, "/users/7", "GET /users/{id}"),
            ("outside", bare(), false, true, "/users/7", "HTTP GET"),
            ("both", bare(), true, true, "/users/7", "GET /users/{id}"),
            (
                "outside, with the extractor",
                extracting(),
                false,
                true,
                "/users/7",
                "GET /users/{id}",
            ),
            (
                "nested",
                nested(),
                true,
                false,
                "/api/users/7",
                "GET /api/users/{id}",
            ),
            ("no route", bare(), true, true, "/nowhere/7", "HTTP GET"),
        ];
        for (name, router, inside, outside, path, expected) in rows {
            let (tracer, reporter) = recording_tracer();
            let router = if inside {
                router.layer(ServerLayer::new(tracer.clone()))
            } else {
                router
            };
            let request = Request::get(path).body(axum::body::Body::empty());
            let request = request.expect("a request");
            let body = if outside {
                let layer = ServerLayer::new(tracer.clone());
                let response = layer.wrap(router).oneshot(request).await;
                axum::body::Body::new(response.expect("infallible").into_body())
            } else {
                router
                    .oneshot(request)
                    .await
                    .expect("infallible")
                    .into_body()
            };
            body.collect().await.expect("a body");
            assert_eq!(one_span(&reporter).await.operation_name, expected, "{name}");
        }
    });
}

#[test]
fn a_request_with_an_unreadable_host_records_its_path() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let mut request = Request::builder()
            .method("BREW")
            .uri("/pot")
            .body(())
            .expect("a request");
        let host = HeaderValue::from_bytes(b"\xff").expect("legal");
        request.headers_mut().insert(header::HOST, host);
        let custom = HeaderName::from_static("x-custom");
        let value = HeaderValue::from_bytes(b"\xffx").expect("legal");
        request.headers_mut().insert(&custom, value);
        let server = ServerLayer::new(tracer)
            .request_headers([custom])
            .wrap(service_fn(|_| async { reply(200, Empty::<Bytes>::new()) }));
        server.oneshot(request).await.expect("infallible");
        let span = one_span(&reporter).await;
        assert_eq!(span.operation_name, "HTTP");
        assert_eq!(span.tag_text("http.method"), "BREW");
        assert_eq!(span.tag_text("http.url"), "/pot");
        assert_eq!(span.tag_text("http.header.x-custom"), "\u{fffd}x");
    });
}

#[test]
fn a_repeated_header_is_recorded_with_all_its_values() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let name = HeaderName::from_static("x-forwarded-for");
        let mut request = Request::new(());
        let mut response = reply(200, Empty::<Bytes>::new()).expect("infallible");
        for headers in [request.headers_mut(), response.headers_mut()] {
            for value in ["10.1.2.3, 10.1.2.4", "", "secret", "10.1.2.5"] {
                let mut value = HeaderValue::from_static(value);
                value.set_sensitive(value == "secret");
                headers.append(&name, value);
            }
        }
        let mut response = Some(response);
        let server = ServerLayer::new(tracer)
            .request_headers([name.clone()])
            .response_headers([name])
            .wrap(service_fn(move |_| {
                let response = response.take().expect("one request");
                async { Ok::<_, std::convert::Infallible>(response) }
            }));
        server.oneshot(request).await.expect("infallible");
        let span = one_span(&reporter).await;
        for prefix in ["http.header", "http.response.header"] {
            let value = span.tag_text(&format!("{prefix}.x-forwarded-for"));
            assert_eq!(value, "10.1.2.3, 10.1.2.4, , 10.1.2.5", "{prefix}");
        }
    });
}
