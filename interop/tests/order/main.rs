//! An order passes through everything that the library traces: HTTP, a WebSocket, Redis, Thrift, PostgreSQL, gRPC and NATS. It
//! is one trace in a real Jaeger.

mod bank;
#[path = "../../../examples/thrift/stock.rs"]
#[expect(dead_code, reason = "one of its methods is enough for an order")]
mod generated;
mod packer;
#[path = "../databases/postgres_server.rs"]
mod postgres_server;
#[path = "../queues/program.rs"]
#[expect(dead_code, reason = "of the programs only the server is needed")]
mod program;
#[path = "../databases/redis_server.rs"]
mod redis_server;
mod shop;
mod stock;
#[path = "../../../examples/grpc/text.rs"]
mod text;
mod tree;

use std::{error::Error, net::SocketAddr, time::Duration};

use futures_util::StreamExt;
use sqlx::{Executor, PgPool, postgres::PgConnectOptions};
use tokio::{task::block_in_place, time::timeout};
use tracehound::{
    JaegerTracer,
    middleware::{Database, MessageBus, SendTraced, TracedNats, WebSocketClient},
    prelude::*,
    reporter::{RemoteReporter, sender::UdpSender},
    sampler::ConstSampler,
    tracer::BuildError,
};
use tracehound_interop::{Backend, Version};

use packer::Packer;
use postgres_server::PostgresServer;
use program::NatsServer;
use redis_server::RedisServer;
use shop::Stations;

type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

/// The subject of orders.
const ORDERS: &str = "orders";

/// The bank is too busy at first, so the shop asks again. Until a method has answered with a message, a server does not
/// take its path for a name. The parcel follows from the order: the shop has not waited.
const ORDER: &str = "\
browser buy
  browser HTTP GET client
    shop GET /news server
      > shop WebSocket session /news
    > browser WebSocket session
  browser HTTP POST client
    shop POST /orders/{item} server
      shop INCRBY client
      shop count client
        stock count server
          stock UPDATE client
      shop /bank.Bank/Charge client !
        bank HTTP POST server !
      shop /bank.Bank/Charge client
        bank /bank.Bank/Charge server
      shop To_orders producer
        > packer From_orders consumer
          packer INSERT client
          packer HTTP POST client
            shop POST /packed/{item} server
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v1_shows_an_order_through_everything_as_one_trace() -> Result {
    is_one_trace(Version::V1).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v2_shows_an_order_through_everything_as_one_trace() -> Result {
    is_one_trace(Version::V2).await
}

async fn is_one_trace(version: Version) -> Result {
    let Some(jaeger) = block_in_place(|| Backend::start_or_skip(version))? else {
        return Ok(());
    };
    let Some(redis) = block_in_place(RedisServer::start)? else {
        return Ok(());
    };
    let Some(postgres) = block_in_place(PostgresServer::start)? else {
        return Ok(());
    };
    let Some(nats) = block_in_place(NatsServer::start)? else {
        return Ok(());
    };
    let tracer = |service| tracer(service, &jaeger);
    let (shop, stock, bank, packer) = (
        tracer("shop")?,
        tracer("stock")?,
        tracer("bank")?,
        tracer("packer")?,
    );
    let pool = database(&postgres).await?;
    let database = |tracer: &JaegerTracer| Database::new(tracer.clone(), "postgresql");
    // On one connection nothing is published before the subscription.
    let nats = async_nats::connect(nats.url()).await?;
    let queue = |tracer: &JaegerTracer| {
        let bus = MessageBus::nats(tracer.clone());
        TracedNats::new(nats.clone(), bus)
    };
    let mut orders = queue(&packer).subscribe(ORDERS).await?;
    let stations = Stations {
        redis: redis::Client::open(redis.url())?,
        stock: stock::start(stock.clone(), database(&stock), pool.clone())?,
        bank: bank::start(bank).await?,
        queue: queue(&shop),
    };
    let shop = shop::start(shop, stations).await?;
    let packer = Packer {
        database: database(&packer),
        tracer: packer,
        pool,
        shop,
    };
    let browser = tracer("browser")?;
    let span = browser.start_span("buy");
    let trace_id = u128::from_str_radix(&span.context().to_trace_id(), 16)?;
    let buying = buy(&browser, shop).in_span(span);
    let both = async { tokio::try_join!(buying, packer.pack(&mut orders)) };
    timeout(Duration::from_secs(60), both).await??;

    let spans = ORDER.lines().count();
    let trace = block_in_place(|| jaeger.trace(trace_id, spans))?;
    assert_eq!(tree::draw(&trace.spans), ORDER);
    assert_eq!(tree::out_of_time(&trace.spans), [""; 0]);
    Ok(())
}

/// Orders a teapot, and hears that it is packed.
async fn buy(tracer: &JaegerTracer, shop: SocketAddr) -> Result {
    let client = WebSocketClient::new(tracer.clone());
    let (mut news, _) = client.connect(format!("ws://{shop}/news")).await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let order = http.post(format!("http://{shop}/orders/teapot"));
    let reply = order.send_traced(tracer).await?.error_for_status()?;
    assert_eq!(reply.text().await?, "order 1: ada paid, 2 left");
    let packed = news.next().await.ok_or("no news")??;
    assert_eq!(packed.into_text()?, "teapot");
    news.close(None).await?;
    while let Some(Ok(_)) = news.next().await {}
    Ok(())
}

/// Makes a tracer that keeps every trace and sends it by UDP.
fn tracer(service: &str, jaeger: &Backend) -> Result<JaegerTracer, BuildError> {
    let sender = UdpSender::new(jaeger.compact_addr());
    JaegerTracer::builder(service)
        .sampler(ConstSampler::new(true))
        .reporter(RemoteReporter::new(sender))
        .build()
}

/// Opens a database in which three teapots are in stock.
async fn database(server: &PostgresServer) -> Result<PgPool> {
    let options = PgConnectOptions::new_without_pgpass()
        .socket(server.folder())
        .username("app")
        .database("postgres");
    let pool = PgPool::connect_with(options).await?;
    pool.execute("CREATE TABLE items (name TEXT, count INTEGER)")
        .await?;
    pool.execute("INSERT INTO items VALUES ('teapot', 3)")
        .await?;
    pool.execute("CREATE TABLE parcels (item TEXT)").await?;
    Ok(pool)
}
