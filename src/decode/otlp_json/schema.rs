//! The messages of OTLP, as their JSON names their fields.

/// A field of a message: its name in JSON, its number, and its type.
pub(super) type Field = (&'static str, u32, Type);

#[derive(Clone, Copy)]
pub(super) enum Type {
    Text,
    /// Bytes in hex digits.
    Id,
    /// Bytes in base64.
    Bytes,
    Bool,
    /// A whole number of `ANY_VALUE`, which becomes its text beyond 64 bits with a sign.
    Int,
    /// A number, or its name without this prefix.
    Enum(&'static str, &'static [&'static str]),
    Fixed64,
    Fixed32,
    Double,
    Message(&'static [Field]),
    List(&'static [Field]),
}

pub(super) static REQUEST: [Field; 1] = [("resourceSpans", 1, Type::List(&RESOURCE_SPANS))];
static RESOURCE_SPANS: [Field; 3] = [
    ("resource", 1, Type::Message(&RESOURCE)),
    ("scopeSpans", 2, Type::List(&SCOPE_SPANS)),
    ("instrumentationLibrarySpans", 2, Type::List(&SCOPE_SPANS)),
];
static RESOURCE: [Field; 1] = [("attributes", 1, Type::List(&KEY_VALUE))];
static SCOPE_SPANS: [Field; 3] = [
    ("scope", 1, Type::Message(&SCOPE)),
    ("instrumentationLibrary", 1, Type::Message(&SCOPE)),
    ("spans", 2, Type::List(&SPAN)),
];
static SCOPE: [Field; 2] = [("name", 1, Type::Text), ("version", 2, Type::Text)];
static SPAN: [Field; 13] = [
    ("traceId", 1, Type::Id),
    ("spanId", 2, Type::Id),
    ("traceState", 3, Type::Text),
    ("parentSpanId", 4, Type::Id),
    ("name", 5, Type::Text),
    ("kind", 6, Type::Enum("SPAN_KIND_", &KINDS)),
    ("startTimeUnixNano", 7, Type::Fixed64),
    ("endTimeUnixNano", 8, Type::Fixed64),
    ("attributes", 9, Type::List(&KEY_VALUE)),
    ("events", 11, Type::List(&EVENT)),
    ("links", 13, Type::List(&LINK)),
    ("status", 15, Type::Message(&STATUS)),
    ("flags", 16, Type::Fixed32),
];
static EVENT: [Field; 3] = [
    ("timeUnixNano", 1, Type::Fixed64),
    ("name", 2, Type::Text),
    ("attributes", 3, Type::List(&KEY_VALUE)),
];
static LINK: [Field; 3] = [
    ("traceId", 1, Type::Id),
    ("spanId", 2, Type::Id),
    ("attributes", 4, Type::List(&KEY_VALUE)),
];
static STATUS: [Field; 2] = [
    ("message", 2, Type::Text),
    ("code", 3, Type::Enum("STATUS_CODE_", &CODES)),
];
static KEY_VALUE: [Field; 2] = [
    ("key", 1, Type::Text),
    ("value", 2, Type::Message(&ANY_VALUE)),
];
static ANY_VALUE: [Field; 7] = [
    ("stringValue", STRING_VALUE, Type::Text),
    ("boolValue", 2, Type::Bool),
    ("intValue", 3, Type::Int),
    ("doubleValue", 4, Type::Double),
    ("arrayValue", 5, Type::Message(&ARRAY)),
    ("kvlistValue", 6, Type::Message(&KEY_VALUE_LIST)),
    ("bytesValue", 7, Type::Bytes),
];
pub(super) const STRING_VALUE: u32 = 1;
static ARRAY: [Field; 1] = [("values", 1, Type::List(&ANY_VALUE))];
static KEY_VALUE_LIST: [Field; 1] = [("values", 1, Type::List(&KEY_VALUE))];
const KINDS: [&str; 6] = [
    "UNSPECIFIED",
    "INTERNAL",
    "SERVER",
    "CLIENT",
    "PRODUCER",
    "CONSUMER",
];
const CODES: [&str; 3] = ["UNSET", "OK", "ERROR"];
