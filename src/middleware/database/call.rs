use std::borrow::Cow;
use std::fmt::{self, Display};
use std::future::Future;
use std::sync::Arc;

use crate::middleware::database::DatabaseSpan;
use crate::middleware::database::otel_call::OtelCall;
use crate::middleware::database::settings::Settings;
use crate::middleware::database::vocabulary;
use crate::model::tags;
use crate::redact::sql;
use crate::scope::{active_context, active_span};
use crate::span::{Span, SpanContext, ToSpanContext};
use crate::tracer::TracerExt;

/// A call to a database that has not started yet, from the methods of [`Database`](crate::middleware::Database).
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
/// let report = tracer.start_span("report");
/// let orders = Database::new(tracer, "postgresql");
/// orders
///     .statement("WITH late AS (SELECT 1) DELETE FROM orders")
///     .name("delete late orders")
///     .child_of(&report) // which is not active here
///     .start()
///     .finish();
/// report.finish();
/// assert_eq!(spans.tree(), "report\n  delete late orders");
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[must_use = "a call that is not started measures nothing"]
pub struct DatabaseCall<'a> {
    settings: &'a Arc<Settings>,
    name: Option<Cow<'static, str>>,
    statement: Option<&'a str>,
    parent: Option<SpanContext>,
}

impl<'a> DatabaseCall<'a> {
    pub(super) fn new(
        settings: &'a Arc<Settings>,
        name: Option<Cow<'static, str>>,
        statement: Option<&'a str>,
    ) -> Self {
        Self {
            settings,
            name,
            statement,
            parent: None,
        }
    }

    /// Sets the name of the span, in place of the statement's first word. It stands for a class of calls, so it should
    /// have no data in it.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Makes the call a child of another span or of a context, and not of the active span.
    pub fn child_of(mut self, parent: &impl ToSpanContext) -> Self {
        let parent = parent.to_span_context();
        if !parent.is_empty() {
            self.parent = Some(parent);
        }
        self
    }

    /// Starts the span. It finishes when what this returns is finished or dropped.
    pub fn start(self) -> DatabaseSpan {
        let tracer = &*self.settings.tracer;
        if tracer.is_noop() || self.is_unwanted() {
            return DatabaseSpan::new(Span::noop(), self.settings.clone());
        }
        let names = tracer.tag_names();
        let otel = names.name_spans().then(|| self.by_otel());
        let name = match &otel {
            Some(call) => call.name(self.settings),
            None => self.name.clone().unwrap_or_else(|| {
                let verb = self.statement.and_then(sql::verb);
                verb.unwrap_or("Query").into()
            }),
        };
        let mut builder = tracer
            .build_span(name)
            .tag(tags::SPAN_KIND, tags::SPAN_KIND_CLIENT);
        if let Some(parent) = &self.parent {
            builder = builder.child_of(parent);
        }
        let span = builder.start();
        if span.is_recording() {
            self.settings.describe(&span);
            let statement = self.statement;
            let shown = statement.and_then(|text| self.settings.shown_statement(&span, text));
            vocabulary::set_statement(&span, shown.as_deref());
            if span.tag_names().has_opentelemetry() {
                otel.unwrap_or_else(|| self.by_otel()).describe(&span);
            }
            self.count(&span, shown.as_deref());
        }
        DatabaseSpan::new(span, self.settings.clone()).of_statement(self.statement)
    }

    /// Runs a future as this call. The span starts when the future is first polled, is active while it runs, and
    /// finishes with it.
    ///
    /// An error marks the span, and so does a drop before the end.
    ///
    /// # Errors
    ///
    /// Returns the error of the future.
    pub async fn run<T, E>(self, future: impl Future<Output = Result<T, E>>) -> Result<T, E>
    where
        E: Display + 'static,
    {
        let span = self.start();
        let result = span.run(future).await;
        span.finish();
        result
    }

    /// Runs blocking code as this call. The span is active while it runs, and finishes with it.
    ///
    /// ```
    /// use tracehound::middleware::Database;
    /// use tracehound::NoopTracer;
    ///
    /// let users = Database::new(NoopTracer, "sqlite");
    /// let rows = users.statement("DELETE FROM users").run_blocking(|| Ok::<_, std::io::Error>(3));
    /// assert_eq!(rows.expect("no error"), 3);
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the error of the code.
    pub fn run_blocking<T, E>(self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E>
    where
        E: Display + 'static,
    {
        let span = self.start();
        let result = span.run_blocking(work);
        span.finish();
        result
    }

    /// Describes the call by the rules of OpenTelemetry.
    #[cold]
    fn by_otel(&self) -> OtelCall {
        OtelCall::new(self.settings, self.name.as_ref(), self.statement)
    }

    fn is_unwanted(&self) -> bool {
        self.settings.only_in_traces && self.parent.is_none() && active_context().is_empty()
    }

    /// Counts the statement under its parent, and marks that if there are too many.
    fn count(&self, span: &Span, shown: Option<&str>) {
        let Some(repeats) = &self.settings.repeats else {
            return;
        };
        let context = span.context();
        let Some(parent) = context.parent_id() else {
            return;
        };
        let shape = match self.statement {
            Some(statement) => self.settings.shape(statement, usize::MAX),
            None => self.name.as_deref().unwrap_or_default().to_owned(),
        };
        if !repeats.exceeds((context.trace_id(), parent), &shape) {
            return;
        }
        let active = active_span();
        let is_parent = self.parent.is_none() && active.context().span_id() == Some(parent);
        let marked = if is_parent { &active } else { span };
        let name = self.name.as_deref();
        let name = name.or_else(|| self.statement.and_then(sql::verb));
        repeats.mark(marked, name, shown);
    }
}

impl fmt::Debug for DatabaseCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseCall")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
