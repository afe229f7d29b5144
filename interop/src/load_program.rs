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
    /// Over the published Go client, `jaeger-client-go` 2.30.0.
    ///
    /// Built once for each state of its source, into [`cache_dir`](crate::cache_dir), as
    /// [`binary()`](crate::binary()) builds a backend.
    ///
    /// # Errors
    ///
    /// As [`binary()`](crate::binary()).
    pub fn go() -> Result<Self, Error> {
        let wanted = Wanted {
            what: "the load over jaeger-client-go",
            file: &format!("load-go-{:016x}", hash(&SOURCE)),
        };
        let cache = environment::cache_dir()?;
        let path = wanted.cached(&cache, &Toolchain::go(), environment::say, build)?;
        Ok(Self { name: "go", path })
    }

    /// Over the library: the example `load`.
    ///
    /// # Errors
    ///
    /// As [`Example::build_own`].
    pub fn tracehound(profile: Profile) -> Result<Self, Error> {
        Ok(Self {
            name: match profile {
                Profile::Debug => "debug",
                Profile::Release => "release",
            },
            path: Example::build_own("load", profile)?.path().to_owned(),
        })
    }

    /// A word for it: `go`, `debug` or `release`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Runs it to its end and returns what it says of its spans.
    ///
    /// # Errors
    ///
    /// [`Error::Example`] when it fails, or has not ended after a minute and was killed.
    pub fn run(&self, load: &Load) -> Result<LoadReport, Error> {
        let mut command = Command::new(&self.path);
        command
            .args(load.arguments())
            .env_clear()
            .envs(environment::after_fork());
        let printed = example::run(command, PATIENCE).map_err(|reason| Error::Example {
            name: format!("load ({})", self.name),
            reason,
        })?;
        LoadReport::from_json(&printed)
    }

    /// Runs it as so many processes at the same time, each with the whole load, and returns the
    /// sum of what they say.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), of one that fails; the others have ended by then.
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

/// FNV-1a, as the standard library's hash may change with the compiler.
fn hash(files: &[(&str, &str)]) -> u64 {
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
