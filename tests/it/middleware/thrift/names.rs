//! Tests of the names of spans, which callers cannot make up.

use thrift::protocol::{TInputProtocol, TMessageIdentifier, TMessageType, TOutputProtocol};
use thrift::protocol::{TMultiplexedOutputProtocol, TStructIdentifier, TType};
use thrift::server::{TMultiplexedProcessor, TProcessor, handle_process_result};
use thrift::{ApplicationError, ApplicationErrorKind};
use tracehound::NoopTracer;
use tracehound::middleware::{ThriftClient, ThriftProcessor};
use tracehound::reporter::InMemoryReporter;

use super::stock::{StockSyncClient, StockSyncProcessor};
use super::{Stock, Wire, Written, pair, plain_request, serve};
use crate::support::{names, recording_tracer};

/// Returns a call without arguments.
fn call(wire: Wire, method: &str) -> Vec<u8> {
    let sent = Written::default();
    let mut output = wire.output(sent.clone());
    let message = TMessageIdentifier::new(method, TMessageType::Call, 1);
    output.write_message_begin(&message).unwrap();
    output
        .write_struct_begin(&TStructIdentifier::new("Args"))
        .unwrap();
    output.write_field_stop().unwrap();
    output.write_struct_end().unwrap();
    sent.take()
}

/// A processor that reads the arguments of any call, and has the methods that it is told.
struct Dispatcher(fn(&str) -> bool);

impl TProcessor for Dispatcher {
    fn process(
        &self,
        input: &mut dyn TInputProtocol,
        output: &mut dyn TOutputProtocol,
    ) -> thrift::Result<()> {
        let message = input.read_message_begin()?;
        input.skip(TType::Struct)?;
        let result = match (self.0)(&message.name) {
            true => Ok(()),
            false => {
                let kind = ApplicationErrorKind::UnknownMethod;
                Err(ApplicationError::new(kind, "no such method").into())
            }
        };
        handle_process_result(&message, result, output)
    }
}

fn serve_once(processor: &impl TProcessor, request: Vec<u8>) {
    let mut input = Wire::Compact.input(std::io::Cursor::new(request));
    let mut output = Wire::Compact.output(std::io::sink());
    processor.process(&mut input, &mut output).unwrap();
}

fn serve_all(processor: &impl TProcessor, methods: impl IntoIterator<Item = String>) {
    for method in methods {
        serve_once(processor, call(Wire::Compact, &method));
    }
}

#[test]
fn a_method_that_the_server_does_not_have_names_no_span() {
    let (tracer, spans) = recording_tracer();
    // Generated code answers before it reads the arguments.
    let generated = ThriftProcessor::new(tracer.clone(), StockSyncProcessor::new(Stock));
    let dispatcher = ThriftProcessor::new(tracer, Dispatcher(|_| false));
    for _ in 0..2 {
        serve_once(&generated, call(Wire::Compact, "canary"));
        serve_once(&dispatcher, call(Wire::Compact, "canary"));
    }
    let spans = spans.take();
    assert_eq!(spans.len(), 4);
    for span in spans {
        assert_eq!(span.operation_name, "Thrift call");
        assert_eq!(span.tag_text("message.name"), "canary");
        assert_eq!(span.tag_text("message.type"), "3");
        assert_eq!(span.tag_text("error"), "true");
    }
}

#[test]
fn a_server_with_any_method_has_a_bounded_number_of_names() {
    let (tracer, spans) = recording_tracer();
    let processor = ThriftProcessor::new(tracer, Dispatcher(|_| true));
    serve_all(&processor, (0..1_100).map(|n| format!("method-{n}")));
    let named = |spans: &InMemoryReporter| {
        let names = names(spans);
        names.iter().filter(|name| *name != "Thrift call").count()
    };
    assert_eq!(named(&spans), 1_000);
    spans.take();
    serve_all(&processor, ["method-0".to_owned(), "x".repeat(257)]);
    assert_eq!(names(&spans), ["method-0", "Thrift call"]);
}

#[test]
fn names_that_are_refused_take_no_room() {
    let (tracer, spans) = recording_tracer();
    let processor = ThriftProcessor::new(tracer, Dispatcher(|name| name == "ping"));
    serve_all(&processor, (0..1_100).map(|n| format!("method-{n}")));
    spans.take();
    serve_all(&processor, ["ping".to_owned()]);
    assert_eq!(names(&spans), ["ping"]);
}

#[test]
fn a_service_of_several_is_part_of_the_name() {
    for wire in Wire::BOTH {
        let (tracer, spans) = recording_tracer();
        let mut services = TMultiplexedProcessor::new();
        services
            .register("Stock", Box::new(StockSyncProcessor::new(Stock)), false)
            .unwrap();
        let processor = ThriftProcessor::new(tracer.clone(), services);
        let requests = Written::default();
        let peer = super::Peer {
            requests: requests.clone(),
            answer: move |sent| serve(wire, &processor, sent),
            reply: std::io::Cursor::default(),
        };
        let client = ThriftClient::new(tracer);
        let (input, output) = client.wrap(wire.input(peer), wire.output(requests));
        let output = TMultiplexedOutputProtocol::new("Stock", output);
        let mut client = StockSyncClient::new(input, output);
        assert_eq!(client.count("teapot".into()).unwrap(), 7);
        let [server, client] = pair(&spans);
        assert_eq!(client.operation_name, "Stock:count");
        assert_eq!(server.operation_name, "Stock:count");
        assert_eq!(server.parent_id, Some(client.span_id));
        assert!(client.tag("error").is_none());
    }
}

#[test]
fn a_proxy_gives_its_calls_one_name() {
    let (tracer, spans) = recording_tracer();
    let client = ThriftClient::new(tracer).operation_name("forward");
    super::request(Wire::Binary, &client, "teapot");
    assert_eq!(names(&spans), ["forward"]);
    assert_eq!(spans.spans()[0].tag_text("message.name"), "restock");
}

#[test]
fn a_call_without_a_context_begins_a_trace() {
    let (tracer, spans) = recording_tracer();
    let processor = ThriftProcessor::new(tracer, StockSyncProcessor::new(Stock));
    let sent = plain_request(Wire::Binary, "teapot");
    serve(Wire::Binary, &processor, sent);
    let span = super::only(&spans);
    assert_eq!((&*span.operation_name, span.parent_id), ("restock", None));
    let untraced = ThriftProcessor::new(NoopTracer, StockSyncProcessor::new(Stock));
    let (tracer, _) = recording_tracer();
    let sent = super::request(Wire::Binary, &ThriftClient::new(tracer), "teapot");
    assert!(
        serve(Wire::Binary, &untraced, sent).is_empty(),
        "no exception"
    );
}
