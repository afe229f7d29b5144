//! A shop that asks a Thrift service what is in stock, over TCP.
//!
//! Learnt: a client is wrapped where its protocols are made, a server where its processor is. The generated code between
//! them stays as it is. The context travels in a field of each call that peers without tracing skip.
//!
//! Run: `cargo run --example thrift --features full`.
//!
//! Change: let `handle_count` return `Err("the shelf collapsed".into())`, and see an exception that the service does not
//! declare.

mod stock;

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::thread;

use stock::{SoldOut, StockSyncClient, StockSyncHandler, StockSyncProcessor};
use thrift::protocol::{
    TCompactInputProtocol, TCompactOutputProtocol, TInputProtocol, TOutputProtocol,
};
use thrift::server::TProcessor;
use thrift::transport::{TBufferedReadTransport, TBufferedWriteTransport, TIoChannel, TTcpChannel};
use tracehound::JaegerTracer;
use tracehound::dev::{DevOptions, DevServer, Waterfall};
use tracehound::middleware::{ThriftClient, ThriftProcessor};
use tracehound::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let options = DevOptions::new().any_ports().waterfall(Waterfall::Always);
    let server = DevServer::start(options)?;
    let tracer = server.tracer("shop")?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let stock_tracer = server.tracer("stock")?;
    let stock = thread::spawn(move || serve(&listener, stock_tracer));

    let (input, output) = protocols(TcpStream::connect(address)?)?;
    let traced = ThriftClient::new(tracer.clone()).peer_service("stock");
    let (input, output) = traced.wrap(input, output);
    let mut client = StockSyncClient::new(input, output);

    let span = tracer.start_active_span("fill_shelf");
    for item in ["teapot", "samovar"] {
        match client.count(item.into()) {
            Ok(count) => println!("{item}: {count}"),
            Err(error) => println!("{item}: {error}"),
        }
    }
    client.restock("samovar".into())?;
    drop(client); // closes the connection
    stock.join().map_err(|_| "the server panicked")??;
    span.finish();
    println!();
    Ok(())
}

/// Serves one connection until its end, as `TServer` of the crate `thrift` serves each.
fn serve(listener: &TcpListener, tracer: JaegerTracer) -> Result<(), thrift::Error> {
    let processor = ThriftProcessor::new(tracer, StockSyncProcessor::new(Stock));
    let (mut input, mut output) = protocols(listener.accept()?.0)?;
    while processor.process(&mut input, &mut output).is_ok() {}
    Ok(())
}

fn protocols(stream: TcpStream) -> thrift::Result<(impl TInputProtocol, impl TOutputProtocol)> {
    let (reader, writer) = TTcpChannel::with_stream(stream).split()?;
    Ok((
        TCompactInputProtocol::new(TBufferedReadTransport::new(reader)),
        TCompactOutputProtocol::new(TBufferedWriteTransport::new(writer)),
    ))
}

struct Stock;

impl StockSyncHandler for Stock {
    fn handle_count(&self, item: String) -> thrift::Result<i32> {
        // The span of the call is active.
        active_span().set_tag("item", &*item);
        match &*item {
            "teapot" => Ok(7),
            _ => Err(SoldOut { item }.into()),
        }
    }

    fn handle_restock(&self, _: String) -> thrift::Result<()> {
        Ok(())
    }
}
