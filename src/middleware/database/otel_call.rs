use std::borrow::Cow;

use crate::middleware::database::settings::Settings;
use crate::model::otel_tags;
use crate::redact::sql;
use crate::span::Span;

/// The name and the tags of a call by the rules of OpenTelemetry.
#[derive(Debug)]
pub(super) struct OtelCall {
    summary: Option<String>,
    operation: Option<Cow<'static, str>>,
}

impl OtelCall {
    /// Describes a call that has a statement, a name, or both.
    #[cold]
    pub(super) fn new(
        settings: &Settings,
        name: Option<&Cow<'static, str>>,
        statement: Option<&str>,
    ) -> Self {
        let Some(statement) = statement else {
            return Self {
                summary: None,
                operation: name.cloned(),
            };
        };
        let summary = match name {
            Some(name) => Some(name.clone().into_owned()),
            None => sql::summary(statement, settings.dialect()),
        };
        // Statements that are made up of names of tables without end become one by one word.
        let summary = summary.filter(|summary| settings.summaries.learn(summary, MAX_SUMMARIES));
        Self {
            summary: summary.or_else(|| sql::verb(statement).map(str::to_owned)),
            operation: None,
        }
    }

    /// Returns the name of the span: the summary of the statement, or else operation and target.
    pub(super) fn name(&self, settings: &Settings) -> Cow<'static, str> {
        if let Some(summary) = &self.summary {
            return summary.clone().into();
        }
        let target = settings
            .instance
            .as_ref()
            .or(settings.peer_address.as_ref());
        match (&self.operation, target) {
            (Some(operation), Some(target)) => [operation, " ", target].concat().into(),
            (Some(operation), None) => operation.clone(),
            (None, Some(target)) => target.clone(),
            (None, None) => settings.otel_system().to_owned().into(),
        }
    }

    /// Sets the tags of the call.
    #[cold]
    pub(super) fn describe(&self, span: &Span) {
        span.set_tag(otel_tags::DB_QUERY_SUMMARY, self.summary.as_deref())
            .set_tag(otel_tags::DB_OPERATION_NAME, self.operation.as_deref());
    }
}

/// The number of summaries of a database that become names.
const MAX_SUMMARIES: usize = 1_000;
