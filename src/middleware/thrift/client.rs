use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use thrift::protocol::{TInputProtocol, TOutputProtocol};

use crate::middleware::thrift::calls::Calls;
use crate::middleware::thrift::settings::Settings;
use crate::middleware::thrift::{ThriftInput, ThriftOutput};
use crate::redact;
use crate::tracer::Tracer;

/// A maker of client protocols for Apache Thrift whose calls have spans.
///
/// [`wrap`](Self::wrap) takes the two protocols that a generated client is made of. The client and the code that calls
/// it stay as they are. Each call becomes a child of the span that is active when it is made, and carries its context
/// to the server in an extra field of its arguments:
///
/// ```
/// use thrift::protocol::{TBinaryInputProtocol, TBinaryOutputProtocol};
/// use thrift::protocol::{TMessageIdentifier, TMessageType, TOutputProtocol, TStructIdentifier};
/// use thrift::transport::{TBufferChannel, TIoChannel};
/// use tracehound::middleware::ThriftClient;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// // Usually a `TTcpChannel`.
/// let (reader, writer) = TBufferChannel::with_capacity(1_024, 1_024).split()?;
/// let (input, mut output) = ThriftClient::new(tracer).peer_address("stock:9090").wrap(
///     TBinaryInputProtocol::new(reader, true),
///     TBinaryOutputProtocol::new(writer, true),
/// );
///
/// // Usually `StockSyncClient::new(input, output)`, which writes this by itself:
/// output.write_message_begin(&TMessageIdentifier::new("restock", TMessageType::OneWay, 1))?;
/// output.write_struct_begin(&TStructIdentifier::new("StockRestockArgs"))?;
/// output.write_field_stop()?;
/// output.write_struct_end()?;
/// output.write_message_end()?;
/// output.flush()?;
///
/// let span = &spans.spans()[0];
/// assert_eq!(span.operation_name, "restock");
/// assert_eq!(span.tag_text("peer.address"), "stock:9090");
/// # drop(input);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # The context in a call
///
/// The field has the id 3333 and the type `map<string, string>`, as Java's `opentracing-thrift` has it, so both
/// understand each other. A server that does not know it skips it. So no method may have a parameter with this id, nor
/// any other struct a field of this id and type.
///
/// # What a span records
///
/// | tag | value |
/// |---|---|
/// | name | the name of the method, or [`operation_name`](Self::operation_name) |
/// | `span.kind`, `component` | `client`, `thrift` |
/// | `message.name` | the name in the message; over a `TMultiplexedOutputProtocol` it is `service:method` |
/// | `message.type` | 2 after a reply, 3 after an exception, 4 for a oneway call, and 1 if there was no answer |
/// | `message.seqid` | the number of the call on its connection |
/// | `peer.address`, `peer.service` | as they are set here |
/// | `error` | true if the call failed; a log record `event=error` has `error.kind` and, if there is one, `message` |
///
/// The span ends when the answer has been read; that of a oneway call ends when it has been sent. A call fails if
/// reading or writing fails, if the answer is not the one to this call, and if it is an exception, declared or not. Of a
/// declared exception no field is recorded. A call that is given up before its end, because the client is dropped or
/// makes the next call, has the log event `cancelled`.
///
/// The values of `error.kind` are `timeout`, `end_of_file`, `not_open`, `size_limit`, `transport_error`,
/// `protocol_error`, `exception` for a declared one, and for the others the kinds of Thrift's `TApplicationException`,
/// such as `unknown_method` and `internal_error`.
///
/// A pair of protocols has one call at a time, as generated clients do.
#[derive(Clone)]
pub struct ThriftClient {
    settings: Settings,
}

impl ThriftClient {
    /// Makes clients that start their spans with `tracer`.
    pub fn new(tracer: impl Tracer + 'static) -> Self {
        Self {
            settings: Settings {
                tracer: Arc::new(tracer),
                operation_name: None,
                peer_address: None,
                peer_service: None,
            },
        }
    }

    /// Sets one name for the spans of all calls. Defaults to the name of each call's method.
    ///
    /// A proxy needs it, if the names of the methods come from its callers.
    #[must_use]
    pub fn operation_name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.settings.operation_name = Some(name.into());
        self
    }

    /// Sets the address of the server, such as `stock:9090`, which is the tag `peer.address`. Defaults to none.
    ///
    /// A user name and a password in it are hidden.
    #[must_use]
    pub fn peer_address(mut self, address: impl Into<Cow<'static, str>>) -> Self {
        let address: Cow<'static, str> = address.into();
        self.settings.peer_address = Some(redact::value(&address).into_owned().into());
        self
    }

    /// Sets the name under which a backend shows the server, which is the tag `peer.service`. Defaults to none.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::ThriftClient;
    ///
    /// let stock = ThriftClient::new(NoopTracer).operation_name("stock").peer_service("stock");
    /// # drop(stock);
    /// ```
    #[must_use]
    pub fn peer_service(mut self, service: impl Into<Cow<'static, str>>) -> Self {
        self.settings.peer_service = Some(service.into());
        self
    }

    /// Wraps the protocols of one connection.
    ///
    /// Wrap the innermost ones, binary or compact. A `TMultiplexedOutputProtocol` goes around the result.
    pub fn wrap<I: TInputProtocol, O: TOutputProtocol>(
        &self,
        input: I,
        output: O,
    ) -> (ThriftInput<I>, ThriftOutput<O>) {
        let calls = Arc::new(Calls::new(self.settings.clone()));
        let output = ThriftOutput::new(output, calls.clone());
        (ThriftInput::new(input, calls), output)
    }
}

impl fmt::Debug for ThriftClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThriftClient")
            .field("peer_address", &self.settings.peer_address)
            .finish_non_exhaustive()
    }
}
