//! Bodies that were packed with gzip, deflate or zstd.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

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
        (Some(name), None) if is(name, &["zstd"]) => unpacked_zstd(body, most),
        (Some(name), None) => {
            let why = format!("the encoding {name} is not known: gzip, deflate and zstd are");
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
    append(packed, &mut unpacked, most)?;
    Ok(Cow::Owned(unpacked))
}

/// Appends what is read to a body that has at most `most` bytes then.
fn append(packed: impl Read, unpacked: &mut Vec<u8>, most: usize) -> Result<(), Refusal> {
    let limit = (most - unpacked.len()) as u64 + 1;
    let read = packed.take(limit).read_to_end(unpacked);
    match read.map_err(damaged)? as u64 == limit {
        true => Err(Refusal::TooLong),
        false => Ok(()),
    }
}

/// Reads the frames of a body, one after the other, as RFC 8878 has them.
fn unpacked_zstd<'b>(mut body: &[u8], most: usize) -> Result<Cow<'b, [u8]>, Refusal> {
    let mut unpacked = Vec::new();
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(MAX_WINDOW);
    // A body without a frame is no zstd. To begin a frame takes longer than it takes to send an empty one.
    for _ in 0..MAX_FRAMES {
        match StreamingDecoder::new_with_decoder(&mut body, &mut decoder) {
            Ok(frame) => {
                append(frame, &mut unpacked, most)?;
                // A client may leave the checksum out.
                let told = decoder.get_checksum_from_data();
                if told.is_some() && told != decoder.get_calculated_checksum() {
                    return Err(damaged("its checksum differs"));
                }
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let rest = usize::try_from(length).ok();
                let rest = rest.and_then(|length| body.get(length..));
                body = rest.ok_or_else(|| damaged("a frame is cut short"))?;
            }
            Err(error) => return Err(damaged(error)),
        }
        if body.is_empty() {
            return Ok(Cow::Owned(unpacked));
        }
    }
    Err(damaged("it has too many frames"))
}

fn damaged(why: impl Display) -> Refusal {
    Refusal::Malformed(format!("the body cannot be unpacked: {why}"))
}

/// The most frames of zstd in a body. Clients send one.
const MAX_FRAMES: usize = 1_000;
/// The most bytes that a frame of zstd may go back, all of which are kept while it is read. RFC 8878 asks for 8 MiB; a
/// frame that tells its length may go back as far as that.
const MAX_WINDOW: u64 = 16 << 20;
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
            ("br", b"", "the encoding br is not known"),
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

    #[test]
    fn a_body_of_zstd_is_frames_one_after_the_other() {
        let many = "spans ".repeat(2_000);
        let rows: [(&str, &str, &str); 6] = [
            ("zstd 1.5.4", ZSTD, "spans"),
            (
                "zstd 1.5.4 --no-check",
                "28b52ffd00582900007370616e73",
                "spans",
            ),
            ("klauspost/compress 1.20.4", KLAUSPOST, "spans"),
            (
                "klauspost/compress 1.20.4",
                "28b52ffd64e02d7d0000307370616e73200154060331d72e019fa86765",
                &many,
            ),
            (
                "python-zstandard 0.25.0",
                "28b52ffd60e02d750000307370616e73200100d72e7c2902",
                &many,
            ),
            (
                "python-zstandard 0.25.0, level 19",
                "28b52ffd0068750000307370616e73200100d72e7c2902",
                &many,
            ),
        ];
        for (producer, hex, expected) in rows {
            let body = bytes(hex);
            let read = unpacked(Some("zstd"), &body, expected.len()).expect(producer);
            assert_eq!(*read, *expected.as_bytes(), "{producer}");
            let error = unpacked(Some("ZSTD"), &body, expected.len() - 1).expect_err(producer);
            assert_eq!(error, Refusal::TooLong, "{producer}");
            for end in 0..body.len() {
                let cut = unpacked(Some("zstd"), &body[..end], expected.len());
                assert!(cut.is_err(), "{producer}: {end}");
            }
            // The fourth of the bits of a frame's descriptor tells of a checksum at its end.
            if body[4] & 1 << 2 != 0 {
                for place in body.len() - 4..body.len() {
                    let mut changed = body.clone();
                    changed[place] ^= 1;
                    let error = unpacked(Some("zstd"), &changed, expected.len());
                    let error = error.expect_err(producer).to_string();
                    assert!(error.contains("checksum"), "{producer}: {error}");
                }
            }
        }
        // A frame to skip has any number from 0 to 15 and its length.
        let skipped = "5f2a4d1803000000aabbcc";
        let all = [skipped, ZSTD, KLAUSPOST, skipped, ZSTD].concat();
        let all = bytes(&all);
        let read = unpacked(Some("zstd"), &all, 15).expect("well-formed");
        assert_eq!(*read, *b"spansspansspans");
        let error = unpacked(Some("zstd"), &all, 14).expect_err("15 bytes");
        assert_eq!(error, Refusal::TooLong);
    }

    #[test]
    fn a_hostile_body_of_zstd_is_refused() {
        let rows = [
            ("", "cannot be unpacked"),
            ("00", "cannot be unpacked"),
            ("5f2a4d1803000000aabb", "cut short"),
            ("5f2a4d18ffffffff", "cut short"),
            // A window of 2^41 bytes, then one of 32 MiB, then one that tells its length of 2^63.
            ("28b52ffd00f801000000", "window"),
            ("28b52ffd007801000000", "window"),
            ("28b52ffde0000000000000008001000000", "window"),
            // A dictionary.
            ("28b52ffd01580701000000", "dict"),
        ];
        for (hex, why) in rows {
            let error = unpacked(Some("zstd"), &bytes(hex), 1 << 20).expect_err(hex);
            let error = error.to_string().to_lowercase();
            assert!(error.contains(why), "{hex}: {error}");
        }
        let trailing = [ZSTD, "00"].concat();
        assert!(unpacked(Some("zstd"), &bytes(&trailing), 5).is_err());
        let empty = bytes("28b52ffd2000010000");
        assert!(unpacked(Some("zstd"), &empty.repeat(1_000), 0).is_ok());
        assert!(unpacked(Some("zstd"), &empty.repeat(1_001), 0).is_err());
        // Blocks of 128 KiB that have four bytes each: the same byte again and again.
        let head = bytes("28b52ffd0058");
        let block = |is_last: u32| {
            let head = is_last | 1 << 1 | (128 << 10) << 3;
            [&head.to_le_bytes()[..3], b"x"].concat()
        };
        let bomb = [head, block(0).repeat(100_000), block(1)].concat();
        let error = unpacked(Some("zstd"), &bomb, 1 << 20).expect_err("12 GiB");
        assert_eq!(error, Refusal::TooLong);
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16);
        digits.map(|pair| byte(pair).expect("hex")).collect()
    }

    const ZSTD: &str = "28b52ffd04582900007370616e739e927ffd";
    const KLAUSPOST: &str = "28b52ffd04002900007370616e739e927ffd";
}
