use deadpool_postgres::{Object, Pool, PoolError};
use deadpool_redis::Connection;
use tracehound::middleware::{Database, TracedRedis};

/// Takes a connection to a PostgreSQL out of the pool. The wait for it is the span `AcquireConnection`.
pub(crate) async fn postgres(database: &Database, pool: &Pool) -> Result<Object, PoolError> {
    database.acquire().run(pool.get()).await
}

/// Takes a connection to a Redis out of the pool, whose commands then have spans, too.
pub(crate) async fn redis(
    database: &Database,
    pool: &deadpool_redis::Pool,
) -> Result<TracedRedis<Connection>, deadpool_redis::PoolError> {
    let connection = database.acquire().run(pool.get()).await?;
    Ok(TracedRedis::new(connection, database.clone()))
}
