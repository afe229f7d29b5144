use super::{Line, Recipe};

/// Node over `jaeger-client` 3.19.0.
pub(crate) const JAEGER: Recipe = Recipe {
    name: "crossdock-node",
    files: &[
        ("service.js", SERVICE),
        (
            "crossdock.js",
            include_str!("../../../node/jaeger/crossdock.js"),
        ),
        (
            "package.json",
            include_str!("../../../node/jaeger/package.json"),
        ),
        (
            "package-lock.json",
            include_str!("../../../node/jaeger/package-lock.json"),
        ),
    ],
    tools: TOOLS,
    steps: &[INSTALL],
    interpreter: Some(INTERPRETER),
    run: RUN,
};

pub(super) const SERVICE: &str = include_str!("../../../node/service.js");
pub(super) const TOOLS: &[Line] = &[INTERPRETER, &["npm", "--version"]];
/// Installs what the lock file says, and runs no script of a package.
pub(super) const INSTALL: Line = &["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"];
pub(super) const INTERPRETER: Line = &["node", "--version"];
pub(super) const RUN: Line = &["node", "./crossdock.js"];
