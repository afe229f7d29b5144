//! Calls and answers of Apache Thrift: a processor sees each call as without tracing but for the context, a client sees
//! each answer as without tracing, and each call has one span, however it ends.
//!
//! The first byte of an input chooses the protocol and what the processor does. The rest is a call, and an answer.

#![no_main]

use std::cell::RefCell;
use std::io::Cursor;
use std::rc::Rc;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use thrift::protocol::{
    TBinaryInputProtocol, TBinaryOutputProtocol, TCompactInputProtocol, TCompactOutputProtocol,
    TFieldIdentifier, TInputProtocol, TMessageIdentifier, TMessageType, TOutputProtocol,
    TStructIdentifier, TType,
};
use thrift::server::TProcessor;
use thrift::{ApplicationError, ApplicationErrorKind, Error, TConfiguration};
use tracehound::JaegerTracer;
use tracehound::middleware::{ThriftClient, ThriftProcessor};
use tracehound::reporter::InMemoryReporter;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else {
        return;
    };
    let wire = match choice & 1 {
        0 => Wire::Binary,
        _ => Wire::Compact,
    };
    serve(wire, choice, bytes);
    call(wire, bytes);
});

/// Gives a call to a processor, with and without tracing.
fn serve(wire: Wire, choice: u8, bytes: &[u8]) {
    let mut plain = Vec::new();
    let expected = read_call(&mut *wire.input(bytes), &mut plain, true, choice & 2 != 0);
    let has_head = wire.input(bytes).read_message_begin().is_ok();

    let (tracer, spans) = &*TRACING;
    let recorder = Recorder::new(choice);
    let seen = recorder.seen.clone();
    let processor = ThriftProcessor::new(tracer.clone(), recorder);
    let mut answer = Vec::new();
    let result = processor.process(&mut *wire.input(bytes), &mut *wire.output(&mut answer));
    assert_eq!(*seen.borrow(), plain);
    let fails = choice & 12 == 12;
    assert_eq!(result.is_err(), expected.is_err() || fails, "{result:?}");
    let spans = spans.take();
    // A caller may have decided that the call is not sampled.
    let has_context = [&b"uber-trace-id"[..], b"traceparent"]
        .iter()
        .any(|name| bytes.windows(name.len()).any(|part| part == *name));
    assert!(spans.len() <= usize::from(has_head));
    assert!(has_context || spans.len() == usize::from(has_head));
    for span in spans {
        assert!(span.operation_name.len() <= 256);
    }
}

/// Makes a call, gives it to a processor, and gives the client an answer.
fn call(wire: Wire, bytes: &[u8]) {
    let (tracer, spans) = &*TRACING;
    let mut request = Vec::new();
    let mut plain = Vec::new();
    let expected = read_call(&mut *wire.input(bytes), &mut plain, false, false);
    {
        let (mut input, mut output) =
            ThriftClient::new(tracer.clone()).wrap(wire.input(bytes), wire.output(&mut request));
        write_call(&mut output).expect("memory");
        let mut seen = Vec::new();
        let result = read_call(&mut input, &mut seen, false, false);
        assert_eq!((&seen, result.is_ok()), (&plain, expected.is_ok()));
        // An answer without an end leaves the call open until the client is dropped.
        let _ = input.read_message_end();
    }
    let client = spans.take();
    assert_eq!(client.len(), 1);

    let recorder = Recorder::new(0);
    let seen = recorder.seen.clone();
    let processor = ThriftProcessor::new(tracer.clone(), recorder);
    let mut answer = Vec::new();
    processor
        .process(&mut *wire.input(&request), &mut *wire.output(&mut answer))
        .expect("a whole call");
    let text = Seen::Field(Some(1), TType::String);
    assert_eq!(
        *seen.borrow(),
        [text, Seen::Text(b"teapot".to_vec()), Seen::Stop]
    );
    let server = spans.take();
    assert_eq!(server[0].parent_id, Some(client[0].span_id));
}

/// A tracer for all inputs, because it takes long to start one.
static TRACING: LazyLock<(JaegerTracer, InMemoryReporter)> = LazyLock::new(|| {
    let spans = InMemoryReporter::new();
    (tracehound_fuzz::tracer(spans.clone()), spans)
});

fn write_call(output: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    output.write_message_begin(&TMessageIdentifier::new("order", TMessageType::Call, 7))?;
    output.write_struct_begin(&TStructIdentifier::new("Args"))?;
    output.write_field_begin(&TFieldIdentifier::new("item", TType::String, 1))?;
    output.write_string("teapot")?;
    output.write_field_end()?;
    output.write_field_stop()?;
    output.write_struct_end()?;
    output.write_message_end()?;
    output.flush()
}

/// A processor that keeps what it reads, and answers as it is told to.
struct Recorder {
    seen: Rc<RefCell<Vec<Seen>>>,
    choice: u8,
}

impl Recorder {
    fn new(choice: u8) -> Self {
        let seen = Rc::default();
        Self { seen, choice }
    }
}

impl TProcessor for Recorder {
    fn process(
        &self,
        input: &mut dyn TInputProtocol,
        output: &mut dyn TOutputProtocol,
    ) -> thrift::Result<()> {
        let seen = &mut self.seen.borrow_mut();
        read_call(input, seen, false, self.choice & 2 != 0)?;
        let error = |kind| ApplicationError::new(kind, "canary");
        match self.choice & 12 {
            12 => Err(Error::Application(error(
                ApplicationErrorKind::InternalError,
            ))),
            8 => {
                let head = TMessageIdentifier::new("x", TMessageType::Exception, 1);
                output.write_message_begin(&head)?;
                let error = error(ApplicationErrorKind::UnknownMethod);
                Error::write_application_error_to_out_protocol(&error, output)?;
                output.write_message_end()
            }
            4 => {
                output.write_message_begin(&TMessageIdentifier::new(
                    "x",
                    TMessageType::Reply,
                    1,
                ))?;
                output.write_struct_begin(&TStructIdentifier::new("Result"))?;
                output.write_field_begin(&TFieldIdentifier::new("e", TType::String, 1))?;
                output.write_string("canary")?;
                output.write_field_stop()?;
                output.write_struct_end()?;
                output.write_message_end()
            }
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Copy)]
enum Wire {
    Binary,
    Compact,
}

impl Wire {
    fn input<'b>(self, bytes: &'b [u8]) -> Box<dyn TInputProtocol + 'b> {
        let limits = TConfiguration::builder()
            .max_string_size(Some(8_192))
            .max_container_size(Some(8_192));
        let limits = limits.build().expect("limits");
        let reader = Cursor::new(bytes);
        match self {
            Self::Binary => Box::new(TBinaryInputProtocol::with_config(reader, true, limits)),
            Self::Compact => Box::new(TCompactInputProtocol::with_config(reader, limits)),
        }
    }

    fn output<'b>(self, bytes: &'b mut Vec<u8>) -> Box<dyn TOutputProtocol + 'b> {
        match self {
            Self::Binary => Box::new(TBinaryOutputProtocol::new(bytes, true)),
            Self::Compact => Box::new(TCompactOutputProtocol::new(bytes)),
        }
    }
}

/// A part of a struct.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Field(Option<i16>, TType),
    Stop,
    Text(Vec<u8>),
    Number(i64),
    Items(i32),
}

/// Reads a message with its arguments or its result. `without_context` leaves the field out that has the context.
fn read_call(
    input: &mut dyn TInputProtocol,
    seen: &mut Vec<Seen>,
    without_context: bool,
    skips: bool,
) -> thrift::Result<()> {
    input.read_message_begin()?;
    let context = without_context.then_some(1);
    read_struct(input, seen, 1, context, skips)?;
    input.read_message_end()
}

/// Reads a struct. The field with the context is left out in structs of depth `context`.
fn read_struct(
    input: &mut dyn TInputProtocol,
    seen: &mut Vec<Seen>,
    depth: i8,
    context: Option<i8>,
    skips: bool,
) -> thrift::Result<()> {
    input.read_struct_begin()?;
    loop {
        let field = input.read_field_begin()?;
        if field.field_type == TType::Stop {
            seen.push(Seen::Stop);
            return input.read_struct_end();
        }
        let is_candidate = (field.id, field.field_type) == (Some(3_333), TType::Map);
        if context == Some(depth) && is_candidate {
            let map = input.read_map_begin()?;
            let is_text = |kind| kind == Some(TType::String);
            if map.size > 0 && is_text(map.key_type) && is_text(map.value_type) {
                for _ in 0..map.size * 2 {
                    input.read_bytes()?;
                }
                input.read_map_end()?;
                input.read_field_end()?;
                continue;
            }
            seen.push(Seen::Field(field.id, field.field_type));
            read_map(input, map, seen, depth, context, skips)?;
        } else {
            seen.push(Seen::Field(field.id, field.field_type));
            if skips && field.id.is_some_and(|id| id % 2 == 0) {
                input.skip(field.field_type)?;
                continue;
            }
            read_value(input, field.field_type, seen, depth, context, skips)?;
        }
        input.read_field_end()?;
    }
}

fn read_value(
    input: &mut dyn TInputProtocol,
    kind: TType,
    seen: &mut Vec<Seen>,
    depth: i8,
    context: Option<i8>,
    skips: bool,
) -> thrift::Result<()> {
    if depth > 20 {
        return input.skip_till_depth(kind, 20);
    }
    let below = depth + 1;
    match kind {
        TType::Bool => seen.push(Seen::Number(input.read_bool()?.into())),
        TType::I08 => seen.push(Seen::Number(input.read_i8()?.into())),
        TType::I16 => seen.push(Seen::Number(input.read_i16()?.into())),
        TType::I32 => seen.push(Seen::Number(input.read_i32()?.into())),
        TType::I64 => seen.push(Seen::Number(input.read_i64()?)),
        TType::Double => seen.push(Seen::Number(input.read_double()?.to_bits() as i64)),
        TType::String => seen.push(Seen::Text(input.read_bytes()?)),
        TType::Struct => read_struct(input, seen, below, context, skips)?,
        TType::List => {
            let list = input.read_list_begin()?;
            seen.push(Seen::Items(list.size));
            for _ in 0..list.size {
                read_value(input, list.element_type, seen, below, context, skips)?;
            }
            input.read_list_end()?;
        }
        TType::Set => {
            let set = input.read_set_begin()?;
            seen.push(Seen::Items(set.size));
            for _ in 0..set.size {
                read_value(input, set.element_type, seen, below, context, skips)?;
            }
            input.read_set_end()?;
        }
        TType::Map => {
            let map = input.read_map_begin()?;
            read_map(input, map, seen, depth, context, skips)?;
        }
        other => input.skip(other)?,
    }
    Ok(())
}

fn read_map(
    input: &mut dyn TInputProtocol,
    map: thrift::protocol::TMapIdentifier,
    seen: &mut Vec<Seen>,
    depth: i8,
    context: Option<i8>,
    skips: bool,
) -> thrift::Result<()> {
    seen.push(Seen::Items(map.size));
    for _ in 0..map.size {
        for kind in [map.key_type, map.value_type] {
            read_value(
                input,
                kind.unwrap_or(TType::Void),
                seen,
                depth + 1,
                context,
                skips,
            )?;
        }
    }
    input.read_map_end()
}
