use super::{Line, Recipe};

/// Python over `jaeger-client` 4.8.0, with gRPC.
pub(crate) const WITH_GRPC: Recipe = Recipe {
    name: "crossdock-python-grpc",
    files: &[
        ("crossdock.py", include_str!("../../../python/crossdock.py")),
        (
            "crossdock_grpc.py",
            include_str!("../../../python/crossdock_grpc.py"),
        ),
        (
            "requirements.txt",
            include_str!("../../../python/requirements-grpc.txt"),
        ),
    ],
    tools: TOOLS,
    steps: INSTALL,
    interpreter: INTERPRETER,
    run: &["./env/bin/python", "./crossdock.py"],
};

/// A peer on a NATS server over `jaeger-client` 4.8.0 and `nats-py` 2.16.0.
pub(crate) const WITH_NATS: Recipe = Recipe {
    name: "nats-python",
    files: &[
        ("nats_peer.py", include_str!("../../../python/nats_peer.py")),
        (
            "requirements.txt",
            include_str!("../../../python/requirements-nats.txt"),
        ),
    ],
    tools: TOOLS,
    steps: INSTALL,
    interpreter: INTERPRETER,
    run: &["./env/bin/python", "./nats_peer.py"],
};

/// A client of the Model Context Protocol over `mcp` 2.3.0.
pub(crate) const MCP_CLIENT: Recipe = Recipe {
    name: "python-mcp",
    files: &[
        ("mcp_calls.py", include_str!("../../../python/mcp_calls.py")),
        (
            "requirements.txt",
            include_str!("../../../python/requirements-mcp.txt"),
        ),
    ],
    tools: TOOLS,
    steps: INSTALL,
    interpreter: INTERPRETER,
    run: &["./env/bin/python", "./mcp_calls.py"],
};

/// A client and a server of gRPC streams over `grpcio` 1.76.0.
pub(crate) const GRPC_STREAMS: Recipe = Recipe {
    name: "python-grpc-streams",
    files: &[
        (
            "grpc_streams.py",
            include_str!("../../../python/grpc_streams.py"),
        ),
        (
            "requirements.txt",
            "grpcio==1.76.0\ntyping_extensions==4.15.0\n",
        ),
    ],
    tools: TOOLS,
    steps: INSTALL,
    interpreter: INTERPRETER,
    run: &["./env/bin/python", "./grpc_streams.py"],
};

const TOOLS: &[Line] = &[&["python3", "-m", "venv", "--help"]];
const INSTALL: &[Line] = &[
    &["python3", "-m", "venv", "./env"],
    &[
        "./env/bin/python",
        "-m",
        "pip",
        "install",
        "--no-input",
        "--only-binary=grpcio",
        "-r",
        "./requirements.txt",
    ],
];
const INTERPRETER: Option<Line> = Some(&["./env/bin/python", "--version"]);
