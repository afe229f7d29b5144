use std::{fs::File, path::Path};

use rustix::fs::{FlockOperation, flock};

use crate::Error;

/// A file lock for one holder on the machine, which may be a thread or a process.
///
/// The lock ends with its holder: a killed process leaves no lock behind.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock of `path`.
    pub(crate) fn acquire(path: &Path) -> Result<Self, Error> {
        let doing = format!("locking {}", path.display());
        let file = File::create(path).map_err(Error::io(doing.clone()))?;
        loop {
            match flock(&file, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Self { _file: file }),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Error::io(doing)(error.into())),
            }
        }
    }
}
