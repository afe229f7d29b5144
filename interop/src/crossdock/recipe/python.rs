use super::Recipe;

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
    tools: &[&["python3", "-m", "venv", "--help"]],
    steps: &[
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
    ],
    interpreter: Some(&["./env/bin/python", "--version"]),
    run: &["./env/bin/python", "./crossdock.py"],
};
