use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{Mismatch, SentBatch, SentSpan, StoredSpan, Value, Version, compare, rules};

/// A known difference between what was sent and what a backend shows.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// The difference in a few words.
    pub name: &'static str,
    /// The origin of the difference.
    pub reason: &'static str,
    change: Change,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    /// A change of the expected spans.
    Expect(fn(&SentSpan, &mut StoredSpan)),
    /// A change of both sides, which makes alike what the backend does not keep apart.
    Overlook(fn(&mut StoredSpan)),
    /// A change of the JSON text alone: this crate reads such spans as they were sent.
    ReadBack(fn(&SentSpan) -> bool),
}

/// The spans that a backend should show for a batch.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The spans, one for each that was sent, in the order sent.
    pub spans: Vec<StoredSpan>,
    /// The names of the [`Difference`]s that applied, including those of the text of the answer.
    pub differences: BTreeSet<&'static str>,
}

impl Version {
    /// Returns the table of expected differences, in the order in which they apply.
    ///
    /// Everything else is expected to be read as it was sent.
    pub const fn differences(self) -> &'static [Difference] {
        match self {
            Self::V1 => V1,
            Self::V2 => V2,
        }
    }

    /// Returns what this version should show of `batch` in a raw read, according to the table.
    pub fn expected(self, batch: &SentBatch) -> Expected {
        let mut expected = Expected::default();
        for sent in &batch.spans {
            let mut span = as_sent(batch, sent);
            for difference in self.differences() {
                let before = span.clone();
                let mut is_met = false;
                match difference.change {
                    Change::Expect(change) => change(sent, &mut span),
                    Change::Overlook(change) => change(&mut span),
                    Change::ReadBack(meets) => is_met = meets(sent),
                }
                if is_met || span != before {
                    expected.differences.insert(difference.name);
                }
            }
            expected.spans.push(span);
        }
        expected
    }

    /// Makes alike what the table says is not kept, and returns the names of the entries that applied.
    pub fn normalise(self, read: &mut StoredSpan) -> BTreeSet<&'static str> {
        let mut used = BTreeSet::new();
        for difference in self.differences() {
            if let Change::Overlook(change) = difference.change {
                let before = read.clone();
                change(read);
                if *read != before {
                    used.insert(difference.name);
                }
            }
        }
        used
    }

    /// Compares what was read with [`expected`](Self::expected) spans, as
    /// [`compare`](crate::compare()) does, after [normalising](Self::normalise) it.
    ///
    /// ```no_run
    /// use tracehound_interop::{Backend, Error, SentBatch, SentSpan, Tag};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let jaeger = Backend::v2()?;
    /// let sent = SentBatch {
    ///     service: "shop".into(),
    ///     process_tags: vec![Tag::new("hostname", "here")],
    ///     spans: vec![SentSpan {
    ///         trace_id: 1,
    ///         span_id: 2,
    ///         operation: "checkout".into(),
    ///         tags: vec![Tag::new("items", 3)],
    ///         ..SentSpan::default()
    ///     }],
    /// };
    /// // Send it, then:
    /// let read = jaeger.trace(1, 1)?;
    /// let expected = jaeger.version().expected(&sent);
    /// assert_eq!(jaeger.version().compare(&expected.spans, &read.spans), []);
    /// # Ok(())
    /// # }
    /// ```
    pub fn compare(self, expected: &[StoredSpan], read: &[StoredSpan]) -> Vec<Mismatch> {
        let mut read = read.to_vec();
        for span in &mut read {
            self.normalise(span);
        }
        compare(expected, &read)
    }
}

fn as_sent(batch: &SentBatch, span: &SentSpan) -> StoredSpan {
    StoredSpan {
        trace_id: span.trace_id,
        span_id: span.span_id,
        references: span.references.clone(),
        operation: span.operation.clone(),
        flags: span.flags,
        start_us: span.start_us,
        duration_us: span.duration_us,
        tags: span.tags.clone(),
        logs: span.logs.clone(),
        service: batch.service.clone(),
        process_tags: batch.process_tags.clone(),
        warnings: Vec::new(),
    }
}

const NO_BYTES: Difference = Difference {
    name: "no bytes as null",
    reason: "Go writes an empty list of bytes as `null`, where `\"\"` would be no bytes in base64",
    change: Change::ReadBack(|sent| {
        let fields = sent.logs.iter().flat_map(|log| &log.fields);
        let mut values = sent.tags.iter().chain(fields).map(|tag| &tag.value);
        values.any(|value| matches!(value, Value::Binary(bytes) if bytes.is_empty()))
    }),
};

const V1: &[Difference] = &[
    NO_BYTES,
    Difference {
        name: "parent id as reference",
        reason: "the parent id becomes the first CHILD_OF reference, unless a reference to that \
                 span is there",
        change: Change::Expect(rules::v1_parent),
    },
    Difference {
        name: "service without a name",
        reason: "the collector's sanitizer puts `empty-service-name`",
        change: Change::Expect(|_, span| rules::name_service(span, "empty-service-name")),
    },
    Difference {
        name: "text that is not UTF-8",
        reason: "kept, but JSON has U+FFFD in place of each wrong byte",
        change: Change::Expect(|_, span| rules::replace_wrong_bytes(span)),
    },
    Difference {
        name: "minus zero",
        reason: "the agent passes spans on in a format that leaves out doubles equal to zero",
        change: Change::Expect(|_, span| rules::v1_drop_sign_of_zero(span)),
    },
    Difference {
        name: "format tag",
        reason: "the collector appends how the span came to it: by gRPC from the agent, as \
                 `proto`",
        change: Change::Expect(|_, span| rules::v1_append_format(span)),
    },
];

const V2: &[Difference] = &[
    NO_BYTES,
    Difference {
        name: "flags",
        reason: "OpenTelemetry's model, as the receiver fills it, has no place for them",
        change: Change::Expect(|_, span| span.flags = 0),
    },
    Difference {
        name: "parent and links",
        reason: "the parent, or else the first reference within the trace, becomes the parent \
                 id and is shown first; the other references become links with their type",
        change: Change::Expect(rules::v2_references),
    },
    Difference {
        name: "keys more than once",
        reason: "attributes are a map: the last value stays",
        change: Change::Expect(|_, span| rules::keep_last_values(span)),
    },
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
    Difference {
        name: "process tags renamed",
        reason: "`hostname` to `host.name`, `jaeger.version` to `opencensus.exporterversion`, \
                 to fit OpenTelemetry's conventions",
        change: Change::Expect(|_, span| rules::v2_rename_process_tags(span)),
    },
    Difference {
        name: "span.kind that is none",
        reason: "the kind is a field of its own, with five values",
        change: Change::Expect(|_, span| rules::v2_span_kind(span)),
    },
    Difference {
        name: "status",
        reason: "`error`, `otel.status_code` and `http.status_code` make a status, shown as \
                 `otel.status_code`, `otel.status_description` and `error`",
        change: Change::Expect(|_, span| rules::v2_status(span)),
    },
    Difference {
        name: "event that is no text",
        reason: "the field `event` is the event's name, which is text and not empty",
        change: Change::Expect(|_, span| rules::v2_event_names(span)),
    },
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
        change: Change::Expect(|_, span| tag_as_warning(span)),
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
    Difference {
        name: "order of tags and fields",
        reason: "attributes are a map",
        change: Change::Overlook(rules::sort_tags),
    },
];

fn tag_as_warning(span: &mut StoredSpan) {
    let is_warning = |key: &str| key == "@jaeger@warnings";
    for tag in span.tags.extract_if(.., |tag| is_warning(&tag.key)) {
        span.warnings.push(match tag.value {
            Value::String(text) => text,
            Value::NotUtf8(bytes) | Value::Binary(bytes) => STANDARD.encode(bytes),
            Value::Bool(value) => value.to_string(),
            Value::Long(value) => value.to_string(),
            Value::Double(value) => value.to_string(),
        });
    }
}
