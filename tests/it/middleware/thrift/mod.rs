//! Tests of the spans for calls of Apache Thrift.

mod cuts;
pub(super) mod ends;
mod field;
mod names;
mod secrets;
#[path = "../../../../examples/thrift/stock.rs"]
mod stock;

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::mem;
use std::rc::Rc;

use stock::{SoldOut, StockSyncClient, StockSyncHandler, StockSyncProcessor};
use thrift::protocol::{
    TBinaryInputProtocol, TBinaryOutputProtocol, TCompactInputProtocol, TCompactOutputProtocol,
    TInputProtocol, TOutputProtocol,
};
use thrift::server::TProcessor;
use tracehound::middleware::{ThriftClient, ThriftInput, ThriftOutput, ThriftProcessor};
use tracehound::reporter::{InMemoryReporter, OwnedSpan};
use tracehound::scope::active_span;
use tracehound::{JaegerTracer, NoopTracer};

use crate::support::recording_tracer;

#[derive(Clone, Copy, Debug)]
enum Wire {
    Binary,
    Compact,
}

impl Wire {
    const BOTH: [Self; 2] = [Self::Binary, Self::Compact];

    fn input(self, reader: impl Read + 'static) -> Box<dyn TInputProtocol> {
        match self {
            Self::Binary => Box::new(TBinaryInputProtocol::new(reader, true)),
            Self::Compact => Box::new(TCompactInputProtocol::new(reader)),
        }
    }

    fn output(self, writer: impl Write + 'static) -> Box<dyn TOutputProtocol> {
        match self {
            Self::Binary => Box::new(TBinaryOutputProtocol::new(writer, true)),
            Self::Compact => Box::new(TCompactOutputProtocol::new(writer)),
        }
    }
}

type Client =
    StockSyncClient<ThriftInput<Box<dyn TInputProtocol>>, ThriftOutput<Box<dyn TOutputProtocol>>>;

/// Bytes that have been written.
#[derive(Clone, Default)]
struct Written(Rc<RefCell<Vec<u8>>>);

impl Written {
    fn take(&self) -> Vec<u8> {
        mem::take(&mut self.0.borrow_mut())
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection whose other end answers when an answer is read.
struct Peer<F> {
    requests: Written,
    answer: F,
    reply: io::Cursor<Vec<u8>>,
}

impl<F: FnMut(Vec<u8>) -> Vec<u8>> Read for Peer<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let requests = self.requests.take();
        if !requests.is_empty() {
            self.reply = io::Cursor::new((self.answer)(requests));
        }
        self.reply.read(into)
    }
}

/// Returns a client, and what it writes.
fn client_of(
    wire: Wire,
    client: &ThriftClient,
    answer: impl FnMut(Vec<u8>) -> Vec<u8> + 'static,
) -> (Client, Written) {
    let requests = Written::default();
    let peer = Peer {
        requests: requests.clone(),
        answer,
        reply: io::Cursor::default(),
    };
    let (input, output) = client.wrap(wire.input(peer), wire.output(requests.clone()));
    (StockSyncClient::new(input, output), requests)
}

/// Lets a server process the requests until they end, and returns what it answers.
fn serve(wire: Wire, processor: &impl TProcessor, requests: Vec<u8>) -> Vec<u8> {
    let reply = Written::default();
    let mut input = wire.input(io::Cursor::new(requests));
    let mut output = wire.output(reply.clone());
    while processor.process(&mut input, &mut output).is_ok() {}
    reply.take()
}

/// A client of a server, in memory. The spans of both are kept.
struct Shop {
    client: Client,
    tracer: JaegerTracer,
    spans: InMemoryReporter,
}

impl Shop {
    fn new(wire: Wire) -> Self {
        let (tracer, spans) = recording_tracer();
        let processor = ThriftProcessor::new(tracer.clone(), StockSyncProcessor::new(Stock));
        let (client, _) = client_of(wire, &ThriftClient::new(tracer.clone()), move |requests| {
            serve(wire, &processor, requests)
        });
        Self {
            client,
            tracer,
            spans,
        }
    }
}

/// Returns the bytes that a client without tracing writes for a call of `restock`.
fn plain_request(wire: Wire, item: &str) -> Vec<u8> {
    request(wire, &ThriftClient::new(NoopTracer), item)
}

/// Returns the bytes that a client writes for a call of `restock`.
fn request(wire: Wire, client: &ThriftClient, item: &str) -> Vec<u8> {
    let (mut client, requests) = client_of(wire, client, |_| Vec::new());
    client.restock(item.to_owned()).unwrap();
    requests.take()
}

fn only(spans: &InMemoryReporter) -> OwnedSpan {
    let mut spans = spans.take();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    spans.remove(0)
}

fn pair(spans: &InMemoryReporter) -> [OwnedSpan; 2] {
    let spans = spans.take();
    spans.try_into().expect("a server's and a client's span")
}

/// A handler whose ends depend on the item.
struct Stock;

impl StockSyncHandler for Stock {
    fn handle_count(&self, item: String) -> thrift::Result<i32> {
        active_span().set_tag("item", &*item);
        match &*item {
            "samovar" => Err(SoldOut { item }.into()),
            "shelf" => Err("the shelf at http://canary:canary@shelf/?key=canary fell".into()),
            "fire" => panic!("the store burns"),
            _ => Ok(7),
        }
    }

    fn handle_restock(&self, item: String) -> thrift::Result<()> {
        self.handle_count(item).map(drop)
    }
}
