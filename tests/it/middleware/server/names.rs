//! Tests that callers cannot make up operation names by odd methods.

use axum::Router;
use axum::routing::any;
use http::Request;
use tower::ServiceExt;
use tracehound::middleware::ServerLayer;

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
