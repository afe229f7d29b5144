//! Packs what was ordered: takes messages from the queue, notes parcels in a database, and tells the shop by HTTP.

use std::net::SocketAddr;

use futures_util::StreamExt;
use sqlx::PgPool;
use tracehound::{
    JaegerTracer,
    middleware::{Database, NatsMessages, SendTraced},
};

use crate::Result;

pub(crate) struct Packer {
    pub(crate) tracer: JaegerTracer,
    pub(crate) database: Database,
    pub(crate) pool: PgPool,
    pub(crate) shop: SocketAddr,
}

impl Packer {
    /// Packs the next order.
    pub(crate) async fn pack(&self, orders: &mut NatsMessages) -> Result {
        let order = orders.next().await.ok_or("no more orders")?;
        let item = str::from_utf8(&order.payload)?;
        let work = async {
            let insert = sqlx::query("INSERT INTO parcels (item) VALUES ($1)").bind(item);
            insert.execute(self.database.executor(&self.pool)).await?;
            let url = format!("http://{}/packed/{item}", self.shop);
            let http = reqwest::Client::builder().no_proxy().build()?;
            let reply = http.post(url).send_traced(&self.tracer).await?;
            reply.error_for_status()?.bytes().await?;
            Ok::<_, Box<dyn std::error::Error>>(())
        };
        order.run(work).await
    }
}
