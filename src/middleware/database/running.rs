use std::fmt::{self, Display};
use std::future::Future;
use std::sync::Arc;

#[cfg(feature = "redis")]
use crate::middleware::bounded_debug::bounded_debug;
use crate::middleware::call_error;
#[cfg(feature = "redis")]
use crate::middleware::database::settings::MAX_DATA;
use crate::middleware::database::settings::{Settings, Shown, shown_data};
use crate::middleware::database::vocabulary;
use crate::middleware::running;
use crate::panics::caught;
use crate::redact::sql;
#[cfg(any(feature = "redis", feature = "sqlx"))]
use crate::scope::InSpan;
use crate::span::Span;

/// The span of a call to a database, from [`DatabaseCall::start`](crate::middleware::DatabaseCall::start).
///
/// Start a call like this, and not with `run`, if there is something to say about it: how many rows came, or which
/// parameters it had. Dropping it finishes the span.
///
/// ```
/// use tracehound::middleware::Database;
/// use tracehound::NoopTracer;
///
/// # async fn driver(_: &str, _: &[i64]) -> Result<Vec<u8>, std::io::Error> { Ok(vec![7]) }
/// # async fn example() -> Result<(), std::io::Error> {
/// let orders = Database::new(NoopTracer, "postgresql");
/// let sql = "SELECT id FROM orders WHERE customer = $1";
/// let call = orders.statement(sql).start();
/// call.parameters(|| format!("{:?}", [7])); // only in test environments
/// let rows = call.run(driver(sql, &[7])).await?;
/// call.rows_returned(rows.len());
/// call.finish();
/// # Ok(()) }
/// ```
#[must_use = "a call that is dropped at once measures nothing"]
pub struct DatabaseSpan {
    span: Span,
    settings: Arc<Settings>,
    /// Nothing of the call may be shown, because its statement names a secret.
    is_secret: bool,
}

impl DatabaseSpan {
    pub(super) fn new(span: Span, settings: Arc<Settings>) -> Self {
        Self {
            span,
            settings,
            is_secret: false,
        }
    }

    /// Hides parameters and results if the statement names a secret.
    pub(super) fn of_statement(mut self, statement: Option<&str>) -> Self {
        let shows_everything = self.shows_everything();
        self.is_secret = shows_everything && statement.is_some_and(sql::holds_secret);
        self
    }

    /// Hides parameters and results if the call holds a secret. It is asked only if they would be shown.
    #[cfg(feature = "redis")]
    pub(super) fn of_secret(mut self, is_secret: impl FnOnce() -> bool) -> Self {
        self.is_secret = self.shows_everything() && is_secret();
        self
    }

    /// Shows the shape of a statement that is not SQL, or all of it, of which a number of bytes is enough.
    #[cfg(feature = "redis")]
    pub(super) fn show_statement(
        &self,
        shape: impl FnOnce() -> String,
        all: impl FnOnce(usize) -> String,
    ) {
        let statement = match self.settings.shown(self.span.recorded_data()) {
            Shown::Nothing => return,
            Shown::Everything if !self.is_secret => {
                shown_data(&all(self.span.tag_value_bytes())).into_owned()
            }
            Shown::Shape | Shown::Everything => shape(),
        };
        vocabulary::set_statement(&self.span, Some(&statement));
    }

    /// Like `result`, for a result that may be long.
    #[cfg(feature = "redis")]
    pub(super) fn debug_result(&self, result: &impl fmt::Debug) {
        self.result(|| bounded_debug(result, MAX_DATA));
    }

    /// Returns the span, for tags and logs of your own.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Records the parameters of the statement as the tag `db.parameters`, if the tracer records
    /// [everything](crate::model::Recording::everything). Otherwise `parameters` is not called.
    ///
    /// A statement that names a password, a token or the like keeps its parameters to itself at any level.
    pub fn parameters<T: Display>(&self, parameters: impl FnOnce() -> T) -> &Self {
        self.record_data("db.parameters", parameters);
        self
    }

    /// Records the result as the tag `db.result`, if the tracer records
    /// [everything](crate::model::Recording::everything). Otherwise `result` is not called.
    ///
    /// The result of a statement that names a password, a token or the like is not recorded at any level.
    pub fn result<T: Display>(&self, result: impl FnOnce() -> T) -> &Self {
        self.record_data("db.result", result);
        self
    }

    /// Records how many rows came back, as the tag `db.rows_returned`.
    pub fn rows_returned(&self, rows: usize) -> &Self {
        self.span.set_tag("db.rows_returned", rows);
        self
    }

    /// Records how many rows the statement changed, as the tag `db.rows_affected`.
    pub fn rows_affected(&self, rows: u64) -> &Self {
        self.span.set_tag("db.rows_affected", rows);
        self
    }

    /// Marks the span as failed: `error=true`, and a log record with the error's text and kind.
    ///
    /// Of the text only the first line is recorded, without the values that it quotes. At
    /// [`Recording::everything`](crate::model::Recording::everything) the whole text is.
    pub fn fail<E: Display + 'static>(&self, error: &E) -> &Self {
        call_error::record(&self.span, error, self.shows_everything());
        vocabulary::set_error(&self.span, error);
        self
    }

    /// Records the code with which the database refused the call, as the tag `db.error_code`: a SQLSTATE such as
    /// `23505`. Drivers keep it in types of their own, so it is not known by itself but for `redis` and `sqlx`.
    ///
    /// A code that is longer than 32 characters, or that has others than letters, digits and `_-.`, is left out.
    ///
    /// ```
    /// use tracehound::middleware::Database;
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// let users = Database::new(tracer, "postgresql");
    /// let call = users.statement("INSERT INTO users VALUES ($1)").start();
    /// call.fail(&"duplicate key").error_code("23505").error_code("not a code");
    /// call.finish();
    /// assert_eq!(spans.spans()[0].tag_text("db.error_code"), "23505");
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn error_code(&self, code: &str) -> &Self {
        vocabulary::set_error_code(&self.span, code);
        self
    }

    /// Runs a part of the call, or all of it, with the span active. Does not finish the span.
    ///
    /// An error marks the span, and so does a drop of the future before its end.
    ///
    /// # Errors
    ///
    /// Returns the error of the future.
    pub fn run<'s, T, E, F>(
        &'s self,
        future: F,
    ) -> impl Future<Output = Result<T, E>> + use<'s, T, E, F>
    where
        F: Future<Output = Result<T, E>>,
        E: Display + 'static,
    {
        running::run(&self.span, future, |error| {
            self.fail(error);
        })
    }

    /// Like `run`, but takes the span along, which it hands to `end` with the result. Only an error for which
    /// `is_failure` is true marks the span.
    ///
    /// A drop before the end marks it, also before the first poll.
    #[cfg(any(feature = "redis", feature = "sqlx"))]
    pub(super) fn run_to_end<T, E, F>(
        self,
        future: F,
        is_failure: fn(&E) -> bool,
        end: impl FnOnce(Self, &Result<T, E>),
    ) -> impl Future<Output = Result<T, E>>
    where
        F: Future<Output = Result<T, E>>,
        E: Display + 'static,
    {
        // Dropped in this order: the future marks the span while that is open.
        let both = (future.in_span(self.span.downgrade()), self);
        async move {
            let (work, call) = both;
            let result = work.await;
            if let Err(error) = &result
                && is_failure(error)
            {
                call.fail(error);
            }
            end(call, &result);
            result
        }
    }

    /// Runs blocking code with the span active. Does not finish the span. An error marks it.
    ///
    /// # Errors
    ///
    /// Returns the error of the code.
    ///
    /// ```
    /// use tracehound::middleware::Database;
    /// use tracehound::model::Recording;
    /// use tracehound::prelude::*;
    /// use tracehound::diagnostics::Diagnostics;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .recording(Recording::everything()) // in a test environment
    ///     .diagnostics(Diagnostics::silent())
    ///     .build()?;
    /// let users = Database::new(tracer, "sqlite");
    /// let call = users.statement("UPDATE users SET seen = 1 RETURNING name").start();
    /// let names = call.run_blocking(|| Ok::<_, std::io::Error>(["Ada", "Alan"]))?;
    /// call.result(|| format!("{names:?}")).rows_affected(2);
    /// call.span().set_tag("replica", false);
    /// call.finish();
    /// assert_eq!(spans.spans()[0].tag_text("db.rows_affected"), "2");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run_blocking<T, E>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E>
    where
        E: Display + 'static,
    {
        running::run_blocking(&self.span, work, |error| {
            self.fail(error);
        })
    }

    /// Finishes the span.
    pub fn finish(self) {
        self.span.finish();
    }

    fn shows_everything(&self) -> bool {
        !self.is_secret && self.settings.shown(self.span.recorded_data()) == Shown::Everything
    }

    fn record_data<T: Display>(&self, key: &str, data: impl FnOnce() -> T) {
        if !self.shows_everything() {
            return;
        }
        // `data` is user code.
        let text = caught(|| data().to_string());
        let shown = text.as_deref().map(shown_data);
        self.span.set_tag(key, shown.as_deref());
    }
}

impl fmt::Debug for DatabaseSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DatabaseSpan").field(&self.span).finish()
    }
}
