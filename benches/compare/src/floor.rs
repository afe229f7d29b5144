//! The cost of the parts that no tracer can leave out, on this machine.

use std::hint::black_box;
use std::time::Instant;

use http::{HeaderName, HeaderValue};

use crate::company::Probe;
use crate::request::Request;
use crate::times::{Medians, Times};

/// Sums of parts, in ns: the time that the least possible tracer takes.
pub struct Floors {
    /// Two time stamps: a span.
    pub f1: Medians,
    /// A request with two spans that are kept: the header work, five time stamps, 400 bytes copied.
    pub f3: Medians,
    /// A request with two spans that are not kept: the header work and two time stamps.
    pub f4: Medians,
}

impl Floors {
    pub fn measure(probe: Probe) -> Self {
        let clock = quanta::Clock::new();
        let stamp = per_call(probe, || clock.raw());
        let ids = 2.0 * per_call(probe, || fastrand::u64(1..));

        let mut request = Request::new(true);
        let name = HeaderName::from_static("uber-trace-id");
        let look_up = per_call(probe, || request.headers.get(black_box(&name)).is_some());
        let scan = per_call(probe, || {
            let mut names = request.headers.keys();
            names.any(|name| black_box(name.as_str()).starts_with("uberctx-"))
        });
        let header = *b"6309ab92c95468edea0dc1a9772ae2dc:409423a204bc17a8:0:1";
        let parse = per_call(probe, || parse(black_box(&header)));
        let ids_of_header = parse_all(&header);
        let print = per_call(probe, || print(black_box(ids_of_header)));
        let insert = per_call(probe, || {
            let value = HeaderValue::from_bytes(black_box(&header[..])).expect("ASCII");
            request.next.insert(black_box(&name), value);
        });

        let bytes = [7_u8; 200];
        let mut copy = Vec::with_capacity(bytes.len());
        let copies = 2.0
            * per_call(probe, || {
                copy.clear();
                copy.extend_from_slice(black_box(&bytes[..]));
                black_box(copy.as_ptr())
            });

        let headers = look_up + parse + ids + print + insert + scan;
        Self {
            f1: 2.0 * stamp,
            f3: headers + 5.0 * stamp + copies,
            f4: headers + 2.0 * stamp,
        }
    }
}

/// Times a call, in rounds so short that most of them have one company from beginning to end.
fn per_call<T>(probe: Probe, mut work: impl FnMut() -> T) -> Medians {
    const CALLS: u32 = 10_000;
    const ROUNDS: u32 = 100;
    let mut round = || {
        let begin = Instant::now();
        for _ in 0..CALLS {
            black_box(work());
        }
        begin.elapsed()
    };
    let mut rounds = Times::default();
    for _ in 0..ROUNDS {
        let (round, company) = probe.around(&mut round);
        rounds.add(round.as_nanos() as f64 / f64::from(CALLS), company);
    }
    rounds.medians()
}

type Header = [u8; 53];

/// Returns the trace id, in halves, and the span id of a header with padded ids.
fn parse_all(header: &Header) -> [u64; 3] {
    parse(header).expect("hexadecimal")
}

fn parse(header: &Header) -> Option<[u64; 3]> {
    let is_in_shape =
        header[32] == b':' && header[49..52] == *b":0:" && header[52].is_ascii_digit();
    let id = |at: usize| digits(header[at..at + 16].try_into().expect("16 of them"));
    is_in_shape.then_some([id(0)?, id(16)?, id(33)?])
}

fn print([high, low, span]: [u64; 3]) -> Header {
    let mut header = *b"00000000000000000000000000000000:0000000000000000:0:1";
    header[..16].copy_from_slice(&text(high));
    header[16..32].copy_from_slice(&text(low));
    header[33..49].copy_from_slice(&text(span));
    header
}

/// Reads 16 lower case hexadecimal digits, all at once: one byte of a word for each.
fn digits(text: [u8; 16]) -> Option<u64> {
    let word = u128::from_be_bytes(text);
    let letters = (word >> 6) & low_bits(1);
    let nibbles = (word & low_bits(4)) + 9 * letters;
    let packed = [4, 8, 16].into_iter().fold(nibbles, |word, width| {
        (word | (word >> width)) & low_halves(2 * width)
    });
    let id = (packed | (packed >> 32)) as u64;
    let is_hex = nibbles & low_bits(4) == nibbles && text_of(nibbles) == word;
    is_hex.then_some(id)
}

/// Writes 16 lower case hexadecimal digits.
fn text(id: u64) -> [u8; 16] {
    let nibbles = [32, 16, 8, 4]
        .into_iter()
        .fold(u128::from(id), |word, width| {
            (word | (word << width)) & low_halves(width)
        });
    text_of(nibbles).to_be_bytes()
}

fn text_of(nibbles: u128) -> u128 {
    let letters = ((nibbles + 6 * low_bits(1)) >> 4) & low_bits(1);
    nibbles + u128::from(b'0') * low_bits(1) + u128::from(b'a' - b'0' - 10) * letters
}

/// Returns a word with the lowest `count` bits of every byte set.
const fn low_bits(count: u32) -> u128 {
    u128::MAX / 0xff * ((1 << count) - 1)
}

/// Returns a word of pieces of `width` bits: the lowest piece is set, the next one is not, and so on.
const fn low_halves(width: u32) -> u128 {
    u128::MAX / ((1 << width) + 1)
}

#[cfg(test)]
mod tests {
    use super::{parse, print};

    #[test]
    fn a_printed_header_is_parsed() {
        for ids in [[0, 1, 2], [u64::MAX, 0x0123_4567_89ab_cdef, 1 << 63]] {
            assert_eq!(parse(&print(ids)), Some(ids));
        }
    }

    #[test]
    fn a_header_that_is_not_hexadecimal_is_refused() {
        for byte in [b'g', b'/', b':', b'`', b' ', 0xb0] {
            let mut header = print([1, 2, 3]);
            header[40] = byte;
            assert_eq!(parse(&header), None, "{byte}");
        }
    }
}
