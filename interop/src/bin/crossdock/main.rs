//! The service of this library for the crossdock, the cross-language tests of Jaeger's clients.
//!
//! `CROSSDOCK.md` describes the protocol and the flags. A driver of any language can call it.

mod generated;
mod grpc;
mod options;
mod service;

use std::{error::Error, pin::pin, process::ExitCode, time::Duration};

use axum::serve::ListenerExt;
use tokio::{
    net::TcpListener,
    select,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::timeout,
};
use tonic::transport::{Server, server::TcpIncoming};

use crate::{options::Options, service::Service};

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::read() {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(BAD_USAGE);
        }
    };
    let tracer = match options.tracer() {
        Ok(tracer) => tracer,
        Err(error) => {
            eprintln!("{}", options::one_line(&error));
            let lacks_format = options::lacks_format(&error);
            return ExitCode::from(if lacks_format {
                LACKS_FORMAT
            } else {
                BAD_USAGE
            });
        }
    };
    let served = match Service::new(tracer, options.clone()) {
        Ok(service) => serve(&options, service).await,
        Err(error) => Err(error.into()),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", options.listen);
            ExitCode::FAILURE
        }
    }
}

/// Serves until a signal asks for the end, and then sends the remaining spans.
async fn serve(options: &Options, service: Service) -> Result<(), Box<dyn Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind(options.listen).await?;
    eprintln!("{} listens on {}", options.service, listener.local_addr()?);
    // An answer in two packets would otherwise wait for an acknowledgement.
    let listener = listener.tap_io(|stream| {
        // Only slower without.
        let _ = stream.set_nodelay(true);
    });
    let grpc = match options.grpc_port {
        Some(port) => Some(TcpListener::bind((options.listen.ip(), port)).await?),
        None => None,
    };
    if let Some(listener) = grpc {
        let server = Server::builder()
            .layer(service.grpc_spans())
            .add_routes(grpc::server::routes(service.clone()));
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        // No graceful end: a caller stops this program only after its calls were answered.
        tokio::spawn(server.serve_with_incoming(incoming));
    }
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = axum::serve(listener, service.router()).with_graceful_shutdown(async {
        // An error says that the sender is gone, which it is at the end as well.
        let _ = stopped.await;
    });
    let mut serving = pin!(serving.into_future());
    let ended = select! {
        served = &mut serving => Some(served),
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
    };
    drop(stop);
    match ended {
        Some(served) => served?,
        // The spans of requests that are being answered finish first.
        None => match timeout(ANSWER_WITHIN, serving).await {
            Ok(served) => served?,
            Err(_) => eprintln!("requests are still open after {ANSWER_WITHIN:?}"),
        },
    }
    for report in service.close(CLOSE_WITHIN) {
        eprintln!("spans: {report}");
    }
    Ok(())
}

/// The exit code that the driver expects of a service without the format.
const LACKS_FORMAT: u8 = 3;
const BAD_USAGE: u8 = 2;
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
