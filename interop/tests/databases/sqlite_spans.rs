//! Statements that sqlx runs on SQLite in memory: through a pool, a connection, a transaction and a stream.

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, TryStreamExt};
use sqlx::{Acquire, AssertSqlSafe, Executor, SqlSafeStr, SqlitePool, sqlite::SqlitePoolOptions};
use tokio::runtime::{Builder, Runtime};
use tracehound::{
    middleware::Database,
    model::Recording,
    prelude::*,
    reporter::{InMemoryReporter, OwnedSpan},
};

use crate::{
    Result, only,
    sqlx_recipe::{add_order, count_orders},
    taken, tracer,
};

struct Shop {
    runtime: Runtime,
    pool: SqlitePool,
    users: Database,
    spans: InMemoryReporter,
    tracer: tracehound::JaegerTracer,
}

impl Shop {
    /// Opens a database with the table `users`, in which are Ada and Alan.
    fn open(recording: Recording) -> Result<Self> {
        let (tracer, spans) = tracer(recording)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let pool = runtime.block_on(async {
            // One connection: each has a memory of its own.
            let options = SqlitePoolOptions::new().max_connections(1);
            let options = options.acquire_timeout(Duration::from_millis(200));
            let pool = options.connect("sqlite::memory:").await?;
            pool.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
                .await?;
            pool.execute("INSERT INTO users VALUES (1, 'Ada'), (2, 'Alan')")
                .await?;
            Ok::<_, sqlx::Error>(pool)
        })?;
        let users = Database::new(tracer.clone(), "sqlite");
        Ok(Self {
            runtime,
            pool,
            users,
            spans,
            tracer,
        })
    }

    fn span(&self) -> OwnedSpan {
        only(&self.spans)
    }
}

#[test]
fn each_way_to_run_a_statement_is_one_span() -> Result {
    let shop = Shop::open(Recording::statements())?;
    let Shop { pool, users, .. } = &shop;
    let select = "SELECT name FROM users WHERE id < ? -- canary";
    let returned = |expected: &str| {
        let span = shop.span();
        assert_eq!(span.operation_name, "SELECT");
        assert_eq!(
            span.tag_text("db.statement"),
            "SELECT name FROM users WHERE id < ?"
        );
        assert_eq!(span.tag_text("db.rows_returned"), expected);
        assert!(
            span.tag("error").is_none() && span.logs.is_empty(),
            "{span:?}"
        );
    };
    shop.runtime.block_on(async {
        let query = || sqlx::query_scalar::<_, String>(select);
        let names = query().bind(9).fetch_all(users.executor(pool)).await?;
        assert_eq!(names, ["Ada", "Alan"]);
        returned("2");
        assert_eq!(
            query().bind(2).fetch_one(users.executor(pool)).await?,
            "Ada"
        );
        returned("1");
        let none = query().bind(0).fetch_optional(users.executor(pool)).await?;
        assert_eq!(none, None);
        returned("0");
        let none = query().bind(0).fetch_one(users.executor(pool)).await;
        assert!(matches!(none, Err(sqlx::Error::RowNotFound)));
        returned("0");
        let names: Vec<_> = query()
            .bind(9)
            .fetch(users.executor(pool))
            .try_collect()
            .await?;
        assert_eq!(names.len(), 2);
        returned("2");
        let done = sqlx::query("UPDATE users SET name = 'canary' WHERE id = ?").bind(2);
        assert_eq!(done.execute(users.executor(pool)).await?.rows_affected(), 1);
        let span = shop.span();
        assert_eq!(
            span.tag_text("db.statement"),
            "UPDATE users SET name = ? WHERE id = ?"
        );
        let text = AssertSqlSafe(format!("SELECT {}; SELECT 'canary'", 1));
        let steps: Vec<_> = users.executor(pool).fetch_many(text).try_collect().await?;
        assert_eq!(steps.len(), 4);
        assert_eq!(shop.span().tag_text("db.statement"), "SELECT ?; SELECT ?");
        let prepared = users
            .executor(pool)
            .prepare(sqlx::SqlStr::from_static(select))
            .await?;
        drop(prepared);
        assert_eq!(shop.span().operation_name, "PREPARE");
        Ok::<_, sqlx::Error>(())
    })?;
    Ok(())
}

#[test]
fn a_transaction_is_a_row_of_spans_under_one_parent() -> Result {
    let shop = Shop::open(Recording::metadata())?;
    let Shop { pool, users, .. } = &shop;
    let page = shop.tracer.start_span("page");
    let id = page.context().span_id();
    shop.runtime.block_on(
        async {
            let mut work = users.operation("BEGIN").run(pool.begin()).await?;
            sqlx::query("DELETE FROM users WHERE id = 1")
                .execute(users.executor(&mut *work))
                .await?;
            users.operation("ROLLBACK").run(work.rollback()).await?;
            let mut connection = users.acquire().run(pool.acquire()).await?;
            let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM users");
            let count = count.fetch_one(users.executor(&mut *connection)).await?;
            assert_eq!(count, 2, "the transaction was undone");
            Ok::<_, sqlx::Error>(())
        }
        .in_span(page),
    )?;
    let parents: Vec<_> = shop
        .spans
        .spans()
        .iter()
        .map(|span| span.parent_id)
        .collect();
    assert_eq!(parents, [id, id, id, id, id, None]);
    let (names, _) = taken(&shop.spans);
    let expected = [
        "BEGIN",
        "DELETE",
        "ROLLBACK",
        "AcquireConnection",
        "SELECT",
        "page",
    ];
    assert_eq!(names, expected);
    Ok(())
}

#[test]
fn an_error_marks_the_span_and_shows_no_data() -> Result {
    let shop = Shop::open(Recording::metadata())?;
    let Shop { pool, users, .. } = &shop;
    for (statement, code) in [
        ("INSERT INTO users VALUES (3, 'Ada')", "2067"),
        ("SELECT canary FROM \"canary\"", "1"),
        ("INSERT INTO users VALUES (1, json('canary'))", "1"),
    ] {
        let run = users.executor(pool).execute(statement);
        let error = shop.runtime.block_on(run).expect_err("refused");
        assert!(error.as_database_error().is_some(), "{error}");
        let span = shop.span();
        assert_eq!(span.tag_text("error"), "true");
        assert_eq!(span.tag_text("db.error_code"), code, "{span:?}");
        let seen = format!("{span:?}");
        assert!(
            !seen.contains("Ada") && !seen.contains("'canary'"),
            "{seen}"
        );
    }
    Ok(())
}

#[test]
fn a_stream_that_is_dropped_and_a_future_that_is_dropped_end_their_spans() -> Result {
    let shop = Shop::open(Recording::metadata())?;
    let Shop { pool, users, .. } = &shop;
    shop.runtime.block_on(async {
        let mut rows = users.executor(pool).fetch("SELECT name FROM users");
        assert!(rows.next().await.is_some());
        drop(rows);
        let span = shop.span();
        assert_eq!(span.tag_text("db.rows_returned"), "1");
        assert!(
            format!("{:?}", span.logs).contains("rows_dropped"),
            "{span:?}"
        );

        // The only connection is taken.
        let _taken = pool.acquire().await.expect("a connection");
        let waiting = users.executor(pool).execute("SELECT 1");
        let soon = Duration::from_millis(10);
        tokio::time::timeout(soon, waiting)
            .await
            .expect_err("no connection");
        let span = shop.span();
        assert!(format!("{:?}", span.logs).contains("cancelled"), "{span:?}");
        let waiting = users.acquire().run(pool.acquire()).await;
        assert!(matches!(waiting, Err(sqlx::Error::PoolTimedOut)));
        let span = shop.span();
        assert_eq!(span.operation_name, "AcquireConnection");
        assert!(format!("{:?}", span.logs).contains("timeout"), "{span:?}");
    });
    Ok(())
}

/// Waits until the only connection is back: sqlx puts it back in a task of its own.
async fn idle(pool: &SqlitePool) {
    let back = async {
        // Between two users of a connection the number may be below zero, and then is a large one.
        while pool.num_idle() != 1 {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), back).await;
    waited.expect("the connection comes back");
}

/// Returns the name and the events of each span since the last call, in the order of their ends. Each is the parent of
/// the one that has ended before it.
fn ends(shop: &Shop) -> Vec<String> {
    let spans = shop.spans.take();
    for pair in spans.windows(2) {
        assert_eq!(pair[0].parent_id, Some(pair[1].span_id), "{spans:?}");
    }
    let texts = spans.iter().map(|span| {
        let fields = span.logs.iter().flat_map(|log| &log.fields);
        let told = fields.filter(|field| ["event", "error.kind"].contains(&&*field.key));
        let told = told.map(|field| format!(" {}", field.value));
        format!("{}{}", span.operation_name, told.collect::<String>())
    });
    texts.collect()
}

#[test]
fn a_statement_on_a_pool_tells_that_it_waits_for_a_connection_and_ends_in_each_way() -> Result {
    let shop = Shop::open(Recording::metadata())?;
    let Shop { pool, users, .. } = &shop;
    shop.runtime.block_on(async {
        let select = || users.pool(pool).fetch_all("SELECT name FROM users");
        idle(pool).await;
        assert_eq!(select().await?.len(), 2);
        assert_eq!(ends(&shop), ["SELECT"], "a connection was idle");

        let taken = pool.acquire().await?;
        let (rows, ()) = tokio::join!(select(), async { drop(taken) });
        assert_eq!(rows?.len(), 2);
        assert_eq!(ends(&shop), ["AcquireConnection", "SELECT"]);

        let taken = pool.acquire().await?;
        let late = select().await;
        assert!(matches!(late, Err(sqlx::Error::PoolTimedOut)));
        let late = ["AcquireConnection error timeout", "SELECT error timeout"];
        assert_eq!(ends(&shop), late);

        assert!(select().now_or_never().is_none());
        let cancelled = ["AcquireConnection cancelled", "SELECT cancelled"];
        assert_eq!(ends(&shop), cancelled);
        drop(select());
        assert_eq!(ends(&shop), ["SELECT cancelled"]);
        let mut rows = users.pool(pool).fetch("SELECT name FROM users");
        assert!(rows.next().now_or_never().is_none());
        drop(rows);
        let dropped = ["AcquireConnection cancelled", "SELECT rows_dropped"];
        assert_eq!(ends(&shop), dropped);
        drop(taken);

        idle(pool).await;
        let mut rows = users.pool(pool).fetch("SELECT name FROM users");
        assert!(rows.try_next().await?.is_some());
        assert_eq!(pool.num_idle(), 0, "the stream has the connection");
        drop(rows);
        assert_eq!(ends(&shop), ["SELECT rows_dropped"]);
        idle(pool).await;
        let rows = users.pool(pool).fetch("SELECT name FROM users");
        assert_eq!(rows.try_collect::<Vec<_>>().await?.len(), 2);
        idle(pool).await;
        let one = users.pool(pool).fetch_optional("SELECT 1 WHERE 0").await?;
        assert!(one.is_none());
        idle(pool).await;
        users.pool(pool).execute("DELETE FROM users").await?;
        idle(pool).await;
        let prepared = users.pool(pool).prepare("SELECT 1".into_sql_str());
        prepared.await?;
        let names: Vec<_> = shop.spans.take();
        let names: Vec<_> = names.iter().map(|span| &*span.operation_name).collect();
        assert_eq!(names, ["SELECT", "SELECT", "DELETE", "PREPARE"]);

        idle(pool).await;
        let refused = users.pool(pool).execute("SELECT canary FROM nowhere").await;
        refused.expect_err("no such table");
        let [refused] = &ends(&shop)[..] else {
            unreachable!("one span");
        };
        assert!(refused.starts_with("SELECT error "), "{refused}");

        idle(pool).await;
        pool.close().await;
        let closed = select().await;
        assert!(matches!(closed, Err(sqlx::Error::PoolClosed)));
        let [closed] = &ends(&shop)[..] else {
            unreachable!("one span: nothing was waited for");
        };
        assert!(closed.starts_with("SELECT error "), "{closed}");

        // Nothing is connected yet.
        let options = SqlitePoolOptions::new().max_connections(1);
        let fresh = options.clone().connect_lazy("sqlite::memory:")?;
        users.pool(&fresh).execute("SELECT 1").await?;
        assert_eq!(ends(&shop), ["AcquireConnection", "SELECT"]);

        let options = options.after_connect(|_, _| resume_unwind(Box::new("planned")));
        let broken = options.connect_lazy("sqlite::memory:")?;
        let panics = AssertUnwindSafe(users.pool(&broken).execute("SELECT 1"));
        assert!(panics.catch_unwind().await.is_err());
        assert_eq!(ends(&shop), ["AcquireConnection panic", "SELECT panic"]);
        assert!(active_span().is_noop());
        Ok(())
    })
}

#[test]
fn a_transaction_on_a_pool_tells_that_it_waits_for_a_connection_and_ends_in_each_way() -> Result {
    let shop = Shop::open(Recording::metadata())?;
    let Shop { pool, users, .. } = &shop;
    shop.runtime.block_on(async {
        idle(pool).await;
        let mut transaction = users.pool(pool).begin().await?;
        assert_eq!(ends(&shop), ["BEGIN"], "a connection was idle");
        transaction.execute("DELETE FROM users").await?;
        transaction.rollback().await?;

        idle(pool).await;
        let transaction = users.pool(pool).begin_with("BEGIN IMMEDIATE").await?;
        assert_eq!(ends(&shop), ["BEGIN"]);
        let (waited, ended) = tokio::join!(users.pool(pool).begin(), transaction.commit());
        ended?;
        assert_eq!(ends(&shop), ["AcquireConnection", "BEGIN"]);
        let (next, ended) = tokio::join!(
            users.pool(pool).begin_with("BEGIN EXCLUSIVE"),
            waited?.commit()
        );
        ended?;
        assert_eq!(ends(&shop), ["AcquireConnection", "BEGIN"]);

        let late = users.pool(pool).begin().await;
        assert!(matches!(late, Err(sqlx::Error::PoolTimedOut)));
        let late = ["AcquireConnection error timeout", "BEGIN error timeout"];
        assert_eq!(ends(&shop), late);
        assert!(users.pool(pool).begin().now_or_never().is_none());
        let cancelled = ["AcquireConnection cancelled", "BEGIN cancelled"];
        assert_eq!(ends(&shop), cancelled);
        drop(users.pool(pool).begin());
        assert!(ends(&shop).is_empty(), "nothing was asked for");
        next?.commit().await?;

        // A connection, without a transaction.
        idle(pool).await;
        let taken = users.pool(pool).acquire().await?;
        assert!(ends(&shop).is_empty(), "a connection was idle");
        let (other, ()) = tokio::join!(users.pool(pool).acquire(), async { drop(taken) });
        drop(other?);
        assert_eq!(ends(&shop), ["AcquireConnection"]);

        idle(pool).await;
        let refused = users.pool(pool).begin_with("BEGIN canary").await;
        refused.expect_err("no such statement");
        let [refused] = &ends(&shop)[..] else {
            unreachable!("one span");
        };
        assert!(refused.starts_with("BEGIN error "), "{refused}");
        let options = SqlitePoolOptions::new().max_connections(1);
        let options = options.after_connect(|_, _| resume_unwind(Box::new("planned")));
        let broken = options.connect_lazy("sqlite::memory:")?;
        let panics = AssertUnwindSafe(users.pool(&broken).begin());
        assert!(panics.catch_unwind().await.is_err());
        assert_eq!(ends(&shop), ["AcquireConnection panic", "BEGIN panic"]);
        assert!(active_span().is_noop());

        let taken = pool.acquire().await?;
        let closes = async { drop(pool.close()) };
        let (closed, ()) = tokio::join!(users.pool(pool).begin(), closes);
        assert!(matches!(closed, Err(sqlx::Error::PoolClosed)));
        let [waited, closed] = &ends(&shop)[..] else {
            unreachable!("it has waited");
        };
        assert!(waited.starts_with("AcquireConnection error "), "{waited}");
        assert!(closed.starts_with("BEGIN error "), "{closed}");
        drop(taken);

        pool.close().await;
        let closed = users.pool(pool).begin().await;
        assert!(matches!(closed, Err(sqlx::Error::PoolClosed)));
        let [closed] = &ends(&shop)[..] else {
            unreachable!("one span: nothing was waited for");
        };
        assert!(closed.starts_with("BEGIN error "), "{closed}");
        Ok(())
    })
}

#[test]
fn the_recipe_has_a_span_for_each_statement_and_for_the_ends_of_its_transaction() -> Result {
    let shop = Shop::open(Recording::metadata())?;
    let Shop { pool, users, .. } = &shop;
    shop.runtime.block_on(async {
        pool.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, tea TEXT)")
            .await?;
        pool.execute("CREATE TABLE stock (tea TEXT, boxes INTEGER)")
            .await?;
        pool.execute("INSERT INTO stock VALUES ('green', 7)")
            .await?;
        idle(pool).await;
        let day = shop.tracer.start_span("day");
        let selling = async {
            let id = add_order(users, pool, "green").await?;
            Ok::<_, sqlx::Error>((id, count_orders(users, pool).await?))
        };
        assert_eq!(selling.in_span(day.downgrade()).await?, (1, 1));
        day.finish();
        // A connection may come back a moment after the transaction.
        let tree = shop.spans.tree().replace("\n    AcquireConnection", "");
        let expected = "day\n  BEGIN\n  INSERT\n  UPDATE\n  COMMIT\n  SELECT";
        assert_eq!(tree, expected);
        let boxes: i64 = sqlx::query_scalar("SELECT boxes FROM stock")
            .fetch_one(pool)
            .await?;
        assert_eq!(boxes, 6);
        Ok(())
    })
}
