//! A machine without the tools of a language.

use std::{
    env, io,
    process::{Command, Output},
};

use tracehound_interop::{
    Error, REQUIRED,
    crossdock::{PUBLISHED, Peer},
};

use crate::OWN;

#[test]
fn a_language_without_tools_is_skipped_by_name_or_fails_on_request() -> Result<(), Error> {
    const OTHER: &str = "contract::every_service_without_a_format_ends_with_code_3";
    let doing = || "running one test of this program again".to_owned();
    let io = |source| Error::Io {
        doing: doing(),
        source,
    };
    let cache = tempfile::tempdir().map_err(io)?;
    let run = |required: &str| -> io::Result<Output> {
        Command::new(env::current_exe()?)
            .args(["--exact", OTHER])
            .env("PATH", cache.path())
            .env("XDG_CACHE_HOME", cache.path())
            .env(REQUIRED, required)
            .output()
    };
    let skipped = run("0").map_err(io)?;
    let said = String::from_utf8_lossy(&skipped.stderr);
    assert!(skipped.status.success(), "{skipped:?}");
    for peer in PUBLISHED {
        let line = format!("SKIPPED: {OTHER}: {}: ", peer.name);
        assert!(said.contains(&line), "{}: {said}", peer.name);
    }
    let own = format!(": {}: ", Peer::own(OWN).name);
    assert!(!said.contains(&own), "{said}");
    let failed = run("1").map_err(io)?;
    assert!(!failed.status.success(), "{failed:?}");
    Ok(())
}
