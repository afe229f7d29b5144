//! Knows where the customers are: HTTP by axum, in front of a database.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tracehound::JaegerTracer;
use tracehound::middleware::{Database, ServerLayer};

use crate::fixes::Fixes;
use crate::pool::Pool;

const PLACES: [(&str, &str); 4] = [
    ("ada", "2,3"),
    ("bob", "8,1"),
    ("carol", "5,7"),
    ("dan", "1,9"),
];

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    PLACES.iter().map(|(name, _)| *name)
}

#[derive(Clone)]
struct Customers {
    database: Database,
    connections: Arc<Pool>,
    fixes: Fixes,
}

pub(crate) async fn start(tracer: JaegerTracer, fixes: Fixes) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let database = Database::new(tracer.clone(), "postgresql").instance("customers");
    let customers = Customers {
        database: database.statements(true),
        connections: Arc::new(Pool::new(fixes.connections())),
        fixes,
    };
    let app = Router::new()
        .route("/customers/{name}", get(place))
        .with_state(customers)
        .layer(ServerLayer::new(tracer));
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(address)
}

async fn place(
    State(customers): State<Customers>,
    Path(name): Path<String>,
) -> Result<&'static str, StatusCode> {
    let place = customers.place(&name).await;
    let place = place.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    place.ok_or(StatusCode::NOT_FOUND)
}

impl Customers {
    async fn place(&self, customer: &str) -> io::Result<Option<&'static str>> {
        let free = self.connections.take();
        let _connection = self.database.acquire().run(free).await?;

        let (sql, time) = self.fixes.query();
        let query = async {
            sleep(time).await;
            let found = PLACES.iter().find(|(name, _)| *name == customer);
            Ok(found.map(|(_, place)| *place))
        };
        self.database.statement(sql).run(query).await
    }
}
