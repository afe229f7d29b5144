//! Thrift by UDP and by HTTP.

use super::{Change, Difference};
use crate::{Value, rules};

pub(super) const NO_BYTES: Difference = Difference {
    name: "no bytes as null",
    reason: "Go writes an empty list of bytes as `null`, where `\"\"` would be no bytes in base64",
    change: Change::ReadBack(|sent| {
        let fields = sent.logs.iter().flat_map(|log| &log.fields);
        let mut values = sent.tags.iter().chain(fields).map(|tag| &tag.value);
        values.any(|value| matches!(value, Value::Binary(bytes) if bytes.is_empty()))
    }),
};

const V1_PARENT: Difference = Difference {
    name: "parent id as reference",
    reason: "the parent id becomes the first CHILD_OF reference, unless a reference to that span is \
             there",
    change: Change::Expect(rules::v1_parent),
};

const V1_NO_NAME: Difference = Difference {
    name: "service without a name",
    reason: "the collector's sanitizer puts `empty-service-name`",
    change: Change::Expect(|_, span| rules::name_service(span, "empty-service-name")),
};

const V1_NOT_UTF8: Difference = Difference {
    name: "text that is not UTF-8",
    reason: "kept, but JSON has U+FFFD in place of each wrong byte",
    change: Change::Expect(|_, span| rules::replace_wrong_bytes(span)),
};

pub(super) const V1_MINUS_ZERO: Difference = Difference {
    name: "minus zero",
    reason: "the store copies spans in a format that leaves out doubles equal to zero",
    change: Change::Expect(|_, span| rules::v1_drop_sign_of_zero(span)),
};

/// Through v1's agent.
pub(super) const V1_AGENT: &[Difference] = &[
    NO_BYTES,
    V1_PARENT,
    V1_NO_NAME,
    V1_NOT_UTF8,
    V1_MINUS_ZERO,
    Difference {
        name: "format tag",
        reason: "the collector appends how the span came to it: by gRPC from the agent, as \
                 `proto`",
        change: Change::Expect(|_, span| rules::v1_append_format(span, "proto")),
    },
];

/// To v1's collector.
pub(super) const V1_HTTP: &[Difference] = &[
    NO_BYTES,
    V1_PARENT,
    V1_NO_NAME,
    V1_NOT_UTF8,
    V1_MINUS_ZERO,
    Difference {
        name: "format tag",
        reason: "the collector appends how the span came to it",
        change: Change::Expect(|_, span| rules::v1_append_format(span, "jaeger")),
    },
];

pub(super) const V2_FLAGS: Difference = Difference {
    name: "flags",
    reason: "OpenTelemetry's model, as the receiver fills it, has no place for them",
    change: Change::Expect(|_, span| span.flags = 0),
};

pub(super) const V2_ORDER: Difference = Difference {
    name: "order of tags and fields",
    reason: "attributes are a map",
    change: Change::Overlook(rules::sort_tags),
};

pub(super) const V2_DUPLICATES: Difference = Difference {
    name: "keys more than once",
    reason: "attributes are a map: the last value stays",
    change: Change::Expect(|_, span| rules::keep_last_values(span)),
};

pub(super) const V2_RENAMED: Difference = Difference {
    name: "process tags renamed",
    reason: "`hostname` to `host.name`, `jaeger.version` to `opencensus.exporterversion`, \
             to fit OpenTelemetry's conventions",
    change: Change::Expect(|_, span| rules::v2_rename_process_tags(span)),
};

pub(super) const V2_KIND: Difference = Difference {
    name: "span.kind that is none",
    reason: "the kind is a field of its own, with five values",
    change: Change::Expect(|_, span| rules::v2_span_kind(span)),
};

pub(super) const V2_STATUS: Difference = Difference {
    name: "status",
    reason: "`error`, `otel.status_code` and `http.status_code` make a status, shown as \
             `otel.status_code`, `otel.status_description` and `error`",
    change: Change::Expect(|_, span| rules::v2_status(span)),
};

pub(super) const V2_EVENTS: Difference = Difference {
    name: "event that is no text",
    reason: "the field `event` is the event's name, which is text and not empty",
    change: Change::Expect(|_, span| rules::v2_event_names(span)),
};

/// At v2's receivers for Thrift, which share a translation.
pub(super) const V2: &[Difference] = &[
    NO_BYTES,
    V2_FLAGS,
    Difference {
        name: "parent and links",
        reason: "the parent, or else the first reference within the trace, becomes the parent \
                 id and is shown first; the other references become links with their type",
        change: Change::Expect(rules::v2_references),
    },
    V2_DUPLICATES,
    Difference {
        name: "service.name tag",
        reason: "the service's name is an attribute of that key, which the tag overwrites",
        change: Change::Expect(|_, span| rules::v2_service_name(span)),
    },
    Difference {
        name: "service without a name",
        reason: "the exporter's sanitizer puts `missing-service-name`",
        change: Change::Expect(|_, span| rules::name_service(span, "missing-service-name")),
    },
    V2_RENAMED,
    V2_KIND,
    V2_STATUS,
    V2_EVENTS,
    Difference {
        name: "text that is not UTF-8",
        reason: "the exporter's sanitizer makes tags binary; in logs JSON has U+FFFD in place \
                 of each wrong byte",
        change: Change::Expect(|_, span| {
            rules::v2_make_binary(span);
            rules::replace_wrong_bytes(span);
        }),
    },
    Difference {
        name: "tag of warnings",
        reason: "the attribute `@jaeger@warnings` is where a span's warnings are kept, so a tag of \
                 that key is shown as a warning, its value as text",
        change: Change::Expect(|_, span| rules::v2_tag_as_warning(span)),
    },
    Difference {
        name: "end not after start",
        reason: "the exporter's sanitizer ends the span a nanosecond after its start and warns",
        change: Change::Expect(|_, span| rules::v2_duration(span)),
    },
    Difference {
        name: "text of a warning",
        reason: "it names times in a form of its own",
        change: Change::Overlook(rules::v2_shorten_warnings),
    },
    V2_ORDER,
];
