use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use crate::{
    Error,
    binary::Wanted,
    crossdock::{
        Format,
        recipe::{Recipe, java, node, otel, python as with_grpc},
    },
    environment,
    load_program::hash,
    python,
    toolchain::{Go, Toolchain},
};

/// A language with a service for the crossdock.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Peer {
    /// The name in messages, and in [`LACKS`](crate::crossdock::LACKS).
    pub name: &'static str,
    /// The formats that its client has, its own first.
    pub formats: &'static [Format],
    /// The process tag by which Jaeger shows the version of its client, as the client sends it.
    pub version: (&'static str, &'static str),
    program: Program,
}

#[derive(Clone, Copy, Debug)]
enum Program {
    /// A program that exists.
    At(&'static str),
    /// A program that is built, or found, when it is asked for.
    Made(fn() -> Result<Command, Error>),
    /// A program that is built by a recipe when it is asked for.
    Built(Recipe),
}

/// The services over the published clients of other languages.
pub const PUBLISHED: &[Peer] = &[
    Peer {
        name: "go",
        formats: &[Format::Jaeger, Format::B3],
        version: ("jaeger.version", "Go-2.30.0"),
        program: Program::Made(go),
    },
    Peer {
        name: "python",
        formats: &[Format::Jaeger, Format::B3],
        version: ("jaeger.version", "Python-4.8.0"),
        program: Program::Made(over_python),
    },
    Peer {
        name: "node",
        formats: &[Format::Jaeger, Format::B3],
        version: ("jaeger.version", "Node-3.19.0"),
        program: Program::Built(node::JAEGER),
    },
    Peer {
        name: "java",
        formats: &[Format::Jaeger, Format::B3, Format::W3c],
        version: ("jaeger.version", "Java-1.8.1"),
        program: Program::Built(java::JAEGER),
    },
    Peer {
        name: "otel-go",
        formats: &[Format::W3c, Format::B3, Format::Jaeger],
        version: ("telemetry.sdk.version", "1.47.0"),
        program: Program::Built(otel::GO),
    },
    Peer {
        name: "otel-node",
        formats: &[Format::W3c, Format::B3, Format::Jaeger],
        version: ("telemetry.sdk.version", "2.7.1"),
        program: Program::Built(otel::NODE),
    },
    Peer {
        name: "otel-python",
        formats: &[Format::W3c, Format::B3, Format::Jaeger],
        version: ("telemetry.sdk.version", "1.45.1"),
        program: Program::Built(otel::PYTHON),
    },
    Peer {
        name: "otel-rust",
        formats: &[Format::W3c, Format::B3],
        version: ("telemetry.sdk.version", "0.33.1"),
        program: Program::Built(otel::RUST),
    },
];

/// The service over the published Python client in an environment that also has gRPC.
pub const PYTHON_WITH_GRPC: Peer = Peer {
    name: "python",
    formats: &[Format::Jaeger, Format::B3],
    version: ("jaeger.version", "Python-4.8.0"),
    program: Program::Built(with_grpc::WITH_GRPC),
};

/// A client and a server of gRPC streams over the published Python package, which is no service but is built like one.
/// Its arguments are `serve`, or `call` and a port.
pub const PYTHON_GRPC_STREAMS: Peer = Peer {
    name: "python-grpc-streams",
    formats: &[],
    version: ("", ""),
    program: Program::Built(with_grpc::GRPC_STREAMS),
};

/// A program over the published Python client of the Model Context Protocol, which is no service but is built like one.
/// It calls all tools of a server: its arguments are the server's address, and `auto` or `legacy`.
pub const MCP_CLIENT: Peer = Peer {
    name: "mcp-client",
    formats: &[],
    version: ("", ""),
    program: Program::Built(with_grpc::MCP_CLIENT),
};

/// The script of axe-core, a checker of pages, which is no service but is had like one. The program prints it.
pub const AXE: Peer = Peer {
    name: "axe-core",
    formats: &[],
    version: ("", ""),
    program: Program::Built(node::AXE),
};

/// The published driver of the Go client's crossdock, which is no service but is started like one. It calls services at
/// the port that it listens on.
pub const GO_DRIVER: Peer = Peer {
    name: "go-driver",
    formats: &Format::ALL,
    version: ("", ""),
    program: Program::Made(go_driver),
};

/// The sampling package of OpenTelemetry's collector, which is no service but is built like one. It reads headers
/// `tracestate` from standard input and writes what it makes of each, in JSON.
pub const OTEL_SAMPLING: Peer = Peer {
    name: "otel-sampling",
    formats: &[],
    version: ("", ""),
    program: Program::Built(otel::SAMPLING),
};

/// The probabilistic sampler of the published Go client, which is no service but is built like one. Its arguments are
/// probabilities. It reads the lower halves of trace ids from standard input, eight bytes each, the highest first, and
/// writes one line for each probability, with a `1` or a `0` for each id.
pub const GO_DECISIONS: Peer = Peer {
    name: "go-decisions",
    formats: &[],
    version: ("", ""),
    program: Program::Made(go_decisions),
};

/// The probabilistic sampler of the published Java client, which is asked like [`GO_DECISIONS`].
pub const JAVA_DECISIONS: Peer = Peer {
    name: "java-decisions",
    formats: &[],
    version: ("", ""),
    program: Program::Built(java::DECISIONS),
};

/// A NATS server with JetStream, which is no service but is built like one. Its argument is a folder for its streams. It
/// prints its port, and ends when its standard input does.
pub const NATS_SERVER: Peer = Peer {
    name: "nats-server",
    formats: &[],
    version: ("", ""),
    program: Program::Made(nats_server),
};

/// Peers on a NATS server over the published clients of Jaeger and NATS. They pass messages on from one subject to
/// another.
///
/// The arguments are the address of the server, the agent, the name of the service, and the two subjects. They print a
/// line when they listen, and end when their standard input does.
pub const ON_NATS: [Peer; 2] = [
    Peer {
        name: "nats-python",
        formats: &[],
        version: ("jaeger.version", "Python-4.8.0"),
        program: Program::Built(with_grpc::WITH_NATS),
    },
    Peer {
        name: "nats-node",
        formats: &[],
        version: ("jaeger.version", "Node-3.19.0"),
        program: Program::Built(node::NATS),
    },
];

impl Peer {
    /// The service over this library. `program` is the path of the binary `crossdock` of this crate.
    ///
    /// ```
    /// use tracehound_interop::crossdock::{Format, Peer};
    ///
    /// let rust = Peer::own("target/debug/crossdock");
    /// assert!(rust.formats.contains(&Format::Jaeger));
    /// ```
    pub fn own(program: &'static str) -> Self {
        Self {
            name: "rust",
            formats: &[
                Format::Jaeger,
                Format::B3,
                Format::W3c,
                Format::Mixed,
                Format::Every,
            ],
            version: ("jaeger.version", &OWN_VERSION),
            program: Program::At(program),
        }
    }

    /// Returns a command of the program, without the flags. Its environment has nothing that could change what it does.
    ///
    /// # Errors
    ///
    /// An error that [is about tools](Error::is_missing_tools) if the machine lacks the language;
    /// [`Error::Build`] if the program cannot be built.
    pub fn command(&self) -> Result<Command, Error> {
        let mut command = match self.program {
            Program::At(path) => Command::new(path),
            Program::Made(make) => make()?,
            Program::Built(recipe) => recipe.command()?,
        };
        command.env_clear().envs(environment::passed_on());
        Ok(command)
    }

    /// Returns the format that its service speaks in a fleet with `format`; `None` if it cannot take part.
    ///
    /// ```
    /// use tracehound_interop::crossdock::{Format, PUBLISHED};
    ///
    /// let go = &PUBLISHED[0];
    /// assert_eq!(go.speaks(Format::W3c), None);
    /// assert_eq!(go.speaks(Format::Mixed), Some(Format::Jaeger));
    /// ```
    pub fn speaks(&self, format: Format) -> Option<Format> {
        if self.formats.contains(&format) {
            return Some(format);
        }
        let of_mixed_fleet = [Format::Jaeger, Format::W3c];
        let mut formats = self.formats.iter().copied();
        formats.find(|own| format == Format::Mixed && of_mixed_fleet.contains(own))
    }

    /// Returns the name of its service in Jaeger.
    pub fn service_name(&self) -> String {
        format!("crossdock-{}", self.name)
    }

    /// Returns whether it can take part, and says that it is skipped if it cannot.
    ///
    /// # Errors
    ///
    /// Like [`command`](Self::command); an error about tools only if [`REQUIRED`](crate::REQUIRED)
    /// is `1`.
    pub fn is_there_or_skipped(&self) -> Result<bool, Error> {
        match self.command() {
            Ok(_) => Ok(true),
            Err(error) if error.is_missing_tools() && !environment::is_required() => {
                environment::skipped(format!("{}: {error}", self.name));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// The version that the library should show: that of its manifest.
static OWN_VERSION: LazyLock<String> = LazyLock::new(|| {
    let manifest = include_str!("../../../Cargo.toml");
    let mut lines = manifest.lines().skip_while(|line| *line != "[package]");
    let version = lines.find_map(|line| line.strip_prefix("version = "));
    format!("Rust-{}", version.unwrap_or_default().trim_matches('"'))
});

fn go() -> Result<Command, Error> {
    const SOURCE: [(&str, &str); 4] = [
        ("main.go", include_str!("../../go/crossdock/main.go")),
        ("grpc.go", include_str!("../../go/crossdock/grpc.go")),
        ("go.mod", include_str!("../../go/crossdock/go.mod")),
        ("go.sum", include_str!("../../go/crossdock/go.sum")),
    ];
    built("crossdock-go", &SOURCE)
}

fn go_driver() -> Result<Command, Error> {
    const SOURCE: [(&str, &str); 3] = [
        ("main.go", include_str!("../../go/crossdock-driver/main.go")),
        ("go.mod", include_str!("../../go/crossdock-driver/go.mod")),
        ("go.sum", include_str!("../../go/crossdock-driver/go.sum")),
    ];
    built("crossdock-go-driver", &SOURCE)
}

fn go_decisions() -> Result<Command, Error> {
    const SOURCE: [(&str, &str); 3] = [
        ("main.go", include_str!("../../go/decisions/main.go")),
        ("go.mod", include_str!("../../go/decisions/go.mod")),
        ("go.sum", include_str!("../../go/decisions/go.sum")),
    ];
    built("go-decisions", &SOURCE)
}

fn nats_server() -> Result<Command, Error> {
    const SOURCE: [(&str, &str); 3] = [
        ("main.go", include_str!("../../go/nats/main.go")),
        ("go.mod", include_str!("../../go/nats/go.mod")),
        ("go.sum", include_str!("../../go/nats/go.sum")),
    ];
    built("nats-server", &SOURCE)
}

/// Returns the Go program. Builds it first if the cache does not have it.
fn built(name: &str, source: &[(&str, &str)]) -> Result<Command, Error> {
    let wanted = Wanted {
        what: name,
        file: &format!("{name}-{:016x}", hash(source)),
    };
    let cache = environment::cache_dir()?;
    let program = wanted.cached(&cache, &Toolchain::go(), environment::say, |go| {
        build(go, source)
    })?;
    Ok(Command::new(program))
}

fn build(go: &Go<'_>, source: &[(&str, &str)]) -> Result<PathBuf, Error> {
    for (file, text) in source {
        fs::write(go.dir.join(file), text).map_err(Error::io(format!("writing {file}")))?;
    }
    go.run(&["build", "-buildvcs=false", "-o", "program", "."])?;
    Ok(go.dir.join("program"))
}

fn over_python() -> Result<Command, Error> {
    let mut command = Command::new(python()?);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/crossdock.py"));
    Ok(command)
}
