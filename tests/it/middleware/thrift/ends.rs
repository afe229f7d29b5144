//! Tests of the ends of a call: well, by an exception, given up, by a panic, in time and not.

use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures_util::FutureExt;
use thrift::protocol::{TInputProtocol, TMessageIdentifier, TOutputProtocol};
use thrift::server::TProcessor;
use tracehound::middleware::{ThriftClient, ThriftProcessor};
use tracehound::reporter::OwnedSpan;
use tracehound::scope::active_span;
use tracehound::{NoopTracer, TracerExt};

use super::stock::{StockSyncClient, StockSyncProcessor};
use super::{Shop, Stock, Wire, client_of, only, pair, request, serve};
use crate::middleware::ways::{Way, check, ending, work};
use crate::support::{events, log_field, recording_tracer, texts};

/// Returns the tag `error`, and kind and message of the event of the same name.
fn failure(span: &OwnedSpan) -> Option<(String, Option<String>)> {
    let kind = log_field(span, "error", "error.kind");
    assert_eq!(kind.is_some(), span.tag("error").is_some(), "{span:#?}");
    Some((kind?, log_field(span, "error", "message")))
}

#[test]
pub(in crate::middleware) fn a_call_is_a_span_on_both_sides() {
    for wire in Wire::BOTH {
        let Shop {
            mut client,
            tracer,
            spans,
        } = Shop::new(wire);
        let page = tracer.start_active_span("page");
        assert_eq!(client.count("teapot".into()).unwrap(), 7);
        page.finish();

        let [server, client, page] = <[_; 3]>::try_from(spans.take()).unwrap();
        let tags = |kind: &str, more: &str| {
            let all = [
                &format!("span.kind={kind}"),
                "component=thrift",
                "message.name=count",
                "message.type=2",
                "message.seqid=1",
                more,
            ];
            let mut all = all.map(str::to_owned).to_vec();
            all.retain(|tag| !tag.is_empty());
            all.sort();
            all
        };
        let mut seen = texts(&server.tags);
        seen.sort();
        assert_eq!(seen, tags("server", "item=teapot"), "{wire:?}");
        let mut seen = texts(&client.tags);
        seen.sort();
        assert_eq!(seen, tags("client", ""), "{wire:?}");
        assert_eq!(server.operation_name, "count");
        assert_eq!(client.operation_name, "count");
        assert_eq!(server.parent_id, Some(client.span_id));
        assert_eq!(client.parent_id, Some(page.span_id));
        assert_eq!(server.trace_id, page.trace_id);
        assert!(client.logs.is_empty() && server.logs.is_empty());
    }
}

#[test]
fn an_exception_fails_both_spans() {
    let rows = [
        // A declared exception has its name on the server, and none of its fields on either side.
        ("samovar", ("SoldOut", None), ("exception", None)),
        (
            "shelf",
            ("unknown", Some("the shelf at http://shelf/?key= fell")),
            ("unknown", Some("the shelf at http://shelf/?key= fell")),
        ),
    ];
    for wire in Wire::BOTH {
        for (item, at_server, at_client) in rows {
            let mut shop = Shop::new(wire);
            shop.client.count(item.into()).unwrap_err();
            let [server, client] = pair(&shop.spans);
            for (span, (kind, text)) in [(server, at_server), (client, at_client)] {
                let expected = (kind.to_owned(), text.map(str::to_owned));
                assert_eq!(failure(&span), Some(expected), "{wire:?} {item}");
                assert_eq!(events(&span), ["error"]);
            }
        }
    }
}

#[test]
fn a_oneway_call_ends_when_it_is_sent() {
    for wire in Wire::BOTH {
        let (tracer, spans) = recording_tracer();
        let sent = request(wire, &ThriftClient::new(tracer.clone()), "teapot");
        let client = only(&spans);
        assert_eq!(client.operation_name, "restock");
        assert_eq!(client.tag_text("message.type"), "4");

        let processor = ThriftProcessor::new(tracer, StockSyncProcessor::new(Stock));
        assert!(serve(wire, &processor, sent).is_empty());
        let server = only(&spans);
        assert_eq!(server.parent_id, Some(client.span_id));
        assert_eq!(server.tag_text("message.type"), "4");
        assert!(failure(&server).is_none() && failure(&client).is_none());
    }
}

#[test]
fn an_error_of_a_oneway_handler_fails_the_span() {
    let (tracer, spans) = recording_tracer();
    let sent = request(Wire::Binary, &ThriftClient::new(NoopTracer), "shelf");
    let processor = ThriftProcessor::new(tracer, StockSyncProcessor::new(Stock));
    serve(Wire::Binary, &processor, sent);
    let (kind, text) = failure(&only(&spans)).unwrap();
    assert_eq!(kind, "unknown");
    assert_eq!(text.unwrap(), "the shelf at http://shelf/?key= fell");
}

#[test]
fn an_error_that_the_processor_returns_fails_the_span() {
    struct Refusing;
    impl TProcessor for Refusing {
        fn process(
            &self,
            _: &mut dyn TInputProtocol,
            _: &mut dyn TOutputProtocol,
        ) -> thrift::Result<()> {
            Err(super::SoldOut { item: "tea".into() }.into())
        }
    }
    let (tracer, spans) = recording_tracer();
    let sent = request(Wire::Compact, &ThriftClient::new(NoopTracer), "teapot");
    serve(Wire::Compact, &ThriftProcessor::new(tracer, Refusing), sent);
    let span = only(&spans);
    let text = "remote service threw SoldOut".to_owned();
    assert_eq!(failure(&span), Some(("exception".to_owned(), Some(text))));
    // Its arguments were not read.
    assert_eq!(span.operation_name, "Thrift call");
}

#[test]
fn a_panic_of_the_handler_ends_the_span_and_deactivates_it() {
    let mut shop = Shop::new(Wire::Binary);
    let count = || shop.client.count("fire".into());
    catch_unwind(AssertUnwindSafe(count)).expect_err("the handler panics");
    assert!(active_span().is_noop());
    drop(shop.client);
    let [server, client] = pair(&shop.spans);
    assert_eq!(server.tag_text("error"), "true");
    assert_eq!(events(&server), ["panic"]);
    assert_eq!(server.tag_text("item"), "fire");
    // In a program they are in two processes, and the client sees its connection end.
    assert_eq!(events(&client), ["cancelled"]);
}

#[test]
fn a_call_that_is_given_up_is_cancelled() {
    for drops_client in [true, false] {
        let (tracer, spans) = recording_tracer();
        let (input, output) = ThriftClient::new(tracer).wrap(
            Wire::Binary.input(std::io::empty()),
            Wire::Binary.output(std::io::sink()),
        );
        let mut output = output;
        let head = |n| TMessageIdentifier::new("count", thrift::protocol::TMessageType::Call, n);
        output.write_message_begin(&head(1)).unwrap();
        output.flush().unwrap();
        assert!(spans.spans().is_empty(), "it waits for the answer");
        if drops_client {
            drop((input, output));
        } else {
            output.write_message_begin(&head(2)).unwrap();
            drop(input);
        }
        let span = only(&spans);
        assert_eq!(span.tag_text("message.seqid"), "1");
        assert_eq!(events(&span), ["cancelled"]);
        assert!(span.tag("error").is_none());
    }
}

#[test]
fn an_answer_to_another_call_fails_the_span() {
    let rows = [
        (
            "count",
            thrift::protocol::TMessageType::Reply,
            9,
            "bad_sequence_id",
        ),
        (
            "price",
            thrift::protocol::TMessageType::Reply,
            1,
            "wrong_method_name",
        ),
        (
            "count",
            thrift::protocol::TMessageType::Call,
            1,
            "invalid_message_type",
        ),
    ];
    for wire in Wire::BOTH {
        for (name, kind, number, problem) in rows {
            let (tracer, spans) = recording_tracer();
            let answer = move |_| {
                let bytes = super::Written::default();
                let message = TMessageIdentifier::new(name, kind, number);
                let mut output = wire.output(bytes.clone());
                output.write_message_begin(&message).unwrap();
                bytes.take()
            };
            let (mut client, _) = client_of(wire, &ThriftClient::new(tracer), answer);
            client.count("teapot".into()).unwrap_err();
            let span = only(&spans);
            assert_eq!(failure(&span), Some((problem.to_owned(), None)), "{wire:?}");
        }
    }
}

#[test]
fn a_server_that_does_not_answer_in_time_is_a_timeout() {
    let (tracer, spans) = recording_tracer();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(silent.local_addr().unwrap()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(10)))
        .unwrap();
    let (input, output) = ThriftClient::new(tracer).wrap(
        Wire::Compact.input(stream.try_clone().unwrap()),
        Wire::Compact.output(stream),
    );
    StockSyncClient::new(input, output)
        .count("teapot".into())
        .unwrap_err();
    let (kind, _) = failure(&only(&spans)).unwrap();
    assert_eq!(kind, "timeout");
}

#[test]
fn a_tracer_that_is_off_leaves_calls_alone() {
    for wire in Wire::BOTH {
        let client = ThriftClient::new(NoopTracer);
        let processor = ThriftProcessor::new(NoopTracer, StockSyncProcessor::new(Stock));
        let answer = move |requests| serve(wire, &processor, requests);
        let (mut client, _) = client_of(wire, &client, answer);
        assert_eq!(client.count("teapot".into()).unwrap(), 7);
        client.count("samovar".into()).unwrap_err();
    }
}

/// A connection from which reading ends in a way.
struct Ends(Way);

impl Read for Ends {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        work(self.0).now_or_never().expect("no wait").map(|()| 0)
    }
}

#[test]
pub(in crate::middleware) fn a_call_ends_in_each_way() {
    let wire = Wire::Compact;
    let rows = [
        (Way::Done, "client"),
        (Way::Error, "client error=true error"),
        (Way::Cancel, "client cancelled"),
        (Way::Drop, "client cancelled"),
        // The call is given up with the client, which outlives the panic here.
        (Way::Panic, "client cancelled"),
        (Way::Timeout, "client error=true timeout"),
    ];
    check(rows, |way, tracer| {
        let stock = ThriftClient::new(tracer.clone());
        let item = if way == Way::Error {
            "samovar"
        } else {
            "teapot"
        };
        match way {
            Way::Done | Way::Error => {
                let processor = StockSyncProcessor::new(Stock);
                let answer = move |requests| serve(wire, &processor, requests);
                let (mut client, _) = client_of(wire, &stock, answer);
                assert_eq!(client.count(item.into()).is_ok(), way == Way::Done);
            }
            Way::Panic | Way::Timeout => {
                let (input, output) = stock.wrap(wire.input(Ends(way)), wire.output(io::sink()));
                let mut client = StockSyncClient::new(input, output);
                let counted = ending(way, || client.count(item.into()));
                assert!(counted.is_none_or(|counted| counted.is_err()));
            }
            Way::Cancel | Way::Drop => {
                let (input, mut output) =
                    stock.wrap(wire.input(io::empty()), wire.output(io::sink()));
                let call = thrift::protocol::TMessageType::Call;
                let head = TMessageIdentifier::new("count", call, 1);
                output.write_message_begin(&head).unwrap();
                if way == Way::Cancel {
                    output.flush().unwrap();
                }
                drop((input, output));
            }
        }
    });
    // A handler is no future, so it can be neither given up nor dropped.
    let rows = [
        (Way::Done, "server"),
        (Way::Error, "server error=true error"),
        (Way::Panic, "server error=true panic"),
        // The generated code answers with an exception that does not say what kept it from reading.
        (Way::Timeout, "server error=true error"),
    ];
    check(rows, |way, tracer| {
        let item = match way {
            Way::Error => "samovar",
            Way::Panic => "fire",
            _ => "teapot",
        };
        let processor = ThriftProcessor::new(tracer.clone(), StockSyncProcessor::new(Stock));
        let whole = request(wire, &ThriftClient::new(NoopTracer), item);
        let part = if way == Way::Timeout {
            whole.len() - 3
        } else {
            whole.len()
        };
        let sent = io::Cursor::new(whole[..part].to_vec()).chain(Ends(way));
        let (mut input, mut output) = (wire.input(sent), wire.output(io::sink()));
        let _ = ending(way, || processor.process(&mut input, &mut output));
    });
}
