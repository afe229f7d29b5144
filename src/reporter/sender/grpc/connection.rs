//! A connection, and a call over it.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio::runtime::{self, Runtime};
use tokio::sync::watch;
use tokio::{task, time};
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding;
use tonic::transport::{self, Channel, Endpoint};
use tonic::{Request, Status};

use crate::http_client::MAX_REPLY_BYTES;
use crate::reporter::sender::grpc::codec::RawCodec;

/// A connection with the runtime that drives it, while a call runs.
pub(super) struct Connection {
    runtime: Runtime,
    endpoint: Endpoint,
    channel: Option<Channel>,
}

/// A call of a method with one request and one reply.
pub(super) struct Call {
    pub(super) path: &'static str,
    pub(super) gzip: bool,
    pub(super) request: Request<Bytes>,
}

/// The end of a call.
pub(super) enum End {
    Reply(Bytes),
    Status(Status),
    NotConnected(transport::Error),
    TimeIsUp { is_connected: bool },
    Interrupted,
}

impl Connection {
    /// Makes the runtime. Connects to nothing.
    pub(super) fn new(endpoint: Endpoint) -> io::Result<Self> {
        Ok(Self {
            runtime: runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            endpoint,
            channel: None,
        })
    }

    /// Connects if need be and waits for the end of a call, until `deadline` at most or until the upload is over.
    pub(super) fn run(
        &mut self,
        call: Call,
        deadline: Instant,
        mut is_over: watch::Receiver<bool>,
    ) -> End {
        let Self {
            runtime,
            endpoint,
            channel,
        } = self;
        let end = runtime.block_on(async {
            let mut over = pin!(is_over.wait_for(|is_over| *is_over));
            let mut called = pin!(time::timeout_at(
                deadline.into(),
                call.run(endpoint, channel)
            ));
            poll_fn(|cx| match over.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => called.as_mut().poll(cx).map(Some),
            })
            .await
        });
        match end {
            Some(Ok(end)) => end,
            Some(Err(_)) => End::TimeIsUp {
                is_connected: channel.is_some(),
            },
            None => End::Interrupted,
        }
    }

    /// Ends the connection. Does not wait for a look-up of the host that hangs.
    pub(super) fn end(self) {
        self.runtime.shutdown_background();
    }
}

impl Call {
    async fn run(self, endpoint: &Endpoint, kept: &mut Option<Channel>) -> End {
        // Nothing has driven a kept connection since the last call. It should see now that the server has closed it.
        for _ in 0..TURNS {
            task::yield_now().await;
        }
        let channel = match kept {
            Some(channel) => channel.clone(),
            None => match endpoint.connect().await {
                Ok(channel) => kept.insert(channel).clone(),
                Err(error) => return End::NotConnected(error),
            },
        };
        let mut client = Grpc::new(channel).max_decoding_message_size(MAX_REPLY_BYTES);
        if self.gzip {
            client = client.send_compressed(CompressionEncoding::Gzip);
        }
        if let Err(error) = client.ready().await {
            return End::Status(Status::from_error(error.into()));
        }
        let path = PathAndQuery::from_static(self.path);
        match client.unary(self.request, path, RawCodec).await {
            Ok(reply) => End::Reply(reply.into_inner()),
            Err(status) => End::Status(status),
        }
    }
}

/// The number of looks of the runtime at its sockets before a call.
const TURNS: usize = 3;
