use super::{Recipe, node};

/// Go over the OpenTelemetry SDK 1.47.0.
pub(crate) const GO: Recipe = Recipe {
    name: "crossdock-otel-go",
    files: &[
        ("main.go", include_str!("../../../otel/go/main.go")),
        (
            "crossdock.go",
            include_str!("../../../otel/go/crossdock.go"),
        ),
        ("go.mod", include_str!("../../../otel/go/go.mod")),
        ("go.sum", include_str!("../../../otel/go/go.sum")),
    ],
    tools: &[&["go", "version"]],
    steps: &[&[
        "env",
        "CGO_ENABLED=0",
        "GOFLAGS=-mod=readonly",
        "GOWORK=off",
        "go",
        "build",
        "-buildvcs=false",
        "-o",
        "./crossdock",
        ".",
    ]],
    interpreter: None,
    run: &["./crossdock"],
};

/// The package `sampling` 0.165.1 of OpenTelemetry's collector, for Go.
pub(crate) const SAMPLING: Recipe = Recipe {
    name: "otel-sampling",
    files: &[
        ("main.go", include_str!("../../../otel/sampling/main.go")),
        ("go.mod", include_str!("../../../otel/sampling/go.mod")),
        ("go.sum", include_str!("../../../otel/sampling/go.sum")),
    ],
    tools: &[&["go", "version"]],
    steps: &[&[
        "env",
        "CGO_ENABLED=0",
        "GOFLAGS=-mod=readonly",
        "GOWORK=off",
        "go",
        "build",
        "-buildvcs=false",
        "-o",
        "./sampling",
        ".",
    ]],
    interpreter: None,
    run: &["./sampling"],
};

/// Node over the OpenTelemetry SDK 2.7.1.
pub(crate) const NODE: Recipe = Recipe {
    name: "crossdock-otel-node",
    files: &[
        ("service.js", node::SERVICE),
        (
            "crossdock.js",
            include_str!("../../../otel/node/crossdock.js"),
        ),
        (
            "package.json",
            include_str!("../../../otel/node/package.json"),
        ),
        (
            "package-lock.json",
            include_str!("../../../otel/node/package-lock.json"),
        ),
    ],
    tools: node::TOOLS,
    steps: &[node::INSTALL],
    interpreter: Some(node::INTERPRETER),
    run: node::RUN,
};

/// Python over the OpenTelemetry SDK 1.45.1.
pub(crate) const PYTHON: Recipe = Recipe {
    name: "crossdock-otel-python",
    files: &[
        (
            "crossdock.py",
            include_str!("../../../otel/python/crossdock.py"),
        ),
        (
            "requirements.txt",
            include_str!("../../../otel/python/requirements.txt"),
        ),
    ],
    tools: &[&["python3", "-m", "venv", "--help"]],
    steps: &[
        &["python3", "-m", "venv", "./env"],
        &[
            "./env/bin/python",
            "-m",
            "pip",
            "install",
            "--no-input",
            "-r",
            "./requirements.txt",
        ],
    ],
    interpreter: Some(&["./env/bin/python", "--version"]),
    run: &["./env/bin/python", "./crossdock.py"],
};

/// Rust over the OpenTelemetry SDK 0.33.1.
pub(crate) const RUST: Recipe = Recipe {
    name: "crossdock-otel-rust",
    files: &[
        (
            "src/main.rs",
            include_str!("../../../otel/rust/src/main.rs"),
        ),
        (
            "src/sampler.rs",
            include_str!("../../../otel/rust/src/sampler.rs"),
        ),
        (
            "src/service.rs",
            include_str!("../../../otel/rust/src/service.rs"),
        ),
        ("Cargo.toml", include_str!("../../../otel/rust/Cargo.toml")),
        ("Cargo.lock", include_str!("../../../otel/rust/Cargo.lock")),
    ],
    tools: &[&["cargo", "--version"]],
    steps: &[
        &["cargo", "build", "--locked", "--target-dir", "./target"],
        &["mv", "./target/debug/crossdock", "./crossdock"],
        &["rm", "-rf", "./target"],
    ],
    interpreter: None,
    run: &["./crossdock"],
};
