//! The service of the tests, written by hand: the generated code of Jaeger's clients is not for Rust.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use thrift::{
    ApplicationError, ApplicationErrorKind,
    protocol::{
        TBinaryInputProtocol, TBinaryOutputProtocol, TCompactInputProtocol, TCompactOutputProtocol,
        TFieldIdentifier, TInputProtocol, TMessageIdentifier, TMessageType, TOutputProtocol,
        TStructIdentifier, TType,
    },
    server::{TProcessor, handle_process_result},
    transport::{TBufferedReadTransport, TBufferedWriteTransport, TIoChannel, TTcpChannel},
};
use tracehound::{JaegerTracer, middleware::ThriftProcessor, model::TraceId, scope::active_span};
use tracehound_interop::ThriftProtocol;

use crate::Result;

type Protocols = (
    Box<dyn TInputProtocol + Send>,
    Box<dyn TOutputProtocol + Send>,
);

/// Returns the protocols of a connection.
pub(crate) fn connection(stream: TcpStream, protocol: ThriftProtocol) -> Result<Protocols> {
    let (reader, writer) = TTcpChannel::with_stream(stream).split()?;
    let (reader, writer) = (
        TBufferedReadTransport::new(reader),
        TBufferedWriteTransport::new(writer),
    );
    Ok(match protocol {
        ThriftProtocol::Compact => (
            Box::new(TCompactInputProtocol::new(reader)),
            Box::new(TCompactOutputProtocol::new(writer)),
        ),
        _ => (
            Box::new(TBinaryInputProtocol::new(reader, true)),
            Box::new(TBinaryOutputProtocol::new(writer, true)),
        ),
    })
}

/// The facts that a handler has seen of its caller.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) trace_id: TraceId,
    pub(crate) tenant: Option<String>,
    pub(crate) is_sampled: bool,
}

/// A running server. Its thread ends with the process.
pub(crate) struct Strategies {
    address: SocketAddr,
    seen: Receiver<Seen>,
}

impl Strategies {
    pub(crate) fn serve(tracer: JaegerTracer, protocol: ThriftProtocol) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (sender, seen) = channel();
        thread::spawn(move || {
            let processor = ThriftProcessor::new(tracer, Service(sender));
            for stream in listener.incoming().flatten() {
                let Ok((mut input, mut output)) = connection(stream, protocol) else {
                    continue;
                };
                while processor.process(&mut input, &mut output).is_ok() {}
            }
        });
        Ok(Self { address, seen })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the next call, and returns what its handler has seen.
    pub(crate) fn next(&self) -> Result<Seen> {
        Ok(self.seen.recv_timeout(Duration::from_secs(30))?)
    }
}

/// `SamplingManager.getSamplingStrategy`, and `Agent.emitBatch`.
struct Service(Sender<Seen>);

impl TProcessor for Service {
    fn process(
        &self,
        input: &mut dyn TInputProtocol,
        output: &mut dyn TOutputProtocol,
    ) -> thrift::Result<()> {
        let message = input.read_message_begin()?;
        let name = read_text(input)?;
        input.read_message_end()?;
        let span = active_span();
        let context = span.context();
        if let Some(trace_id) = context.trace_id() {
            // The test may have failed already.
            let _ = self.0.send(Seen {
                trace_id,
                tenant: span.baggage_item("tenant"),
                is_sampled: context.is_sampled(),
            });
        }
        let result = match &*name {
            "fail" => Err(ApplicationError::new(ApplicationErrorKind::InternalError, "no").into()),
            _ if message.message_type == TMessageType::OneWay => Ok(()),
            _ => write_strategy(output, &message),
        };
        handle_process_result(&message, result, output)
    }
}

/// Calls `getSamplingStrategy`. Returns the rate of the strategy.
pub(crate) fn call(
    input: &mut impl TInputProtocol,
    output: &mut impl TOutputProtocol,
    number: i32,
    name: &str,
) -> thrift::Result<f64> {
    let message = TMessageIdentifier::new(METHOD, TMessageType::Call, number);
    output.write_message_begin(&message)?;
    output.write_struct_begin(&TStructIdentifier::new("getSamplingStrategy_args"))?;
    output.write_field_begin(&TFieldIdentifier::new("serviceName", TType::String, 1))?;
    output.write_string(name)?;
    output.write_field_end()?;
    output.write_field_stop()?;
    output.write_struct_end()?;
    output.write_message_end()?;
    output.flush()?;

    let answer = input.read_message_begin()?;
    if answer.message_type == TMessageType::Exception {
        let error = thrift::Error::read_application_error_from_in_protocol(input)?;
        input.read_message_end()?;
        return Err(error.into());
    }
    let mut rate = f64::NAN;
    read_rate(input, &mut rate)?;
    input.read_message_end()?;
    Ok(rate)
}

const METHOD: &str = "getSamplingStrategy";

/// Reads a struct. Returns its field 1, if that is a text.
fn read_text(input: &mut dyn TInputProtocol) -> thrift::Result<String> {
    let mut text = String::new();
    input.read_struct_begin()?;
    loop {
        let field = input.read_field_begin()?;
        match (field.field_type, field.id) {
            (TType::Stop, _) => break,
            (TType::String, Some(1)) => text = input.read_string()?,
            (kind, _) => input.skip(kind)?,
        }
        input.read_field_end()?;
    }
    input.read_struct_end()?;
    Ok(text)
}

/// Reads a struct, and the one double that is in it or in a struct inside of it.
fn read_rate(input: &mut dyn TInputProtocol, rate: &mut f64) -> thrift::Result<()> {
    input.read_struct_begin()?;
    loop {
        let field = input.read_field_begin()?;
        match field.field_type {
            TType::Stop => break,
            TType::Double => *rate = input.read_double()?,
            TType::Struct => read_rate(input, rate)?,
            kind => input.skip(kind)?,
        }
        input.read_field_end()?;
    }
    input.read_struct_end()
}

fn write_strategy(
    output: &mut dyn TOutputProtocol,
    message: &TMessageIdentifier,
) -> thrift::Result<()> {
    let number = message.sequence_number;
    let reply = TMessageIdentifier::new(&*message.name, TMessageType::Reply, number);
    output.write_message_begin(&reply)?;
    output.write_struct_begin(&TStructIdentifier::new("getSamplingStrategy_result"))?;
    output.write_field_begin(&TFieldIdentifier::new("success", TType::Struct, 0))?;
    output.write_struct_begin(&TStructIdentifier::new("SamplingStrategyResponse"))?;
    output.write_field_begin(&TFieldIdentifier::new("strategyType", TType::I32, 1))?;
    output.write_i32(0)?;
    for _ in 0..2 {
        output.write_field_end()?;
        output.write_field_stop()?;
        output.write_struct_end()?;
    }
    output.write_message_end()?;
    output.flush()
}
