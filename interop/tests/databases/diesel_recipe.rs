use diesel::connection::{Instrumentation, InstrumentationEvent};
use diesel::result::Error;
use tracehound::middleware::{Database, DatabaseSpan};

/// Gives each statement of a connection a span: `connection.set_instrumentation(DieselSpans::new(database))`.
pub(crate) struct DieselSpans {
    database: Database,
    running: Option<DatabaseSpan>,
}

impl DieselSpans {
    pub(crate) fn new(database: Database) -> Self {
        Self {
            database,
            running: None,
        }
    }
}

impl Instrumentation for DieselSpans {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartQuery { query, .. } => {
                // diesel writes the values behind the statement.
                let text = query.to_string();
                let (sql, values) = text.split_once(" -- binds: ").unwrap_or((&text, ""));
                let call = self.database.statement(sql).start();
                call.parameters(|| values); // only in test environments
                self.running = Some(call);
            }
            InstrumentationEvent::FinishQuery { error, .. } => {
                let Some(call) = self.running.take() else {
                    return;
                };
                if let Some(error) = error {
                    call.fail(error);
                }
                if let Some(Error::DatabaseError(kind, _)) = error {
                    call.error_code(&format!("{kind:?}")); // diesel keeps no code of the server
                }
                call.finish();
            }
            // Transactions run statements of their own: `BEGIN`, `COMMIT`, `ROLLBACK`.
            _ => {}
        }
    }
}
