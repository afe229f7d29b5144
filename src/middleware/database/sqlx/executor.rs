use std::fmt::{self, Debug};

use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use sqlx::database::Database as Sqlx;
use sqlx::{Describe, Either, Error, Execute, Executor, SqlStr};

use crate::middleware::Database;
use crate::middleware::database::DatabaseSpan;
use crate::middleware::database::sqlx::query::TakenQuery;

/// An executor of the crate `sqlx` whose statements have spans: a pool, a connection or a transaction.
/// [`Database::executor`] makes it.
///
/// ```
/// use sqlx::{Acquire, Executor, Pool};
/// use tracehound::middleware::Database;
///
/// async fn purge<DB: sqlx::Database>(pool: &Pool<DB>, users: &Database) -> sqlx::Result<()>
/// where
///     for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
/// {
///     let mut transaction = users.pool(pool).begin().await?; // span: `BEGIN`
///     let connection = users.executor(&mut *transaction);
///     connection.execute("DELETE FROM users").await?; // span: `DELETE`
///     users.operation("COMMIT").run(transaction.commit()).await
/// }
/// ```
///
/// The span of a stream of rows ends with the stream. Rows that come are counted (`db.rows_returned`); how many a
/// statement changed is known only to the driver, so a program that wants it on the span sets it there. If
/// `fetch_one` finds no row, that is no error to the span. A statement that is refused has the server's code for it as
/// the tag `db.error_code`, such as `23505`.
///
/// A pool takes a connection inside of a statement's span. To see how long that takes, pass the pool by
/// [`Database::pool`], which also begins transactions.
///
/// Arguments of a query are never recorded, because they have no text. Needs Rust 1.94, as `sqlx` does.
#[must_use = "an executor does nothing before it runs a statement"]
pub struct TracedExecutor<E> {
    pub(super) executor: E,
    database: Database,
}

impl Database {
    /// Gives the statements that an executor of the crate `sqlx` runs spans of this database.
    ///
    /// Pass it on where `sqlx` takes an executor: `&pool`, `&mut *connection` or `&mut *transaction`. For a pool,
    /// [`pool`](Self::pool) also tells how long a statement waits for a connection.
    ///
    /// ```
    /// use sqlx::Executor;
    /// use tracehound::middleware::Database;
    ///
    /// async fn count<'c, E: Executor<'c>>(users: &Database, pool: E) -> sqlx::Result<usize> {
    ///     let rows = users.executor(pool).fetch_all("SELECT id FROM users").await?;
    ///     Ok(rows.len())
    /// }
    /// ```
    pub fn executor<'c, E: Executor<'c>>(&self, executor: E) -> TracedExecutor<E> {
        TracedExecutor {
            executor,
            database: self.clone(),
        }
    }
}

impl<'c, E> TracedExecutor<E>
where
    E: Executor<'c>,
{
    /// Starts the span of a query.
    fn start<'q>(
        self,
        query: impl Execute<'q, E::Database>,
    ) -> (E, TakenQuery<E::Database>, DatabaseSpan) {
        let query = TakenQuery::new(query);
        let call = self.database.statement(query.text()).start();
        (self.executor, query, call)
    }
}

type QueryResult<DB> = <DB as Sqlx>::QueryResult;
type Row<DB> = <DB as Sqlx>::Row;

impl<'c, X> Executor<'c> for TracedExecutor<X>
where
    X: Executor<'c>,
{
    type Database = X::Database;

    fn execute<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<QueryResult<X::Database>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, X::Database>,
    {
        let (executor, query, call) = self.start(query);
        traced(call, executor.execute(query), |_, _| {})
    }

    fn execute_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<QueryResult<X::Database>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, X::Database>,
    {
        let (executor, query, call) = self.start(query);
        Box::pin(call.results(executor.execute_many(query)))
    }

    fn fetch<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Row<X::Database>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, X::Database>,
    {
        let (executor, query, call) = self.start(query);
        Box::pin(call.rows(executor.fetch(query)))
    }

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<QueryResult<X::Database>, Row<X::Database>>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, X::Database>,
    {
        let (executor, query, call) = self.start(query);
        Box::pin(call.results(executor.fetch_many(query)))
    }

    fn fetch_all<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Vec<Row<X::Database>>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, X::Database>,
    {
        let (executor, query, call) = self.start(query);
        traced(call, executor.fetch_all(query), |call, rows| {
            call.rows_returned(rows.len());
        })
    }

    fn fetch_one<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Row<X::Database>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, X::Database>,
    {
        let (executor, query, call) = self.start(query);
        traced(call, executor.fetch_one(query), |call, _| {
            call.rows_returned(1);
        })
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<Row<X::Database>>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, X::Database>,
    {
        let (executor, query, call) = self.start(query);
        traced(call, executor.fetch_optional(query), |call, row| {
            call.rows_returned(usize::from(row.is_some()));
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [<X::Database as Sqlx>::TypeInfo],
    ) -> BoxFuture<'e, Result<<X::Database as Sqlx>::Statement, Error>>
    where
        'c: 'e,
    {
        let call = self
            .database
            .statement(sql.as_str())
            .name("PREPARE")
            .start();
        traced(call, self.executor.prepare_with(sql, parameters), |_, _| {})
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<X::Database>, Error>>
    where
        'c: 'e,
    {
        // The macros of sqlx ask this while a program is compiled.
        self.executor.describe(sql)
    }
}

/// Runs a statement as its call, and finishes the call.
fn traced<'e, T: Send + 'e>(
    call: DatabaseSpan,
    work: BoxFuture<'e, Result<T, Error>>,
    record: impl FnOnce(&DatabaseSpan, &T) + Send + 'e,
) -> BoxFuture<'e, Result<T, Error>> {
    if call.span().is_noop() {
        return work;
    }
    Box::pin(call.run_to_end(work, is_failure, |call, result| {
        match result {
            Ok(value) => record(&call, value),
            Err(Error::RowNotFound) => {
                call.rows_returned(0);
            }
            Err(_) => {}
        }
        call.finish();
    }))
}

fn is_failure(error: &Error) -> bool {
    !matches!(error, Error::RowNotFound)
}

impl<E: Debug> Debug for TracedExecutor<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedExecutor")
            .field("executor", &self.executor)
            .finish_non_exhaustive()
    }
}
