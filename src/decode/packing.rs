//! Bodies that were packed with gzip or deflate.

use std::borrow::Cow;
use std::fmt;
use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::decode::Reason;

/// Returns a body as the client had it before it was packed. `encodings` is the request's `content-encoding`, a list
/// with commas.
///
/// # Errors
///
/// Fails if the encoding is not known, if the body was packed twice or is damaged, or, with [`Refusal::TooLong`], if it
/// is larger than `most` bytes.
pub(crate) fn unpacked<'b>(
    encodings: Option<&str>,
    body: &'b [u8],
    most: usize,
) -> Result<Cow<'b, [u8]>, Refusal> {
    let names = encodings.unwrap_or_default().split(',').map(str::trim);
    let mut names = names.filter(|name| !name.is_empty() && !is(name, &["identity"]));
    match (names.next(), names.next()) {
        (None, _) => Ok(Cow::Borrowed(body)),
        (Some(name), None) if is(name, &GZIP) => read(MultiGzDecoder::new(body), most),
        // Some clients take deflate for what RFC 1950 puts around it, as RFC 9110 does, and some for deflate alone.
        (Some(name), None) if is(name, &DEFLATE) && has_zlib_header(body) => {
            read(ZlibDecoder::new(body), most)
        }
        (Some(name), None) if is(name, &DEFLATE) => read(DeflateDecoder::new(body), most),
        (Some(name), None) => {
            let why = format!("the encoding {name} is not known: gzip and deflate are");
            Err(Refusal::Malformed(why))
        }
        (Some(_), Some(_)) => Err(Refusal::Malformed("a body is packed once at most".into())),
    }
}

/// Why a body is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    TooLong,
    Malformed(Reason),
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::Malformed(reason)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the body is too long"),
            Self::Malformed(reason) => f.write_str(reason),
        }
    }
}

fn is(name: &str, known: &[&str]) -> bool {
    known.iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn has_zlib_header(body: &[u8]) -> bool {
    matches!(*body, [first, second, ..]
        if first & 0x0f == 8 && u16::from_be_bytes([first, second]) % 31 == 0)
}

fn read<'b>(packed: impl Read, most: usize) -> Result<Cow<'b, [u8]>, Refusal> {
    let mut unpacked = Vec::new();
    let limit = most as u64 + 1;
    let read = packed.take(limit).read_to_end(&mut unpacked);
    read.map_err(|error| format!("the body cannot be unpacked: {error}"))?;
    match unpacked.len() as u64 == limit {
        true => Err(Refusal::TooLong),
        false => Ok(Cow::Owned(unpacked)),
    }
}

const GZIP: [&str; 2] = ["gzip", "x-gzip"];
/// A collector of OpenTelemetry has the second name, too.
const DEFLATE: [&str; 2] = ["deflate", "zlib"];

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    #[test]
    fn an_encoding_is_a_list_of_names_in_either_case() {
        let fast = Compression::fast();
        let mut gzip = GzEncoder::new(Vec::new(), fast);
        gzip.write_all(b"spans").expect("memory");
        let gzip = gzip.finish().expect("memory");
        let mut zlib = ZlibEncoder::new(Vec::new(), fast);
        zlib.write_all(b"spans").expect("memory");
        let zlib = zlib.finish().expect("memory");
        let mut deflate = DeflateEncoder::new(Vec::new(), fast);
        deflate.write_all(b"spans").expect("memory");
        let deflate = deflate.finish().expect("memory");
        let rows: [(Option<&str>, &[u8]); 10] = [
            (None, b"spans"),
            (Some(""), b"spans"),
            (Some("Identity"), b"spans"),
            (Some("gzip"), &gzip),
            (Some(" GZip "), &gzip),
            (Some("x-gzip"), &gzip),
            (Some("identity, gzip,"), &gzip),
            (Some("deflate"), &zlib),
            (Some("zlib"), &zlib),
            (Some("deflate"), &deflate),
        ];
        for (encodings, body) in rows {
            let read = unpacked(encodings, body, 5).expect("well-formed");
            assert_eq!(*read, *b"spans", "{encodings:?}");
        }
        let rows: [(&str, &[u8], &str); 5] = [
            ("gzip", &zlib, "cannot be unpacked"),
            ("deflate", b"", "cannot be unpacked"),
            ("gzip, deflate", &gzip, "once"),
            ("zstd", b"", "the encoding zstd is not known"),
            ("gzip;q=1", &gzip, "is not known"),
        ];
        for (encodings, body, why) in rows {
            let error = unpacked(Some(encodings), body, 5).expect_err(encodings);
            assert!(error.to_string().contains(why), "{encodings}: {error}");
        }
        for (encoding, body) in [("gzip", gzip), ("deflate", zlib), ("deflate", deflate)] {
            let error = unpacked(Some(encoding), &body, 4).expect_err(encoding);
            assert_eq!(error, Refusal::TooLong, "{encoding}");
        }
    }
}
