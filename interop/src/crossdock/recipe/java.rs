use super::Recipe;

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
    tools: &[&["javac", "-version"], &["mvn", "--version"]],
    steps: &[&[
        "mvn",
        "--quiet",
        "--batch-mode",
        "-Dstyle.color=never",
        "compile",
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        "-DoutputDirectory=lib",
    ]],
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
