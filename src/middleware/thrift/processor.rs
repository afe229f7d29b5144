use std::fmt;
use std::sync::Arc;

use thrift::protocol::{TInputProtocol, TOutputProtocol};
use thrift::server::TProcessor;

use crate::middleware::known_methods::KnownMethods;
use crate::middleware::thrift::server_call::ServerCall;
use crate::middleware::thrift::server_input::ServerInput;
use crate::middleware::thrift::server_output::ServerOutput;
use crate::propagation::Trust;
use crate::tracer::Tracer;

/// A processor of an Apache Thrift server whose calls have spans.
///
/// It goes around a generated processor, or around a `TMultiplexedProcessor` of several. The span of a call is a child
/// of the caller's context, as far as that is [trusted](Self::trust); without one it begins a trace. It is active in the
/// handler.
///
/// ```
/// use thrift::protocol::{TInputProtocol, TOutputProtocol};
/// use thrift::server::TProcessor;
/// use tracehound::middleware::{ThriftProcessor, Trust};
/// use tracehound::NoopTracer;
///
/// /// Usually `StockSyncProcessor::new(handler)`.
/// struct Stock;
///
/// impl TProcessor for Stock {
///     fn process(
///         &self,
///         input: &mut dyn TInputProtocol,
///         _: &mut dyn TOutputProtocol,
///     ) -> thrift::Result<()> {
///         input.read_message_begin().map(drop)
///     }
/// }
///
/// // `TServer::new` takes it in place of the processor.
/// let processor = ThriftProcessor::new(NoopTracer, Stock).trust(Trust::ids_only());
/// # let _ = processor;
/// ```
///
/// # The context in a call
///
/// The context comes in a field of the arguments with the id 3333 and the type `map<string, string>`, as
/// [`ThriftClient`](crate::middleware::ThriftClient) and Java's `opentracing-thrift` write it. The processor inside does
/// not see this field. Java puts it into the first struct that ends, which may be one inside of the arguments; there it
/// is read as well, but left in place, so that a struct of your own that has such a field keeps it.
///
/// What comes in is bounded: at most 128 entries with 32 KiB are kept. A longest string is a matter of the protocol:
/// see `TConfiguration::max_string_size`, which is 100 MiB by default.
///
/// # What a span records
///
/// The tags are [those of a client](crate::middleware::ThriftClient#what-a-span-records), but `span.kind` is `server`
/// and there is no peer, because a processor does not learn who calls. The span begins when the arguments have been
/// read, and ends when the processor is done. An exception is an error; the `error.kind` of a declared one is its name.
/// A call that is cut off before the end of its arguments has a span that tells so.
///
/// Callers cannot fill a backend with names: a name counts only while the processor reads arguments for it and does not
/// answer that there is no such method. Otherwise the span is named `Thrift call`, and so are those of names beyond the
/// first 1,000 and of names of more than 256 bytes. The tag `message.name` has every name.
pub struct ThriftProcessor<P> {
    processor: P,
    tracer: Arc<dyn Tracer>,
    trust: Trust,
    methods: KnownMethods,
}

impl<P: TProcessor> ThriftProcessor<P> {
    /// Wraps a processor whose spans `tracer` starts.
    pub fn new(tracer: impl Tracer + 'static, processor: P) -> Self {
        Self {
            processor,
            tracer: Arc::new(tracer),
            trust: Trust::full(),
            methods: KnownMethods::default(),
        }
    }

    /// Sets what is believed of a caller's context. Defaults to [`Trust::full`], which suits a server that only your own
    /// services reach: see [whom to trust](crate::middleware#whom-does-a-server-trust).
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }
}

impl<P: TProcessor> TProcessor for ThriftProcessor<P> {
    /// Processes one call, as the processor inside does.
    ///
    /// # Errors
    ///
    /// Those of the processor inside. If the head of the message cannot be read there was no call, and no span.
    fn process(
        &self,
        input: &mut dyn TInputProtocol,
        output: &mut dyn TOutputProtocol,
    ) -> thrift::Result<()> {
        if self.tracer.is_noop() {
            return self.processor.process(input, output);
        }
        let message = input.read_message_begin()?;
        let call = ServerCall::new(&*self.tracer, self.trust, &self.methods, message.clone());
        let mut input = ServerInput::new(input, &call, message);
        let result = self
            .processor
            .process(&mut input, &mut ServerOutput::new(output, &call));
        let received = input.into_received();
        call.end(&received, &result);
        result
    }
}

impl<P> fmt::Debug for ThriftProcessor<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThriftProcessor").finish_non_exhaustive()
    }
}
