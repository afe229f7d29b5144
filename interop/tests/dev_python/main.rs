//! Published Python clients and the embedded agent: Jaeger's, whose spans it takes, alone and in one trace with ours,
//! and one of the Model Context Protocol, which calls its tools.

mod headers;
mod mcp;
mod program;
mod server;
mod store;

use std::{
    env, io,
    process::{Command, Output},
};

use tracehound_interop::REQUIRED;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

#[test]
fn a_test_without_python_is_skipped_by_name_or_fails_on_request() -> Result {
    const OTHER: &str = "headers::a_trace_unsampled_by_rust_stays_unsampled_in_python";
    let cache = tempfile::tempdir()?;
    let run = |required: &str| -> io::Result<Output> {
        Command::new(env::current_exe()?)
            .args(["--exact", OTHER])
            .env("PATH", cache.path())
            .env("XDG_CACHE_HOME", cache.path())
            .env(REQUIRED, required)
            .output()
    };
    let skipped = run("0")?;
    let said = String::from_utf8_lossy(&skipped.stderr);
    assert!(skipped.status.success(), "{said}");
    assert!(said.contains("SKIPPED: ") && said.contains(OTHER), "{said}");
    let failed = run("1")?;
    let said = String::from_utf8_lossy(&failed.stdout);
    assert!(!failed.status.success(), "{said}");
    assert!(said.contains("no Python with the Jaeger client"), "{said}");
    Ok(())
}
