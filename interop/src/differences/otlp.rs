//! OTLP by HTTP and by gRPC.

use super::{
    Change, Difference,
    thrift::{NO_BYTES, V1_MINUS_ZERO, V2_FLAGS, V2_ORDER},
};
use crate::rules;

const PARENT_AND_LINKS: Difference = Difference {
    name: "parent and links",
    reason: "the parent, or else the first reference within the trace, becomes the parent id and is \
             shown first; the other references become links with their type",
    change: Change::Expect(rules::otlp_references),
};

const PROCESS_TAGS: Difference = Difference {
    name: "process tags renamed",
    reason: "`hostname` to `host.name`, and `jaeger.version` to three attributes, as OpenTelemetry's \
             conventions want",
    change: Change::Expect(|_, span| rules::otlp_process_tags(span)),
};

const STATUS: Difference = Difference {
    name: "kind and status",
    reason: "`span.kind`, and `error` or `otel.status_code`, become fields, shown behind the other \
             tags",
    change: Change::Expect(|_, span| rules::otlp_status(span)),
};

const EVENT_NAMES: Difference = Difference {
    name: "name of an event",
    reason: "the first text of a field `event` is the name, shown first unless it is empty",
    change: Change::Expect(|_, span| rules::otlp_event_names(span)),
};

/// To v1's collector.
pub(super) const V1: &[Difference] = &[
    Difference {
        name: "bytes as text",
        reason: "the translation has bytes in base64",
        change: Change::Expect(|_, span| rules::otlp_bytes(span)),
    },
    V2_FLAGS,
    PARENT_AND_LINKS,
    PROCESS_TAGS,
    STATUS,
    EVENT_NAMES,
    V1_MINUS_ZERO,
    Difference {
        name: "format tag",
        reason: "the collector appends how the span came to it",
        change: Change::Expect(|_, span| rules::v1_append_format(span, "otlp")),
    },
];

/// To v2's receiver.
pub(super) const V2: &[Difference] = &[
    NO_BYTES,
    V2_FLAGS,
    PARENT_AND_LINKS,
    PROCESS_TAGS,
    STATUS,
    EVENT_NAMES,
    V2_ORDER,
];
