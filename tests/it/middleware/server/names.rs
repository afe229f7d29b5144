//! Tests of operation names that callers cannot make up, and of the names and URLs of nested routers.

use std::convert::Infallible;

use axum::Router;
use axum::routing::any;
use http::{Request, Response, Uri};
use tower::{ServiceExt, service_fn};
use tracehound::middleware::{ClientLayer, ServerLayer, TrustedProxies};

use crate::support::recording_tracer;
use crate::support::web::{one_span, run};

#[test]
fn only_common_methods_are_in_names() {
    run(async {
        let rows = [
            ("GET", "/users/7", "GET /users/{id}"),
            ("BREW", "/users/7", "HTTP /users/{id}"),
            ("get", "/users/7", "HTTP /users/{id}"),
            ("GETS", "/users/7", "HTTP /users/{id}"),
            ("BREW", "/nowhere", "HTTP"),
        ];
        for (method, path, name) in rows {
            let (tracer, reporter) = recording_tracer();
            let app = Router::new()
                .route("/users/{id}", any(|| async {}))
                .layer(ServerLayer::new(tracer));
            let request = Request::builder().method(method).uri(path);
            let request = request.body(axum::body::Body::empty()).expect("a request");
            app.oneshot(request).await.expect("infallible");
            let span = one_span(&reporter).await;
            assert_eq!(span.operation_name, name);
            assert_eq!(span.tag_text("http.method"), method);
        }
    });
}

#[test]
fn a_layer_of_a_nested_router_knows_the_whole_path() {
    run(async {
        for proxies in [None, Some(TrustedProxies::hops(1))] {
            let (tracer, reporter) = recording_tracer();
            let mut layer = ServerLayer::new(tracer);
            if let Some(proxies) = proxies {
                layer = layer.trusted_proxies(proxies);
            }
            let inner = Router::new()
                .route("/users/{id}", any(|| async {}))
                .layer(layer);
            let app = Router::new().nest("/api", Router::new().nest("/v1", inner));
            let request = Request::get("/api/v1/users/7?page=2").header("host", "shop");
            let request = request.body(axum::body::Body::empty()).expect("a request");
            app.oneshot(request).await.expect("infallible");
            let span = one_span(&reporter).await;
            assert_eq!(span.operation_name, "GET /api/v1/users/{id}");
            let url = span.tag_text("http.url");
            assert_eq!(url, "http://shop/api/v1/users/7?page=");
        }
    });
}

#[test]
fn a_request_that_a_nested_router_hands_on_has_the_url_that_it_is_sent_to() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let client = ClientLayer::new(tracer).wrap(service_fn(|_| async {
            Ok::<_, Infallible>(Response::new(axum::body::Body::empty()))
        }));
        let proxy = any(move |mut request: axum::extract::Request| {
            *request.uri_mut() = Uri::from_static("http://backend/orders");
            client.clone().oneshot(request)
        });
        let app = Router::new().nest("/api", Router::new().route("/orders", proxy));
        let request = Request::get("/api/orders").body(axum::body::Body::empty());
        let response = app.oneshot(request.expect("a request")).await;
        drop(response.expect("infallible"));
        let span = one_span(&reporter).await;
        assert_eq!(span.tag_text("http.url"), "http://backend/orders");
    });
}
