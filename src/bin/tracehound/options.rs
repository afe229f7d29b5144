//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::output::print;
use crate::target::Target;
use crate::{CommandResult, Outcome};

/// See traces on your own machine, and find out why one is missing.
#[derive(Debug, Parser)]
#[command(
    name = "tracehound",
    version,
    after_help = "Exit codes: 0 all is well, 1 a check failed or spans were lost, 2 the command could not run."
)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a Jaeger for this machine: take spans, draw traces, serve a viewer
    Dev(DevOptions),
    /// Check why traces do not arrive: settings, backend, sampling, kernel, clock
    Doctor(DoctorOptions),
    /// Explain a trace header, part by part
    Decode(DecodeOptions),
    /// Print a trace from a running viewer or Jaeger
    Trace(TraceOptions),
    /// Show the traces in a file of Jaeger's JSON or of OTLP's
    Open(OpenOptions),
    /// Send the traces in a file of Jaeger's JSON or of OTLP's to a backend
    Replay(ReplayOptions),
    /// Send a steady load to a backend, and count what was lost
    Bench(BenchOptions),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Args, Debug)]
pub(crate) struct DevOptions {
    /// UDP port for Thrift in the compact protocol
    #[arg(long, default_value_t = 6831)]
    pub(crate) agent_port: u16,
    /// UDP port for Thrift in the binary protocol
    #[arg(long, default_value_t = 6832)]
    pub(crate) binary_agent_port: u16,
    /// TCP port for Thrift over HTTP
    #[arg(long, default_value_t = 14268)]
    pub(crate) collector_port: u16,
    /// TCP port for sampling strategies
    #[arg(long, default_value_t = 5778)]
    pub(crate) sampling_port: u16,
    /// TCP port for OTLP over HTTP
    #[arg(long, default_value_t = 4318)]
    pub(crate) otlp_port: u16,
    /// TCP port for OTLP over gRPC
    #[arg(long, default_value_t = 4317)]
    pub(crate) otlp_grpc_port: u16,
    /// TCP port for Jaeger's own gRPC
    #[arg(long, default_value_t = 14250)]
    pub(crate) jaeger_grpc_port: u16,
    /// TCP port for spans of Zipkin
    #[arg(long, default_value_t = 9411)]
    pub(crate) zipkin_port: u16,
    /// TCP port for the viewer and its JSON API, where a Jaeger has them
    #[arg(long, default_value_t = 16686)]
    pub(crate) query_port: u16,
    /// Let the system choose every port
    #[arg(long)]
    pub(crate) any_ports: bool,
    /// File of sampling strategies, read again when it changes
    #[arg(long, value_name = "FILE")]
    pub(crate) strategies: Option<PathBuf>,
    /// Keep about this many traces a second of each operation: serve probabilities that follow the traces
    #[arg(
        long,
        value_name = "TRACES",
        num_args = 0..=1,
        default_missing_value = "1",
        conflicts_with = "strategies",
        value_parser = traces_a_second
    )]
    pub(crate) adaptive: Option<f64>,
    /// Seconds after which adaptive sampling corrects its probabilities
    #[arg(long, value_name = "SECONDS", default_value = "10", requires = "adaptive", value_parser = seconds)]
    pub(crate) adaptive_interval: Duration,
    /// File that keeps the traces for the next run
    #[arg(long, value_name = "FILE")]
    pub(crate) keep: Option<PathBuf>,
    /// Traces to keep before the oldest is dropped
    #[arg(long, default_value_t = 1_000)]
    pub(crate) max_traces: usize,
    /// Memory for spans in MiB before the oldest trace is dropped
    #[arg(long, value_name = "MIB", default_value_t = 32)]
    pub(crate) memory: usize,
    /// Condition on which traces are drawn on standard output
    #[arg(long, value_enum, default_value_t = Draw::Terminal)]
    pub(crate) waterfall: Draw,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Draw {
    /// If standard output is a terminal
    Terminal,
    /// To pipes and files, too
    Always,
    /// Never
    Never,
}

#[derive(Args, Debug)]
pub(crate) struct DoctorOptions {
    /// Check the settings only; send nothing and ask nobody
    #[arg(long)]
    pub(crate) offline: bool,
    /// Operation that the sampler is asked about
    #[arg(long, default_value = "doctor")]
    pub(crate) operation: String,
    /// Seconds to wait for each answer
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Viewer or query service of Jaeger that must have what was sent; else port 16686 of the receiver's host is tried
    #[arg(long, value_name = "URL", conflicts_with = "offline")]
    pub(crate) read_back: Option<String>,
    /// List every setting with its origin
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Args, Debug)]
pub(crate) struct DecodeOptions {
    /// Headers as `NAME: VALUE`, or values alone; `-` reads lines from standard input
    #[arg(required = true, value_name = "HEADER")]
    pub(crate) headers: Vec<String>,
    /// The value is Jaeger's binary form, in hex digits or base64
    #[arg(long)]
    pub(crate) binary: bool,
}

#[derive(Args, Debug)]
pub(crate) struct TraceOptions {
    /// Trace id: 1 to 32 hex digits; or the address of the page of a trace
    #[arg(required_unless_present = "last", conflicts_with = "last")]
    pub(crate) id: Option<String>,
    /// The trace that started last
    #[arg(long)]
    pub(crate) last: bool,
    /// With `--last`: only traces of this service
    #[arg(long, requires = "last")]
    pub(crate) service: Option<String>,
    /// Viewer of `tracehound dev` or query service of Jaeger
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:16686")]
    pub(crate) from: String,
    #[command(flatten)]
    pub(crate) show: ShowOptions,
}

#[derive(Args, Debug)]
pub(crate) struct ShowOptions {
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Columns of a text
    #[arg(long, default_value_t = 120)]
    pub(crate) columns: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A waterfall in text
    Text,
    /// JSON as Jaeger's user interface reads it
    Json,
    /// A page that needs no server
    Html,
    /// A picture for documents
    Svg,
}

#[derive(Args, Debug)]
pub(crate) struct OpenOptions {
    /// File of Jaeger's JSON or of OTLP's; `-` reads standard input
    pub(crate) file: PathBuf,
    /// Show only the trace with this id
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// Write a page to the folder of temporary files, and open it in a browser
    #[arg(long, conflicts_with = "format")]
    pub(crate) browser: bool,
    #[command(flatten)]
    pub(crate) show: ShowOptions,
}

#[derive(Args, Debug)]
pub(crate) struct ReplayOptions {
    /// File of Jaeger's JSON or of OTLP's; `-` reads standard input
    pub(crate) file: PathBuf,
    /// Address to send to
    #[arg(long, long_help = TO_HELP)]
    pub(crate) to: Target,
    /// Move all times so that the last span ends now
    #[arg(long)]
    pub(crate) now: bool,
    /// Seconds until spans that were not sent count as lost
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

#[derive(Args, Debug)]
pub(crate) struct BenchOptions {
    /// Address to send to
    #[arg(long_help = TO_HELP)]
    pub(crate) to: Target,
    /// Spans a second
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: u32,
    /// Seconds that it takes
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) duration: Duration,
    /// Read back what arrived, from this viewer or query service of Jaeger
    #[arg(long, value_name = "URL")]
    pub(crate) read_back: Option<String>,
}

const TO_HELP: &str = "Address to send to:
  HOST:PORT, udp://HOST:PORT   Thrift over UDP to an agent
  http://HOST:PORT/api/traces  Thrift over HTTP to a collector
  http://HOST:PORT/v1/traces   OTLP over HTTP; a URL without a path is one of OTLP, too
  http://HOST:PORT/api/v2/spans  JSON to a Zipkin
  grpc://HOST:4317             OTLP over gRPC
  grpc://HOST:14250            Jaeger's gRPC to a collector";

/// Prints completions.
pub(crate) fn completions(shell: Shell) -> CommandResult {
    let mut command = Options::command();
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, "tracehound", &mut text);
    print(&String::from_utf8_lossy(&text));
    Ok(Outcome::Good)
}

fn traces_a_second(text: &str) -> Result<f64, String> {
    let traces = text
        .parse()
        .ok()
        .filter(|traces: &f64| traces.is_finite() && *traces > 0.0);
    traces.ok_or_else(|| "not a number above 0".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds")?;
    let duration = Duration::try_from_secs_f64(seconds);
    duration
        .ok()
        .filter(|duration| *duration <= MOST)
        .ok_or_else(|| format!("not between 0 and {} seconds", MOST.as_secs()))
}

const MOST: Duration = Duration::from_secs(24 * 60 * 60);
