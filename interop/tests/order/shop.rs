//! Takes orders: HTTP by axum. Customers hear of them by a WebSocket.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::{
        Path, State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::StatusCode,
    response::Response,
    routing::{any, post},
};
use redis::{AsyncCommands, aio::MultiplexedConnection};
use tokio::{net::TcpListener, sync::broadcast, task::block_in_place};
use tonic::transport::{Channel, Endpoint};
use tracehound::{
    JaegerTracer,
    middleware::{
        ClientLayer, ClientService, Database, ServerLayer, SessionSpan, Sessions, TracedNats,
        TracedRedis,
    },
};

use crate::{ORDERS, Result, bank, stock, text};

/// The parts that an order passes through.
pub(crate) struct Stations {
    pub(crate) redis: redis::Client,
    pub(crate) stock: SocketAddr,
    pub(crate) bank: SocketAddr,
    pub(crate) queue: TracedNats,
}

#[derive(Clone)]
struct Shop {
    tracer: JaegerTracer,
    numbers: TracedRedis<MultiplexedConnection>,
    stock: SocketAddr,
    bank: ClientService<Channel>,
    queue: TracedNats,
    news: broadcast::Sender<String>,
}

pub(crate) async fn start(tracer: JaegerTracer, stations: Stations) -> Result<SocketAddr> {
    let redis = Database::redis(tracer.clone(), stations.redis.get_connection_info());
    let connection = stations.redis.get_multiplexed_async_connection().await?;
    let bank = Endpoint::try_from(format!("http://{}", stations.bank))?.connect_lazy();
    let shop = Shop {
        numbers: TracedRedis::new(connection, redis),
        stock: stations.stock,
        bank: ClientLayer::new(tracer.clone()).wrap(bank),
        queue: stations.queue,
        news: broadcast::Sender::new(16),
        tracer: tracer.clone(),
    };
    let app = Router::new()
        .route("/orders/{item}", post(order))
        .route("/packed/{item}", post(packed))
        .route("/news", any(news))
        .with_state(shop)
        .layer(ServerLayer::new(tracer).sessions(Sessions::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(address)
}

async fn order(
    State(mut shop): State<Shop>,
    Path(item): Path<String>,
) -> Result<String, (StatusCode, String)> {
    let failed = |error: Box<dyn std::error::Error>| (StatusCode::BAD_GATEWAY, error.to_string());
    shop.take(&item).await.map_err(failed)
}

impl Shop {
    async fn take(&mut self, item: &str) -> Result<String> {
        let number: i64 = self.numbers.incr("orders", 1).await?;
        let left = block_in_place(|| stock::take(self.tracer.clone(), self.stock, item))?;
        let mut receipt = self.charge().await;
        if receipt.is_err() {
            receipt = self.charge().await;
        }
        let receipt = receipt?;
        self.queue.publish(ORDERS, item.to_owned().into()).await?;
        Ok(format!("order {number}: {receipt}, {left} left"))
    }

    async fn charge(&self) -> Result<String, tonic::Status> {
        text::call(self.bank.clone(), bank::CHARGE, "ada").await
    }
}

async fn packed(State(shop): State<Shop>, Path(item): Path<String>) -> StatusCode {
    match shop.news.send(item) {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::GONE,
    }
}

async fn news(
    State(shop): State<Shop>,
    upgrade: WebSocketUpgrade,
    session: SessionSpan,
) -> Response {
    let news = shop.news.subscribe();
    upgrade.on_upgrade(|socket| session.run(tell(socket, news)))
}

/// Sends one message, and waits for the customer to close.
async fn tell(mut socket: WebSocket, mut news: broadcast::Receiver<String>) {
    if let Ok(item) = news.recv().await {
        let _ = socket.send(Message::text(item)).await;
    }
    while let Some(Ok(_)) = socket.recv().await {}
}
