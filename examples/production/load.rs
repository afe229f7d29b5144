//! Customers, strangers to the service: some 200 requests a second.

use std::error::Error;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::shop::Shop;

/// The answers.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) orders: u64,
    pub(crate) failed: u64,
}

/// A number that must never be on a span.
pub(crate) const CARD: &str = "4111111111111111";

/// Sends orders for that long, and looks at the metrics page at the end.
pub(crate) async fn run(shop: &Shop, time: Duration) -> Result<Asked, Box<dyn Error>> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let end = Instant::now() + time;
    let mut customers = JoinSet::new();
    for customer in 0..CUSTOMERS {
        let urls = ["ada", "bob", "carol"].map(|name| shop.orders_url(name));
        customers.spawn(order_until(end, http.clone(), urls, customer));
    }
    let mut asked = Asked::default();
    while let Some(answers) = customers.join_next().await {
        let answers = answers??;
        asked.orders += answers.orders;
        asked.failed += answers.failed;
    }
    let page = http.get(shop.metrics_url()).send().await?.text().await?;
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    println!("the metrics page has {} values", lines.count());
    Ok(asked)
}

async fn order_until(
    end: Instant,
    http: reqwest::Client,
    [ada, bob, carol]: [String; 3],
    customer: u64,
) -> Result<Asked, reqwest::Error> {
    let mut asked = Asked::default();
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while ticks.tick().await < end {
        let url = match asked.orders % 40 + customer {
            13 => &bob,
            27 => &carol,
            _ => &ada,
        };
        let request = http
            .post(format!("{url}?card={CARD}"))
            .header("authorization", format!("Bearer {CARD}"))
            .header("x-request-id", format!("{customer}-{}", asked.orders))
            // A stranger would like to have its trace kept.
            .header("traceparent", TRACEPARENT);
        let status = request.send().await?.status();
        asked.orders += 1;
        asked.failed += u64::from(status != StatusCode::ACCEPTED);
    }
    Ok(asked)
}

const CUSTOMERS: u64 = 8;
const PAUSE: Duration = Duration::from_millis(40);
const TRACEPARENT: &str = "00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01";
