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

/// A Thrift server and client over `opentracing-thrift` 0.1.3, with the last `libthrift` that it works with.
pub(crate) const THRIFT: Recipe = Recipe {
    name: "java-thrift",
    files: &[
        ("pom.xml", include_str!("../../../java/thrift/pom.xml")),
        (
            "src/main/java/thriftpeer/Main.java",
            include_str!("../../../java/thrift/src/main/java/thriftpeer/Main.java"),
        ),
    ],
    tools: TOOLS,
    steps: &[COMPILE],
    interpreter: Some(&["java", "-version"]),
    run: &[
        "java",
        "-Xmx64m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        // The library reads baggage in the machine's charset, which is UTF-8 by itself only from Java 18 on.
        "-Dfile.encoding=UTF-8",
        "-cp",
        "./target/classes:./lib/*",
        "thriftpeer.Main",
    ],
};

/// The Zipkin server 3.5.1, one file.
pub(crate) const ZIPKIN: Recipe = Recipe {
    name: "zipkin-3.5.1",
    files: &[],
    tools: TOOLS,
    steps: &[&[
        "mvn",
        "--quiet",
        "--batch-mode",
        "-Dstyle.color=never",
        "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy",
        "-Dartifact=io.zipkin:zipkin-server:3.5.1:jar:exec",
        "-DoutputDirectory=.",
    ]],
    interpreter: Some(&["java", "-version"]),
    run: &[
        "java",
        "-Xmx256m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-jar",
        "./zipkin-server-3.5.1-exec.jar",
    ],
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
