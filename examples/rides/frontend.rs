//! Takes orders for rides: HTTP by axum. It asks the others with reqwest and tonic.

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::Html;
use axum::routing::{get, post};
use futures_util::future::try_join_all;
use tokio::net::TcpListener;
use tonic::transport::{Channel, Endpoint};
use tracehound::JaegerTracer;
use tracehound::middleware::{
    AnswerHeaders, ClientLayer, ClientService, MessageBus, SendTraced, ServerLayer, TraceLink,
};

use crate::queue::{Message, RIDES, Sender};
use crate::{driver, text};

/// The addresses of the other services.
pub(crate) struct Services {
    pub(crate) customer: SocketAddr,
    pub(crate) driver: SocketAddr,
    pub(crate) route: SocketAddr,
    pub(crate) rides: Sender,
}

#[derive(Clone)]
struct Frontend {
    tracer: JaegerTracer,
    http: reqwest::Client,
    customer: SocketAddr,
    drivers: ClientService<Channel>,
    route: SocketAddr,
    bus: MessageBus,
    rides: Sender,
}

type Answer<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The header of an answer with the address of its trace.
pub(crate) const TRACE: HeaderName = HeaderName::from_static("x-trace");

/// `traces` is the start of the addresses of traces.
pub(crate) async fn start(
    tracer: JaegerTracer,
    services: Services,
    traces: &str,
) -> Result<SocketAddr, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let drivers = Endpoint::try_from(format!("http://{}", services.driver))?.connect_lazy();
    let frontend = Frontend {
        http: reqwest::Client::builder().no_proxy().build()?,
        customer: services.customer,
        drivers: ClientLayer::new(tracer.clone()).wrap(drivers),
        route: services.route,
        bus: MessageBus::new(tracer.clone(), "channel"),
        rides: services.rides,
        tracer: tracer.clone(),
    };
    let link = TraceLink::new(format!("{traces}{{trace_id}}"))?;
    let layer = ServerLayer::new(tracer).answer_headers(AnswerHeaders::new().link(TRACE, link));
    let app = Router::new()
        .route("/", get(|| async { Html(include_str!("page.html")) }))
        .route("/rides/{customer}", post(ride))
        .with_state(frontend)
        .layer(layer);
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(address)
}

async fn ride(
    State(frontend): State<Frontend>,
    Path(customer): Path<String>,
) -> (StatusCode, String) {
    match frontend.order(&customer).await {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()),
    }
}

impl Frontend {
    /// Sends out the driver who is there first.
    async fn order(&self, customer: &str) -> Answer<String> {
        let url = format!("http://{}/customers/{customer}", self.customer);
        let place = self.get(url).await?;
        let drivers = text::call(self.drivers.clone(), driver::FIND_NEAREST, &place).await?;
        let drivers = drivers.lines().filter_map(|line| line.split_once(' '));
        let minutes = drivers.map(|(driver, from)| self.minutes(driver, from, &place));
        let first = try_join_all(minutes).await?.into_iter().min();
        let (minutes, driver) = first.ok_or("no driver is near")?;

        let mut message = Message::new(driver);
        let sending = self.bus.send(RIDES).start(&mut message.carrier());
        sending.run(self.rides.send(message)).await?;
        sending.finish();
        Ok(format!("{driver} comes to {customer} in {minutes} min"))
    }

    async fn minutes<'a>(&self, driver: &'a str, from: &str, to: &str) -> Answer<(u32, &'a str)> {
        let url = format!("http://{}/routes/{from}/{to}", self.route);
        Ok((self.get(url).await?.parse()?, driver))
    }

    async fn get(&self, url: String) -> Answer<String> {
        let reply = self.http.get(url).send_traced(&self.tracer).await?;
        Ok(reply.error_for_status()?.text().await?)
    }
}
