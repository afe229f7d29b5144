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

/// A peer on a NATS server over `jaeger-client` 3.19.0 and `nats` 2.29.3.
pub(crate) const NATS: Recipe = Recipe {
    name: "nats-node",
    files: &[
        (
            "nats_peer.js",
            include_str!("../../../node/nats/nats_peer.js"),
        ),
        (
            "package.json",
            include_str!("../../../node/nats/package.json"),
        ),
        (
            "package-lock.json",
            include_str!("../../../node/nats/package-lock.json"),
        ),
    ],
    tools: TOOLS,
    steps: &[INSTALL],
    interpreter: Some(INTERPRETER),
    run: &["node", "./nats_peer.js"],
};

/// The script of axe-core 4.14.1, which checks what is in a page.
pub(crate) const AXE: Recipe = Recipe {
    name: "axe-core",
    files: &[
        (
            "package.json",
            include_str!("../../../node/axe/package.json"),
        ),
        (
            "package-lock.json",
            include_str!("../../../node/axe/package-lock.json"),
        ),
    ],
    tools: TOOLS,
    steps: &[INSTALL],
    interpreter: None,
    run: &["cat", "./node_modules/axe-core/axe.min.js"],
};

pub(super) const SERVICE: &str = include_str!("../../../node/service.js");
pub(super) const TOOLS: &[Line] = &[INTERPRETER, &["npm", "--version"]];
/// Installs what the lock file says, and runs no script of a package.
pub(super) const INSTALL: Line = &["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"];
pub(super) const INTERPRETER: Line = &["node", "--version"];
pub(super) const RUN: Line = &["node", "./crossdock.js"];
