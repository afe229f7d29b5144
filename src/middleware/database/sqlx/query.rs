use std::error::Error;

use sqlx::{Database, Execute, SqlStr};

/// The parts of a query. A query gives its text only when it is taken apart.
pub(super) struct TakenQuery<DB: Database> {
    sql: SqlStr,
    statement: Option<DB::Statement>,
    arguments: Option<Arguments<DB>>,
    is_persistent: bool,
}

type Arguments<DB> = Result<Option<<DB as Database>::Arguments>, Box<dyn Error + Send + Sync>>;

impl<DB: Database> TakenQuery<DB> {
    pub(super) fn new<'q>(mut query: impl Execute<'q, DB>) -> Self {
        // The statement before the arguments, and the text last, as drivers do.
        let statement = query.statement().cloned();
        let arguments = Some(query.take_arguments());
        let is_persistent = query.persistent();
        Self {
            sql: query.sql(),
            statement,
            arguments,
            is_persistent,
        }
    }

    pub(super) fn text(&self) -> &str {
        self.sql.as_str()
    }
}

impl<DB: Database> Execute<'_, DB> for TakenQuery<DB> {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&DB::Statement> {
        self.statement.as_ref()
    }

    fn take_arguments(&mut self) -> Arguments<DB> {
        self.arguments.take().unwrap_or(Ok(None))
    }

    fn persistent(&self) -> bool {
        self.is_persistent
    }
}
