//! Takes items from the shelf: Thrift on a thread of its own, in front of a database.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use sqlx::PgPool;
use thrift::{
    protocol::{TCompactInputProtocol, TCompactOutputProtocol, TInputProtocol, TOutputProtocol},
    server::TProcessor,
    transport::{TBufferedReadTransport, TBufferedWriteTransport, TIoChannel, TTcpChannel},
};
use tokio::runtime::Handle;
use tracehound::{
    JaegerTracer,
    middleware::{Database, ThriftClient, ThriftProcessor},
};

use crate::{
    Result,
    generated::{SoldOut, StockSyncClient, StockSyncHandler, StockSyncProcessor},
};

/// Serves one connection, until its end. To be called within a runtime.
pub(crate) fn start(tracer: JaegerTracer, database: Database, pool: PgPool) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let stock = Stock {
        runtime: Handle::current(),
        database,
        pool,
    };
    thread::spawn(move || -> thrift::Result<()> {
        let processor = ThriftProcessor::new(tracer, StockSyncProcessor::new(stock));
        let (mut input, mut output) = protocols(listener.accept()?.0)?;
        while processor.process(&mut input, &mut output).is_ok() {}
        Ok(())
    });
    Ok(address)
}

/// Asks the service, on the thread of the caller.
pub(crate) fn take(tracer: JaegerTracer, address: SocketAddr, item: &str) -> thrift::Result<i32> {
    let (input, output) = protocols(TcpStream::connect(address)?)?;
    let traced = ThriftClient::new(tracer).peer_service("stock");
    let (input, output) = traced.wrap(input, output);
    StockSyncClient::new(input, output).count(item.to_owned())
}

fn protocols(stream: TcpStream) -> thrift::Result<(impl TInputProtocol, impl TOutputProtocol)> {
    let (reader, writer) = TTcpChannel::with_stream(stream).split()?;
    Ok((
        TCompactInputProtocol::new(TBufferedReadTransport::new(reader)),
        TCompactOutputProtocol::new(TBufferedWriteTransport::new(writer)),
    ))
}

struct Stock {
    runtime: Handle,
    database: Database,
    pool: PgPool,
}

impl StockSyncHandler for Stock {
    fn handle_count(&self, item: String) -> thrift::Result<i32> {
        let take = "UPDATE items SET count = count - 1 WHERE name = $1 RETURNING count";
        // The span of the call is active on this thread.
        let left = sqlx::query_scalar(take)
            .bind(&item)
            .fetch_one(self.database.executor(&self.pool));
        let left = self.runtime.block_on(left);
        left.map_err(|_| SoldOut { item }.into())
    }

    fn handle_restock(&self, _: String) -> thrift::Result<()> {
        Ok(())
    }
}
