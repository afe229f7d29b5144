//! The few facts that an observed span keeps of its tags, whether it is sampled or not.

use std::sync::atomic::{AtomicU8, AtomicU16, Ordering};

use crate::model::{SpanKind, TagRef, tags};

/// The facts about the outcome of a span in its tags, for observers.
///
/// Each fact is a word of its own, written by plain stores: threads that set one tag at once race for it as they do for
/// the tag. Zero stands for a fact that no tag has told.
#[derive(Debug, Default)]
pub(crate) struct TagFacts {
    kind: AtomicU8,
    error: AtomicU8,
    grpc_status: AtomicU8,
    http_status: AtomicU16,
}

impl TagFacts {
    /// Forgets the facts of the slot's last span.
    #[inline]
    pub(crate) fn clear(&self) {
        self.kind.store(0, Ordering::Relaxed);
        self.error.store(0, Ordering::Relaxed);
        self.grpc_status.store(0, Ordering::Relaxed);
        self.http_status.store(0, Ordering::Relaxed);
    }

    /// Replaces the facts, which are those of the slot's last span, by others.
    #[inline]
    pub(crate) fn set(&self, other: &Self) {
        let copy = |to: &AtomicU8, from: &AtomicU8| {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        };
        copy(&self.kind, &other.kind);
        copy(&self.error, &other.error);
        copy(&self.grpc_status, &other.grpc_status);
        let http_status = other.http_status.load(Ordering::Relaxed);
        self.http_status.store(http_status, Ordering::Relaxed);
    }

    /// Notes what a tag tells, if it is one of the few. A value that has no meaning for its key changes nothing.
    pub(crate) fn note(&self, key: &str, value: TagRef<'_>) {
        match key {
            tags::SPAN_KIND => {
                if let TagRef::String(text) = value
                    && let Some(kind) = SpanKind::of_tag(text)
                {
                    self.kind.store(kind as u8 + 1, Ordering::Relaxed);
                }
            }
            tags::ERROR => {
                if let Some(is_error) = truth(value) {
                    self.note_error(is_error);
                }
            }
            tags::HTTP_STATUS_CODE | HTTP_RESPONSE_STATUS_CODE => {
                if let Some(status) = number(value) {
                    self.http_status.store(status as u16, Ordering::Relaxed);
                }
            }
            RPC_GRPC_STATUS_CODE => {
                if let Some(code) = number(value).and_then(|code| u8::try_from(code).ok()) {
                    let code = code.saturating_add(1);
                    self.grpc_status.store(code, Ordering::Relaxed);
                }
            }
            _ => {}
        }
    }

    /// Notes whether the span has failed.
    pub(crate) fn note_error(&self, is_error: bool) {
        self.error.store(1 + u8::from(is_error), Ordering::Relaxed);
    }

    /// Returns the last kind.
    #[inline]
    pub(crate) fn kind(&self) -> Option<SpanKind> {
        let kind = self.kind.load(Ordering::Relaxed).checked_sub(1)?;
        SpanKind::ALL.get(usize::from(kind)).copied()
    }

    /// Returns whether the last word is that the span has failed.
    #[inline]
    pub(crate) fn is_error(&self) -> bool {
        self.error.load(Ordering::Relaxed) > 1
    }

    /// Returns the last HTTP status.
    #[inline]
    pub(crate) fn http_status(&self) -> Option<u16> {
        let status = self.http_status.load(Ordering::Relaxed);
        (status != 0).then_some(status)
    }

    /// Returns the last gRPC status.
    #[inline]
    pub(crate) fn grpc_status(&self) -> Option<u8> {
        self.grpc_status.load(Ordering::Relaxed).checked_sub(1)
    }
}

/// Returns whether a tag of this key tells a fact.
#[inline]
pub(crate) fn is_fact(key: &str) -> bool {
    matches!(
        key,
        tags::SPAN_KIND
            | tags::ERROR
            | tags::HTTP_STATUS_CODE
            | HTTP_RESPONSE_STATUS_CODE
            | RPC_GRPC_STATUS_CODE
    )
}

/// Reads the tag `error` as the Go client does: a truth value, or a text of Go's `strconv.ParseBool`.
fn truth(value: TagRef<'_>) -> Option<bool> {
    match value {
        TagRef::Bool(value) => Some(value),
        TagRef::String("1" | "t" | "T" | "TRUE" | "true" | "True") => Some(true),
        TagRef::String("0" | "f" | "F" | "FALSE" | "false" | "False") => Some(false),
        _ => None,
    }
}

/// Reads a status as the Go client does: a number, or a text that is one.
fn number(value: TagRef<'_>) -> Option<i64> {
    match value {
        TagRef::Long(value) => Some(value),
        TagRef::Unsigned(value) => i64::try_from(value).ok(),
        TagRef::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// OpenTelemetry's name of the tag `http.status_code`.
const HTTP_RESPONSE_STATUS_CODE: &str = "http.response.status_code";
/// OpenTelemetry's name of the tag that holds a gRPC status.
const RPC_GRPC_STATUS_CODE: &str = "rpc.grpc.status_code";

#[cfg(test)]
mod tests {
    use super::*;

    fn facts_of(tags: &[(&str, TagRef<'_>)]) -> TagFacts {
        let facts = TagFacts::default();
        for (key, value) in tags {
            assert!(is_fact(key), "{key}");
            facts.note(key, *value);
        }
        facts
    }

    #[test]
    fn errors_are_read_as_the_go_client_reads_them() {
        let rows = [
            (TagRef::Bool(true), true),
            (TagRef::Bool(false), false),
            (TagRef::from("true"), true),
            (TagRef::from("T"), true),
            (TagRef::from("1"), true),
            (TagRef::from("False"), false),
            (TagRef::from("0"), false),
            (TagRef::from("yes"), false),
            (TagRef::from("tRUE"), false),
            (TagRef::Long(1), false),
        ];
        for (value, expected) in rows {
            assert_eq!(
                facts_of(&[("error", value)]).is_error(),
                expected,
                "{value:?}"
            );
        }
        let last = [("error", TagRef::Bool(true)), ("error", TagRef::from("f"))];
        assert!(!facts_of(&last).is_error());
    }

    #[test]
    fn a_status_is_a_number_or_its_text() {
        let rows = [
            (TagRef::Long(404), Some(404)),
            (TagRef::Unsigned(503), Some(503)),
            (TagRef::from("+200"), Some(200)),
            (TagRef::from("2xx"), None),
            (TagRef::Long(65_736), Some(200)),
            (TagRef::Double(200.0), None),
        ];
        for (value, expected) in rows {
            for key in ["http.status_code", "http.response.status_code"] {
                assert_eq!(
                    facts_of(&[(key, value)]).http_status(),
                    expected,
                    "{value:?}"
                );
            }
        }
        for (value, expected) in [(TagRef::Long(0), Some(0)), (TagRef::Long(300), None)] {
            let facts = facts_of(&[("rpc.grpc.status_code", value)]);
            assert_eq!(facts.grpc_status(), expected, "{value:?}");
        }
    }

    #[test]
    fn a_kind_stays_until_another_one_is_set() {
        for &kind in SpanKind::ALL {
            let tags = [
                ("span.kind", TagRef::from(kind.name())),
                ("span.kind", TagRef::from("internal")),
                ("span.kind", TagRef::Long(1)),
            ];
            assert_eq!(facts_of(&tags).kind(), Some(kind));
        }
    }
}
