//! Programs in a browser that send spans, from a page of another port of this machine.
//!
//! A browser asks first whether such a page may send JSON, and keeps the answer from it unless that names the page.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};

/// Lets a page send and read. Pages elsewhere were refused before.
pub(super) async fn admit(request: Request, next: Next) -> Response {
    let [origin, method, wanted] = [
        header::ORIGIN,
        header::ACCESS_CONTROL_REQUEST_METHOD,
        header::ACCESS_CONTROL_REQUEST_HEADERS,
    ]
    .map(|name| request.headers().get(name).cloned());
    let Some(origin) = origin else {
        return next.run(request).await;
    };
    let is_question = request.method() == Method::OPTIONS && method.is_some();
    let mut response = match is_question {
        true => StatusCode::NO_CONTENT.into_response(),
        false => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    // A beacon is always sent with what a browser knows of the user, which is nothing here.
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        HeaderValue::from_static("true"),
    );
    if is_question {
        headers.extend(method.map(|it| (header::ACCESS_CONTROL_ALLOW_METHODS, it)));
        headers.extend(wanted.map(|it| (header::ACCESS_CONTROL_ALLOW_HEADERS, it)));
    }
    response
}
