use super::{Line, Recipe};

/// Java over `jaeger-client` 1.8.1.
pub(crate) const JAEGER: Recipe = Recipe {
    name: "crossdock-java",
    files: &[
        ("pom.xml", include_str!("../../../java/pom.xml")),
        (
            "src/main/java/crossdock/Main.java",
            include_str!("../../../java/src/main/java/crossdock/Main.java"),
        ),
        (
            "src/main/java/crossdock/Service.java",
            include_str!("../../../java/src/main/java/crossdock/Service.java"),
        ),
    ],
    tools: TOOLS,
    steps: &[COMPILE],
    interpreter: Some(&["java", "-version"]),
    // Several of these services run at once on small machines.
    run: &[
        "java",
        "-Xmx64m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        "./target/classes:./lib/*",
        "crossdock.Main",
    ],
};

/// The probabilistic sampler of `jaeger-client` 1.8.1.
pub(crate) const DECISIONS: Recipe = Recipe {
    name: "java-decisions",
    files: &[
        ("pom.xml", include_str!("../../../java/decisions/pom.xml")),
        (
            "src/main/java/decisions/Main.java",
            include_str!("../../../java/decisions/src/main/java/decisions/Main.java"),
        ),
    ],
    tools: TOOLS,
    steps: &[COMPILE],
    interpreter: Some(&["java", "-version"]),
    run: &["java", "-cp", "./target/classes:./lib/*", "decisions.Main"],
};

const TOOLS: &[Line] = &[&["javac", "-version"], &["mvn", "--version"]];

/// Compiles the program and copies its dependencies beside it.
const COMPILE: Line = &[
    "mvn",
    "--quiet",
    "--batch-mode",
    "-Dstyle.color=never",
    "compile",
    "dependency:copy-dependencies",
    "-DincludeScope=runtime",
    "-DoutputDirectory=lib",
];
