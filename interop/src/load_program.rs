use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use crate::{
    Error, Example, Load, LoadReport, Profile,
    binary::Wanted,
    environment,
    example::{self, PATIENCE},
    toolchain::{Go, Toolchain},
};

/// A program that makes the spans of a [`Load`], in a process of its own.
#[derive(Clone, Debug)]
pub struct LoadProgram {
    name: &'static str,
    path: PathBuf,
}

impl LoadProgram {
    /// A program that traces with the published Go client, `jaeger-client-go` 2.30.0.
    ///
    /// It is built once for each state of its source, into [`cache_dir`](crate::cache_dir), like the
    /// backends of [`binary()`](crate::binary()).
    ///
    /// # Errors
    ///
    /// Like [`binary()`](crate::binary()).
    pub fn go() -> Result<Self, Error> {
        let wanted = Wanted {
            what: "the load over jaeger-client-go",
            file: &format!("load-go-{:016x}", hash(&SOURCE)),
        };
        let cache = environment::cache_dir()?;
        let path = wanted.cached(&cache, &Toolchain::go(), environment::say, build)?;
        Ok(Self { name: "go", path })
    }

    /// A program that traces with the library: the example `load`.
    ///
    /// # Errors
    ///
    /// Like [`Example::build_own`].
    pub fn tracehound(profile: Profile) -> Result<Self, Error> {
        Ok(Self {
            name: match profile {
                Profile::Debug => "debug",
                Profile::Release => "release",
            },
            path: Example::build_own("load", profile)?.path().to_owned(),
        })
    }

    /// Returns the name of the program: `go`, `debug` or `release`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Runs the program to its end and returns its report.
    ///
    /// # Errors
    ///
    /// [`Error::Example`] if it fails, or is killed because it has not ended after a minute.
    pub fn run(&self, load: &Load) -> Result<LoadReport, Error> {
        let mut command = Command::new(&self.path);
        command
            .args(load.arguments())
            .env_clear()
            .envs(environment::passed_on());
        let printed = example::run(command, PATIENCE).map_err(|reason| Error::Example {
            name: format!("load ({})", self.name),
            reason,
        })?;
        LoadReport::from_json(&printed)
    }

    /// Runs several processes at the same time, each with the whole load, and returns the sum of
    /// their reports.
    ///
    /// # Errors
    ///
    /// Like [`run`](Self::run), for a process that fails; the others have ended by then.
    pub fn run_beside(&self, load: &Load, processes: usize) -> Result<LoadReport, Error> {
        let reports = thread::scope(|scope| {
            let running: Vec<_> = (0..processes)
                .map(|_| scope.spawn(|| self.run(load)))
                .collect();
            let ended = running.into_iter().map(|process| process.join());
            ended
                .map(|report| report.expect("no panic in `run`"))
                .collect::<Vec<_>>()
        });
        let mut sum = LoadReport::default();
        for report in reports {
            sum.merge(&report?);
        }
        Ok(sum)
    }
}

fn build(go: &Go<'_>) -> Result<PathBuf, Error> {
    for (file, text) in SOURCE {
        let doing = format!("writing {file}");
        fs::write(go.dir.join(file), text).map_err(Error::io(doing))?;
    }
    go.run(&["build", "-buildvcs=false", "-o", "load", "."])?;
    Ok(Path::new(go.dir).join("load"))
}

/// Returns the FNV-1a hash; the hash of the standard library may change with the compiler.
pub(crate) fn hash(files: &[(&str, &str)]) -> u64 {
    let bytes = files.iter().flat_map(|(name, text)| [name, text]);
    bytes
        .flat_map(|text| text.bytes().chain([0]))
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

const SOURCE: [(&str, &str); 3] = [
    ("main.go", include_str!("../go/load/main.go")),
    ("go.mod", include_str!("../go/load/go.mod")),
    ("go.sum", include_str!("../go/load/go.sum")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_source_has_another_hash() {
        let one = hash(&[("main.go", "a"), ("go.mod", "b")]);
        for other in [
            [("main.go", "a"), ("go.mod", "c")],
            [("main.go", "ab"), ("go.mod", "")],
            [("main.go", "b"), ("go.mod", "a")],
        ] {
            assert_ne!(hash(&other), one, "{other:?}");
        }
    }
}
