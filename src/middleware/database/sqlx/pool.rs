use std::fmt;
use std::future::poll_fn;
use std::task::Poll;

use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use sqlx::database::Database as Sqlx;
use sqlx::pool::PoolConnection;
use sqlx::{Describe, Either, Error, Execute, Executor, Pool, SqlStr};

use crate::middleware::Database;
use crate::middleware::database::sqlx::TracedExecutor;
use crate::middleware::database::sqlx::steps::Steps;

/// A pool of the crate `sqlx` that tells how long a statement waits for a connection. [`Database::pool`] makes it.
#[derive(Clone)]
pub struct WaitingPool<DB: Sqlx> {
    pool: Pool<DB>,
    database: Database,
}

impl Database {
    /// Gives the statements that run on a pool of the crate `sqlx` spans of this database, and a span to each wait for a
    /// connection.
    ///
    /// Pass it on where `sqlx` takes an executor, in place of `&pool`. A statement that finds no idle connection waits
    /// until one is free or made. That is the span `AcquireConnection`, a child of the statement's span. If the wait
    /// fails, both are marked. A statement that finds an idle one has no such span. [`executor`](Self::executor) is the
    /// same without that span.
    ///
    /// ```
    /// use sqlx::{Executor, Pool};
    /// use tracehound::middleware::Database;
    ///
    /// async fn count<DB: sqlx::Database>(users: &Database, pool: &Pool<DB>) -> sqlx::Result<usize>
    /// where
    ///     for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    /// {
    ///     let rows = users.pool(pool).fetch_all("SELECT id FROM users").await?;
    ///     Ok(rows.len())
    /// }
    /// ```
    pub fn pool<DB: Sqlx>(&self, pool: &Pool<DB>) -> TracedExecutor<WaitingPool<DB>>
    where
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    {
        self.executor(WaitingPool {
            pool: pool.clone(),
            database: self.clone(),
        })
    }
}

impl<DB: Sqlx> WaitingPool<DB> {
    async fn acquire(&self) -> Result<PoolConnection<DB>, Error> {
        // The pool asks an idle connection whether it is alive, which takes a moment but is no wait for others.
        let is_idle = self.pool.num_idle() > 0;
        let mut acquiring = Box::pin(self.pool.acquire());
        let polled = poll_fn(|cx| Poll::Ready(acquiring.as_mut().poll(cx))).await;
        match polled {
            Poll::Ready(acquired) => acquired,
            Poll::Pending if is_idle => acquiring.await,
            Poll::Pending => self.database.acquire().run(acquiring).await,
        }
    }
}

impl<'c, DB: Sqlx> Executor<'c> for WaitingPool<DB>
where
    for<'x> &'x mut DB::Connection: Executor<'x, Database = DB>,
{
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<DB::QueryResult, DB::Row>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        Box::pin(Steps::new(|slot| async move {
            let mut connection = self.acquire().await?;
            let mut steps = Executor::fetch_many(&mut *connection, query);
            while let Some(step) = poll_fn(|cx| steps.as_mut().poll_next(cx)).await {
                slot.put(step?).await;
            }
            Ok(())
        }))
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        Box::pin(async move {
            let mut connection = self.acquire().await?;
            Executor::fetch_optional(&mut *connection, query).await
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let mut connection = self.acquire().await?;
            Executor::prepare_with(&mut *connection, sql, parameters).await
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<DB>, Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let mut connection = self.acquire().await?;
            Executor::describe(&mut *connection, sql).await
        })
    }
}

impl<DB: Sqlx> fmt::Debug for WaitingPool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitingPool")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}
