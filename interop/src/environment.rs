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

/// Returns whether a missing counterpart is a failure, as [`REQUIRED`] says.
pub fn is_required() -> bool {
    env::var_os(REQUIRED).is_some_and(|value| value == "1")
}

/// Says on standard error that the running test is skipped, with its name and the reason.
///
/// The line is written past the capture of the test runner, so it is seen although the test passes.
pub fn skipped(reason: impl AsRef<str>) {
    let thread = thread::current();
    let test = thread.name().unwrap_or("a test without a name");
    say(&format!("SKIPPED: {test}: {}", reason.as_ref()));
}

/// Writes a line that the test runner does not capture.
pub(crate) fn say(line: &str) {
    // A closed standard error is no reason to fail.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Returns the folder for built and downloaded programs: `$XDG_CACHE_HOME/tracehound`, or
/// `~/.cache/tracehound`.
///
/// Creates it if it does not exist. It can be deleted at any time; the next run fills it again.
///
/// # Errors
///
/// Fails if neither variable names an absolute path, or the folder cannot be created.
pub fn cache_dir() -> Result<PathBuf, Error> {
    let dir = cache_home(env::var_os("XDG_CACHE_HOME"), env::var_os("HOME"))
        .ok_or_else(|| io::Error::other("neither XDG_CACHE_HOME nor HOME names a folder"))
        .map_err(Error::io("looking for the cache folder"))?
        .join("tracehound");
    fs::create_dir_all(&dir).map_err(Error::io(format!("creating {}", dir.display())))?;
    Ok(dir)
}

/// The variables that a started program gets. Every other one could change what it does.
pub(crate) fn passed_on() -> impl Iterator<Item = (OsString, OsString)> {
    const KEPT: [&str; 4] = ["HOME", "PATH", "SYSTEMROOT", "TMPDIR"];
    env::vars_os().filter(|(name, _)| KEPT.iter().any(|kept| name == kept))
}

/// Returns the folder; a relative path is ignored, as the base directory specification requires.
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
    fn the_cache_is_at_the_xdg_folder_or_below_the_home_folder() {
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
