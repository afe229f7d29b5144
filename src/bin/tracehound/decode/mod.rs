//! `tracehound decode`.

mod baggage;
mod binary;
mod ids;
mod jaeger;
mod w3c;
mod zipkin;

use std::io::{self, BufRead, Read};
use std::sync::LazyLock;

use tracehound::SpanContext;
use tracehound::diagnostics::Diagnostics;
use tracehound::prelude::*;
use tracehound::propagation::{Codec, HttpHeaders, Propagation};
use tracehound::reporter::NullReporter;

use crate::options::DecodeOptions;
use crate::output::say;
use crate::{CommandResult, Outcome};

/// A part of a header: its name, its text, and the meaning of the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    name: String,
    text: String,
    meaning: String,
}

impl Part {
    fn new(name: impl AsRef<str>, text: &str, meaning: impl Into<String>) -> Self {
        Self {
            name: name.as_ref().escape_debug().to_string(),
            text: text.escape_debug().to_string(),
            meaning: meaning.into(),
        }
    }
}

/// Explains each header, and then the context that a receiver of all of them reads.
pub(crate) fn run(options: &DecodeOptions) -> CommandResult {
    if options.binary {
        return binary::run(&options.headers);
    }
    let mut headers = Vec::new();
    for argument in &options.headers {
        if argument == "-" {
            // A dump may have other bytes than text in its bodies.
            for line in io::stdin().lock().take(MOST_INPUT).split(b'\n') {
                headers.extend(from_dump(&String::from_utf8_lossy(&line?)));
            }
        } else {
            headers.push(header(argument));
        }
    }
    if headers.is_empty() {
        return Err("standard input has no header of a format that is known".into());
    }
    for (name, value) in &headers {
        say!("{}: {}", name.escape_debug(), value.escape_debug());
        print_parts(&explain(name, value));
        say!("");
    }
    conclude(&headers)
}

/// Prints the context that all headers together hold. Fails if they hold none.
fn conclude(headers: &[(String, String)]) -> CommandResult {
    let tracer = tracehound::JaegerTracer::builder("decode")
        .reporter(NullReporter::new())
        .propagation(formats())
        .diagnostics(Diagnostics::silent())
        .build()?;
    match tracer.extract(&HttpHeaders(headers)) {
        Ok(Some(context)) => {
            say!("A receiver of these headers reads:");
            print_parts(&of_context(&context));
            Ok(Outcome::Good)
        }
        Ok(None) => {
            say!("A receiver of these headers finds no context and starts a trace of its own.");
            Ok(Outcome::Bad)
        }
        Err(error) => {
            say!("A receiver counts an error and starts a trace of its own: {error}");
            Ok(Outcome::Bad)
        }
    }
}

/// Describes the parts of a context.
fn of_context(context: &SpanContext) -> Vec<Part> {
    let mut parts = Vec::new();
    match (context.trace_id(), context.span_id()) {
        (Some(trace_id), Some(span_id)) => {
            parts.push(Part::new("trace id", &trace_id.to_string(), ""));
            parts.push(Part::new("parent of its span", &span_id.to_string(), ""));
        }
        _ => parts.push(Part::new(
            "trace id",
            "none",
            "it starts a trace of its own",
        )),
    }
    let decision = if context.is_debug() {
        ("debug", "kept, and no sampler or limit may drop it")
    } else if context.is_sampled() {
        ("sampled", "the whole trace is kept")
    } else if context.trace_id().is_some() && context.is_sampling_final() {
        (
            "not sampled",
            "no service records it, so the trace is nowhere",
        )
    } else {
        ("open", "the receiver's sampler decides")
    };
    parts.push(Part::new("decision", decision.0, decision.1));
    if let Some(debug_id) = context.debug_id() {
        parts.push(Part::new(
            "debug id",
            debug_id,
            "starts a debug trace with this tag",
        ));
    }
    for (key, value) in context.baggage().iter() {
        parts.push(Part::new(format!("baggage {key}"), value, ""));
    }
    if let Some(state) = context.trace_state() {
        parts.push(Part::new("tracestate", &state.to_header(), "is passed on"));
    }
    if let Some(conflict) = context.conflict() {
        parts.push(Part::new("conflict", conflict, "the first format wins"));
    }
    parts
}

/// Splits an argument into a name and a value, and guesses the name of a value alone.
fn header(argument: &str) -> (String, String) {
    if let Some((name, value)) = argument.split_once(": ") {
        return (name.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    if let Some((name, value)) = argument.split_once(':')
        && is_known(&name.to_ascii_lowercase())
    {
        return (name.to_ascii_lowercase(), value.trim().to_owned());
    }
    // As in a variable of the environment: `TRACEPARENT=00-…`.
    if let Some((name, value)) = argument.split_once('=') {
        let name = name.trim().to_ascii_lowercase().replace('_', "-");
        if is_known(&name) {
            return (name, value.trim().to_owned());
        }
    }
    let value = argument.trim();
    (guess(value).to_owned(), value.to_owned())
}

/// Takes a header out of a line of a dump, such as those of `curl -v`, if its name is known.
fn from_dump(line: &str) -> Option<(String, String)> {
    let line = line.trim_start_matches(['>', '<', '*', ' ', '\t']);
    let (name, value) = line.split_once(':')?;
    let name = name.trim().to_ascii_lowercase();
    is_known(&name).then(|| (name, value.trim().to_owned()))
}

fn is_known(name: &str) -> bool {
    static CODECS: LazyLock<Vec<Box<dyn Codec>>> =
        LazyLock::new(|| formats().map(Propagation::http_headers_codec).collect());
    CODECS.iter().any(|codec| codec.headers().contains(name))
}

/// Returns all formats, those first that a tracer speaks by default.
fn formats() -> impl Iterator<Item = Propagation> {
    let all = Propagation::ALL.iter().copied();
    Propagation::DEFAULT.into_iter().chain(all)
}

/// Guesses the header that a value stands in.
fn guess(value: &str) -> &'static str {
    let colons = value.matches(':').count() + value.to_ascii_lowercase().matches("%3a").count();
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts: Vec<&str> = value.split('-').collect();
    match parts.as_slice() {
        _ if colons == 3 => "uber-trace-id",
        [version, trace_id, ..]
            if version.len() == 2 && trace_id.len() == 32 && is_hex(version) =>
        {
            "traceparent"
        }
        [only] if matches!(*only, "0" | "1" | "d") => "b3",
        [trace_id, _, ..] if matches!(trace_id.len(), 16 | 32) && is_hex(trace_id) => "b3",
        _ if value.contains("ot=") || value.contains('@') => "tracestate",
        _ if value.contains('=') => "baggage",
        _ => "uber-trace-id",
    }
}

fn explain(name: &str, value: &str) -> Vec<Part> {
    match name {
        "uber-trace-id" => jaeger::trace_id_header(value),
        "jaeger-debug-id" => vec![Part::new(
            "debug id",
            value,
            "the trace is kept, and its root has this text as a tag",
        )],
        "jaeger-baggage" | "baggage" => baggage::list(value),
        "traceparent" => w3c::trace_parent(value),
        "tracestate" => w3c::trace_state(value),
        "b3" => zipkin::single(value),
        _ if name.starts_with("x-b3-") => vec![zipkin::multiple(name, value)],
        _ => {
            let mut prefixes = ["uberctx-", "baggage-"].into_iter();
            match prefixes.find_map(|prefix| name.strip_prefix(prefix)) {
                Some(key) => vec![baggage::item(key, value)],
                None => vec![Part::new("value", value, UNEXPLAINED)],
            }
        }
    }
}

fn print_parts(parts: &[Part]) {
    let width = |text: fn(&Part) -> &str| {
        let widths = parts.iter().map(|part| text(part).chars().count());
        widths.max().unwrap_or(0).min(MOST_ALIGNED)
    };
    let (names, texts) = (width(|part| &part.name), width(|part| &part.text));
    for Part {
        name,
        text,
        meaning,
    } in parts
    {
        let line = format!("  {name:names$}  {text:texts$}  {meaning}");
        say!("{}", line.trim_end());
    }
}

/// The meaning of a header that belongs to no format.
const UNEXPLAINED: &str = "no header of a trace";
const MOST_ALIGNED: usize = 40;
/// The bytes of standard input that are read.
const MOST_INPUT: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_of_every_format_is_known_and_explained() {
        for format in formats() {
            let codec = format.http_headers_codec();
            let prefixed = codec
                .headers()
                .prefixes()
                .map(|prefix| format!("{prefix}k"));
            let names = codec.headers().names().map(str::to_owned);
            for name in names.chain(prefixed) {
                assert!(is_known(&name), "{format}: {name}");
                let parts = explain(&name, "1");
                let is_explained = parts.iter().all(|part| part.meaning != UNEXPLAINED);
                assert!(is_explained, "{format}: `explain` has no words for {name}");
            }
        }
    }
}
