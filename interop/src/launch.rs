use std::{fs, path::Path, process::Command};

use crate::{Endpoints, Error, Version, environment};

/// The capacity of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// The default of the version.
    Usual,
    /// Every span of a load, so that spans can be lost only on the way to the backend.
    Load,
}

impl Room {
    /// v1's collector keeps 2,000 spans for its store by default, a tenth of the largest burst. No
    /// load was seen to fill that, but a store that stalls for a tenth of a second would fill it.
    const fn v1_collector_queue(self) -> Option<u32> {
        match self {
            Self::Usual => None,
            Self::Load => Some(100_000),
        }
    }

    /// v2 keeps this many traces; each span of a load is a trace. v1 keeps all.
    const fn v2_traces(self) -> u32 {
        match self {
            Self::Usual => 100_000,
            Self::Load => 1_000_000,
        }
    }
}

/// The source of a backend's sampling strategies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sampling {
    /// The file [`STRATEGIES`], which says "keep all" at first.
    File,
    /// The backend itself, from the traces that it gets. Only v1: v2.13.0 never changes its first answer.
    Adaptive,
}

impl Sampling {
    /// Both need a reload or a calculation within seconds. An adaptive backend takes half a minute for its first steps
    /// as it is, and minutes with its defaults. Three buckets of 5 s must be more than the delay and one interval.
    fn v1_flags(self) -> &'static [&'static str] {
        match self {
            Self::File => &[
                "--sampling.strategies-file=strategies.json",
                "--sampling.strategies-reload-interval=1s",
            ],
            Self::Adaptive => &[
                "--sampling.target-samples-per-second=20",
                "--sampling.calculation-interval=5s",
                "--sampling.aggregation-buckets=3",
                "--sampling.delay=1s",
                "--sampling.initial-sampling-probability=0.1",
                "--sampling.delta-tolerance=0.15",
            ],
        }
    }
}

/// The description of a backend and of how it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) version: Version,
    pub(crate) room: Room,
    pub(crate) sampling: Sampling,
}

/// Returns the command that runs `program` in `dir` with the given `endpoints`.
///
/// Writes its settings into `dir`.
pub(crate) fn command(
    kind: Kind,
    program: &Path,
    dir: &Path,
    endpoints: &Endpoints,
) -> Result<Command, Error> {
    write(
        dir,
        STRATEGIES,
        r#"{"default_strategy": {"type": "probabilistic", "param": 1}}"#,
    )?;
    let mut command = Command::new(program);
    command
        .current_dir(dir)
        .env_clear()
        .envs(environment::passed_on());
    match kind.version {
        Version::V1 => {
            // Its own spans would go to the default OTLP port of the machine.
            command
                .args(v1_flags(endpoints, kind.room))
                .args(kind.sampling.v1_flags())
                .env("OTEL_TRACES_SAMPLER", "always_off");
            if kind.sampling == Sampling::Adaptive {
                command.env("SAMPLING_CONFIG_TYPE", "adaptive");
            }
        }
        Version::V2 => {
            write(dir, "jaeger.yaml", &v2_configuration(endpoints, kind.room))?;
            command.args(["--config", "file:jaeger.yaml"]);
        }
    }
    Ok(command)
}

/// Names every endpoint, because each default is "all interfaces".
fn v1_flags(at: &Endpoints, room: Room) -> Vec<String> {
    let mut flags: Vec<String> = [
        ("admin.http.host-port", at.health),
        ("collector.http-server.host-port", at.collector_http),
        ("collector.grpc-server.host-port", at.collector_grpc),
        ("collector.otlp.http.host-port", at.otlp_http),
        ("collector.otlp.grpc.host-port", at.otlp_grpc),
        ("collector.zipkin.host-port", at.zipkin),
        ("query.http-server.host-port", at.query_http),
        ("query.grpc-server.host-port", at.query_grpc),
        ("http-server.host-port", at.sampling_http),
        ("processor.jaeger-compact.server-host-port", at.compact),
        ("processor.jaeger-binary.server-host-port", at.binary),
        (
            "processor.zipkin-compact.server-host-port",
            at.zipkin_compact,
        ),
    ]
    .map(|(flag, address)| format!("--{flag}={address}"))
    .into();
    let queue = room.v1_collector_queue();
    flags.extend(queue.map(|spans| format!("--collector.queue-size={spans}")));
    flags
}

/// Sets `enable_tracing: false`, because the backend would store spans of its own. A batch waits
/// 10 ms, so that sent spans can be read soon.
fn v2_configuration(at: &Endpoints, room: Room) -> String {
    let metrics = (at.metrics.ip(), at.metrics.port());
    format!(
        r#"
service:
  extensions: [jaeger_storage, jaeger_query, remote_sampling, healthcheckv2]
  pipelines:
    traces: {{receivers: [otlp, jaeger, zipkin], processors: [batch], exporters: [jaeger_storage_exporter]}}
  telemetry:
    resource: {{service.name: jaeger}}
    metrics:
      level: detailed
      readers: [{{pull: {{exporter: {{prometheus: {{host: "{}", port: {}}}}}}}}}]
    logs: {{level: info}}
extensions:
  jaeger_storage: {{backends: {{mem: {{memory: {{max_traces: {}}}}}}}}}
  jaeger_query:
    storage: {{traces: mem}}
    enable_tracing: false
    http: {{endpoint: "{}"}}
    grpc: {{endpoint: "{}"}}
  remote_sampling:
    file: {{path: strategies.json, default_sampling_probability: 1, reload_interval: 1s}}
    http: {{endpoint: "{}"}}
    grpc: {{endpoint: "{}"}}
  healthcheckv2: {{use_v2: true, http: {{endpoint: "{}"}}}}
receivers:
  otlp: {{protocols: {{http: {{endpoint: "{}"}}, grpc: {{endpoint: "{}"}}}}}}
  jaeger:
    protocols:
      grpc: {{endpoint: "{}"}}
      thrift_http: {{endpoint: "{}"}}
      thrift_compact: {{endpoint: "{}"}}
      thrift_binary: {{endpoint: "{}"}}
  zipkin: {{endpoint: "{}"}}
processors: {{batch: {{timeout: 10ms}}}}
exporters: {{jaeger_storage_exporter: {{trace_storage: mem}}}}
"#,
        metrics.0,
        metrics.1,
        room.v2_traces(),
        at.query_http,
        at.query_grpc,
        at.sampling_http,
        at.sampling_grpc,
        at.health,
        at.otlp_http,
        at.otlp_grpc,
        at.collector_grpc,
        at.collector_http,
        at.compact,
        at.binary,
        at.zipkin,
    )
}

fn write(dir: &Path, name: &str, text: &str) -> Result<(), Error> {
    fs::write(dir.join(name), text).map_err(Error::io(format!("writing {name}")))
}

/// The file of sampling strategies, in the folder of the backend.
pub(crate) const STRATEGIES: &str = "strategies.json";
