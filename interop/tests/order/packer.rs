//! Packs what was ordered: takes messages from the queue, notes parcels in a database, and tells the shop by HTTP.

use std::net::SocketAddr;

use sqlx::SqlitePool;
use tracehound::{
    JaegerTracer,
    middleware::{Database, SendTraced},
};

use crate::{Result, queue::Orders};

pub(crate) struct Packer {
    pub(crate) tracer: JaegerTracer,
    pub(crate) database: Database,
    pub(crate) pool: SqlitePool,
    pub(crate) shop: SocketAddr,
}

impl Packer {
    /// Packs the next order.
    pub(crate) async fn pack(&self, orders: &mut Orders) -> Result {
        let (item, handling) = orders.next().await.ok_or("no more orders")?;
        let work = async {
            let insert = sqlx::query("INSERT INTO parcels (item) VALUES ($1)").bind(&item);
            insert.execute(self.database.executor(&self.pool)).await?;
            let url = format!("http://{}/packed/{item}", self.shop);
            let http = reqwest::Client::builder().no_proxy().build()?;
            let reply = http.post(url).send_traced(&self.tracer).await?;
            reply.error_for_status()?.bytes().await?;
            Ok::<_, Box<dyn std::error::Error>>(())
        };
        handling.run(work).await?;
        handling.finish();
        Ok(())
    }
}
