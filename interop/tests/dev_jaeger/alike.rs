//! The comparison of one trace as three receivers show it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use tracehound_interop::{Reference, StoredSpan, Tag, Trace, Version, Way};

use crate::{Result, shown::Shown};

/// A field in which the Jaegers differ, and the one that the embedded agent follows. `None`: it differs from both.
struct Choice {
    ways: &'static [Way],
    /// The field as [`fields`] names it; a `*` at the end stands for any rest.
    field: &'static str,
    follows: Option<Version>,
    reason: &'static str,
}

const JAEGER: &[Way] = &[Way::Agent, Way::Thrift, Way::Grpc];
const OTLP: &[Way] = &[Way::OtlpHttp, Way::OtlpGrpc];
const ZIPKIN: &[Way] = &[Way::Zipkin];

/// Every field in which the two Jaegers differ, or the embedded agent from both.
const CHOICES: &[Choice] = &[
    Choice {
        ways: JAEGER,
        field: "*",
        follows: Some(Version::V1),
        reason: "v1 stores Jaeger's model as it came, and v2 translates it into OpenTelemetry's",
    },
    Choice {
        ways: JAEGER,
        field: "tag minus zero",
        follows: Some(Version::V2),
        reason: "v1's store leaves out doubles equal to zero, with their sign",
    },
    Choice {
        ways: OTLP,
        field: "flags",
        follows: None,
        reason: "the agent shows that a span was sampled; a Jaeger has no place for it",
    },
    Choice {
        ways: ZIPKIN,
        field: "flags",
        follows: None,
        reason: "the agent shows that a span was sampled, or for debugging; a Jaeger has no place for it",
    },
    Choice {
        ways: ZIPKIN,
        field: "v1 flags",
        follows: None,
        reason: "the agent shows that a span was sampled, or for debugging; a Jaeger has no place for it",
    },
    Choice {
        ways: ZIPKIN,
        field: "v1 tag ca",
        follows: None,
        reason: "a Jaeger shows that an address was there, and the agent the address",
    },
    Choice {
        ways: ZIPKIN,
        field: "v1 tag ma",
        follows: None,
        reason: "a Jaeger shows that an address was there, and the agent the address",
    },
    Choice {
        ways: ZIPKIN,
        field: "v1 tag sa",
        follows: None,
        reason: "a Jaeger shows that an address was there, and the agent the address",
    },
    Choice {
        ways: ZIPKIN,
        field: "v1 tag net.peer.*",
        follows: None,
        reason: "a Jaeger loses the address of the other side, which version 2 keeps",
    },
    Choice {
        ways: ZIPKIN,
        field: "v1 tag peer.service",
        follows: None,
        reason: "a Jaeger loses the address of the other side, which version 2 keeps",
    },
    Choice {
        ways: ZIPKIN,
        field: "v1 tag error",
        follows: None,
        reason: "a Jaeger loses the text of an error, which version 2 keeps",
    },
    Choice {
        ways: OTLP,
        field: "service",
        follows: Some(Version::V2),
        reason: "the name for a service without one differs",
    },
    Choice {
        ways: ZIPKIN,
        field: "service",
        follows: Some(Version::V2),
        reason: "the name for a service without one differs",
    },
    Choice {
        ways: OTLP,
        field: "tag *",
        follows: Some(Version::V2),
        reason: "v1 has bytes as text, and the former names of the tags for the scope",
    },
    Choice {
        ways: ZIPKIN,
        field: "tag otel.*",
        follows: Some(Version::V2),
        reason: "v1 has the former names of the tags for the scope",
    },
    Choice {
        ways: OTLP,
        field: "process tag *",
        follows: Some(Version::V2),
        reason: "v1 has bytes as text",
    },
    Choice {
        ways: OTLP,
        field: "log *",
        follows: Some(Version::V2),
        reason: "v1 has bytes as text",
    },
    Choice {
        ways: OTLP,
        field: "tag map",
        follows: None,
        reason: "the same JSON, in which Go also escapes `<`, `&` and `>`",
    },
    Choice {
        ways: OTLP,
        field: "log 1 field map",
        follows: None,
        reason: "the same JSON, in which Go also escapes `<`, `&` and `>`",
    },
    Choice {
        ways: ZIPKIN,
        field: "log *",
        follows: None,
        reason: "the agent reads the JSON of fields in an annotation, and keeps what follows a bar",
    },
];

/// Collects what is not alike, and which entries of the table were met.
#[derive(Default)]
pub(crate) struct Comparison {
    /// The first problem of each field, by the way on which it was met.
    problems: BTreeMap<(Way, String), String>,
    met: BTreeSet<(Way, &'static str)>,
}

impl Comparison {
    /// Compares a trace that came by `way`; `name` says which.
    pub(crate) fn add(&mut self, way: Way, name: &str, shown: &Shown) {
        self.add_form(way, "", name, shown);
    }

    /// Compares a trace that came in a form whose fields have names of their own, which begin with `form`.
    pub(crate) fn add_form(&mut self, way: Way, form: &str, name: &str, shown: &Shown) {
        let [dev, v1, v2] = [&shown.dev, &shown.v1, &shown.v2].map(spans);
        let ids: BTreeSet<_> = dev.keys().chain(v1.keys()).chain(v2.keys()).collect();
        for id in ids {
            let (Some(dev), Some(v1), Some(v2)) = (dev.get(id), v1.get(id), v2.get(id)) else {
                let problem = format!("{way}, {name}: not all show span {id:?}");
                self.problems.insert((way, format!("{id:?}")), problem);
                continue;
            };
            let keys: BTreeSet<_> = dev.keys().chain(v1.keys()).chain(v2.keys()).collect();
            for key in keys {
                let all = [dev.get(key), v1.get(key), v2.get(key)];
                self.compare(way, name, &format!("{form}{key}"), all);
            }
        }
    }

    fn compare(&mut self, way: Way, name: &str, field: &str, [dev, v1, v2]: [Option<&String>; 3]) {
        if dev == v1 && v1 == v2 {
            return;
        }
        let mut choices = CHOICES.iter().filter(|choice| choice.is_about(way, field));
        let is_met = |choice: &Choice| match choice.follows {
            Some(Version::V1) => dev == v1 && v1 != v2,
            Some(_) => dev == v2 && v1 != v2,
            None => dev != v1 && dev != v2,
        };
        match choices.find(|choice| is_met(choice)) {
            Some(choice) => drop(self.met.insert((way, choice.field))),
            None => {
                let problem = || {
                    format!(
                        "{way}, {name}: {field}\n    agent {dev:?}\n    v1    {v1:?}\n    v2    {v2:?}"
                    )
                };
                let key = (way, field.to_owned());
                self.problems.entry(key).or_insert_with(problem);
            }
        }
    }

    /// Fails if anything was not alike, or if no span met an `expected` entry of the table, told by a way and a field.
    pub(crate) fn finish(self, expected: &[(Way, &str)]) -> Result {
        let mut problems: Vec<_> = self.problems.into_values().collect();
        for (way, field) in expected {
            if !self.met.contains(&(*way, *field)) {
                let mut choices = CHOICES.iter();
                let choice = choices.find(|it| it.ways.contains(way) && it.field == *field);
                let reason = choice.map(|choice| choice.reason);
                problems.push(format!("{way}: no span shows {field}: {reason:?}"));
            }
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(problems.join("\n").into()),
        }
    }
}

impl Choice {
    fn is_about(&self, way: Way, field: &str) -> bool {
        let is_named = match self.field.strip_suffix('*') {
            Some(beginning) => field.starts_with(beginning),
            None => field == self.field,
        };
        self.ways.contains(&way) && is_named
    }
}

/// Returns the fields of each span as text, by its id and whether it is of a server: Zipkin's clients and servers may
/// share an id.
fn spans(trace: &Trace) -> BTreeMap<(u64, bool), BTreeMap<String, String>> {
    let server = Tag::new("span.kind", "server");
    let id = |span: &StoredSpan| (span.span_id, span.tags.contains(&server));
    let spans = trace.spans.iter();
    spans.map(|span| (id(span), fields(span))).collect()
}

/// Returns the fields of a span as text, by name. The order of tags and of fields does not count: in Jaeger 2 they are
/// a map.
fn fields(span: &StoredSpan) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut put = |name: &str, value: &dyn fmt::Debug| {
        fields.insert(name.to_owned(), format!("{value:?}"));
    };
    put("trace id", &span.trace_id);
    put("operation", &span.operation);
    put("flags", &span.flags);
    put("start", &span.start_us);
    put("duration", &span.duration_us);
    put("service", &span.service);
    put(
        "references",
        &span.references.iter().map(reference).collect::<Vec<_>>(),
    );
    put("number of logs", &span.logs.len());
    put(
        "warnings",
        &span
            .warnings
            .iter()
            .map(|text| first_words(text))
            .collect::<Vec<_>>(),
    );
    let mut lists = vec![
        ("tag".to_owned(), &span.tags),
        ("process tag".to_owned(), &span.process_tags),
    ];
    for (number, log) in span.logs.iter().enumerate() {
        fields.insert(
            format!("time of log {number}"),
            log.timestamp_us.to_string(),
        );
        lists.push((format!("log {number} field"), &log.fields));
    }
    for (list, tags) in lists {
        for Tag { key, value } in tags {
            // This one is of Jaeger 1 alone, and says how the span came.
            if key != "internal.span.format" {
                let values: &mut String = fields.entry(format!("{list} {key}")).or_default();
                let _ = write!(values, "{value:?};");
            }
        }
    }
    fields
}

fn reference(reference: &Reference) -> String {
    let Reference {
        kind,
        trace_id,
        span_id,
    } = reference;
    format!("{kind:?} {trace_id:x}:{span_id:x}")
}

/// Returns the beginning of a warning, which may go on with times in a form of its own.
fn first_words(warning: &str) -> &str {
    warning.split(['.', ':', ';']).next().unwrap_or_default()
}
