use std::{
    env::consts::{ARCH, EXE_SUFFIX, OS},
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use crate::{
    Error, Version, environment,
    lock::Lock,
    toolchain::{Go, Toolchain},
};

/// Returns the path of the backend's program. Builds it first if the cache does not have it.
///
/// The first build of a version takes minutes and downloads its modules; the program then stays in
/// [`cache_dir`](crate::cache_dir). Threads and processes that ask at the same time wait for one
/// build. A build that fails half-way leaves nothing that could be taken for a program.
///
/// # Errors
///
/// [`Error::NoGo`] if no program is cached and there is no `go` to build one; [`Error::Build`] if
/// a step fails.
pub fn binary(version: Version) -> Result<PathBuf, Error> {
    cached(
        version,
        &environment::cache_dir()?,
        &Toolchain::go(),
        environment::say,
    )
}

fn cached(
    version: Version,
    cache: &Path,
    toolchain: &Toolchain,
    say: fn(&str),
) -> Result<PathBuf, Error> {
    let wanted = Wanted {
        what: &version.to_string(),
        file: &format!("jaeger-v{}", version.number()),
    };
    wanted.cached(cache, toolchain, say, |go| build(version, go))
}

/// A Go program that is built once.
pub(crate) struct Wanted<'a> {
    /// The name in messages.
    pub(crate) what: &'a str,
    /// The name of the program's file, without machine and suffix. Another source needs another
    /// name.
    pub(crate) file: &'a str,
}

impl Wanted<'_> {
    /// Returns the program in `cache`. `build` makes it in an empty folder and returns its path there.
    pub(crate) fn cached(
        &self,
        cache: &Path,
        toolchain: &Toolchain,
        say: fn(&str),
        build: impl FnOnce(&Go<'_>) -> Result<PathBuf, Error>,
    ) -> Result<PathBuf, Error> {
        let Self { what, file } = *self;
        let program = cache.join(format!("{file}-{OS}-{ARCH}{EXE_SUFFIX}"));
        if program.is_file() {
            return Ok(program);
        }
        if !toolchain.is_there() {
            return Err(Error::NoGo);
        }
        // One lock for all versions: two builds at once would only compete for processors.
        let _lock = Lock::acquire(&cache.join("build.lock"))?;
        if program.is_file() {
            return Ok(program);
        }
        let dir = cache.join("build");
        empty(&dir)?;
        say(&format!("building {what} in {}, once", dir.display()));
        let started = Instant::now();
        let built = build(&Go {
            toolchain,
            what,
            dir: &dir,
        })?;
        fs::rename(&built, &program).map_err(Error::io(format!(
            "moving {} to {}",
            built.display(),
            program.display()
        )))?;
        let took = started.elapsed().as_secs();
        say(&format!("built {what} in {took} s: {}", program.display()));
        // Only saves space: the next build removes the folder, too.
        let _ = fs::remove_dir_all(&dir);
        Ok(program)
    }
}

fn build(version: Version, go: &Go<'_>) -> Result<PathBuf, Error> {
    let module = format!("{MODULE}@{}", version.module());
    let require = format!("-require={module}");
    match version {
        // A module with a `replace` cannot be installed from outside, so a module around it repeats
        // that line.
        Version::V1 => {
            go.run(&["mod", "init", WRAPPER])?;
            go.run(&["mod", "edit", &require, SARAMA])?;
        }
        // Its own two files pin and verify every module, some of which the checksum database does
        // not know.
        Version::V2 => {
            use_module_files(version, go)?;
            go.run(&["mod", "edit", &format!("-module={WRAPPER}"), &require])?;
        }
    }
    go.run(&[
        "build",
        "-p",
        "2",
        "-buildvcs=false",
        "-o",
        "jaeger",
        version.package(),
    ])?;
    Ok(go.dir.join("jaeger"))
}

/// Copies the two files of the backend's module that pin and verify every module that it needs.
pub(crate) fn use_module_files(version: Version, go: &Go<'_>) -> Result<(), Error> {
    let module = format!("{MODULE}@{}", version.module());
    let source = PathBuf::from(go.download(&module)?);
    for file in ["go.mod", "go.sum"] {
        let text = fs::read(source.join(file)).map_err(Error::io(format!("reading {file}")))?;
        fs::write(go.dir.join(file), text).map_err(Error::io(format!("writing {file}")))?;
    }
    Ok(())
}

fn empty(dir: &Path) -> Result<(), Error> {
    if dir.exists() {
        fs::remove_dir_all(dir).map_err(Error::io(format!("emptying {}", dir.display())))?;
    }
    fs::create_dir_all(dir).map_err(Error::io(format!("creating {}", dir.display())))
}

const MODULE: &str = "github.com/jaegertracing/jaeger";
const WRAPPER: &str = "jaegerwrap";
const SARAMA: &str = "-replace=github.com/Shopify/sarama=github.com/Shopify/sarama@v1.33.0";

#[cfg(test)]
mod tests {
    use std::thread;

    use tempfile::TempDir;

    use super::*;

    /// Returns a cache folder and a `go` in it that runs `build` for `go build` and does nothing
    /// for other commands.
    fn with_go(build: &str) -> Result<(TempDir, Toolchain), Error> {
        let cache = tempfile::tempdir().map_err(Error::io("creating a folder"))?;
        let go = Toolchain::script(&cache.path().join("go.sh"));
        write(&cache, "go.sh", &for_step("build", build))?;
        Ok((cache, go))
    }

    /// Returns a script that runs `commands` if its first argument is `step`.
    fn for_step(step: &str, commands: &str) -> String {
        format!("case $1 in {step})\n{commands}\n;; esac\n")
    }

    fn write(cache: &TempDir, file: &str, text: &str) -> Result<(), Error> {
        fs::write(cache.path().join(file), text).map_err(Error::io(format!("writing {file}")))
    }

    fn read(path: &Path) -> Result<String, Error> {
        fs::read_to_string(path).map_err(Error::io(format!("reading {}", path.display())))
    }

    fn build_in(cache: &TempDir, go: &Toolchain) -> Result<PathBuf, Error> {
        cached(Version::V1, cache.path(), go, |_| {})
    }

    #[test]
    fn one_build_serves_all_simultaneous_requests() -> Result<(), Error> {
        let (cache, go) =
            with_go("echo built >> ../builds; echo half > jaeger; echo whole >> jaeger")?;
        thread::scope(|scope| {
            let ask = || read(&build_in(&cache, &go)?);
            let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            for asked in asking {
                let program = asked.join().expect("no panic in `ask`")?;
                assert_eq!(program, "half\nwhole\n");
            }
            Ok(())
        })?;
        assert_eq!(read(&cache.path().join("builds"))?, "built\n");
        Ok(())
    }

    #[test]
    fn a_failed_build_leaves_no_program_and_is_repeated() -> Result<(), Error> {
        let (cache, go) = with_go("echo half > jaeger; echo out of space >&2; exit 1")?;
        for _ in 0..2 {
            let failed = build_in(&cache, &go)
                .expect_err("the build broke off")
                .to_string();
            assert!(
                failed.starts_with("building Jaeger v1.57.0: `go build -p 2"),
                "{failed}"
            );
            assert!(failed.ends_with(" failed:\nout of space"), "{failed}");
        }
        write(&cache, "go.sh", &for_step("build", "echo whole > jaeger"))?;
        assert_eq!(read(&build_in(&cache, &go)?)?, "whole\n");
        Ok(())
    }

    #[test]
    fn a_cached_program_is_used_without_go() -> Result<(), Error> {
        let (cache, go) = with_go("echo x > jaeger")?;
        let none = Toolchain::script(&cache.path().join("no such script"));
        assert!(matches!(build_in(&cache, &none), Err(Error::NoGo)));
        let built = build_in(&cache, &go)?;
        assert_eq!(build_in(&cache, &none)?, built);
        Ok(())
    }

    #[test]
    fn the_second_version_is_built_from_its_own_module_files() -> Result<(), Error> {
        let (cache, go) = with_go("cat go.mod go.sum > jaeger")?;
        write(&cache, "go.mod", "its go.mod\n")?;
        write(&cache, "go.sum", "its go.sum\n")?;
        let answer = serde_json::json!({"Path": MODULE, "Dir": cache.path()});
        write(&cache, "answer", &answer.to_string())?;
        let steps = [
            ("mod", "cat ../answer"),
            ("build", "cat go.mod go.sum > jaeger"),
        ];
        write(
            &cache,
            "go.sh",
            &steps
                .map(|(step, commands)| for_step(step, commands))
                .concat(),
        )?;
        let program = cached(Version::V2, cache.path(), &go, |_| {})?;
        assert_eq!(read(&program)?, "its go.mod\nits go.sum\n");
        Ok(())
    }
}
