//! Files in PEM that variables name.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};

use crate::config::error::ConfigProblem;
use crate::config::setting::Setting;
use crate::reporter::sender::InvalidCertificates;

/// Reads the file, if there is one. Failing is a warning.
pub(super) fn read(
    path: &Setting<Option<String>>,
    setter: &'static str,
    warnings: &mut Vec<ConfigProblem>,
) -> Option<Vec<u8>> {
    match bytes(path.value.as_deref()?) {
        Ok(pem) => Some(pem),
        Err(error) => {
            warnings.push(ConfigProblem::failed(path.name(setter), &error));
            None
        }
    }
}

/// Returns the sender. Its certificates have been tried, so this is no error that anyone sees.
pub(super) fn checked<S>(sender: Result<S, InvalidCertificates>) -> Result<S, ConfigProblem> {
    sender.map_err(|error| ConfigProblem::failed("sender", &error))
}

fn bytes(path: &str) -> io::Result<Vec<u8>> {
    let mut pem = Vec::new();
    let file = File::open(path)?;
    file.take(MOST_BYTES + 1).read_to_end(&mut pem)?;
    if pem.len() as u64 > MOST_BYTES {
        let reason = "the file is larger than 1 MiB";
        return Err(io::Error::new(ErrorKind::InvalidData, reason));
    }
    Ok(pem)
}

const MOST_BYTES: u64 = 1024 * 1024;
