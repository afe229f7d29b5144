//! The codec against recordings of what published clients wrote and read.
//!
//! Results are decoded and compared field by field; an absent field equals an empty one.

use std::borrow::Cow;
use std::collections::BTreeMap;

use percent_encoding::percent_decode;
use serde_json::Value;
use tracehound::SpanContext;
use tracehound::model::SpanId;
use tracehound::propagation::{Extractor, HeaderNames, Injector, JaegerCodec};

use super::{Headers, input_baggage, input_context};
use crate::support::vectors::{Differences, Entry, entries, pairs};

/// The content of headers, or of the context that was read from them.
#[derive(Clone, Debug, PartialEq, Default)]
struct Seen {
    /// Trace, span and parent id, flags.
    ids: Option<(u128, u64, u64, u8)>,
    baggage: BTreeMap<String, String>,
    debug_id: Option<String>,
}

/// The result of reading headers, by a client or by this crate.
#[derive(Debug)]
enum Answer {
    /// The content, and the content of the headers that are sent on, if known.
    Read(Box<(Seen, Option<Seen>)>),
    /// The headers are malformed.
    Corrupt,
    /// A result that this crate cannot have: ids or flags that do not fit, a crash.
    Foreign,
}

impl Answer {
    fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Read(ours), Self::Read(theirs)) => {
                let ((seen, sent_on), (other, other_sent_on)) = (&**ours, &**theirs);
                let is_known = sent_on.is_some() && other_sent_on.is_some();
                seen == other && (!is_known || sent_on == other_sent_on)
            }
            (Self::Corrupt, Self::Corrupt) => true,
            _ => false,
        }
    }
}

/// A codec and its settings, so that the test can decode what it writes.
struct Case {
    codec: JaegerCodec,
    is_http: bool,
    trace_id: String,
    prefix: String,
}

impl Case {
    fn new(format: &str) -> Self {
        let is_http = format == "http_headers";
        assert!(is_http || format == "text_map", "{format:?}");
        Self {
            codec: if is_http {
                JaegerCodec::http_headers()
            } else {
                JaegerCodec::text_map()
            },
            is_http,
            trace_id: "uber-trace-id".to_owned(),
            prefix: "uberctx-".to_owned(),
        }
    }

    fn renamed(options: &Value) -> Self {
        let name = |option: &str| options[option].as_str().expect("a name");
        let names = HeaderNames::default()
            .trace_id(name("trace_id_header"))
            .and_then(|names| names.baggage_prefix(name("baggage_prefix")))
            .and_then(|names| names.debug_id(name("debug_id_header")))
            .and_then(|names| names.baggage(name("baggage_header")))
            .expect("legal names");
        Self {
            codec: JaegerCodec::http_headers().header_names(names),
            is_http: true,
            trace_id: name("trace_id_header").to_lowercase(),
            prefix: name("baggage_prefix").to_lowercase(),
        }
    }

    fn written(&self, context: &SpanContext) -> Headers {
        let mut headers = Headers::new();
        self.codec.inject(context, &mut headers);
        headers
    }

    fn answer(&self, headers: &Headers) -> Answer {
        let answer = self.answer_of(self.codec.extract(headers));
        #[cfg(feature = "http")]
        if let Some(map) = header_map(headers).filter(|_| self.is_http) {
            let of_map = self.answer_of(self.codec.extract(&map));
            assert!(of_map.equals(&answer), "{headers:?}: {of_map:?}");
        }
        answer
    }

    fn answer_of<E>(&self, extracted: Result<Option<SpanContext>, E>) -> Answer {
        let Ok(context) = extracted else {
            return Answer::Corrupt;
        };
        let Some(context) = context else {
            return Answer::Read(Box::default());
        };
        let seen = Seen {
            ids: context
                .trace_id()
                .zip(context.span_id())
                .map(|(trace, span)| {
                    let trace = (u128::from(trace.high()) << 64) | u128::from(trace.low());
                    let parent = context.parent_id().map_or(0, SpanId::get);
                    (trace, span.get(), parent, context.flags().bits())
                }),
            baggage: owned(context.baggage().iter()),
            debug_id: context.debug_id().map(str::to_owned),
        };
        let sent_on = self.decoded(&self.written(&context));
        assert!(sent_on.is_some(), "{context}");
        Answer::Read(Box::new((seen, sent_on)))
    }

    /// Decodes written headers, or returns `None` if their ids are malformed.
    fn decoded(&self, headers: &Headers) -> Option<Seen> {
        let mut seen = Seen::default();
        for (name, value) in headers {
            let name = name.to_lowercase();
            if name == self.trace_id {
                seen.ids = Some(ids(&form_decoded(value))?);
            } else if let Some(key) = name.strip_prefix(&self.prefix) {
                let value = if self.is_http {
                    form_decoded(value).into_owned()
                } else {
                    value.clone()
                };
                seen.baggage.insert(key.to_owned(), value);
            }
        }
        Some(seen)
    }

    /// Returns the answers of a client: several if they depend on the order of a map.
    fn answers_of(&self, result: &Value) -> Vec<Answer> {
        if let Some(alternatives) = result["alternatives"].as_array() {
            return alternatives
                .iter()
                .flat_map(|alternative| self.answers_of(alternative))
                .collect();
        }
        vec![match result["outcome"].as_str() {
            Some("context" | "container") => self.answer_read(result).unwrap_or(Answer::Foreign),
            Some("none") if result["decoding_errors"].as_u64().unwrap_or(0) == 0 => {
                Answer::Read(Box::default())
            }
            Some("none" | "error") => Answer::Corrupt,
            outcome => {
                assert_eq!(outcome, Some("panic"));
                Answer::Foreign
            }
        }]
    }

    fn answer_read(&self, result: &Value) -> Option<Answer> {
        let text = |field: &str| result[field].as_str();
        let flags: u8 = result["flags"].as_u64().unwrap_or(0).try_into().ok()?;
        let ids = if result["outcome"] == "context" {
            let flag = |field: &str, bit| {
                result[field]
                    .as_bool()
                    .is_none_or(|is| is == (flags & bit != 0))
            };
            if result["flags"].as_u64().is_none() || !flag("sampled", 1) || !flag("debug", 2) {
                return None;
            }
            let trace = u128::from_str_radix(text("trace_id")?, 16).ok()?;
            let span = u64::from_str_radix(text("span_id")?, 16).ok()?;
            let parent = text("parent_id").map_or(Ok(0), |id| u64::from_str_radix(id, 16));
            // A client that accepts an id of zero has a context that this crate cannot have, unless it calls it
            // invalid.
            match (trace != 0 && span != 0, result["valid"].as_bool()) {
                (true, _) => Some((trace, span, parent.ok()?, flags)),
                (false, Some(false)) => None,
                (false, _) => return None,
            }
        } else if flags == 0 {
            None
        } else {
            return None;
        };
        let baggage = result["baggage"].as_object().into_iter().flatten();
        let seen = Seen {
            ids,
            baggage: baggage
                .map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect::<Option<_>>()?,
            debug_id: text("debug_id").map(str::to_owned),
        };
        let sent_on = match result.get("reinjected") {
            Some(list) => Some(self.decoded(&pairs(list))?),
            None => None,
        };
        Some(Answer::Read(Box::new((seen, sent_on))))
    }
}

/// The entries that no client reads as this crate does, and why.
const READ: &[(&str, &str)] = &[
    ("flags/001/http_headers", TWO_DIGITS),
    ("flags/0001/http_headers", TWO_DIGITS),
    (
        "chars/comma-space-joined-two/http_headers",
        "the rule: a trace header that a proxy joined with commas is several; the last valid one wins",
    ),
    ("jaeger-baggage/spaces/http_headers", TRIMMED),
    ("jaeger-baggage/spaces/text_map", TRIMMED),
    ("jaeger-baggage/mixed-case-key/http_headers", LOWER_CASED),
    ("jaeger-baggage/mixed-case-key/text_map", LOWER_CASED),
    ("jaeger-baggage/semicolon/http_headers", FIRST_SIGN),
    ("jaeger-baggage/semicolon/text_map", FIRST_SIGN),
];

const TWO_DIGITS: &str = "the rule: flags of more than two hex digits are corrupt";
const TRIMMED: &str = "the rule: of each pair in jaeger-baggage key and value are trimmed";
const LOWER_CASED: &str = "the rule: jaeger-baggage keys are lower-cased, as uberctx- keys are";
const FIRST_SIGN: &str = "the rule: a pair is split at its first equals sign";

#[test]
fn extract_reads_what_a_client_reads() {
    let mut differences = Differences::explained_by(READ);
    let entries = entries("jaeger_extract");
    for entry in &entries {
        let case = Case::new(entry.input["format"].as_str().expect("a format"));
        let ours = case.answer(&pairs(&entry.input["headers"]));
        let group = entry.name.split('/').next().expect("a group");
        let equals = entry
            .results
            .iter()
            .filter(|(client, _)| takes_part(client, group, &entries))
            .flat_map(|(_, result)| case.answers_of(result))
            .any(|answer| ours.equals(&answer));
        differences.compare(&entry.name, equals, &ours);
    }
    differences.check(237);
}

/// Returns whether a client reads the kind of header that a group of entries is about. If not, its answers do not
/// count.
fn takes_part(client: &str, group: &str, entries: &[Entry]) -> bool {
    let reads = |field: &'static str| {
        let has = move |result: &Value| {
            result[field].as_str().is_some()
                || result[field].as_object().is_some_and(|o| !o.is_empty())
        };
        entries
            .iter()
            .filter(|entry| entry.name.split('/').next() == Some(group))
            .any(|entry| {
                entry
                    .results
                    .iter()
                    .any(|(name, result)| name == client && has(result))
            })
    };
    match group {
        "baggage" | "jaeger-baggage" => reads("baggage"),
        "debug-id" => reads("debug_id"),
        _ => true,
    }
}

/// The entries that no client writes as this crate does, and why.
const WRITTEN: &[(&str, &str)] = &[
    ("baggage-key/space/http_headers", ILLEGAL_KEY),
    ("baggage-key/empty/http_headers", ILLEGAL_KEY),
    ("baggage-key/equals/http_headers", ILLEGAL_KEY),
    ("baggage-key/comma/http_headers", ILLEGAL_KEY),
];

const ILLEGAL_KEY: &str =
    "the rule: over HTTP an item is left out whose key is empty or not legal in a header name";

#[test]
fn inject_writes_what_a_client_writes() {
    let mut differences = Differences::explained_by(WRITTEN);
    let entries = entries("jaeger_inject");
    let writes_baggage = |client: &str| {
        let mut results = entries.iter().flat_map(|entry| &entry.results);
        results.any(|(name, result)| name == client && result.to_string().contains("uberctx-"))
    };
    for entry in &entries {
        let has_baggage = entry.input["baggage"] != serde_json::json!([]);
        for format in ["http_headers", "text_map"] {
            let case = Case::new(format);
            let written = case.written(&input_context(&entry.input));
            let ours = case.decoded(&written);
            assert!(ours.is_some(), "{}", entry.name);
            let equals = entry
                .results
                .iter()
                .filter(|(client, _)| !has_baggage || writes_baggage(client))
                .filter_map(|(_, result)| result.get(format))
                .any(|list| case.decoded(&pairs(list)) == ours);
            differences.compare(&format!("{}/{format}", entry.name), equals, &written);

            // The trace header equals that of Java byte for byte.
            let java = pairs(&result_of(entry, "jaeger-client-java")[format]);
            let java = java.iter().find(|(name, _)| name == "uber-trace-id");
            assert_eq!(written.first(), java, "{}", entry.name);
        }
    }
    differences.check(2 * 71);
}

/// The baggage set on a span that no client writes as this crate does, and why.
const BAGGAGE_WRITTEN: &[(&str, &str)] = &[
    ("baggage-key/space", ILLEGAL_KEY),
    ("baggage-key/empty", ILLEGAL_KEY),
    ("baggage-key/equals", ILLEGAL_KEY),
    ("baggage-key/comma", ILLEGAL_KEY),
];

#[test]
fn inject_writes_baggage_as_a_client_writes_it() {
    let mut differences = Differences::explained_by(BAGGAGE_WRITTEN);
    for entry in &entries("baggage_via_span") {
        let case = Case::new("http_headers");
        let context = SpanContext::default().with_baggage(input_baggage(&entry.input));
        let written = case.written(&context);
        let ours = case.decoded(&written);
        let equals = entry
            .results
            .iter()
            .any(|(_, result)| case.decoded(&pairs(&result["baggage_headers"])) == ours);
        differences.compare(&entry.name, equals, &written);
    }
    differences.check(41);
}

/// The renamed headers that no client treats as this crate does, and why. The number is that of the header set.
const RENAMED: &[(&str, &str)] = &[(
    "mixed-case/extract/4",
    "the rule: configured names are lower-cased and match without regard to case, all four of them",
)];

#[test]
fn renamed_headers_work_as_in_a_client() {
    let mut differences = Differences::explained_by(RENAMED);
    for entry in &entries("custom_headers") {
        let case = Case::renamed(&entry.input["options"]);
        let written = case.written(&input_context(&entry.input["context"]));
        let equals = entry
            .results
            .iter()
            .any(|(_, result)| case.decoded(&pairs(&result["inject"])) == case.decoded(&written));
        differences.compare(&format!("{}/inject", entry.name), equals, &written);

        let inputs = entry.input["extract"].as_array().expect("header sets");
        for (n, headers) in inputs.iter().enumerate() {
            let ours = case.answer(&pairs(headers));
            let equals = entry
                .results
                .iter()
                .flat_map(|(_, result)| case.answers_of(&result["extract"][n]))
                .any(|answer| ours.equals(&answer));
            differences.compare(&format!("{}/extract/{n}", entry.name), equals, &ours);
        }
    }
    differences.check(4 * 7);
}

fn result_of<'e>(entry: &'e Entry, client: &str) -> &'e Value {
    let found = entry
        .results
        .iter()
        .find(|(name, _)| name.starts_with(client));
    &found.expect(client).1
}

fn owned<'b>(items: impl Iterator<Item = (&'b str, &'b str)>) -> BTreeMap<String, String> {
    items
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn ids(value: &str) -> Option<(u128, u64, u64, u8)> {
    let parts: Vec<_> = value.split(':').collect();
    let [trace, span, parent, flags] = parts[..] else {
        return None;
    };
    Some((
        u128::from_str_radix(trace, 16).ok()?,
        u64::from_str_radix(span, 16).ok()?,
        u64::from_str_radix(parent, 16).ok()?,
        u8::from_str_radix(flags, 16).ok()?,
    ))
}

fn form_decoded(value: &str) -> Cow<'_, str> {
    let spaces = value.replace('+', " ");
    percent_decode(spaces.as_bytes())
        .decode_utf8_lossy()
        .into_owned()
        .into()
}

#[cfg(feature = "http")]
fn header_map(headers: &Headers) -> Option<http::HeaderMap> {
    let mut map = http::HeaderMap::new();
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).ok()?;
        map.append(name, http::HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    Some(map)
}
