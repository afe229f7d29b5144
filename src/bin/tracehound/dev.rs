//! `tracehound dev`.

use std::future::{poll_fn, ready};
use std::io::{self, Write};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{self, Runtime};
use tracehound::dev::{DevOptions, DevServer, Waterfall};

use crate::kept_traces::KeptTraces;
use crate::options::{DevOptions as Options, Draw};
use crate::{CommandResult, Outcome};

/// Writes a line to standard output. The server runs on without a reader.
macro_rules! tell {
    ($($text:tt)*) => {{
        let _ = writeln!(io::stdout(), $($text)*);
    }};
}

/// Runs until the program is told to end.
pub(crate) fn run(options: &Options) -> CommandResult {
    // Who reads where the server listens may already tell it to end.
    let ending = Ending::listen()?;
    let server = DevServer::start(server_options(options))?;
    let mut kept = match &options.keep {
        Some(path) => Some(KeptTraces::open(path, options.memory, &server)?),
        None => None,
    };
    let viewer = server.jaeger_query_address();
    let viewer = viewer.unwrap_or_else(|| server.query_address());
    tell!("viewer     http://{viewer}/");
    tell!("agent      udp://{}  (compact)", server.agent_address());
    let binary = server.binary_agent_address();
    tell!("agent      udp://{binary}  (binary)");
    let collector = server.collector_address();
    tell!("collector  http://{collector}/api/traces");
    for (name, address, scheme, path) in [
        ("otlp", server.otlp_address(), "http", "/v1/traces"),
        ("otlp", server.otlp_grpc_address(), "grpc", ""),
        ("jaeger", server.jaeger_grpc_address(), "grpc", ""),
        ("zipkin", server.zipkin_address(), "http", "/api/v2/spans"),
    ] {
        if let Some(address) = address {
            tell!("{name:10} {scheme}://{address}{path}");
        }
    }
    tell!("sampling   http://{}/sampling", server.sampling_address());
    let (mut looks, mut is_told) = (0_u32, false);
    ending.wait(|| {
        looks = looks.wrapping_add(1);
        if !is_told && server.totals().undecodable > 0 {
            is_told = true;
            tell_of_unreadable(&server);
        }
        if let Some(kept) = kept.as_mut().filter(|_| looks % LOOKS_TO_SAVE == 0) {
            kept.save_or_complain(&server);
        }
    })?;
    server.wait_until_read(LAST_SPANS);
    if let Some(kept) = &mut kept {
        kept.save(&server)?;
    }
    let totals = server.totals();
    tell!(
        "received {}, dropped {}, evicted {}, repeated {}, unreadable {}, lost by clients {}",
        totals.received,
        totals.dropped,
        totals.evicted,
        totals.repeated,
        totals.undecodable,
        totals.lost_by_clients
    );
    Ok(Outcome::Good)
}

fn tell_of_unreadable(server: &DevServer) {
    tell!(
        "unreadable  something came that is no batch of spans, or in another protocol than that of the port: the \
         compact one belongs to udp://{}, the binary one to udp://{}",
        server.agent_address(),
        server.binary_agent_address()
    );
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
    let server = match options.adaptive {
        Some(traces) => server.adaptive_sampling(traces, options.adaptive_interval),
        None => server,
    };
    if options.any_ports {
        server.any_ports()
    } else {
        server
    }
}

/// Ctrl-C, and on Unix SIGTERM and SIGHUP, which do not end the program at once any more. SIGHUP stays ignored where it
/// was.
struct Ending {
    runtime: Runtime,
    end: Pin<Box<dyn Future<Output = io::Result<()>>>>,
}

impl Ending {
    fn listen() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut end: Pin<Box<dyn Future<Output = _>>> = Box::pin(told_to_end());
        // It listens from the first poll on.
        let first = poll_fn(|context| Poll::Ready(end.as_mut().poll(context)));
        if let Poll::Ready(ended) = runtime.block_on(first) {
            end = Box::pin(ready(ended));
        }
        Ok(Self { runtime, end })
    }

    /// Waits for the end. Calls a function twice a second.
    fn wait(mut self, mut look: impl FnMut()) -> io::Result<()> {
        self.runtime.block_on(async {
            loop {
                tokio::select! {
                    ended = &mut self.end => return ended,
                    () = tokio::time::sleep(LOOK_INTERVAL) => look(),
                }
            }
        })
    }
}

async fn told_to_end() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = match is_hangup_ignored() {
            true => None,
            false => Some(signal(SignalKind::hangup())?),
        };
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
            _ = hung_up => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

/// Returns whether the program was told to live on after its terminal, as by `nohup`. Only Linux says so; elsewhere a
/// closed terminal ends the program at once, unless it was told to live on.
#[cfg(unix)]
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // The lowest bit is that of signal 1.
    ignored.is_none_or(|mask| mask & 1 == 1)
}

const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Traces are saved every five seconds.
const LOOKS_TO_SAVE: u32 = 10;
const LAST_SPANS: Duration = Duration::from_millis(500);

#[cfg(all(test, unix))]
mod tests {
    use std::process::{self, Command};

    use super::*;

    #[test]
    fn a_signal_counts_that_comes_before_anybody_waits() {
        let ending = Ending::listen().expect("signals");
        let id = process::id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.expect("kill runs").success());
        ending.wait(|| {}).expect("told to end");
    }
}
