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
    let text = text_of(bytes).map_err(|why| format!("{name}: {why}"))?;
    let text = text.trim_start_matches('\u{feff}');
    let is_otlp = || text.contains("resourceSpans") || text.contains("resource_spans");
    match Trace::from_json(text) {
        Err(_) if is_otlp() => {
            Trace::from_otlp_json(text).map_err(|error| format!("{name}: {error}"))
        }
        read => read.map_err(|error| format!("{name}: {error}")),
    }
}

/// Returns the text of a file in UTF-8, or in UTF-16 as Windows PowerShell writes what a command prints.
fn text_of(bytes: Vec<u8>) -> Result<String, &'static str> {
    let units = |unit: fn([u8; 2]) -> u16| {
        let pairs = bytes.chunks_exact(2).skip(1);
        let units: Vec<u16> = pairs.map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16(&units).map_err(|_| "not UTF-16")
    };
    match bytes.as_slice() {
        [0xff, 0xfe, ..] => units(u16::from_le_bytes),
        [0xfe, 0xff, ..] => units(u16::from_be_bytes),
        [0x1f, 0x8b, ..] => Err("packed with gzip, so unpack it first"),
        _ => String::from_utf8(bytes).map_err(|_| "not UTF-8"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_text_in_one_of_three_codings() {
        let utf16 = |unit: fn(u16) -> [u8; 2]| {
            let units = "\u{feff}{é😀".encode_utf16();
            units.flat_map(unit).collect::<Vec<_>>()
        };
        for (bytes, expected) in [
            ("{é😀".into(), Ok("{é😀")),
            (utf16(u16::to_le_bytes), Ok("{é😀")),
            (utf16(u16::to_be_bytes), Ok("{é😀")),
            (vec![0xff, 0xfe, 0, 0xd8], Err("not UTF-16")),
            (
                vec![0x1f, 0x8b, 8],
                Err("packed with gzip, so unpack it first"),
            ),
            (vec![b'{', 0xff], Err("not UTF-8")),
            (Vec::new(), Ok("")),
        ] {
            assert_eq!(text_of(bytes).as_deref().map_err(|why| *why), expected);
        }
    }
}
