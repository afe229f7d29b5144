//! Statements that diesel runs on a PostgreSQL, by the recipe of the guide.

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, connection::SimpleConnection,
    result::Error, sql_query, sql_types,
};
use tracehound::model::Recording;

use crate::{
    Result,
    diesel_recipe::DieselSpans,
    only,
    postgres_server::PostgresServer,
    postgres_spans::{TABLE, check_refused, database},
    taken, tracer,
};

#[derive(QueryableByName)]
struct User {
    #[diesel(sql_type = sql_types::Text)]
    name: String,
}

#[test]
fn statements_of_diesel_have_spans() -> Result {
    let Some(mut server) = PostgresServer::start()? else {
        return Ok(());
    };
    let (tracer, spans) = tracer(Recording::statements())?;
    let url = format!(
        "host={} user=app dbname=postgres",
        server.folder().display()
    );
    let mut connection = PgConnection::establish(&url)?;
    connection.batch_execute(TABLE)?;
    connection.set_instrumentation(DieselSpans::new(database(&tracer, "diesel")));

    let select = "SELECT name FROM users WHERE id < $1";
    let query = sql_query(select).bind::<sql_types::Integer, _>(9);
    let found: Vec<User> = query.load(&mut connection)?;
    assert_eq!(found[0].name, "Ada");
    let span = only(&spans);
    assert_eq!(span.operation_name, "SELECT");
    assert_eq!(
        span.tag_text("db.statement"),
        "SELECT name FROM users WHERE id < ?"
    );
    assert!(span.tag("db.parameters").is_none() && span.tag("error").is_none());

    let insert = sql_query("INSERT INTO users VALUES (3, $1), (4, $1)");
    let refused = insert
        .bind::<sql_types::Text, _>("canary")
        .execute(&mut connection);
    refused.expect_err("the same twice");
    check_refused(&only(&spans), "UniqueViolation");

    let undone: std::result::Result<(), Error> = connection.transaction(|connection| {
        sql_query("DELETE FROM users").execute(connection)?;
        Err(Error::RollbackTransaction)
    });
    assert_eq!(undone, Err(Error::RollbackTransaction));
    assert_eq!(taken(&spans).0, ["BEGIN", "DELETE", "ROLLBACK"]);

    server.end();
    let gone = sql_query("SELECT 1").execute(&mut connection);
    gone.expect_err("the server is gone");
    let span = only(&spans);
    assert_eq!(span.tag_text("error"), "true", "{span:?}");
    Ok(())
}
