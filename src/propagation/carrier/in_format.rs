use crate::propagation::{
    ExtractCarrier, InjectCarrier, ReadFrom, TextMapReader, TextMapWriter, WriteTo,
};

/// A wrapper that has a text carrier written and read in the format of a name.
///
/// A tracer knows the formats that its builder was given by
/// [`named_codec`](crate::tracer::TracerBuilder::named_codec). If it knows none of this name, it writes and reads
/// nothing, counts a [`Counter::EncodingErrors`](crate::metrics::Counter::EncodingErrors) or
/// [`Counter::DecodingErrors`](crate::metrics::Counter::DecodingErrors), and logs a line, at most one in ten seconds.
///
/// ```
/// use std::collections::HashMap;
/// use tracehound::JaegerTracer;
/// use tracehound::prelude::*;
/// use tracehound::propagation::{HeaderNames, InFormat, JaegerCodec};
/// use tracehound::reporter::NullReporter;
///
/// let names = HeaderNames::default().trace_id("x-partner-trace")?;
/// let tracer = JaegerTracer::builder("shop")
///     .reporter(NullReporter::new())
///     .named_codec("partner", JaegerCodec::http_headers().header_names(names))
///     .build()?;
/// let span = tracer.start_span("call the partner");
/// let mut headers = HashMap::new();
/// tracer.inject(&span.context(), &mut InFormat("partner", &mut headers));
/// assert_eq!(headers["x-partner-trace"], span.context().to_string());
///
/// let parent = tracer.extract(&InFormat("partner", &headers))?.expect("written above");
/// assert_eq!(parent, span.context());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFormat<'n, C>(pub &'n str, pub C);

impl<C: TextMapWriter> InjectCarrier for InFormat<'_, C> {
    fn write(&mut self) -> WriteTo<'_> {
        WriteTo::Named(self.0, &mut self.1)
    }
}

impl<C: TextMapReader> ExtractCarrier for InFormat<'_, C> {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::Named(self.0, &self.1)
    }
}
