use std::fmt;
use std::future::poll_fn;
use std::task::Poll;

use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use sqlx::database::Database as Sqlx;
use sqlx::pool::PoolConnection;
use sqlx::{
    Acquire, Describe, Either, Error, Execute, Executor, Pool, SqlSafeStr, SqlStr, Transaction,
};

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
    /// Gives the statements that run on a pool of the crate `sqlx` spans of this database, and each wait for a
    /// connection a span.
    ///
    /// Pass it on where `sqlx` takes an executor, in place of `&pool`. A statement that finds no idle connection waits
    /// until one is free or made. That is the span `AcquireConnection`, a child of the statement's span. If the wait
    /// fails, both are marked. A statement that finds an idle one has no such span. [`executor`](Self::executor) is the
    /// same without that span.
    ///
    /// It is a [`sqlx::Acquire`], too: `begin` starts a transaction in the span `BEGIN`, whose child is the wait, and
    /// `acquire` takes a connection. [`begin_with`](TracedExecutor::begin_with) begins by a statement of your own.
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

/// A connection that is taken, and a transaction that begins, with the wait for the pool as a span.
///
/// The span of the transaction's begin is `BEGIN`. What runs in the transaction gets its spans by
/// [`Database::executor`], and its end by an operation:
///
/// ```
/// use sqlx::{Acquire, Executor, Pool};
/// use tracehound::middleware::Database;
///
/// async fn purge<DB: sqlx::Database>(pool: &Pool<DB>, users: &Database) -> sqlx::Result<()>
/// where
///     for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
/// {
///     // Spans: `BEGIN`, and inside of it `AcquireConnection` if it waits.
///     let mut transaction = users.pool(pool).begin().await?;
///     users.executor(&mut *transaction).execute("DELETE FROM users").await?;
///     users.operation("COMMIT").run(transaction.commit()).await
/// }
/// ```
impl<'c, DB: Sqlx> Acquire<'c> for TracedExecutor<WaitingPool<DB>> {
    type Database = DB;

    type Connection = PoolConnection<DB>;

    fn acquire(self) -> BoxFuture<'c, Result<PoolConnection<DB>, Error>> {
        let pool = self.executor;
        Box::pin(async move { pool.acquire().await })
    }

    fn begin(self) -> BoxFuture<'c, Result<Transaction<'c, DB>, Error>> {
        let pool = self.executor;
        Box::pin(async move {
            let call = pool.database.operation("BEGIN");
            call.run(pool.begin(None)).await
        })
    }
}

impl<DB: Sqlx> TracedExecutor<WaitingPool<DB>> {
    /// Starts a transaction by a statement in place of the usual `BEGIN`, as
    /// [`Pool::begin_with`](sqlx::Pool::begin_with) does. The span is that of the statement.
    ///
    /// ```
    /// use sqlx::{Executor, Pool, Transaction};
    /// use tracehound::middleware::Database;
    ///
    /// async fn writer<DB: sqlx::Database>(
    ///     pool: &Pool<DB>,
    ///     users: &Database,
    /// ) -> sqlx::Result<Transaction<'static, DB>>
    /// where
    ///     for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    /// {
    ///     users.pool(pool).begin_with("BEGIN IMMEDIATE").await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the pool and of the server, and [`Error::BeginFailed`] if the statement begins no transaction.
    pub async fn begin_with(
        self,
        statement: impl SqlSafeStr,
    ) -> Result<Transaction<'static, DB>, Error> {
        let (pool, statement) = (self.executor, statement.into_sql_str());
        let text = statement.as_str().to_owned();
        let call = pool.database.statement(&text);
        call.run(pool.begin(Some(statement))).await
    }
}

impl<DB: Sqlx> WaitingPool<DB> {
    async fn begin<'c>(&self, statement: Option<SqlStr>) -> Result<Transaction<'c, DB>, Error> {
        // The pool's own `begin` does this, too, and tells nothing of the wait.
        Transaction::begin(self.acquire().await?, statement).await
    }

    async fn acquire(&self) -> Result<PoolConnection<DB>, Error> {
        // The pool asks an idle connection whether it is alive, which takes a moment but is no wait for others.
        // sqlx counts a connection that comes back after another task may have taken it, so for a moment the number of
        // idle ones may be below zero, which is a number beyond all connections.
        let is_idle = (1..=self.pool.size() as usize).contains(&self.pool.num_idle());
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
