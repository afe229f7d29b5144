//! Takes orders, and asks the stock for what is ordered.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use reqwest_middleware::ClientWithMiddleware;
use tracing::{info, instrument};

#[derive(Clone)]
struct Shop {
    http: ClientWithMiddleware,
    stock: SocketAddr,
}

pub(crate) fn routes(http: ClientWithMiddleware, stock: SocketAddr) -> Router {
    Router::new()
        .route("/orders/{item}", get(order))
        .with_state(Shop { http, stock })
}

#[instrument(skip(shop))]
async fn order(State(shop): State<Shop>, Path(item): Path<String>) -> Result<String, StatusCode> {
    let left = shop.reserve(&item).await;
    let left = left.map_err(|_| StatusCode::BAD_GATEWAY)?;
    info!(left, "reserved");
    Ok(format!("One {item} for you, {left} left."))
}

impl Shop {
    #[instrument(skip(self), err)]
    async fn reserve(&self, item: &str) -> reqwest_middleware::Result<String> {
        let url = format!("http://{}/items/{item}", self.stock);
        let reply = self.http.get(url).send().await?;
        Ok(reply.error_for_status()?.text().await?)
    }
}
