//! Knows what is on the shelves.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use tracing::{info, instrument};

pub(crate) fn routes() -> Router {
    Router::new().route("/items/{item}", get(item))
}

async fn item(Path(item): Path<String>) -> Result<&'static str, StatusCode> {
    look_up(&item).await.ok_or(StatusCode::NOT_FOUND)
}

#[instrument(fields(shelf))]
async fn look_up(item: &str) -> Option<&'static str> {
    if item != "teapot" {
        return None;
    }
    tracing::Span::current().record("shelf", 7);
    info!("one was taken");
    Some("2")
}
