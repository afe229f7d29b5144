use std::borrow::Cow;
use std::sync::Arc;

use crate::middleware::database::repeats::Repeats;
use crate::model::{Recording, tags};
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
        for (key, value) in self.tags() {
            span.set_tag(key, value);
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
        let dialect = match &*self.system {
            "postgresql" | "postgres" => Dialect::Postgres,
            _ => Dialect::Any,
        };
        sql::scrubbed(statement, dialect, max_bytes)
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

/// Returns what may be shown of data: a bounded start without the secrets of URLs.
pub(crate) fn shown_data(data: &str) -> Cow<'_, str> {
    // A cut may take the part by which a secret is known, so it is far behind what a tag holds.
    let end = data.len().min(MAX_DATA);
    let ends = end.saturating_sub(3)..=end;
    let end = ends.rev().find(|end| data.is_char_boundary(*end));
    redact::text(&data[..end.unwrap_or(0)])
}

/// The number of bytes of data that are read.
pub(super) const MAX_DATA: usize = 64 * 1_024;
