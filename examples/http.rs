//! Three programs in one: a reader who looks for a book, a library, and its shelves.
//!
//! Learnt: a layer starts the spans of a server, a call starts those of a client, and the header `uber-trace-id` joins
//! them into one trace. Handlers take no span as an argument; one that wants a span asks for the active one.
//!
//! Run: `cargo run --example http --features full`.
//!
//! Change: ask for the book `8`, which the shelves do not have. A 404 is not an error by default. To make it one, give
//! the library's client a `TracingMiddleware` with an `error_status`, in place of `send_traced`.

use std::error::Error;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tracehound::JaegerTracer;
use tracehound::dev::{DevOptions, DevServer, Waterfall};
use tracehound::middleware::{SendTraced, ServerLayer};
use tracehound::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // `tracehound::dev("reader")` does this in one line, but draws nothing if the output is piped.
    let options = DevOptions::new().any_ports().waterfall(Waterfall::Always);
    let server = DevServer::start(options)?;
    let tracer = server.tracer("reader")?;

    let shelves = serve(shelves(), server.tracer("shelves")?).await?;
    let library_tracer = server.tracer("library")?;
    let library = library(shelves, library_tracer.clone())?;
    let library = serve(library, library_tracer).await?;
    let http = reqwest::Client::builder().no_proxy().build()?;

    let span = tracer.start_span("look_for_book");
    let search = async {
        let url = format!("{library}/books/7");
        let reply = http.get(url).send_traced(&tracer).await?;
        reply.text().await
    };
    println!("{}\n", search.in_span(span).await?);
    Ok(())
}

fn library(shelves: String, tracer: JaegerTracer) -> Result<Router, Box<dyn Error>> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let find = async move |Path(id): Path<u32>| {
        let url = format!("{shelves}/shelves/{id}");
        let reply = http.get(url).send_traced(&tracer).await;
        let text = reply.map_err(|_| StatusCode::BAD_GATEWAY)?.text().await;
        text.map_err(|_| StatusCode::BAD_GATEWAY)
    };
    Ok(Router::new().route("/books/{id}", get(find)))
}

fn shelves() -> Router {
    let look = async |Path(id): Path<u32>| {
        active_span().set_tag("book", id);
        match id {
            7 => Ok("on the shelf behind the teapots"),
            _ => Err(StatusCode::NOT_FOUND),
        }
    };
    Router::new().route("/shelves/{id}", get(look))
}

/// Serves `app` on a free port and gives every request a span.
async fn serve(app: Router, tracer: JaegerTracer) -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let app = app.layer(ServerLayer::new(tracer));
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(url)
}
