use std::{
    env::consts::{ARCH, OS},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Error, environment, lock::Lock};

/// Returns a Python interpreter with the published Jaeger client, `jaeger-client` 4.8.0.
///
/// The client is installed from the package index into an environment of its own in
/// [`cache_dir`](crate::cache_dir), once for each version of the machine's Python. As with
/// [`binary()`](crate::binary()), threads and processes that ask at the same time wait for one
/// installation, and one that fails leaves nothing behind.
///
/// # Errors
///
/// [`Error::NoPython`] if the machine has no `python3`, or it cannot install the client.
pub fn python() -> Result<PathBuf, Error> {
    let interpreter = Interpreter {
        program: "python3".into(),
        leading: None,
    };
    cached(&environment::cache_dir()?, &interpreter, environment::say)
}

/// Like [`python`], but says that the running test is skipped and returns `None` if there is none.
///
/// # Errors
///
/// Like [`python`]; [`Error::NoPython`] only if [`REQUIRED`](crate::REQUIRED) is `1`.
pub fn python_or_skip() -> Result<Option<PathBuf>, Error> {
    match python() {
        Err(error @ Error::NoPython { .. }) if !environment::is_required() => {
            environment::skipped(error.to_string());
            Ok(None)
        }
        found => found.map(Some),
    }
}

/// The `python3` of the machine, or a stand-in of a test.
#[derive(Clone, Debug)]
struct Interpreter {
    program: OsString,
    leading: Option<OsString>,
}

impl Interpreter {
    /// Returns the output; an error with the end of standard error if it fails.
    fn run(&self, arguments: &[&str]) -> Result<String, Error> {
        let mut command = Command::new(&self.program);
        command.args(&self.leading).args(arguments);
        let output = command
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Error::no_python(format!("{}: {error}", self.name())))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let arguments = arguments.join(" ");
        Err(Error::no_python(format!(
            "`{} {arguments}` failed:\n{}",
            self.name(),
            said.trim()
        )))
    }

    fn name(&self) -> String {
        self.program.to_string_lossy().into_owned()
    }
}

fn cached(cache: &Path, machine: &Interpreter, say: fn(&str)) -> Result<PathBuf, Error> {
    // An environment depends on the Python that made it.
    let version = machine.run(&["-c", "import sys; print('%d.%d' % sys.version_info[:2])"])?;
    let home = cache.join(format!("python{version}-jaeger-client-4.8.0-{OS}-{ARCH}"));
    if is_usable(&home) {
        return Ok(home.join(PROGRAM));
    }
    let _lock = Lock::acquire(&cache.join("python.lock"))?;
    if is_usable(&home) {
        return Ok(home.join(PROGRAM));
    }
    let dir = cache.join("python-install");
    for old in [&dir, &home] {
        if old.exists() {
            let removing = format!("removing {}", old.display());
            fs::remove_dir_all(old).map_err(Error::io(removing))?;
        }
    }
    say(&format!(
        "installing the Jaeger client for Python {version}, once"
    ));
    machine.run(&["-m", "venv", &dir.to_string_lossy()])?;
    let own = Interpreter {
        program: dir.join(PROGRAM).into(),
        leading: None,
    };
    own.run(
        &[
            &[
                "-m",
                "pip",
                "install",
                "--no-input",
                "--disable-pip-version-check",
            ][..],
            &PACKAGES,
        ]
        .concat(),
    )?;
    // The interpreter finds its folder from its own path, so the environment may be moved. Only
    // the scripts of pip may not.
    fs::rename(&dir, &home).map_err(Error::io(format!(
        "moving {} to {}",
        dir.display(),
        home.display()
    )))?;
    say(&format!("installed it in {}", home.display()));
    Ok(home.join(PROGRAM))
}

/// Returns whether the program exists. It is a link, which breaks if the machine's Python is removed.
fn is_usable(home: &Path) -> bool {
    home.join(PROGRAM).is_file()
}

const PROGRAM: &str = "bin/python";

/// The client and all its dependencies, pinned so that every machine has the same ones. `six` is
/// missing from its own list.
const PACKAGES: [&str; 6] = [
    "jaeger-client==4.8.0",
    "opentracing==2.4.0",
    "six==1.17.0",
    "threadloop==1.0.2",
    "thrift==0.25.0",
    "tornado==6.6.1",
];

#[cfg(test)]
mod tests {
    use std::thread;

    use tempfile::TempDir;

    use super::*;

    /// Returns a cache folder with a `python3` that makes environments whose own one runs `pip`.
    fn with_python(pip: &str) -> Result<(TempDir, Interpreter), Error> {
        let cache = tempfile::tempdir().map_err(Error::io("creating a folder"))?;
        let script = cache.path().join("python.sh");
        let own = format!("#!/bin/sh\ncd $(dirname $0)/..\n{pip}\n");
        let text = format!(
            "case $2 in\nvenv) mkdir -p $3/bin; cat > $3/bin/python <<'END'\n{own}END\n\
             chmod +x $3/bin/python;;\n*) echo 3.99;; esac\n"
        );
        fs::write(&script, text).map_err(Error::io("writing a script"))?;
        let interpreter = Interpreter {
            program: "sh".into(),
            leading: Some(script.into()),
        };
        Ok((cache, interpreter))
    }

    fn installed(cache: &TempDir, python: &Interpreter) -> Result<PathBuf, Error> {
        cached(cache.path(), python, |_| {})
    }

    fn read(path: &Path) -> Result<String, Error> {
        fs::read_to_string(path).map_err(Error::io(format!("reading {}", path.display())))
    }

    #[test]
    fn one_installation_serves_all_simultaneous_requests() -> Result<(), Error> {
        let (cache, python) = with_python("echo $* >> ../installations")?;
        thread::scope(|scope| {
            let ask = || installed(&cache, &python);
            let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            for asked in asking {
                let program = asked.join().expect("no panic in `ask`")?;
                assert!(program.is_file(), "{}", program.display());
            }
            Ok::<_, Error>(())
        })?;
        let installations = read(&cache.path().join("installations"))?;
        assert_eq!(installations.lines().count(), 1, "{installations}");
        for package in PACKAGES {
            assert!(installations.contains(package), "{installations}");
        }
        Ok(())
    }

    #[test]
    fn a_failed_installation_leaves_nothing_and_is_repeated() -> Result<(), Error> {
        let pip = "test -e ../works && exit 0; echo no network >&2; exit 1";
        let (cache, python) = with_python(pip)?;
        for _ in 0..2 {
            let failed = installed(&cache, &python).expect_err("pip failed");
            let failed = failed.to_string();
            assert!(
                failed.starts_with("no Python with the Jaeger client"),
                "{failed}"
            );
            assert!(failed.ends_with("failed:\nno network"), "{failed}");
        }
        fs::write(cache.path().join("works"), "").map_err(Error::io("writing a file"))?;
        assert!(installed(&cache, &python)?.is_file());
        Ok(())
    }

    #[test]
    fn an_environment_without_its_python_is_made_again() -> Result<(), Error> {
        let (cache, python) = with_python("exit 0")?;
        let program = installed(&cache, &python)?;
        fs::remove_file(&program).map_err(Error::io("removing the program"))?;
        assert_eq!(installed(&cache, &python)?, program);
        assert!(program.is_file());
        Ok(())
    }

    #[test]
    fn a_machine_without_python_has_no_environment() -> Result<(), Error> {
        let (cache, mut python) = with_python("exit 0")?;
        python.program = cache.path().join("no such program").into();
        let error = installed(&cache, &python).expect_err("there is none");
        assert!(matches!(error, Error::NoPython { .. }), "{error}");
        Ok(())
    }
}
