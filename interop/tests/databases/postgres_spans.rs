//! Statements that sqlx runs on a PostgreSQL.

use std::time::Duration;

use futures_util::StreamExt;
use sqlx::{
    Connection, Executor, PgConnection, PgPool, Row,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::runtime::{Builder, Runtime};
use tracehound::{
    JaegerTracer,
    middleware::Database,
    model::{Recording, TagNames},
    prelude::*,
    reporter::{InMemoryReporter, OwnedSpan},
};

use crate::{Result, only, postgres_server::PostgresServer, taken, tracer, tracer_with};

/// Creates the table `users` with Ada and Alan.
pub(crate) const TABLE: &str = "CREATE TABLE users (id INT PRIMARY KEY, name TEXT UNIQUE); \
                                INSERT INTO users VALUES (1, 'Ada'), (2, 'Alan')";

pub(crate) fn runtime() -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    Ok(builder.worker_threads(1).enable_all().build()?)
}

/// Names the database of a server.
pub(crate) fn database(tracer: &JaegerTracer, component: &'static str) -> Database {
    Database::new(tracer.clone(), "postgresql")
        .component(component)
        .instance("postgres")
        .user("app")
}

struct Shop {
    server: PostgresServer,
    runtime: Runtime,
    pool: PgPool,
    users: Database,
    spans: InMemoryReporter,
    tracer: JaegerTracer,
}

impl Shop {
    fn open((tracer, spans): (JaegerTracer, InMemoryReporter)) -> Result<Option<Self>> {
        let Some(server) = PostgresServer::start()? else {
            return Ok(None);
        };
        let runtime = runtime()?;
        let options = PgConnectOptions::new_without_pgpass()
            .socket(server.folder())
            .username("app")
            .database("postgres");
        let pool = runtime.block_on(async {
            let pool = PgPoolOptions::new()
                .max_connections(1)
                .acquire_timeout(Duration::from_millis(500));
            let pool = pool.connect_with(options).await?;
            pool.execute(TABLE).await?;
            Ok::<_, sqlx::Error>(pool)
        })?;
        let users = database(&tracer, "sqlx");
        Ok(Some(Self {
            server,
            runtime,
            pool,
            users,
            spans,
            tracer,
        }))
    }

    fn span(&self) -> OwnedSpan {
        only(&self.spans)
    }
}

#[test]
fn statements_of_sqlx_on_postgresql_have_spans() -> Result {
    let Some(mut shop) = Shop::open(tracer(Recording::statements())?)? else {
        return Ok(());
    };
    let Shop { pool, users, .. } = &shop;
    shop.runtime.block_on(async {
        let query = sqlx::query("SELECT \"name\" FROM users WHERE id < $1").bind(9);
        let rows = query.fetch_all(users.executor(pool)).await?;
        assert_eq!(rows[0].get::<&str, _>(0), "Ada");
        let span = shop.span();
        assert_eq!(span.operation_name, "SELECT");
        for (key, value) in [
            ("db.statement", "SELECT \"name\" FROM users WHERE id < ?"),
            ("db.rows_returned", "2"),
            ("db.instance", "postgres"),
            ("error", ""),
        ] {
            assert_eq!(span.tag_text(key), value, "{key}");
        }

        // The server quotes the value in its detail, and a function may quote it in its message.
        let twice = sqlx::query("INSERT INTO users VALUES (3, 'canary'), (4, 'canary')");
        twice
            .execute(users.executor(pool))
            .await
            .expect_err("refused");
        check_refused(&shop.span(), "23505");
        let raised =
            "DO $$ BEGIN RAISE EXCEPTION 'no \"canary\" here' USING ERRCODE = 'SHOP1'; END $$";
        let raised = users.executor(pool).execute(raised).await;
        raised.expect_err("refused");
        check_refused(&shop.span(), "SHOP1");
        // A stream that fails has the code, too.
        let mut rows = users.executor(pool).fetch("SELECT 1 / (id - 2) FROM users");
        while let Some(row) = rows.next().await {
            drop(row);
        }
        drop(rows);
        check_refused(&shop.span(), "22012");
        Ok::<_, sqlx::Error>(())
    })?;

    let page = shop.tracer.start_span("page");
    shop.runtime.block_on(
        async {
            let mut work = users.operation("BEGIN").run(pool.begin()).await?;
            let delete = users.executor(&mut *work).execute("DELETE FROM users");
            assert_eq!(delete.await?.rows_affected(), 2);
            users.operation("ROLLBACK").run(work.rollback()).await?;
            let mut connection = users.acquire().run(pool.acquire()).await?;
            let count = users
                .executor(&mut *connection)
                .fetch_one("SELECT count(*) FROM users");
            assert_eq!(
                count.await?.get::<i64, _>(0),
                2,
                "the transaction was undone"
            );

            // The only connection is taken.
            let waiting = users.acquire().run(pool.acquire()).await;
            assert!(matches!(waiting, Err(sqlx::Error::PoolTimedOut)));
            Ok::<_, sqlx::Error>(())
        }
        .in_span(page.downgrade()),
    )?;
    page.finish();
    let (names, seen) = taken(&shop.spans);
    let expected = [
        "BEGIN",
        "DELETE",
        "ROLLBACK",
        "AcquireConnection",
        "SELECT",
        "AcquireConnection",
        "page",
    ];
    assert_eq!(names, expected);
    assert!(
        seen.contains("error.kind") && seen.contains("timeout"),
        "{seen}"
    );

    shop.runtime.block_on(async {
        let mut rows = users.executor(pool).fetch("SELECT generate_series(1, 100)");
        assert!(rows.next().await.is_some());
        drop(rows);
        let span = shop.span();
        assert_eq!(span.tag_text("db.rows_returned"), "1");
        assert!(
            format!("{:?}", span.logs).contains("rows_dropped"),
            "{span:?}"
        );

        let sleeping = users.executor(pool).execute("SELECT pg_sleep(600)");
        let soon = Duration::from_millis(100);
        tokio::time::timeout(soon, sleeping)
            .await
            .expect_err("asleep");
        let span = shop.span();
        assert!(format!("{:?}", span.logs).contains("cancelled"), "{span:?}");
    });
    let users = shop.users.clone();
    let options = shop.pool.connect_options();
    let sleeping = shop.runtime.spawn(async move {
        let mut connection = PgConnection::connect_with(&options).await?;
        let sleep = users.executor(&mut connection);
        sleep.execute(SLEEP).await.map(drop)
    });
    shop.runtime.block_on(asleep(&shop.server))?;
    shop.server.end();
    let ended = shop.runtime.block_on(sleeping)?;
    ended.expect_err("the server is gone");
    let span = shop.span();
    assert_eq!(span.tag_text("error"), "true", "{span:?}");
    Ok(())
}

/// A statement that ends with the server.
pub(crate) const SLEEP: &str = "SELECT pg_sleep(599)";

/// Waits until a connection runs [`SLEEP`].
pub(crate) async fn asleep(server: &PostgresServer) -> Result {
    let mut config = tokio_postgres::Config::new();
    config
        .host_path(server.folder())
        .user("app")
        .dbname("postgres");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    let connection = tokio::spawn(connection);
    let sleeping =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query = $1";
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while client
        .query_one(sleeping, &[&SLEEP])
        .await?
        .get::<_, i64>(0)
        == 0
    {
        assert!(std::time::Instant::now() < deadline, "nobody sleeps");
    }
    drop(client);
    connection.await??;
    Ok(())
}

/// Checks the span of a statement that the server refused.
pub(crate) fn check_refused(span: &OwnedSpan, code: &str) {
    assert_eq!(span.tag_text("error"), "true", "{span:?}");
    assert_eq!(span.tag_text("db.error_code"), code, "{span:?}");
    let seen = format!("{span:?}");
    assert!(!seen.contains("canary"), "{seen}");
}

#[test]
fn a_loop_of_statements_is_found_on_postgresql() -> Result {
    let Some(shop) = Shop::open(tracer(Recording::metadata())?)? else {
        return Ok(());
    };
    let users = shop.users.clone().repeats(3);
    let page = shop.tracer.start_active_span("page");
    for id in 1..=4 {
        let query = sqlx::query("SELECT name FROM users WHERE id = $1").bind(id);
        let found = shop
            .runtime
            .block_on(query.fetch_optional(users.executor(&shop.pool)))?;
        assert_eq!(found.is_some(), id < 3);
    }
    page.finish();
    let spans = shop.spans.spans();
    assert_eq!(spans[4].tag_text("db.repeated"), "true");
    Ok(())
}

#[test]
fn statements_have_the_names_of_opentelemetry_if_that_is_set() -> Result {
    let opened = Shop::open(tracer_with(Recording::metadata(), TagNames::OpenTelemetry)?)?;
    let Some(shop) = opened else {
        return Ok(());
    };
    let Shop { pool, users, .. } = &shop;
    let twice = "INSERT INTO users SELECT id + 5, name FROM users";
    let twice = users.executor(pool).execute(twice);
    shop.runtime.block_on(twice).expect_err("refused");
    let span = shop.span();
    assert_eq!(span.operation_name, "INSERT users SELECT users");
    for (key, value) in [
        ("db.system.name", "postgresql"),
        ("db.namespace", "postgres"),
        ("db.query.summary", "INSERT users SELECT users"),
        ("db.response.status_code", "23505"),
        ("error.type", "23505"),
        ("db.error_code", ""),
        ("db.type", ""),
    ] {
        assert_eq!(span.tag_text(key), value, "{key}");
    }
    Ok(())
}
