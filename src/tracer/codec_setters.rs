use crate::propagation::{Codec, CustomCodec, Propagation};
use crate::tracer::builder::TracerBuilder;

/// Settings of how contexts travel.
impl TracerBuilder {
    /// Sets the formats of text maps and of HTTP headers: all are written, and the first one that holds a trace is
    /// read. An empty list turns propagation off.
    ///
    /// Defaults to [`Propagation::DEFAULT`].
    pub fn propagation(mut self, formats: impl IntoIterator<Item = Propagation>) -> Self {
        let formats: Vec<_> = formats.into_iter().collect();
        self.codecs.speak(&formats);
        self
    }

    /// Sets the codec for text maps, in place of the [formats](Self::propagation).
    pub fn text_map_codec(mut self, codec: impl Codec + 'static) -> Self {
        self.codecs.text_map = Box::new(codec);
        self
    }

    /// Sets the codec for HTTP headers and gRPC metadata, in place of the [formats](Self::propagation).
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use tracehound::JaegerTracer;
    /// use tracehound::prelude::*;
    /// use tracehound::propagation::{B3Codec, HeaderNames, HttpHeaders, JaegerCodec};
    /// use tracehound::reporter::NullReporter;
    ///
    /// let partner = HeaderNames::default().trace_id("x-partner-trace")?;
    /// let tracer = JaegerTracer::builder("shop")
    ///     .reporter(NullReporter::new())
    ///     .http_headers_codec(B3Codec::single_header())
    ///     .named_codec("partner", JaegerCodec::http_headers().header_names(partner))
    ///     .build()?;
    /// let mut headers = HashMap::new();
    /// tracer.inject(&tracer.start_span("call").context(), &mut HttpHeaders(&mut headers));
    /// assert!(headers.contains_key("b3"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn http_headers_codec(mut self, codec: impl Codec + 'static) -> Self {
        self.codecs.http_headers = Box::new(codec);
        self
    }

    /// Adds a format under a name of your own, for carriers that are wrapped in
    /// [`InFormat`](crate::propagation::InFormat). The last codec of a name counts.
    pub fn named_codec(mut self, name: impl Into<String>, codec: impl Codec + 'static) -> Self {
        self.codecs.add_named(name.into(), Box::new(codec));
        self
    }

    /// Adds a codec for carriers of your own. The tracer asks codecs in the order in which they were added.
    pub fn custom_codec(mut self, codec: impl CustomCodec + 'static) -> Self {
        self.codecs.add_custom(Box::new(codec));
        self
    }
}
