//! `tracehound dev`.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use tracehound::dev::{DevOptions, DevServer, Waterfall};
use tracehound::view::Trace;

use crate::options::{DevOptions as Options, Draw};
use crate::{CommandResult, Outcome, file};

/// Runs until the program is told to end.
pub(crate) fn run(options: &Options) -> CommandResult {
    let server = DevServer::start(server_options(options))?;
    let mut kept = match &options.keep {
        Some(path) => Some(KeptTraces::open(path, &server)?),
        None => None,
    };
    let viewer = server.jaeger_query_address();
    let viewer = viewer.unwrap_or_else(|| server.query_address());
    println!("viewer     http://{viewer}/");
    println!("agent      udp://{}  (compact)", server.agent_address());
    let binary = server.binary_agent_address();
    println!("agent      udp://{binary}  (binary)");
    let collector = server.collector_address();
    println!("collector  http://{collector}/api/traces");
    for (name, address, scheme, path) in [
        ("otlp", server.otlp_address(), "http", "/v1/traces"),
        ("otlp", server.otlp_grpc_address(), "grpc", ""),
        ("jaeger", server.jaeger_grpc_address(), "grpc", ""),
        ("zipkin", server.zipkin_address(), "http", "/api/v2/spans"),
    ] {
        if let Some(address) = address {
            println!("{name:10} {scheme}://{address}{path}");
        }
    }
    println!("sampling   http://{}/sampling", server.sampling_address());
    wait_for_end(|| kept.as_mut().map_or(Ok(()), |kept| kept.save(&server)))?;
    server.wait_until_read(LAST_SPANS);
    if let Some(kept) = &mut kept {
        kept.save(&server)?;
    }
    let totals = server.totals();
    println!(
        "received {}, dropped {}, evicted {}, unreadable {}, lost by clients {}",
        totals.received, totals.dropped, totals.evicted, totals.undecodable, totals.lost_by_clients
    );
    Ok(Outcome::Good)
}

fn server_options(options: &Options) -> DevOptions {
    let server = DevOptions::new()
        .agent_port(options.agent_port)
        .binary_agent_port(options.binary_agent_port)
        .collector_port(options.collector_port)
        .sampling_port(options.sampling_port)
        .jaeger_query_port(options.query_port)
        .otlp_port(options.otlp_port)
        .otlp_grpc_port(options.otlp_grpc_port)
        .jaeger_grpc_port(options.jaeger_grpc_port)
        .zipkin_port(options.zipkin_port)
        .max_traces(options.max_traces)
        .max_bytes(options.memory.saturating_mul(1024 * 1024))
        .waterfall(match options.waterfall {
            Draw::Terminal => Waterfall::OnTerminal,
            Draw::Always => Waterfall::Always,
            Draw::Never => Waterfall::Never,
        });
    let server = match &options.strategies {
        Some(path) => server.strategies_file(path),
        None => server,
    };
    if options.any_ports {
        server.any_ports()
    } else {
        server
    }
}

/// A file of traces.
struct KeptTraces {
    path: PathBuf,
    /// The number of spans that had come when the file was written.
    spans: u64,
}

impl KeptTraces {
    /// Gives the server the traces of an earlier run.
    fn open(path: &Path, server: &DevServer) -> Result<Self, String> {
        if path.exists() {
            server.add(file::traces(path)?);
        }
        Ok(Self {
            path: path.to_owned(),
            spans: server.totals().received,
        })
    }

    /// Writes the file if spans have come. It is replaced as a whole.
    fn save(&mut self, server: &DevServer) -> Result<(), Box<dyn Error>> {
        let spans = server.totals().received;
        if spans == self.spans {
            return Ok(());
        }
        let written = self.path.with_extension("new");
        let name = self.path.display();
        fs::write(&written, Trace::json_of(&server.traces()))
            .and_then(|()| fs::rename(&written, &self.path))
            .map_err(|error| format!("{name}: {error}"))?;
        self.spans = spans;
        Ok(())
    }
}

/// Waits for Ctrl-C, and on Unix for SIGTERM. Calls a function every few seconds.
fn wait_for_end(
    mut every_few_seconds: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut end = pin!(told_to_end());
        loop {
            tokio::select! {
                ended = &mut end => return Ok(ended?),
                () = tokio::time::sleep(SAVE_INTERVAL) => every_few_seconds()?,
            }
        }
    })
}

async fn told_to_end() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

const SAVE_INTERVAL: Duration = Duration::from_secs(5);
const LAST_SPANS: Duration = Duration::from_millis(500);
