//! Finds drivers: gRPC by tonic, in front of Redis. Sends them out, by a queue.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, RedisError, cmd};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tonic::Status;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tracehound::JaegerTracer;
use tracehound::middleware::{Database, MessageBus, ServerLayer, TracedRedis};
use tracehound::prelude::*;

use crate::queue::{RIDES, Receiver};
use crate::text;

pub(crate) const FIND_NEAREST: &str = "/driver.Drivers/FindNearest";

type Redis = TracedRedis<MultiplexedConnection>;

/// `dispatched` gets a permit for each driver who was sent out.
pub(crate) async fn start(
    tracer: JaegerTracer,
    redis: SocketAddr,
    rides: Receiver,
    dispatched: Arc<Semaphore>,
) -> Result<SocketAddr, Box<dyn Error>> {
    let client = redis::Client::open(format!("redis://{redis}"))?;
    let connection = client.get_multiplexed_async_connection().await?;
    let database = Database::redis(tracer.clone(), client.get_connection_info());
    let redis = TracedRedis::new(connection, database);
    let bus = MessageBus::new(tracer.clone(), "channel");
    tokio::spawn(dispatch(bus, rides, redis.clone(), dispatched));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let find = move |place| find_nearest(redis.clone(), place);
    let server = Server::builder()
        .layer(ServerLayer::new(tracer))
        .add_routes(text::method(FIND_NEAREST, find))
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
    tokio::spawn(server);
    Ok(address)
}

async fn dispatch(bus: MessageBus, mut rides: Receiver, mut redis: Redis, done: Arc<Semaphore>) {
    while let Some(mut message) = rides.recv().await {
        let handling = bus.receive(RIDES).start(&message.carrier());
        // An error is on the span.
        let _ = handling
            .run(redis.set::<_, _, ()>(message.driver, "busy"))
            .await;
        handling.finish();
        done.add_permits(1);
    }
}

/// Answers with a line for each driver: the id and the place.
async fn find_nearest(mut redis: Redis, place: String) -> Result<String, Status> {
    let unavailable = |error: RedisError| Status::unavailable(error.to_string());
    let (x, y) = place.split_once(',').unwrap_or_default();
    let mut search = cmd("GEOSEARCH");
    search.arg(&["drivers", "FROMLONLAT", x, y, "BYRADIUS", "5", "km"]);
    let drivers: Vec<String> = search.query_async(&mut redis).await.map_err(unavailable)?;
    let mut lines = Vec::new();
    for driver in drivers {
        let place = look_up(&mut redis, &driver).await.map_err(unavailable)?;
        lines.push(format!("{driver} {place}"));
    }
    Ok(lines.join("\n"))
}

/// Asks for the place of a driver, again if Redis has no time.
async fn look_up(redis: &mut Redis, driver: &str) -> Result<String, RedisError> {
    let mut attempts = 1;
    loop {
        match redis.get(driver).await {
            Err(_) if attempts < 3 => active_span().log_event("retry"),
            result => return result,
        };
        attempts += 1;
    }
}
