//! A request as a service between two others sees it.

use http::{HeaderMap, HeaderName, HeaderValue};

/// A request. Contenders borrow its strings; one whose API wants to own them makes copies.
pub struct Request {
    pub headers: HeaderMap,
    /// The headers of the request to the next service.
    pub next: HeaderMap,
    pub url: String,
    pub user: String,
    pub status: i64,
    pub response_size: i64,
    pub bytes_read: i64,
}

impl Request {
    /// Makes a request whose caller has decided whether its trace is kept. It has both kinds of trace header.
    pub fn new(is_sampled: bool) -> Self {
        let (uber_trace_id, traceparent) = if is_sampled {
            (
                "6309ab92c95468edea0dc1a9772ae2dc:409423a204bc17a8:0:1",
                "00-6309ab92c95468edea0dc1a9772ae2dc-409423a204bc17a8-01",
            )
        } else {
            (
                "6309ab92c95468edea0dc1a9772ae2dc:409423a204bc17a8:0:0",
                "00-6309ab92c95468edea0dc1a9772ae2dc-409423a204bc17a8-00",
            )
        };
        Self {
            headers: headers(&[
                ("host", "shop.example.com"),
                (
                    "user-agent",
                    "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101",
                ),
                ("accept", "application/json"),
                ("accept-encoding", "gzip, br"),
                ("content-type", "application/json"),
                ("content-length", "1432"),
                ("x-request-id", "7b0c9f3e-0f7e-4f1b-9d53-9a2c7b1f0a11"),
                ("uber-trace-id", uber_trace_id),
                ("traceparent", traceparent),
            ]),
            next: headers(&[
                ("host", "backend.internal"),
                ("user-agent", "shop/1.4.2"),
                ("accept", "application/json"),
                ("content-type", "application/json"),
            ]),
            url: "/api/v2/orders/104711/items?limit=50".to_owned(),
            user: "user-004711".to_owned(),
            status: 200,
            response_size: 1_432,
            bytes_read: 512,
        }
    }
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}
