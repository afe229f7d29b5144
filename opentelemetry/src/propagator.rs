use std::fmt;
use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use tracehound::Tracer;
use tracehound::propagation::{HeaderScan, HttpHeaders, TextMapReader, TextMapWriter};

use crate::active;
use crate::extracted::Extracted;

/// A propagator of OpenTelemetry's API that reads and writes the headers of a tracer of tracehound, in all formats that
/// the tracer speaks, baggage included.
///
/// If the context has no span and is the current one, the context of tracehound's active span is injected. Baggage
/// of the `Context` and of the span are joined.
///
/// What the headers say is kept whole beside the ids that a `Context` can show: a debug id, for example, reaches the
/// span that starts with the extracted context. Malformed headers are counted by the tracer and change nothing.
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::global;
/// use opentelemetry::trace::{Tracer as _, TracerProvider};
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound_opentelemetry::{TracehoundPropagator, TracehoundProvider};
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop").reporter(spans.clone()).build()?;
/// global::set_text_map_propagator(TracehoundPropagator::new(tracer.clone()));
/// let library = TracehoundProvider::new(tracer).tracer("library");
///
/// let headers = HashMap::from([("uber-trace-id".to_owned(), "1f:2e:0:1".to_owned())]);
/// let cx = global::get_text_map_propagator(|it| it.extract(&headers));
/// library.in_span_with_context("GET /cart", &cx, |cx| {
///     let mut outgoing = HashMap::new();
///     global::get_text_map_propagator(|it| it.inject_context(&cx, &mut outgoing));
///     assert!(outgoing["uber-trace-id"].starts_with("000000000000001f:"));
/// });
/// assert_eq!(spans.spans()[0].parent_id.map(|id| id.get()), Some(0x2e));
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone)]
pub struct TracehoundPropagator {
    tracer: Arc<dyn Tracer>,
    fields: Vec<String>,
}

impl TracehoundPropagator {
    /// Makes a propagator for a tracer. It asks the tracer once for the headers that it reads.
    pub fn new(tracer: impl Tracer + 'static) -> Self {
        let names = Names::default();
        // Nothing is found in a carrier without headers.
        let _ = tracer.extract(&HttpHeaders(&names));
        let fields = names.0.into_inner().unwrap_or_default();
        Self {
            tracer: Arc::new(tracer),
            fields,
        }
    }
}

impl TextMapPropagator for TracehoundPropagator {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        let context = active::parent_in(cx);
        if !context.is_empty() {
            self.tracer
                .inject(&context, &mut HttpHeaders(Outgoing(injector)));
        }
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        let incoming = HttpHeaders(Incoming {
            extractor,
            fields: &self.fields,
        });
        match self.tracer.extract(&incoming) {
            Ok(Some(context)) if !context.is_empty() => Extracted::put(cx, context),
            _ => cx.clone(),
        }
    }

    /// Returns the names of the headers that are read and written. Baggage in a header for each item has none.
    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.fields)
    }
}

impl fmt::Debug for TracehoundPropagator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracehoundPropagator")
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

/// A carrier without headers, which notes what it is asked for.
#[derive(Default)]
struct Names(std::sync::Mutex<Vec<String>>);

impl TextMapReader for Names {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        if let Ok(mut names) = self.0.lock() {
            names.extend(scan.set().names().map(str::to_owned));
        }
    }
}

/// The headers of a request that is received.
struct Incoming<'e> {
    extractor: &'e dyn Extractor,
    fields: &'e [String],
}

impl Incoming<'_> {
    fn offer<'c>(&'c self, name: &'c str, scan: &mut HeaderScan<'c, '_>) {
        for value in self.extractor.get_all(name).unwrap_or_default() {
            scan.offer(name, value.as_bytes());
        }
    }
}

impl TextMapReader for Incoming<'_> {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        // By name, because some extractors list no keys.
        for name in self.fields {
            self.offer(name, scan);
        }
        let is_field = |key: &str| {
            self.fields
                .iter()
                .any(|name| name.eq_ignore_ascii_case(key))
        };
        let mut keys = self.extractor.keys();
        keys.retain(|key| scan.set().contains(key) && !is_field(key));
        // A key that is listed for each of its values gives all of them each time.
        keys.sort_unstable_by_key(|key| key.to_ascii_lowercase());
        keys.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
        for key in keys {
            self.offer(key, scan);
        }
    }
}

/// The headers of a request that is sent. OpenTelemetry's carriers cannot remove any.
struct Outgoing<'i>(&'i mut dyn Injector);

impl TextMapWriter for Outgoing<'_> {
    fn set(&mut self, key: &str, value: &str) -> bool {
        self.0.set(key, value.to_owned());
        true
    }
}
