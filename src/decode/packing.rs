//! Bodies that were packed with gzip.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::MultiGzDecoder;

use crate::decode::Reason;

/// Returns a body as the client had it before it was packed. `encoding` is the request's `content-encoding`.
///
/// # Errors
///
/// Fails if the encoding is not known, if the body is damaged, or if it is larger than `most` bytes.
pub(crate) fn unpacked<'b>(
    encoding: Option<&str>,
    body: &'b [u8],
    most: usize,
) -> Result<Cow<'b, [u8]>, Reason> {
    match encoding {
        None | Some("identity") => Ok(Cow::Borrowed(body)),
        Some("gzip") => {
            let mut unpacked = Vec::new();
            let limit = most as u64 + 1;
            let read = MultiGzDecoder::new(body)
                .take(limit)
                .read_to_end(&mut unpacked);
            read.map_err(|error| format!("the body cannot be unpacked: {error}"))?;
            match unpacked.len() as u64 == limit {
                true => Err(TOO_LONG.to_owned()),
                false => Ok(Cow::Owned(unpacked)),
            }
        }
        Some(other) => Err(format!("the encoding {other} is not known")),
    }
}

pub(crate) const TOO_LONG: &str = "the body is too long";
