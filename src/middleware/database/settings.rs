use std::borrow::Cow;
use std::sync::Arc;

use crate::bounded_text::beginning;
use crate::middleware::address::host_and_port;
use crate::middleware::database::repeats::Repeats;
use crate::middleware::known_names::KnownNames;
#[cfg(feature = "redis")]
use crate::middleware::topic_names::TopicNames;
use crate::model::{Recording, otel_tags, tags};
use crate::redact;
use crate::redact::sql::{self, Dialect};
use crate::span::Span;
use crate::tracer::Tracer;

/// The settings of a database, which its calls share.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(super) tracer: Arc<dyn Tracer>,
    pub(super) system: Cow<'static, str>,
    pub(super) component: Option<Cow<'static, str>>,
    pub(super) instance: Option<Cow<'static, str>>,
    pub(super) user: Option<Cow<'static, str>>,
    pub(super) peer_address: Option<Cow<'static, str>>,
    pub(super) peer_service: Option<Cow<'static, str>>,
    pub(super) statements: Option<bool>,
    pub(super) only_in_traces: bool,
    pub(super) repeats: Option<Arc<Repeats>>,
    /// The summaries that became names.
    pub(super) summaries: Arc<KnownNames>,
    /// The channels that became names.
    #[cfg(feature = "redis")]
    pub(super) channels: TopicNames,
}

/// The part of a statement that a span shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Nothing,
    /// The statement without its literals.
    Shape,
    Everything,
}

impl Settings {
    pub(super) fn new(tracer: impl Tracer + 'static, system: Cow<'static, str>) -> Self {
        Self {
            tracer: Arc::new(tracer),
            system,
            component: None,
            instance: None,
            user: None,
            peer_address: None,
            peer_service: None,
            statements: None,
            only_in_traces: false,
            repeats: None,
            summaries: Arc::default(),
            #[cfg(feature = "redis")]
            channels: TopicNames::default(),
        }
    }

    /// Returns the tags that all spans of the database have.
    fn tags(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let Self {
            system,
            component,
            instance,
            user,
            peer_address,
            peer_service,
            ..
        } = self;
        let own = [
            (tags::COMPONENT, Some(component.as_ref().unwrap_or(system))),
            (tags::DB_TYPE, Some(system)),
            (tags::DB_INSTANCE, instance.as_ref()),
            (tags::DB_USER, user.as_ref()),
            (tags::PEER_ADDRESS, peer_address.as_ref()),
            (tags::PEER_SERVICE, peer_service.as_ref()),
        ];
        let set = own.into_iter();
        set.filter_map(|(key, value)| Some((key, &**value?)))
    }

    /// Sets the tags that all spans of the database have.
    pub(super) fn describe(&self, span: &Span) {
        let names = span.tag_names();
        for (key, value) in self.tags() {
            if names.has_opentracing() || !RENAMED.contains(&key) {
                span.set_tag(key, value);
            }
        }
        if names.has_opentelemetry() {
            self.describe_by_otel(span);
        }
    }

    /// Sets the tags that OpenTelemetry has in the place of others.
    #[cold]
    fn describe_by_otel(&self, span: &Span) {
        span.set_tag(otel_tags::DB_SYSTEM_NAME, self.otel_system())
            .set_tag(otel_tags::DB_NAMESPACE, self.instance.as_deref());
        if let Some(address) = &self.peer_address {
            let (host, port) = host_and_port(address);
            span.set_tag(otel_tags::SERVER_ADDRESS, host)
                .set_tag(otel_tags::SERVER_PORT, port);
        }
    }

    /// Returns OpenTelemetry's name of the kind of database.
    pub(super) fn otel_system(&self) -> &str {
        match &*self.system {
            "postgres" => "postgresql",
            "mssql" | "sqlserver" => "microsoft.sql_server",
            "oracle" => "oracle.db",
            "sql" => "other_sql",
            other => other,
        }
    }

    /// Returns how much of a statement a span shows.
    pub(crate) fn shown(&self, recording: Recording) -> Shown {
        match self.statements {
            Some(false) => Shown::Nothing,
            _ if recording.is_everything() => Shown::Everything,
            Some(true) => Shown::Shape,
            None if recording.includes_statements() => Shown::Shape,
            None => Shown::Nothing,
        }
    }

    /// Returns a statement without its literals.
    pub(super) fn shape(&self, statement: &str, max_bytes: usize) -> String {
        sql::scrubbed(statement, self.dialect(), max_bytes)
    }

    /// Returns the quoting of the server.
    pub(super) fn dialect(&self) -> Dialect {
        match &*self.system {
            "postgresql" | "postgres" => Dialect::Postgres,
            _ => Dialect::Any,
        }
    }

    /// Returns the text of a statement that a span shows, if any.
    pub(super) fn shown_statement(&self, span: &Span, statement: &str) -> Option<Cow<'_, str>> {
        match self.shown(span.recorded_data()) {
            Shown::Nothing => None,
            Shown::Everything if !sql::holds_secret(statement) => {
                Some(shown_data(statement).into_owned().into())
            }
            Shown::Shape | Shown::Everything => {
                Some(self.shape(statement, span.tag_value_bytes()).into())
            }
        }
    }
}

/// The tags of OpenTracing in whose place OpenTelemetry has others.
const RENAMED: [&str; 3] = [tags::DB_TYPE, tags::DB_INSTANCE, tags::PEER_ADDRESS];

/// Returns what may be shown of data: a bounded start without secrets.
pub(crate) fn shown_data(data: &str) -> Cow<'_, str> {
    // A cut may take the part by which a secret is known, so it is far behind what a tag holds.
    redact::data::data(beginning(data, MAX_DATA))
}

/// The number of bytes of data that are read.
pub(super) const MAX_DATA: usize = 64 * 1_024;
