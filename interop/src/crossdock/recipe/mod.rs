//! The services over clients that need a toolchain of their own.

pub(crate) mod java;
pub(crate) mod node;
pub(crate) mod otel;
pub(crate) mod python;

use std::{
    env::consts::{ARCH, OS},
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use crate::{Error, environment, load_program::hash, lock::Lock, log};

/// The way to have a program of another language: its files, and the commands that build it.
///
/// The program is built once for each state of its files, in a folder of its own in the cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipe {
    /// The name of the program in messages and of its folder in the cache.
    pub(crate) name: &'static str,
    /// The files by their path in that folder.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// Commands that succeed only on a machine that has the tools of the build.
    pub(crate) tools: &'static [Line],
    /// The commands of the build, run in the folder one after the other. A word that begins with
    /// `./` is a path in the folder, or several that colons separate.
    pub(crate) steps: &'static [Line],
    /// A command that succeeds only if the built program has its interpreter, with words like those of the steps;
    /// `None` if the program needs no interpreter.
    pub(crate) interpreter: Option<Line>,
    /// The command that runs the program, with words like those of the steps.
    pub(crate) run: Line,
}

/// A command and its arguments.
pub(crate) type Line = &'static [&'static str];

impl Recipe {
    /// Returns a command of the program. Builds it first if the cache does not have it.
    ///
    /// Threads and processes that ask at the same time wait for one build. A build that fails
    /// half-way leaves nothing that could be taken for a program.
    ///
    /// # Errors
    ///
    /// [`Error::NoTools`] if a tool is missing, [`Error::Build`] if a step fails.
    pub(crate) fn command(&self) -> Result<Command, Error> {
        let home = self.home(&environment::cache_dir()?, environment::say)?;
        Ok(command(self.run, &home))
    }

    fn home(&self, cache: &Path, say: fn(&str)) -> Result<PathBuf, Error> {
        let Self { name, files, .. } = *self;
        let home = cache.join(format!("{name}-{:016x}-{OS}-{ARCH}", hash(files)));
        if self.is_usable(&home) {
            return Ok(home);
        }
        if let Some(missing) = self.tools.iter().find(|tool| !succeeds(tool, cache)) {
            return Err(Error::NoTools {
                what: name.to_owned(),
                tool: missing.join(" "),
            });
        }
        let _lock = Lock::acquire(&cache.join(format!("{name}.lock")))?;
        if self.is_usable(&home) {
            return Ok(home);
        }
        let dir = cache.join(format!("{name}-build"));
        for old in [&dir, &home] {
            if old.exists() {
                let removing = format!("removing {}", old.display());
                fs::remove_dir_all(old).map_err(Error::io(removing))?;
            }
        }
        say(&format!("building {name} in {}, once", dir.display()));
        let started = Instant::now();
        self.write(&dir)?;
        for step in self.steps {
            self.step(&dir, step)?;
        }
        let moving = format!("moving {} to {}", dir.display(), home.display());
        fs::rename(&dir, &home).map_err(Error::io(moving))?;
        let took = started.elapsed().as_secs();
        say(&format!("built {name} in {took} s: {}", home.display()));
        Ok(home)
    }

    fn is_usable(&self, home: &Path) -> bool {
        let mut interpreter = self.interpreter.iter();
        home.is_dir() && interpreter.all(|interpreter| succeeds(interpreter, home))
    }

    fn write(&self, dir: &Path) -> Result<(), Error> {
        let creating = format!("creating {}", dir.display());
        fs::create_dir_all(dir).map_err(Error::io(creating))?;
        for (file, text) in self.files {
            let path = dir.join(file);
            let folder = path.parent().unwrap_or(dir);
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(&path, text))
                .map_err(Error::io(format!("writing {}", path.display())))?;
        }
        Ok(())
    }

    fn step(&self, dir: &Path, step: Line) -> Result<(), Error> {
        let path = dir.join(LOG);
        let opening = || format!("opening {}", path.display());
        let out = File::create(&path).map_err(Error::io(opening()))?;
        let err = out.try_clone().map_err(Error::io(opening()))?;
        let mut command = command(step, dir);
        command.current_dir(dir).stdin(Stdio::null());
        let status = command.stdout(out).stderr(err).status();
        if status.is_ok_and(|status| status.success()) {
            return Ok(());
        }
        Err(Error::Build {
            what: self.name.to_owned(),
            command: step.join(" "),
            tail: log::tail(&path),
        })
    }
}

fn succeeds(line: Line, dir: &Path) -> bool {
    let mut command = command(line, dir);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Returns a command whose words are [`within`] the folder.
fn command(line: Line, dir: &Path) -> Command {
    let mut words = line.iter().map(|word| within(dir, word));
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

/// Returns the word; one that begins with `./` as a path in the folder, or as paths that colons separate.
fn within(dir: &Path, word: &str) -> OsString {
    if !word.starts_with("./") {
        return word.into();
    }
    let mut paths = OsString::new();
    for path in word.split(':') {
        if !paths.is_empty() {
            paths.push(":");
        }
        paths.push(dir.join(path.trim_start_matches("./")));
    }
    paths
}

const LOG: &str = "build.log";

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const COUNTING: Recipe = Recipe {
        name: "counting",
        files: &[("a/count.sh", "echo built >> ../builds; echo 1 > result")],
        tools: &[&["sh", "-c", "exit 0"]],
        steps: &[&["sh", "./a/count.sh"], &["sh", "-c", "echo 2 >> result"]],
        interpreter: Some(&["test", "-e", "./result"]),
        run: &["cat", "./result"],
    };

    fn cache() -> Result<tempfile::TempDir, Error> {
        tempfile::tempdir().map_err(Error::io("creating a folder"))
    }

    fn read(path: &Path) -> Result<String, Error> {
        fs::read_to_string(path).map_err(Error::io(format!("reading {}", path.display())))
    }

    #[test]
    fn one_build_serves_all_simultaneous_requests() -> Result<(), Error> {
        let cache = cache()?;
        thread::scope(|scope| {
            let ask = || COUNTING.home(cache.path(), |_| {});
            let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            for asked in asking {
                let home = asked.join().expect("no panic in `ask`")?;
                assert_eq!(read(&home.join("result"))?, "1\n2\n");
            }
            Ok::<_, Error>(())
        })?;
        assert_eq!(read(&cache.path().join("builds"))?, "built\n");
        Ok(())
    }

    #[test]
    fn a_program_with_other_files_is_built_anew() -> Result<(), Error> {
        let cache = cache()?;
        let other = Recipe {
            files: &[("a/count.sh", "echo 3 > result")],
            ..COUNTING
        };
        let homes = [COUNTING, other].map(|recipe| recipe.home(cache.path(), |_| {}));
        let [one, two] = homes;
        assert_eq!(read(&one?.join("result"))?, "1\n2\n");
        assert_eq!(read(&two?.join("result"))?, "3\n2\n");
        Ok(())
    }

    #[test]
    fn a_failed_build_leaves_no_program_and_shows_its_output() -> Result<(), Error> {
        let cache = cache()?;
        let broken = Recipe {
            steps: &[
                &["sh", "./a/count.sh"],
                &["sh", "-c", "echo full >&2; exit 1"],
            ],
            ..COUNTING
        };
        for _ in 0..2 {
            let failed = broken.home(cache.path(), |_| {}).expect_err("it failed");
            let failed = failed.to_string();
            assert!(failed.starts_with("building counting: `sh -c"), "{failed}");
            assert!(failed.ends_with("failed:\nfull"), "{failed}");
        }
        assert_eq!(read(&cache.path().join("builds"))?, "built\nbuilt\n");
        assert!(COUNTING.home(cache.path(), |_| {})?.is_dir());
        Ok(())
    }

    #[test]
    fn a_program_that_has_lost_its_interpreter_is_built_again() -> Result<(), Error> {
        let cache = cache()?;
        let home = COUNTING.home(cache.path(), |_| {})?;
        fs::remove_file(home.join("result")).map_err(Error::io("removing a file"))?;
        assert_eq!(COUNTING.home(cache.path(), |_| {})?, home);
        assert_eq!(read(&home.join("result"))?, "1\n2\n");
        Ok(())
    }

    #[test]
    fn a_built_program_is_used_without_the_tools() -> Result<(), Error> {
        let cache = cache()?;
        let home = COUNTING.home(cache.path(), |_| {})?;
        let recipe = Recipe {
            tools: &[&["no such tool", "--version"]],
            ..COUNTING
        };
        assert_eq!(recipe.home(cache.path(), |_| {})?, home);
        Ok(())
    }

    #[test]
    fn a_missing_tool_is_named() -> Result<(), Error> {
        let cache = cache()?;
        let recipe = Recipe {
            tools: &[&["sh", "-c", "exit 0"], &["no such tool", "--version"]],
            ..COUNTING
        };
        let error = recipe.home(cache.path(), |_| {}).expect_err("no tool");
        assert_eq!(
            error.to_string(),
            "no tools on this machine for counting: `no such tool --version` fails"
        );
        Ok(())
    }
}
