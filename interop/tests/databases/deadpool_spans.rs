//! Connections that a pool of deadpool gives out, by the recipe of the guide.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, Runtime};
use futures_util::FutureExt;
use tokio_postgres::{Config, NoTls};
use tracehound::{middleware::Database, model::Recording, prelude::*};

use crate::{
    Result,
    deadpool_recipe::{postgres, redis},
    only,
    postgres_server::PostgresServer,
    postgres_spans::{database, runtime},
    redis_server::RedisServer,
    taken,
    tokio_postgres_recipe::query,
    tracer,
};

#[test]
fn the_wait_for_a_connection_of_deadpool_has_a_span() -> Result {
    let Some(server) = PostgresServer::start()? else {
        return Ok(());
    };
    let (tracer, spans) = tracer(Recording::metadata())?;
    let users = database(&tracer, "deadpool-postgres");
    let mut config = Config::new();
    config
        .host_path(server.folder())
        .user("app")
        .dbname("postgres");
    let manager = Manager::from_config(config, NoTls, ManagerConfig::default());
    let pool = Pool::builder(manager)
        .max_size(1)
        .wait_timeout(Some(Duration::from_millis(200)))
        .runtime(Runtime::Tokio1)
        .build()?;
    runtime()?.block_on(async {
        let page = tracer.start_span("page");
        let read = async {
            let client = postgres(&users, &pool).await?;
            query(&users, &**client, "SELECT 1", &[]).await?;
            Ok::<_, Box<dyn std::error::Error>>(client)
        };
        let client = read.in_span(page.downgrade()).await?;
        page.finish();
        assert_eq!(taken(&spans).0, ["AcquireConnection", "SELECT", "page"]);

        let (next, ()) = tokio::join!(postgres(&users, &pool), async { drop(client) });
        let next = next?;
        assert!(only(&spans).logs.is_empty());
        assert!(postgres(&users, &pool).now_or_never().is_none());
        assert!(format!("{:?}", only(&spans).logs).contains("cancelled"));
        postgres(&users, &pool).await.err().ok_or("it is taken")?;
        let late = only(&spans);
        assert_eq!(late.tag_text("error"), "true", "{late:?}");
        drop(next);
        assert!(active_span().is_noop());
        Ok(())
    })
}

#[test]
fn a_connection_of_deadpool_redis_has_spans_for_the_wait_and_for_commands() -> Result {
    let Some(server) = RedisServer::start()? else {
        return Ok(());
    };
    let (tracer, spans) = tracer(Recording::metadata())?;
    let cache = Database::new(tracer, "redis");
    let manager = deadpool_redis::Manager::new(server.url())?;
    let pool = deadpool_redis::Pool::builder(manager).max_size(1).build()?;
    runtime()?.block_on(async {
        let mut connection = redis(&cache, &pool).await?;
        let mut set = ::redis::cmd("SET");
        set.arg("a").arg("canary");
        set.query_async::<()>(&mut connection).await?;
        let (names, all) = taken(&spans);
        assert_eq!(names, ["AcquireConnection", "SET"]);
        assert!(!all.contains("canary"), "{all}");
        assert!(redis(&cache, &pool).now_or_never().is_none());
        assert!(format!("{:?}", only(&spans).logs).contains("cancelled"));
        Ok(())
    })
}
