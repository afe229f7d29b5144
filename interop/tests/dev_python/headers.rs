//! A trace that runs through the Python client and the library, in both directions.

use std::collections::HashMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value as Json, json};
use tracehound::{
    JaegerTracer, Span, SpanContext,
    dev::DevServer,
    model::{SpanId, TraceId},
    prelude::*,
    sampler::ConstSampler,
};

use crate::{
    Result,
    program::{Program, PythonSpan},
    server::{self, PATIENCE, RUST, find, trace},
};

#[test]
fn a_trace_goes_from_rust_to_python_and_back() -> Result {
    for format in Format::ALL {
        let server = server::start()?;
        let Some(mut python) = Program::start(&server, &Json::Null)? else {
            return Ok(());
        };
        let tracer = server::tracer(&server)?;
        let root = tracer.start_span("root");
        for (key, value) in BAGGAGE {
            root.set_baggage_item(key, value);
        }
        root.set_tag("sampling.priority", 1);
        let headers = format.inject(&tracer, &root)?;
        let middle = python.span(&json!({
            "operation": "middle", "format": format.name(), "headers": headers,
        }))?;
        assert_eq!(
            Some(middle.trace_id),
            root.context().trace_id(),
            "{format:?}"
        );
        assert_eq!(middle.parent_id, root.context().span_id(), "{format:?}");
        assert_eq!(middle.flags, 3, "{format:?}: sampled and debug");
        assert_eq!(middle.baggage, baggage(), "{format:?}");

        let context = format.extract(&tracer, &middle)?;
        assert_eq!(baggage_of(&context), baggage(), "{format:?}");
        let last = tracer.build_span("last").child_of(&context).start();
        let ids = [root.context(), last.context()].map(|it| it.span_id());
        last.finish();
        root.finish();
        assert!(tracer.flush(PATIENCE).is_complete());
        let [Some(root), Some(last)] = ids else {
            return Err("spans without ids".into());
        };
        is_chain(&server, middle.trace_id, &[root, middle.span_id, last])?;
    }
    Ok(())
}

#[test]
fn a_trace_goes_from_python_to_rust_and_back() -> Result {
    for format in Format::ALL {
        let server = server::start()?;
        let settings = json!({"generate_128bit_trace_id": true});
        let Some(mut python) = Program::start(&server, &settings)? else {
            return Ok(());
        };
        let tracer = server::tracer(&server)?;
        let root = python.span(&json!({
            "operation": "root", "format": format.name(), "baggage": baggage(),
        }))?;
        let context = format.extract(&tracer, &root)?;
        assert_eq!(context.trace_id(), Some(root.trace_id), "{format:?}");
        assert_eq!(context.span_id(), Some(root.span_id), "{format:?}");
        assert!(context.is_sampled() && !context.is_debug(), "{format:?}");
        assert_eq!(baggage_of(&context), baggage(), "{format:?}");

        let middle = tracer.build_span("middle").child_of(&context).start();
        let headers = format.inject(&tracer, &middle)?;
        let last = python.span(&json!({
            "operation": "last", "format": format.name(), "headers": headers,
        }))?;
        assert_eq!(last.trace_id, root.trace_id, "{format:?}");
        assert_eq!(last.parent_id, middle.context().span_id(), "{format:?}");
        assert_eq!(last.baggage, baggage(), "{format:?}");

        let middle_id = middle.context().span_id().ok_or("a span without an id")?;
        middle.finish();
        assert!(tracer.flush(PATIENCE).is_complete());
        is_chain(
            &server,
            root.trace_id,
            &[root.span_id, middle_id, last.span_id],
        )?;
    }
    Ok(())
}

#[test]
fn a_trace_unsampled_by_rust_stays_unsampled_in_python() -> Result {
    let server = server::start()?;
    let Some(mut python) = Program::start(&server, &Json::Null)? else {
        return Ok(());
    };
    let tracer = JaegerTracer::builder(RUST)
        .sampler(ConstSampler::new(false))
        .build()?;
    let headers = Format::Http.inject(&tracer, &tracer.start_span("unwanted"))?;
    let unwanted = python.span(&json!({"operation": "unwanted", "headers": headers}))?;
    assert_eq!(unwanted.flags, 0);
    let wanted = python.span(&json!({"operation": "wanted"}))?;
    trace(&server, wanted.trace_id, 1)?;
    assert!(server.trace(unwanted.trace_id).is_none());
    Ok(())
}

/// Checks that each span is the parent of the next one, and that they alternate between the services.
fn is_chain(server: &DevServer, trace_id: TraceId, ids: &[SpanId]) -> Result {
    let spans = trace(server, trace_id, ids.len() as u64)?;
    assert_eq!(spans.len(), ids.len(), "{spans:#?}");
    let mut services = Vec::new();
    for (i, id) in ids.iter().enumerate() {
        let span = find(&spans, *id)?;
        let parent = i.checked_sub(1).map(|i| ids[i]);
        assert_eq!(span.span.parent_id, parent, "{span:#?}");
        services.push(span.service_name());
    }
    let (first, second) = (services[0], services[1]);
    assert_eq!(services, [first, second, first]);
    assert_ne!(first, second);
    Ok(())
}

/// A text format of the Python client's headers.
#[derive(Clone, Copy, Debug)]
enum Format {
    /// Baggage is percent-encoded.
    Http,
    /// Baggage is not encoded.
    Text,
}

impl Format {
    const ALL: [Self; 2] = [Self::Http, Self::Text];

    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Text => "text",
        }
    }

    fn inject(self, tracer: &JaegerTracer, span: &Span) -> Result<HashMap<String, String>> {
        let mut text = HashMap::new();
        match self {
            Self::Text => tracer.inject(&span.context(), &mut text),
            Self::Http => {
                let mut headers = HeaderMap::new();
                tracer.inject(&span.context(), &mut headers);
                for (name, value) in &headers {
                    text.insert(name.to_string(), value.to_str()?.to_owned());
                }
            }
        }
        Ok(text)
    }

    fn extract(self, tracer: &JaegerTracer, span: &PythonSpan) -> Result<SpanContext> {
        let context = match self {
            Self::Text => tracer.extract(&span.headers)?,
            Self::Http => {
                let mut headers = HeaderMap::new();
                for (name, value) in &span.headers {
                    headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
                }
                tracer.extract(&headers)?
            }
        };
        Ok(context.ok_or("no context in the headers")?)
    }
}

/// Baggage with everything that the two sides could write in different ways; keys are in lower case on HTTP.
const BAGGAGE: [(&str, &str); 5] = [
    ("user", "43"),
    ("city", "Köln 東京"),
    ("query", "a=b&c=d, e;f+g h%20i/\\\""),
    ("percent", "100%"),
    ("dash-ed_key", "1"),
];

fn baggage() -> HashMap<String, String> {
    let items = BAGGAGE.map(|(key, value)| (key.to_owned(), value.to_owned()));
    items.into()
}

fn baggage_of(context: &SpanContext) -> HashMap<String, String> {
    let items = context.baggage().iter();
    items
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
