use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, Write},
    path::PathBuf,
    thread,
};

use crate::Error;

/// The environment variable that turns a skipped test into a failed one when it is `1`.
pub const REQUIRED: &str = "TRACEHOUND_INTEROP_REQUIRED";

/// Whether a missing counterpart is a failure here, as [`REQUIRED`] says.
pub fn is_required() -> bool {
    env::var_os(REQUIRED).is_some_and(|value| value == "1")
}

/// Says on standard error that the running test is skipped, by its name, and why.
///
/// Written past the test runner's capture, so that it is seen although the test passes.
pub fn skipped(reason: impl AsRef<str>) {
    let thread = thread::current();
    let test = thread.name().unwrap_or("a test without a name");
    say(&format!("SKIPPED: {test}: {}", reason.as_ref()));
}

/// One line for whoever watches, not captured by the test runner.
pub(crate) fn say(line: &str) {
    // Nobody reading standard error is no reason to fail.
    let _ = writeln!(io::stderr(), "{line}");
}

/// The folder for what is built or downloaded: `$XDG_CACHE_HOME/tracehound`, or
/// `~/.cache/tracehound`.
///
/// Created when it is not there. It can be deleted at any time; the next run fills it again.
///
/// # Errors
///
/// When neither variable names an absolute path, or the folder cannot be created.
pub fn cache_dir() -> Result<PathBuf, Error> {
    let dir = cache_home(env::var_os("XDG_CACHE_HOME"), env::var_os("HOME"))
        .ok_or_else(|| io::Error::other("neither XDG_CACHE_HOME nor HOME names a folder"))
        .map_err(Error::io("looking for the cache folder"))?
        .join("tracehound");
    fs::create_dir_all(&dir).map_err(Error::io(format!("creating {}", dir.display())))?;
    Ok(dir)
}

/// The variables a started program gets to see; every other one could change what it does.
pub(crate) fn after_fork() -> impl Iterator<Item = (OsString, OsString)> {
    const KEPT: [&str; 4] = ["HOME", "PATH", "SYSTEMROOT", "TMPDIR"];
    env::vars_os().filter(|(name, _)| KEPT.iter().any(|kept| name == kept))
}

/// A relative path is no folder: the base directory specification has it ignored.
fn cache_home(xdg: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    xdg.and_then(absolute)
        .or_else(|| Some(home.and_then(absolute)?.join(".cache")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_cache_is_where_xdg_says_else_below_the_home_folder() {
        let home = || Some(OsString::from("/home/u"));
        for (xdg, expected) in [
            (Some("/var/cache"), "/var/cache"),
            (Some(""), "/home/u/.cache"),
            (Some("relative"), "/home/u/.cache"),
            (None, "/home/u/.cache"),
        ] {
            let found = cache_home(xdg.map(OsString::from), home());
            assert_eq!(
                found.as_deref(),
                Some(Path::new(expected)),
                "XDG_CACHE_HOME={xdg:?}"
            );
        }
        assert_eq!(cache_home(None, None), None);
    }
}
