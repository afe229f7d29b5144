//! A request of reqwest, and a middleware that answers it instead of sending it.

use std::hint::black_box;

use http::{HeaderMap, Response};
use reqwest::ResponseBuilderExt;
use reqwest_middleware::{Middleware, Next};

pub(crate) fn request(headers: HeaderMap) -> reqwest::Request {
    let url = "http://stock.internal:8080/items/104711?limit=50";
    let mut request = reqwest::Request::new(http::Method::GET, url.parse().expect("a URL"));
    *request.headers_mut() = headers;
    request
}

/// A middleware that answers each request.
pub(crate) struct Answers;

#[async_trait::async_trait]
impl Middleware for Answers {
    async fn handle(
        &self,
        request: reqwest::Request,
        _: &mut http::Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        let url = request.url().clone();
        let response = Response::builder().url(url).body("Ada");
        drop(black_box(request));
        Ok(response.expect("well-formed").into())
    }
}
