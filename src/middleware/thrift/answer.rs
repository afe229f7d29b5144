use thrift::protocol::{TFieldIdentifier, TMessageType};

use crate::middleware::thrift::error::{application_kind, record};
use crate::span::Span;

/// The answer to a call, as it passes by: whether it says that the call failed.
///
/// An exception that the service declares is the one field of the result that is not field 0. Any other failure is a
/// message of its own, with a text and a kind.
#[derive(Debug, Default)]
pub(super) struct Answer {
    kind: Option<TMessageType>,
    /// The number of structs that are open.
    depth: usize,
    /// The last field of the outermost struct.
    field: Option<i16>,
    failure: Option<Failure>,
}

#[derive(Debug)]
enum Failure {
    /// The name of the exception, if it is known.
    Declared(Option<String>),
    Application {
        text: Option<String>,
        kind: i32,
    },
}

impl Answer {
    pub(super) fn begin(&mut self, kind: TMessageType) {
        *self = Self {
            kind: Some(kind),
            failure: (kind == TMessageType::Exception).then_some(Failure::Application {
                text: None,
                kind: 0,
            }),
            ..Self::default()
        };
    }

    pub(super) fn begin_struct(&mut self, name: Option<&str>) {
        self.depth = self.depth.saturating_add(1);
        if self.depth == 2
            && let Some(Failure::Declared(declared @ None)) = &mut self.failure
        {
            *declared = name.map(str::to_owned);
        }
    }

    pub(super) fn end_struct(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    pub(super) fn begin_field(&mut self, field: &TFieldIdentifier) {
        if self.depth != 1 {
            return;
        }
        self.field = field.id;
        let is_exception = field.id.is_some_and(|id| id != 0);
        if self.kind == Some(TMessageType::Reply) && is_exception && self.failure.is_none() {
            self.failure = Some(Failure::Declared(None));
        }
    }

    /// Takes a string. It is looked at only in the message of a failure.
    pub(super) fn string(&mut self, value: &str) {
        if let Some(Failure::Application { text, .. }) = &mut self.failure
            && (self.depth, self.field) == (1, Some(1))
            && value.len() <= MAX_TEXT
        {
            *text = Some(value.to_owned());
        }
    }

    /// Takes an integer, as `string` takes a text.
    pub(super) fn integer(&mut self, value: i32) {
        if let Some(Failure::Application { kind, .. }) = &mut self.failure
            && (self.depth, self.field) == (1, Some(2))
        {
            *kind = value;
        }
    }

    /// Whether the server says that it has no such method.
    pub(super) fn is_unknown_method(&self) -> bool {
        matches!(self.failure, Some(Failure::Application { kind: 1, .. }))
    }

    /// Records how the call ended.
    pub(super) fn record(&self, span: &Span) {
        if let Some(kind) = self.kind {
            span.set_tag("message.type", u8::from(kind));
        }
        match &self.failure {
            Some(Failure::Declared(name)) => {
                record(span, name.as_deref().unwrap_or("exception"), None);
            }
            Some(Failure::Application { text, kind }) => {
                record(span, application_kind(*kind), text.as_deref());
            }
            None => {}
        }
    }
}

/// The longest text of a failure that is kept.
///
/// A longer one is left out: cut in the middle of a secret, it could no longer be told what to hide.
const MAX_TEXT: usize = 16 * 1_024;
