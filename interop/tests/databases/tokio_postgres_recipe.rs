use tokio_postgres::{Error, GenericClient, Row, RowStream, types::ToSql};
use tracehound::middleware::{Database, DatabaseSpan, TracedRows};

/// Runs a statement, on a client or in a transaction, and returns all rows.
pub(crate) async fn query<C: GenericClient>(
    database: &Database,
    client: &C,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Error> {
    let call = database.statement(sql).start();
    call.parameters(|| format!("{parameters:?}")); // only in test environments
    let result = call.run(client.query(sql, parameters)).await;
    match &result {
        Ok(rows) => {
            call.rows_returned(rows.len());
        }
        Err(error) => tell_code(&call, error),
    }
    call.finish();
    result
}

/// Runs a statement and returns its rows one by one. The span ends with the stream.
pub(crate) async fn rows<C: GenericClient>(
    database: &Database,
    client: &C,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<TracedRows<RowStream>, Error> {
    let call = database.statement(sql).start();
    let parameters = parameters.iter().copied();
    let started = call.run(client.query_raw(sql, parameters)).await;
    match started {
        Ok(rows) => Ok(call.rows(rows)),
        Err(error) => {
            tell_code(&call, &error);
            Err(error)
        }
    }
}

/// Records the code with which the server refused a statement, such as `23505`.
fn tell_code(call: &DatabaseSpan, error: &Error) {
    if let Some(state) = error.code() {
        call.error_code(state.code());
    }
}
