//! Statements that tokio-postgres runs on a PostgreSQL, by the recipe of the guide.

use std::{pin::pin, time::Duration};

use futures_util::StreamExt;
use tokio_postgres::{Client, Config, NoTls};
use tracehound::{model::Recording, prelude::*};

use crate::{
    Result, only,
    postgres_server::PostgresServer,
    postgres_spans::{SLEEP, TABLE, asleep, check_refused, database, runtime},
    taken,
    tokio_postgres_recipe::{query, rows},
    tracer,
};

async fn connect(server: &PostgresServer) -> Result<Client> {
    let mut config = Config::new();
    config
        .host_path(server.folder())
        .user("app")
        .dbname("postgres");
    let (client, connection) = config.connect(NoTls).await?;
    // It ends with the client, or with the server.
    tokio::spawn(connection);
    Ok(client)
}

#[test]
fn statements_of_tokio_postgres_have_spans() -> Result {
    let Some(mut server) = PostgresServer::start()? else {
        return Ok(());
    };
    let (tracer, spans) = tracer(Recording::statements())?;
    let users = database(&tracer, "tokio-postgres");
    let runtime = runtime()?;
    runtime.block_on(async {
        let mut client = connect(&server).await?;
        client.batch_execute(TABLE).await?;
        let found = query(
            &users,
            &client,
            "SELECT name FROM users WHERE id < $1",
            &[&9],
        )
        .await?;
        assert_eq!(found[0].get::<_, &str>(0), "Ada");
        let span = only(&spans);
        assert_eq!(span.operation_name, "SELECT");
        assert_eq!(
            span.tag_text("db.statement"),
            "SELECT name FROM users WHERE id < ?"
        );
        assert_eq!(span.tag_text("db.rows_returned"), "2");

        let insert = "INSERT INTO users VALUES ($1, $2)";
        let refused = query(&users, &client, insert, &[&3, &"Ada"]).await;
        refused.expect_err("there is one");
        check_refused(&only(&spans), "23505");
        let literal = "INSERT INTO users VALUES (3, 'canary'), (4, 'canary')";
        query(&users, &client, literal, &[])
            .await
            .expect_err("the same twice");
        check_refused(&only(&spans), "23505");

        let page = tracer.start_span("page");
        let handle = page.downgrade();
        async {
            let work = users.operation("BEGIN").run(client.transaction()).await?;
            query(&users, &work, "DELETE FROM users", &[]).await?;
            users.operation("ROLLBACK").run(work.rollback()).await?;
            Ok::<_, tokio_postgres::Error>(())
        }
        .in_span(handle)
        .await?;
        page.finish();
        let (names, _) = taken(&spans);
        assert_eq!(names, ["BEGIN", "DELETE", "ROLLBACK", "page"]);

        let half = rows(&users, &client, "SELECT generate_series(1, 100)", &[]).await?;
        let mut half = Box::pin(half);
        assert_eq!(half.next().await.expect("a row")?.get::<_, i32>(0), 1);
        drop(half);
        let span = only(&spans);
        assert_eq!(span.tag_text("db.rows_returned"), "1");
        assert!(
            format!("{:?}", span.logs).contains("rows_dropped"),
            "{span:?}"
        );
        let whole = rows(&users, &client, "SELECT name FROM users", &[]).await?;
        assert_eq!(pin!(whole).count().await, 2);
        assert_eq!(only(&spans).tag_text("db.rows_returned"), "2");

        let soon = Duration::from_millis(100);
        let sleeping = query(&users, &client, "SELECT pg_sleep(600)", &[]);
        tokio::time::timeout(soon, sleeping)
            .await
            .expect_err("asleep");
        let span = only(&spans);
        assert!(format!("{:?}", span.logs).contains("cancelled"), "{span:?}");

        // The first client waits for its statement, which the server still runs.
        let client = connect(&server).await?;
        let mut sleeping = Box::pin(query(&users, &client, SLEEP, &[]));
        tokio::select! {
            result = &mut sleeping => return Err(format!("it ended: {result:?}").into()),
            found = asleep(&server) => found?,
        }
        server.end();
        sleeping.await.expect_err("the server is gone");
        let span = only(&spans);
        assert_eq!(span.tag_text("error"), "true", "{span:?}");
        Ok(())
    })
}
