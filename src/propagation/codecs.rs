//! The codecs of a tracer, and the choice of one by the format of a carrier.

use std::any::Any;
use std::fmt;
use std::mem;

use crate::diagnostics::Diagnostics;
use crate::metrics::{Counter, Metrics};
use crate::panics::caught;
use crate::propagation::error::count_malformed;
use crate::propagation::{
    BinaryCodec, Codec, CustomCodec, ExtractCarrier, ExtractError, InjectCarrier, JaegerCodec,
    Propagation, ReadFrom, WriteTo, joined,
};
use crate::services::Services;
use crate::span::SpanContext;

/// The codecs of a tracer: one for each format of carriers.
///
/// A codec and a carrier may be user code, so the tracer calls `inject` and `extract` where it can catch a panic.
pub(crate) struct Codecs {
    pub(crate) text_map: Box<dyn Codec>,
    pub(crate) http_headers: Box<dyn Codec>,
    binary: BinaryCodec,
    named: Vec<(String, Box<dyn Codec>)>,
    custom: Vec<Box<dyn CustomCodec>>,
    metrics: Metrics,
    diagnostics: Diagnostics,
}

impl Default for Codecs {
    fn default() -> Self {
        Self {
            text_map: joined(&Propagation::DEFAULT, Propagation::text_map_codec),
            http_headers: joined(&Propagation::DEFAULT, Propagation::http_headers_codec),
            binary: BinaryCodec::default(),
            named: Vec::new(),
            custom: Vec::new(),
            metrics: Metrics::default(),
            diagnostics: Diagnostics::default(),
        }
    }
}

impl Codecs {
    /// Replaces the codecs for text maps and HTTP headers by those of `formats`.
    pub(crate) fn speak(&mut self, formats: &[Propagation]) {
        self.text_map = joined(formats, Propagation::text_map_codec);
        self.http_headers = joined(formats, Propagation::http_headers_codec);
    }

    /// Adds a format under a name. The last one of a name counts.
    pub(crate) fn add_named(&mut self, name: String, codec: Box<dyn Codec>) {
        self.named.retain(|(known, _)| *known != name);
        self.named.push((name, codec));
    }

    /// Adds a codec for carriers of a type that only user code knows.
    pub(crate) fn add_custom(&mut self, codec: Box<dyn CustomCodec>) {
        self.custom.push(codec);
    }

    /// Hands the services to all codecs.
    pub(crate) fn attach(&mut self, services: &Services) {
        self.metrics = services.metrics().clone();
        self.diagnostics = services.diagnostics().clone();
        self.binary.attach(services);
        let named = self.named.iter_mut().map(|(_, codec)| codec);
        for codec in [&mut self.text_map, &mut self.http_headers]
            .into_iter()
            .chain(named)
        {
            services.attach("a codec", |services| codec.attach(services));
        }
        for codec in &mut self.custom {
            services.attach("a custom codec", |services| codec.attach(services));
        }
    }

    /// Writes a context by the codec of the carrier's format.
    pub(crate) fn inject(&self, context: &SpanContext, carrier: &mut dyn InjectCarrier) {
        match carrier.write() {
            WriteTo::TextMap(carrier) => self.text_map.inject(context, carrier),
            WriteTo::HttpHeaders(carrier) => self.http_headers.inject(context, carrier),
            WriteTo::Named(name, carrier) => match self.named(name) {
                Some(codec) => codec.inject(context, carrier),
                None => self.count_unwritten(context, "no codec of a name", || {
                    format!("no codec was added under the name {name:?}")
                }),
            },
            WriteTo::Custom(carrier) => {
                let mut codecs = self.custom.iter();
                if !codecs.any(|codec| codec.inject(context, carrier)) {
                    self.count_unwritten(context, "no custom codec", || {
                        "no codec knows a custom carrier".to_owned()
                    });
                }
            }
            WriteTo::Binary(carrier) => self.binary.inject(context, carrier),
        }
    }

    /// Reads a context by the codec of the carrier's format. Counts and logs a malformed one.
    pub(crate) fn extract(
        &self,
        carrier: &dyn ExtractCarrier,
    ) -> Result<Option<SpanContext>, ExtractError> {
        let outcome = match carrier.read() {
            ReadFrom::TextMap(carrier) => self.text_map.extract(carrier),
            ReadFrom::HttpHeaders(carrier) => self.http_headers.extract(carrier),
            ReadFrom::Named(name, carrier) => match self.named(name) {
                Some(codec) => codec.extract(carrier),
                None => {
                    self.count_unread("named decoding", || {
                        format!(
                            "a carrier was not read: no codec was added under the name {name:?}"
                        )
                    });
                    Ok(None)
                }
            },
            ReadFrom::Custom(carrier) => self.extract_custom(carrier),
            ReadFrom::Binary(carrier) => self.binary.extract(carrier),
        };
        if let Err(error) = &outcome {
            count_malformed(error, &self.metrics, &self.diagnostics);
        }
        outcome
    }

    fn named(&self, name: &str) -> Option<&dyn Codec> {
        let mut named = self.named.iter();
        named.find_map(|(known, codec)| (known == name).then_some(&**codec))
    }

    #[cold]
    fn extract_custom(&self, carrier: &dyn Any) -> Result<Option<SpanContext>, ExtractError> {
        for codec in &self.custom {
            if let Some(context) = codec.extract(carrier)? {
                return Ok(Some(context));
            }
        }
        Ok(None)
    }

    #[cold]
    fn count_unwritten(
        &self,
        context: &SpanContext,
        cause: &'static str,
        because: impl FnOnce() -> String,
    ) {
        if !context.is_empty() {
            self.metrics.add(Counter::EncodingErrors, 1);
            self.diagnostics.warn(cause, || {
                format!("a context was not written: {}", because())
            });
        }
    }

    #[cold]
    fn count_unread(&self, cause: &'static str, line: impl FnOnce() -> String) {
        self.metrics.add(Counter::DecodingErrors, 1);
        self.diagnostics.warn(cause, line);
    }
}

/// Drops each codec by itself: it may be user code, and the last owner of a tracer is on any thread.
impl Drop for Codecs {
    fn drop(&mut self) {
        let gone = || Box::new(JaegerCodec::text_map());
        let text_map = mem::replace(&mut self.text_map, gone());
        let http_headers = mem::replace(&mut self.http_headers, gone());
        caught(|| drop(text_map));
        caught(|| drop(http_headers));
        for (_, named) in mem::take(&mut self.named) {
            caught(|| drop(named));
        }
        for custom in mem::take(&mut self.custom) {
            caught(|| drop(custom));
        }
    }
}

impl fmt::Debug for Codecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codecs").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propagation::{B3Codec, InFormat};

    #[test]
    fn the_last_codec_of_a_name_counts() {
        let mut codecs = Codecs::default();
        codecs.add_named("queue".to_owned(), Box::new(JaegerCodec::text_map()));
        codecs.add_named("file".to_owned(), Box::new(JaegerCodec::text_map()));
        codecs.add_named("queue".to_owned(), Box::new(B3Codec::single_header()));
        let b3 = [("b3", "a-b-1")];
        let jaeger = [("uber-trace-id", "a:b:0:1")];
        for (name, carrier, is_read) in [
            ("queue", b3, true),
            ("queue", jaeger, false),
            ("file", b3, false),
            ("file", jaeger, true),
        ] {
            let read = codecs.extract(&InFormat(name, &carrier));
            let has_trace = read.is_ok_and(|context| context.is_some());
            assert_eq!(has_trace, is_read, "{name} {carrier:?}");
        }
    }
}
