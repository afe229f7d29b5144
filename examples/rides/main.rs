//! A town's rides: four services, three mistakes, and what a trace shows of each.
//!
//! Learnt: how to read a trace, and to mend what it shows. Calls that stand one behind the other wait for something.
//! When that is mended, what they wait for next comes to light.
//!
//! Run: `cargo run --example rides --features full`. With `JAEGER_AGENT_HOST=localhost` before it the spans go to the
//! Jaeger there. With `-- --serve` after it the services stay, for a browser.
//!
//! Change: `-- --fix pool` mends that alone. Why does it gain so little? There are `query`, `lock` and `all`, too.

#[path = "../quickstart/backend.rs"]
mod backend;
mod customer;
mod driver;
mod fixes;
mod frontend;
mod pool;
mod queue;
mod redis_stand_in;
mod ride;
mod route;
#[path = "../grpc/text.rs"]
mod text;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tracehound::JaegerTracer;
use tracehound::dev::{DevOptions, Waterfall};

use backend::Backend;
use fixes::Fixes;
use frontend::Services;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let fixes = Fixes::from_arguments(&arguments)?;
    let serves = arguments.iter().any(|argument| argument == "--serve");

    let options = DevOptions::new().waterfall(Waterfall::Never);
    let backend = Backend::choose(if serves { options } else { options.any_ports() })?;
    let town = Town::new(backend)?;
    if serves {
        town.serve(fixes).await?;
    } else {
        println!("{INTRODUCTION}");
        let picture = town.show(fixes).await?;
        println!("{picture}");
        if !fixes.is_any() {
            town.mend(picture).await?;
        }
    }
    backend::print_ledger(&town.tracers);
    Ok(())
}

const INTRODUCTION: &str = "\
Four customers order a ride at once. `frontend` asks `customer` where one of them is, by HTTP, and `customer` asks a
database; `driver`, by gRPC, finds drivers near there in a Redis; `route` tells how long each of them would need. Then
`frontend` puts the ride into a queue, and `driver` sends the driver out. Below is the ride that came last. Where does
it wait?
";

/// A mistake, and what to look for in a trace: `(fix, what it does, span)`.
const MENDED: [(&str, &str, &str); 3] = [
    (
        "query",
        "the statement has no function around its column, so the index is used",
        "SELECT",
    ),
    (
        "lock",
        "the pool has 16 connections in place of one, so no customer waits for another",
        "AcquireConnection",
    ),
    (
        "pool",
        "32 workers compute routes in place of two",
        "compute_route",
    ),
];

struct Town {
    backend: Backend,
    tracers: [JaegerTracer; 4],
}

impl Town {
    fn new(backend: Backend) -> Result<Self, Box<dyn Error>> {
        let tracers = ["frontend", "customer", "driver", "route"].map(|name| backend.tracer(name));
        let [frontend, customer, driver, route] = tracers;
        let tracers = [frontend?, customer?, driver?, route?];
        Ok(Self { backend, tracers })
    }

    /// Starts the services, and returns the address of the frontend. `dispatched` gets a permit for each ride.
    async fn start(
        &self,
        fixes: Fixes,
        dispatched: Arc<Semaphore>,
    ) -> Result<SocketAddr, Box<dyn Error>> {
        let [frontend, customer, driver, route] = self.tracers.clone();
        let redis = redis_stand_in::start().await?;
        let (rides, dispatch) = mpsc::channel(16);
        let services = Services {
            customer: customer::start(customer, fixes).await?,
            driver: driver::start(driver, redis, dispatch, dispatched).await?,
            route: route::start(route, fixes).await?,
            rides,
        };
        frontend::start(frontend, services, &self.backend.pages()).await
    }

    /// Orders rides and returns the picture of the last one.
    async fn show(&self, fixes: Fixes) -> Result<String, Box<dyn Error>> {
        let dispatched = Arc::new(Semaphore::new(0));
        let frontend = self.start(fixes, dispatched.clone()).await?;
        let (ride, rides) = ride::order_all(frontend).await?;
        let _ = dispatched.acquire_many(rides).await?;
        println!("{ride}");
        Ok(ride.picture(&self.backend, &self.tracers))
    }

    /// Mends one mistake after the other, and shows what that changes.
    async fn mend(&self, mut before: String) -> Result<(), Box<dyn Error>> {
        let mut fixes = Fixes::default();
        for (fix, what, span) in MENDED {
            println!("--fix {fix}: {what}.");
            fixes = fixes.and(fix)?;
            let after = self.show(fixes).await?;
            println!(
                "before:\n{}after:\n{}",
                extract(&before, span),
                extract(&after, span)
            );
            before = after;
        }
        Ok(())
    }

    async fn serve(&self, fixes: Fixes) -> Result<(), Box<dyn Error>> {
        let dispatched = Arc::new(Semaphore::new(0));
        let frontend = self.start(fixes, dispatched).await?;
        println!(
            "Order rides: http://{frontend}/\nSpans go to {}.",
            self.backend.name()
        );
        println!("Enter ends it.");
        io::stdin().read_line(&mut String::new())?;
        Ok(())
    }
}

/// Returns the root of a picture and the lines of one kind of span.
fn extract(picture: &str, span: &str) -> String {
    let lines = picture.lines().skip(1).enumerate();
    let wanted = lines.filter(|(n, line)| *n == 0 || line.contains(span));
    wanted.map(|(_, line)| format!("{line}\n")).collect()
}
