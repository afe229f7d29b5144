//! Files of traces.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use tracehound::view::Trace;

/// Reads the traces of a file of Jaeger's JSON or of OTLP's, or of standard input for `-`.
pub(crate) fn traces(path: &Path) -> Result<Vec<Trace>, String> {
    traces_up_to(path, MOST_BYTES)
}

/// Reads the traces of a file that has at most this many bytes.
pub(crate) fn traces_up_to(path: &Path, most: u64) -> Result<Vec<Trace>, String> {
    let name = path.display();
    let bytes = read(path, most).map_err(|error| format!("{name}: {error}"))?;
    if bytes.len() as u64 > most {
        return Err(format!("{name}: larger than {} MiB", most >> 20));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("{name}: not UTF-8"))?;
    let text = text.trim_start_matches('\u{feff}');
    let is_otlp = || text.contains("resourceSpans") || text.contains("resource_spans");
    match Trace::from_json(text) {
        Err(_) if is_otlp() => {
            Trace::from_otlp_json(text).map_err(|error| format!("{name}: {error}"))
        }
        read => read.map_err(|error| format!("{name}: {error}")),
    }
}

/// Reads at most one byte more than is allowed.
fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let source: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(fs::File::open(path)?),
    };
    let mut bytes = Vec::new();
    source
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The largest file.
pub(crate) const MOST_BYTES: u64 = 256 << 20;
