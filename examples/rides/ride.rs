//! Orders rides, as browsers would.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::Instant;
use tracehound::JaegerTracer;

use crate::backend::Backend;
use crate::{customer, frontend};

/// A ride that was ordered.
pub(crate) struct Ride {
    answer: String,
    /// The address of its trace.
    trace: String,
    pub(crate) took: Duration,
}

/// Orders a ride for each customer at once. Returns the one that came last, and how many there were.
pub(crate) async fn order_all(frontend: SocketAddr) -> Result<(Ride, u32), Box<dyn Error>> {
    let browser = reqwest::Client::builder().no_proxy().build()?;
    let orders = customer::names().map(|customer| order(&browser, frontend, customer));
    let rides = try_join_all(orders).await?;
    let count = rides.len().try_into()?;
    let last = rides.into_iter().max_by_key(|ride| ride.took);
    Ok((last.ok_or("there are no customers")?, count))
}

async fn order(
    browser: &reqwest::Client,
    address: SocketAddr,
    customer: &str,
) -> Result<Ride, Box<dyn Error>> {
    let start = Instant::now();
    let url = format!("http://{address}/rides/{customer}");
    let reply = browser.post(url).send().await?;
    let trace = reply.headers().get(frontend::TRACE);
    let trace = trace.map_or(Ok(""), |link| link.to_str())?.to_owned();
    Ok(Ride {
        answer: reply.text().await?,
        trace,
        took: start.elapsed(),
    })
}

impl Ride {
    /// Returns the picture of the trace, or says where to see it.
    pub(crate) fn picture(&self, backend: &Backend, tracers: &[JaegerTracer]) -> String {
        for tracer in tracers {
            tracer.flush(Duration::from_secs(1));
        }
        let embedded = match backend {
            Backend::Embedded(server) => {
                server.wait_until_read(Duration::from_secs(1));
                let (_, id) = self.trace.rsplit_once('/').unwrap_or_default();
                id.parse().ok().and_then(|id| server.trace(id))
            }
            Backend::Agent(_) => None,
        };
        match embedded {
            Some(trace) => trace.waterfall(100),
            None => format!("look: {}\n", self.trace),
        }
    }
}

impl fmt::Display for Ride {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, after {} ms", self.answer, self.took.as_millis())
    }
}
