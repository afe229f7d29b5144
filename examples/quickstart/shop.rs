//! Takes orders: HTTP by axum, and asks the others with reqwest and tonic.

use std::error::Error;
use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;
use tonic::transport::{Channel, Endpoint};
use tracehound::JaegerTracer;
use tracehound::middleware::{ClientLayer, ClientService, RequestSpan, SendTraced, ServerLayer};
use tracehound::prelude::*;

use crate::{pay, text};

#[derive(Clone)]
struct Shop {
    tracer: JaegerTracer,
    http: reqwest::Client,
    cart: SocketAddr,
    pay: ClientService<Channel>,
}

pub(crate) async fn start(
    tracer: JaegerTracer,
    cart: SocketAddr,
    pay: SocketAddr,
) -> Result<SocketAddr, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let channel = Endpoint::try_from(format!("http://{pay}"))?.connect_lazy();
    let shop = Shop {
        http: reqwest::Client::builder().no_proxy().build()?,
        cart,
        pay: ClientLayer::new(tracer.clone()).wrap(channel),
        tracer: tracer.clone(),
    };
    let app = Router::new()
        .route("/orders/{customer}", post(order))
        .with_state(shop)
        .layer(ServerLayer::new(tracer));
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(address)
}

/// Puts the trace id into the answer, so that a customer who complains can quote it.
async fn order(
    State(shop): State<Shop>,
    Path(customer): Path<String>,
    span: RequestSpan,
) -> (StatusCode, [(&'static str, String); 1], String) {
    span.set_tag("customer", &customer);
    let (status, text) = match shop.check_out(&customer).await {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()),
    };
    (status, [("trace-id", span.context().to_trace_id())], text)
}

impl Shop {
    async fn check_out(&self, customer: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
        let url = format!("http://{}/cart/{customer}", self.cart);
        let reply = self.http.get(url).send_traced(&self.tracer).await?;
        let items = reply.error_for_status()?.text().await?;

        let span = self.tracer.start_span("charge");
        span.set_tag("cart", &items);
        let receipt = self.charge(customer).in_span(span).await?;
        Ok(format!("{items}, {receipt}"))
    }

    async fn charge(&self, customer: &str) -> io::Result<String> {
        let reply = text::call(self.pay.clone(), pay::CHARGE, customer).await;
        reply.map_err(|status| {
            let error = io::Error::other(status.message());
            active_span().log_error(&error);
            error
        })
    }
}
